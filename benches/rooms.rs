//! The hot rooms that need no store and no network: `cargo bench --bench rooms`. A change that makes one slower shows here.
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http::HeaderMap;
use postrider::access::{Access, Trust, ensure_root};
use postrider::aws::protocol::form::Form;
use postrider::aws::protocol::form_decode;
use postrider::aws::{Gate, Request, sns, sqs};
use postrider::base::{Budget, Clock, Secret, Timestamp};
use postrider::mail::bounce::{Classifier, Said};
use postrider::mail::identity::Pair;
use postrider::mail::message::dkim::{Algorithm, Canonicalization, Signable, Signer, SigningKey};
use postrider::mail::message::{Draft, Mailbox, compose};
use postrider::smtp::command;
use postrider::smtp::data::{Body, DataReader};
use postrider::store::{Database, Store};
use postrider::topics::filter_policy::{Facts, FilterPolicy, PolicyScope};
use serde::Deserialize;
use tokio::runtime::Runtime;

#[path = "../bench/load/src/sigv4.rs"]
mod sigv4;

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";

fn smtp(c: &mut Criterion) {
    let lines: [&[u8]; 5] = [
        b"EHLO mail.sender.example",
        b"MAIL FROM:<someone.with.a.name@sender.example> SIZE=1024 BODY=8BITMIME",
        b"RCPT TO:<someone.else@receiver.example>",
        b"DATA",
        b"RSET",
    ];
    c.bench_function("SMTP commands of a mail", |b| {
        b.iter(|| lines.map(|line| command::parse(black_box(line)).is_ok()));
    });
    let mut group = c.benchmark_group("SMTP data");
    for (name, size) in [("1 KB", 1 << 10), ("100 KB", 100 << 10), ("1 MB", 1 << 20)] {
        let lines =
            b"A line of a message, of a usual length; and every other begins with a dot.\r\n..Like this one.\r\n";
        let mut data = b"Subject: a test\r\n\r\n".to_vec();
        while data.len() < size {
            data.extend_from_slice(lines);
        }
        data.extend_from_slice(b".\r\n");
        group.throughput(Throughput::Bytes(data.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                let (mut reader, mut body) = (DataReader::new(1_000), Body::new(String::new(), 40 << 20));
                for piece in data.chunks(16 << 10) {
                    reader.read(black_box(piece), &mut body);
                }
                body.finish().map(|octets| octets.len()).ok()
            });
        });
    }
    group.finish();
}

fn mailbox(text: &str) -> Mailbox {
    Mailbox::parse(text).expect("a mailbox")
}

fn draft(text: String) -> Draft {
    Draft {
        from: mailbox("Ann Lee <ann@sender.example>"),
        to: vec![mailbox("Bob <bob@receiver.example>")],
        cc: vec![],
        reply_to: vec![mailbox("answers@sender.example")],
        subject: "Your order of today is on its way".to_owned(),
        html: Some(format!("<p>{text}</p>")),
        text: Some(text),
        attachments: vec![],
        headers: vec![("X-Order".to_owned(), "4711".to_owned())],
    }
}

fn messages(c: &mut Criterion) {
    let draft = draft("A line of text.\n".repeat(64));
    c.bench_function("MIME compose, text and HTML of 1 KB", |b| b.iter(|| compose(black_box(&draft))));
}

/// What signatures of a mail cost: to one recipient; to 50, who share one; to 50, each with a field of its own. What
/// `openssl speed rsa2048` says of the same machine is the measure, and the operation alone stands beside.
fn signing(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let pairs = [
        ("RSA 2048", Algorithm::Rsa, runtime.block_on(Pair::rsa(2048)).expect("a pair")),
        ("Ed25519", Algorithm::Ed25519, Pair::ed25519().expect("a pair")),
    ];
    let (now, forms) = (Timestamp::from_secs(1_800_000_000), Canonicalization::default());
    let mut group = c.benchmark_group("sign");
    for (name, algorithm, pair) in pairs {
        let row = pair.easy(Timestamp::from_secs(0)).remove(0);
        let (domain, selector) = ("sender.example".to_owned(), row.selector);
        if algorithm == Algorithm::Rsa {
            let alone = RsaKeyPair::from_pkcs8(&row.private_key).expect("a key");
            let mut signature = vec![0; alone.public_modulus_len()];
            group.bench_function(format!("{name}, the operation alone"), |b| {
                b.iter(|| {
                    alone.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), black_box(b"some octets"), &mut signature)
                });
            });
        }
        let key = SigningKey { domain, selector, algorithm, private_key: row.private_key };
        let signer = Signer::new(&key).expect("a key");
        for (size, lines) in [("1 KB", 30), ("50 KB", 1_550)] {
            let message = compose(&draft("A line of text.\n".repeat(lines))).expect("a message");
            let sign = |headers: &str| {
                let signable = Signable::of(headers.as_bytes(), black_box(&message), forms);
                signable.sign(&signer, now).map_or(0, |field| field.len())
            };
            group.bench_function(format!("{name}, {size}, 1 recipient"), |b| {
                b.iter(|| sign("X-Postrider-Id: fb-0\r\n"))
            });
            group.bench_function(format!("{name}, {size}, 50 recipients who share"), |b| b.iter(|| sign("")));
            group.bench_function(format!("{name}, {size}, 50 recipients who do not"), |b| {
                let fields: Vec<String> = (0..50).map(|n| format!("X-Postrider-Id: fb-{n}\r\n")).collect();
                b.iter(|| fields.iter().map(|field| sign(field)).sum::<usize>());
            });
        }
    }
    group.finish();
}

/// A SendMessage of 1 KB as a client sends it.
fn signed_request() -> Request {
    let body = format!(r#"{{"QueueUrl":"http://h/000000000000/q","MessageBody":"{}"}}"#, "x".repeat(1024));
    let plain = [
        ("content-type", "application/x-amz-json-1.0"),
        ("host", "127.0.0.1:4566"),
        ("x-amz-target", "AmazonSQS.SendMessage"),
    ];
    let signed = sigv4::Signer::new(KEY, SECRET, "us-east-1", "sqs").sign("/", &plain, body.as_bytes());
    let signed = signed.lines().filter_map(|line| line.split_once(": "));
    let mut headers = HeaderMap::new();
    for (name, value) in plain.into_iter().chain(signed) {
        headers.insert(http::HeaderName::from_bytes(name.as_bytes()).expect("a name"), value.parse().expect("a value"));
    }
    Request {
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers,
        body: Bytes::from(body),
        body_hash: None,
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        long_wait: Default::default(),
        id: String::new(),
    }
}

fn signatures(c: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let dir = tempfile::tempdir().expect("a folder");
    // The time stands still, so that the key stays known and no look into the store is measured.
    let clock = Clock::manual(Clock::system().now());
    let gate = runtime.block_on(async {
        let database = Database::Sqlite(dir.path().join("bench.db"));
        let store = Store::open(&database, clock.clone()).await.expect("a store");
        let given = Some((KEY.to_owned(), Secret::new(SECRET.to_owned())));
        ensure_root(&store, dir.path(), given).await.expect("a key");
        Gate::new(Access::new(store, Trust::KnownKeys), clock)
    });
    let request = signed_request();
    c.bench_function("SigV4 verify, 1 KB", |b| {
        b.iter(|| {
            let identity = runtime.block_on(gate.identify(black_box(&request), &sqs::API, false));
            assert!(identity.is_ok());
        });
    });
}

/// Some of Publish.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Publish {
    topic_arn: String,
    subject: String,
    message: String,
}

fn requests(c: &mut Criterion) {
    let body = format!(
        "Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3Atopic&Subject=Hello+you\
         &MessageAttributes.entry.1.Name=kind&MessageAttributes.entry.1.Value.DataType=String\
         &MessageAttributes.entry.1.Value.StringValue=order&Message={}",
        "some+text%20".repeat(80)
    );
    c.bench_function("Query decode, Publish of 1 KB", |b| {
        b.iter(|| {
            let form = Form::parse(black_box(body.as_bytes())).expect("a form");
            let read: Publish = form_decode::decode(&form, sns::API.names).expect("a request");
            read.topic_arn.len() + read.subject.len() + read.message.len()
        });
    });
    let policy = r#"{"kind": ["order", {"prefix": "re"}], "price": [{"numeric": [">", 10, "<=", 100]}],
        "who": [{"anything-but": ["test"]}], "place": {"city": [{"exists": true}]}}"#;
    let policy = FilterPolicy::parse(policy, PolicyScope::Body).expect("a policy");
    let body = r#"{"kind": "refund", "price": 42.5, "who": "ann", "place": {"city": "Bern", "zip": 3000}}"#;
    let facts = Facts::of_body(body).expect("an object");
    c.bench_function("filter policy, match", |b| {
        b.iter(|| policy.matches(black_box(&facts), &mut Budget::new(100_000)));
    });
    c.bench_function("filter policy, read a body and match", |b| {
        b.iter(|| {
            Facts::of_body(black_box(body))
                .is_some_and(|facts| policy.matches(&facts, &mut Budget::new(100_000)) == Ok(true))
        });
    });
}

fn refusals(c: &mut Criterion) {
    let replies = [
        "5.1.1 <someone@receiver.example>: Recipient address rejected: User unknown in virtual mailbox table",
        "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1",
        "5.2.2 The recipient's inbox is out of storage space. Please direct the recipient to clear some of it",
    ];
    let classifier = Classifier::default();
    c.bench_function("three refusals judged", |b| {
        b.iter(|| {
            replies
                .map(|text| classifier.judge(&Said { code: Some(550), text: black_box(text), ..Said::default() }).cause)
        });
    });
}

criterion_group!(rooms, smtp, messages, signing, signatures, requests, refusals);
criterion_main!(rooms);
