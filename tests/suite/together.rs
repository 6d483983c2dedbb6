//! Several at once: nodes on one database, and callers who change the same thing at the same time.
use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use postrider::base::{AccountId, Clock, Region, Scope, Timestamp};
use postrider::queues::{Error, Outgoing, Queues, Receive};
use postrider::store::messages::{self, NewMessage};
use postrider::store::{Error as StoreError, Store};
use postrider::topics::{NewTopic, Topics};
use sqlx::postgres::PgListener;

use crate::both_engines;
use crate::engine::{Engine as OneOf, TestDatabase};
use crate::topics_bench::seed_key;

/// A node on a database that others may use too.
struct Node {
    store: Store,
    clock: Clock,
    queues: Queues,
    topics: Topics,
    scope: Scope,
}

async fn node(database: &TestDatabase) -> Node {
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let queues = Queues::new(store.clone(), clock.clone()).with_names_free_at_once(true);
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://127.0.0.1:4566");
    let scope = Scope { account: AccountId::development(), region: Region::default_region() };
    Node { store, clock, queues, topics, scope }
}

fn one(name: &str, value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), value.to_owned())])
}

impl Node {
    async fn create(&self, name: &str) {
        self.queues.create(&self.scope, name, BTreeMap::new(), BTreeMap::new()).await.expect("the queue is made");
    }

    async fn send(&self, name: &str, count: usize) {
        for _ in 0..count {
            let message = Outgoing { body: "x".to_owned(), ..Outgoing::default() };
            self.queues.send_one(&self.scope, name, message).await.expect("sent");
        }
    }

    async fn handles(&self, name: &str) -> Vec<String> {
        let wanted = Receive { count_max: Some(10), ..Receive::default() };
        let got = self.queues.receive(&self.scope, name, wanted).await.expect("received");
        got.into_iter().map(|message| message.receipt_handle).collect()
    }

    async fn left(&self, queue_id: i64) -> u32 {
        let counts = messages::counts(&mut self.store.reader().await.expect("a reader"), queue_id).await;
        let counts = counts.expect("counted");
        counts.visible + counts.in_flight + counts.delayed
    }
}

both_engines! {
    async fn changes_of_one_queue_at_once_are_all_kept(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let n = node(&database).await;
        n.create("q").await;
        for round in 1..=10 {
            let names = ["DelaySeconds", "ReceiveMessageWaitTimeSeconds", "VisibilityTimeout"];
            let value = round.to_string();
            let changes = names.iter().map(|name| n.queues.set_attributes(&n.scope, "q", one(name, &value)));
            join_all(changes).await.into_iter().for_each(|done| done.expect("changed"));
            let tags = names.iter().map(|name| n.queues.tag(&n.scope, "q", one(&format!("{name}{round}"), "v")));
            join_all(tags).await.into_iter().for_each(|done| done.expect("tagged"));
            let settings = n.queues.get(&n.scope, "q").await.expect("there").settings;
            let kept = [settings.delay, settings.receive_wait, settings.visibility_timeout];
            assert_eq!(kept, [round; 3]);
            assert_eq!(n.queues.tags(&n.scope, "q").await.expect("tags").len(), 3 * round as usize);
        }
    }

    async fn changes_of_one_topic_at_once_are_all_kept(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let n = node(&database).await;
        seed_key(&n.store).await;
        let new = NewTopic {
            account: n.scope.account.clone(),
            region: n.scope.region.clone(),
            name: "t".to_owned(),
            attributes: BTreeMap::new(),
            tags: BTreeMap::new(),
        };
        let topic = n.topics.create(new).await.expect("made");
        for round in 0..10 {
            let version = if round % 2 == 0 { "2" } else { "1" };
            let name = round.to_string();
            let (a, b, c, d) = tokio::join!(
                n.topics.set_attribute(&topic, "SignatureVersion", version),
                n.topics.set_attribute(&topic, "DisplayName", &name),
                n.topics.change_tags(&topic, one(&format!("a{round}"), "v"), vec![]),
                n.topics.change_tags(&topic, one(&format!("b{round}"), "v"), vec![]),
            );
            [a, b, c, d].into_iter().for_each(|done| done.expect("changed"));
            let now = n.topics.attributes(&topic).await.expect("attributes");
            assert_eq!((now["SignatureVersion"].as_str(), &now["DisplayName"]), (version, &name));
            assert_eq!(n.topics.tags(&topic).await.expect("tags").len(), 2 * (round + 1));
        }
    }

    async fn one_queue_can_be_made_and_deleted_by_many_at_once(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let n = node(&database).await;
        for _ in 0..5 {
            join_all((0..8).map(|_| n.create("q"))).await;
            let deleted = join_all((0..8).map(|_| n.queues.delete(&n.scope, "q"))).await;
            assert!(deleted.iter().any(Result::is_ok));
            assert!(deleted.iter().all(|d| matches!(d, Ok(()) | Err(Error::QueueMissing(_)))), "{deleted:?}");
        }
    }

    async fn a_message_that_comes_after_the_end_of_its_queue_does_not_stay_for_ever(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let n = node(&database).await;
        n.create("q").await;
        let id = n.queues.get(&n.scope, "q").await.expect("there").id;
        n.queues.delete(&n.scope, "q").await.expect("deleted");
        n.queues.sweep_deleted().await.expect("swept");
        // A send on another node, whose clock is ahead, found the queue before it was deleted and commits after the sweep.
        let visible_at = n.clock.now() + Duration::from_secs(30);
        let message = NewMessage {
            message_id: "late".to_owned(),
            visible_at,
            group_id: None,
            deduplication_id: None,
            sender: None,
            attributes: None,
            trace_header: None,
            body: "late".to_owned(),
        };
        let late = n.store.write(move |tx| Box::pin(async move { messages::insert(tx, id, &[message]).await }));
        Result::<(), StoreError>::expect(late.await, "inserted");
        assert_eq!(n.left(id).await, 1);
        n.queues.sweep_deleted().await.expect("swept");
        assert_eq!(n.left(id).await, 0);
        n.clock.advance(Duration::from_secs(600));
        n.queues.sweep_deleted().await.expect("swept, and forgotten");
    }

    async fn two_who_take_the_same_messages_in_another_order_do_not_block_each_other(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let n = node(&database).await;
        n.create("q").await;
        for _ in 0..15 {
            n.send("q", 10).await;
            let forth = n.handles("q").await;
            let mut back = forth.clone();
            back.reverse();
            let hide = |handles: &[String]| handles.iter().map(|h| (h.clone(), 60)).collect::<Vec<_>>();
            let (a, b) = tokio::join!(
                n.queues.change_visibility(&n.scope, "q", hide(&forth)),
                n.queues.change_visibility(&n.scope, "q", hide(&back)),
            );
            assert!(a.expect("changed").iter().chain(&b.expect("changed")).all(Result::is_ok));
            let (a, b, c) = tokio::join!(
                n.queues.delete_messages(&n.scope, "q", forth),
                n.queues.delete_messages(&n.scope, "q", back),
                n.queues.purge(&n.scope, "q"),
            );
            a.expect("deleted");
            b.expect("deleted");
            c.expect("purged");
            n.clock.advance(Duration::from_secs(61));
        }
    }
}

/// The clock of the node that waits stands still, so only a hint of the other node can wake it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_wakes_for_what_another_one_commits() {
    let database = TestDatabase::new(OneOf::Postgres).await;
    let (here, there) = (node(&database).await, node(&database).await);
    here.create("q").await;
    let waiting = |node: &Node| {
        let (queues, scope) = (node.queues.clone(), node.scope.clone());
        let wanted = Receive { wait: Some(20), ..Receive::default() };
        tokio::spawn(async move { queues.receive(&scope, "q", wanted).await.expect("answers").len() })
    };
    for _ in 0..3 {
        let received = waiting(&here);
        there.send("q", 1).await;
        assert_eq!(received.await.expect("ends"), 1);
        let received = waiting(&there);
        here.send("q", 1).await;
        assert_eq!(received.await.expect("ends"), 1);
    }
}

/// What a node says on the channel of hints: who, and what.
async fn heard(ear: &mut PgListener) -> (String, String) {
    let said = ear.recv().await.expect("something is said");
    let (origin, words) = said.payload().split_once(' ').expect("an origin and words");
    (origin.to_owned(), words.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_alone_keeps_hints_to_itself_until_another_comes() {
    let database = TestDatabase::new(OneOf::Postgres).await;
    let mut ear = PgListener::connect(database.url()).await.expect("connected");
    ear.listen("postrider_wake").await.expect("listens");
    let here = node(&database).await;
    here.create("q").await;
    let (name, _) = heard(&mut ear).await;
    let greeting = (name.clone(), "hello".to_owned());
    // A greeting each five seconds, which nobody answers. At first there may be news too.
    for _ in 0..12 {
        here.clock.advance(Duration::from_secs(5));
        heard(&mut ear).await;
    }
    here.send("q", 1).await;
    for _ in 0..4 {
        here.clock.advance(Duration::from_secs(5));
        assert_eq!(heard(&mut ear).await, greeting, "nothing is said of the message");
    }
    assert_eq!(here.handles("q").await.len(), 1);
    let there = node(&database).await;
    // Its clock must not be behind, or it would not see the message yet.
    there.clock.advance(Duration::from_secs(120));
    while heard(&mut ear).await.0 == name {}
    while heard(&mut ear).await != greeting {}
    let (queues, scope) = (there.queues.clone(), there.scope.clone());
    let wanted = Receive { wait: Some(20), ..Receive::default() };
    let received = tokio::spawn(async move { queues.receive(&scope, "q", wanted).await.expect("answers").len() });
    // The clock of the other node stands still: only the hint wakes it.
    here.send("q", 1).await;
    assert_eq!(received.await.expect("ends"), 1);
}
