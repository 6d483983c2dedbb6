//! The quota on nodes that share a database while the clock of one is off: they count by the database's clock.
use std::time::Duration;

use bytes::Bytes;
use postrider::base::{AccountId, Clock, Region, Timestamp};
use postrider::mail::sending::{Grants, Limits, SendError, Sending, Settings, Submission};
use postrider::queues::Queues;
use postrider::store::sending_accounts::{self, SendingAccount};
use postrider::store::{Error as StoreError, Store, identities};
use postrider::topics::Topics;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::engine::{Engine, TestDatabase};
use crate::ses_bench::verified_domain;

/// Two nodes on one PostgreSQL database whose time the test moves.
struct Nodes {
    right: Sending,
    wrong: Sending,
    admin: PgConnection,
    at: i64,
    _database: TestDatabase,
}

async fn node(database: &TestDatabase, off: i64) -> (Store, Sending) {
    let clock = Clock::skewed(off);
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let queues = Queues::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), queues, None, "http://127.0.0.1:4566");
    let settings = Settings { limits: Limits::Sandbox, hostname: "out.example".to_owned() };
    (store.clone(), Sending::new(store, clock, topics, settings))
}

impl Nodes {
    /// The clock of the second one is off by so many seconds.
    async fn new(off: i64, max_24_hour: i64, max_per_second: i64) -> Self {
        let database = TestDatabase::new(Engine::Postgres).await;
        let (store, right) = node(&database, 0).await;
        let (_, wrong) = node(&database, off * 1_000_000).await;
        let limits = SendingAccount { sending_enabled: true, production_access: true, max_24_hour, max_per_second };
        let done: Result<(), StoreError> = store
            .write(move |tx| {
                Box::pin(async move {
                    let (account, region, now) = (AccountId::development(), Region::default_region(), tx.now());
                    identities::insert(tx, &verified_domain(&account, &region, "x.example", now)).await?;
                    sending_accounts::put(tx, &account, &region, limits).await
                })
            })
            .await;
        done.expect("set up");
        let admin = PgConnection::connect(&database.url).await.expect("connects");
        let mut nodes = Self { right, wrong, admin, at: Clock::system().now().micros(), _database: database };
        nodes.later(Duration::ZERO).await;
        nodes
    }

    /// Moves the database's time.
    async fn later(&mut self, by: Duration) {
        self.at = (Timestamp::from_micros(self.at) + by).micros();
        let sql = format!(
            "CREATE OR REPLACE FUNCTION postrider_now() RETURNS BIGINT LANGUAGE sql VOLATILE AS 'SELECT CAST({} AS BIGINT)'",
            self.at
        );
        self.admin.execute(AssertSqlSafe(sql)).await.expect("the database's time moves");
    }

    async fn used(&self) -> [i64; 2] {
        let (account, region) = (AccountId::development(), Region::default_region());
        let used = async |node: &Sending| node.quota(&account, &region).await.expect("a quota").sent_last_24_hours;
        [used(&self.right).await, used(&self.wrong).await]
    }
}

async fn send(node: &Sending) -> Result<String, SendError> {
    let submission = Submission {
        account: AccountId::development(),
        region: Region::default_region(),
        caller: "AKIDEXAMPLE".to_owned(),
        source_ip: None,
        source: "a@x.example".parse().expect("an address"),
        recipients: vec!["b@y.example".parse().expect("an address")],
        raw: Bytes::from_static(b"From: a@x.example\r\nTo: b@y.example\r\n\r\nbody\r\n"),
        configuration_set: None,
        tags: vec![],
        return_path: None,
        grants: Grants::default(),
    };
    node.accept(submission).await
}

/// Ahead and behind, by an hour and by more than a day.
const OFF: [i64; 4] = [3_600, -3_600, 100_000, -100_000];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn together_they_keep_the_daily_quota_and_neither_is_refused_wrongly() {
    for off in OFF {
        let mut nodes = Nodes::new(off, 6, -1).await;
        for n in 0..6 {
            let node = if n % 2 == 0 { &nodes.right } else { &nodes.wrong };
            send(node).await.unwrap_or_else(|error| panic!("mail {n}, off by {off}: {error}"));
        }
        for node in [&nodes.right, &nodes.wrong] {
            assert!(matches!(send(node).await, Err(SendError::DailyQuotaExceeded)), "off by {off}");
        }
        assert_eq!(nodes.used().await, [6, 6], "off by {off}");
        nodes.later(Duration::from_secs(24 * 3_600 - 1)).await;
        for node in [&nodes.wrong, &nodes.right] {
            assert!(matches!(send(node).await, Err(SendError::DailyQuotaExceeded)), "off by {off}");
        }
        nodes.later(Duration::from_secs(1)).await;
        assert_eq!(nodes.used().await, [0, 0], "off by {off}");
        let both = [(); 12].map(|()| async { futures::join!(send(&nodes.right), send(&nodes.wrong)) });
        let results = futures::future::join_all(both).await;
        let accepted = results.iter().flat_map(|(a, b)| [a, b]).filter(|result| result.is_ok()).count();
        assert_eq!(accepted, 6, "off by {off}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn together_they_keep_the_rate_and_neither_is_refused_wrongly() {
    for off in OFF {
        let mut nodes = Nodes::new(off, -1, 2).await;
        for _ in 0..3 {
            send(&nodes.wrong).await.expect("the second is free");
            send(&nodes.right).await.expect("one more");
            for node in [&nodes.right, &nodes.wrong] {
                assert!(matches!(send(node).await, Err(SendError::RateExceeded)), "off by {off}");
            }
            nodes.later(Duration::from_secs(1)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_has_a_time_of_its_own() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let clock = Clock::skewed(-1_000_000_000_000);
    let store = Store::open(&database.database(), clock).await.expect("the store opens");
    let before = Clock::system().now();
    let now: Result<Timestamp, StoreError> = store.read(|tx| Box::pin(async move { tx.counting_now().await })).await;
    let now = now.expect("a time");
    let minute = Duration::from_secs(60);
    assert!(now + minute > before && now < Clock::system().now() + minute, "the server runs on this machine");
}
