//! Reading received mail: its header fields and the ones that notifications repeat. Every size and count is bounded,
//! whatever the mail holds.
use std::fmt::Write;

use mail_parser::{Address, HeaderName, Message, MessageParser};
use serde::Serialize;

use crate::mail::message::decoding;
use crate::mail::message::fields::{self, Field, Fields, SECTION_MAX};

/// The fields that [`CommonHeaders`] is made of.
const WANTED: [&str; 9] = ["From", "Reply-To", "Sender", "To", "Cc", "Bcc", "Date", "Message-ID", "Subject"];
/// How much of the header fields a notification shows (SES: `headersTruncated` beyond 10 KB).
const MAX_SHOWN_BYTES: usize = 10 * 1024;
/// How many addresses of one header field a notification's `commonHeaders` show.
const MAX_ADDRESSES: usize = 50;
/// How long one value in `commonHeaders` can be, in octets.
const MAX_VALUE_BYTES: usize = 2_000;

/// One header field, unfolded to one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeaderField {
    /// The field's name as it was written.
    pub name: String,
    /// Its value without leading and trailing white space; octets that are not UTF-8 are replaced.
    pub value: String,
}

/// The header fields that SES repeats in a form that is easy to read, in SES's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CommonHeaders {
    /// The reverse path, without brackets; empty for the null one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_path: Option<String>,
    /// `From`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// `Reply-To`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reply_to: Vec<String>,
    /// `Sender`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// `Date`, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// `To`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// `Cc`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cc: Vec<String>,
    /// `Bcc`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bcc: Vec<String>,
    /// `Message-ID`, with its brackets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// `Subject`, decoded (RFC 2047).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// The header section of a message, up to and without the empty line that ends it, and at most 256 KiB of it.
pub fn header_section(raw: &[u8]) -> &[u8] {
    fields::section(raw.get(..SECTION_MAX).unwrap_or(raw))
}

/// The fields of a received message, as far as they end within the first 256 KiB of it.
fn read_fields(raw: &[u8]) -> impl Iterator<Item = Field<'_>> {
    Fields::of(raw).take_while(|field| field.range().end <= SECTION_MAX).filter(|field| field.name().is_some())
}

/// All header fields in order, each on one line. Lines that are no field are passed over.
pub fn header_fields(raw: &[u8]) -> Vec<HeaderField> {
    let read = |field: Field<'_>| Some(HeaderField { name: field.name()?.to_owned(), value: field.value() });
    read_fields(raw).filter_map(read).collect()
}

/// The first fields, up to 10 KB of them, and whether some were left out.
pub fn shown(fields: Vec<HeaderField>) -> (Vec<HeaderField>, bool) {
    let all = fields.len();
    let mut left = MAX_SHOWN_BYTES;
    let mut shown = Vec::new();
    for field in fields {
        let Some(rest) = left.checked_sub(field.name.len() + field.value.len() + 4) else { break };
        left = rest;
        shown.push(field);
    }
    let truncated = shown.len() < all;
    (shown, truncated)
}

/// How many `Received` fields the message has: how many servers it came through (RFC 5321, 6.3). All of the header is looked at:
/// no length of it hides a circle.
pub fn received_count(raw: &[u8]) -> usize {
    Fields::of(raw).filter(|field| field.is("Received")).count()
}

/// Whether a program sent this mail on its own (RFC 3834, 5: `Auto-Submitted` other than `no`): never answered.
pub fn is_auto_submitted(raw: &[u8]) -> bool {
    header_fields(raw)
        .iter()
        .any(|field| field.name.eq_ignore_ascii_case("auto-submitted") && !field.value.eq_ignore_ascii_case("no"))
}

/// Reads the fields that notifications repeat. `return_path` is the envelope's reverse path.
pub fn common_headers(raw: &[u8], return_path: &str) -> CommonHeaders {
    let mut common = CommonHeaders { return_path: Some(cut(return_path)), ..CommonHeaders::default() };
    let section = wanted_fields(raw);
    let Some(message) = reader().parse_headers(&section) else { return common };
    common.from = addresses(message.from());
    common.reply_to = addresses(message.reply_to());
    common.sender = addresses(message.sender()).into_iter().next();
    common.to = addresses(message.to());
    common.cc = addresses(message.cc());
    common.bcc = addresses(message.bcc());
    common.date = raw_value(&message, "Date");
    common.message_id = raw_value(&message, "Message-ID");
    common.subject = message.subject().map(cut);
    common
}

/// Reads the fields that are wanted here, and takes all others as they are: the parameters of a hostile Content-Type take
/// mail-parser time by the square of their number.
fn reader() -> MessageParser {
    let fields =
        [HeaderName::From, HeaderName::ReplyTo, HeaderName::Sender, HeaderName::To, HeaderName::Cc, HeaderName::Bcc];
    fields.into_iter().fold(MessageParser::new().header_text(HeaderName::Subject), MessageParser::header_address)
}

/// The fields that are read here, each on one line, encoded words joined where senders cut them within a character. Only these,
/// since mail-parser has rules of its own for what is a field: spaces in names, and colons before them, are nothing to it.
fn wanted_fields(raw: &[u8]) -> Vec<u8> {
    let mut section = String::new();
    for field in read_fields(raw).filter(|field| WANTED.iter().any(|name| field.is(name))) {
        let _ = write!(section, "{}: {}\r\n", field.name().unwrap_or_default(), field.value());
    }
    let mut section = decoding::joined_words(&section).into_owned().into_bytes();
    section.extend_from_slice(b"\r\n");
    section
}

/// The addresses in To and Cc, without names, each once; as many as [`common_headers`] shows of a field.
pub fn named_recipients(raw: &[u8]) -> Vec<String> {
    let section = wanted_fields(raw);
    let Some(message) = reader().parse_headers(&section) else { return Vec::new() };
    let mut named: Vec<String> = Vec::new();
    for list in [message.to(), message.cc()].into_iter().flatten() {
        for address in list.iter().filter_map(|one| one.address()).take(MAX_ADDRESSES).map(cut) {
            if !named.contains(&address) {
                named.push(address);
            }
        }
    }
    named
}

fn raw_value(message: &Message<'_>, name: &'static str) -> Option<String> {
    message.header_raw(name).map(|value| cut(value.trim())).filter(|value| !value.is_empty())
}

fn addresses(list: Option<&Address<'_>>) -> Vec<String> {
    let Some(list) = list else { return Vec::new() };
    list.iter()
        .filter_map(|one| {
            let address = one.address()?;
            Some(cut(&match one.name().filter(|name| !name.is_empty() && *name != address) {
                Some(name) => format!("{} <{address}>", display_name(name)),
                None => address.to_owned(),
            }))
        })
        .take(MAX_ADDRESSES)
        .collect()
}

/// A display name as it stands in a header: quoted when it holds specials (RFC 5322, 3.2.3).
fn display_name(name: &str) -> String {
    if name.contains(['(', ')', '<', '>', '[', ']', ':', ';', '@', '\\', ',', '.', '"']) {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        name.to_owned()
    }
}

/// The text on one line, and at most 2,000 octets of it.
fn cut(text: &str) -> String {
    let mut end = text.len().min(MAX_VALUE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAIL: &[u8] = b"Received: from a\r\n by b; now\r\nReceived : from c\r\nFrom: \"Ann, X\" <ann@x.example>\r\n\
        To: =?utf-8?q?J=C3=BCrgen?= <j@y.example>,\r\n k@y.example\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\
        Message-ID: <1@x.example>\r\nDate: Fri, 2 Jan 2026 03:04:05 +0000\r\nAuto-Submitted: auto-replied\r\n\r\n\
        Received: in the body\r\n";

    #[test]
    fn fields_are_unfolded_and_the_body_is_not_read() {
        let fields = header_fields(MAIL);
        assert_eq!(fields.len(), 8);
        assert_eq!(fields[0].value, "from a by b; now");
        assert_eq!((fields[1].name.as_str(), received_count(MAIL)), ("Received", 2));
        assert!(is_auto_submitted(MAIL) && !is_auto_submitted(b"Auto-Submitted: no\r\n\r\n"));
    }

    #[test]
    fn only_header_fields_are_counted() {
        let hops = |raw: &str| received_count(raw.as_bytes());
        assert_eq!(hops("Received: a\r\n\tb\r\nSubject: x\r\nRECEIVED: c\r\n\r\nReceived: in the body\r\n"), 2);
        assert_eq!(hops("\r\nReceived: a\r\n"), 0);
        assert_eq!(hops(""), 0);
        assert_eq!(hops(&format!("{}Received: late\r\n\r\n", "X: y\r\n".repeat(100_000))), 1);
    }

    #[test]
    fn common_headers_are_decoded() {
        let cut = b"Subject: =?utf-8?q?Gr=C3?=\r\n =?utf-8?q?=BC=C3=9Fe?=\r\nFrom: =?utf-8?b?w7w=?= =?utf-8?b?w7w=?= <a@x.example>\r\n\r\n";
        let common = common_headers(cut, "");
        assert_eq!((common.subject.as_deref(), common.from.concat().as_str()), (Some("Grüße"), "üü <a@x.example>"));
        let common = common_headers(MAIL, "ann@x.example");
        assert_eq!(common.from, ["\"Ann, X\" <ann@x.example>"]);
        assert_eq!(common.to, ["Jürgen <j@y.example>", "k@y.example"]);
        assert_eq!(common.subject.as_deref(), Some("Grüße"));
        assert_eq!(common.message_id.as_deref(), Some("<1@x.example>"));
        assert_eq!(common.date.as_deref(), Some("Fri, 2 Jan 2026 03:04:05 +0000"));
    }

    #[test]
    fn recipients_are_named_in_to_and_cc() {
        assert_eq!(named_recipients(MAIL), ["j@y.example", "k@y.example"]);
        let both = b"To: A <a@x.example>, b@x.example\r\nCc: G: b@x.example, c@x.example;\r\nBcc: d@x.example\r\n\r\n";
        assert_eq!(named_recipients(both), ["a@x.example", "b@x.example", "c@x.example"]);
        assert!(named_recipients(b"Subject: none\r\n\r\nTo: x@y.example").is_empty());
    }

    #[test]
    fn what_is_shown_has_a_limit() {
        let field = |n: usize| HeaderField { name: "X-Long".to_owned(), value: "v".repeat(n) };
        assert!(!shown(vec![field(10), field(20)]).1);
        let (some, truncated) = shown(vec![field(6_000), field(6_000)]);
        assert_eq!((some.len(), truncated), (1, true));
        let many = format!("To: {}x@y.example\r\n\r\n", "a@b.example, ".repeat(20_000));
        assert_eq!(common_headers(many.as_bytes(), "").to.len(), MAX_ADDRESSES);
    }

    /// Without the bounds each of these takes minutes here.
    #[test]
    fn no_header_takes_time_by_its_square() {
        let began = std::time::Instant::now();
        let words = "=?aa?q?x".repeat(30_000);
        let parameters: String = (0..30_000).map(|n| format!("{n:x}*1=a;")).collect();
        for header in [
            format!("Subject: {words}\r\n").into_bytes(),
            format!("To: {}\r\n", words.replace('x', "x ")).into_bytes(),
            [format!("From: {}", words.replace('x', "x ")).as_bytes(), b"\xff\r\n"].concat(),
            format!("Content-Type: text/plain; {parameters}\r\n").into_bytes(),
        ] {
            let _ = (common_headers(&header, ""), named_recipients(&header));
        }
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }

    #[test]
    fn the_whole_header_has_no_limit() {
        let long = format!("{}X-Last: y\r\n", "X: y\r\n".repeat(100_000));
        let raw = format!("{long}\r\nbody\r\n");
        assert_eq!(fields::section(raw.as_bytes()), long.as_bytes());
        assert_eq!(header_section(raw.as_bytes()).len(), SECTION_MAX);
        assert_eq!(fields::lines(b"a\n\r\nb").collect::<Vec<_>>(), [&b"a\n"[..], b"\r\n", b"b"]);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_trouble(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
            let fields = header_fields(&raw);
            prop_assert!(fields.iter().all(|field| !field.value.contains('\n')));
            let common = common_headers(&raw, "");
            prop_assert!(common.subject.is_none_or(|subject| !subject.contains(['\r', '\n'])));
            prop_assert!(received_count(&raw) <= raw.len());
        }
    }
}
