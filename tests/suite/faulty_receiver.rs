//! A receiver that fails at each stage in each way: every recipient is accounted for, with exactly one final event.
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use postrider::store::mails::Status;
use serde_json::Value;

use crate::both_engines;
use crate::faults::{At, Fault, FaultyReceiver};
use crate::outbound_bench::{Bench, bench};

const OFFERS: &[&str] = &["PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000"];
const OFFERS_TLS: &[&str] = &["STARTTLS", "8BITMIME"];

/// What became of a recipient after one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Delivered,
    Bounced,
    Waits,
}

use After::{Bounced, Delivered, Waits};

/// Every fault but hanging, and what it does to the first attempt.
fn faults() -> Vec<(At, Fault, After)> {
    use Fault::{Endless, Garbage, Leaves, NotUtf8, Says};
    let mut all = Vec::new();
    for at in [At::Banner, At::Hello, At::Mail, At::Rcpt, At::Data, At::Content] {
        for fault in [Leaves, Garbage, Endless, Says("451 4.3.0 try later"), Says("421 4.3.2 closing")] {
            all.push((at, fault, Waits));
        }
        all.push((at, NotUtf8, Delivered));
    }
    for at in [At::Mail, At::Rcpt, At::Data, At::Content] {
        all.push((at, Says("550 5.7.1 no"), Bounced));
        all.push((at, Says("250-\u{fffd}\r\n550 5.0.0 two codes"), Waits));
    }
    all.push((At::Banner, Says("554 5.7.1 go away"), Waits));
    all.push((At::Hello, Says("502 what is that"), Waits));
    // TLS that breaks leaves the clear.
    for fault in [Leaves, Garbage, Endless, Says("454 4.7.0 not now"), Says("550 never")] {
        all.push((At::StartTls, fault, Delivered));
        all.push((At::Handshake, fault, Delivered));
    }
    all
}

/// A domain of its own for each fault, with a receiver at an address of its own.
async fn receivers(b: &Bench, port: u16, faults: &[(At, Fault, After)]) -> Vec<FaultyReceiver> {
    let mut all = Vec::new();
    for (n, (at, fault, _)) in faults.iter().enumerate() {
        let address = Ipv4Addr::new(127, 0, 7, u8::try_from(n + 1).expect("few"));
        let offers = if matches!(at, At::StartTls | At::Handshake) { OFFERS_TLS } else { OFFERS };
        let place = format!("{address}:{port}");
        all.push(FaultyReceiver::start(&place, offers, Some((*at, *fault))).await);
        b.dns.mx(&format!("d{n}.example"), 10, &format!("mx.d{n}.example"));
        b.dns.a(&format!("mx.d{n}.example"), address);
    }
    all
}

/// A bench whose mail hosts listen on a port that is free on other addresses of loopback too, most likely.
async fn faulty_bench(engine: crate::engine::Engine) -> (Bench, u16) {
    let probe = std::net::TcpListener::bind("127.0.7.250:0").expect("a free port");
    let port = probe.local_addr().expect("bound").port();
    (bench(engine, "mx", port).await, port)
}

/// How many final events each recipient has.
fn final_events(events: &[Value]) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for event in events {
        let addresses: Vec<&Value> = match event["eventType"].as_str() {
            Some("Delivery") => event["delivery"]["recipients"].as_array().into_iter().flatten().collect(),
            Some("Bounce") => {
                let bounced = event["bounce"]["bouncedRecipients"].as_array().into_iter().flatten();
                bounced.map(|to| &to["emailAddress"]).collect()
            }
            _ => vec![],
        };
        for address in addresses {
            *counts.entry(address.as_str().unwrap_or_default().to_owned()).or_insert(0) += 1;
        }
    }
    counts
}

/// Sends one mail per fault, works one round of each, and says what became of them.
async fn first_attempts(b: &Bench, faults: &[(At, Fault, After)]) -> Vec<String> {
    let mut mails = Vec::new();
    for n in 0..faults.len() {
        mails.push(b.send(&[&format!("to@d{n}.example")]).await);
    }
    assert_eq!(b.round().await, faults.len());
    for (mail, (at, fault, after)) in mails.iter().zip(faults) {
        let to = &b.recipients(mail).await[0];
        let is = match to.status {
            Status::Delivered => Delivered,
            Status::Bounced => Bounced,
            _ => Waits,
        };
        assert_eq!((is, to.attempts), (*after, 1), "{at:?} {fault:?}: {to:?}");
        assert!(!b.attempts(mail, 0).await[0].transcript.is_empty());
    }
    mails
}

async fn all_have_one_final_event(b: &Bench, mails: &[String]) {
    let counts = final_events(&b.events().await);
    for mail in mails {
        let to = &b.recipients(mail).await[0];
        assert_eq!(counts.get(&to.address), Some(&1), "{to:?}");
    }
    assert_eq!(counts.len(), mails.len());
}

/// Lets the other side begin to wait for what will not come.
async fn settle() {
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}

both_engines! {
    async fn who_fails_and_is_healed_gets_each_mail_once(engine: Engine) {
        let faults = faults();
        let (b, port) = faulty_bench(engine).await;
        let receivers = receivers(&b, port, &faults).await;
        let mails = first_attempts(&b, &faults).await;
        receivers.iter().for_each(FaultyReceiver::heal);
        for _ in 0..20 {
            b.clock.advance(Duration::from_secs(60));
            b.round().await;
        }
        for ((mail, receiver), (at, fault, after)) in mails.iter().zip(&receivers).zip(&faults) {
            let to = &b.recipients(mail).await[0];
            let right = if *after == Bounced { Status::Bounced } else { Status::Delivered };
            assert_eq!(to.status, right, "{at:?} {fault:?}: {to:?}");
            assert_eq!(receiver.mails().len(), usize::from(*after != Bounced), "{at:?} {fault:?}");
        }
        all_have_one_final_event(&b, &mails).await;
    }

    async fn who_fails_for_ever_is_given_up_once_with_the_last_reason(engine: Engine) {
        let faults: Vec<_> = faults().into_iter().filter(|(.., after)| *after == Waits).step_by(3).collect();
        let (b, port) = faulty_bench(engine).await;
        let _receivers = receivers(&b, port, &faults).await;
        let mails = first_attempts(&b, &faults).await;
        for _ in 0..15 * 12 {
            b.clock.advance(Duration::from_secs(300));
            b.round().await;
        }
        for mail in &mails {
            let to = &b.recipients(mail).await[0];
            assert_eq!(to.status, Status::Bounced, "{to:?}");
            assert!((5..40).contains(&to.attempts), "{to:?}");
            let why = to.last_reply.as_deref().unwrap_or_default();
            assert!(why.starts_with("smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<"), "{why}");
        }
        all_have_one_final_event(&b, &mails).await;
    }

    async fn who_hangs_at_any_stage_runs_into_a_limit_and_gets_the_mail_later(engine: Engine) {
        let stages = [At::Banner, At::Hello, At::Mail, At::Rcpt, At::Data, At::Content];
        let faults: Vec<_> = stages.into_iter().map(|at| (at, Fault::Hangs, Waits)).collect();
        let (b, port) = faulty_bench(engine).await;
        let receivers = receivers(&b, port, &faults).await;
        let mut mails = Vec::new();
        for (n, receiver) in receivers.iter().enumerate() {
            let mail = b.send(&[&format!("to@d{n}.example")]).await;
            // The clock stands, so that nothing else runs into its limit.
            let moves = async {
                receiver.hanging(1).await;
                settle().await;
                b.clock.advance(Duration::from_secs(601));
            };
            let (worked, ()) = tokio::join!(b.round(), moves);
            assert_eq!(worked, 1);
            let to = &b.recipients(&mail).await[0];
            let why = to.last_reply.clone().unwrap_or_default();
            assert_eq!(to.status, Status::Pending);
            assert!(why.starts_with("smtp; 421 4.4.2 no answer in time to "), "{why}");
            receiver.heal();
            b.clock.advance(Duration::from_secs(120));
            assert_eq!(b.round().await, 1);
            assert_eq!((b.recipients(&mail).await[0].status, receiver.mails().len()), (Status::Delivered, 1));
            mails.push(mail);
        }
        all_have_one_final_event(&b, &mails).await;
    }

    async fn a_handshake_that_hangs_leaves_the_clear(engine: Engine) {
        let (b, port) = faulty_bench(engine).await;
        let receivers = receivers(&b, port, &[(At::Handshake, Fault::Hangs, Delivered)]).await;
        let mail = b.send(&["to@d0.example"]).await;
        let moves = async {
            receivers[0].hanging(1).await;
            settle().await;
            b.clock.advance(Duration::from_secs(61));
        };
        tokio::join!(b.round(), moves);
        let attempt = &b.attempts(&mail, 0).await[0];
        assert_eq!((attempt.outcome.as_str(), attempt.tls.as_deref()), ("Delivered", None));
        assert!(attempt.transcript.contains("= again, in the clear"), "{}", attempt.transcript);
    }

    async fn an_address_outside_ascii_needs_a_receiver_that_knows_it(engine: Engine) {
        let (b, port) = faulty_bench(engine).await;
        let knows = FaultyReceiver::start(&format!("127.0.7.1:{port}"), &["SMTPUTF8", "8BITMIME"], None).await;
        let plain = FaultyReceiver::start(&format!("127.0.7.2:{port}"), &["8BITMIME"], None).await;
        b.dns.mx("xn--bcher-kva.example", 10, "mx.one.example");
        b.dns.a("mx.one.example", Ipv4Addr::new(127, 0, 7, 1));
        b.dns.mx("plain.example", 10, "mx.two.example");
        b.dns.a("mx.two.example", Ipv4Addr::new(127, 0, 7, 2));
        let all = ["j\u{fc}rgen@b\u{fc}cher.example", "j@b\u{fc}cher.example", "j\u{fc}rgen@plain.example"];
        let mail = b.send(&all).await;
        assert_eq!(b.round().await, 3);
        let to = b.recipients(&mail).await;
        let states: Vec<Status> = to.iter().map(|to| to.status).collect();
        assert_eq!(states, [Status::Delivered, Status::Delivered, Status::Bounced], "{to:?}");
        let mut named: Vec<String> = knows.mails().into_iter().flat_map(|mail| mail.to).collect();
        named.sort();
        assert_eq!(named, ["j@xn--bcher-kva.example", "j\u{fc}rgen@b\u{fc}cher.example"]);
        assert!(plain.mails().is_empty());
        let events = b.events().await;
        let bounce = events.iter().find(|event| event["eventType"] == "Bounce").expect("a bounce");
        assert_eq!(bounce["bounce"]["bouncedRecipients"][0]["status"], "5.6.7");
        assert!(b.attempts(&mail, 0).await[0].transcript.contains(" SMTPUTF8"));
    }

    async fn a_private_address_gets_no_mail_and_a_host_that_asks_for_less_gets_less(engine: Engine) {
        let (b, port) = faulty_bench(engine).await;
        let busy = [(At::Mail, Fault::Says("421 4.7.0 slow down"), Waits)];
        let receivers = receivers(&b, port, &busy).await;
        let first = b.send(&["a@d0.example"]).await;
        assert_eq!(b.round().await, 1);
        let second = b.send(&["b@d0.example"]).await;
        assert_eq!(b.round().await, 1, "it is claimed");
        let (first, second) = (&b.recipients(&first).await[0], &b.recipients(&second).await[0]);
        assert_eq!((first.attempts, second.attempts), (1, 0), "and has not bothered the host that asked for less");
        receivers[0].heal();
        b.clock.advance(Duration::from_secs(90));
        assert_eq!(b.round().await, 1, "one of them looks whether it takes mail again");
        assert_eq!(b.round().await, 1, "and the other follows at once");
        assert_eq!(receivers[0].mails().len(), 2);

        b.dns.mx("inside.example", 10, "mx.inside.example");
        b.dns.a("mx.inside.example", Ipv4Addr::new(10, 0, 0, 1));
        let mail = b.send(&["a@inside.example"]).await;
        assert_eq!(b.round().await, 1);
        let to = &b.recipients(&mail).await[0];
        let why = "smtp; 550 5.4.4 no mail host with a public address";
        assert_eq!((to.status, to.last_reply.as_deref()), (Status::Bounced, Some(why)));
    }
}
