//! Everything that reads a received message before and while rules run: never a panic, every size bounded.
#![no_main]
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use postrider::mail::message::{dkim, parse, parts};

fuzz_target!(|raw: &[u8]| {
    let fields = parse::header_fields(raw);
    assert!(fields.iter().all(|field| !field.value.contains('\n')));
    let (shown, _) = parse::shown(fields);
    assert!(shown.iter().map(|field| field.name.len() + field.value.len()).sum::<usize>() <= 10 * 1024);
    let common = parse::common_headers(raw, "ann@there.example");
    assert!(common.to.len() <= 50 && common.subject.is_none_or(|subject| !subject.contains(['\r', '\n'])));
    let _ = (parse::received_count(raw), parse::is_auto_submitted(raw), dkim::without_blank_end(raw));
    let found = parts::read(raw);
    assert!(found.attachments.len() <= 100);
    assert!(found.text.is_none_or(|text| text.text.len() <= 256 * 1024));
    let _ = mail_auth::AuthenticatedMessage::parse(&Bytes::copy_from_slice(raw));
});
