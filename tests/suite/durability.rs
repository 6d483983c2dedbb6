//! What must hold when things go wrong inside: a fault in a change, a broken connection, an outcome that cannot be
//! written, a machine that slept.
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use postrider::base::{Clock, Timestamp};
use postrider::store::messages::{self, Counts};
use postrider::store::{Error, Store, Tx};
use postrider::workers::{
    Claim, Finish, Job, Outcome, Pool, Reason, Stop, SystemQueue, Work, enqueue, sweep_dead_letters,
};
use sqlx::{Connection, Executor, PgConnection};

use crate::both_engines;
use crate::engine::TestDatabase;

struct Bench {
    store: Store,
    clock: Clock,
    database: TestDatabase,
}

async fn bench(engine: crate::engine::Engine) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    Bench { store, clock, database }
}

async fn add(tx: &mut Tx, body: &str) -> Result<(), Error> {
    let job = Job { body: body.to_owned(), group: None, visible_at: tx.now() };
    enqueue(tx, SystemQueue::Inbound, &[job]).await
}

impl Bench {
    async fn add(&self, body: &'static str) -> Result<(), Error> {
        self.store.write(move |tx| Box::pin(async move { add(tx, body).await })).await
    }

    async fn counts(&self, queue_id: i64) -> Counts {
        messages::counts(&mut self.store.reader().await.expect("a reader"), queue_id).await.expect("counted")
    }

    fn pool(&self, work: impl Work) -> Pool {
        Pool::new(self.store.clone(), self.clock.clone(), "node-1", 10, work)
    }
}

both_engines! {
    async fn a_change_that_panics_harms_nobody_else(engine: Engine) {
        let b = bench(engine).await;
        let changes = (0..60).map(|n| b.store.write(move |tx| {
            Box::pin(async move {
                add(tx, "good").await?;
                if n % 3 == 0 { panic!("a fault in a change") } else { Ok::<_, Error>(()) }
            })
        }));
        let answers = join_all(changes).await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(Error::Panicked))).count(), 20);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 40);
        assert_eq!(b.counts(SystemQueue::Inbound.id()).await.visible, 40);
        b.add("after").await.expect("the store goes on");
    }

    async fn a_change_cannot_say_yes_after_a_statement_failed(engine: Engine) {
        let b = bench(engine).await;
        let changes = (0..10).map(|n| b.store.write(move |tx| {
            Box::pin(async move {
                add(tx, "before").await?;
                if n % 2 == 0 {
                    // PostgreSQL answers the COMMIT of such a transaction with a rollback.
                    assert!(tx.run("INSERT INTO nowhere VALUES (1)", vec![]).await.is_err());
                    assert!(add(tx, "after").await.is_err(), "nothing is written beside the transaction");
                }
                Ok::<_, Error>(())
            })
        }));
        let answers = join_all(changes).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5, "{answers:?}");
        assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Error::Sql(_) | Error::Sqlite(_)))), "{answers:?}");
        assert_eq!(b.counts(SystemQueue::Inbound.id()).await.visible, 5);
    }

    async fn text_with_a_nul_is_stored(engine: Engine) {
        let b = bench(engine).await;
        b.add("a\0b").await.expect("stored");
        let seen = Arc::new(Mutex::new(vec![]));
        let pool = b.pool(Seeing { seen: seen.clone() });
        assert_eq!(pool.round().await.expect("a round"), 1);
        assert_eq!(*seen.lock().expect("not poisoned"), ["a\u{FFFD}b"]);
    }

    async fn an_outcome_that_cannot_be_written_is_tried_later_and_later(engine: Engine) {
        let b = bench(engine).await;
        b.add("work").await.expect("added");
        let pool = b.pool(Unwritable);
        let mut waits = vec![];
        for _ in 0..4 {
            assert_eq!(pool.round().await.expect("a round"), 1);
            let mut waited = 0;
            while b.counts(SystemQueue::Inbound.id()).await.visible == 0 {
                b.clock.advance(Duration::from_secs(1));
                waited += 1;
            }
            waits.push(waited);
        }
        assert_eq!(waits, [10, 20, 40, 80]);
    }

    async fn a_machine_that_slept_does_not_start_its_own_jobs_again(engine: Engine) {
        let b = bench(engine).await;
        let seen = Arc::new(Mutex::new(vec![]));
        let stop = Stop::new(b.clock.clone());
        let pool = b.pool(Staying { seen: seen.clone() });
        // Before the pool runs, so that it rests once it has it.
        b.add("first").await.expect("added");
        let running = tokio::spawn(pool.run(stop.clone()));
        until(|| seen.lock().expect("not poisoned").len() == 1).await;
        // Longer than any lease.
        b.clock.advance(Duration::from_secs(600));
        b.add("second").await.expect("added");
        until(|| seen.lock().expect("not poisoned").len() == 2).await;
        assert_eq!(*seen.lock().expect("not poisoned"), ["first", "second"]);
        stop.soft().cancel();
        stop.hard().cancel();
        running.await.expect("it ends");
        let counts = b.counts(SystemQueue::Inbound.id()).await;
        assert_eq!(counts, Counts { visible: 2, in_flight: 0, delayed: 0 }, "both are given back");
    }

    async fn a_node_keeps_its_own_claims_and_no_others(engine: Engine) {
        let b = bench(engine).await;
        let seen = Arc::new(Mutex::new(vec![]));
        b.add("lost").await.expect("added");
        // A task of this node that died without an outcome: nobody works on its job any more.
        let lost = tokio::spawn({ let pool = b.pool(Staying { seen: seen.clone() }); async move { pool.round().await } });
        until(|| seen.lock().expect("not poisoned").len() == 1).await;
        lost.abort();
        let stop = Stop::new(b.clock.clone());
        let running = tokio::spawn(b.pool(Seeing { seen: seen.clone() }).run(stop.clone()));
        until(|| {
            b.clock.advance(Duration::from_secs(10));
            seen.lock().expect("not poisoned").len() == 2
        }).await;
        assert_eq!(*seen.lock().expect("not poisoned"), ["lost", "lost"]);
        stop.soft().cancel();
        running.await.expect("it ends");
    }

    async fn jobs_that_were_given_up_are_kept_for_two_weeks(engine: Engine) {
        let b = bench(engine).await;
        b.add("work").await.expect("added");
        assert_eq!(b.pool(GivingUp).round().await.expect("a round"), 1);
        let dead = SystemQueue::Inbound.dead_letters_id();
        b.clock.advance(Duration::from_secs(14 * 86_400));
        assert_eq!(sweep_dead_letters(&b.store, &b.clock).await.expect("swept"), 0);
        assert_eq!(b.counts(dead).await.visible, 1);
        b.clock.advance(Duration::from_secs(1));
        assert_eq!(sweep_dead_letters(&b.store, &b.clock).await.expect("swept"), 1);
        assert_eq!(b.counts(dead).await.visible, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_syncs_every_commit() {
    let b = bench(crate::engine::Engine::Sqlite).await;
    let read = |pragma: &'static str| {
        b.store.write(move |tx| Box::pin(async move { Ok::<_, Error>(tx.one(pragma, vec![]).await?.expect("a row")) }))
    };
    let synchronous = read("PRAGMA synchronous").await.expect("answers").int("synchronous").expect("a number");
    assert_eq!(synchronous, 2, "FULL");
    assert_eq!(read("PRAGMA journal_mode").await.expect("answers").text("journal_mode").expect("a text"), "wal");
}

/// A restart of PostgreSQL, or a failover, ends connections that wait. No change pays for that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_connections_to_postgresql_cost_no_change() {
    let b = bench(crate::engine::Engine::Postgres).await;
    for _ in 0..3 {
        let many = || join_all((0..24).map(|_| b.add("work")));
        many().await.into_iter().for_each(|answer| answer.expect("written"));
        let mut admin = PgConnection::connect(&b.database.url).await.expect("connected");
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() \
                   AND pid <> pg_backend_pid()";
        admin.execute(end).await.expect("all connections end");
        many().await.into_iter().for_each(|answer| answer.expect("written after all"));
    }
    // A connection for reading that broke fails once, and is replaced.
    let mut failed = 0;
    while b.store.reader().await.is_err() || read_count(&b.store).await.is_err() {
        failed += 1;
        assert!(failed <= 8, "readers do not come back");
    }
    assert_eq!(b.counts(SystemQueue::Inbound.id()).await.visible, 144);
}

/// While versions change, a newer node alters tables under an older one, which has statements prepared for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_schema_costs_each_connection_one_failure() {
    let b = bench(crate::engine::Engine::Postgres).await;
    let look = async || {
        let all = async |tx: &mut Tx| tx.all("SELECT * FROM queues", vec![]).await.map(|rows| rows.len());
        all(&mut b.store.reader().await?).await
    };
    join_all((0..16).map(|_| look())).await.into_iter().for_each(|seen| assert!(seen.is_ok(), "{seen:?}"));
    let mut admin = PgConnection::connect(&b.database.url).await.expect("connected");
    admin.execute("ALTER TABLE queues ADD COLUMN newer BIGINT").await.expect("altered");
    let mut failed = 0;
    for _ in 0..64 {
        failed += u32::from(look().await.is_err());
    }
    assert!(failed <= 8, "{failed} failures");
}

/// An operator may have told the server to answer commits before they are on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_to_postgresql_are_durable_whatever_the_server_is_set_to() {
    let database = TestDatabase::new(crate::engine::Engine::Postgres).await;
    let mut admin = PgConnection::connect(&database.url).await.expect("connected");
    let off =
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$";
    admin.execute(off).await.expect("set");
    let store = Store::open(&database.database(), Clock::system()).await.expect("the store opens");
    let row = store.write(|tx| Box::pin(async move { tx.one("SHOW synchronous_commit", vec![]).await })).await;
    let row = row.expect("answers").expect("a row");
    assert_eq!(row.text("synchronous_commit").expect("a text"), "on");
}

async fn read_count(store: &Store) -> Result<Counts, Error> {
    messages::counts(&mut store.reader().await?, SystemQueue::Inbound.id()).await
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

type Seen = Arc<Mutex<Vec<String>>>;

fn note(seen: &Seen, claim: &Claim) {
    seen.lock().expect("not poisoned").push(claim.body.clone());
}

/// Does its work and remembers what it was.
struct Seeing {
    seen: Seen,
}

impl Work for Seeing {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        note(&self.seen, claim);
        Box::pin(async { Finish::plain(Outcome::Done) })
    }
}

/// Begins, and does not end.
struct Staying {
    seen: Seen,
}

impl Work for Staying {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        note(&self.seen, claim);
        Box::pin(std::future::pending())
    }
}

/// Ends with a record that the store refuses.
struct Unwritable;

impl Work for Unwritable {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async {
            Finish::with(Outcome::Done, |tx| {
                Box::pin(async move { tx.run("INSERT INTO nowhere VALUES (1)", vec![]).await.map(drop) })
            })
        })
    }
}

/// Gives up at once.
struct GivingUp;

impl Work for GivingUp {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async { Finish::plain(Outcome::GiveUp(Reason::Refused)) })
    }
}
