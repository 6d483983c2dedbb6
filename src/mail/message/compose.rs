//! Composing a message from its parts: mixed(related(alternative(text, HTML), inline parts), attachments), each level only
//! where it is needed (RFC 2046, 5.1; RFC 2387).
use crate::mail::message::line_ends::crlf;
use crate::mail::message::mailbox::Mailbox;
use crate::mail::message::mime::{Encoding, Part};
use crate::mail::message::{Error, headers};

/// SES: the subject's length (SESv2 model).
const SUBJECT_LIMIT: usize = 998;
/// SES: custom headers of one message, the length of a value, and of name and value together (SESv2 model, MessageHeader).
/// SES takes ASCII only; other characters are encoded here.
const HEADERS_LIMIT: usize = 15;
const VALUE_LIMIT: usize = 995;
const HEADER_LIMIT: usize = 996;
/// SES: a file name, a content id, a content type and a description.
const FILE_NAME_LIMIT: usize = 255;
const CONTENT_ID_LIMIT: usize = 78;
const TYPE_LIMIT: usize = 78;
const DESCRIPTION_LIMIT: usize = 1000;
/// Headers that the composer or the accept door writes.
const RESERVED: &[&str] = &[
    "bcc",
    "cc",
    "date",
    "from",
    "message-id",
    "mime-version",
    "reply-to",
    "return-path",
    "sender",
    "subject",
    "to",
    "dkim-signature",
    "received",
];

/// A message in its parts, before it is one.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The sender as people see it.
    pub from: Mailbox,
    /// The To header. Bcc recipients stand in the envelope only.
    pub to: Vec<Mailbox>,
    /// The Cc header.
    pub cc: Vec<Mailbox>,
    /// Where answers go.
    pub reply_to: Vec<Mailbox>,
    /// The subject, unencoded.
    pub subject: String,
    /// The body as plain text.
    pub text: Option<String>,
    /// The body as HTML.
    pub html: Option<String>,
    /// Attached and inline parts.
    pub attachments: Vec<Attachment>,
    /// The caller's own headers, at most 15.
    pub headers: Vec<(String, String)>,
}

/// How a part shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Beside the message.
    Attachment,
    /// Inside the HTML, by its content id.
    Inline,
}

/// A file that goes with the message.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// Its bytes.
    pub content: Vec<u8>,
    /// `type/subtype`; found from the file name where it is absent.
    pub content_type: Option<String>,
    /// Its name.
    pub file_name: String,
    /// Attached or inline.
    pub disposition: Disposition,
    /// The content id, without angle brackets: what `cid:` names.
    pub content_id: Option<String>,
    /// What it is, for people.
    pub description: Option<String>,
    /// How to encode it.
    pub encoding: Encoding,
}

/// Writes the message with CRLF line ends. Date and Message-ID are not there yet: the accept door stamps them.
pub fn compose(draft: &Draft) -> Result<Vec<u8>, Error> {
    let text = draft.text.as_deref().map(crlf);
    let html = draft.html.as_deref().map(crlf);
    let body = body(draft, text.as_deref(), html.as_deref())?;
    let attached: usize = draft.attachments.iter().map(|a| a.content.len()).sum();
    let bodies = text.as_deref().map_or(0, str::len) + html.as_deref().map_or(0, str::len);
    let mut out = Vec::with_capacity(attached / 2 * 3 + bodies * 2 + 2048);
    top_headers(&mut out, draft)?;
    body.write(&mut out)?;
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    Ok(out)
}

fn top_headers(out: &mut Vec<u8>, draft: &Draft) -> Result<(), Error> {
    write_mailboxes(out, "From", std::slice::from_ref(&draft.from))?;
    write_mailboxes(out, "Reply-To", &draft.reply_to)?;
    write_mailboxes(out, "To", &draft.to)?;
    write_mailboxes(out, "Cc", &draft.cc)?;
    limit("subject", draft.subject.chars().count(), SUBJECT_LIMIT)?;
    headers::unstructured(out, "Subject", &draft.subject)?;
    limit("list of headers", draft.headers.len(), HEADERS_LIMIT)?;
    for (name, value) in &draft.headers {
        let lower = name.to_ascii_lowercase();
        if RESERVED.contains(&lower.as_str()) || lower.starts_with("content-") {
            return Err(Error::ReservedHeader(name.clone()));
        }
        let length = value.chars().count();
        if length == 0 {
            return Err(Error::EmptyHeader(name.clone()));
        }
        limit("value of a header", length, VALUE_LIMIT)?;
        limit("header with its name", name.chars().count() + length, HEADER_LIMIT)?;
        headers::unstructured(out, name, value)?;
    }
    out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    Ok(())
}

fn write_mailboxes(out: &mut Vec<u8>, name: &str, list: &[Mailbox]) -> Result<(), Error> {
    if list.is_empty() {
        return Ok(());
    }
    headers::mailboxes(out, name, list.iter().map(|m| (m.name.as_deref(), m.address.as_str())))
}

fn body<'a>(draft: &'a Draft, text: Option<&'a str>, html: Option<&'a str>) -> Result<Part<'a>, Error> {
    let mut alternatives = Vec::new();
    for (kind, content) in [("text/plain", text), ("text/html", html)] {
        if let Some(content) = content {
            alternatives.push(text_part(kind, content)?);
        }
    }
    let body = Part::of("alternative", alternatives).ok_or(Error::NoBody)?;
    let (mut related, mut mixed) = (vec![body], Vec::new());
    for attachment in &draft.attachments {
        // Inline parts belong to the HTML; without one they are attachments that show at once.
        let inline = attachment.disposition == Disposition::Inline && html.is_some();
        let part = attached_part(attachment)?;
        if inline { related.push(part) } else { mixed.push(part) }
    }
    mixed.splice(..0, Part::of("related", related));
    Part::of("mixed", mixed).ok_or(Error::NoBody)
}

fn text_part<'a>(kind: &str, content: &'a str) -> Result<Part<'a>, Error> {
    let mut fields = Vec::new();
    headers::with_parameters(&mut fields, "Content-Type", kind, &[("charset", "UTF-8")])?;
    Ok(Part::Leaf { headers: fields, content: content.as_bytes(), encoding: Encoding::for_text(content.as_bytes()) })
}

fn attached_part(a: &Attachment) -> Result<Part<'_>, Error> {
    limit("name of a file", a.file_name.chars().count(), FILE_NAME_LIMIT)?;
    let (kind, parameters) = content_type(a)?;
    let mut fields = Vec::new();
    let mut type_parameters = parameters;
    type_parameters.push(("name", a.file_name.as_str()));
    headers::with_parameters(&mut fields, "Content-Type", &kind, &type_parameters)?;
    let disposition = match a.disposition {
        Disposition::Attachment => "attachment",
        Disposition::Inline => "inline",
    };
    headers::with_parameters(&mut fields, "Content-Disposition", disposition, &[("filename", &a.file_name)])?;
    if let Some(id) = &a.content_id {
        limit("content id", id.len(), CONTENT_ID_LIMIT)?;
        let id = id.trim_start_matches('<').trim_end_matches('>');
        if id.is_empty() || !id.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>') {
            return Err(Error::ControlCharacter("content id".to_owned()));
        }
        fields.extend_from_slice(format!("Content-ID: <{id}>\r\n").as_bytes());
    }
    if let Some(description) = &a.description {
        limit("description of a part", description.chars().count(), DESCRIPTION_LIMIT)?;
        headers::unstructured(&mut fields, "Content-Description", description)?;
    }
    Ok(Part::Leaf { headers: fields, content: &a.content, encoding: a.encoding })
}

/// The parameters of a content type: names and values.
type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// The type's `type/subtype` and its parameters.
fn content_type(a: &Attachment) -> Result<(String, Parameters<'_>), Error> {
    let Some(given) = a.content_type.as_deref() else { return Ok((type_of(&a.file_name).to_owned(), Vec::new())) };
    limit("content type", given.len(), TYPE_LIMIT)?;
    let wrong = || Error::ContentType(given.to_owned());
    let mut parts = given.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
    let token = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    let (major, minor) = kind.split_once('/').ok_or_else(wrong)?;
    // A multipart would need its own boundary; its parts can be attached one by one.
    if !token(major) || !token(minor) || major == "multipart" {
        return Err(wrong());
    }
    let mut parameters = Vec::new();
    for parameter in parts.filter(|p| !p.is_empty()) {
        let (name, value) = parameter.split_once('=').ok_or_else(wrong)?;
        if !token(name) {
            return Err(wrong());
        }
        if !name.eq_ignore_ascii_case("name") {
            parameters.push((name, value.trim_matches('"')));
        }
    }
    Ok((kind, parameters))
}

/// The type of a file by its name's ending, for the usual files.
fn type_of(file_name: &str) -> &'static str {
    const TYPES: &[(&str, &str)] = &[
        ("csv", "text/csv"),
        ("doc", "application/msword"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("gif", "image/gif"),
        ("htm", "text/html"),
        ("html", "text/html"),
        ("ics", "text/calendar"),
        ("jpeg", "image/jpeg"),
        ("jpg", "image/jpeg"),
        ("json", "application/json"),
        ("pdf", "application/pdf"),
        ("png", "image/png"),
        ("svg", "image/svg+xml"),
        ("txt", "text/plain"),
        ("webp", "image/webp"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("xml", "application/xml"),
        ("zip", "application/zip"),
    ];
    let ending = file_name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    TYPES.iter().find(|(known, _)| *known == ending).map_or("application/octet-stream", |(_, kind)| kind)
}

fn limit(what: &'static str, length: usize, limit: usize) -> Result<(), Error> {
    if length > limit { Err(Error::TooLong { what, limit }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders};
    use proptest::prelude::*;

    use super::*;

    fn draft() -> Draft {
        Draft {
            from: Mailbox::parse("Ann <ann@x.example>").expect("good"),
            to: vec![Mailbox::parse("bob@y.example").expect("good")],
            cc: Vec::new(),
            reply_to: Vec::new(),
            subject: "hello".to_owned(),
            text: Some("text".to_owned()),
            html: None,
            attachments: Vec::new(),
            headers: Vec::new(),
        }
    }

    fn attachment(file_name: &str, disposition: Disposition, content: &[u8]) -> Attachment {
        Attachment {
            content: content.to_vec(),
            content_type: None,
            file_name: file_name.to_owned(),
            disposition,
            content_id: (disposition == Disposition::Inline).then(|| "logo@x".to_owned()),
            description: None,
            encoding: Encoding::Base64,
        }
    }

    fn shape(raw: &[u8]) -> Vec<String> {
        let message = MessageParser::default().parse(raw).expect("a message");
        let kind = |part: &mail_parser::MessagePart<'_>| {
            part.content_type()
                .map(|t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or_default()))
                .unwrap_or_default()
        };
        message.parts.iter().map(kind).collect()
    }

    #[test]
    fn each_level_of_multipart_stands_only_where_it_is_needed() {
        let mut d = draft();
        assert_eq!(shape(&compose(&d).expect("a message")), ["text/plain"]);
        d.html = Some("<p>html</p>".to_owned());
        assert_eq!(shape(&compose(&d).expect("a message")), ["multipart/alternative", "text/plain", "text/html"]);
        d.attachments = vec![
            attachment("a.pdf", Disposition::Attachment, b"%PDF"),
            attachment("logo.png", Disposition::Inline, b"png"),
        ];
        assert_eq!(
            shape(&compose(&d).expect("a message")),
            [
                "multipart/mixed",
                "multipart/related",
                "multipart/alternative",
                "text/plain",
                "text/html",
                "image/png",
                "application/pdf"
            ]
        );
    }

    #[test]
    fn what_no_caller_may_set_is_refused() {
        let with = |change: &dyn Fn(&mut Draft)| {
            let mut d = draft();
            change(&mut d);
            compose(&d)
        };
        let header = |name: &str, value: &str| with(&|d| d.headers = vec![(name.to_owned(), value.to_owned())]);
        assert!(header("X-Mine", "fine").is_ok());
        for (name, value) in
            [("Bcc", "x@y.example"), ("content-type", "x"), ("X-A\r\nBcc", "x"), ("X-A", "x\r\nBcc: y")]
        {
            assert!(header(name, value).is_err(), "{name:?}");
        }
        assert!(with(&|d| d.subject = "a\r\nBcc: x@y.example".to_owned()).is_err());
        assert!(with(&|d| d.text = None).is_err());
        assert!(with(&|d| d.headers = vec![("X-A".to_owned(), "x".to_owned()); 15]).is_ok());
        assert!(with(&|d| d.headers = vec![("X-A".to_owned(), "x".to_owned()); 16]).is_err());
        assert!(header("X-A", "").is_err());
        assert!(header("X-A", &"x".repeat(993)).is_ok() && header("X-A", &"x".repeat(994)).is_err());
        assert!(header(&"X".repeat(126), "x").is_ok() && header(&"X".repeat(127), "x").is_err());
        let file = |change: &dyn Fn(&mut Attachment)| {
            let mut a = attachment("a.txt", Disposition::Inline, b"x");
            change(&mut a);
            with(&|d| d.attachments = vec![a.clone()])
        };
        assert!(file(&|a| a.content_type = Some("text/x-mine; charset=utf-8".to_owned())).is_ok());
        assert!(file(&|a| a.file_name = "a\r\nb".to_owned()).is_err());
        assert!(file(&|a| a.content_id = Some("a>\r\nb".to_owned())).is_err());
        assert!(file(&|a| a.content_type = Some("multipart/mixed; boundary=x".to_owned())).is_err());
        assert!(file(&|a| a.content_type = Some("text/plain\r\nX: y".to_owned())).is_err());
    }

    proptest! {
        /// Whatever the texts are, an independent parser reads back what was put in, and no line is too long.
        #[test]
        fn a_parser_reads_back_what_was_composed(
            subject in "[^\\p{C}]{0,120}", name in "[^\\p{C}]{1,60}", text in "[^\\p{C}]{0,40}(\n[^\\p{C}]{0,1200}){0,3}",
            file in "[^\\p{C}]{1,100}", content in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let mut d = draft();
            d.subject = subject.clone();
            d.from.name = Some(name.clone());
            d.text = Some(text.clone());
            d.html = Some(format!("<p>{text}</p>"));
            d.attachments = vec![attachment(&file, Disposition::Attachment, &content)];
            let raw = compose(&d).expect("a message");
            prop_assert!(raw.split(|b| *b == b'\n').all(|line| line.len() <= 999));
            prop_assert!(raw.windows(2).all(|w| (w[1] == b'\n') == (w[0] == b'\r')));
            prop_assert!(raw.is_ascii());
            let parsed = MessageParser::default().parse(&raw).expect("a message");
            prop_assert_eq!(parsed.subject().unwrap_or_default(), subject.trim_matches(' '));
            let from = parsed.from().and_then(|from| from.first()).expect("a From");
            prop_assert_eq!(from.address(), Some("ann@x.example"));
            prop_assert_eq!(from.name().unwrap_or_default().trim_matches(' '), name.trim_matches(' '));
            prop_assert_eq!(parsed.body_text(0).unwrap_or_default().replace("\r\n", "\n"), text);
            let part = parsed.attachment(0).expect("the attachment");
            prop_assert_eq!(part.contents(), content.as_slice());
            prop_assert_eq!(part.attachment_name(), Some(file.as_str()));
        }
    }
}
