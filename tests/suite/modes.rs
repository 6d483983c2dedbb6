//! `dev` and `serve` leave each other's data alone: what one has begun the other refuses to open, and changes nothing in it.
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use postrider::base::Secret;
use postrider::config::{Encryption, Given, Mode};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::both_engines;
use crate::engine::{Engine as OneOf, TestDatabase};
use crate::house::House;

const BOTH: [(Mode, Mode); 2] = [(Mode::Serve, Mode::Dev), (Mode::Dev, Mode::Serve)];
/// 32 octets.
const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// Whatever the data directory, the key is the same.
fn given() -> Given {
    let encryption = Encryption { master_key: Some(Secret::new(MASTER_KEY)), ..Encryption::default() };
    Given { encryption, ..Given::default() }
}

async fn start(database: TestDatabase, mode: Mode) -> House {
    let started = House::start_on(database, mode, given()).await;
    started.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"))
}

async fn refused(database: TestDatabase, mode: Mode, given: Given) -> (TestDatabase, String) {
    House::start_on(database, mode, given).await.err().expect("refused")
}

fn name(mode: Mode) -> &'static str {
    if mode == Mode::Dev { "dev" } else { "serve" }
}

/// What a database is told by.
fn last(url: &str) -> &str {
    url.rsplit_once('/').expect("a URL").1
}

/// As a version left it that knew of no modes.
async fn forget_mode(database: &TestDatabase, engine: OneOf) {
    let sql = "UPDATE lineage SET mode = NULL";
    match engine {
        OneOf::Sqlite => {
            let mut there = SqliteConnection::connect(database.url()).await.expect("it opens");
            there.execute(sql).await.expect("forgotten");
            there.close().await.expect("closed");
        }
        OneOf::Postgres => {
            let mut there = PgConnection::connect(database.url()).await.expect("it answers");
            there.execute(sql).await.expect("forgotten");
        }
    }
}

both_engines! {
    async fn the_data_of_one_mode_is_refused_to_the_other_and_left_as_it_is(engine: Engine) {
        for (own, other) in BOTH {
            let house = House::start(own, engine, Given::default()).await;
            let sqs = house.sqs();
            let queue = sqs.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
            sqs.send_message().queue_url(&queue).message_body("kept").send().await.expect("sent");
            let mut database = house.stop().await;
            let left = |database: &TestDatabase| std::fs::read(database.dir.path().join("data/server.json")).expect("read");
            let before = left(&database);
            let belongs = format!("belongs to `postrider {}`, so `postrider {}` leaves it alone", name(own), name(other));

            let (back, said) = refused(database, other, Given::default()).await;
            database = back;
            let directory = format!("the data directory {} {belongs}", database.dir.path().join("data").display());
            assert!(said.starts_with(&directory) && said.contains("use another --data-dir"), "{said}");
            // With its directory a database of its own does not help: there are objects and keys in it as well.
            let elsewhere = TestDatabase::new(engine).await;
            let own_url = std::mem::replace(&mut database.url, elsewhere.url.clone());
            let (mut database, said) = refused(database, other, Given::default()).await;
            database.url = own_url;
            assert!(said.starts_with(&directory), "{said}");
            // With a new directory the database says whose it is, whether its key is known there or not.
            for given in [Given::default(), given()] {
                let (_, said) = refused(database.alike(), other, given).await;
                let whose = format!("{} {belongs}", last(&database.url));
                assert!(said.starts_with("the database ") && said.contains(&whose), "{said}");
            }

            assert_eq!(left(&database), before);
            let house = House::start_on(database, own, Given::default()).await.unwrap_or_else(|(_, no)| panic!("{no}"));
            let got = house.sqs().receive_message().queue_url(&queue).send().await.expect("asked").messages;
            assert_eq!(got.unwrap_or_default()[0].body.as_deref(), Some("kept"));
            house.stop().await;
        }
    }

    async fn a_database_of_an_earlier_version_is_of_the_mode_that_starts_next(engine: Engine) {
        for (own, other) in BOTH {
            let database = start(TestDatabase::new(engine).await, own).await.stop().await;
            forget_mode(&database, engine).await;
            // One that is refused for another reason decides nothing.
            let (_, said) = refused(database.alike(), own, Given::default()).await;
            assert!(said.contains("which was not given"), "{said}");
            let elsewhere = start(database.alike(), other).await.stop().await;
            let (_, said) = refused(database.alike(), own, given()).await;
            assert!(said.contains(&format!("belongs to `postrider {}`", name(other))), "{said}");
            start(elsewhere, other).await.stop().await;
        }
    }
}

/// The program's exit code and what it says, where it does not serve.
fn run(mode: &str, data: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args([mode, "--hostname", "mx.postrider.example", "--delivery", "capture", "--disk-reserve", "1"]);
    for port in ["--http", "--smtp", "--submission", "--submissions"] {
        command.args([port, "127.0.0.1:0"]);
    }
    // As an operator's shell has it.
    command.env_clear().env("POSTRIDER_DATA_DIR", data).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let said = BufReader::new(child.stdout.take().expect("piped"));
    if said.lines().map_while(Result::ok).any(|line| line.trim_start().starts_with("endpoint")) {
        child.kill().expect("killed");
    }
    let mut text = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut text).expect("text");
    (child.wait().expect("gone").code(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_in_which_the_data_directory_is_set_does_no_harm() {
    let mut database = TestDatabase::new(OneOf::Sqlite).await;
    std::fs::create_dir(database.dir.path().join("data")).expect("made");
    database.url = format!("sqlite:{}", database.dir.path().join("data/postrider.db").display());
    let database = start(database, Mode::Serve).await.stop().await;
    let (code, said) = run("dev", &database.dir.path().join("data"));
    assert_eq!((code, said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("belongs to `postrider serve`"), "{said}");
}
