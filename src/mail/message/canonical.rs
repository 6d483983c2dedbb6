//! The two canonical forms of DKIM (RFC 6376, 3.4): what of a header field is signed. Of bodies see `body_hash.rs`.
use crate::mail::message::fields::Field;

/// How much a message may change on its way and still be the same to a signature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// White space may change, and names' letters their case.
    #[default]
    Relaxed,
    /// Nothing may.
    Simple,
}

impl Form {
    /// Reads the word in `c=`.
    pub fn read(text: &str) -> Option<Self> {
        [Self::Relaxed, Self::Simple].into_iter().find(|form| form.as_str() == text)
    }

    /// The word in `c=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relaxed => "relaxed",
            Self::Simple => "simple",
        }
    }
}

/// Adds a field's canonical form, without a line end. Lines that are no field stay as they are; no signature names them.
pub fn add_field(field: &Field<'_>, out: &mut Vec<u8>, form: Form) {
    let Some(name) = field.name().filter(|_| form == Form::Relaxed) else { return out.extend_from_slice(field.raw()) };
    out.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
    out.push(b':');
    let start = out.len();
    for byte in field.raw_value().iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
        let space = matches!(byte, b' ' | b'\t');
        // One space for many, and none at the start.
        if !space || (out.len() > start && out.last() != Some(&b' ')) {
            out.push(if space { b' ' } else { byte });
        }
    }
    if out.len() > start && out.last() == Some(&b' ') {
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::mail::message::body_hash::body_hash;
    use crate::mail::message::fields::split;

    fn canonical(field: &str, form: Form) -> String {
        let mut out = Vec::new();
        add_field(&Field::of(field.as_bytes()), &mut out, form);
        String::from_utf8(out).expect("text")
    }

    /// The example of RFC 6376, 3.4.5.
    #[test]
    fn the_examples_of_the_rfc_come_out_as_printed() {
        let (fields, body) = split(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n");
        let relaxed: Vec<String> =
            fields.iter().map(|f| canonical(std::str::from_utf8(f.raw()).expect("text"), Form::Relaxed)).collect();
        assert_eq!(relaxed, ["a:X", "b:Y Z"]);
        assert_eq!(canonical("B : Y\t\r\n\tZ  ", Form::Simple), "B : Y\t\r\n\tZ  ");
        assert_eq!(body_hash(body, Form::Relaxed), <[u8; 32]>::from(Sha256::digest(b" C\r\nD E\r\n")));
        assert_eq!(body_hash(body, Form::Simple), <[u8; 32]>::from(Sha256::digest(b" C \r\nD \t E\r\n")));
    }

    #[test]
    fn a_header_section_ends_at_the_first_empty_line() {
        let (fields, body) = split(b"FROM: a@b.c\r\nSubject : x\r\n y\r\nX-Cc: y\r\n\r\nTo: not a field\r\n");
        assert_eq!(fields.len(), 3);
        assert!(fields[0].is("From") && fields[1].is("subject") && !fields[2].is("Cc"));
        assert_eq!(body, b"To: not a field\r\n");
        assert_eq!(split(b"A: b"), (vec![Field::of(b"A: b")], b"".as_slice()));
        assert_eq!(split(b""), (vec![], b"".as_slice()));
    }
}
