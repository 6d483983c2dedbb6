//! Who a message says it is from. Read strictly: what one program reads as a name, another reads as an address, and the
//! address that was checked must be the one that people see.
use crate::base::EmailAddress;
use crate::base::address::AddressError;
use crate::mail::message::{Error, Mailbox};

/// SES: an address with its display name holds at most 320 characters.
const SHOWN: usize = 320;

impl Mailbox {
    /// All addresses that a reader could take for authors in the value of From or Sender (RFC 5322, 3.6.2), in order. A
    /// display name that is an address itself counts as one. No groups, no routes, nothing after the `>`.
    pub fn parse_authors(value: &str) -> Result<Vec<EmailAddress>, Error> {
        let wrong = |why| Error::Address { text: value.chars().take(SHOWN).collect(), why };
        let broken = || wrong(AddressError::LocalPartCharacter);
        let mut authors = Vec::new();
        for entry in entries(value).ok_or_else(broken)? {
            let name = entry.bare.trim();
            match &entry.angle {
                Some(address) => {
                    if name.contains('@') {
                        authors.push(name.parse().map_err(wrong)?);
                    } else if name.contains([':', ';', '\\', '[', ']']) {
                        return Err(broken());
                    }
                    authors.push(address.trim().parse().map_err(wrong)?);
                }
                // RFC 5322, 4.4: an entry may be empty.
                None if entry.plain.trim().is_empty() => {}
                None => authors.push(entry.plain.trim().parse().map_err(wrong)?),
            }
        }
        Ok(authors)
    }
}

/// One mailbox of a list, taken apart.
#[derive(Default)]
struct Entry {
    /// What stands outside the angle brackets, without comments.
    plain: String,
    /// The same without its quoted strings.
    bare: String,
    /// What stands in the angle brackets.
    angle: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Outside,
    Angle,
    /// In a comment so many levels deep.
    Comment(u32),
}

/// Cuts a list at its commas. `None` when brackets, quotes or comments do not close, or stand where they may not.
fn entries(value: &str) -> Option<Vec<Entry>> {
    let (mut done, mut entry) = (Vec::new(), Entry::default());
    let (mut at, mut quoted, mut escaped) = (At::Outside, false, false);
    for c in value.chars() {
        let escapes = c == '\\' && !escaped && (quoted || matches!(at, At::Comment(_)));
        match (at, c) {
            (At::Comment(depth), _) => {
                at = match c {
                    '(' if !escaped => At::Comment(depth + 1),
                    ')' if !escaped && depth == 1 => At::Outside,
                    ')' if !escaped => At::Comment(depth - 1),
                    _ => at,
                };
            }
            (At::Angle, _) => match c {
                '>' if !quoted => at = At::Outside,
                '<' | '(' | ')' if !quoted => return None,
                _ => entry.angle.as_mut()?.push(c),
            },
            (At::Outside, '(') if !quoted => {
                at = At::Comment(1);
                entry.plain.push(' ');
                entry.bare.push(' ');
            }
            (At::Outside, '<') if !quoted && entry.angle.is_none() => {
                at = At::Angle;
                entry.angle = Some(String::new());
            }
            (At::Outside, '<' | '>' | ')') if !quoted => return None,
            (At::Outside, ',') if !quoted => done.push(std::mem::take(&mut entry)),
            (At::Outside, _) if entry.angle.is_some() && !c.is_ascii_whitespace() => return None,
            (At::Outside, _) => {
                entry.plain.push(c);
                if !quoted && c != '"' {
                    entry.bare.push(c);
                }
            }
        }
        quoted ^= c == '"' && !escaped && !matches!(at, At::Comment(_));
        escaped = escapes;
    }
    done.push(entry);
    (at == At::Outside && !quoted).then_some(done)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn authors(value: &str) -> Option<Vec<String>> {
        Some(Mailbox::parse_authors(value).ok()?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn authors_are_read_in_the_usual_forms() {
        for value in [
            "a@x.example",
            "<a@x.example>",
            " Ann <a@x.example> ",
            "\"Lee, <Ann> b@y.example\" <a@x.example>",
            "Dr. Ann \"Bee\" Lee <a@x.example>",
            "=?utf-8?q?b=40y.example?= <a@x.example>",
            "(b@y.example, \\) <) a@x.example (nested (comment))",
            "Ann (Lee) <a@x.example> (home)",
            "Jürgen <a@x.example>,",
        ] {
            assert_eq!(authors(value), Some(vec!["a@x.example".to_owned()]), "{value}");
        }
        assert_eq!(authors("\"a b\"@x.example"), Some(vec!["\"a b\"@x.example".to_owned()]));
        assert_eq!(authors("<\"a>b\"@x.example>"), Some(vec!["\"a>b\"@x.example".to_owned()]));
        let both = Some(vec!["b@y.example".to_owned(), "a@x.example".to_owned()]);
        for value in ["b@y.example, Ann <a@x.example>", "b@y.example <a@x.example>", "b@y.example(x) <a@x.example>"] {
            assert_eq!(authors(value), both, "{value}");
        }
    }

    #[test]
    fn what_programs_read_differently_is_refused() {
        for value in [
            "b@y.example a@x.example",
            "<b@y.example> <a@x.example>",
            "<b@y.example><a@x.example>",
            "<a@x.example> b@y.example",
            "<a@x.example> \"b@y.example\"",
            "\"x\" <b@y.example> \"y\" <a@x.example>",
            "b@ y.example <a@x.example>",
            "b@y.example\u{202e} <a@x.example>",
            "b@[127.0.0.1] <a@x.example>",
            "b@y.example:;<a@x.example>",
            "g: a@x.example;",
            "g: <a@x.example>",
            "a@x.example;b@y.example",
            "<@y.example:a@x.example>",
            "<a@x.example@y.example>",
            "<b@y.example (>) <a@x.example>",
            "b@y.example\\, <a@x.example>",
            "b@y.example <>, <a@x.example>",
            "\"b@y.example <a@x.example>",
            "(b@y.example <a@x.example>",
            "a@x.example) b",
            "=?utf-8?q?a=40x.example?=",
            "Ann",
        ] {
            assert_eq!(authors(value), None, "{value}");
        }
    }

    proptest! {
        /// Each address in angle brackets, and each that stands alone, is found or the whole is refused.
        #[test]
        fn no_address_hides(value in "(<b@y\\.example>|b@y\\.example|<a@x\\.example>|Ann|[\"(),:;<> @\\\\]){0,8}") {
            let visible = value.contains("<b@y.example>") && !value.contains(['"', '(', '\\']);
            if let (true, Some(found)) = (visible, authors(&value)) {
                prop_assert!(found.contains(&"b@y.example".to_owned()), "{:?}", found);
            }
        }
    }
}
