//! A server whose places are nearly all taken by those who do nothing: others get in, and health is told.
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use futures::future::select_all;
use postrider::config::{Given, Mode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::both_engines;
use crate::house::House;

/// A connection from one of this machine's addresses.
pub(crate) async fn connect(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, from], 0).into()).expect("an address of ours");
    socket.connect(to).await.expect("a connection")
}

/// One that takes only what its client reads, and not much ahead.
async fn slow(from: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(64 * 1024).expect("a small room");
    socket.bind(([127, 0, 0, from], 0).into()).expect("an address of ours");
    socket.connect(to).await.expect("a connection")
}

/// Those come from the addresses of `from`, say nothing, and are looked at before this returns.
async fn come(from: RangeInclusive<u8>, http: SocketAddr, all: &mut Vec<TcpStream>) {
    for n in from {
        all.push(connect(n, http).await);
    }
    healthy(200, http).await;
}

/// Asks for health. Those who were asked to leave are there for a moment yet: who is closed meanwhile asks again.
async fn healthy(from: u8, http: SocketAddr) {
    let mut health = ask(from, http, HEALTH).await;
    for _ in 0..20 {
        if !health.is_empty() {
            break;
        }
        health = ask(from, http, HEALTH).await;
    }
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
}

/// Sends `request` and reads until the server closes.
pub(crate) async fn ask(from: u8, to: SocketAddr, request: &str) -> String {
    let mut stream = connect(from, to).await;
    stream.write_all(request.as_bytes()).await.expect("sent");
    said(&mut stream).await
}

/// All that the server says until it closes.
pub(crate) async fn said(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    // Who is closed while it sends may hear of it as an error, after what was said.
    let _ = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

/// What the first of them is told that is closed.
async fn first_parted(streams: &mut [TcpStream]) -> String {
    select_all(streams.iter_mut().map(|stream| Box::pin(said(stream)))).await.0
}

const HEALTH: &str = "GET /_postrider/health HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
const SQS: &str = "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AmazonSQS.ListQueues\r\ncontent-length: 2\r\n\r\n{}";
const QUERY: &str = "GET /?Action=ListTopics&Version=2010-03-31 HTTP/1.1\r\nhost: h\r\n\r\n";

both_engines! {
    async fn unfinished_heads_make_room_for_others(engine: Engine) {
        let given =
            Given { http_connections: Some(40), http_connections_per_peer: Some(40), ..Given::default() };
        let house = House::start(Mode::Serve, engine, given).await;
        let http = house.app.addresses().http;
        let mut hostile = Vec::new();
        for from in 2..=7 {
            for _ in 0..20 {
                let mut stream = connect(from, http).await;
                stream.write_all(b"POST / HTTP/1.1\r\nhost: h\r\n").await.expect("sent");
                hostile.push(stream);
            }
        }
        for from in 20..40 {
            healthy(from, http).await;
        }
        house.sqs().list_queues().send().await.expect("an answer");
        assert_eq!(first_parted(&mut hostile).await, "", "some are closed, without a word");
    }

    async fn a_reply_that_is_taken_piece_by_piece_is_not_cut_while_it_is(engine: Engine) {
        let given =
            Given { http_connections: Some(40), http_connections_per_peer: Some(40), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        let (http, sqs) = (house.app.addresses().http, house.sqs());
        let queue = sqs.create_queue().queue_name("q").attributes("VisibilityTimeout".into(), "0").send().await;
        let url = queue.expect("a queue").queue_url.expect("its URL");
        for _ in 0..10 {
            let large = "x".repeat(1_000_000);
            sqs.send_message().queue_url(&url).message_body(large).send().await.expect("sent");
        }
        let body = format!("{{\"QueueUrl\": \"{url}\", \"MaxNumberOfMessages\": 10}}");
        let receive = SQS.replace("ListQueues", "ReceiveMessage").replace("content-length: 2\r\n\r\n{}", "");
        let receive = format!("{receive}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (mut reads, mut stops) = (slow(2, http).await, slow(3, http).await);
        for client in [&mut reads, &mut stops] {
            client.write_all(receive.as_bytes()).await.expect("sent");
            client.peek(&mut [0]).await.expect("the reply begins");
        }
        house.clock.advance(Duration::from_secs(1));
        let mut idle = Vec::new();
        come(10..=60, http, &mut idle).await;
        house.clock.advance(Duration::from_secs(3));
        // More than the machine keeps of it: the server has sent some just now.
        let mut taken = vec![0; 7_000_000];
        reads.read_exact(&mut taken).await.expect("nobody is cut who was given nothing to take for a moment");
        house.clock.advance(Duration::from_secs(3));
        come(61..=130, http, &mut idle).await;
        let rest = said(&mut reads).await;
        assert!(rest.len() > 3_000_000 && rest.ends_with("]}"), "{} octets and no end", rest.len());
        let cut = said(&mut stops).await;
        assert!(cut.starts_with("HTTP/1.1 200") && cut.len() < 10_000_000, "who takes nothing has lost its place");
    }

    async fn who_calls_without_a_key_is_put_out_with_the_strangers(engine: Engine) {
        let given =
            Given { http_connections: Some(40), http_connections_per_peer: Some(40), ..Given::default() };
        let house = House::start(Mode::Serve, engine, given).await;
        let http = house.app.addresses().http;
        let confirm = QUERY.replace("ListTopics", "ConfirmSubscription&TopicArn=arn:aws:sns:us-east-1:000000000000:t&Token=x");
        let mut nobody = connect(2, http).await;
        nobody.write_all(confirm.as_bytes()).await.expect("sent");
        let mut reply = Vec::new();
        while !String::from_utf8_lossy(&reply).contains("</ErrorResponse>") {
            assert!(nobody.read_buf(&mut reply).await.expect("a reply") > 0);
        }
        assert!(reply.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&reply));
        house.clock.advance(Duration::from_secs(1));
        let mut idle = Vec::new();
        come(10..=60, http, &mut idle).await;
        let again = confirm.replace("host: h", "host: h\r\nconnection: close");
        let _ = nobody.write_all(again.as_bytes()).await;
        assert_eq!(said(&mut nobody).await, "", "it was there for longest");
    }

    async fn who_has_too_many_is_told_so_in_its_own_words_and_gets_health(engine: Engine) {
        let given = Given { http_connections_per_peer: Some(2), ..Given::default() };
        let house = House::start(Mode::Serve, engine, given).await;
        let http = house.app.addresses().http;
        let mut idle = Vec::new();
        for _ in 0..2 {
            let mut stream = connect(2, http).await;
            stream.write_all(b"GET").await.expect("sent");
            idle.push(stream);
        }
        let json = ask(2, http, SQS).await;
        assert!(json.starts_with("HTTP/1.1 503") && json.contains("connection: close"), "{json}");
        assert!(json.contains("ServiceUnavailableException") && json.contains("ServiceUnavailable;Receiver"), "{json}");
        let query = ask(2, http, QUERY).await;
        assert!(query.starts_with("HTTP/1.1 503") && query.contains("<Code>ServiceUnavailable</Code>"), "{query}");
        for _ in 0..100 {
            let health = ask(2, http, HEALTH).await;
            assert!(health.starts_with("HTTP/1.1 200") && health.contains("connection: close"), "{health}");
        }
        let other = ask(3, http, &SQS.replace("host: h", "host: h\r\nconnection: close")).await;
        assert!(other.starts_with("HTTP/1.1 403"), "another address has places: {other}");
    }

    async fn idle_smtp_sessions_make_room_for_others(engine: Engine) {
        let given = Given { smtp_sessions: Some(20), smtp_sessions_per_peer: Some(10), ..Given::default() };
        let house = House::start(Mode::Serve, engine, given).await;
        let smtp = house.smtp();
        let mut hostile = Vec::new();
        for from in 2..=5 {
            for _ in 0..10 {
                let mut stream = connect(from, smtp).await;
                let mut code = [0; 4];
                stream.read_exact(&mut code).await.expect("a greeting, or a refusal");
                if &code == b"220 " {
                    hostile.push(stream);
                }
            }
        }
        for from in 20..40 {
            let greeted = ask(from, smtp, "EHLO x\r\nQUIT\r\n").await;
            assert!(greeted.starts_with("220 ") && greeted.contains("221 "), "{greeted}");
        }
        let parted = first_parted(&mut hostile).await;
        let needed = "421 4.3.2 mx.postrider.example is full and needs the place of this idle session, please connect again";
        assert!(parted.ends_with(&format!("{needed}\r\n")), "{parted}");
    }

    async fn health_and_metrics_can_have_a_listener_of_their_own(engine: Engine) {
        let given = Given { admin: "0".parse().ok(), ..Given::default() };
        let house = House::start(Mode::Serve, engine, given).await;
        let admin = house.app.addresses().admin.expect("it listens");
        assert!(ask(2, admin, HEALTH).await.starts_with("HTTP/1.1 200"));
        let metrics = ask(2, admin, &HEALTH.replace("/_postrider/health", "/metrics")).await;
        for name in ["postrider_memory_in_flight_bytes", "postrider_http_connections", "postrider_smtp_sessions"] {
            assert!(metrics.contains(name), "{name}: {metrics}");
        }
        let nothing = ask(2, admin, &SQS.replace("host: h", "host: h\r\nconnection: close")).await;
        assert!(nothing.starts_with("HTTP/1.1 404"), "nothing else is there: {nothing}");
    }
}
