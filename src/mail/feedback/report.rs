//! A message that came back as it is read, and the report that may stand in it. Every size is bounded, whatever the mail holds.
use std::borrow::Cow;

use crate::mail::bounce::unstructured;
use crate::mail::feedback::html::text_of;
use crate::mail::message::decoding::joined_words;
use crate::mail::message::parse::{self, HeaderField};
use crate::mail::message::parts::{self, Parts};

/// The longest text of another server that is kept, in characters.
const TEXT_MAX: usize = 1_000;

/// Octets of a body without parts that are read.
const BODY_MAX: usize = 64 * 1024;

/// What became of recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Who says so: `dns; mx.example`.
    pub reporting_mta: Option<String>,
    /// At least one.
    pub recipients: Vec<Fate>,
}

/// What became of a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The addresses that the report gives it: the one that was tried last, and the one that the sender named.
    pub addresses: Vec<String>,
    /// What happened.
    pub action: Action,
    /// The enhanced status code (RFC 3463).
    pub status: Option<String>,
    /// `smtp; 550 5.1.1 no such user`.
    pub diagnostic: Option<String>,
    /// The host that said so, where it is another than who reports: `dns; mx.there.example`.
    pub host: Option<String>,
    /// What the text for people says of it; of the whole report where it names no address.
    pub words: String,
    /// Whether these words stand with this very address.
    pub near: bool,
}

/// RFC 3464, 2.3.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It does not arrive.
    Failed,
    /// It will be tried again.
    Delayed,
    /// It arrived, or goes on where nobody reports: `delivered`, `relayed`, `expanded`.
    Fine,
}

/// A message with what is looked at again and again.
pub struct Read<'a> {
    /// All of it.
    pub raw: &'a [u8],
    /// The header's fields.
    pub fields: Vec<HeaderField>,
    /// The parts.
    pub parts: Parts,
    /// Whether it came with the null reverse path, as what servers write does (RFC 5321, 4.5.5).
    pub null: bool,
}

impl<'a> Read<'a> {
    /// Reads the header and the parts.
    pub fn new(raw: &'a [u8], null: bool) -> Self {
        Self { raw, fields: parse::header_fields(raw), parts: parts::read(raw), null }
    }

    /// All that may hold a mark: the message as it came, and its parts decoded.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let texts = [&self.parts.text, &self.parts.html].into_iter().flatten().map(|text| text.text.as_bytes());
        let parts = self.parts.attachments.iter().map(|part| part.data.as_slice());
        std::iter::once(self.raw).chain(parts).chain(texts)
    }

    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
    }

    /// The data of the first attached part of one of these types.
    pub fn part(&self, types: &[&str]) -> Option<&[u8]> {
        let fits = |part: &&parts::Attached| types.contains(&part.content_type.as_str());
        self.parts.attachments.iter().find(fits).map(|part| part.data.as_slice())
    }

    /// The subject, decoded (RFC 2047); empty without one.
    pub fn subject(&self) -> String {
        let subject = self.field("Subject").map(|subject| unstructured(&joined_words(subject)));
        subject.unwrap_or_default().trim().to_owned()
    }

    /// The text for people; of a message without parts all of it.
    pub fn text(&self) -> Cow<'_, str> {
        match (&self.parts.text, &self.parts.html) {
            (Some(text), html) if html.is_none() || !text.text.trim().is_empty() => Cow::Borrowed(text.text.as_str()),
            (_, Some(html)) => Cow::Owned(text_of(&html.text)),
            _ => Cow::Owned(self.body()),
        }
    }

    /// What stands below the header, where it should have parts and they cannot be found.
    fn body(&self) -> String {
        if !self.parts.attachments.iter().all(|part| part.content_type.starts_with("multipart/")) {
            return String::new();
        }
        let body = self.raw.get(parse::header_section(self.raw).len()..).unwrap_or_default();
        String::from_utf8_lossy(body.get(..BODY_MAX).unwrap_or(body)).into_owned()
    }
}

/// One line of at most 1,000 characters.
pub fn line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    words.join(" ").chars().take(TEXT_MAX).collect()
}
