//! The actions that lead out of a mail: functions, webhooks, queues, forwarding; and who may deliver at all.
use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use postrider::base::{Arn, EmailAddress, Scope};
use postrider::mail::receiving::filters::{Filter, Policy};
use postrider::mail::receiving::rules::{Action, Encoding, Rule, TlsPolicy};
use postrider::mail::receiving::{Error, Routed};
use postrider::store::inbound_mails::State;
use postrider::workers::SystemQueue;
use sha2::Sha256;

use crate::both_engines;
use crate::receiving_bench::{Bench, HELLO, address, bench, rule, sns};
use crate::webhook::Answer;

const ANN: Option<&str> = Some("ann@there.example");
const SECRET: &str = "a secret of more than 16";
const MAIL: &str = "From: Ann <ann@there.example>\r\nTo: bob@here.example\r\nSubject: hello\r\nMIME-Version: 1.0\r\n\
    Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain\r\n\r\nhi\r\n\
    --m\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAEC\r\n--m--\r\n";

fn function(name: &str) -> Arn {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}").parse().expect("an ARN")
}

fn lambda(waits: bool) -> Action {
    Action::Lambda { function: function("decide"), waits, topic: None }
}

fn s3(bucket: &str) -> Action {
    Action::S3 { bucket: bucket.to_owned(), prefix: None, topic: None, role: None, kms: None }
}

fn webhook(b: &Bench, secret: &str) -> Action {
    Action::Webhook {
        url: b.runtime.url("/hook"),
        secret: secret.to_owned(),
        bucket: Some("my-mail".to_owned()),
        prefix: Some("in/".to_owned()),
        topic: None,
    }
}

fn decides(disposition: &str) -> Answer {
    Answer::Status(200, format!("{{\"disposition\":\"{disposition}\"}}"))
}

fn secret_of(rule: &Rule) -> &str {
    match rule.actions.first() {
        Some(Action::Webhook { secret, .. }) => secret,
        other => panic!("{other:?}"),
    }
}

both_engines! {
    async fn a_function_decides_how_the_mail_goes_on(engine: Engine) {
        let b = bench(engine).await;
        let first = rule("first", &[], vec![lambda(true), s3("first-mail")]);
        b.activate(&b.owner, vec![first, rule("second", &[], vec![s3("second-mail")])]).await;
        for (answer, in_first, in_second) in [
            (decides("CONTINUE"), true, true),
            (decides("STOP_RULE"), false, true),
            (decides("STOP_RULE_SET"), false, false),
            (Answer::Status(200, "null".to_owned()), true, true),
        ] {
            b.runtime.answer([answer.clone()]);
            let id = b.accept(ANN, &["bob@here.example"], HELLO).await.expect("accepted");
            assert_eq!(b.round().await, 1);
            assert_eq!(b.state(&id).await.0, State::Done, "{answer:?}");
            assert_eq!(b.object("first-mail", &id).is_some(), in_first, "{answer:?}");
            assert_eq!(b.object("second-mail", &id).is_some(), in_second, "{answer:?}");
        }
        let event = b.runtime.arrived()[0].json();
        assert_eq!(b.runtime.arrived()[0].header("x-amz-invocation-type"), "RequestResponse");
        let record = &event["Records"][0];
        assert_eq!((&record["eventSource"], &record["eventVersion"]), (&"aws:ses".into(), &"1.0".into()));
        assert_eq!(record["ses"]["mail"]["commonHeaders"]["subject"], "hello");
        assert_eq!(record["ses"]["receipt"]["recipients"][0], "bob@here.example");
        let action = serde_json::json!({
            "type": "Lambda", "functionArn": function("decide").to_string(), "invocationType": "RequestResponse"
        });
        assert_eq!(record["ses"]["receipt"]["action"], action);
        assert!(record["ses"].get("content").is_none());
    }

    async fn without_its_answer_nothing_happens_until_it_comes(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        b.activate(&b.owner, vec![rule("all", &[], vec![lambda(true), sns(&topic), s3("my-mail")])]).await;
        let failed = Answer::Header(200, ("x-amz-function-error", "Unhandled"), "{}".to_owned());
        b.runtime.answer([failed, Answer::status(502)]);
        let id = b.accept(ANN, &["bob@here.example"], HELLO).await.expect("accepted");
        for _ in 0..2 {
            assert_eq!(b.round().await, 1);
            assert!(b.told("mail").await.is_empty() && b.object("my-mail", &id).is_none());
            assert_eq!(b.state(&id).await.0, State::Waiting);
            b.clock.advance(Duration::from_secs(60));
        }
        assert_eq!(b.round().await, 1);
        assert_eq!(b.state(&id).await.0, State::Done);
        assert!(b.told("mail").await.len() == 1 && b.object("my-mail", &id).is_some());
    }

    async fn a_function_that_never_answers_does_not_lose_the_mail(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![lambda(true), s3("my-mail")])]).await;
        b.runtime.answer((0..100).map(|_| Answer::status(503)));
        let id = b.accept(ANN, &["bob@here.example"], HELLO).await.expect("accepted");
        let mut rounds = 0;
        while b.state(&id).await.0 == State::Waiting {
            assert!(b.round().await == 1 && rounds < 100);
            rounds += 1;
            b.clock.advance(Duration::from_secs(3_600));
        }
        assert!(b.object("my-mail", &id).is_some(), "the mail goes on at last");
        let (state, note) = b.state(&id).await;
        assert!(state == State::Failed && note.contains("503"), "{note}");
    }

    async fn an_event_is_queued_and_has_attempts_of_its_own(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("mail").await;
        let event = Action::Lambda { function: function("decide"), waits: false, topic: Some(topic) };
        b.activate(&b.owner, vec![rule("all", &[], vec![event, s3("my-mail")])]).await;
        b.runtime.answer([Answer::status(500), Answer::status(202)]);
        let id = b.accept(ANN, &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        assert!(b.runtime.arrived().is_empty(), "the mail does not wait for it");
        assert_eq!(b.state(&id).await.0, State::Done);
        let told = b.told("mail").await;
        assert_eq!(told[0]["receipt"]["action"]["invocationType"], "Event");
        assert!(b.object("my-mail", &id).is_some());
        assert_eq!(b.round().await, 1);
        b.clock.advance(Duration::from_secs(60));
        assert_eq!(b.round().await, 1);
        assert_eq!(b.runtime.arrived().len(), 2);
        assert_eq!(b.runtime.arrived()[1].header("x-amz-invocation-type"), "Event");
        b.clock.advance(Duration::from_secs(3_600));
        assert_eq!(b.round().await, 0);
    }

    async fn a_webhook_gets_the_parsed_mail_signed(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![webhook(&b, SECRET)])]).await;
        b.runtime.answer([Answer::status(500)]);
        let id = b.accept(ANN, &["bob@here.example"], MAIL).await.expect("accepted");
        assert_eq!((b.round().await, b.round().await), (1, 1));
        b.clock.advance(Duration::from_secs(60));
        assert_eq!(b.round().await, 1);
        let [first, second] = b.runtime.arrived().try_into().expect("two attempts");
        assert_eq!((first.target.as_str(), &first.body), ("/hook", &second.body));
        assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
        assert_ne!(first.header("webhook-signature"), second.header("webhook-signature"), "the time is signed");
        let (name, time) = (second.header("webhook-id"), second.header("webhook-timestamp"));
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        mac.update(format!("{name}.{time}.{}", second.body).as_bytes());
        assert_eq!(second.header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));

        let told = second.json();
        assert_eq!(told["mail"]["messageId"], id.as_str());
        assert_eq!(told["receipt"]["action"]["type"], "Webhook");
        let content = &told["content"];
        assert_eq!((&content["text"], &content["html"]), (&"hi".into(), &serde_json::Value::Null));
        let attached = &content["attachments"][0];
        assert_eq!((&attached["fileName"], &attached["contentType"]), (&"a.pdf".into(), &"application/pdf".into()));
        assert_eq!((&attached["size"], &attached["bucketName"]), (&3.into(), &"my-mail".into()));
        assert_eq!(b.object("my-mail", attached["objectKey"].as_str().expect("a key")).as_deref(), Some("\0\u{1}\u{2}"));
        let whole = b.object("my-mail", content["message"]["objectKey"].as_str().expect("a key")).expect("the mail");
        assert!(whole.ends_with(MAIL) && whole.starts_with("Return-Path: <ann@there.example>"));
    }

    async fn a_secret_is_kept_sealed_and_an_update_may_leave_it_out(engine: Engine) {
        let b = bench(engine).await;
        let new = rule("all", &[], vec![webhook(&b, "")]);
        b.receiving.create_rule_set(&b.owner, "set").await.expect("a rule set");
        let refused = b.receiving.create_rule(&b.owner, "set", new.clone(), None).await;
        assert!(matches!(refused, Err(Error::Invalid(text)) if text.contains("secret")));
        let with = rule("all", &[], vec![webhook(&b, SECRET)]);
        b.receiving.create_rule(&b.owner, "set", with, None).await.expect("a rule");
        let kept = b.receiving.rule(&b.owner, "set", "all").await.expect("the rule");
        b.receiving.update_rule(&b.owner, "set", new).await.expect("changed");
        assert_eq!(b.receiving.rule(&b.owner, "set", "all").await.expect("the rule"), kept);
        assert!(!secret_of(&kept).contains(SECRET), "it is sealed");
    }

    async fn a_webhook_that_is_gone_is_given_up_and_the_mail_is_done(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![webhook(&b, SECRET)])]).await;
        b.runtime.answer([Answer::status(410)]);
        let id = b.accept(ANN, &["bob@here.example"], MAIL).await.expect("accepted");
        assert_eq!((b.round().await, b.round().await, b.round().await), (1, 1, 0));
        assert_eq!(b.state(&id).await.0, State::Done);
        assert_eq!(b.waiting(SystemQueue::Inbound.dead_letters_id()).await, 1);
    }

    async fn a_queue_gets_the_mail_itself(engine: Engine) {
        let b = bench(engine).await;
        let scope = Scope { account: b.owner.account.clone(), region: b.owner.region.clone() };
        let small = BTreeMap::from([("MaximumMessageSize".to_owned(), "1024".to_owned())]);
        b.queues.create(&scope, "in", BTreeMap::new(), BTreeMap::new()).await.expect("a queue");
        b.queues.create(&scope, "small", small, BTreeMap::new()).await.expect("a queue");
        let queue = |name: &str| Arn::new("sqs", &scope.region, &scope.account, name);
        let sqs = |name: &str| Action::Sqs { queue: queue(name), encoding: Encoding::Base64, topic: None };
        b.receiving.create_rule_set(&b.owner, "other").await.expect("a rule set");
        let missing = b.receiving.create_rule(&b.owner, "other", rule("r", &[], vec![sqs("gone")]), None).await;
        assert!(matches!(missing, Err(Error::Invalid(text)) if text.contains("gone")));
        b.activate(&b.owner, vec![rule("all", &[], vec![sqs("in")]), rule("small", &["eve@here.example"], vec![sqs("small")])]).await;
        b.accept(ANN, &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        let told = b.told("in").await.remove(0);
        let action = serde_json::json!({"type": "SQS", "queueArn": queue("in").to_string(), "encoding": "BASE64"});
        assert_eq!(told["receipt"]["action"], action);
        let mail = STANDARD.decode(told["content"].as_str().expect("the mail")).expect("base64");
        assert!(mail.ends_with(HELLO.as_bytes()));

        let id = b.accept(ANN, &["eve@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        assert_eq!(b.told("in").await.len(), 1, "the other queue has it");
        let (state, note) = b.state(&id).await;
        assert!(state == State::Failed && note.contains("larger than queue"), "{note}");
        let huge = format!("{HELLO}{}", "x".repeat(70).to_owned() + "\r\n").replace("hi", &"long line\r\n".repeat(100_000));
        b.accept(ANN, &["bob@here.example"], &huge).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        assert!(b.told("in").await.is_empty());
        assert!(b.sent().await.iter().any(|(_, _, to, text)| to == "ann@there.example" && text.contains("5.3.4")));
    }

    async fn a_forwarded_mail_goes_on_in_the_receivers_name_and_never_in_circles(engine: Engine) {
        let b = bench(engine).await;
        let to: Vec<EmailAddress> = vec![address("carol@else.example"), address("dave@else.example")];
        b.activate(&b.owner, vec![rule("all", &[], vec![Action::Forward { to, topic: None }])]).await;
        b.accept(ANN, &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        let sent = b.sent().await;
        assert_eq!(sent.len(), 2);
        for (source, return_path, recipient, text) in &sent {
            assert_eq!((source.as_str(), return_path.as_str()), ("bob@here.example", "bob@here.example"));
            assert!(recipient.ends_with("@else.example"));
            assert!(text.starts_with("Delivered-To: bob@here.example\r\nReceived: from client.there.example"), "{text}");
            assert!(text.ends_with(HELLO) && !text.contains("Return-Path:"));
        }
        // A bounce goes on without a sender, so that it can make no other.
        b.accept(None, &["bob@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        assert_eq!(b.sent().await.iter().filter(|(_, return_path, ..)| return_path.is_empty()).count(), 2);
        // What was here before does not go on: its sender is told, once.
        let before = b.sent().await.len();
        let again = format!("Delivered-To: bob@here.example\r\n{HELLO}");
        b.accept(ANN, &["bob@here.example"], &again).await.expect("accepted");
        b.accept(None, &["bob@here.example"], &again).await.expect("accepted");
        assert_eq!(b.round().await, 2);
        let sent = b.sent().await;
        assert_eq!(sent.len(), before + 1);
        assert!(sent.iter().any(|(.., to, text)| to == "ann@there.example" && text.contains("Status: 5.4.6")));
    }

    async fn filters_decide_who_may_deliver(engine: Engine) {
        let b = bench(engine).await;
        b.activate(&b.owner, vec![rule("all", &[], vec![])]).await;
        let filter = |name: &str, policy, cidr: &str| Filter { name: name.to_owned(), policy, cidr: cidr.to_owned() };
        let all = [
            filter("wide", Policy::Block, "192.0.2.1/24"),
            filter("narrow", Policy::Allow, "192.0.2.7"),
            filter("six", Policy::Block, "2001:db8::/32"),
        ];
        for new in all.clone() {
            b.receiving.create_filter(&b.owner, new).await.expect("a filter");
        }
        let taken = b.receiving.create_filter(&b.owner, all[0].clone()).await;
        assert!(matches!(taken, Err(Error::FilterExists(name)) if name == "wide"));
        for bad in [filter("bad", Policy::Block, "192.0.2.1/33"), filter("b d", Policy::Block, "::1")] {
            assert!(matches!(b.receiving.create_filter(&b.owner, bad).await, Err(Error::Invalid(_))));
        }
        let mut names: Vec<String> = b.receiving.filters(&b.owner).await.expect("filters").into_iter().map(|f| f.name).collect();
        names.sort();
        assert_eq!(names, ["narrow", "six", "wide"]);
        for (peer, open) in [("192.0.2.7", true), ("192.0.2.8", false), ("2001:db8::1", false), ("198.51.100.1", true)] {
            let routed = b.routed("bob@here.example", peer, false).await;
            assert_eq!(matches!(routed, Routed::To(_)), open, "{peer}");
            assert!(open || routed == Routed::Blocked);
            assert_eq!(b.routed("bob@elsewhere.example", peer, false).await, Routed::Nobody);
        }
        b.receiving.delete_filter(&b.owner, "wide").await.expect("deleted");
        b.receiving.delete_filter(&b.owner, "wide").await.expect("as before");
        assert!(matches!(b.routed("bob@here.example", "192.0.2.8", false).await, Routed::To(_)));
        for n in 2..100 {
            b.receiving.create_filter(&b.owner, filter(&format!("f{n}"), Policy::Allow, "10.0.0.1")).await.expect("a filter");
        }
        let many = b.receiving.create_filter(&b.owner, filter("more", Policy::Allow, "10.0.0.1")).await;
        assert!(matches!(many, Err(Error::LimitExceeded(_))));
    }

    async fn a_postmaster_is_always_there(engine: Engine) {
        let b = bench(engine).await;
        assert_eq!(b.routed("postmaster@here.example", "192.0.2.7", false).await, Routed::Nobody, "nothing is received");
        assert!(b.route("postmaster@mx.here.example", false).await.is_some(), "but for this server itself");
        let secure = Rule { tls: TlsPolicy::Require, ..rule("eve", &["eve@here.example"], vec![s3("my-mail")]) };
        b.activate(&b.owner, vec![secure]).await;
        assert_eq!(b.routed("eve@here.example", "192.0.2.7", false).await, Routed::NeedsTls);
        assert_eq!(b.routed("bob@here.example", "192.0.2.7", false).await, Routed::Nobody);
        let id = b.accept(ANN, &["PostMaster@here.example"], HELLO).await.expect("accepted");
        assert_eq!(b.round().await, 1);
        assert_eq!(b.state(&id).await.0, State::Done);
        assert!(b.object("postmaster", &id).expect("kept").ends_with(HELLO));
    }

    async fn functions_must_be_known(engine: Engine) {
        let b = bench(engine).await;
        b.receiving.create_rule_set(&b.owner, "set").await.expect("a rule set");
        for (name, known) in [("decide", true), ("other", false)] {
            let action = Action::Lambda { function: function(name), waits: true, topic: None };
            let made = b.receiving.create_rule(&b.owner, "set", rule(name, &[], vec![action]), None).await;
            assert_eq!(made.is_ok(), known);
            assert!(known || matches!(made, Err(Error::UnknownFunction(_))));
        }
    }
}
