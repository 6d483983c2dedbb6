//! A bench for tests of the queue core: queues over a new database, and a clock that the test moves.
use std::collections::BTreeMap;
use std::time::Duration;

use postrider::base::{AccountId, Clock, Region, Scope, Timestamp};
use postrider::queues::{Error, Outgoing, Queues, Receive, Received, Sent};
use postrider::store::Store;

use crate::engine::{Engine, TestDatabase};

pub(crate) struct QueueBench {
    pub queues: Queues,
    pub store: Store,
    pub clock: Clock,
    pub scope: Scope,
    pub database: TestDatabase,
}

/// A message of a group.
pub(crate) fn grouped(group: &str, body: &str) -> Outgoing {
    Outgoing { body: body.to_owned(), group_id: Some(group.to_owned()), ..Outgoing::default() }
}

/// A message of a group with a deduplication id.
pub(crate) fn ordered(group: &str, id: &str, body: &str) -> Outgoing {
    Outgoing { deduplication_id: Some(id.to_owned()), ..grouped(group, body) }
}

impl QueueBench {
    pub(crate) async fn new(engine: Engine) -> Self {
        Self::with_clock(engine, Clock::manual(Timestamp::from_secs(1_800_000_000))).await
    }

    pub(crate) async fn with_clock(engine: Engine, clock: Clock) -> Self {
        let database = TestDatabase::new(engine).await;
        let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
        let queues = Queues::new(store.clone(), clock.clone());
        let scope = Scope { account: AccountId::development(), region: Region::default_region() };
        Self { queues, store, clock, scope, database }
    }

    pub(crate) async fn try_create(&self, name: &str, given: &[(&str, &str)]) -> Result<(), Error> {
        let given = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.queues.create(&self.scope, name, given, BTreeMap::new()).await.map(drop)
    }

    pub(crate) async fn create(&self, name: &str, given: &[(&str, &str)]) {
        self.try_create(name, given).await.expect("the queue is made");
    }

    pub(crate) async fn fifo(&self, name: &str, given: &[(&str, &str)]) {
        let given: Vec<_> = [&[("FifoQueue", "true")], given].concat();
        self.create(name, &given).await;
    }

    pub(crate) async fn send(&self, name: &str, message: Outgoing) -> Sent {
        self.queues.send_one(&self.scope, name, message).await.expect("the message is taken")
    }

    pub(crate) async fn receive(&self, name: &str, count: i64) -> Vec<Received> {
        let wanted = Receive { count_max: Some(count), ..Receive::default() };
        self.queues.receive(&self.scope, name, wanted).await.expect("the queue is there")
    }

    pub(crate) async fn bodies(&self, name: &str, count: i64) -> Vec<String> {
        self.receive(name, count).await.into_iter().map(|m| m.body).collect()
    }

    pub(crate) async fn delete(&self, name: &str, handle: &str) -> Result<(), Error> {
        let answers = self.queues.delete_messages(&self.scope, name, vec![handle.to_owned()]).await;
        answers.expect("the queue is there").pop().expect("one answer")
    }

    pub(crate) async fn hide(&self, name: &str, handle: &str, seconds: i64) -> Result<(), Error> {
        let changes = vec![(handle.to_owned(), seconds)];
        let answers = self.queues.change_visibility(&self.scope, name, changes).await;
        answers.expect("the queue is there").pop().expect("one answer")
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
