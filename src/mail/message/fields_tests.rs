//! What is a field: each odd case by itself, and all who read header sections beside each other, libraries included.
use mail_auth::AuthenticatedMessage;
use mail_parser::MessageParser;
use proptest::prelude::*;

use crate::mail::message::canonical::{Form, add_field};
use crate::mail::message::fields::{Field, Fields, fields_only, section, split};
use crate::mail::message::rewrite::{Stamp, finish};
use crate::mail::message::{parse, rewrite};

/// Names and values of the fields.
fn read(raw: &[u8]) -> Vec<(String, String)> {
    Fields::of(raw).filter_map(|field| Some((field.name()?.to_owned(), field.value()))).collect()
}

/// A header section, and the fields that are in it.
type Case = (&'static [u8], &'static [(&'static str, &'static str)]);

#[test]
fn each_odd_case_has_its_rule() {
    let cases: [Case; 21] = [
        (b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n", &[("A", "1"), ("B", "2")]),
        // Line ends.
        (b"A: 1\nB: 2\n\nC: 3", &[("A", "1"), ("B", "2")]),
        (b"A: 1\rB: 2\r\n", &[("A", "1 B: 2")]),
        (b"A: 1\r\r\nB: 2\r\n", &[("A", "1"), ("B", "2")]),
        (b"A: 1\r\n\rB: 2\r\n", &[("A", "1")]),
        // Folds.
        (b"A: 1\r\n 2\r\n\t \t3\n  4\r\n", &[("A", "1 2 3 4")]),
        (b"A: 1; \r\n\tb\r\n", &[("A", "1;  b")]),
        (b"A:\r\n 1\r\n \r\n\t\r\n 2\r\n\r\nB: 3", &[("A", "1 2")]),
        (b" A: 1\r\n B: 2\r\nC: 3\r\n", &[("C", "3")]),
        // What is no field, and the folds of it.
        (b"A: 1\r\nno field\r\n B: 2\r\nC: 3\r\n", &[("A", "1"), ("C", "3")]),
        (b"From ann@x.example Fri Jan  2 03:04:05 2026\r\nA: 1\r\n", &[("A", "1")]),
        (b": 1\r\nA: 2\r\n", &[("A", "2")]),
        (b"A b: 1\r\nA\0: 2\r\n\xc3\xa4: 3\r\n\xff: 4\r\nC: 5\r\n", &[("C", "5")]),
        (b"A \t : 1\r\n", &[("A", "1")]),
        (b"A\r\n : 1\r\nB: 2\r\n", &[("B", "2")]),
        // Octets of values.
        (b"A: \0\x0b\x7f\r\n", &[("A", "\0\u{b}\u{7f}")]),
        (b"A: \xc3\xa4\xff\xe4\r\n", &[("A", "ä\u{fffd}\u{fffd}")]),
        (b"A: \xc2\xa0b\xc2\xa0\r\n", &[("A", "\u{a0}b\u{a0}")]),
        (b"A:b:c\r\nB:\r\n", &[("A", "b:c"), ("B", "")]),
        // The end.
        (b"A: 1\r\nB: 2", &[("A", "1"), ("B", "2")]),
        (b"\r\nA: 1\r\n", &[]),
    ];
    for (raw, fields) in cases {
        let found = read(raw);
        let found: Vec<(&str, &str)> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, fields, "{:?}", String::from_utf8_lossy(raw));
    }
}

#[test]
fn a_field_has_its_octets_and_its_place() {
    let raw = b"odd\r\nA : 1\r\n\t2\n\r\nbody";
    let fields: Vec<Field<'_>> = Fields::of(raw).collect();
    assert_eq!((fields[0].name(), fields[0].raw(), fields[0].range()), (None, &b"odd"[..], 0..5));
    let field = fields[1];
    assert_eq!((field.name(), field.raw(), field.range()), (Some("A"), &b"A : 1\r\n\t2"[..], 5..15));
    assert_eq!(field.raw_value(), b" 1\r\n\t2");
    assert!(field.is("a") && !field.is("A ") && !fields[0].is("") && !fields[0].is("odd"));
    assert_eq!((fields_only(raw).as_ref(), fields_only(b"A: 1\r\n\r\nb").as_ref()), (&raw[5..], &b"A: 1\r\n\r\nb"[..]));
}

/// Headers of what is usual and what is odd, and a body that looks like more of them.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["From: a@x.example", "Subject: one", "To: b@y.example", "Received: by c", "X-Long: word"]),
        4 => prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", "\r\n ", "\r\n\t", "\r\n \r\n "]),
        3 => prop::sample::select(vec!["From", "subject", "X", ":", ": ", " : ", " ", "\t", "=?utf-8?q?=C3=BC?=", "ü", "no field"]),
        1 => prop::sample::select(vec!["\r", "\0", "\x0b", "\x1c", "\u{85}", "\u{2028}", "\r\r\n", "F rom: x", ": From: y", "\r\n\r\n"]),
    ];
    let odd = prop::collection::vec(any::<u8>(), 0..4);
    (prop::collection::vec(piece, 0..24), odd, any::<bool>()).prop_map(|(pieces, odd, ends)| {
        let end = if ends { "\r\n\r\nFrom: body@x.example\r\n" } else { "" };
        [pieces.concat().as_bytes(), &odd, end.as_bytes()].concat()
    })
}

proptest! {
    /// The pieces and what is behind them are the message, and fields are told apart by the lines alone.
    #[test]
    fn nothing_is_left_out(raw in messages()) {
        let (fields, body) = split(&raw);
        let mut at = 0;
        for field in &fields {
            prop_assert_eq!(field.range().start, at);
            at = field.range().end;
            prop_assert!(!field.raw().is_empty() && raw[field.range()].starts_with(field.raw()));
            prop_assert!(!field.value().contains(['\r', '\n']));
        }
        prop_assert_eq!(at, section(&raw).len());
        let behind = &raw[at..];
        prop_assert!(behind.is_empty() || behind.starts_with(b"\r\n") || behind.starts_with(b"\n"));
        prop_assert!(behind.ends_with(body) && behind.len() - body.len() <= 2);
    }

    /// All readers of this house find the same fields.
    #[test]
    fn our_readers_agree(raw in messages()) {
        let fields = read(&raw);
        let shown = parse::header_fields(&raw).into_iter().map(|field| (field.name, field.value));
        prop_assert_eq!(shown.collect::<Vec<_>>(), fields.clone());
        let received = fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("Received")).count();
        prop_assert_eq!(parse::received_count(&raw), received);
        // DKIM: the canonical form is of the same name and value.
        for field in split(&raw).0.iter().filter(|field| field.name().is_some()) {
            let mut out = Vec::new();
            add_field(field, &mut out, Form::Relaxed);
            let again = Field::of(&out);
            prop_assert!(again.is(field.name().unwrap_or_default()));
            // Its octets are those of the field but for white space and line ends.
            let octets = |value: &[u8]| value.iter().copied().filter(|byte| !b" \t\r\n".contains(byte)).collect::<Vec<_>>();
            prop_assert_eq!(octets(again.raw_value()), octets(field.raw_value()));
        }
        // What is sent: its event record has these fields, and what goes out has them too.
        if let Ok(done) = finish(&raw, &Stamp { message_id: "<id@host>", date: "now" }) {
            let told: Vec<_> = done.lines.iter().map(|line| (line.name.clone(), line.value.clone())).collect();
            prop_assert_eq!(&told, &fields);
            let mut sent = read(&done.raw);
            prop_assert_eq!(sent.split_off(sent.len() - 2), [("Date".to_owned(), "now".to_owned()), ("Message-ID".to_owned(), "<id@host>".to_owned())]);
            prop_assert_eq!(sent, fields);
        }
    }

    /// The accept door takes no header that is odd in a way that readers differ on.
    #[test]
    fn what_is_sent_has_nothing_odd(raw in messages()) {
        if rewrite::author(&raw).is_ok() {
            prop_assert!(Fields::of(&raw).all(|field| field.name().is_some()));
            prop_assert!(!section(&raw).iter().any(|byte| byte.is_ascii_control() && !b"\t\r\n".contains(byte)));
        }
    }

    /// mail-auth, which checks who wrote a mail, finds the fields that we find once what is no field is taken out.
    #[test]
    fn mail_auth_agrees(raw in messages()) {
        let plain = fields_only(&raw);
        prop_assert_eq!(read(&plain), read(&raw));
        let theirs = AuthenticatedMessage::parse(&plain);
        let theirs = theirs.map_or_else(Vec::new, |message| {
            let octets = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
            message.headers.iter().map(|(name, value)| (octets(name), octets(value))).collect()
        });
        let ours: Vec<_> = Fields::of(&plain).collect();
        prop_assert_eq!(theirs.len(), ours.len());
        for ((name, value), field) in theirs.iter().zip(ours) {
            prop_assert_eq!(Some(name.trim_end_matches([' ', '\t'])), field.name());
            let ours = String::from_utf8_lossy(field.raw_value());
            prop_assert_eq!(value.trim_end_matches(['\r', '\n']), ours.trim_end_matches(['\r', '\n']));
        }
    }

    /// mail-parser, which reads addresses and subjects, finds what we find.
    #[test]
    fn mail_parser_agrees(raw in messages()) {
        let plain = fields_only(&raw);
        let Some(message) = MessageParser::new().parse_headers(plain.as_ref()) else { return Ok(()) };
        let value = |from: u32, to: u32| words(&String::from_utf8_lossy(&plain[from as usize..to as usize]));
        let headers = message.headers().iter();
        let theirs = headers.map(|header| (header.name().to_ascii_lowercase(), value(header.offset_start, header.offset_end)));
        let theirs: Vec<_> = theirs.collect();
        let ours: Vec<_> = read(&plain).into_iter().map(|(name, value)| (name.to_ascii_lowercase(), words(&value))).collect();
        prop_assert_eq!(theirs, ours);
    }
}

fn words(text: &str) -> Vec<String> {
    text.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
