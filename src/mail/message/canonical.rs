//! The two canonical forms of DKIM (RFC 6376, 3.4): what of a header field and of a body is signed.
use sha2::{Digest, Sha256};

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

/// The SHA-256 hash of the canonical form of a body with CRLF line ends. A last line without an end gets one, as it does on
/// the wire.
pub fn body_hash(body: &[u8], form: Form) -> [u8; 32] {
    body_hash_of(body, form, None).0
}

/// The same of its first `length` octets alone (RFC 6376, 3.5: `l=`), and how many octets the whole canonical form has.
pub fn body_hash_of(body: &[u8], form: Form, length: Option<u64>) -> ([u8; 32], u64) {
    let mut hash = Sha256::new();
    let (mut left, mut whole) =
        (length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(usize::MAX)), 0_u64);
    let mut add = |bytes: &[u8]| {
        let taken = bytes.get(..left).unwrap_or(bytes);
        hash.update(taken);
        left -= taken.len();
        whole += bytes.len() as u64;
    };
    // Empty lines count only when something comes after them.
    let mut empty = 0_usize;
    let mut any = false;
    let mut line = Vec::new();
    for bytes in body.split(|b| *b == b'\n') {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let bytes = match form {
            Form::Simple => bytes,
            Form::Relaxed => {
                reduce(bytes, &mut line);
                line.as_slice()
            }
        };
        if bytes.is_empty() {
            empty += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty) {
            add(b"\r\n");
        }
        add(bytes);
        add(b"\r\n");
        any = true;
    }
    if !any && form == Form::Simple {
        add(b"\r\n");
    }
    (hash.finalize().into(), whole)
}

/// The line with one space for each run of white space, and none at its end.
fn reduce(line: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for byte in line {
        match byte {
            b' ' | b'\t' if out.last() == Some(&b' ') => {}
            b' ' | b'\t' => out.push(b' '),
            byte => out.push(*byte),
        }
    }
    if out.last() == Some(&b' ') {
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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

    /// RFC 6376, 3.4.3 and 3.4.4: the empty body is a line end to one form, and nothing to the other.
    #[test]
    fn bodies_end_in_one_line_end_or_none() {
        for body in ["", "\r\n", "\r\n\r\n"] {
            assert_eq!(body_hash(body.as_bytes(), Form::Simple), <[u8; 32]>::from(Sha256::digest(b"\r\n")));
            assert_eq!(body_hash(body.as_bytes(), Form::Relaxed), <[u8; 32]>::from(Sha256::digest(b"")));
        }
        for body in ["a", "a\r\n", "a\r\n\r\n\r\n"] {
            assert_eq!(body_hash(body.as_bytes(), Form::Simple), <[u8; 32]>::from(Sha256::digest(b"a\r\n")));
        }
        assert_eq!(body_hash(b" \r\n\t\r\n", Form::Relaxed), <[u8; 32]>::from(Sha256::digest(b"")));
        assert_eq!(body_hash(b" \r\n", Form::Simple), <[u8; 32]>::from(Sha256::digest(b" \r\n")));
    }

    #[test]
    fn the_first_octets_of_a_canonical_body_have_a_hash_of_their_own() {
        for (length, signed) in [(0, ""), (3, "a b"), (5, "a b\r\n"), (8, "a b\r\n\r\nc"), (99, "a b\r\n\r\nc\r\n")] {
            let found = body_hash_of(b"a  b \r\n\r\nc\r\n\r\n", Form::Relaxed, Some(length));
            assert_eq!(found, (<[u8; 32]>::from(Sha256::digest(signed)), 10), "{length}");
        }
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
