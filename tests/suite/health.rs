//! `/_postrider/health` says whether the server takes work: it asks the database, and says so while the server stops.
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use futures::future::join_all;
use postrider::config::{Encryption, Given, Mode, Objects};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::both_engines;
use crate::engine::{Engine, TestDatabase};
use crate::full_house::ask;
use crate::house::House;

/// A way to the tests' PostgreSQL that can be closed: then it is as if that was stopped.
pub(crate) struct Gate {
    server: SocketAddr,
    address: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Gate {
    /// Makes it the way to `database`.
    pub(crate) async fn before(database: &mut TestDatabase) -> Self {
        let (before, rest) = database.url.split_once('@').expect("a user");
        let (server, name) = rest.split_once('/').expect("a database");
        let server = tokio::net::lookup_host(server).await.expect("found").next().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        database.url = format!("{before}@{address}/{name}");
        Self { server, address, open: Some(tokio::spawn(carry(listener, server))) }
    }

    pub(crate) async fn close(&mut self) {
        let open = self.open.take().expect("it is open");
        open.abort();
        let _ = open.await;
    }

    /// As a proxy whose server is gone: from now on it takes connections and closes them. Gives how many there were.
    pub(crate) async fn slam(&mut self) -> Arc<AtomicUsize> {
        let (listener, count) =
            (TcpListener::bind(self.address).await.expect("its port"), Arc::new(AtomicUsize::new(0)));
        let taken = count.clone();
        self.open = Some(tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                taken.fetch_add(1, Ordering::SeqCst);
            }
        }));
        count
    }

    pub(crate) async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("nobody else took the port");
        self.open = Some(tokio::spawn(carry(listener, self.server)));
    }
}

/// Carries octets until it is dropped, with all connections.
async fn carry(listener: TcpListener, server: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        connections.spawn(async move {
            if let Ok(mut there) = TcpStream::connect(server).await {
                let _ = tokio::io::copy_bidirectional(&mut client, &mut there).await;
            }
        });
    }
}

/// The status of health, and its page.
pub(crate) async fn health(at: SocketAddr) -> (u16, Value) {
    let said = ask(2, at, "GET /_postrider/health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    let status = said.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let (_, page) = said.split_once("\r\n\r\n").expect("a page");
    (status, serde_json::from_str(page).expect("JSON"))
}

both_engines! {
    async fn a_server_that_works_says_what_it_looked_at(engine: Engine) {
        let house = House::working(Mode::Dev, engine, Given::default()).await;
        let (status, page) = health(house.app.addresses().http).await;
        let checks = json!({ "store": "ok", "listeners": "ok", "workers": "ok", "disk": "ok", "buckets": "ok" });
        assert_eq!((status, &page["status"], &page["reason"]), (200, &json!("ok"), &Value::Null));
        assert_eq!((&page["checks"], &page["delivery"]), (&checks, &json!("on")));
        let metrics = "GET /metrics HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        let metrics = ask(2, house.app.addresses().http, metrics).await;
        assert!(metrics.contains("postrider_store_up "), "{metrics}");
        house.stop().await;
    }

    async fn a_stop_is_said_before_anything_closes(engine: Engine) {
        let given = Given { drain: Some(5), admin: "0".parse().ok(), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        let (addresses, clock, sqs) = (house.app.addresses(), house.clock.clone(), house.sqs());
        let admin = addresses.admin.expect("a listener of its own");
        let stopped = tokio::spawn(house.stop());
        let (status, page) = loop {
            let (status, page) = health(addresses.http).await;
            if status != 200 {
                break (status, page);
            }
        };
        assert_eq!((status, &page["status"], &page["reason"]), (503, &json!("stopping"), &json!("the server stops")));
        assert_eq!(health(admin).await.0, 503);
        sqs.create_queue().queue_name("late").send().await.expect("it takes work until then");
        clock.advance(Duration::from_secs(5));
        stopped.await.expect("it stops");
        assert!(TcpStream::connect(addresses.http).await.is_err() && TcpStream::connect(admin).await.is_err());
    }
}

/// What health says of buckets, once a second has passed since somebody asked.
async fn buckets(house: &House) -> String {
    house.clock.advance(Duration::from_secs(1));
    let (status, page) = health(house.app.addresses().http).await;
    assert_eq!((status, &page["status"]), (200, &json!("ok")), "both nodes take work");
    page["checks"]["buckets"].as_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_node_that_does_not_find_the_buckets_is_told_of() {
    let first = House::working(Mode::Dev, Engine::Postgres, Given::default()).await;
    assert_eq!(buckets(&first).await, "ok", "a node alone");
    let shared = Objects { objects_shared: Some(true), ..Objects::default() };
    let given = Given { objects: shared, encryption: same_key(&first), ..Given::default() };
    let started = House::start_on(first.database.alike(), Mode::Dev, given).await;
    let second = started.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"));
    while buckets(&first).await == "ok" {}
    assert_eq!(buckets(&first).await, "another node uses the database, and does not find this node's buckets");
    while !second.app.store().hears_others() {
        first.clock.advance(Duration::from_secs(5));
    }
    assert_eq!(buckets(&second).await, "ok", "whose folder is shared has all");
    second.stop().await;
    while buckets(&first).await != "ok" {}
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_is_no_node_and_is_heard_all_the_same() {
    let house = House::serve(Engine::Postgres).await;
    let (store, before) = (house.app.store(), house.app.store().settings_generation());
    let mut admin = Command::new(env!("CARGO_BIN_EXE_postrider"));
    admin.arg("admin").arg("--data-dir").arg(house.database.dir.path().join("data"));
    admin.args(["--database-url", house.database.url(), "grant-production"]).env_remove("POSTRIDER_MASTER_KEY");
    let output = admin.output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What it said comes last: who listened to it has heard all.
    let heard = async {
        while store.settings_generation() == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.expect("the server hears what was changed");
    assert!(!store.hears_others());
    assert_eq!(buckets(&house).await, "ok");
    house.stop().await;
}

/// The key that another node has made.
fn same_key(house: &House) -> Encryption {
    let file = house.database.dir.path().join("data/master-key");
    Encryption { master_key_file: Some(file), ..Encryption::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_is_said_and_nobody_waits_long_for_it() {
    let mut database = TestDatabase::new(Engine::Postgres).await;
    let mut gate = Gate::before(&mut database).await;
    let started = House::start_on(database, Mode::Dev, Given::default()).await;
    let house = started.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"));
    let (http, clock) = (house.app.addresses().http, &house.clock);
    let once = house.sqs().config().to_builder().retry_config(RetryConfig::disabled()).build();
    let sqs = aws_sdk_sqs::Client::from_conf(once);
    sqs.create_queue().queue_name("q").send().await.expect("made");
    assert_eq!(health(http).await.0, 200);

    gate.close().await;
    assert_eq!(health(http).await.0, 200, "what was found is good for a second");
    clock.advance(Duration::from_secs(1));
    let (status, page) = health(http).await;
    let (failing, reason) = (json!("failing"), json!("store: it does not answer"));
    assert_eq!((status, &page["status"], &page["reason"]), (503, &failing, &reason));
    assert!(!house.app.health().is_store_up());
    // One of them tries; the others are told at once.
    let began = std::time::Instant::now();
    for _ in 0..4 {
        let many = join_all((0..8).map(|_| sqs.list_queues().send())).await;
        for refused in many {
            let error = refused.expect_err("there is no database");
            assert_eq!(error.code(), Some("ServiceUnavailable"));
            assert!(!error.message().unwrap_or_default().contains("database"), "that is not for callers");
        }
    }
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());

    gate.open().await;
    while health(http).await.0 != 200 {
        clock.advance(Duration::from_secs(1));
    }
    assert!(house.app.health().is_store_up());
    let urls = sqs.list_queues().send().await.expect("it is there again").queue_urls.unwrap_or_default();
    assert_eq!(urls.len(), 1);
    house.stop().await;
}
