//! The outbound worker from accept to the recipient's server: delivery, retries, bounces, events, the inbox.
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters};
use postrider::base::{AccountId, Arn, Clock, Memory, Reach, Region, Scope, Timestamp};
use postrider::http::inbox;
use postrider::mail::content::{ConfigurationSets, NewDestination, Target};
use postrider::mail::identity::{Identities, IdentityName, NewIdentity, Settings as IdentitySettings};
use postrider::mail::resolver::Dns;
use postrider::mail::sending::transport::{Limits, Transport, TransportOptions};
use postrider::mail::sending::{Grants, Outbound, Sending, Settings, Submission, quota};
use postrider::queues::{Queues, Receive};
use postrider::store::configuration_sets::{ConfigurationSet, SetOptions, SetTlsPolicy};
use postrider::store::mails::{self, Attempt, Recipient, Status};
use postrider::store::{Json, Store};
use postrider::topics::{NewTopic, Topics, Wish};
use postrider::workers::{Job, Pool, SystemQueue, enqueue};
use serde_json::Value;

use crate::both_engines;
use crate::dns::TestDns;
use crate::engine::TestDatabase;
use crate::smtp_sink::{FaultySmtp, Script, SmtpSink};

const RAW: &str = "From: Ann <ann@sender.example>\r\nTo: b@there.example\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\n\
                   .\r\n.. dots\r\n\r\nd\u{e9}j\u{e0} vu\r\n";

/// As many mails at once as the server carries.
const AT_ONCE: usize = 2_000;

pub(crate) struct Bench {
    pub store: Store,
    pub clock: Clock,
    queues: Queues,
    sending: Sending,
    identities: Identities,
    scope: Scope,
    pub dns: TestDns,
    pub pool: Pool,
    _database: TestDatabase,
}

pub(crate) async fn bench(engine: crate::engine::Engine, delivery: &str, mx_port: u16) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let queues = Queues::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://127.0.0.1:4566");
    let dns = TestDns::start().await;
    let resolver = Dns::new(&[dns.address]).expect("a resolver");
    let settings = IdentitySettings {
        at_once: true,
        link_base: "http://127.0.0.1:4566".to_owned(),
        hostname: "out.example".to_owned(),
        dkim_zone: None,
    };
    let identities = Identities::new(store.clone(), clock.clone(), settings, Arc::new(resolver.clone()));
    let options = TransportOptions {
        delivery: delivery.parse().expect("a delivery mode"),
        mx_port,
        hostname: "out.example".to_owned(),
        reach: Reach::new(vec!["127.0.0.0/8".parse().expect("a network")]),
        sources: vec![],
        limits: Limits::default(),
    };
    let transport = Arc::new(Transport::new(options, resolver, clock.clone()).expect("a transport"));
    let work = Outbound::new(store.clone(), clock.clone(), topics.clone(), transport, AT_ONCE);
    let pool = Pool::new(store.clone(), clock.clone(), "node", AT_ONCE, work).per_group(20);
    let settings = Settings { limits: quota::Limits::Unlimited, hostname: "out.example".to_owned() };
    let sending = Sending::new(store.clone(), clock.clone(), topics.clone(), settings);
    let scope = Scope { account: AccountId::development(), region: Region::default_region() };
    let bench = Bench { store, clock, queues, sending, identities, scope, dns, pool, _database: database };
    bench.furnish(&topics).await;
    bench
}

impl Bench {
    /// A verified domain, and a configuration set whose events reach the queue `events`.
    async fn furnish(&self, topics: &Topics) {
        let (account, region) = (&self.scope.account, &self.scope.region);
        let domain = IdentityName::parse("sender.example").expect("a domain");
        self.identities.create(account, region, domain, NewIdentity::default()).await.expect("an identity");
        self.queues.create(&self.scope, "events", Default::default(), Default::default()).await.expect("a queue");
        let new = NewTopic {
            account: account.clone(),
            region: region.clone(),
            name: "events".to_owned(),
            attributes: Default::default(),
            tags: Default::default(),
        };
        let topic = topics.create(new).await.expect("a topic");
        let wish = Wish {
            owner: account.clone(),
            topic: topic.clone(),
            protocol: "sqs".to_owned(),
            endpoint: Some(Arn::new("sqs", region, account, "events").to_string()),
            attributes: [("RawMessageDelivery".to_owned(), "true".to_owned())].into(),
            base_url: None,
        };
        topics.subscribe(wish).await.expect("a subscription");
        let sets = ConfigurationSets::new(self.store.clone(), self.clock.clone(), topics.clone());
        for (name, tls_policy) in [("set", None), ("strict", Some(SetTlsPolicy::Require))] {
            let set = ConfigurationSet {
                account: account.clone(),
                region: region.clone(),
                name: name.to_owned(),
                sending_enabled: true,
                tls_policy,
                max_delivery_seconds: None,
                options: Json::of(&SetOptions::default()).expect("JSON"),
                created_at: self.clock.now(),
            };
            sets.create(set).await.expect("a set");
        }
        let types = ["SEND", "DELIVERY", "BOUNCE", "DELIVERY_DELAY"].map(str::to_owned).to_vec();
        let destination = NewDestination {
            name: "all".into(),
            enabled: true,
            event_types: types,
            target: Target::Topic(topic.to_string()),
        };
        sets.put_destination(account, region, "set", destination, false).await.expect("a destination");
        self.events().await;
    }

    pub(crate) async fn send_with(&self, set: &str, recipients: &[&str]) -> String {
        let submission = Submission {
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            caller: "AKIA".to_owned(),
            source_ip: None,
            source: "ann@sender.example".parse().expect("an address"),
            recipients: recipients.iter().map(|r| r.parse().expect("an address")).collect(),
            raw: Bytes::from_static(RAW.as_bytes()),
            configuration_set: Some(set.to_owned()),
            tags: vec![],
            return_path: Some("bounces@sender.example".parse().expect("an address")),
            grants: Grants::default(),
        };
        self.sending.accept(submission).await.expect("accepted")
    }

    pub(crate) async fn send(&self, recipients: &[&str]) -> String {
        self.send_with("set", recipients).await
    }

    pub(crate) async fn round(&self) -> usize {
        self.pool.round().await.expect("the store works")
    }

    /// All waiting events, oldest first.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let wanted = Receive { count_max: Some(10), visibility_timeout: Some(43_200), ..Receive::default() };
            let got = self.queues.receive(&self.scope, "events", wanted).await.expect("the queue is there");
            if got.is_empty() {
                return events;
            }
            let handles = got.iter().map(|m| m.receipt_handle.clone()).collect();
            events.extend(got.iter().filter_map(|m| serde_json::from_str::<Value>(&m.body).ok()));
            self.queues.delete_messages(&self.scope, "events", handles).await.expect("deleted");
        }
    }

    pub(crate) async fn recipients(&self, mail: &str) -> Vec<Recipient> {
        mails::recipients(&mut self.store.reader().await.expect("a reader"), mail).await.expect("read")
    }

    pub(crate) async fn attempts(&self, mail: &str, n: i64) -> Vec<Attempt> {
        mails::attempts(&mut self.store.reader().await.expect("a reader"), mail, n).await.expect("read")
    }

    async fn raw(&self, mail: &str) -> Vec<u8> {
        let mut reader = self.store.reader().await.expect("a reader");
        mails::raw(&mut reader, mail).await.expect("read").expect("there")
    }

    pub(crate) async fn keys_in_dns(&self) {
        let (account, region) = (&self.scope.account, &self.scope.region);
        let found = self.identities.get(account, region, "sender.example").await.expect("there");
        for key in found.keys {
            let name = format!("{}._domainkey.sender.example", key.selector);
            self.dns.txt(&name, &format!("v=DKIM1; k=rsa; p={}", key.public_key));
        }
    }
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["eventType"].as_str()).collect()
}

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
