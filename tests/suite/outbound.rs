//! The outbound worker from accept to the recipient's server: delivery, retries, bounces, events, the inbox.
use std::net::Ipv4Addr;
use std::time::Duration;

use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters};
use postrider::base::Memory;
use postrider::http::inbox;
use postrider::mail::resolver::Dns;
use postrider::store::mails::Status;
use postrider::workers::{Job, SystemQueue, enqueue};
use serde_json::Value;

use crate::both_engines;
use crate::outbound_bench::{bench, types};
use crate::smtp_sink::{FaultySmtp, Script, SmtpSink};

async fn faulty() -> FaultySmtp {
    FaultySmtp::start("127.0.0.1:0", Script::default()).await
}

both_engines! {
    async fn a_mail_goes_to_the_mail_host_signed_and_otherwise_as_it_was_accepted(engine: Engine) {
        let sink = SmtpSink::start("127.0.0.1:0");
        let b = bench(engine, "mx", sink.address.port()).await;
        b.dns.mx("there.example", 10, "mx.there.example");
        b.dns.a("mx.there.example", Ipv4Addr::LOCALHOST);
        b.keys_in_dns().await;
        let id = b.send(&["b@there.example"]).await;
        assert_eq!(b.round().await, 1);
        let mails = sink.mails();
        assert_eq!((mails.len(), mails[0].from.as_str()), (1, "bounces@sender.example"));
        let data = &mails[0].data;
        let accepted = b.raw(&id).await;
        assert!(data.ends_with(&accepted) && data.starts_with(b"DKIM-Signature: "), "{}", String::from_utf8_lossy(data));
        let verifier = MessageAuthenticator(Dns::new(&[b.dns.address]).expect("a resolver").resolver().clone());
        let parsed = AuthenticatedMessage::parse(data).expect("a mail");
        let results = verifier.verify_dkim(Parameters::new(&parsed)).await;
        assert_eq!(results.iter().map(|r| r.result().clone()).collect::<Vec<_>>(), [DkimResult::Pass]);

        let to = b.recipients(&id).await;
        assert_eq!((to[0].status, to[0].attempts), (Status::Delivered, 1));
        let attempts = b.attempts(&id, 0).await;
        assert_eq!((attempts.len(), attempts[0].outcome.as_str()), (1, "Delivered"));
        assert!(attempts[0].transcript.contains("> RCPT TO:<b@there.example>"), "{}", attempts[0].transcript);
        let events = b.events().await;
        assert_eq!(types(&events), ["Send", "Delivery"]);
        let delivery = &events[1]["delivery"];
        assert_eq!(delivery["recipients"][0], "b@there.example");
        assert_eq!(delivery["reportingMTA"], "out.example");
        assert!(delivery["smtpResponse"].as_str().is_some_and(|r| r.starts_with("250 ")), "{delivery}");
        assert_eq!(events[1]["mail"]["messageId"], id.as_str());
        assert_eq!(b.round().await, 0);
    }

    async fn a_deferred_mail_is_tried_again_and_a_short_delay_is_not_reported(engine: Engine) {
        let peer = faulty().await;
        let b = bench(engine, &format!("relay://{}", peer.address), 25).await;
        let id = b.send(&["greylist@there.example"]).await;
        assert_eq!((b.round().await, b.round().await), (1, 0));
        assert_eq!(b.recipients(&id).await[0].status, Status::Pending);
        b.clock.advance(Duration::from_secs(47));
        assert_eq!(b.round().await, 0, "not before its time");
        b.clock.advance(Duration::from_secs(26));
        assert_eq!(b.round().await, 1);
        assert_eq!((b.recipients(&id).await[0].status, peer.mails().len()), (Status::Delivered, 1));
        let outcomes: Vec<&str> = b.attempts(&id, 0).await.into_iter().map(|a| a.outcome.as_str()).collect();
        assert_eq!(outcomes, ["Delayed", "Delivered"]);
        assert_eq!(types(&b.events().await), ["Send", "Delivery"]);
    }

    async fn a_mail_that_is_deferred_to_the_end_is_reported_once_and_then_bounces(engine: Engine) {
        let peer = faulty().await;
        let b = bench(engine, &format!("relay://{}", peer.address), 25).await;
        let id = b.send(&["tempfail@there.example"]).await;
        let mut attempts = 0;
        for _ in 0..15 * 60 {
            attempts += b.round().await;
            b.clock.advance(Duration::from_secs(60));
        }
        assert!((10..=20).contains(&attempts), "{attempts}");
        let to = &b.recipients(&id).await[0];
        // The last job was the mail that tells the sender.
        assert_eq!((to.status, to.attempts), (Status::Bounced, attempts as i64 - 1));
        let told = peer.mails().pop().expect("the mail");
        assert_eq!((told.from.as_str(), told.to), ("", vec!["bounces@sender.example".to_owned()]));
        let events = b.events().await;
        assert_eq!(types(&events), ["Send", "DeliveryDelay", "Bounce"]);
        let delay = &events[1]["deliveryDelay"];
        assert_eq!(delay["delayType"], "General");
        assert_eq!(delay["delayedRecipients"][0]["status"], "4.2.1");
        assert_eq!(delay["delayedRecipients"][0]["diagnosticCode"], "smtp; 450 4.2.1 come back later");
        assert_eq!(delay["expirationTime"], "2027-01-15T22:00:00.000Z");
        let bounce = &events[2]["bounce"];
        assert_eq!((&bounce["bounceType"], &bounce["bounceSubType"]), (&"Transient".into(), &"General".into()));
        let to = &bounce["bouncedRecipients"][0];
        assert_eq!((&to["action"], &to["status"]), (&"failed".into(), &"4.4.7".into()));
        let text = "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<450 4.2.1 come back later>";
        assert_eq!(to["diagnosticCode"], text);
    }

    async fn each_recipient_has_its_own_fate(engine: Engine) {
        let peer = faulty().await;
        let b = bench(engine, "mx", peer.address.port()).await;
        b.dns.mx("there.example", 10, "mx.there.example");
        b.dns.a("mx.there.example", Ipv4Addr::LOCALHOST);
        b.dns.mx("null.example", 0, ".");
        b.dns.breaks("broken.example");
        let all = [
            ("fine@there.example", Status::Delivered, "250 2.0.0 queued as 1"),
            ("permfail@there.example", Status::Bounced, "smtp; 550 5.1.1 no such user"),
            ("spam@there.example", Status::Bounced, "smtp; 554 5.7.1 looks like spam"),
            ("a@nowhere.example", Status::Bounced, "smtp; 550 5.1.2 domain does not exist"),
            ("a@null.example", Status::Bounced, "smtp; 556 5.1.10 domain accepts no mail"),
            ("tempfail@there.example", Status::Pending, "smtp; 450 4.2.1 come back later"),
            ("a@broken.example", Status::Pending, "smtp; 421 4.4.3 dns look-up failed"),
            ("drop@there.example", Status::Pending, "smtp; 421 4.4.2 connection lost at the end of the content"),
        ];
        let id = b.send(&all.map(|(address, ..)| address)).await;
        assert_eq!(b.round().await, all.len());
        for (to, (address, status, reply)) in b.recipients(&id).await.iter().zip(all) {
            assert_eq!((to.address.as_str(), to.status), (address, status));
            let kept = to.last_reply.clone().unwrap_or_default();
            assert!(kept.starts_with(reply), "{address}: {kept}");
        }
        let events = b.events().await;
        let bounces: Vec<String> = events
            .iter()
            .filter(|event| event["eventType"] == "Bounce")
            .map(|event| {
                let bounce = &event["bounce"];
                let kind = [&bounce["bounceType"], &bounce["bounceSubType"]].map(|v| v.as_str().unwrap_or_default());
                format!("{} {}", bounce["bouncedRecipients"][0]["emailAddress"].as_str().unwrap_or_default(), kind.join("/"))
            })
            .collect();
        for bounce in [
            "permfail@there.example Permanent/General",
            "spam@there.example Transient/ContentRejected",
            "a@nowhere.example Permanent/General",
            "a@null.example Permanent/General",
        ] {
            assert!(bounces.iter().any(|b| b == bounce), "{bounce} in {bounces:?}");
        }
        assert_eq!((bounces.len(), types(&events).len()), (4, 6));
    }

    async fn a_job_that_comes_twice_does_nothing_and_one_that_makes_no_sense_is_given_up(engine: Engine) {
        let peer = faulty().await;
        let b = bench(engine, &format!("relay://{}", peer.address), 25).await;
        let id = b.send(&["fine@there.example"]).await;
        assert_eq!(b.round().await, 1);
        let again = serde_json::json!({ "mail": id, "recipient": 0 }).to_string();
        let gone = serde_json::json!({ "mail": "no-such-mail", "recipient": 0 }).to_string();
        let at = b.clock.now();
        let jobs = [again, gone, "nonsense".to_owned()].map(|body| Job { body, group: None, visible_at: at });
        b.store
            .write(move |tx| {
                Box::pin(async move { enqueue(tx, SystemQueue::Outbound, &jobs).await })
            })
            .await
            .expect("enqueued");
        assert_eq!((b.round().await, b.round().await), (3, 0));
        assert_eq!(peer.mails().len(), 1);
        assert_eq!(types(&b.events().await), ["Send", "Delivery"]);
    }

    async fn a_set_that_requires_tls_does_not_deliver_in_the_clear(engine: Engine) {
        let (clear, tls) = (faulty().await, SmtpSink::start_tls("127.0.0.1:0"));
        let b = bench(engine, &format!("relay://{}", clear.address), 25).await;
        let id = b.send_with("strict", &["b@there.example"]).await;
        assert_eq!(b.round().await, 1);
        let to = &b.recipients(&id).await[0];
        assert_eq!((to.status, clear.mails().len()), (Status::Pending, 0));
        assert!(to.last_reply.as_deref().is_some_and(|reply| reply.starts_with("smtp; 454 4.7.4 ")), "{to:?}");
        let b = bench(engine, &format!("relay://{}", tls.address), 25).await;
        let id = b.send_with("strict", &["b@there.example"]).await;
        assert_eq!((b.round().await, tls.mails().len()), (1, 1));
        let tls = b.attempts(&id, 0).await[0].tls.clone();
        assert!(tls.as_deref().is_some_and(|tls| tls.starts_with("TLSv1.")), "{tls:?}");
    }

    async fn captured_mail_counts_as_delivered_and_stands_in_the_inbox(engine: Engine) {
        let b = bench(engine, "capture", 25).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let base = format!("http://{}", listener.local_addr().expect("bound"));
        let routes = inbox::routes(b.store.clone(), Memory::default(), b.clock.clone());
        let server = tokio::spawn(axum::serve(listener, routes).into_future());
        let first = b.send(&["b@there.example", "hidden@elsewhere.example"]).await;
        assert_eq!(b.round().await, 2);
        let second = b.send(&["c@there.example"]).await;
        assert_eq!(b.round().await, 1);
        assert_eq!(types(&b.events().await).iter().filter(|t| **t == "Delivery").count(), 3);

        let get = async |path: &str| reqwest::get(format!("{base}{path}")).await.expect("answers");
        let json = async |path: &str| -> Value {
            let response = get(path).await;
            assert_eq!(response.headers()["x-content-type-options"], "nosniff");
            assert_eq!(response.headers()["content-type"], "application/json");
            serde_json::from_str(&response.text().await.expect("text")).expect("JSON")
        };
        let list = json("/_postrider/inbox").await;
        assert_eq!(list.as_array().map(Vec::len), Some(3));
        assert_eq!((&list[0]["id"], &list[0]["to"]), (&second.as_str().into(), &"c@there.example".into()));
        assert_eq!((&list[0]["from"], &list[0]["subject"]), (&"ann@sender.example".into(), &"caf\u{e9}".into()));
        assert_eq!(list[0]["date"], "2027-01-15T08:00:00.000Z");
        let older = json(&format!("/_postrider/inbox?limit=1&before={second}")).await;
        assert_eq!(older.as_array().map(Vec::len), Some(1));
        assert_eq!(older[0]["id"], list[1]["id"]);

        let one = json(&format!("/_postrider/inbox/{first}")).await;
        assert_eq!(one["text"], ".\r\n.. dots\r\n\r\nd\u{e9}j\u{e0} vu\r\n");
        assert_eq!((&one["html"], &one["attachments"]), (&Value::Null, &serde_json::json!([])));
        assert_eq!(one["headers"][0]["name"], "DKIM-Signature");
        let raw = get(&format!("/_postrider/inbox/{first}/raw")).await;
        assert_eq!(raw.headers()["content-type"], "message/rfc822");
        let bytes = raw.bytes().await.expect("bytes");
        assert!(bytes.ends_with(&b.raw(&first).await));
        assert_eq!(one["size"], bytes.len());

        let stack = json("/_aws/ses").await;
        let message = &stack["messages"][0];
        assert_eq!((stack["messages"].as_array().map(Vec::len), &message["Id"]), (Some(2), &first.as_str().into()));
        assert_eq!(message["Destination"]["ToAddresses"], serde_json::json!(["b@there.example"]));
        assert_eq!(message["Destination"]["BccAddresses"], serde_json::json!(["hidden@elsewhere.example"]));
        assert_eq!(message["Subject"], "caf\u{e9}");
        assert_eq!(json(&format!("/_aws/ses?id={second}")).await["messages"].as_array().map(Vec::len), Some(1));

        for (path, status) in [
            ("/_postrider/inbox/nope", 404),
            ("/_postrider/inbox/nope/raw", 404),
            ("/_postrider/inbox?before=nope", 404),
            ("/_postrider/inbox?limit=0", 400),
            ("/_postrider/inbox?limit=x", 400),
            ("/_postrider/inbox?limit=100000", 400),
        ] {
            assert_eq!(get(path).await.status().as_u16(), status, "{path}");
        }
        let cleared = reqwest::Client::new().delete(format!("{base}/_postrider/inbox")).send().await.expect("answers");
        assert_eq!(cleared.status().as_u16(), 200);
        assert_eq!(json("/_postrider/inbox").await, serde_json::json!([]));
        server.abort();
    }
}
