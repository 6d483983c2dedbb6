//! The listener with the AWS endpoint on it, asked over TCP.
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::{Access, Trust};
use crate::aws::{Gate, Services};
use crate::base::Clock;
use crate::http::{AwsEndpoint, Health, Listener, Routes};
use crate::store::{Database, Store};

struct House {
    address: std::net::SocketAddr,
    health: Health,
    stop: CancellationToken,
    served: JoinHandle<()>,
    _dir: tempfile::TempDir,
}

async fn house(trust: Trust) -> House {
    let clock = Clock::system();
    let (services, dir) = Services::for_test(clock.clone()).await;
    let store = Store::open(&Database::Sqlite(dir.path().join("keys.db")), clock.clone()).await.expect("a store");
    let gate = Gate::new(Access::new(store, clock.clone(), trust), clock.clone());
    let endpoint = AwsEndpoint::new(services, gate, clock.clone());
    let health = Health::default();
    let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.expect("a port");
    let (address, stop) = (listener.address(), CancellationToken::new());
    let routes = Routes::new(&health).home(|_| async { axum::response::IntoResponse::into_response("welcome") });
    let served = tokio::spawn(listener.serve(routes.finish(endpoint), clock, stop.clone(), Duration::from_secs(5)));
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
        self.ask(&format!("GET {target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")).await
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
