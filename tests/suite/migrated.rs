//! A database whose migrations have run and that no server has opened. It is made once; each test that opens a store begins
//! with a copy of it, in place of migrations of its own.
//!
//! Nothing but the migrations has written in it: not the mark that tells a copy from its original (`lineage`), nor a master
//! key. A server takes a copy for a new database.
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Row};
use tokio::sync::OnceCell;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::schema::Raw;

/// The same files as in the program.
pub(crate) static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
pub(crate) static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// Held while the template is made: other processes with tests may want it, too.
const LOCK: i64 = 0x706f_7374_7465_7374;

/// Writes a migrated database into a file that is not there yet.
pub(crate) async fn write_sqlite(path: &Path) {
    static FILE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let file = FILE.get_or_init(make_sqlite).await;
    let mut copy = std::fs::OpenOptions::new();
    let mut copy = copy.write(true).create_new(true).mode(0o600).open(path).expect("a new file");
    copy.write_all(file).expect("written");
}

async fn make_sqlite() -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("migrated.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let options = options.journal_mode(SqliteJournalMode::Wal).pragma("synchronous", "OFF");
    let mut database = options.connect().await.expect("opened");
    SQLITE.run(&mut database).await.expect("migrated");
    // The last one that closes it moves the log into it.
    database.close().await.expect("closed");
    std::fs::read(path).expect("the database")
}

/// What `CREATE DATABASE` is told for a copy of a migrated database on the tests' PostgreSQL. That one stays there for the next
/// run: its name says which migrations it has.
pub(crate) async fn postgres_options(server: &str) -> &'static str {
    static OPTIONS: OnceCell<String> = OnceCell::const_new();
    OPTIONS.get_or_init(|| make_postgres(server)).await
}

async fn make_postgres(server: &str) -> String {
    let name = format!("postrider_migrated_{:016x}", version());
    let mut admin = PgConnection::connect(server).await.expect("the PostgreSQL server of the tests answers");
    admin.execute(AssertSqlSafe(format!("SELECT pg_advisory_lock({LOCK})"))).await.expect("the lock");
    let there = format!("SELECT COUNT(*) FROM pg_database WHERE datname = '{name}'");
    let there: i64 = admin.fetch_one(AssertSqlSafe(there)).await.expect("a number").get(0);
    if there == 0 {
        // Under another name until it is whole.
        for sql in ["DROP DATABASE IF EXISTS postrider_migrating", "CREATE DATABASE postrider_migrating"] {
            admin.execute(sql).await.expect("a database for the template");
        }
        let (base, _) = server.rsplit_once('/').expect("a URL with a database");
        let mut database = PgConnection::connect(&format!("{base}/postrider_migrating")).await.expect("it answers");
        POSTGRES.run(&mut database).await.expect("migrated");
        database.close().await.expect("closed");
        let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = 'postrider_migrating'";
        admin.execute(end).await.expect("nobody is there");
        let rename = format!("ALTER DATABASE postrider_migrating RENAME TO {name}");
        admin.execute(AssertSqlSafe(rename)).await.expect("renamed");
    }
    let version: String = admin.fetch_one("SHOW server_version_num").await.expect("a version").get(0);
    admin.close().await.expect("closed");
    // From version 15 on it can be said how to copy. By files takes two thirds of the time.
    let copy = if version.as_str() >= "150000" { " STRATEGY FILE_COPY" } else { "" };
    format!("TEMPLATE {name}{copy}")
}

/// Tells these migrations from others.
fn version() -> u64 {
    let octets = POSTGRES.iter().flat_map(|one| one.checksum.iter());
    // FNV-1a: the same in each build, unlike the standard library's.
    octets.fold(0xcbf2_9ce4_8422_2325, |hash, octet| (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3))
}

both_engines! {
    async fn nothing_is_in_a_new_database(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let mut raw = Raw::open(&database).await;
        let all: Vec<String> = raw.tables().await.into_iter().map(|table| table.name).collect();
        assert_eq!(raw.empty_tables().await, all);
    }
}
