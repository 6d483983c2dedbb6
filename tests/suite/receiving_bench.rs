//! A bench for receiving: the floor below SMTP with nothing in front, over a new store and a DNS of its own.
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::ses_bench::verified_domain;
use bytes::Bytes;
use postrider::base::{AccountId, Arn, Clock, EmailAddress, Reach, Region, Scope, Timestamp};
use postrider::mail::receiving::checks::{CheckSettings, Checks};
use postrider::mail::receiving::rules::{Action, Encoding, Rule, TlsPolicy};
use postrider::mail::receiving::scan::{Disabled, Scanner};
use postrider::mail::receiving::{
    Client, Error, Inbound, InboundMail, InboundSettings, Outlets, Receiving, Route, Routed, places,
};
use postrider::outlets::objects::Objects;
use postrider::outlets::{self, Functions};
use postrider::queues::{Queues, Receive};
use postrider::store::inbound_mails::State;
use postrider::store::vault::{MasterKeys, Vault};
use postrider::store::{self, Store, identities, inbound_mails, messages};
use postrider::topics::delivery::Poster;
use postrider::topics::{NewTopic, Topics, Wish};
use postrider::workers::Pool;

use crate::dns::TestDns;
use crate::engine::TestDatabase;
use crate::webhook::Webhook;

const PEER: &str = "192.0.2.7";
pub(crate) const HELLO: &str = "From: Ann <ann@there.example>\r\nTo: bob@here.example\r\nSubject: hello\r\n\r\nhi\r\n";

/// The receiving floor of one server, with nothing in front.
pub(crate) struct Bench {
    pub receiving: Receiving,
    pub dns: TestDns,
    /// Runs the function `decide`, and takes webhooks.
    pub runtime: Webhook,
    pub clock: Clock,
    pub owner: Scope,
    pub store: Store,
    pub queues: Queues,
    pub topics: Topics,
    pub pool: Pool,
    pub database: TestDatabase,
}

pub(crate) async fn bench(engine: crate::engine::Engine) -> Bench {
    bench_with(engine, Arc::new(Disabled)).await
}

/// One with this scanner.
pub(crate) async fn bench_with(engine: crate::engine::Engine, scanner: Arc<dyn Scanner>) -> Bench {
    bench_of(engine, scanner, None).await
}

/// One that puts objects there.
pub(crate) async fn bench_storing(engine: crate::engine::Engine, objects: Objects) -> Bench {
    bench_of(engine, Arc::new(Disabled), Some(objects)).await
}

async fn bench_of(engine: crate::engine::Engine, scanner: Arc<dyn Scanner>, objects: Option<Objects>) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let vault = Vault::new(MasterKeys::generate().expect("a master key").0, &[]);
    let store = Store::open_with(&database.database(), clock.clone(), vault).await.expect("the store opens");
    let queues = Queues::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://here.example");
    let dns = TestDns::start().await;
    let settings = CheckSettings {
        servers: vec![dns.address],
        hostname: "mx.here.example".to_owned(),
        deadline: Duration::from_secs(20),
    };
    let checks = Checks::new(settings, clock.clone()).expect("a resolver").with_scanner(scanner);
    let objects = objects.unwrap_or_else(|| Objects::folder(database.dir.path().join("objects")));
    let settings = InboundSettings { hostname: "mx.here.example".to_owned(), dns_retries: 2 };
    let runtime = Webhook::start().await;
    let urls = BTreeMap::from([("decide".to_owned(), runtime.url("/").parse().expect("a URL"))]);
    let functions = Functions::new(outlets::client::plain(&[]).expect("a client"), clock.clone(), urls);
    let reach = Reach::new(vec!["127.0.0.0/8".parse().expect("a network")]);
    let outlets = Outlets {
        topics: topics.clone(),
        queues: queues.clone(),
        objects,
        functions: functions.clone(),
        poster: Poster::new(clock.clone(), reach).expect("a client"),
    };
    let inbound = Inbound::new(store.clone(), clock.clone(), outlets, checks, settings);
    let pool = Pool::new(store.clone(), clock.clone(), "node", places::AT_ONCE, inbound).per_group(places::PER_GROUP);
    let owner = Scope { account: AccountId::development(), region: Region::default_region() };
    let hostname = "mx.here.example".parse().expect("a domain");
    let receiving = Receiving::new(store.clone(), clock.clone());
    let receiving = receiving.with_house(hostname, owner.clone()).with_functions(functions);
    let b = Bench { receiving, dns, runtime, store, clock, queues, topics, owner, pool, database };
    b.verified(&b.owner, "here.example").await;
    b
}

pub(crate) fn rule(name: &str, recipients: &[&str], actions: Vec<Action>) -> Rule {
    Rule {
        name: name.to_owned(),
        enabled: true,
        tls: TlsPolicy::Optional,
        recipients: recipients.iter().map(|&text| text.to_owned()).collect(),
        scan: false,
        actions,
    }
}

pub(crate) fn s3(bucket: &str, topic: Option<&Arn>) -> Action {
    Action::S3 {
        bucket: bucket.to_owned(),
        prefix: Some("in/".to_owned()),
        topic: topic.cloned(),
        role: None,
        kms: None,
    }
}

pub(crate) fn sns(topic: &Arn) -> Action {
    Action::Sns { topic: topic.clone(), encoding: Encoding::Utf8 }
}

pub(crate) fn address(text: &str) -> EmailAddress {
    text.parse().expect("an address")
}

pub(crate) fn account(digit: char) -> Scope {
    let account = digit.to_string().repeat(12).parse().expect("an account id");
    Scope { account, region: Region::default_region() }
}

impl Bench {
    pub(crate) async fn verified(&self, owner: &Scope, domain: &str) {
        let now = self.clock.now();
        let identity = verified_domain(&owner.account, &owner.region, domain, now);
        self.write(move |tx| Box::pin(async move { identities::insert(tx, &identity).await })).await;
    }

    pub(crate) async fn write<F>(&self, work: F)
    where
        F: for<'t> FnOnce(&'t mut store::Tx) -> futures::future::BoxFuture<'t, Result<(), store::Error>>
            + Send
            + 'static,
    {
        self.store.write(work).await.expect("the store writes");
    }

    /// Makes these rules the active ones.
    pub(crate) async fn activate(&self, owner: &Scope, rules: Vec<Rule>) {
        self.receiving.create_rule_set(owner, "set").await.expect("a rule set");
        let mut after: Option<String> = None;
        for rule in rules {
            let name = rule.name.clone();
            self.receiving.create_rule(owner, "set", rule, after.as_deref()).await.expect("a good rule");
            after = Some(name);
        }
        self.receiving.set_active_rule_set(owner, Some("set")).await.expect("active");
    }

    /// A topic with a queue of the same name that gets raw messages.
    pub(crate) async fn topic(&self, name: &str) -> Arn {
        let Scope { account, region } = self.owner.clone();
        let scope = Scope { account: account.clone(), region: region.clone() };
        self.queues.create(&scope, name, BTreeMap::new(), BTreeMap::new()).await.expect("a queue");
        let new = NewTopic {
            account: account.clone(),
            region: region.clone(),
            name: name.to_owned(),
            attributes: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        let topic = self.topics.create(new).await.expect("a topic");
        let wish = Wish {
            owner: account.clone(),
            topic: topic.clone(),
            protocol: "sqs".to_owned(),
            endpoint: Some(Arn::new("sqs", &region, &account, name).to_string()),
            attributes: BTreeMap::from([("RawMessageDelivery".to_owned(), "true".to_owned())]),
            base_url: None,
        };
        self.topics.subscribe(wish).await.expect("a subscription");
        topic
    }

    /// What came out of the topic since the last call.
    pub(crate) async fn told(&self, name: &str) -> Vec<serde_json::Value> {
        let scope = Scope { account: self.owner.account.clone(), region: self.owner.region.clone() };
        let wanted = Receive { count_max: Some(10), ..Receive::default() };
        let got = self.queues.receive(&scope, name, wanted).await.expect("the queue");
        let handles = got.iter().map(|message| message.receipt_handle.clone()).collect();
        self.queues.delete_messages(&scope, name, handles).await.expect("the queue");
        got.into_iter().map(|message| serde_json::from_str(&message.body).expect("JSON")).collect()
    }

    /// Who receives mail for this address, if someone does.
    pub(crate) async fn route(&self, text: &str, tls: bool) -> Option<Route> {
        match self.routed(text, PEER, tls).await {
            Routed::To(route) => Some(route),
            _ => None,
        }
    }

    pub(crate) async fn routed(&self, text: &str, peer: &str, tls: bool) -> Routed {
        let client = Client { peer: peer.parse().expect("an address"), tls };
        self.receiving.route(&address(text), client).await.expect("the store reads")
    }

    pub(crate) async fn accept(&self, source: Option<&str>, recipients: &[&str], data: &str) -> Result<String, Error> {
        self.accept_bytes(source, recipients, data.to_owned()).await
    }

    pub(crate) async fn accept_bytes(
        &self,
        source: Option<&str>,
        recipients: &[&str],
        data: impl Into<Bytes>,
    ) -> Result<String, Error> {
        let mut routed = Vec::new();
        for recipient in recipients {
            let recipient = address(recipient);
            let route = self.route(recipient.as_str(), false).await.expect("a route");
            routed.push((recipient, route));
        }
        let mail = InboundMail {
            source: source.map(|text| EmailAddress::lenient(text).expect("an address")),
            recipients: routed,
            helo: "client.there.example".to_owned(),
            peer: PEER.parse::<IpAddr>().expect("an address"),
            tls: false,
            data: data.into(),
        };
        self.receiving.accept(mail).await
    }

    pub(crate) async fn round(&self) -> usize {
        self.pool.round().await.expect("the store works")
    }

    pub(crate) async fn state(&self, id: &str) -> (State, String) {
        let id = id.to_owned();
        let found = self.store.read(move |tx| Box::pin(async move { inbound_mails::find(tx, &id).await })).await;
        let mail = found.expect("the store reads").expect("the mail");
        (mail.state, mail.note.unwrap_or_default())
    }

    pub(crate) async fn waiting(&self, queue_id: i64) -> i64 {
        let counts = self.store.read(move |tx| Box::pin(async move { messages::counts(tx, queue_id).await })).await;
        let counts: messages::Counts = counts.map_err(|e: store::Error| e).expect("the store reads");
        i64::from(counts.visible + counts.delayed)
    }

    /// The octets of the object, if it is there.
    pub(crate) fn bytes(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        std::fs::read(self.database.dir.path().join("objects").join(bucket).join(key)).ok()
    }

    /// The text of the object, if it is there.
    pub(crate) fn object(&self, bucket: &str, key: &str) -> Option<String> {
        std::fs::read_to_string(self.database.dir.path().join("objects").join(bucket).join(key)).ok()
    }

    /// The raw messages of our own mails with their reverse paths, senders and recipients.
    pub(crate) async fn sent(&self) -> Vec<(String, String, String, String)> {
        let rows = self
            .store
            .read(|tx| {
                Box::pin(async move {
                    let sql = "SELECT m.source, m.return_path, r.address, w.data FROM mails m \
                               JOIN recipients r ON r.mail_id = m.id JOIN raw_messages w ON w.id = m.id";
                    let rows = tx.all(sql, vec![]).await?;
                    let read = |row: &store::Row| {
                        let data = String::from_utf8_lossy(&row.blob("data")?).into_owned();
                        Ok::<_, store::Error>((
                            row.text("source")?,
                            row.text("return_path")?,
                            row.text("address")?,
                            data,
                        ))
                    };
                    rows.iter().map(read).collect::<Result<Vec<_>, _>>()
                })
            })
            .await;
        rows.expect("the store reads")
    }
}
