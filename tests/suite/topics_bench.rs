//! A bench for topics: the core over a new store, a clock that is moved by hand, one round of deliveries at a time.
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use futures::future::BoxFuture;
use postrider::base::{AccountId, Arn, Clock, Reach, Region, Scope, Timestamp};
use postrider::queues::{Queues, Receive, Received};
use postrider::store::signing_keys::{self, SigningKey};
use postrider::store::{self, Store, publications};
use postrider::topics::delivery::{Deliverer, Poster};
use postrider::topics::signing::key::{Key, Made};
use postrider::topics::{Attributes, Authenticated, NewTopic, Publication, Spreader, Topics, Wish};
use postrider::workers::{Compute, NotDone, Pool};
use serde_json::Value as Json;

use crate::engine::TestDatabase;
use crate::webhook::Webhook;

/// The core and what it stands on.
pub(crate) struct Bench {
    pub topics: Topics,
    pub queues: Queues,
    pub store: Store,
    pub clock: Clock,
    pub pool: Pool,
    /// Works the fan-outs to many subscriptions.
    pub fans: Pool,
    pub scope: Scope,
    pub database: TestDatabase,
}

pub(crate) fn loopback() -> Reach {
    Reach::new(vec!["127.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")])
}

pub(crate) async fn bench(engine: crate::engine::Engine) -> Bench {
    bench_reaching(engine, loopback()).await
}

pub(crate) async fn bench_reaching(engine: crate::engine::Engine, reach: Reach) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    seed_key(&store).await;
    let queues = Queues::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://postrider.example");
    let poster = Poster::new(clock.clone(), reach).expect("a client");
    let pool = Pool::new(store.clone(), clock.clone(), "node", 16, Deliverer::new(topics.clone(), poster));
    let fans = Pool::new(store.clone(), clock.clone(), "node", 4, Spreader::new(topics.clone()));
    let scope = Scope { account: AccountId::development(), region: Region::default_region() };
    Bench { topics, queues, store, clock, pool, fans, scope, database }
}

/// One key for all tests of this process: making one takes its time.
pub(crate) async fn seed_key(store: &Store) {
    static KEY: OnceLock<Made> = OnceLock::new();
    let made = KEY.get_or_init(|| Key::make(Timestamp::from_secs(1_800_000_000)).expect("a key"));
    let key = SigningKey {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        private_key: made.private_key.clone(),
        certificate: made.certificate.clone(),
    };
    let kept: Result<bool, store::Error> =
        store.write(move |tx| Box::pin(async move { signing_keys::insert_current(tx, &key).await })).await;
    assert!(kept.expect("the key is kept"));
}

impl Bench {
    pub(crate) async fn topic(&self, name: &str, attributes: &[(&str, &str)]) -> Arn {
        let new = NewTopic {
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            name: name.to_owned(),
            attributes: map(attributes),
            tags: Attributes::new(),
        };
        self.topics.create(new).await.expect("the topic is made")
    }

    pub(crate) async fn queue(&self, name: &str) -> String {
        let attributes = map(&[("VisibilityTimeout", "43200")]);
        self.queues.create(&self.scope, name, attributes, BTreeMap::new()).await.expect("the queue is made");
        Arn::new("sqs", &self.scope.region, &self.scope.account, name).to_string()
    }

    pub(crate) async fn subscribe(
        &self,
        topic: &Arn,
        protocol: &str,
        endpoint: &str,
        attributes: &[(&str, &str)],
    ) -> Arn {
        let listed = self.topics.subscribe(self.wish(topic, protocol, endpoint, attributes)).await;
        listed.expect("the endpoint is subscribed").arn
    }

    pub(crate) fn wish(&self, topic: &Arn, protocol: &str, endpoint: &str, attributes: &[(&str, &str)]) -> Wish {
        Wish {
            owner: self.scope.account.clone(),
            topic: topic.clone(),
            protocol: protocol.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            attributes: map(attributes),
            base_url: None,
        }
    }

    /// Subscribes a webhook and confirms it. Gives the subscription's ARN.
    pub(crate) async fn hook(&self, topic: &Arn, hook: &Webhook, attributes: &[(&str, &str)]) -> Arn {
        self.subscribe(topic, "http", &hook.url("/hook"), attributes).await;
        self.round().await;
        let asked = hook.arrived().last().expect("the endpoint is asked").json();
        self.topics.confirm(topic, text(&asked, "Token"), Authenticated::No).await.expect("confirmed")
    }

    pub(crate) async fn publish(&self, topic: &Arn, message: &str) -> String {
        let publication = Publication { message: message.to_owned(), ..Publication::default() };
        self.topics.publish(topic, publication).await.expect("published")
    }

    pub(crate) async fn received(&self, queue: &str) -> Vec<Received> {
        let wanted = Receive { count_max: Some(10), ..Receive::default() };
        self.queues.receive(&self.scope, queue, wanted).await.expect("the queue is there")
    }

    pub(crate) async fn round(&self) -> usize {
        self.fans.round().await.expect("a round");
        self.pool.round().await.expect("a round")
    }

    pub(crate) async fn attempts(&self, subscription: &Arn) -> Vec<(u32, Option<u32>, String)> {
        let (_, uuid) = subscription.resource.split_once(':').expect("a subscription's ARN");
        let uuid = uuid.to_owned();
        let rows: Result<_, store::Error> =
            self.store.read(|tx| Box::pin(async move { publications::attempts(tx, &uuid, 100).await })).await;
        rows.expect("attempts").into_iter().rev().map(|row| (row.attempt, row.status, row.outcome)).collect()
    }

    pub(crate) async fn kept(&self, message_id: &str) -> bool {
        let id = message_id.to_owned();
        let content: Result<_, store::Error> =
            self.store.read(|tx| Box::pin(async move { publications::content(tx, &id).await })).await;
        content.expect("an answer").is_some()
    }

    /// Verifies a message with Python's `cryptography`, against the certificate that its link names.
    pub(crate) async fn verify(&self, message: &Json) -> bool {
        let url = text(message, "SigningCertURL");
        let id = url.rsplit_once("SimpleNotificationService-").expect("the usual name").1.trim_end_matches(".pem");
        let certificate = self.topics.signer().certificate(id).await.expect("an answer").expect("a certificate");
        let python = std::env::var("POSTRIDER_TEST_PYTHON").expect("start the tests with ./tests/run");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/sns_signature.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let input = serde_json::json!([message, certificate]).to_string();
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        child.wait().expect("it ends").success()
    }
}

/// All the time to reckon that an account may wait for is taken, as long as this is there.
pub(crate) struct Occupied {
    go_on: std::sync::mpsc::Sender<()>,
    waiting: Vec<BoxFuture<'static, Result<(), NotDone>>>,
}

impl Occupied {
    pub(crate) async fn all_of(compute: &Compute, account: &AccountId) -> Self {
        let (go_on, waits) = std::sync::mpsc::channel::<()>();
        let run = |work: Box<dyn FnOnce() + Send>| -> BoxFuture<'static, Result<(), NotDone>> {
            let (compute, whose) = (compute.clone(), account.to_string());
            Box::pin(async move { compute.run(&whose, 1, |_| work()).await })
        };
        let busy = run(Box::new(move || {
            let _ = waits.recv();
        }));
        let mut waiting = vec![busy];
        waiting.extend((0..1_000).map(|_| run(Box::new(|| ()))));
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending());
        }
        assert_eq!(run(Box::new(|| ())).await, Err(NotDone::Crowded));
        Self { go_on, waiting }
    }

    /// Returns when there is time again.
    pub(crate) async fn end(mut self) {
        drop(self.go_on);
        self.waiting.swap_remove(0).await.expect("done");
    }
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("{key} in {json}"))
}

pub(crate) fn body(message: &Received) -> Json {
    serde_json::from_str(&message.body).expect("a JSON body")
}
