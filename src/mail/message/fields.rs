//! The one reader of header sections. All that looks at header fields looks through it, since what one reader takes for a field
//! and another does not is how a mail deceives: one of them checks it, and another one shows it.
//!
//! A header section is a run of lines, up to the first empty one (RFC 5322, 2.1). It is cut into pieces without a rest: a piece
//! begins with a line that begins with neither a space nor a tab, and goes on over the lines that do (folds, 2.2.3). A piece is a
//! field if it has a name. What is odd has one rule each:
//!
//! | what | rule | source |
//! | --- | --- | --- |
//! | lone LF | ends a line, as CRLF does | programs on Unix write it; every reader takes it |
//! | lone CR | ends no line; it is an octet of the value, and shown as a space | RFC 5322, 2.3; [`line_ends`] |
//! | lines of white space alone | folds; they do not end the header | RFC 5322, 4.2 |
//! | first line is a fold | a piece without a name | RFC 5322, 2.2: fields begin with their name |
//! | no colon | a piece without a name, its folds with it; what follows is read on | RFC 5322, 3.6.8 |
//! | empty name, or one with anything but printable ASCII (spaces within, 8-bit, NUL) | likewise | RFC 5322, 3.6.8 (`ftext`) |
//! | spaces and tabs before the colon | are not of the name | RFC 5322, 4.5.8; RFC 6376, 3.4.2 |
//! | a line end before the colon | no name | RFC 5322, 4.5.8: no folds there |
//! | NUL and other controls | octets of the value | RFC 5322, 4.1 (`obs-NO-WS-CTL`, `obs-body`) |
//! | 8-bit octets | UTF-8; what is none is shown as U+FFFD | RFC 6532, 3.2 |
//! | no empty line | all of the message is header, and the body is empty | RFC 5322, 3.5: the body is optional |
//! | last line without an end | a line | |
//!
//! Reading takes time by the size alone, and makes no copy. It has no limit of its own, because who must see each field may not
//! stop early: who keeps what was read takes no more than [`SECTION_MAX`] octets or [`FIELDS_MAX`] fields.
//! What goes out is held to more: `rewrite.rs` refuses controls and pieces without a name.
//!
//! [`line_ends`]: crate::mail::message::line_ends
use std::borrow::Cow;
use std::ops::Range;

/// Octets of a header section that are looked at where what is found is kept.
pub const SECTION_MAX: usize = 256 * 1024;
/// Fields of a message that is sent.
pub const FIELDS_MAX: usize = 1_000;

/// A piece of a header section: a field, or lines that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// From its first octet to before its last line end, with its folds.
    raw: &'a [u8],
    /// The name as it is written, without white space behind it. Empty: it is no field.
    name: &'a str,
    /// Where the value begins in `raw`: behind the colon.
    value: usize,
    /// Where it begins in the message.
    start: usize,
    /// Where the next piece begins: its own last line end is before that.
    end: usize,
}

impl<'a> Field<'a> {
    /// A field that stands by itself, with its last line end or without.
    pub fn of(octets: &'a [u8]) -> Self {
        Self::at(octets, 0)
    }

    fn at(octets: &'a [u8], start: usize) -> Self {
        let raw = without_end(octets);
        let (name, value) = name(raw).unwrap_or(("", raw.len()));
        Self { raw, name, value, start, end: start + octets.len() }
    }

    /// The name as it is written; `None` where the piece is no field.
    pub fn name(&self) -> Option<&'a str> {
        Some(self.name).filter(|name| !name.is_empty())
    }

    /// Whether it is a field of this name, in any case of the letters.
    pub fn is(&self, name: &str) -> bool {
        !self.name.is_empty() && self.name.eq_ignore_ascii_case(name)
    }

    /// Its octets, folds included, without the last line end: what DKIM makes its canonical form of (RFC 6376, 3.4).
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The octets behind the colon, folds included; none where the piece is no field.
    pub fn raw_value(&self) -> &'a [u8] {
        self.raw.get(self.value..).unwrap_or_default()
    }

    /// Where it stands in the message, its last line end included.
    pub fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// The value on one line: a fold is one space, whatever white space it has, since runs of it mean no more than one (RFC 5322,
    /// 3.2.2), and SES shows it so. No white space stands around it. Encoded words stay as they are.
    pub fn value(&self) -> String {
        let text = String::from_utf8_lossy(self.raw_value());
        let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let mut value = lines.next().unwrap_or_default().to_owned();
        for more in lines.map(|line| line.trim_start_matches([' ', '\t'])).filter(|line| !line.is_empty()) {
            value.push(' ');
            value.push_str(more);
        }
        value.replace('\r', " ").trim_matches([' ', '\t']).to_owned()
    }
}

/// The name, and where the value begins.
fn name(raw: &[u8]) -> Option<(&str, usize)> {
    let colon = memchr::memchr(b':', raw)?;
    let name = std::str::from_utf8(raw.get(..colon)?).ok()?.trim_end_matches([' ', '\t']);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some((name, colon + 1))
}

/// A line without its end, be it CRLF or LF.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let Some(line) = line.strip_suffix(b"\n") else { return line };
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The pieces of a message's header section, in order.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// Those of `message`, from its first octet on.
    pub fn of(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// What stands behind the header section and the empty line that ends it, whatever was read of it so far.
    pub fn body(mut self) -> &'a [u8] {
        while self.next().is_some() {}
        let rest = self.rest();
        rest.get(line_length(rest)..).unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.message.get(self.at..).unwrap_or_default()
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.rest();
        if rest.is_empty() || is_empty_line(rest) {
            return None;
        }
        let mut length = line_length(rest);
        while matches!(rest.get(length), Some(b' ' | b'\t')) {
            length += line_length(rest.get(length..).unwrap_or_default());
        }
        let field = Field::at(rest.get(..length).unwrap_or_default(), self.at);
        self.at += length;
        Some(field)
    }
}

fn is_empty_line(rest: &[u8]) -> bool {
    rest.starts_with(b"\n") || rest.starts_with(b"\r\n")
}

/// Octets of the first line, its end included.
fn line_length(rest: &[u8]) -> usize {
    memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1)
}

/// The lines of a text, each with its end.
pub fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (line, behind) = rest.split_at(line_length(rest));
        rest = behind;
        Some(line).filter(|line| !line.is_empty())
    })
}

/// The header section: all of it, however long it is, without the empty line that ends it. It may be the whole message.
pub fn section(message: &[u8]) -> &[u8] {
    let mut fields = Fields::of(message);
    while fields.next().is_some() {}
    message.get(..fields.at).unwrap_or(message)
}

/// The pieces of the header section, and the body.
pub fn split(message: &[u8]) -> (Vec<Field<'_>>, &[u8]) {
    let mut fields = Fields::of(message);
    let pieces = fields.by_ref().collect();
    (pieces, fields.body())
}

/// The message without the pieces of its header that are no fields, and with an end to the last line of it: for a library that
/// reads header sections by rules of its own, and so finds the fields that are found here. Nearly every message is given back as it
/// is.
pub fn fields_only(message: &[u8]) -> Cow<'_, [u8]> {
    let (mut kept, mut copied, mut end) = (Vec::new(), 0, 0);
    for piece in Fields::of(message) {
        end = piece.end;
        if piece.name.is_empty() {
            kept.extend_from_slice(message.get(copied..piece.start).unwrap_or_default());
            copied = piece.end;
        }
    }
    let cut = end == message.len() && end > copied && !message.ends_with(b"\n");
    if copied == 0 && !cut {
        return Cow::Borrowed(message);
    }
    kept.extend_from_slice(message.get(copied..).unwrap_or_default());
    kept.extend_from_slice(if cut { b"\r\n" } else { b"" });
    Cow::Owned(kept)
}
