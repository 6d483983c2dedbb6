//! Mail addresses and domains, checked once and kept in one form.
use std::fmt;
use std::str::FromStr;

use hickory_resolver::proto::rr::Name;
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

    /// The name in both forms that one domain has (RFC 5890): as it is, and with its labels in A-label form (`xn--…`) or in
    /// letters. Alike for an ASCII name without such labels.
    pub fn forms(&self) -> Vec<Domain> {
        let mut forms = vec![self.clone()];
        if !self.0.is_ascii() || self.0.contains("xn--") {
            let other =
                Name::from_utf8(&self.0).map(|name| if self.0.is_ascii() { name.to_utf8() } else { name.to_ascii() });
            forms.extend(other.ok().and_then(|other| other.parse().ok()).filter(|other| other != self));
        }
        forms
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
        let no_end_is_a_hyphen = |label: &str| !label.starts_with('-') && !label.ends_with('-');
        name(text, no_end_is_a_hyphen).map(Self).ok_or(AddressError::Domain)
    }
}

/// A domain name in lower case, whose labels are all `fine`.
fn name(text: &str, fine: impl Fn(&str) -> bool) -> Option<String> {
    // In lower case first: a letter's lower case may be longer, or hold a mark that is no letter.
    let text = text.strip_suffix('.').unwrap_or(text).to_lowercase();
    let label_ok = |label: &str| {
        (1..=63).contains(&label.len())
            && fine(label)
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    (!text.is_empty() && text.len() <= 253 && text.split('.').all(label_ok)).then_some(text)
}

/// An address literal in lower case: `[192.0.2.1]`, `[ipv6:2001:db8::1]`.
fn literal(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let good = match inner.strip_prefix("ipv6:") {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().is_ok(),
        None => inner.parse::<std::net::Ipv4Addr>().is_ok(),
    };
    good.then_some(text)
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

impl EmailAddress {
    /// Reads an address that another server names, as a reverse path or as a recipient here. Mailboxes exist that no standard
    /// allows: forwarders and senders of bulk mail put whole addresses into the local part, and a telephone company gave out
    /// `a..b.@`. Such a path is for answering only, so whatever an answer can be sent to is taken: up to `PATH_MAX` octets,
    /// dots anywhere, labels with a hyphen at an end, and an address literal for the domain (RFC 5321, 4.1.3).
    pub fn lenient(text: &str) -> Result<Self, AddressError> {
        let at = text.rfind('@').filter(|at| *at > 0).ok_or(AddressError::NoLocalPart)?;
        let local = &text[..at];
        if text.len() > PATH_MAX {
            return Err(AddressError::LocalPartTooLong);
        }
        if !is_quoted(local) && !local.chars().all(|c| c == '.' || is_atom(c)) {
            return Err(AddressError::LocalPartCharacter);
        }
        let domain = &text[at + 1..];
        let domain = if domain.starts_with('[') { literal(domain) } else { name(domain, |_| true) };
        Ok(Self { text: format!("{local}@{}", domain.ok_or(AddressError::Domain)?), at })
    }

    /// Whether it is as the standard wants it: what our own users name, and what they prove.
    pub fn is_strict(&self) -> bool {
        self.text.parse::<Self>().is_ok()
    }
}

/// The longest address that is taken from another server, in octets. RFC 5321, 4.5.3.1.3 has 254, and asks for no limit.
const PATH_MAX: usize = 500;

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
    is_quoted(local) || local.split('.').all(|part| !part.is_empty() && part.chars().all(is_atom))
}

fn is_quoted(local: &str) -> bool {
    let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return false };
    let mut escaped = false;
    let fine = quoted.chars().all(|c| {
        let ok = !c.is_control() && (escaped || c != '"');
        escaped = c == '\\' && !escaped;
        ok
    });
    fine && !escaped
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

macro_rules! as_text {
    ($name:ident, $field:tt, $read:expr) => {
        /// What was kept is read again.
        impl TryFrom<String> for $name {
            type Error = AddressError;
            fn try_from(text: String) -> Result<Self, AddressError> {
                $read(&text)
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
as_text!(Domain, 0, str::parse);
as_text!(EmailAddress, text, EmailAddress::lenient);

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
    fn what_can_be_answered_to_is_taken_from_other_servers() {
        let long = format!("user+caf_={}@gmail.example", "x".repeat(150));
        for good in [
            "a..b@docomo.example",
            ".a.@docomo.example",
            "a@-b.example",
            "a@b-.example",
            "a@[192.0.2.1]",
            "a@[ipv6:2001:db8::1]",
            "bounces+123-ab=c.example@em.example",
            long.as_str(),
        ] {
            let address = EmailAddress::lenient(good).expect(good);
            assert_eq!(address.as_str(), good);
            assert!(!address.is_strict() || good.starts_with("bounces"), "{good}");
            assert_eq!(EmailAddress::try_from(good.to_owned()).expect(good), address);
        }
        let longer = format!("{}@b.example", "x".repeat(500));
        for bad in [
            "",
            "a",
            "@b.c",
            "a@",
            "a b@c.d",
            "a,b@c.d",
            "a@b@c.d",
            "<a@b.c>",
            "a@[b]",
            "a@[1.2.3]",
            "a@[::1]",
            "a@b..c",
            &longer,
        ] {
            assert!(EmailAddress::lenient(bad).is_err(), "{bad:?}");
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
                prop_assert_eq!(EmailAddress::lenient(address.as_str()), Ok(address.clone()));
                prop_assert_eq!(address.domain().as_str().parse::<Domain>(), Ok(address.domain()));
                prop_assert!(!address.as_str().contains(char::is_control));
            }
        }
    }

    #[test]
    fn a_domain_has_two_forms_where_it_has_letters() {
        let forms = |text: &str| -> Vec<String> {
            text.parse::<Domain>().expect("a domain").forms().iter().map(ToString::to_string).collect()
        };
        assert_eq!(forms("Bücher.example"), ["bücher.example", "xn--bcher-kva.example"]);
        assert_eq!(forms("mail.xn--bcher-kva.example"), ["mail.xn--bcher-kva.example", "mail.bücher.example"]);
        assert_eq!(forms("example.com"), ["example.com"]);
    }

    #[test]
    fn a_domain_knows_the_domains_above_it() {
        let domain: Domain = "a.b.example.com".parse().expect("a good domain");
        let all: Vec<&str> = domain.and_parents().collect();
        assert_eq!(all, ["a.b.example.com", "b.example.com", "example.com"]);
    }
}
