//! Header sections: all who read them find the same fields, libraries included, and what goes out has line ends of CRLF only.
#![no_main]
use libfuzzer_sys::fuzz_target;
use mail_parser::MessageParser;
use postrider::mail::message::fields::{Field, Fields, fields_only, section, split};
use postrider::mail::message::{Stamp, canonical, finish, parse};
use postrider_fuzz::has_only_crlf;

/// Names in lower case, and values without white space, line ends and what is no UTF-8.
fn read<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<(String, Vec<u8>)> {
    let plain = |octets: &[u8]| octets.iter().copied().filter(|byte| !b" \t\r\n".contains(byte)).collect();
    fields.map(|(name, value)| (String::from_utf8_lossy(name).trim().to_ascii_lowercase(), plain(value))).collect()
}

fn ours(raw: &[u8]) -> Vec<(String, Vec<u8>)> {
    read(Fields::of(raw).filter_map(|field| Some((field.name()?.as_bytes(), field.raw_value()))))
}

fn covers(raw: &[u8]) {
    let (fields, body) = split(raw);
    let end = fields.iter().fold(0, |at, field| {
        assert_eq!(field.range().start, at);
        assert!(!field.value().contains(['\r', '\n']));
        field.range().end
    });
    assert_eq!(end, section(raw).len());
    assert!(raw.ends_with(body) && raw.len() - end - body.len() <= 2);
    for field in fields.iter().filter(|field| field.name().is_some()) {
        let mut out = Vec::new();
        canonical::add_field(field, &mut out, canonical::Form::Relaxed);
        assert!(Field::of(&out).is(field.name().unwrap_or_default()));
    }
}

fn libraries_agree(raw: &[u8]) {
    let plain = fields_only(raw);
    let ours = ours(&plain);
    let message = mail_auth::AuthenticatedMessage::parse(&plain);
    assert_eq!(message.map_or_else(Vec::new, |message| read(message.headers.iter().copied())), ours);
    let Some(message) = MessageParser::new().parse_headers(plain.as_ref()) else { return };
    let value = |from: u32, to: u32| plain.get(from as usize..to as usize).unwrap_or_default();
    let headers = message.headers().iter();
    let headers = headers.map(|header| (header.name().as_bytes(), value(header.offset_start, header.offset_end)));
    assert_eq!(read(headers), ours);
}

fuzz_target!(|raw: &[u8]| {
    covers(raw);
    libraries_agree(raw);
    assert_eq!(ours(raw), ours(&fields_only(raw)));
    if section(raw).len() < 256 * 1024 {
        assert_eq!(parse::header_fields(raw).len(), ours(raw).len());
    }
    if let Ok(done) = finish(raw, &Stamp { message_id: "<id@host>", date: "now" }) {
        assert!(has_only_crlf(&done.raw) && Fields::of(&done.raw).all(|field| field.name().is_some()));
        let told: Vec<&str> = done.lines.iter().map(|line| line.name.as_str()).collect();
        let hidden = ["bcc", "resent-bcc", "return-path"];
        let names = Fields::of(raw)
            .filter_map(|field| field.name())
            .filter(|name| !hidden.contains(&name.to_ascii_lowercase().as_str()));
        assert_eq!(told, names.collect::<Vec<_>>());
    }
});
