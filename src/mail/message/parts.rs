//! The parts of a received message: what a person reads, and what is attached. Every size and count is bounded, whatever
//! the message holds.
use std::borrow::Cow;

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders, PartType};

/// How much text, and how much HTML, is read.
const MAX_TEXT_BYTES: usize = 256 * 1024;
/// How many attachments are read.
const MAX_ATTACHMENTS: usize = 100;
/// How long a name or a type can be, in octets.
const MAX_NAME_BYTES: usize = 255;

/// A text, and whether it was cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text, decoded.
    pub text: String,
    /// Whether more of it is in the message.
    pub truncated: bool,
}

/// Something attached, or shown inline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its file name, if it has one: one line, and not a path to write to.
    pub name: Option<String>,
    /// Its type, such as `image/png`.
    pub content_type: String,
    /// What the HTML part calls it.
    pub content_id: Option<String>,
    /// Whether it is shown within the text.
    pub inline: bool,
    /// Its octets, decoded.
    pub data: Vec<u8>,
}

/// What is in a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// The text/plain parts of the body, if there are any.
    pub text: Option<Text>,
    /// The text/html parts of the body, if there are any.
    pub html: Option<Text>,
    /// What is attached, in order.
    pub attachments: Vec<Attached>,
    /// Whether there is more than that.
    pub attachments_truncated: bool,
}

/// Reads the parts of a message. What is broken is read as far as it goes; never fails.
pub fn read(raw: &[u8]) -> Parts {
    let Some(message) = MessageParser::default().parse(raw) else { return Parts::default() };
    let texts = |ids: &[u32], html: bool| {
        ids.iter().filter_map(|id| message.parts.get(usize::try_from(*id).ok()?)).filter_map(move |part| match &part.body {
            PartType::Text(text) if !html => Some(text),
            PartType::Html(text) if html => Some(text),
            _ => None,
        })
    };
    let text = joined(texts(&message.text_body, false));
    let html = joined(texts(&message.html_body, true));
    let attachments = message.attachments().take(MAX_ATTACHMENTS).map(attached).collect();
    Parts { text, html, attachments, attachments_truncated: message.attachments.len() > MAX_ATTACHMENTS }
}

fn joined<'a>(texts: impl Iterator<Item = &'a Cow<'a, str>>) -> Option<Text> {
    let mut all: Option<Text> = None;
    for text in texts {
        let whole = all.get_or_insert_default();
        let room = MAX_TEXT_BYTES - whole.text.len();
        let end = text.floor_char_boundary(room.min(text.len()));
        whole.text.push_str(text.get(..end).unwrap_or_default());
        whole.truncated |= end < text.len();
    }
    all
}

fn attached(part: &MessagePart<'_>) -> Attached {
    let line = |text: &str| {
        let end = text.floor_char_boundary(text.len().min(MAX_NAME_BYTES));
        text.get(..end).unwrap_or_default().chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>()
    };
    let content_type = part.content_type().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()).to_lowercase(),
        None => kind.ctype().to_lowercase(),
    });
    Attached {
        name: part.attachment_name().map(|name| line(name.rsplit(['/', '\\']).next().unwrap_or_default())),
        content_type: line(content_type.as_deref().unwrap_or("application/octet-stream")),
        content_id: part.content_id().map(line),
        inline: part.content_disposition().is_some_and(|kind| kind.is_inline()),
        data: contents(part),
    }
}

fn contents(part: &MessagePart<'_>) -> Vec<u8> {
    match &part.body {
        PartType::Message(Message { raw_message, .. }) => raw_message.to_vec(),
        _ => part.contents().to_vec(),
    }
}
