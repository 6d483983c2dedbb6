//! The leaves of a message: the parts that hold no other parts (RFC 2046, 5.1), found in one pass over its lines.
//!
//! Why not mail-parser's own walk: it looks for each inner boundary to the end of the message, so a mail of many parts
//! whose boundaries are nowhere takes time by the square of its size; each part of five octets costs it hundreds; and it
//! opens encoded messages in messages. Here levels and leaves are limited, and the time grows with the size alone.
use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, HeaderValue};

use crate::mail::message::parse;

/// Multiparts inside of each other; what is deeper is not looked into.
const LEVELS_MAX: usize = 50;
/// Leaves of a message; what comes after is not read.
const LEAVES_MAX: usize = 1_000;
/// Octets of one header field's value that are read.
const VALUE_MAX: usize = 8 * 1024;

/// What the header of a part says about it.
#[derive(Debug, Default)]
pub(super) struct PartHeader {
    /// `Content-Type`, if it has one that can be read.
    pub kind: Option<ContentType<'static>>,
    /// `Content-Disposition`.
    pub disposition: Option<ContentType<'static>>,
    /// `Content-Transfer-Encoding` in lower case; empty without one.
    pub encoding: String,
    /// `Content-ID` without its brackets.
    pub id: Option<String>,
}

/// The kind of multipart that a leaf stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// None: the leaf is the whole message.
    Message,
    /// `multipart/alternative`.
    Alternative,
    /// `multipart/related`.
    Related,
    /// `multipart/digest`: its parts are messages where they say nothing (RFC 2046, 5.1.5).
    Digest,
    /// Any other.
    Other,
}

/// One leaf.
#[derive(Debug)]
pub(super) struct Leaf<'a> {
    /// Its header.
    pub header: PartHeader,
    /// Its octets as they stand in the message.
    pub body: &'a [u8],
    /// What it stands in.
    pub within: Within,
    /// Whether it is the first part there.
    pub first: bool,
}

/// A multipart whose parts are being read.
struct Open<'a> {
    boundary: Vec<u8>,
    within: Within,
    parts: usize,
    /// What it is to those around it, should none of its boundaries ever come.
    whole: Option<Leaf<'a>>,
}

/// What the lines belong to now.
enum At<'a> {
    /// The header of a part that began here.
    Header(usize),
    /// A leaf, all but its end.
    Body(Box<Leaf<'a>>),
    /// Before the first part or after the last one.
    Between,
}

struct Walk<'a> {
    raw: &'a [u8],
    open: Vec<Open<'a>>,
    at: At<'a>,
    leaves: Vec<Leaf<'a>>,
    truncated: bool,
}

/// The leaves of a message in their order, and whether some were left out.
pub(super) fn leaves(raw: &[u8]) -> (Vec<Leaf<'_>>, bool) {
    let mut walk = Walk { raw, open: Vec::new(), at: At::Header(0), leaves: Vec::new(), truncated: false };
    let mut start = 0;
    while start < raw.len() {
        let rest = raw.get(start..).unwrap_or_default();
        let end = start + memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
        if walk.leaves.len() >= LEAVES_MAX {
            walk.truncated = true;
            return (walk.leaves, true);
        }
        walk.line(start, end);
        start = end;
    }
    walk.finish(raw.len());
    walk.close(0, raw.len());
    (walk.leaves, walk.truncated)
}

impl<'a> Walk<'a> {
    fn line(&mut self, start: usize, end: usize) {
        let line = self.raw.get(start..end).unwrap_or_default();
        if let Some((level, last)) = self.boundary(line) {
            // The line end before a boundary belongs to it (RFC 2046, 5.1.1).
            let before = self.raw.get(..start).unwrap_or_default();
            let before = before.strip_suffix(b"\n").unwrap_or(before);
            let before = before.strip_suffix(b"\r").unwrap_or(before).len();
            self.finish(before);
            self.close(level + 1, before);
            if let Some(open) = self.open.get_mut(level) {
                open.whole = None;
                open.parts += 1;
            }
            self.at = if last { At::Between } else { At::Header(end) };
            if last {
                self.open.truncate(level);
            }
        } else if let (At::Header(from), b"\r\n" | b"\n") = (&self.at, line) {
            let header = self.raw.get(*from..start).unwrap_or_default();
            self.body(header, end);
        }
    }

    /// The multipart whose boundary the line is, innermost first, and whether it is the last one.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let rest = line.strip_prefix(b"--")?.trim_ascii_end();
        self.open.iter().enumerate().rev().find_map(|(level, open)| match rest.strip_prefix(open.boundary.as_slice()) {
            Some(b"") => Some((level, false)),
            Some(b"--") => Some((level, true)),
            _ => None,
        })
    }

    /// A part's header ended; its body begins at `start`.
    fn body(&mut self, header: &[u8], start: usize) {
        let leaf = self.leaf(header, start);
        let multipart = leaf.header.kind.as_ref().filter(|kind| kind.ctype() == "multipart");
        let boundary = multipart.and_then(|kind| kind.attribute("boundary")).unwrap_or_default();
        let boundary = boundary.trim_end().as_bytes().to_vec();
        self.at = match multipart {
            None => At::Body(Box::new(leaf)),
            Some(_) if boundary.is_empty() => At::Body(Box::new(leaf)),
            Some(_) if self.open.len() >= LEVELS_MAX => {
                self.truncated = true;
                At::Between
            }
            Some(kind) => {
                let within = match kind.subtype() {
                    Some("alternative") => Within::Alternative,
                    Some("related") => Within::Related,
                    Some("digest") => Within::Digest,
                    _ => Within::Other,
                };
                self.open.push(Open { boundary, within, parts: 0, whole: Some(leaf) });
                At::Between
            }
        };
    }

    fn leaf(&self, header: &[u8], start: usize) -> Leaf<'a> {
        let (within, first) = self.open.last().map_or((Within::Message, true), |open| (open.within, open.parts <= 1));
        Leaf { header: PartHeader::read(header), body: self.raw.get(start..).unwrap_or_default(), within, first }
    }

    /// Ends the leaf that is being read, if there is one.
    fn finish(&mut self, end: usize) {
        let leaf = match std::mem::replace(&mut self.at, At::Between) {
            At::Header(from) if from < end => {
                // A header without an empty line after it has no body.
                self.leaf(self.raw.get(from..end).unwrap_or_default(), end)
            }
            At::Header(_) | At::Between => return,
            At::Body(leaf) => *leaf,
        };
        self.push(leaf, end);
    }

    /// Closes the multiparts from `level` on. One that never had a part is a leaf itself.
    fn close(&mut self, level: usize, end: usize) {
        let closed = self.open.split_off(level.min(self.open.len()));
        // Only the innermost can have had none: those around it have it.
        if let Some(leaf) = closed.into_iter().find_map(|open| open.whole) {
            self.push(leaf, end);
        }
    }

    fn push(&mut self, mut leaf: Leaf<'a>, end: usize) {
        let start = self.raw.len() - leaf.body.len();
        leaf.body = self.raw.get(start..end).unwrap_or_default();
        self.leaves.push(leaf);
    }
}

impl PartHeader {
    fn read(section: &[u8]) -> Self {
        let mut header = Self::default();
        for field in parse::header_fields(section) {
            let value = || cut(&field.value);
            match field.name.to_ascii_lowercase().as_str() {
                "content-type" if header.kind.is_none() => header.kind = parameters(value()),
                "content-disposition" if header.disposition.is_none() => header.disposition = parameters(value()),
                "content-transfer-encoding" if header.encoding.is_empty() => {
                    header.encoding = value().trim().to_ascii_lowercase();
                }
                "content-id" if header.id.is_none() => {
                    let id = value().trim().trim_start_matches('<').trim_end_matches('>').trim();
                    header.id = Some(id.to_owned()).filter(|id| !id.is_empty());
                }
                _ => {}
            }
        }
        header
    }
}

fn cut(value: &str) -> &str {
    value.get(..value.floor_char_boundary(VALUE_MAX.min(value.len()))).unwrap_or_default()
}

/// A field such as Content-Type. `None` for what cannot be read, and for a value of more than 8 KiB: its parameters could take
/// time by the square of their number.
pub(super) fn parameters(value: &str) -> Option<ContentType<'static>> {
    if value.len() > VALUE_MAX {
        return None;
    }
    let line = format!("{value}\n");
    match MessageStream::new(line.as_bytes()).parse_content_type().into_owned() {
        HeaderValue::ContentType(kind) => Some(kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(raw: &str) -> Vec<String> {
        leaves(raw.as_bytes()).0.iter().map(|leaf| String::from_utf8_lossy(leaf.body).into_owned()).collect()
    }

    const TWO: &str = "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\npreamble\r\n";

    #[test]
    fn parts_end_before_the_line_end_of_their_boundary() {
        assert_eq!(
            bodies(&format!("{TWO}--a b\r\n\r\none\r\n\r\n--a b  \r\nX: y\r\n\r\ntwo\r\n--a b--\r\nepilogue")),
            ["one\r\n", "two"]
        );
        assert_eq!(bodies("Subject: x\r\n\r\nall\r\n"), ["all\r\n"]);
        assert_eq!(bodies("Subject: x\r\n"), [""]);
        assert_eq!(bodies(""), Vec::<String>::new());
        assert_eq!(bodies(&format!("{TWO}--a b\r\n\r\ncut")), ["cut"]);
        assert_eq!(bodies(&format!("{TWO}--a b\r\nX: no body\r\n--a b\r\n\r\ntwo\r\n--a b--")), ["", "two"]);
    }

    #[test]
    fn what_only_begins_like_a_boundary_is_none() {
        assert_eq!(
            bodies(&format!("{TWO}--a b\r\n\r\n--a bc\r\nx--a b\r\n --a b\r\n--a b-\r\n--a b--\r\n")),
            ["--a bc\r\nx--a b\r\n --a b\r\n--a b-"]
        );
    }

    #[test]
    fn an_outer_boundary_ends_what_is_inside_and_a_multipart_without_parts_is_a_leaf() {
        let inner = "Content-Type: multipart/alternative; boundary=i\r\n\r\n";
        assert_eq!(
            bodies(&format!("{TWO}--a b\r\n{inner}--i\r\n\r\none\r\n--a b\r\n\r\ntwo\r\n--a b--")),
            ["one", "two"]
        );
        assert_eq!(
            bodies(&format!("{TWO}--a b\r\n{inner}--j\r\n\r\none\r\n--a b\r\n\r\ntwo\r\n--a b--")),
            ["--j\r\n\r\none", "two"]
        );
        assert_eq!(bodies(&format!("{inner}no part")), ["no part"]);
        assert_eq!(bodies("Content-Type: multipart/mixed\r\n\r\nno boundary"), ["no boundary"]);
        let (found, _) =
            leaves(b"Content-Type: multipart/related; boundary=r\r\n\r\n--r\r\n\r\n1\r\n--r\r\n\r\n2\r\n--r--");
        assert_eq!(
            found.iter().map(|leaf| (leaf.within, leaf.first)).collect::<Vec<_>>(),
            [(Within::Related, true), (Within::Related, false)]
        );
    }

    #[test]
    fn levels_and_leaves_have_an_end() {
        let level = |n: usize| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n");
        let deep = |levels: usize| (0..levels).map(level).collect::<String>() + "\r\nbottom";
        assert_eq!(bodies(&deep(LEVELS_MAX)), ["bottom"]);
        let deep = deep(1_000);
        let (found, truncated) = leaves(deep.as_bytes());
        assert!(found.is_empty() && truncated);
        let many = TWO.to_owned() + &"--a b\r\n\r\n".repeat(100_000);
        let (found, truncated) = leaves(many.as_bytes());
        assert!(found.len() == LEAVES_MAX && truncated);
    }
}
