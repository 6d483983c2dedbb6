//! Mailboxes: an address with a display name, as callers write them and as address headers hold them.
use mail_parser::parsers::MessageStream;

use crate::base::EmailAddress;
use crate::base::address::AddressError;
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
    /// Reads exactly one mailbox: `a@b.example`, `<a@b.example>`, `Ann <a@b.example>`, `"Lee, Ann" <a@b.example>`; encoded
    /// words in the name are decoded. Stricter than mail programs are: a list or a broken form is refused.
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
        let Some(inner) = trimmed.strip_suffix('>') else {
            return Ok(Self { name: None, address: trimmed.parse().map_err(wrong)? });
        };
        let (before, address) = inner.rsplit_once('<').ok_or_else(|| wrong(AddressError::LocalPartCharacter))?;
        let address = address.parse().map_err(wrong)?;
        let name = display_name(before.trim()).ok_or_else(|| wrong(AddressError::LocalPartCharacter))?;
        Ok(Self { name: Some(name).filter(|name| !name.is_empty()), address })
    }

    /// All addresses of an address header's value, groups opened. An entry that is no address is an error.
    pub fn parse_list(value: &str) -> Result<Vec<EmailAddress>, Error> {
        let line = format!("{}\r\n", value.replace(['\r', '\n'], " "));
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

/// The name before `<`: quoted, or words without list or address marks. `None` when it is neither.
fn display_name(text: &str) -> Option<String> {
    if let Some(quoted) = text.strip_prefix('"') {
        let quoted = quoted.strip_suffix('"')?;
        let mut out = String::new();
        let mut chars = quoted.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => out.push(chars.next()?),
                '"' => return None,
                other => out.push(other),
            }
        }
        return Some(out);
    }
    if text.contains(['<', '>', ',', ';', '@', '"']) {
        return None;
    }
    Some(decode_words(text))
}

/// Decodes encoded words (RFC 2047); what cannot be decoded stays as it is. Control characters become spaces.
pub fn decode_words(text: &str) -> String {
    if !text.contains("=?") {
        return text.to_owned();
    }
    let line = format!("{text}\r\n");
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
        assert_eq!(parse("Jürgen <a@b.example>"), (Some("Jürgen".to_owned()), address));
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
    }
}
