//! A database that was copied or restored is noticed and held. A restart, a new data directory or a second node is not.
use std::path::Path;
use std::time::Duration;

use postrider::base::Secret;
use postrider::config::{Encryption, Given, Mode};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};

use crate::both_engines;
use crate::engine::{Engine as OneOf, TestDatabase, server_url};
use crate::held::{self, delivery};
use crate::house::House;

/// 32 octets.
const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// All nodes have the same key.
fn given() -> Given {
    let encryption = Encryption { master_key: Some(Secret::new(MASTER_KEY)), ..Encryption::default() };
    Given { encryption, ..Given::default() }
}

async fn serve(database: TestDatabase) -> House {
    let started = House::start_on(database, Mode::Serve, given()).await;
    started.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"))
}

/// What `postrider admin release` says.
fn release(database: &TestDatabase) -> String {
    held::release(database, &[("POSTRIDER_MASTER_KEY", MASTER_KEY)])
}

async fn is_held(house: &House) -> bool {
    delivery(house).await.0 == "held"
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("read").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Makes a copy of a SQLite file, whoever uses it.
async fn back_up(of: &TestDatabase, to: &Path) {
    let mut database = SqliteConnection::connect(of.url()).await.expect("it opens");
    let into = format!("VACUUM INTO '{}'", to.display());
    database.execute(AssertSqlSafe(into)).await.expect("copied");
    database.close().await.expect("closed");
}

/// A copy of the database and of the data directory beside it.
async fn copy(of: &TestDatabase, engine: OneOf) -> TestDatabase {
    let copy = TestDatabase::empty(engine).await;
    copy_folder(&of.dir.path().join("data"), &copy.dir.path().join("data"));
    if engine == OneOf::Sqlite {
        back_up(of, &copy.dir.path().join("postrider.db")).await;
        return copy;
    }
    let name = |database: &TestDatabase| database.url.rsplit_once('/').expect("a name").1.to_owned();
    let (from, to) = (name(of), name(&copy));
    let mut server = PgConnection::connect(&server_url()).await.expect("it answers");
    let end = format!("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{from}'");
    for sql in [end, format!("DROP DATABASE {to}"), format!("CREATE DATABASE {to} TEMPLATE {from}")] {
        server.execute(AssertSqlSafe(sql)).await.expect("done");
    }
    copy
}

/// Works for so many minutes.
async fn go_on(house: &House, minutes: u32) {
    for _ in 0..minutes {
        house.clock.advance(Duration::from_secs(60));
        house.work().await;
    }
}

both_engines! {
    async fn a_copy_is_held_until_it_is_released_and_its_original_is_not(engine: Engine) {
        let house = serve(TestDatabase::new(engine).await).await;
        assert!(!is_held(&house).await, "the first start");
        let original = house.stop().await;
        let copy = copy(&original, engine).await;

        let house = serve(copy).await;
        let (held, why) = delivery(&house).await;
        assert!(held == "held" && why.contains("is a copy, or was restored or moved"), "{held}: {why}");
        let house = serve(house.stop().await).await;
        assert!(is_held(&house).await, "a restart ends nothing");
        assert!(release(&house.database).starts_with("released; it was held because the database is a copy"));
        house.work().await;
        assert!(!is_held(&house).await);
        go_on(&house, 2).await;
        let house = serve(house.stop().await).await;
        assert!(!is_held(&house).await, "it is known here now");
        house.stop().await;

        let house = serve(original).await;
        assert!(!is_held(&house).await, "the original stands where it stood");
        house.stop().await;
    }

    async fn a_move_can_be_made_known_before_the_start(engine: Engine) {
        let original = serve(TestDatabase::new(engine).await).await.stop().await;
        let copy = copy(&original, engine).await;
        let said = release(&copy);
        assert!(said.starts_with("nothing was held yet") && said.contains("the place is known now, it is "), "{said}");
        assert_eq!(release(&copy), "nothing was held\n");
        let house = serve(copy).await;
        assert!(!is_held(&house).await);
        house.stop().await;
    }

    async fn restarts_and_new_directories_are_no_restored_copies(engine: Engine) {
        let mut database = serve(TestDatabase::new(engine).await).await.stop().await;
        for round in 0..3 {
            let house = serve(database).await;
            assert!(!is_held(&house).await, "restart {round}");
            go_on(&house, 5).await;
            assert!(!is_held(&house).await, "minutes later");
            database = house.stop().await;
            if round == 1 {
                // A new container: nothing is left but the database.
                std::fs::remove_dir_all(database.dir.path().join("data")).expect("gone");
            }
        }
        // A volume that is mounted elsewhere.
        let elsewhere = database.alike();
        std::fs::rename(database.dir.path().join("data"), elsewhere.dir.path().join("data")).expect("moved");
        let house = serve(elsewhere).await;
        assert!(!is_held(&house).await);
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_is_put_back_into_the_same_file_is_noticed() {
    let database = serve(TestDatabase::new(OneOf::Sqlite).await).await.stop().await;
    let (file, kept) = (database.dir.path().join("postrider.db"), database.dir.path().join("backup.db"));
    back_up(&database, &kept).await;
    let backup = std::fs::read(&kept).expect("a backup");
    // The server goes on for a while, and then its backup is put back.
    let house = serve(database).await;
    go_on(&house, 5).await;
    let database = house.stop().await;
    // Who closes it last takes this away.
    while database.dir.path().join("postrider.db-wal").exists() {
        tokio::task::yield_now().await;
    }
    std::fs::write(&file, &backup).expect("put back, into the same file");
    let house = serve(database).await;
    let (held, why) = delivery(&house).await;
    assert!(held == "held" && why.contains("was restored from a backup: it ends at"), "{held}: {why}");
    let database = house.stop().await;
    release(&database);
    let house = serve(database).await;
    assert!(!is_held(&house).await, "it is known now");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_dev_a_copy_is_not_looked_for() {
    let start = async |database| {
        let started = House::start_on(database, Mode::Dev, given()).await;
        started.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"))
    };
    let database = start(TestDatabase::new(OneOf::Sqlite).await).await.stop().await;
    let copy = copy(&database, OneOf::Sqlite).await;
    let house = start(copy).await;
    assert!(!is_held(&house).await);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_one_database_hold_together_and_a_newcomer_is_no_copy() {
    let first = serve(TestDatabase::new(OneOf::Postgres).await).await;
    go_on(&first, 10).await;
    let second = serve(first.database.alike()).await;
    assert!(!is_held(&second).await && !is_held(&first).await, "a second node with a directory of its own");
    // The server's disk was put back to ten minutes ago under nodes that run: the numbers are the same, the time is not.
    let mut there = PgConnection::connect(first.database.url()).await.expect("it answers");
    there.execute("UPDATE lineage SET beat = beat - 600000000").await.expect("put back");
    first.work().await;
    let (held, why) = delivery(&first).await;
    assert!(held == "held" && why.contains("was restored from a backup"), "{held}: {why}");
    second.work().await;
    assert!(is_held(&second).await, "one node tells all");
    release(&first.database);
    for house in [&first, &second] {
        house.work().await;
        assert!(!is_held(house).await);
    }
    second.stop().await;
    first.stop().await;
}
