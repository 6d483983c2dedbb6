//! Nothing of ours is mixed with another program's tables: neither through a variable that many programs share, nor at all.
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use postrider::config::{Given, Mode};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, Row};

use crate::both_engines;
use crate::engine::{Engine as OneOf, TestDatabase};
use crate::house::{House, KEY, SECRET};

/// Makes another program's table.
async fn make_another(database: &TestDatabase) {
    const SQL: &str = "CREATE TABLE customers (id BIGINT)";
    if database.url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(&database.url).expect("a URL").create_if_missing(true);
        options.connect().await.expect("opened").execute(SQL).await.expect("made");
    } else {
        let mut postgres = PgConnection::connect(&database.url).await.expect("it answers");
        postgres.execute(SQL).await.expect("made");
    }
}

/// The tables that are there, schema and name.
async fn tables(database: &TestDatabase) -> Vec<String> {
    if database.url.starts_with("sqlite:") {
        let mut sqlite = SqliteConnectOptions::from_str(&database.url).expect("a URL").connect().await.expect("opened");
        let rows = sqlite.fetch_all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").await;
        return rows.expect("read").iter().map(|row| row.get(0)).collect();
    }
    let mut postgres = PgConnection::connect(&database.url).await.expect("it answers");
    let sql = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') \
               ORDER BY 1";
    postgres.fetch_all(sql).await.expect("read").iter().map(|row| row.get(0)).collect()
}

fn mode_of(file: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&file.metadata().expect("a file").permissions())
}

both_engines! {
    async fn a_database_with_another_programs_tables_is_refused_and_left_as_it_is(engine: Engine) {
        let database = TestDatabase::empty(engine).await;
        make_another(&database).await;
        let file = database.url.strip_prefix("sqlite:").map(std::path::PathBuf::from);
        let bytes = || file.as_ref().map(|file| (std::fs::read(file).expect("a file"), mode_of(file)));
        let before = bytes();
        for mode in [Mode::Dev, Mode::Serve] {
            let refused = House::start_on(database.alike(), mode, Given::default()).await;
            let (_, problem) = refused.err().expect("it is not ours");
            assert!(problem.contains("1 tables of another program"), "{problem}");
        }
        assert!(bytes() == before, "the file was changed");
        let left = tables(&database).await;
        assert!(left.len() == 1 && left[0].ends_with("customers"), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_of_its_own_is_enough() {
    let mut database = TestDatabase::empty(OneOf::Postgres).await;
    make_another(&database).await;
    let mut postgres = PgConnection::connect(&database.url).await.expect("it answers");
    postgres.execute("CREATE SCHEMA postrider").await.expect("made");
    database.url += "?options=-csearch_path%3Dpostrider";
    for _ in 0..2 {
        let house = House::start_on(database, Mode::Dev, Given::default()).await.unwrap_or_else(|(_, p)| panic!("{p}"));
        house.sqs().create_queue().queue_name("q").send().await.expect("made");
        database = house.stop().await;
    }
    let (theirs, ours): (Vec<String>, Vec<String>) =
        tables(&database).await.into_iter().partition(|name| name.starts_with("public."));
    assert_eq!(theirs, ["public.customers"]);
    assert!(ours.contains(&"postrider.queues".to_owned()), "{ours:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_greeting_says_that_other_nodes_would_not_find_the_buckets() {
    for mode in ["dev", "serve"] {
        let database = TestDatabase::empty(OneOf::Postgres).await;
        let said = start(mode, &database.dir.path().join("data"), "", &["--database-url", database.url()]);
        assert!(said.contains("warning: buckets are folders of this node"), "{said}");
    }
}

/// Starts the binary where `DATABASE_URL` names a file, until it serves. Gives what it printed.
fn start(mode: &str, data: &Path, bare: &str, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args([mode, "--delivery", "capture", "--hostname", "mx.postrider.example", "--disk-reserve", "0"]);
    for port in ["--http", "--smtp", "--submission", "--submissions"] {
        command.args([port, "127.0.0.1:0"]);
    }
    command.arg("--data-dir").arg(data).args(more).env("DATABASE_URL", bare).env_remove("POSTRIDER_MASTER_KEY");
    command.env("POSTRIDER_ROOT_ACCESS_KEY_ID", KEY).env("POSTRIDER_ROOT_SECRET_ACCESS_KEY", SECRET);
    let mut server = command.env("POSTRIDER_LOG", "error").stdout(Stdio::piped()).spawn().expect("it starts");
    let (last, mut said) = (if mode == "dev" { "try:" } else { "root key" }, String::new());
    let lines = BufReader::new(server.stdout.take().expect("piped")).lines();
    for line in lines.map_while(Result::ok) {
        said += &format!("{line}\n");
        if line.trim_start().starts_with(last) {
            break;
        }
    }
    server.kill().expect("killed");
    server.wait().expect("gone");
    said
}

#[test]
fn the_variable_that_many_programs_share_counts_for_serve_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("app.db");
    let bare = format!("sqlite:{}", file.display());
    let said = start("dev", &dir.path().join("dev"), &bare, &[]);
    assert!(said.contains("not used    DATABASE_URL"), "{said}");
    assert!(!file.exists() && dir.path().join("dev/postrider.db").exists());
    let said = start("serve", &dir.path().join("serve"), &bare, &[]);
    assert!(said.contains(&format!("database    {bare}  (DATABASE_URL)")), "{said}");
    assert!(file.exists() && !dir.path().join("serve/postrider.db").exists());
}
