//! The parts of a message and their transfer encodings (RFC 2045, 6; RFC 2046, 5).
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::ids;
use crate::mail::message::Error;
use crate::mail::message::headers;

/// The longest line that goes out as it is (RFC 5322, 2.1.1), without its CRLF.
pub(super) const LINE_LIMIT: usize = 998;

/// A transfer encoding (RFC 2045, 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// ASCII lines of at most 998 octets, as they are.
    SevenBit,
    /// Text that is mostly ASCII.
    QuotedPrintable,
    /// Anything.
    Base64,
}

impl Encoding {
    fn as_str(self) -> &'static str {
        match self {
            Encoding::SevenBit => "7bit",
            Encoding::QuotedPrintable => "quoted-printable",
            Encoding::Base64 => "base64",
        }
    }

    /// The plainest encoding that carries this text (line ends are CRLF).
    pub fn for_text(text: &[u8]) -> Self {
        let high = text.iter().filter(|b| !b.is_ascii()).count();
        if is_seven_bit(text) {
            Encoding::SevenBit
        } else if high * 4 <= text.len() {
            Encoding::QuotedPrintable
        } else {
            Encoding::Base64
        }
    }
}

/// A part of a message: a leaf, or a multipart with its parts.
pub enum Part<'a> {
    /// Content with its header fields, complete but for Content-Transfer-Encoding.
    Leaf {
        /// Header lines, each with its CRLF.
        headers: Vec<u8>,
        /// The content before encoding.
        content: &'a [u8],
        /// How to encode it. 7bit gives way to base64 where the content does not allow it.
        encoding: Encoding,
    },
    /// `multipart/KIND`.
    Multipart {
        /// `mixed`, `related` or `alternative`.
        kind: &'static str,
        /// In order.
        parts: Vec<Part<'a>>,
    },
}

impl<'a> Part<'a> {
    /// `multipart/kind` of these parts; a single part stands alone.
    pub fn of(kind: &'static str, mut parts: Vec<Part<'a>>) -> Option<Part<'a>> {
        match parts.len() {
            0 | 1 => parts.pop(),
            _ => Some(Part::Multipart { kind, parts }),
        }
    }

    /// Writes the part: its headers, an empty line, its content.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self {
            Part::Leaf { headers, content, encoding } => {
                let encoding = match encoding {
                    Encoding::SevenBit if !is_seven_bit(content) => Encoding::Base64,
                    other => *other,
                };
                out.extend_from_slice(headers);
                out.extend_from_slice(format!("Content-Transfer-Encoding: {}\r\n\r\n", encoding.as_str()).as_bytes());
                match encoding {
                    Encoding::SevenBit => out.extend_from_slice(content),
                    Encoding::QuotedPrintable => quoted_printable(out, content),
                    Encoding::Base64 => base64_lines(out, content),
                }
            }
            Part::Multipart { kind, parts } => {
                // `=_` stands in no base64 and no quoted-printable text (RFC 2045, 6.7).
                let boundary = format!("=_{}", ids::token(30));
                let value = format!("multipart/{kind}");
                headers::with_parameters(out, "Content-Type", &value, &[("boundary", &boundary)])?;
                out.extend_from_slice(b"\r\n");
                for part in parts {
                    out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                    part.write(out)?;
                    out.extend_from_slice(b"\r\n");
                }
                out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            }
        }
        Ok(())
    }
}

/// ASCII without NUL, lines end with CRLF and hold at most 998 octets.
fn is_seven_bit(content: &[u8]) -> bool {
    let mut length = 0;
    let mut last = 0;
    for &b in content {
        let line_end = b == b'\n' && last == b'\r';
        let fine = b.is_ascii() && b != 0 && (b != b'\n' || line_end) && (last != b'\r' || line_end);
        length = if line_end { 0 } else { length + usize::from(b != b'\r') };
        if !fine || length > LINE_LIMIT {
            return false;
        }
        last = b;
    }
    last != b'\r'
}

/// Base64 in lines of 72 characters (RFC 2045, 6.8).
pub(super) fn base64_lines(out: &mut Vec<u8>, content: &[u8]) {
    out.reserve(content.len() / 54 * 74 + 80);
    for chunk in content.chunks(54) {
        out.extend_from_slice(STANDARD.encode(chunk).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// RFC 2045, 6.7. CRLF is a line end; any other CR or LF is encoded.
pub(super) fn quoted_printable(out: &mut Vec<u8>, content: &[u8]) {
    let mut column = 0;
    let mut rest = content;
    while let Some((&b, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            column = 0;
            rest = after;
            continue;
        }
        let at_line_end = after.is_empty() || after.starts_with(b"\r\n");
        let plain = (b'!'..=b'~').contains(&b) && b != b'=' || (b == b' ' || b == b'\t') && !at_line_end;
        let width = if plain { 1 } else { 3 };
        if column + width > 75 {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if plain {
            out.push(b);
        } else {
            out.extend_from_slice(format!("={b:02X}").as_bytes());
        }
        column += width;
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plainest_encoding_is_chosen() {
        assert_eq!(Encoding::for_text(b"plain\r\ntext"), Encoding::SevenBit);
        assert_eq!(Encoding::for_text("a tiny ü in it".as_bytes()), Encoding::QuotedPrintable);
        assert_eq!(Encoding::for_text("漢字だけ".as_bytes()), Encoding::Base64);
        assert_eq!(Encoding::for_text("x".repeat(999).as_bytes()), Encoding::QuotedPrintable);
        assert!(!is_seven_bit(b"bare\nlf") && !is_seven_bit(b"bare\rcr") && !is_seven_bit(b"end\r"));
    }

    #[test]
    fn quoted_printable_protects_line_ends_and_soft_breaks_long_lines() {
        let mut out = Vec::new();
        quoted_printable(&mut out, b"a=b \r\ntab\t");
        assert_eq!(out, b"a=3Db=20\r\ntab=09");
        let mut out = Vec::new();
        quoted_printable(&mut out, &[b'x'; 200]);
        assert!(out.split(|b| *b == b'\n').all(|line| line.len() <= 77));
    }
}
