//! The two canonical forms of DKIM (RFC 6376, 3.4): what of a header field is signed. Of bodies see `body_hash.rs`.
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

/// A header field: everything from its name to before its last line end, folds included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a>(pub &'a [u8]);

impl<'a> Field<'a> {
    /// Its name, without white space around it; `None` where it has none, or one that is not ASCII.
    pub fn name(&self) -> Option<&'a str> {
        let name = self.0.get(..self.0.iter().position(|b| *b == b':')?)?.trim_ascii();
        std::str::from_utf8(name).ok().filter(|name| name.is_ascii() && !name.is_empty())
    }

    /// Whether it has this name, in any case of the letters.
    pub fn is(&self, name: &str) -> bool {
        self.parts().is_some_and(|(own, _)| own.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes()))
    }

    fn parts(&self) -> Option<(&[u8], &[u8])> {
        let colon = self.0.iter().position(|b| *b == b':')?;
        Some((self.0.get(..colon)?, self.0.get(colon + 1..)?))
    }

    /// Adds the field's canonical form, without a line end.
    pub fn add_to(&self, out: &mut Vec<u8>, form: Form) {
        match (form, self.parts()) {
            (Form::Relaxed, Some((name, value))) => {
                out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
                out.push(b':');
                let start = out.len();
                for byte in value.iter().copied().filter(|b| !matches!(b, b'\r' | b'\n')) {
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
            _ => out.extend_from_slice(self.0),
        }
    }
}

/// Splits a message with CRLF line ends into its header fields and its body.
pub fn split(message: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let (mut fields, mut start, mut at) = (Vec::new(), 0, 0);
    let field = |from: usize, to: usize| {
        let bytes = message.get(from..to).unwrap_or_default();
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        Field(bytes.strip_suffix(b"\r").unwrap_or(bytes))
    };
    loop {
        let rest = message.get(at..).unwrap_or_default();
        let folded = at > start && matches!(rest.first(), Some(b' ' | b'\t'));
        if !folded {
            if at > start {
                fields.push(field(start, at));
            }
            start = at;
        }
        if rest.is_empty() {
            return (fields, rest);
        }
        let line = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |end| end + 1);
        if matches!(rest.get(..line), Some(b"\r\n" | b"\n")) {
            return (fields, rest.get(line..).unwrap_or_default());
        }
        at += line;
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::mail::message::body_hash::body_hash;

    fn canonical(field: &str, form: Form) -> String {
        let mut out = Vec::new();
        Field(field.as_bytes()).add_to(&mut out, form);
        String::from_utf8(out).expect("text")
    }

    /// The example of RFC 6376, 3.4.5.
    #[test]
    fn the_examples_of_the_rfc_come_out_as_printed() {
        let (fields, body) = split(b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n");
        let relaxed: Vec<String> =
            fields.iter().map(|f| canonical(std::str::from_utf8(f.0).expect("text"), Form::Relaxed)).collect();
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
        assert_eq!(split(b"A: b"), (vec![Field(b"A: b")], b"".as_slice()));
        assert_eq!(split(b""), (vec![], b"".as_slice()));
    }
}
