//! Everything that reads a received message, and what writes a message that goes out: never a panic, every size and all
//! memory bounded, nothing that ends a line where it should not.
#![no_main]
use libfuzzer_sys::fuzz_target;
use mail_parser::parsers::MessageStream;
use postrider::base::{Arn, EmailAddress, HeaderLine, Timestamp};
use postrider::mail::message::headers_record::HeadersRecord;
use postrider::mail::message::{Mailbox, Stamp, body_hash, canonical, fields, finish, mailbox, parse, parts, rewrite};
use postrider::mail::receiving::checks::{Verdict, Verdicts};
use postrider::mail::receiving::notification::{ActionTaken, Facts, write};
use postrider::mail::receiving::rules::Encoding;
use postrider::store::Json;
use postrider_fuzz::{bounded, has_only_crlf};

fn one_line(text: &str) -> bool {
    !text.contains(['\r', '\n'])
}

fn received(raw: &[u8]) {
    let fields = parse::header_fields(raw);
    assert!(fields.iter().all(|field| !field.value.contains('\n')));
    let (shown, truncated) = parse::shown(fields);
    assert!(shown.iter().map(|field| field.name.len() + field.value.len()).sum::<usize>() <= 10 * 1024);
    let common_headers = parse::common_headers(raw, "ann@there.example");
    assert!(common_headers.to.len() <= 50 && common_headers.subject.as_deref().is_none_or(one_line));
    let _ = (parse::received_count(raw), parse::is_auto_submitted(raw));
    let bob: EmailAddress = "bob@here.example".parse().expect("an address");
    let verdicts = Verdicts {
        spam: Verdict::Disabled,
        virus: Verdict::Disabled,
        spf: Verdict::Gray,
        dkim: Verdict::Gray,
        dmarc: Verdict::Gray,
        dmarc_policy: None,
        headers: String::new(),
        temporary: false,
    };
    let facts = Facts {
        message_id: "id".to_owned(),
        received_at: Timestamp::from_secs(1_767_323_045),
        source: "ann@there.example".to_owned(),
        recipients: vec![bob.clone()],
        destination: parse::named_recipients(raw),
        headers: shown,
        headers_truncated: truncated,
        common_headers,
        verdicts,
    };
    let topic: Arn = "arn:aws:sns:us-east-1:000000000000:mail".parse().expect("an arn");
    let content = String::from_utf8_lossy(raw);
    let action = ActionTaken::sns(&topic, Encoding::Utf8);
    let told = write(&facts, &[&bob], &action, facts.received_at, Some(&content)).expect("a notification");
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["content"], content.as_ref());
}

fn parts_of(raw: &[u8]) {
    let found = bounded(512 * 1024 + raw.len() * 24, || parts::read(raw));
    assert!(found.attachments.len() <= 100);
    assert!(found.attachments.iter().map(|part| part.data.len()).sum::<usize>() <= raw.len());
    assert!(found.attachments.iter().all(|part| one_line(&part.content_type) && part.content_type.len() <= 600));
    let names = found.attachments.iter().filter_map(|part| part.name.as_deref());
    assert!(names.into_iter().all(|name| !name.contains(['/', '\\', '\r', '\n', '\0'])));
    for text in [found.text, found.html].into_iter().flatten() {
        assert!(text.text.len() <= 256 * 1024);
    }
}

/// What the checks of a received message read: signatures and authors.
fn checked(raw: &[u8]) {
    let parsed = bounded(256 * 1024 + raw.len() * 80, || mail_auth::AuthenticatedMessage::parse(raw));
    // What is no UTF-8 becomes U+FFFD, of three octets.
    assert!(parsed.is_none_or(|message| message.from().len() <= raw.len() * 3));
    let (fields, body) = fields::split(raw);
    for form in [canonical::Form::Relaxed, canonical::Form::Simple] {
        let mut out = Vec::new();
        fields.iter().for_each(|field| canonical::add_field(field, &mut out, form));
        assert!(out.len() <= raw.len() + fields.len());
        let _ = body_hash::body_hash(body, form);
    }
}

/// A message that a program hands over as it is.
fn sent(raw: &[u8]) {
    let _ = (rewrite::recipients(raw), rewrite::author(raw));
    let Ok(done) = finish(raw, &Stamp { message_id: "<id@host>", date: "now" }) else { return };
    assert!(has_only_crlf(&done.raw));
    assert!(!done.authors.is_empty());
    let (fields, _) = fields::split(&done.raw);
    for (name, count) in [("From", 1), ("Date", 1), ("Message-ID", 1), ("Bcc", 0), ("Return-Path", 0)] {
        assert_eq!(fields.iter().filter(|field| field.is(name)).count(), count, "{name}");
    }
    assert!(fields.iter().filter(|field| field.is("Sender")).count() <= 1);
    // What others read as an author is one that was checked.
    for name in ["From", "Sender"] {
        let Some(field) = fields.iter().find(|field| field.is(name)) else { continue };
        let value = [field.raw_value(), b"\r\n"].concat();
        let parsed = MessageStream::new(&value).parse_address();
        let Some(list) = parsed.as_address() else { continue };
        for address in list.iter().filter_map(|one| one.address()).filter(|text| text.contains('@')) {
            if let Ok(address) = address.parse::<EmailAddress>() {
                assert!(done.authors.contains(&address), "{address} in {name}, {:?}", done.authors);
            }
        }
    }
    let record = HeadersRecord::new(Some(done.from), vec![], done.lines);
    assert!(record.headers.iter().map(|line| line.name.len() + line.value.len()).sum::<usize>() <= 10 * 1024);
    assert_eq!(Json::of(&record).and_then(|stored| stored.read()).expect("what was written"), record);
    let _ = record.common_headers("id");
}

fn values(text: &str) {
    for address in [Mailbox::parse_list(text), Mailbox::parse_authors(text)].into_iter().flatten().flatten() {
        assert!(!address.as_str().contains(char::is_control));
    }
    let _ = (Mailbox::parse(text), mailbox::decode_words(text));
    let line = HeaderLine { name: "To".to_owned(), value: text.to_owned() };
    let _ = HeadersRecord::new(None, vec![], [line]).common_headers("id");
}

fuzz_target!(|raw: &[u8]| {
    bounded(1024 * 1024 + raw.len() * 200, || received(raw));
    parts_of(raw);
    checked(raw);
    sent(raw);
    if let Ok(text) = std::str::from_utf8(raw) {
        values(text);
    }
});
