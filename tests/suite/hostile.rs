//! Hostile mail through the whole receiving floor: whatever it is, it gets a verdict in bounded time, and nothing is lost.
use std::time::{Duration, Instant};

use postrider::mail::receiving::rules::{Action, Encoding};
use postrider::store::inbound_mails::State;

use crate::both_engines;
use crate::receiving_bench::{Bench, bench, rule};

/// How long one such mail may take here, on a busy machine without optimization.
const BOUND: Duration = Duration::from_secs(20);

fn nested(levels: usize) -> String {
    let mut mail = "From: a@there.example\r\nMIME-Version: 1.0\r\n".to_owned();
    for level in 0..levels {
        mail.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n"));
    }
    mail.push_str("Content-Type: text/plain\r\n\r\nbottom\r\n");
    for level in (0..levels).rev() {
        mail.push_str(&format!("--b{level}--\r\n"));
    }
    mail
}

pub(crate) fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let header = "From: a@there.example\r\nMIME-Version: 1.0\r\n";
    let mixed = format!("{header}Content-Type: multipart/mixed; boundary=m\r\n\r\n");
    let part =
        "--m\r\nContent-Type: application/octet-stream; name=x\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n";
    let encoded = "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let mut russian = "Subject: inner\r\n\r\nbody\r\n".to_owned();
    for _ in 0..12 {
        use base64::Engine as _;
        russian = format!("{encoded}{}\r\n", base64::engine::general_purpose::STANDARD.encode(&russian));
    }
    let words = "=?aa?q?x\r\n ".repeat(23_000);
    let parameters: String = (0..22_000).map(|n| format!("{n:x}*1=a;\r\n ")).collect();
    let lengths: String = (1..2_500)
        .map(|n| {
            format!(
                "DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=from; bh=AAAA; b=AAAA; l={}\r\n",
                3_000_000 - n
            )
        })
        .collect();
    let signature = "DKIM-Signature: v=1; a=rsa-sha256; d=x.example; s=s; h=from; bh=AAAA; b=AAAA\r\n";
    vec![
        ("ten thousand parts", format!("{mixed}{}--m--\r\n", part.repeat(10_000)).into_bytes()),
        ("a thousand levels", nested(1_000).into_bytes()),
        ("ten thousand levels", nested(10_000).into_bytes()),
        ("a thousand messages in messages", format!("{header}{}", "Content-Type: message/rfc822\r\n\r\n".repeat(1_000)).into_bytes()),
        ("encoded messages in each other", format!("{header}{russian}").into_bytes()),
        ("a header of a megabyte", format!("{header}X: {}\r\n\r\nbody\r\n", "y".repeat(60_000) + &"\r\n z".repeat(300_000)).into_bytes()),
        ("a hundred thousand fields", format!("{header}{}\r\nbody\r\n", "X: y\r\n".repeat(100_000)).into_bytes()),
        ("a hundred thousand recipients", format!("{header}To: {}\r\n\r\n", "a@b.example,\r\n ".repeat(100_000)).into_bytes()),
        ("brackets", format!("{header}To: {}\r\nSubject: {}\r\n\r\n", "(".repeat(50_000), "=?utf-8?q?".repeat(5_000)).into_bytes()),
        ("ten thousand signatures", format!("{}{header}\r\nbody\r\n", signature.repeat(10_000)).into_bytes()),
        ("words without an end in the subject", format!("{header}Subject: {words}x\r\n\r\nbody\r\n").into_bytes()),
        ("words without an end in From", format!("From: {words}x\r\n\r\nbody\r\n").into_bytes()),
        ("thirty thousand parameters", format!("{header}Content-Disposition: inline; {parameters}x=y\r\n\r\nbody\r\n").into_bytes()),
        ("signatures of many lengths", format!("{lengths}{header}\r\n{}", "a line of the body\r\n".repeat(150_000)).into_bytes()),
        ("broken encodings", format!("{mixed}--m\r\nContent-Type: text/plain; charset=utf-16\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=D8=00=\r\n=GG==\r\n--m\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!\r\n").into_bytes()),
        ("nothing but zeros", vec![0; 200_000]),
        ("zeros in the header", [header.as_bytes(), b"Sub\0ject: \0\r\n\0: x\r\n\r\n\0"].concat()),
        ("every octet", [header.as_bytes(), b"X: ", &(14_u8..=255).collect::<Vec<_>>(), b"\r\n\r\n"].concat()),
        ("nothing", vec![]),
        ("an empty header", b"\r\n".to_vec()),
        ("no end", format!("{mixed}--m\r\nContent-Type: text/html").into_bytes()),
        ("one line of colons", ":".repeat(60_000).into_bytes()),
    ]
}

async fn all_ways_out(b: &Bench) {
    let topic = b.topic("mail").await;
    let webhook = Action::Webhook {
        url: b.runtime.url("/hook"),
        secret: "a secret of more than 16".to_owned(),
        bucket: Some("my-mail".to_owned()),
        prefix: Some("parts/".to_owned()),
        topic: None,
    };
    let s3 =
        Action::S3 { bucket: "my-mail".to_owned(), prefix: None, topic: Some(topic.clone()), role: None, kms: None };
    let header = Action::AddHeader { name: "X-Rule".to_owned(), value: "one".to_owned() };
    let sns = Action::Sns { topic, encoding: Encoding::Utf8 };
    let forward = Action::Forward { to: vec!["carol@else.example".parse().expect("an address")], topic: None };
    b.activate(&b.owner, vec![rule("all", &[], vec![header, s3, webhook, sns, forward])]).await;
}

both_engines! {
    async fn hostile_mail_is_handled_in_bounded_time_and_never_lost(engine: Engine) {
        let b = bench(engine).await;
        all_ways_out(&b).await;
        for (name, data) in bombs() {
            let began = Instant::now();
            let id = b.accept_bytes(None, &["bob@here.example"], data.clone()).await.expect(name);
            while b.round().await > 0 {}
            let took = began.elapsed();
            assert_eq!(b.state(&id).await.0, State::Done, "{name}: {}", b.state(&id).await.1);
            let kept = b.bytes("my-mail", &id).expect(name);
            assert!(kept.ends_with(&data) || name == "zeros in the header", "{name}");
            assert!(took < BOUND, "{name} took {took:?}");
            println!("{name}: {took:?}");
        }
    }

    async fn a_mail_cut_anywhere_is_still_a_mail(engine: Engine) {
        let b = bench(engine).await;
        all_ways_out(&b).await;
        let whole = nested(3) + "--m\r\nContent-Disposition: attachment; filename*=utf-8''%e4%bd; filename=\"=?utf-8?q?=";
        let mut ids = Vec::new();
        for end in (0..whole.len()).step_by(11) {
            let data = whole.get(..end).expect("ASCII").to_owned();
            ids.push(b.accept(None, &["bob@here.example"], &data).await.expect("accepted"));
        }
        while b.round().await > 0 {}
        for id in ids {
            assert_eq!(b.state(&id).await.0, State::Done);
        }
    }
}
