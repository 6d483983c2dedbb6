//! Mailboxes: an address with a display name, as callers write them and as address headers hold them.
use mail_parser::parsers::MessageStream;

use crate::base::EmailAddress;
use crate::base::address::AddressError;
use crate::mail::message::decoding::joined_words;
use crate::mail::message::{Error, headers};

/// SES: an address with its display name holds at most 320 characters.
const LIMIT: usize = 320;

/// A mail address with the name that people see beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name, decoded.
    pub name: Option<String>,
    /// The address.
    pub address: EmailAddress,
}

impl Mailbox {
    /// Reads exactly one mailbox: `a@b.example`, `<a@b.example>`, `Ann <a@b.example>`, `"Lee, Ann" <a@b.example>`,
    /// `Ann "Bee" Lee <a@b.example>`, `a@b.example (Ann)`; encoded words in the name are decoded. Stricter than mail programs
    /// are: a list or a broken form is refused.
    pub fn parse(text: &str) -> Result<Self, Error> {
        headers::check_value("address", text)?;
        let trimmed = text.trim();
        let long = trimmed.encode_utf16().count() > LIMIT;
        match Self::read(trimmed) {
            // SES tells of white space and of what is missing first.
            Ok(_) | Err(Error::Address { why: AddressError::LocalPartTooLong | AddressError::Domain, .. }) if long => {
                Err(Error::LongAddress(trimmed.chars().take(LIMIT * 4).collect()))
            }
            read => read,
        }
    }

    fn read(trimmed: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Address { text: trimmed.chars().take(LIMIT).collect(), why };
        if trimmed.len() > LIMIT * 4 {
            return Err(Error::LongAddress(trimmed.chars().take(LIMIT * 4).collect()));
        }
        let (trimmed, comment) = without_comment(trimmed);
        let Some(inner) = trimmed.strip_suffix('>') else {
            // The older form: the name stands in a comment behind the address (RFC 5322, 3.4).
            let name = comment.map(decode_words).filter(|name| !name.is_empty());
            return Ok(Self { name, address: trimmed.parse().map_err(wrong)? });
        };
        let (before, address) = inner.rsplit_once('<').ok_or_else(|| wrong(AddressError::LocalPartCharacter))?;
        let address = address.parse().map_err(wrong)?;
        let name = display_name(before.trim()).ok_or_else(|| wrong(AddressError::LocalPartCharacter))?;
        Ok(Self { name: Some(name).filter(|name| !name.is_empty()), address })
    }

    /// All addresses of an address header's value, groups opened. An entry that is no address is an error.
    pub fn parse_list(value: &str) -> Result<Vec<EmailAddress>, Error> {
        let line = format!("{}\r\n", joined_words(&value.replace(['\r', '\n'], " ")));
        let parsed = MessageStream::new(line.as_bytes()).parse_address();
        let Some(list) = parsed.into_address() else { return Ok(Vec::new()) };
        list.iter()
            .map(|entry| {
                let text = entry.address().unwrap_or_default();
                text.parse().map_err(|why| Error::Address { text: text.chars().take(LIMIT).collect(), why })
            })
            .collect()
    }
}

/// Cuts off a comment at the end, and gives what is in it.
fn without_comment(text: &str) -> (&str, Option<&str>) {
    let Some(inner) = text.strip_suffix(')') else { return (text, None) };
    let (mut quoted, mut escaped) = (false, false);
    let start = inner.char_indices().find(|(_, c)| {
        let opens = *c == '(' && !quoted && !escaped;
        quoted ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        opens
    });
    match start.map(|(at, _)| inner.split_at(at)) {
        // Nothing but one comment may stand there.
        Some((before, comment))
            if !comment.contains([')', '<', '>', '\\']) && !comment.get(1..).is_some_and(|c| c.contains('(')) =>
        {
            (before.trim_end(), comment.get(1..).map(str::trim))
        }
        _ => (text, None),
    }
}

/// The name before `<`: words and quoted strings in any order (RFC 5322, 3.2.5), without list or address marks outside of
/// quotes. `None` when it is not.
fn display_name(text: &str) -> Option<String> {
    let (mut name, mut plain) = (String::new(), String::new());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                add_plain(&mut name, &std::mem::take(&mut plain));
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => name.push(chars.next()?),
                        other => name.push(other),
                    }
                }
            }
            '<' | '>' | ',' | ';' | '@' => return None,
            other => plain.push(other),
        }
    }
    add_plain(&mut name, plain.trim_end());
    Some(name)
}

/// Adds words outside of quotes, decoded, with the space that parts them from what stands before and behind.
fn add_plain(name: &mut String, plain: &str) {
    let words = plain.trim();
    if !name.is_empty() && plain.starts_with([' ', '\t']) {
        name.push(' ');
    }
    name.push_str(&decode_words(words));
    if !words.is_empty() && plain.ends_with([' ', '\t']) {
        name.push(' ');
    }
}

/// Decodes encoded words (RFC 2047); what cannot be decoded stays as it is. Control characters become spaces.
pub fn decode_words(text: &str) -> String {
    if !text.contains("=?") {
        return text.to_owned();
    }
    let line = format!("{}\r\n", joined_words(text));
    let decoded = MessageStream::new(line.as_bytes()).parse_unstructured().into_text().map(String::from);
    decoded.map_or_else(|| text.to_owned(), |text| text.replace(char::is_control, " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (Option<String>, String) {
        let mailbox = Mailbox::parse(text).expect(text);
        (mailbox.name, mailbox.address.to_string())
    }

    #[test]
    fn mailboxes_are_read_with_and_without_names() {
        let address = "a@b.example".to_owned();
        assert_eq!(parse("a@b.example"), (None, address.clone()));
        assert_eq!(parse(" <a@b.example> "), (None, address.clone()));
        assert_eq!(parse("Ann Lee <a@b.example>"), (Some("Ann Lee".to_owned()), address.clone()));
        assert_eq!(parse("\"Lee, \\\"A\\\"\" <a@b.example>"), (Some("Lee, \"A\"".to_owned()), address.clone()));
        assert_eq!(parse("=?UTF-8?B?SsO8cmdlbg==?= <a@b.example>"), (Some("Jürgen".to_owned()), address.clone()));
        assert_eq!(parse("Jürgen <a@b.example>"), (Some("Jürgen".to_owned()), address.clone()));
        for (text, name) in [
            ("John \"Jack\" Doe <a@b.example>", "John Jack Doe"),
            ("\"Dr.\" Ann <a@b.example>", "Dr. Ann"),
            ("\"Lee, \"\"Ann\" <a@b.example>", "Lee, Ann"),
            ("=?utf-8?q?J=C3?= =?utf-8?q?=BCrgen?= \"X\" <a@b.example>", "Jürgen X"),
            ("a@b.example (Ann)", "Ann"),
            ("a@b.example (Ann Lee )", "Ann Lee"),
            ("Ann [Sales] <a@b.example>", "Ann [Sales]"),
            ("Ann (Sales) <a@b.example>", "Ann (Sales)"),
            ("Ann <a@b.example> (home)", "Ann"),
        ] {
            assert_eq!(parse(text), (Some(name.to_owned()), address.clone()), "{text}");
        }
    }

    #[test]
    fn lists_line_breaks_and_broken_forms_are_refused() {
        for bad in [
            "",
            "a@b.example, c@d.example",
            "a@b.example, C <c@d.example>",
            "Ann a@b.example",
            "Ann <a@b.example",
            "a@b.example\r\nBcc: c@d.example",
            "\"Ann <a@b.example>",
            "<<a@b.example>>",
            "\"Ann\" \"Lee <a@b.example>",
            "\"Ann\", Lee <a@b.example>",
            "a@b.example (Ann) (Lee)",
            "a@b.example (Ann",
            "(Ann)",
            "a@b.example (c@d.example) e@f.example",
        ] {
            assert!(Mailbox::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn address_headers_are_read_with_names_groups_and_folds() {
        let list =
            Mailbox::parse_list("Ann <a@b.example>,\r\n c@d.example, G: e@f.example, g@h.example;").expect("good");
        let list: Vec<&str> = list.iter().map(EmailAddress::as_str).collect();
        assert_eq!(list, ["a@b.example", "c@d.example", "e@f.example", "g@h.example"]);
        assert!(Mailbox::parse_list("Ann <not an address>").is_err());
        // Without a bound this takes minutes here.
        let began = std::time::Instant::now();
        let _ = Mailbox::parse_list(&"=?aa?q?x ".repeat(50_000));
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }
}
