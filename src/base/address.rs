//! Mail addresses and domains, checked once and kept in one form.
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not a mail address or a domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing before it.
    #[error("missing local part or '@'")]
    NoLocalPart,
    /// More than 64 octets before the `@` (RFC 5321, 4.5.3.1.1).
    #[error("local part is longer than 64 octets")]
    LocalPartTooLong,
    /// A character that may not stand there: white space, control characters, an unquoted special.
    #[error("character not allowed in the local part")]
    LocalPartCharacter,
    /// The part after the `@` is not a domain (RFC 5321, 4.1.2 and 4.5.3.1.2).
    #[error("domain is not valid")]
    Domain,
}

/// A domain name in lower case, 1 to 253 octets, of labels of 1 to 63. Non-ASCII labels are kept as UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Domain(String);

impl Domain {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This domain and each domain above it that still has a dot, nearest first: an identity covers its subdomains.
    pub fn and_parents(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(self.0.as_str());
        std::iter::from_fn(move || {
            let here = rest?;
            rest = here.split_once('.').map(|(_, up)| up).filter(|up| up.contains('.'));
            Some(here)
        })
    }
}

impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        // In lower case first: a letter's lower case may be longer, or hold a mark that is no letter.
        let text = text.strip_suffix('.').unwrap_or(text).to_lowercase();
        let label_ok = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
        };
        if text.is_empty() || text.len() > 253 || !text.split('.').all(label_ok) {
            return Err(AddressError::Domain);
        }
        Ok(Self(text))
    }
}

/// A mailbox's address, `local@domain`, without display name or angle brackets. The domain is in lower case; the local
/// part keeps its case (RFC 5321, 2.4), and [`EmailAddress::folded`] is the form to compare by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress {
    text: String,
    at: usize,
}

impl EmailAddress {
    /// The whole address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the last `@`.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// What stands after the last `@`, in lower case.
    pub fn domain(&self) -> Domain {
        Domain(self.text[self.at + 1..].to_owned())
    }

    /// The address in lower case: identities, suppression and rules compare without regard to case, as SES does. Of the
    /// local part only ASCII letters fold: other letters have lower cases in ASCII (U+212A, the kelvin sign, becomes
    /// `k`), and a mailbox must not pass for another.
    pub fn folded(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

impl FromStr for EmailAddress {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let at = text.rfind('@').filter(|at| *at > 0).ok_or(AddressError::NoLocalPart)?;
        let local = &text[..at];
        if local.len() > 64 {
            return Err(AddressError::LocalPartTooLong);
        }
        if !local_part_ok(local) {
            return Err(AddressError::LocalPartCharacter);
        }
        let domain: Domain = text[at + 1..].parse()?;
        Ok(Self { text: format!("{local}@{domain}"), at })
    }
}

/// A dot-string of atom characters, or a quoted string of printable ones (RFC 5321, 4.1.2; RFC 6531 for non-ASCII).
fn local_part_ok(local: &str) -> bool {
    if let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        let mut escaped = false;
        let fine = quoted.chars().all(|c| {
            let ok = !c.is_control() && (escaped || c != '"');
            escaped = c == '\\' && !escaped;
            ok
        });
        return fine && !escaped && local.len() >= 2;
    }
    let atom = |c: char| {
        c.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(c)
            || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
    };
    local.split('.').all(|part| !part.is_empty() && part.chars().all(atom))
}

macro_rules! as_text {
    ($name:ident, $field:tt) => {
        impl TryFrom<String> for $name {
            type Error = AddressError;
            fn try_from(text: String) -> Result<Self, AddressError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.$field
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.$field)
            }
        }
    };
}
as_text!(Domain, 0);
as_text!(EmailAddress, text);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_addresses_are_kept_with_a_lower_case_domain() {
        for (text, kept) in [
            ("Ann@Example.COM", "Ann@example.com"),
            ("a.b+c@x-y.example", "a.b+c@x-y.example"),
            ("\"odd @ one\"@example.com", "\"odd @ one\"@example.com"),
            ("jürgen@bücher.example", "jürgen@bücher.example"),
            ("a@localhost", "a@localhost"),
        ] {
            assert_eq!(text.parse::<EmailAddress>().expect(text).as_str(), kept);
        }
    }

    #[test]
    fn bad_addresses_are_refused() {
        let long = format!("{}@example.com", "a".repeat(65));
        for text in [
            "",
            "@",
            "a@",
            "@b.c",
            "a",
            "a b@c.d",
            "a@b c",
            "a\r\nb@c.d",
            "a@b\r\nRCPT TO:<x@y>",
            "a..b@c.d",
            ".a@c.d",
            "a@b..c",
            "a@-b.c",
            "<a@b.c>",
            "a,b@c.d",
            "a@b@c.d",
            "\"a@b.c",
            "\"a\\\"@b.c",
            long.as_str(),
        ] {
            assert!(text.parse::<EmailAddress>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn addresses_compare_without_case_but_no_letter_becomes_another() {
        let folded = |text: &str| text.parse::<EmailAddress>().expect(text).folded();
        assert_eq!(folded("KIM@Example.com"), "kim@example.com");
        assert_eq!(folded("\u{212a}im@example.com"), "\u{212a}im@example.com");
    }

    proptest! {
        /// What is written to the store is read back as the same.
        #[test]
        fn an_address_that_was_read_is_read_again(text in "(\\PC|[a.\"\\\\-]){0,6}@(\\PC|[aIİ.-]){0,6}\\.?") {
            if let Ok(address) = text.parse::<EmailAddress>() {
                prop_assert_eq!(address.as_str().parse::<EmailAddress>(), Ok(address.clone()));
                prop_assert_eq!(address.domain().as_str().parse::<Domain>(), Ok(address.domain()));
                prop_assert!(!address.as_str().contains(char::is_control));
            }
        }
    }

    #[test]
    fn a_domain_knows_the_domains_above_it() {
        let domain: Domain = "a.b.example.com".parse().expect("a good domain");
        let all: Vec<&str> = domain.and_parents().collect();
        assert_eq!(all, ["a.b.example.com", "b.example.com", "example.com"]);
    }
}
