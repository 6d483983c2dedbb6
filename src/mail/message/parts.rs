//! The parts of a received message: what a person reads, and what is attached. Every size and count is bounded, whatever
//! the message holds.
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
///
/// mail-parser 0.11 counts below zero where a soft line break of quoted-printable stands right before a boundary: a debug
/// build panics, a release build keeps some octets too many. A message that it cannot take has no parts here.
pub fn read(raw: &[u8]) -> Parts {
    std::panic::catch_unwind(|| parse(raw)).unwrap_or_else(|_| {
        tracing::error!(size = raw.len(), "the parts of a message cannot be read");
        Parts::default()
    })
}

fn parse(raw: &[u8]) -> Parts {
    let Some(message) = MessageParser::default().parse(raw) else { return Parts::default() };
    let text = joined(&message, &message.text_body, |body| match body {
        PartType::Text(text) => Some(text),
        _ => None,
    });
    let html = joined(&message, &message.html_body, |body| match body {
        PartType::Html(text) => Some(text),
        _ => None,
    });
    let attachments = message.attachments().take(MAX_ATTACHMENTS).map(attached).collect();
    Parts { text, html, attachments, attachments_truncated: message.attachments.len() > MAX_ATTACHMENTS }
}

type Reader = for<'a> fn(&'a PartType<'_>) -> Option<&'a str>;

fn joined(message: &Message<'_>, ids: &[u32], read: Reader) -> Option<Text> {
    let mut all: Option<Text> = None;
    for id in ids {
        let part = usize::try_from(*id).ok().and_then(|id| message.parts.get(id));
        let Some(text) = part.and_then(|part| read(&part.body)) else { continue };
        let whole = all.get_or_insert_default();
        let room = MAX_TEXT_BYTES.saturating_sub(whole.text.len());
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
        // An attached message is one attachment, whatever is in it: together they are never larger than the whole.
        data: part.contents().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAIL: &[u8] = b"From: a@x.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
        --m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
        --a\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
        Gr=FC=DFe\r\n--a\r\nContent-Type: text/html\r\n\r\n<b>hi</b>\r\n--a--\r\n\
        --m\r\nContent-Type: image/PNG; name=\"../../etc/x.png\"\r\nContent-Transfer-Encoding: base64\r\n\
        Content-ID: <one@x>\r\nContent-Disposition: inline\r\n\r\nAAEC\r\n\
        --m\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nbody\r\n--m--\r\n";

    #[test]
    fn texts_and_attachments_are_told_apart() {
        let parts = read(MAIL);
        assert_eq!(parts.text.map(|text| (text.text, text.truncated)), Some(("Grüße".to_owned(), false)));
        assert_eq!(parts.html.map(|text| text.text).as_deref(), Some("<b>hi</b>"));
        let [image, mail] = parts.attachments.as_slice() else { panic!("{:?}", parts.attachments) };
        assert_eq!((image.name.as_deref(), image.content_type.as_str()), (Some("x.png"), "image/png"));
        assert_eq!((image.content_id.as_deref(), image.inline), (Some("one@x"), true));
        assert_eq!(image.data, [0, 1, 2]);
        assert_eq!(mail.content_type, "message/rfc822");
        assert!(mail.data.starts_with(b"Subject: inner"));
    }

    #[test]
    fn long_texts_and_many_attachments_are_cut() {
        let long = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{}", "ä".repeat(MAX_TEXT_BYTES));
        let text = read(long.as_bytes()).text.expect("a text");
        assert!(text.truncated && text.text.len() == MAX_TEXT_BYTES);
        let part = "--m\r\nContent-Type: application/x\r\n\r\nx\r\n";
        let many = format!("Content-Type: multipart/mixed; boundary=m\r\n\r\n{}--m--\r\n", part.repeat(10_000));
        let parts = read(many.as_bytes());
        assert!(parts.attachments_truncated && parts.attachments.len() == MAX_ATTACHMENTS);
    }

    #[test]
    fn what_the_parser_trips_over_is_no_trouble() {
        let raw = b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n--m\r\n\r\nsecond\r\n--m--\r\n";
        let _ = read(raw);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_trouble(
            pieces in prop::collection::vec(prop_oneof![
                3 => prop::sample::select(vec![
                    "Content-Type: multipart/mixed; boundary=m\r\n", "Content-Type: message/rfc822\r\n", "\r\n", "--m\r\n",
                    "--m--", "Content-Transfer-Encoding: base64\r\n", "Content-Type: text/html; charset=utf-7\r\n",
                    "Content-Transfer-Encoding: quoted-printable\r\n", "=?utf-8?b?", "=\r\n", "AAAA", "\0",
                ]).prop_map(|text| text.as_bytes().to_vec()),
                1 => prop::collection::vec(any::<u8>(), 0..20),
            ], 0..60)
        ) {
            let raw = pieces.concat();
            let parts = read(&raw);
            prop_assert!(parts.attachments.len() <= MAX_ATTACHMENTS);
            prop_assert!(parts.attachments.iter().all(|part| !part.content_type.contains(['\r', '\n'])));
        }
    }
}
