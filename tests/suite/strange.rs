//! Strange input: whatever comes from outside is read or refused by each reader, and never breaks one. More cases:
//! `PROPTEST_CASES=100000 cargo test --test suite -- strange`.
use std::collections::BTreeMap;

use postrider::aws::Names;
use postrider::aws::protocol::form::Form;
use postrider::aws::protocol::{form_decode, json, rest_json};
use postrider::base::{Arn, EmailAddress};
use postrider::mail::message::mailbox::decode_words;
use postrider::mail::message::{Mailbox, rewrite};
use postrider::outlets::objects::{check_bucket, check_key};
use postrider::smtp::command::{self, Command};
use postrider::smtp::{auth, parameters};
use postrider::topics::endpoint::{self, Protocol};
use postrider::topics::filter_policy::{FilterPolicy, PolicyScope};
use proptest::prelude::*;

/// Pieces that mean something to a reader, in any order, with anything between them.
fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(pieces).prop_map(str::to_owned),
        1 => "\\PC{0,3}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// A request with every kind of member.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code, reason = "only read into")]
struct Sample {
    name: String,
    size: Option<i32>,
    flag: Option<bool>,
    ratio: Option<f64>,
    #[serde(default)]
    list: Vec<Inner>,
    #[serde(default)]
    map: BTreeMap<String, String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
#[allow(dead_code, reason = "only read into")]
struct Inner {
    id: Option<String>,
    bytes: Option<postrider::aws::Blob>,
    time: Option<postrider::aws::Time>,
}

const NAMES: Names = Names { flat: &[], entries: &[] };

proptest! {
    #[test]
    fn forms(pairs in text(&["Name=", "&", "List.member.", "1.", "Id=", "Bytes=", "Time=", "Map.entry.", ".", "key=",
        "value=", "%", "%00", "%ff", "+", "Size=", "9999999999", "-1", "Flag=true", "Ratio=", "nan", "="])) {
        if let Ok(form) = Form::parse(pairs.as_bytes()) {
            let _ = form_decode::decode::<Sample>(&form, &NAMES);
        }
    }

    #[test]
    fn json_bodies(body in text(&["{", "}", "[", "]", ",", ":", "\"Name\"", "\"List\"", "\"Id\"", "\"Bytes\"", "\"Time\"",
        "\"Map\"", "\"Size\"", "1e400", "-0", "1.5", "9999999999999999999", "null", "true", "\"\\ud800\"", "\"a\""])) {
        let _ = json::decode::<Sample>(body.as_bytes());
        let _ = rest_json::decode::<Sample>("GET", vec![("Name", body.clone())], &body, b"{}");
    }

    #[test]
    fn addresses_and_their_lists(list in text(&["a@x.example", "<", ">", "\"", "\\", "(", ")", ",", ";", ":", "@", " ",
        "\t", "=?utf-8?q?a=40b?=", "=?", "?=", "Ann", "[127.0.0.1]", ".", "\u{212a}", "İ"])) {
        let found = [Mailbox::parse_list(&list), Mailbox::parse_authors(&list)];
        for address in found.into_iter().flatten().flatten() {
            prop_assert!(!address.as_str().contains(char::is_control));
        }
        if let Ok(mailbox) = Mailbox::parse(&list) {
            prop_assert!(!mailbox.name.unwrap_or_default().contains(['\r', '\n', '\0']));
        }
        prop_assert!(!decode_words(&list).contains(['\r', '\n', '\0']) || list.contains(char::is_control));
    }

    #[test]
    fn messages(raw in text(&["From: a@x.example", "Sender", "To: ", "\r\n", "\n", "\r", " ", "\t", ":", "\0", "X-SES-",
        "X-SES-MESSAGE-TAGS: a=b", "Return-Path: <a@x.example>", "Bcc: b@x.example", "body", "."])) {
        let stamp = rewrite::Stamp { message_id: "<id@host>", date: "now" };
        if let Ok(done) = rewrite::finish(raw.as_bytes(), &stamp) {
            let out = String::from_utf8_lossy(&done.raw).into_owned();
            prop_assert!(!out.replace("\r\n", "").contains(['\r', '\n']));
            let head = out.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
            let froms = head.split("\r\n").filter(|line| line.starts_with("from") && line.contains(':')).count();
            prop_assert_eq!(froms, 1);
            prop_assert!(!head.contains("\r\nbcc") && !head.contains("\r\nreturn-path"));
        }
        let _ = rewrite::recipients(raw.as_bytes());
    }

    #[test]
    fn smtp_lines(line in text(&["MAIL FROM:", "RCPT TO:", "<", ">", "a@x.example", "@y.example:", "\"", "\\", " ", "SIZE=",
        "1", "AUTH ", "PLAIN", "BDAT ", "LAST", "EHLO ", "ORCPT=rfc822;", "+", "\r", "\n", "SMTPUTF8", "=", "\0"])) {
        match command::parse(line.as_bytes()) {
            Ok(Command::Mail { from: Some(from), .. }) => prop_assert!(!from.as_str().contains(char::is_control)),
            Ok(_) => {}
            Err(answer) => {
                let mut out = Vec::new();
                answer.write(&mut out);
                prop_assert!(out.len() <= 512 && out.ends_with(b"\r\n"));
                prop_assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
            }
        }
        let _ = (parameters::mail(&line), parameters::recipient(&line), auth::decode(&line), auth::plain(&line));
    }

    #[test]
    fn names_of_things(name in text(&["arn", ":", "aws", "sqs", "sns", "us-east-1", "000000000000", "q", "/", ".", "..",
        ".fifo", "http://", "https://", "[::1]", "@", "127.1", "\\", "a"])) {
        if let Ok(arn) = name.parse::<Arn>() {
            prop_assert_eq!(arn.to_string().parse::<Arn>(), Ok(arn));
        }
        if let Ok(address) = name.parse::<EmailAddress>() {
            prop_assert_eq!(address.as_str().parse::<EmailAddress>(), Ok(address.clone()));
        }
        let _ = (endpoint::check(Protocol::Http, &name), endpoint::check(Protocol::Sqs, &name));
        if check_bucket(&name).is_ok() && check_key(&name).is_ok() {
            prop_assert!(!name.contains('/') && !name.starts_with('.'));
        }
    }

    #[test]
    fn filter_policies(policy in text(&["{", "}", "[", "]", ",", ":", "\"a\"", "\"$or\"", "\"numeric\"", "\">\"", "\"=\"", "1",
        "\"cidr\"", "\"10.0.0.0/99\"", "\"prefix\"", "\"anything-but\"", "\"exists\"", "true", "null", "1e999"])) {
        let _ = FilterPolicy::parse(&policy, PolicyScope::Body);
        let wrapped = format!("{{\"a\":[{policy}]}}");
        let _ = FilterPolicy::parse(&wrapped, PolicyScope::Attributes);
    }
}
