//! A full disk: nothing new is taken, with AWS's error for it, and what is there is received and deleted.
use std::io::Write;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use aws_sdk_sqs::types::QueueAttributeName;
use futures::future::join_all;
use postrider::config::{Given, Mode};
use postrider::store::Error;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::engine::{Engine, TestDatabase};
use crate::house::House;
use crate::small_disk::SmallDisk;

const MIB: u64 = 1024 * 1024;

/// SQLite takes no page more than `pages` beyond what it has: it answers as on a full disk. `None`: as many as it wants.
async fn limit(house: &House, more: Option<i64>) {
    let limited = house.app.store().write(move |tx| {
        Box::pin(async move {
            let rows = tx.all("PRAGMA page_count", vec![]).await?;
            let pages = rows.first().map_or(Ok(0), |row| row.int("page_count"))?;
            let max = more.map_or(1_000_000_000, |more| pages + more);
            tx.all(AssertSqlSafe(format!("PRAGMA max_page_count = {max}")), vec![]).await.map(drop)
        })
    });
    let limited: Result<(), Error> = limited.await;
    limited.expect("limited");
}

async fn send(sqs: &Client, url: &str) -> Result<(), String> {
    send_in(sqs, url, None).await
}

/// Sends to a group, where one is named. What is sent is never the same.
async fn send_in(sqs: &Client, url: &str, group: Option<&str>) -> Result<(), String> {
    let body = format!("{}{}", uuid::Uuid::new_v4(), "x".repeat(100_000));
    let sent = sqs.send_message().queue_url(url).message_body(body).set_message_group_id(group.map(str::to_owned));
    sent.send().await.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
}

/// Sends until that is refused. Gives how many were taken, and the code.
async fn fill(sqs: &Client, url: &str, group: Option<&str>) -> (usize, String) {
    let mut taken = 0;
    loop {
        match send_in(sqs, url, group).await {
            Ok(()) => taken += 1,
            Err(code) => return (taken, code),
        }
    }
}

async fn receive_and_delete(sqs: &Client, url: &str, count: usize) {
    for _ in 0..count {
        let got = sqs.receive_message().queue_url(url).send().await.expect("received");
        let handle = got.messages()[0].receipt_handle().expect("a handle").to_owned();
        sqs.delete_message().queue_url(url).receipt_handle(handle).send().await.expect("deleted");
    }
}

/// A client that asks once.
fn once(sqs: &Client) -> Client {
    Client::from_conf(sqs.config().to_builder().retry_config(RetryConfig::disabled()).build())
}

async fn queue(sqs: &Client, name: &str) -> String {
    let fifo = name.ends_with(".fifo");
    let mut create = sqs.create_queue().queue_name(name);
    if fifo {
        create = create
            .attributes(QueueAttributeName::FifoQueue, "true")
            .attributes(QueueAttributeName::ContentBasedDeduplication, "true");
    }
    create.send().await.expect("made").queue_url.expect("a URL")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_there_can_be_received_and_deleted_and_what_is_new_is_refused() {
    let given = Given { disk_reserve: Some(1), ..Given::default() };
    let house = House::start(Mode::Dev, Engine::Sqlite, given).await;
    let reserve = house.database.dir.path().join("postrider.db-reserve");
    assert_eq!(std::fs::metadata(&reserve).expect("kept back").len(), MIB);
    let sqs = once(&house.sqs());
    let url = queue(&sqs, "q").await;
    let sns = house.sns();
    let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");

    limit(&house, Some(300)).await;
    let (taken, refused) = fill(&sqs, &url, None).await;
    assert!(taken > 5, "{taken}");
    assert_eq!(refused, "ServiceUnavailable");
    assert_eq!(std::fs::metadata(&reserve).expect("a sign of it").len(), 0, "what was kept back is let go");
    let error = sns.publish().topic_arn(&topic).message("x").send().await.expect_err("no room");
    assert_eq!(error.code(), Some("ServiceUnavailable"));
    assert_eq!(house.app.round().await.expect("the store works"), 0, "no work is begun");
    let error = sqs.create_queue().queue_name("other").send().await.expect_err("no room");
    assert_eq!(error.code(), Some("ServiceUnavailable"), "what was let go is not for settings");

    // What was let go, in pages.
    limit(&house, Some(i64::try_from(MIB / 4_096).expect("small"))).await;
    receive_and_delete(&sqs, &url, taken).await;
    sns.delete_topic().topic_arn(&topic).send().await.expect("what makes room is done");
    assert_eq!(send(&sqs, &url).await, Err("ServiceUnavailable".to_owned()), "until it is looked at again");

    limit(&house, None).await;
    house.clock.advance(Duration::from_secs(10));
    // Whoever writes sees that there is room.
    let gone = sqs.receive_message().queue_url(&url).send().await.expect("received");
    assert!(gone.messages().is_empty());
    limit(&house, None).await;
    assert_eq!(send(&sqs, &url).await, Ok(()));
    assert_eq!(std::fs::metadata(&reserve).expect("kept back").len(), MIB);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_in_groups_are_refused_alike() {
    for (name, group) in [("q.fifo", "g"), ("fair", "tenant")] {
        let given = Given { disk_reserve: Some(1), ..Given::default() };
        let house = House::start(Mode::Dev, Engine::Sqlite, given).await;
        let sqs = once(&house.sqs());
        let url = queue(&sqs, name).await;
        limit(&house, Some(300)).await;
        let (taken, refused) = fill(&sqs, &url, Some(group)).await;
        assert!(taken > 5, "{name} {taken}");
        assert_eq!(refused, "ServiceUnavailable", "{name}");
        limit(&house, Some(i64::try_from(MIB / 4_096).expect("small"))).await;
        receive_and_delete(&sqs, &url, taken).await;
        assert_eq!(send_in(&sqs, &url, Some(group)).await, Err("ServiceUnavailable".to_owned()), "{name}");
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_lets_go_what_was_kept_back_and_works() {
    // Kept from the last run: whether that was stopped, or lost its power and left SQLite's log behind.
    for killed in [false, true] {
        let Some(disk) = SmallDisk::new(24) else {
            writeln!(std::io::stderr(), "full_disk: NOT RUN: this machine gives no small disk").expect("written");
            return;
        };
        let server = disk.serve();
        let sqs = server.sqs();
        let url = queue(&sqs, "q").await;
        for _ in 0..3 {
            send(&sqs, &url).await.expect("sent");
        }
        server.end(killed);
        let reserve = disk.folder().join("data/postrider.db-reserve");
        assert_eq!(std::fs::metadata(&reserve).expect("kept back").len(), 4 * MIB);
        disk.fill();

        let server = disk.serve();
        let sqs = server.sqs();
        assert_eq!(std::fs::metadata(&reserve).expect("a sign of it").len(), 0, "killed: {killed}");
        let url = sqs.get_queue_url().queue_name("q").send().await.expect("found").queue_url.expect("a URL");
        assert_eq!(send(&sqs, &url).await, Err("ServiceUnavailable".to_owned()), "killed: {killed}");
        receive_and_delete(&sqs, &url, 3).await;
        server.end(false);

        disk.empty();
        let server = disk.serve();
        assert_eq!(std::fs::metadata(&reserve).expect("kept back").len(), 4 * MIB);
        let sqs = server.sqs();
        let url = sqs.get_queue_url().queue_name("q").send().await.expect("found").queue_url.expect("a URL");
        send(&sqs, &url).await.expect("sent");
        server.end(false);
    }
}

/// PostgreSQL says, whenever something is put into a table, that the disk is full, and counts how often.
struct FullPostgres(PgConnection);

impl FullPostgres {
    async fn of(database: &TestDatabase) -> Self {
        let mut postgres = PgConnection::connect(&database.url).await.expect("it answers");
        let sql = "CREATE SEQUENCE tries; \
            CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS \
            $$ BEGIN PERFORM nextval('tries'); RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$; \
            CREATE TRIGGER no_room BEFORE INSERT ON messages FOR EACH STATEMENT EXECUTE FUNCTION no_room()";
        postgres.execute(sql).await.expect("full from now on");
        Self(postgres)
    }

    async fn tries(&mut self) -> i64 {
        let sql = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM tries";
        self.0.fetch_one(sql).await.expect("it answers").get(0)
    }

    async fn has_room_again(&mut self) {
        self.0.execute("DROP TRIGGER no_room ON messages").await.expect("there is room");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_one_tries_at_a_time_whether_there_is_room_again() {
    let refused = Err("ServiceUnavailable".to_owned());
    let house = House::start(Mode::Dev, Engine::Postgres, Given::default()).await;
    let sqs = once(&house.sqs());
    let (url, fifo) = (queue(&sqs, "q").await, queue(&sqs, "q.fifo").await);
    for _ in 0..4 {
        send(&sqs, &url).await.expect("sent");
        send_in(&sqs, &fifo, Some("g")).await.expect("sent");
    }
    let mut full = FullPostgres::of(&house.database).await;
    assert_eq!(send_in(&sqs, &fifo, Some("g")).await, refused);
    assert_eq!((send(&sqs, &url).await, full.tries().await), (refused.clone(), 1), "the database is not asked again");
    assert_eq!(house.app.round().await.expect("the store works"), 0, "no work is begun");
    receive_and_delete(&sqs, &url, 2).await;
    receive_and_delete(&sqs, &fifo, 4).await;
    for tries in 2..4 {
        house.clock.advance(Duration::from_secs(10));
        let many = join_all((0..16).map(|_| send(&sqs, &url))).await;
        assert!(many.iter().all(|sent| *sent == refused), "{many:?}");
        assert_eq!(full.tries().await, tries, "one of them was let through");
        receive_and_delete(&sqs, &url, 1).await;
    }
    full.has_room_again().await;
    assert_eq!(send(&sqs, &url).await, refused, "until it is tried again");
    house.clock.advance(Duration::from_secs(10));
    assert_eq!(send(&sqs, &url).await, Ok(()));
    let many = join_all((0..16).map(|_| send(&sqs, &url))).await;
    assert!(many.iter().all(Result::is_ok), "{many:?}");
    assert_eq!(full.tries().await, 3);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_room_is_found_where_nobody_sends() {
    let house = House::working(Mode::Dev, Engine::Postgres, Given::default()).await;
    let sqs = once(&house.sqs());
    let url = queue(&sqs, "q").await;
    let mut full = FullPostgres::of(&house.database).await;
    assert_eq!(send(&sqs, &url).await, Err("ServiceUnavailable".to_owned()));
    let tried = full.tries().await;
    while full.tries().await == tried {
        house.clock.advance(Duration::from_millis(200));
    }
    assert!(!house.app.store().has_room(), "tried in vain");
    full.has_room_again().await;
    while !house.app.store().has_room() {
        house.clock.advance(Duration::from_millis(200));
        tokio::task::yield_now().await;
    }
    let left = full.0.fetch_one("SELECT COUNT(*) FROM messages").await.expect("it answers").get::<i64, _>(0);
    assert_eq!(left, 0, "the try leaves nothing");
    send(&sqs, &url).await.expect("sent");
    house.stop().await;
}
