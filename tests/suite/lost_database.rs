//! What a database does to those who use it that goes away for a while, or gives only a few connections.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use futures::future::{BoxFuture, join_all};
use postrider::base::{Clock, Timestamp};
use postrider::store::settled::Settled;
use postrider::store::{self, Store, Tx};
use postrider::workers::{Claim, Finish, Job, Outcome, Pool, SystemQueue, Work, enqueue};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::Semaphore;

use crate::engine::{Engine, TestDatabase, server_url};
use crate::health::Gate;
use crate::house::{KEY, SECRET, credentials, sqs_at};
use crate::program::Program;

/// Does its jobs when it is let, and counts them.
#[derive(Clone)]
struct Slowly {
    begun: Arc<Semaphore>,
    may_end: Arc<Semaphore>,
    done: Arc<AtomicUsize>,
}

impl Work for Slowly {
    fn queue(&self) -> SystemQueue {
        SystemQueue::TopicDelivery
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            self.begun.add_permits(1);
            self.may_end.acquire().await.expect("open").forget();
            self.done.fetch_add(1, Ordering::SeqCst);
            match claim.body.as_str() {
                "plain" => Finish::plain(Outcome::Done),
                _ => Finish::with(Outcome::Done, |_| Box::pin(async { Ok(()) })),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_done_while_the_database_was_away_is_not_done_again() {
    let mut database = TestDatabase::new(Engine::Postgres).await;
    let mut gate = Gate::before(&mut database).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let job = |body: &str| Job { body: body.to_owned(), group: None, visible_at: clock.now() };
    let jobs = [job("plain"), job("with a record")];
    let added = store.write(move |tx| Box::pin(async move { enqueue(tx, SystemQueue::TopicDelivery, &jobs).await }));
    added.await.expect("added");
    let (begun, may_end) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let work = Slowly { begun: begun.clone(), may_end: may_end.clone(), done: Arc::default() };
    let done = work.done.clone();
    let pool = Pool::new(store.clone(), clock.clone(), "node", 10, work);
    let mut round = tokio::spawn({
        let pool = pool.clone();
        async move { pool.round().await }
    });
    begun.acquire_many(2).await.expect("open").forget();

    gate.close().await;
    may_end.add_permits(10);
    // Longer than a caller waits for a connection.
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(5) {
        store.ping().await.expect_err("there is no database");
        tokio::task::yield_now().await;
    }
    gate.open().await;
    while tokio::time::timeout(Duration::from_secs(1), &mut round).await.is_err() {
        clock.advance(Duration::from_secs(1));
    }
    clock.advance(Duration::from_secs(120));
    assert_eq!(pool.round().await.expect("the store works"), 0);
    assert_eq!(done.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_gives_few_connections_serves_all_with_them() {
    // Empty, so that all that is made in it is the role's own.
    let mut database = TestDatabase::empty(Engine::Postgres).await;
    let mut admin = PgConnection::connect(&server_url()).await.expect("the PostgreSQL server of the tests answers");
    let role = format!("few_{}", uuid::Uuid::new_v4().simple());
    let (before, rest) = database.url.split_once('@').expect("a user");
    let (_, name) = rest.rsplit_once('/').expect("a database");
    let create = format!("CREATE ROLE {role} LOGIN PASSWORD 'few' CONNECTION LIMIT 6");
    admin.execute(AssertSqlSafe(create)).await.expect("a role for the test");
    let give = format!("ALTER DATABASE {name} OWNER TO {role}");
    admin.execute(AssertSqlSafe(give)).await.expect("it owns the database");
    let (scheme, _) = before.split_once("://").expect("a URL");
    database.url = format!("{scheme}://{role}:few@{rest}");

    // The time is real here: so is what waits for connections.
    let store = Store::open(&database.database(), Clock::system()).await.expect("the store opens");
    let one = async |id: i64| {
        for _ in 0..5 {
            store.write(ask).await.expect("written");
            store.read(ask).await.expect("read");
            let nothing = Settled { queue_id: -3, id, receipt: 1, end: None, crowded: None };
            assert!(!store.settle(nothing).await.expect("asked"));
            store.ping().await.expect("the database answers");
        }
    };
    join_all((0..30).map(one)).await;
    drop(store);
    drop(database);
    admin.execute(AssertSqlSafe(format!("DROP ROLE {role}"))).await.expect("it owns nothing any more");
}

fn ask(tx: &mut Tx) -> BoxFuture<'_, Result<(), store::Error>> {
    Box::pin(async { tx.all("SELECT pg_sleep(0.02)", vec![]).await.map(drop) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_closes_what_it_takes_is_a_database_that_does_not_answer() {
    let mut database = TestDatabase::new(Engine::Postgres).await;
    let mut gate = Gate::before(&mut database).await;
    let mut program = Program::start("dev", &database.dir.path().join("data"), database.url(), &[]);
    let once = sqs_at(&program.endpoint, credentials(KEY, SECRET));
    let sqs = aws_sdk_sqs::Client::from_conf(once.config().to_builder().retry_config(RetryConfig::disabled()).build());
    sqs.create_queue().queue_name("q").send().await.expect("made");

    gate.close().await;
    let taken = gate.slam().await;
    for _ in 0..20 {
        for refused in join_all((0..4).map(|_| sqs.list_queues().send())).await {
            assert_eq!(refused.expect_err("there is no database").code(), Some("ServiceUnavailable"));
        }
    }
    assert!(taken.load(Ordering::SeqCst) > 10, "it was tried again and again");
    gate.close().await;
    gate.open().await;
    while sqs.list_queues().send().await.is_err() {}
    program.heard(&["the database answers again"]);
    let log = program.stop();
    for said in ["the database does not answer: what needs it", "the database answers again"] {
        assert_eq!(log.iter().filter(|line| line.contains(said)).count(), 1, "{said}: {log:#?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_waits_for_the_database_behind_such_a_proxy() {
    let mut database = TestDatabase::new(Engine::Postgres).await;
    let mut gate = Gate::before(&mut database).await;
    gate.close().await;
    let (taken, there) = (gate.slam().await, database.database());
    let mut opening = Box::pin(Store::open(&there, Clock::system()));
    while taken.load(Ordering::SeqCst) < 3 {
        let ended = tokio::time::timeout(Duration::from_millis(1), &mut opening).await;
        assert!(ended.is_err(), "it waits");
    }
    gate.close().await;
    gate.open().await;
    let store = opening.await.expect("the store opens");
    store.ping().await.expect("the database answers");
}

#[test]
fn admin_says_soon_that_the_database_does_not_answer() {
    // The machine itself takes the connection; nobody ever reads from it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("postgres://me:secret@{}/postrider", silent.local_addr().expect("bound"));
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args(["admin", "account", "list", "--database-url", &url]).current_dir(dir.path()).env_clear();
    let began = std::time::Instant::now();
    let output = command.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("/postrider cannot be used now: the database does not answer"), "{said}");
    assert!(!said.contains("secret") && began.elapsed() < Duration::from_secs(20), "{said} {:?}", began.elapsed());
}
