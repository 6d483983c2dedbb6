//! A bench for the outbound worker: a verified sender whose events are in a queue, a DNS of its own, one round at a time.
use std::sync::Arc;

use bytes::Bytes;
use postrider::base::{AccountId, Arn, Clock, Reach, Region, Scope, Timestamp};
use postrider::mail::content::{ConfigurationSets, NewDestination, Target};
use postrider::mail::identity::{Identities, IdentityName, NewIdentity, Settings as IdentitySettings};
use postrider::mail::resolver::Dns;
use postrider::mail::sending::transport::{Limits, Transport, TransportOptions};
use postrider::mail::sending::{Grants, Outbound, Sending, Settings, Submission, quota};
use postrider::queues::{Queues, Receive};
use postrider::store::configuration_sets::{ConfigurationSet, SetOptions, SetTlsPolicy};
use postrider::store::mails::{self, Attempt, Recipient};
use postrider::store::{Json, Store};
use postrider::topics::{NewTopic, Topics, Wish};
use postrider::workers::Pool;
use serde_json::Value;

use crate::dns::TestDns;
use crate::engine::TestDatabase;

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

    pub(crate) async fn raw(&self, mail: &str) -> Vec<u8> {
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

/// What happened, by SES's words.
pub(crate) fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["eventType"].as_str()).collect()
}
