//! Nodes that share a database: the clock of one is off, or one changes a topic while another subscribes to it.
use std::time::Duration;

use futures::FutureExt;
use postrider::base::{AccountId, Arn, Clock, Region, Scope};
use postrider::queues::{Queues, Receive};
use postrider::store::{self, Store};
use postrider::topics::{Attributes, By, Error, NewTopic, Publication, Spreader, Topics, Wish};
use postrider::workers::Pool;
use sqlx::{Connection, Executor, PgConnection, Row};

use crate::engine::{Engine, TestDatabase};
use crate::topics_bench::{bench, seed_key};

/// How many connections to this database wait for a lock.
const WAITING: &str =
    "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

/// A node whose clock is off by so many seconds.
struct Node {
    store: Store,
    queues: Queues,
    topics: Topics,
    clock: Clock,
}

impl Node {
    async fn new(database: &TestDatabase, off: i64) -> Self {
        let clock = Clock::skewed(off * 1_000_000);
        let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
        let queues = Queues::new(store.clone(), clock.clone());
        let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://postrider.example");
        Self { store, queues, topics, clock }
    }

    async fn subscribe(&self, topic: &Arn, queue: &str) -> Arn {
        let wish = Wish {
            owner: topic.account.clone(),
            topic: topic.clone(),
            protocol: "sqs".to_owned(),
            endpoint: Some(Arn::new("sqs", &topic.region, &topic.account, queue).to_string()),
            attributes: Attributes::new(),
            base_url: None,
        };
        self.topics.subscribe(wish).await.expect("subscribed").arn
    }

    /// As an event of a mail: a job hands it out.
    async fn publish(&self, topic: &Arn) {
        let (topics, topic) = (self.topics.clone(), topic.clone());
        let publication = Publication { message: "m".to_owned(), ..Publication::default() };
        let done: Result<String, Error> = self
            .store
            .write(move |tx| Box::pin(async move { topics.publish_in(tx, &topic, &publication).await }))
            .await;
        done.expect("published");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_subscribed_when_a_message_was_published_is_told_by_one_clock() {
    for off in [3_600, -3_600] {
        let database = TestDatabase::new(Engine::Postgres).await;
        let (right, wrong) = (Node::new(&database, 0).await, Node::new(&database, off).await);
        seed_key(&right.store).await;
        let scope = Scope { account: AccountId::development(), region: Region::default_region() };
        let new = NewTopic {
            account: scope.account.clone(),
            region: scope.region.clone(),
            name: "t".to_owned(),
            attributes: Attributes::new(),
            tags: Attributes::new(),
        };
        let topic = right.topics.create(new).await.expect("made");
        for queue in ["left", "stays", "leaves", "late"] {
            right.queues.create(&scope, queue, Attributes::new(), Attributes::new()).await.expect("made");
        }
        let left = wrong.subscribe(&topic, "left").await;
        wrong.topics.unsubscribe(&left, By::Owner, None).await.expect("unsubscribed");
        wrong.subscribe(&topic, "stays").await;
        let leaves = right.subscribe(&topic, "leaves").await;
        right.publish(&topic).await;
        wrong.topics.unsubscribe(&leaves, By::Owner, None).await.expect("unsubscribed");
        wrong.subscribe(&topic, "late").await;
        let fans = Pool::new(right.store.clone(), right.clock.clone(), "node", 4, Spreader::new(right.topics.clone()));
        while fans.round().await.expect("a round") > 0 {}
        for (queue, expected) in [("left", 0), ("stays", 1), ("leaves", 1), ("late", 0)] {
            let got = right.queues.receive(&scope, queue, Receive::default()).await.expect("the queue is there");
            assert_eq!(got.len(), expected, "{queue}, off by {off}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_does_not_come_to_take_large_messages_while_a_webhook_is_subscribed() {
    let b = bench(Engine::Postgres).await;
    let topic = b.topic("t", &[]).await;
    let mut other = PgConnection::connect(&b.database.url).await.expect("connects");
    let mut watch = PgConnection::connect(&b.database.url).await.expect("connects");
    other.execute("BEGIN").await.expect("begun");
    let set = r#"UPDATE topics SET attributes = '{"MaximumMessageSize":"300000"}'"#;
    other.execute(set).await.expect("set");
    let mut subscribing = Box::pin(b.topics.subscribe(b.wish(&topic, "http", "http://127.0.0.1:1/", &[])));
    let waits = async {
        loop {
            let row = watch.fetch_one(WAITING).await.expect("an answer");
            if row.get::<i64, _>(0) > 0 {
                return;
            }
        }
    };
    let waits = tokio::time::timeout(Duration::from_secs(30), waits);
    tokio::select! {
        done = &mut subscribing => panic!("it did not wait: {done:?}"),
        waits = waits => waits.expect("it waits"),
    }
    assert!((&mut subscribing).now_or_never().is_none());
    other.execute("COMMIT").await.expect("committed");
    assert!(matches!(subscribing.await, Err(Error::Large(_))));
    let kept: Result<_, store::Error> =
        b.store.read(|tx| Box::pin(async move { tx.one("SELECT id FROM subscriptions", vec![]).await })).await;
    assert!(kept.expect("an answer").is_none());
}
