//! What a refusal means to who sent: the event's type, and whether the address is suppressed; at delivery and in reports.
use std::net::Ipv4Addr;

use postrider::base::{AccountId, Region};
use postrider::config::Given;
use postrider::store::suppressed;
use serde_json::Value;

use crate::both_engines;
use crate::faults::{At, Fault, FaultyReceiver};
use crate::feedback::{World, world};
use crate::outbound_bench::{Bench, bench};
use crate::ses_house::object;

const BOB: &str = "bob@there.example";

/// Where a host refuses, what it says, and the type of the bounce. What is permanent is suppressed, nothing else.
const REPLIES: [(At, &str, &str); 20] = [
    (At::Rcpt, "550 5.1.1 <to@x.example>: Recipient address rejected: User unknown", "Permanent/General"),
    (At::Rcpt, "550 5.5.0 Requested action not taken: mailbox unavailable", "Permanent/General"),
    (At::Content, "554 delivery error: dd This user doesn't have a yahoo.com account", "Permanent/General"),
    (At::Rcpt, "553 5.3.0 <to@x.example>... No such user here", "Permanent/General"),
    (At::Rcpt, "550 5.2.1 The email account that you tried to reach is disabled", "Permanent/General"),
    (At::Rcpt, "550 \u{5b9b}\u{5148}\u{4e0d}\u{660e}", "Permanent/General"),
    (At::Rcpt, "550 Blocked for abuse", "Transient/General"),
    (
        At::Rcpt,
        "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org",
        "Transient/General",
    ),
    (At::Mail, "550 5.1.0 sender rejected", "Transient/General"),
    (At::Rcpt, "550 5.1.0 sender rejected", "Transient/General"),
    (
        At::Rcpt,
        "550 5.2.1 The user is receiving mail at a rate that prevents more from being delivered",
        "Transient/General",
    ),
    (At::Content, "550 DMARC check failed", "Transient/General"),
    (At::Rcpt, "550 5.1.1 SPF fail: 192.0.2.1 is not allowed to send", "Transient/General"),
    (At::Rcpt, "550 5.1.8 Sender address rejected: user unknown", "Transient/General"),
    (At::Rcpt, "550 5.7.1 relaying denied", "Transient/General"),
    (At::Rcpt, "552 5.2.2 mailbox full", "Transient/MailboxFull"),
    (At::Rcpt, "550 5.1.1 over quota", "Transient/MailboxFull"),
    (At::Content, "552 5.3.4 message too large", "Transient/MessageTooLarge"),
    (At::Content, "554 5.7.1 spam", "Transient/ContentRejected"),
    (At::Content, "552 5.7.0 blocked because of an attachment", "Transient/AttachmentRejected"),
];

fn kind(bounce: &Value) -> String {
    let word = |name: &str| bounce[name].as_str().unwrap_or_default().to_owned();
    format!("{}/{}", word("bounceType"), word("bounceSubType"))
}

async fn is_suppressed(b: &Bench, address: &str) -> bool {
    let (account, region) = (AccountId::development(), Region::default_region());
    let mut tx = b.store.reader().await.expect("a reader");
    suppressed::find(&mut tx, &account, &region, address).await.expect("read").is_some()
}

/// A report of the standard's form in which only the text says why.
fn in_words(to: &str, status: &str, says: &str) -> String {
    format!(
        "From: MAILER-DAEMON@mx.there.example\nSubject: Undelivered Mail\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=B\n\n--B\nContent-Type: text/plain; charset=utf-8\n\n\
         The message was not delivered.\n\n{to}\n    {says}\n--B\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.there.example\n\n\
         Final-Recipient: rfc822; {to}\nAction: failed\nStatus: {status}\n\n--B--\n"
    )
}

async fn forgive(w: &World) {
    w.watched.ses.delete_suppressed_destination().email_address(BOB).send().await.ok();
}

async fn bob_is_suppressed(w: &World) -> bool {
    w.watched.ses.get_suppressed_destination().email_address(BOB).send().await.is_ok()
}

both_engines! {
    async fn a_refusal_at_delivery_has_its_type_and_only_bad_addresses_are_suppressed(engine: Engine) {
        let probe = std::net::TcpListener::bind("127.0.9.250:0").expect("a free port");
        let port = probe.local_addr().expect("bound").port();
        let b = bench(engine, "mx", port).await;
        let mut receivers = Vec::new();
        for (n, (at, says, _)) in REPLIES.iter().enumerate() {
            let address = Ipv4Addr::new(127, 0, 9, u8::try_from(n + 1).expect("few"));
            receivers.push(FaultyReceiver::start(&format!("{address}:{port}"), &[], Some((*at, Fault::Says(says)))).await);
            b.dns.mx(&format!("r{n}.example"), 10, &format!("mx.r{n}.example"));
            b.dns.a(&format!("mx.r{n}.example"), address);
            b.send(&[&format!("to@r{n}.example")]).await;
        }
        assert_eq!(b.round().await, REPLIES.len());
        let events = b.events().await;
        for (n, (at, says, wanted)) in REPLIES.iter().enumerate() {
            let address = format!("to@r{n}.example");
            let own = |event: &&Value| event["bounce"]["bouncedRecipients"][0]["emailAddress"] == address.as_str();
            let event = events.iter().find(own).unwrap_or_else(|| panic!("{says}: {events:?}"));
            assert_eq!(kind(&event["bounce"]), *wanted, "{at:?} {says}");
            assert_eq!(is_suppressed(&b, &address).await, wanted.starts_with("Permanent"), "{at:?} {says}");
        }
    }

    async fn a_host_without_smtputf8_suppresses_nobody(engine: Engine) {
        let probe = std::net::TcpListener::bind("127.0.9.251:0").expect("a free port");
        let b = bench(engine, "mx", probe.local_addr().expect("bound").port()).await;
        let place = format!("127.0.9.249:{}", probe.local_addr().expect("bound").port());
        let _plain = FaultyReceiver::start(&place, &["8BITMIME"], None).await;
        b.dns.mx("plain.example", 10, "mx.plain.example");
        b.dns.a("mx.plain.example", Ipv4Addr::new(127, 0, 9, 249));
        b.send(&["j\u{fc}rgen@plain.example"]).await;
        assert_eq!(b.round().await, 1);
        let events = b.events().await;
        let bounce = object(&events, "bounce").expect("a bounce");
        assert_eq!((kind(&bounce).as_str(), bounce["bouncedRecipients"][0]["status"].as_str()), ("Transient/General", Some("5.6.7")));
        assert!(!is_suppressed(&b, "j\u{fc}rgen@plain.example").await);
    }

    async fn a_report_has_its_type_and_only_bad_addresses_are_suppressed(engine: Engine) {
        let w = world(engine, Given::default()).await;
        for (status, says, wanted) in [
            ("5.0.0", "mailbox is full: retry timeout exceeded", "Transient/MailboxFull"),
            ("5.3.0", "the delivery program exited abnormally", "Transient/General"),
            ("5.0.0", "account disabled", "Permanent/General"),
            ("5.1.1", "550 5.7.1 blacklisted", "Transient/General"),
            ("5.0.0", "gave up after five days", "Transient/General"),
            ("5.0.0", "host not found", "Permanent/General"),
            ("5.0.0", "utilisateur inconnu", "Permanent/General"),
            ("5.0.0", "so it is", "Undetermined/Undetermined"),
        ] {
            forgive(&w).await;
            let (_, mail) = w.send().await;
            let events = w.bounce("", &mail.from, &in_words(BOB, status, says)).await;
            let bounce = object(&events, "bounce").unwrap_or_else(|| panic!("{says}: {events:?}"));
            assert_eq!(kind(&bounce), wanted, "{says}");
            assert_eq!(bob_is_suppressed(&w).await, wanted.starts_with("Permanent"), "{says}");
        }
    }

    async fn a_success_is_no_bounce_and_a_subject_no_complaint(engine: Engine) {
        let w = world(engine, Given::default()).await;
        let (_, mail) = w.send().await;
        for action in ["delivered", "deliverable", "relayed", "expanded"] {
            let report = in_words(BOB, "2.1.5", "it arrived").replace("Action: failed", &format!("Action: {action}"));
            assert!(w.bounce("", &mail.from, &report).await.is_empty(), "{action}");
        }
        let report = in_words(BOB, "5.1.1", "550 5.1.1 no such user").replace("Subject: Undelivered Mail", "Subject: your monthly spam report");
        let report = report.replace("--B--", "--B\nContent-Type: message/rfc822\n\nSubject: abuse report\n\nx\n--B--");
        let events = w.bounce("", &mail.from, &report).await;
        let [event] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((event["eventType"].as_str(), kind(&event["bounce"]).as_str()), (Some("Bounce"), "Permanent/General"));
        let found = w.watched.ses.get_suppressed_destination().email_address(BOB).send().await.expect("it is there");
        assert_eq!(found.suppressed_destination.expect("it is there").reason().as_str(), "BOUNCE");
    }

    async fn an_operators_rules_hold_at_both_places_and_wrong_ones_stop_the_start(engine: Engine) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("rules.toml");
        let rule = "[[rule]]\nname = \"ours\"\ncause = \"rate\"\nsource = \"seen here\"\nwords = [\"no such user\"]\nexamples = [\"550 no such user\"]\n";
        std::fs::write(&path, rule).expect("written");
        let mut given = Given::default();
        given.feedback.bounce_rules = Some(path);
        let w = world(engine, given).await;
        w.watched.send(&["permfail@there.example"]).await;
        let events = w.events().await;
        assert_eq!(object(&events, "bounce").map(|bounce| kind(&bounce)).as_deref(), Some("Transient/General"), "{events:?}");
        let (_, mail) = w.send().await;
        let events = w.bounce("", &mail.from, &in_words(BOB, "5.1.1", "no such user")).await;
        assert_eq!(object(&events, "bounce").map(|bounce| kind(&bounce)).as_deref(), Some("Transient/General"), "{events:?}");
        assert!(!bob_is_suppressed(&w).await);
    }
}
