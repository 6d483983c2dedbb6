//! Signatures on bytes, judged by dkimpy, which is not ours: both algorithms, both canonical forms, odd bodies. What mail-auth's
//! verifier says of them stands in `src/mail/message/dkim_tests.rs`, and of delivered mail in `outbound.rs`.
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider::base::{AccountId, Region, Timestamp};
use postrider::config::{Given, Mode};
use postrider::mail::identity::{Pair, keys};
use postrider::mail::message::canonical::Form;
use postrider::mail::message::dkim::{Algorithm, Canonicalization, Signable, Signer, SigningKey};
use serde_json::{Value, json};

use crate::both_engines;
use crate::house::House;
use crate::ses_house::Watched;

const HEADER: &str = "Received: by somebody\r\nFrom: =?utf-8?q?J=C3=BCrgen?=\r\n <ann@example.com>\r\nTO:  b@x.example\r\n\
                      Subject:  two  words\t\r\nDate: Mon, 1 Jan 2001 00:00:00 +0000\r\nMIME-Version: 1.0\r\n";

fn bodies() -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = [
        "",
        "\r\n",
        "\r\n\r\n",
        "Hello\r\n",
        "no line end",
        "trailing\r\n\r\n\r\n",
        " \t \r\n",
        "a \t b  \r\n \r\n",
        ".\r\n..\r\n.a\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec();
    bodies.push("d\u{e9}j\u{e0} vu \u{4e16}\u{754c}\r\n".as_bytes().to_vec());
    bodies.push(vec![0xff, 0xfe, b'a', 0x80, b'\r', b'\n']);
    bodies.push(format!("{}\r\nend\r\n", "x".repeat(5_000)).into_bytes());
    bodies.push(vec![b'y'; 100_000]);
    bodies
}

#[tokio::test]
async fn dkimpy_verifies_what_we_sign_and_nothing_that_was_changed() {
    // dkimpy believes no signature from the future.
    let at = Timestamp::from_secs(1_700_000_000);
    let pairs = [
        (Algorithm::Rsa, Pair::rsa(2048).await.expect("a pair")),
        (Algorithm::Rsa, Pair::rsa(1024).await.expect("a pair")),
        (Algorithm::Ed25519, Pair::ed25519().expect("a pair")),
    ];
    let mut cases: Vec<Value> = Vec::new();
    for (algorithm, pair) in &pairs {
        let row = pair.easy(at).remove(0);
        let key = SigningKey {
            domain: "example.com".to_owned(),
            selector: row.selector.clone(),
            algorithm: *algorithm,
            private_key: row.private_key.clone(),
        };
        let signer = Signer::new(&key).expect("a key");
        for (header, body) in [Form::Relaxed, Form::Simple]
            .into_iter()
            .flat_map(|header| [(header, Form::Relaxed), (header, Form::Simple)])
        {
            for content in bodies() {
                let mut message = format!("{HEADER}\r\n").into_bytes();
                message.extend_from_slice(&content);
                let field =
                    Signable::of(b"", &message, Canonicalization { header, body }).sign(&signer, at).expect("signs");
                // On the wire a last line has its end.
                let wire = if message.ends_with(b"\r\n") { message } else { [message, b"\r\n".to_vec()].concat() };
                let signed = [field.as_bytes(), &wire].concat();
                let changed = [&b"Subject: another\r\n"[..], &signed].concat();
                for (mail, good) in [(&signed, true), (&changed, false)] {
                    cases.push(json!({
                        "mail": STANDARD.encode(mail), "good": good,
                        "name": format!("{}._domainkey.example.com.", row.selector), "record": keys::record_value(&row),
                    }));
                }
            }
        }
    }
    judge(cases);
}

both_engines! {
    async fn the_operator_says_what_a_signature_lets_pass(engine: Engine) {
        let given = Given { dkim_canonicalization: Some("simple/simple".to_owned()), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        let watched = Watched::new(&house).await;
        watched.send(&["b@y.example"]).await;
        house.work().await;
        let inbox = format!("{}/_postrider/inbox", house.endpoint());
        let list = reqwest::get(&inbox).await.expect("answers").text().await.expect("text");
        let list: Value = serde_json::from_str(&list).expect("JSON");
        let id = list[0]["id"].as_str().expect("an id");
        let raw = reqwest::get(format!("{inbox}/{id}/raw")).await.expect("answers").bytes().await.expect("bytes");
        let text = String::from_utf8_lossy(&raw);
        assert!(text.contains(" c=simple/simple;"), "{text}");
        let (account, region) = (AccountId::development(), Region::default_region());
        let found = house.app.parts().services.identities.get(&account, &region, "sender.example").await.expect("there");
        let key = found.keys.iter().find(|key| text.contains(&format!("s={};", key.selector))).expect("its key");
        let changed = text.replace("Subject: hi", "Subject:  hi");
        assert_ne!(changed, text);
        let case = |mail: &[u8], good: bool| json!({
            "mail": STANDARD.encode(mail), "good": good,
            "name": format!("{}._domainkey.sender.example.", key.selector), "record": keys::record_value(key),
        });
        judge(vec![case(&raw, true), case(changed.as_bytes(), false)]);
    }
}

/// What the inbox has: recipient and octets of each mail.
async fn inbox(house: &House) -> Vec<(String, Vec<u8>)> {
    let inbox = format!("{}/_postrider/inbox", house.endpoint());
    let list = reqwest::get(&inbox).await.expect("answers").text().await.expect("text");
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let mut mails = vec![];
    for mail in list.as_array().expect("a list") {
        let id = mail["id"].as_str().expect("an id");
        let raw = reqwest::get(format!("{inbox}/{id}/raw")).await.expect("answers").bytes().await.expect("bytes");
        mails.push((mail["to"].as_str().expect("an address").to_owned(), raw.to_vec()));
    }
    mails
}

/// The field of this name, unfolded.
fn field(mail: &str, name: &str) -> String {
    let header = mail.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n ", " ");
    header.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap_or_default().to_owned()
}

both_engines! {
    async fn what_is_put_on_for_a_recipient_is_signed_but_for_the_mark_where_recipients_share_a_signature(engine: Engine) {
        let house = House::start(Mode::Dev, engine, Given::default()).await;
        let watched = Watched::new(&house).await;
        watched.send(&["alone@y.example"]).await;
        watched.send(&["one@y.example", "two@z.example", "three@z.example"]).await;
        house.work().await;
        let (account, region) = (AccountId::development(), Region::default_region());
        let found = house.app.parts().services.identities.get(&account, &region, "sender.example").await.expect("there");
        let (mut cases, mut shared) = (vec![], vec![]);
        for (to, raw) in inbox(&house).await {
            let text = String::from_utf8(raw).expect("text");
            let (signature, mark) = (field(&text, "DKIM-Signature"), field(&text, "X-Postrider-Id"));
            let key = found.keys.iter().find(|key| signature.contains(&format!("s={};", key.selector))).expect("its key");
            let is_alone = to.starts_with("alone");
            let covered = signature.replace(' ', "").split(";h=").nth(1).is_some_and(|h| {
                h.split(';').next().is_some_and(|names| names.split(':').any(|name| name == "X-Postrider-Id"))
            });
            assert_eq!(covered, is_alone, "{to}: {signature}");
            let case = |mail: &str, good: bool| json!({
                "mail": STANDARD.encode(mail), "good": good,
                "name": format!("{}._domainkey.sender.example.", key.selector), "record": keys::record_value(key),
            });
            assert!(mark.starts_with("X-Postrider-Id: fb-"), "{to}: {text}");
            cases.push(case(&text, true));
            cases.push(case(&text.replace(&mark, "X-Postrider-Id: fb-another"), !is_alone));
            if !is_alone {
                shared.push((signature, mark));
            }
        }
        assert_eq!((cases.len(), shared.len()), (8, 3));
        assert!(shared.iter().all(|(signature, _)| *signature == shared[0].0), "{shared:?}");
        assert!(shared[0].1 != shared[1].1 && shared[1].1 != shared[2].1, "{shared:?}");
        judge(cases);
    }
}

/// Has dkimpy judge the mails.
pub(crate) fn judge(cases: Vec<Value>) {
    let python = std::env::var("POSTRIDER_TEST_PYTHON").expect("start the tests with ./tests/run");
    let mut judge = Command::new(python)
        .args(["-c", JUDGE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let count = cases.len();
    judge.stdin.take().expect("piped").write_all(Value::from(cases).to_string().as_bytes()).expect("written");
    let said = judge.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success(), "{text}\n{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(text.trim(), format!("{count} judged"));
}

const JUDGE: &str = r#"
import base64, json, sys
import dkim
cases = json.load(sys.stdin)
wrong = []
for case in cases:
    mail = base64.b64decode(case["mail"])
    def record(name, timeout=5):
        assert name.decode() == case["name"], (name, case["name"])
        return case["record"].encode()
    if dkim.verify(mail, dnsfunc=record, minkey=1024) is not case["good"]:
        wrong.append((case["good"], mail[:1200]))
assert not wrong, (len(wrong), wrong[0])
print(len(cases), "judged")
"#;
