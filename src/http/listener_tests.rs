//! The listener with the AWS endpoint on it, asked over TCP.
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, Trust};
use crate::aws::{Gate, Services};
use crate::base::{Clock, Memory, Timestamp};
use crate::http::{AwsEndpoint, Bounds, Health, Listener, Routes};
use crate::store::{Database, Store};

struct House {
    address: std::net::SocketAddr,
    health: Health,
    stop: CancellationToken,
    served: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

async fn house(trust: Trust) -> House {
    house_at(trust, Clock::system()).await
}

async fn house_at(trust: Trust, clock: Clock) -> House {
    let (services, dir) = Services::for_test(clock.clone()).await;
    let store = Store::open(&Database::Sqlite(dir.path().join("keys.db")), clock.clone()).await.expect("a store");
    let gate = Gate::new(Access::new(store, trust), clock.clone());
    let memory = Memory::default();
    let endpoint = AwsEndpoint::new(services, gate, clock.clone(), memory.clone());
    let bounds = Bounds::new(100, 50, memory, clock.clone());
    let health = Health::default();
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let (address, stop) = (listener.address(), CancellationToken::new());
    let routes = Routes::new(&health).home(|_| async { axum::response::IntoResponse::into_response("welcome") });
    let served =
        tokio::spawn(listener.serve(routes.finish(endpoint), clock, bounds, stop.clone(), Duration::from_secs(5)));
    House { address, health, stop, served, _dir: dir }
}

impl House {
    /// Sends `request` and reads until the server closes.
    async fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.expect("a reply");
        reply
    }

    async fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nhost: h\r\naccept: text/html\r\nconnection: close\r\n\r\n")).await
    }
}

#[tokio::test]
async fn pages_and_the_endpoint_share_a_port() {
    let house = house(Trust::Anybody).await;
    assert!(house.get("/_postrider/health").await.starts_with("HTTP/1.1 503"));
    house.health.ready();
    let health = house.get("/_postrider/health").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.contains("\"status\":\"ok\""), "{health}");
    assert!(house.get("/").await.ends_with("welcome"));
    let identity = house.get("/?Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(identity.starts_with("HTTP/1.1 200") && identity.contains("<Account>000000000000</Account>"), "{identity}");
    assert!(identity.contains("x-amzn-requestid: ") && identity.contains("x-amz-request-id: "), "{identity}");
    let metrics = house.get("/metrics").await;
    assert!(metrics.contains("postrider_requests_total{service=\"sts\",operation=\"GetCallerIdentity\""), "{metrics}");
    assert!(house.get("/nowhere").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn what_is_too_large_or_no_http_is_refused() {
    let house = house(Trust::Anybody).await;
    let large =
        house.ask("POST / HTTP/1.1\r\nhost: h\r\nexpect: 100-continue\r\ncontent-length: 99999999\r\n\r\n").await;
    assert!(large.starts_with("HTTP/1.1 413") && large.contains("RequestEntityTooLarge"), "{large}");
    assert!(house.ask("EHLO you\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    let heads = "x: y\r\n".repeat(200);
    assert!(house.ask(&format!("GET / HTTP/1.1\r\n{heads}\r\n")).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_production_server_reads_little_from_strangers() {
    let house = house(Trust::KnownKeys).await;
    let target = "x-amz-target: AmazonSQS.SendMessage";
    let large =
        format!("POST / HTTP/1.1\r\nhost: h\r\n{target}\r\nexpect: 100-continue\r\ncontent-length: 999999\r\n\r\n");
    let refused = house.ask(&large).await;
    assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("MissingAuthenticationToken"), "{refused}");
}

#[tokio::test]
async fn a_stop_closes_idle_connections_and_the_port() {
    let house = house(Trust::Anybody).await;
    let mut idle = TcpStream::connect(house.address).await.expect("a connection");
    idle.write_all(b"GET /_postrider/health HTTP/1.1\r\nhost: h\r\n\r\n").await.expect("sent");
    let mut some = [0; 12];
    idle.read_exact(&mut some).await.expect("a reply");
    house.stop.cancel();
    house.served.await.expect("the listener ends");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.expect("the connection is closed");
    assert!(TcpStream::connect(house.address).await.is_err());
}

fn sqs(operation: &str, body: &str, more: &str) -> String {
    let target = format!("x-amz-target: AmazonSQS.{operation}\r\ncontent-type: application/x-amz-json-1.0");
    format!("POST / HTTP/1.1\r\nhost: h\r\n{target}\r\n{more}content-length: {}\r\n\r\n{body}", body.len())
}

const WAIT: &str = r#"{"QueueUrl": "http://h/000000000000/q", "WaitTimeSeconds": 20}"#;

impl House {
    async fn with_queue(self) -> Self {
        let made = self.ask(&sqs("CreateQueue", r#"{"QueueName": "q"}"#, "connection: close\r\n")).await;
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
        self
    }

    async fn send(&self, text: &str) {
        let body = format!(r#"{{"QueueUrl": "http://h/000000000000/q", "MessageBody": "{text}"}}"#);
        let sent = self.ask(&sqs("SendMessage", &body, "connection: close\r\n")).await;
        assert!(sent.starts_with("HTTP/1.1 200"), "{sent}");
    }

    async fn begin(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        stream
    }
}

/// Reads until `text` has come.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        assert!(stream.read_buf(&mut read).await.expect("more") > 0, "closed after {read:?}");
    }
    String::from_utf8(read).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_has_waited_is_answered_and_goes_on() {
    let house = house(Trust::Anybody).await.with_queue().await;
    let mut waiting = house.begin(&sqs("ReceiveMessage", WAIT, "")).await;
    for n in 0..3 {
        let text = format!("message {n}");
        house.send(&text).await;
        let answer = read_until(&mut waiting, &text).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("x-amzn-requestid"), "{answer}");
        assert!(!answer.contains("connection: close"), "{answer}");
        waiting.write_all(b"GET /_postrider/health HTTP/1.1\r\nhost: h\r\n\r\n").await.expect("sent");
        read_until(&mut waiting, "\"status\"").await;
        waiting.write_all(sqs("ReceiveMessage", WAIT, "").as_bytes()).await.expect("sent");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_are_sent_ahead_of_an_answer_are_answered_after_it() {
    let house = house(Trust::Anybody).await.with_queue().await;
    let one = sqs("ReceiveMessage", WAIT, "");
    let health = "GET /_postrider/health HTTP/1.1\r\nhost: h\r\n\r\n";
    let mut stream = house.begin(&format!("{health}{one}{one}{health}")).await;
    read_until(&mut stream, "\"status\"").await;
    house.send("first").await;
    read_until(&mut stream, "first").await;
    house.send("second").await;
    let rest = read_until(&mut stream, "\"status\"").await;
    assert!(rest.contains("second") && rest.find("second") < rest.find("\"status\""), "{rest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_has_waited_closes_where_the_client_wants_it_closed() {
    let house = house(Trust::Anybody).await.with_queue().await;
    let closing = sqs("ReceiveMessage", WAIT, "connection: close\r\n");
    let old = sqs("ReceiveMessage", WAIT, "").replace("HTTP/1.1", "HTTP/1.0");
    for (request, version) in [(closing, "HTTP/1.1"), (old, "HTTP/1.0")] {
        let mut stream = house.begin(&request).await;
        house.send("the message").await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("the connection is closed");
        assert!(answer.starts_with(&format!("{version} 200")) && answer.contains("the message"), "{answer}");
    }
}

/// On a clock that stands still: nobody who waits is ever answered, and the time that a stop gives to who is at work never ends.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_before_its_answer_is_not_waited_for() {
    let house = house_at(Trust::Anybody, Clock::manual(Timestamp::from_secs(1_700_000_000))).await.with_queue().await;
    for n in 0..50 {
        let mut stream = house.begin("GET /_postrider/health HTTP/1.1\r\nhost: h\r\n\r\n").await;
        read_until(&mut stream, "\"status\"").await;
        stream.write_all(sqs("ReceiveMessage", WAIT, "").as_bytes()).await.expect("sent");
        // Some leave something behind.
        stream.write_all(&b"GET / HTTP/1.1\r\n"[..n % 17]).await.expect("sent");
        // Some go before the server has begun to wait, some after.
        house.get("/_postrider/health").await;
    }
    house.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(60), house.served).await;
    ended.expect("nobody is waited for").expect("the listener ends");
}

#[tokio::test]
async fn a_message_does_not_go_to_who_left_behind_what_it_sent_ahead() {
    let house = house_at(Trust::Anybody, Clock::manual(Timestamp::from_secs(1_700_000_000))).await.with_queue().await;
    let ahead = format!("{}GET /_postrider/health HTTP/1.1\r\nhost: h\r\n\r\n", sqs("ReceiveMessage", WAIT, ""));
    for n in 0..10 {
        let gone = house.begin(&ahead).await;
        // It waits by now, with what came ahead.
        house.get("/_postrider/health").await;
        drop(gone);
        house.get("/_postrider/health").await;
        let text = format!("message {n}");
        house.send(&text).await;
        // The clock stands: what the other had taken would never come back.
        let mut waiting = house.begin(&sqs("ReceiveMessage", WAIT, "")).await;
        read_until(&mut waiting, &text).await;
    }
}
