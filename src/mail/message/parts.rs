//! The parts of a received message: what a person reads, and what is attached. Every size and count is bounded, whatever
//! the message holds.
use std::borrow::Cow;

use mail_parser::ContentType;

use crate::mail::message::decoding;
use crate::mail::message::leaves::{Leaf, Within, leaves};

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
    read_up_to(raw, MAX_TEXT_BYTES)
}

/// The same, with another limit for text and for HTML, in octets.
pub fn read_up_to(raw: &[u8], text_max: usize) -> Parts {
    let mut parts = Parts::default();
    let (leaves, truncated) = leaves(raw);
    parts.attachments_truncated = truncated;
    for leaf in &leaves {
        let kind = kind(leaf);
        if is_shown(leaf, &kind) {
            let whole = if kind == "text/html" { &mut parts.html } else { &mut parts.text };
            add_text(whole.get_or_insert_default(), leaf, text_max);
        } else if parts.attachments.len() < MAX_ATTACHMENTS {
            parts.attachments.push(attached(leaf, kind));
        } else {
            parts.attachments_truncated = true;
        }
    }
    parts
}

/// The type, in lower case, and what it is where the part does not say (RFC 2045, 5.2; RFC 2046, 5.1.5).
fn kind(leaf: &Leaf<'_>) -> String {
    let named = leaf.header.kind.as_ref().map(|kind| match kind.subtype() {
        Some(subtype) => format!("{}/{subtype}", kind.ctype()).to_lowercase(),
        None => kind.ctype().to_lowercase(),
    });
    let otherwise = if leaf.within == Within::Digest { "message/rfc822" } else { "text/plain" };
    line(named.as_deref().unwrap_or(otherwise))
}

/// Whether a part is text of the body. Beside other parts, one that has a name is attached.
fn is_shown(leaf: &Leaf<'_>, kind: &str) -> bool {
    let text = matches!(kind, "text/plain" | "text/html");
    let attached = leaf.header.disposition.as_ref().is_some_and(ContentType::is_attachment);
    let named = leaf.header.kind.as_ref().is_some_and(|kind| kind.has_attribute("name"));
    let beside = !leaf.first && (leaf.within == Within::Related || named);
    text && (leaf.within == Within::Alternative || !attached && !beside)
}

fn add_text(whole: &mut Text, leaf: &Leaf<'_>, max: usize) {
    let room = max.saturating_sub(whole.text.len());
    if room == 0 {
        whole.truncated |= !leaf.body.is_empty();
        return;
    }
    // Each part begins on a line of its own.
    let between = !whole.text.is_empty() && !whole.text.ends_with('\n');
    // No encoding of a character takes more than this, and half a character at the end falls to the limit below.
    let end = leaf.body.len().min(max.saturating_mul(16));
    let body = leaf.body.get(..end).unwrap_or_default();
    let end = if end < leaf.body.len() { memchr::memrchr(b'\n', body).unwrap_or(end) } else { end };
    let bytes = decoded(leaf, body.get(..end).unwrap_or_default());
    let charset = leaf.header.kind.as_ref().and_then(|kind| kind.attribute("charset"));
    let text = decoding::text(&bytes, charset);
    let text = if between { Cow::Owned(format!("\r\n{text}")) } else { text };
    let cut = text.floor_char_boundary(room.min(text.len()));
    whole.text.push_str(text.get(..cut).unwrap_or_default());
    whole.truncated |= cut < text.len() || end < leaf.body.len();
}

/// The octets without their transfer encoding, as far as they have it. What is not encoded as it says stays as it is.
fn decoded<'a>(leaf: &Leaf<'_>, body: &'a [u8]) -> Cow<'a, [u8]> {
    let decoded = match leaf.header.encoding.as_str() {
        "base64" => decoding::base64(body),
        "quoted-printable" => Some(decoding::quoted_printable(body)),
        _ => None,
    };
    decoded.map_or(Cow::Borrowed(body), Cow::Owned)
}

/// One line of bounded length.
fn line(text: &str) -> String {
    let end = text.floor_char_boundary(text.len().min(MAX_NAME_BYTES));
    text.get(..end).unwrap_or_default().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn attached(leaf: &Leaf<'_>, kind: String) -> Attached {
    let header = &leaf.header;
    let of = |parameters: &Option<ContentType<'static>>, name: &str| {
        parameters.as_ref().and_then(|parameters| parameters.attribute(name)).map(str::to_owned)
    };
    let name = of(&header.disposition, "filename").or_else(|| of(&header.kind, "name"));
    Attached {
        name: name.map(|name| line(name.rsplit(['/', '\\']).next().unwrap_or_default())),
        // Without a type it would be text (RFC 2045, 5.2); attached, it can be anything.
        content_type: if header.kind.is_none() && kind == "text/plain" {
            "application/octet-stream".to_owned()
        } else {
            kind
        },
        content_id: header.id.as_deref().map(line),
        inline: header.disposition.as_ref().is_some_and(ContentType::is_inline),
        // An attached message is one attachment, whatever is in it: together they are never larger than the whole.
        data: decoded(leaf, leaf.body).into_owned(),
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

    /// mail-parser counted below zero at a soft line break before a boundary.
    #[test]
    fn a_soft_line_break_may_stand_before_a_boundary() {
        let raw = b"Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\n=\r\n--m\r\n\r\nsecond\r\n--m--\r\n";
        assert_eq!(read(raw).text.map(|text| text.text).as_deref(), Some("second"));
    }

    #[test]
    fn encodings_that_lie_leave_the_text_as_it_is() {
        let text = |encoding: &str, body: &str| {
            let raw = format!("Content-Transfer-Encoding: {encoding}\r\n\r\n{body}");
            read(raw.as_bytes()).text.map(|text| text.text).unwrap_or_default()
        };
        assert_eq!(text("Base64", "aGk="), "hi");
        assert_eq!(text("base64", "no! base64"), "no! base64");
        assert_eq!(text("quoted-printable", "a=3Db=\r\nc"), "a=bc");
        assert_eq!(text("quoted-printable", "a=GG"), "a=GG");
        assert_eq!(text("x-unknown", "a=3D"), "a=3D");
    }

    #[test]
    fn parts_of_a_text_begin_on_lines_of_their_own() {
        let part = |text: &str| format!("--m\r\n\r\n{text}\r\n");
        let image = "--m\r\nContent-Type: image/png\r\n\r\nx\r\n";
        let raw =
            format!("Content-Type: multipart/mixed; boundary=m\r\n\r\n{}{image}{}--m--", part("before"), part("after"));
        assert_eq!(read(raw.as_bytes()).text.map(|text| text.text).as_deref(), Some("before\r\nafter"));
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
