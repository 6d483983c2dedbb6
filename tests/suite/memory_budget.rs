//! One budget of memory for all listeners: whatever comes at once, no more is held, and others go on.
use std::net::SocketAddr;

use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{EmailContent, RawMessage};
use postrider::base::Memory;
use postrider::config::{Given, Mode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::both_engines;
use crate::engine::Engine as OneOf;
use crate::full_house::{ask, connect, said};
use crate::house::{House, KEY};

const MIB: u64 = 1024 * 1024;

async fn house(mode: Mode, engine: OneOf) -> House {
    House::start(mode, engine, Given { memory_budget: "8MiB".parse().ok(), ..Given::default() }).await
}

/// The head of a call of `service`, which names `key` and is signed wrong; `more` lines in it.
fn head(house: &House, service: &str, key: &str, length: usize, more: &str) -> String {
    let stamp = house.clock.now().iso_basic();
    let target = match service {
        "sqs" => "x-amz-target: AmazonSQS.SendMessage\r\n",
        _ => "content-type: application/x-www-form-urlencoded\r\n",
    };
    let mut signed: Vec<&str> = [target, more].iter().flat_map(|lines| lines.lines()).collect();
    signed.retain(|line| line.starts_with("x-amz-"));
    let names: Vec<&str> = signed.iter().filter_map(|line| line.split(':').next()).collect();
    let names = [&["host", "x-amz-date"][..], &names].concat().join(";");
    let (day, signature) = (&stamp[..8], "0".repeat(64));
    format!(
        "POST / HTTP/1.1\r\nhost: h\r\n{target}x-amz-date: {stamp}\r\n{more}authorization: AWS4-HMAC-SHA256 \
         Credential={key}/{day}/us-east-1/{service}/aws4_request, SignedHeaders={names}, Signature={signature}\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// Sends `head` and `octets` of a body that has more, and leaves it at that.
async fn begin(from: u8, to: SocketAddr, head: &str, octets: usize) -> TcpStream {
    let mut stream = connect(from, to).await;
    stream.write_all(head.as_bytes()).await.expect("sent");
    stream.write_all(&vec![b'x'; octets]).await.expect("sent");
    stream
}

async fn until_used(memory: &Memory, least: u64) {
    while memory.used() < least {
        tokio::task::yield_now().await;
    }
}

async fn until_free(memory: &Memory) {
    while memory.used() > 0 {
        tokio::task::yield_now().await;
    }
}

both_engines! {
    async fn bodies_with_wrong_signatures_do_not_pile_up(engine: Engine) {
        let house = house(Mode::Serve, engine).await;
        let (http, memory) = (house.app.addresses().http, house.app.memory());
        let head = head(&house, "sqs", KEY, 2_000_000, "");
        let mut hostile = Vec::new();
        for from in 2..12 {
            // Those for whom there is no room are told so, whatever they go on sending.
            hostile.push(begin(from, http, &head, 1_000_000).await);
            if from == 2 {
                // The first one holds what it sent; of the others some may be told that there is no room, or all of them.
                until_used(memory, 3_000_000).await;
            }
            assert!(memory.used() <= 8 * MIB);
        }
        let queue = house.sqs().create_queue().queue_name("q").send().await.expect("a queue");
        let url = queue.queue_url().expect("its URL");
        house.sqs().send_message().queue_url(url).message_body("hello").send().await.expect("sent");
        let large = "x".repeat(30_000);
        house.sqs().send_message().queue_url(url).message_body(large).send().await.expect("sent");
        assert!(memory.used() <= 8 * MIB);
        drop(hostile);
        until_free(memory).await;
    }

    async fn a_wrong_signature_that_the_head_shows_costs_no_body(engine: Engine) {
        let house = house(Mode::Serve, engine).await;
        let http = house.app.addresses().http;
        let hash = format!("x-amz-content-sha256: {}\r\nexpect: 100-continue\r\n", "0".repeat(64));
        // The body never comes.
        let refused = ask(2, http, &head(&house, "sqs", KEY, 2_000_000, &hash)).await;
        assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("InvalidSignatureException"), "{refused}");
        let unknown = head(&house, "sqs", "AKIAUNKNOWN", 100_000, "expect: 100-continue\r\n");
        let refused = ask(2, http, &unknown).await;
        assert!(refused.starts_with("HTTP/1.1 403") && refused.contains("UnrecognizedClientException"), "{refused}");
        assert_eq!(house.app.memory().used(), 0);
    }

    async fn who_has_most_is_throttled_and_others_are_put_off_in_the_words_of_their_service(engine: Engine) {
        let house = house(Mode::Dev, engine).await;
        let (http, memory) = (house.app.addresses().http, house.app.memory());
        let (greedy, other) = ("111111111111", "222222222222");
        let held = begin(2, http, &head(&house, "sqs", greedy, 3_000_000, ""), 2_000_000).await;
        until_used(memory, 5_900_000).await;

        let more = head(&house, "sqs", greedy, 300_000, "connection: close\r\n");
        let refused = said(&mut begin(3, http, &more, 300_000).await).await;
        assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("#RequestThrottled"), "{refused}");
        let more = head(&house, "sns", greedy, 300_000, "connection: close\r\n");
        let refused = said(&mut begin(3, http, &more, 300_000).await).await;
        assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("<Code>Throttled</Code>"), "{refused}");

        let more = head(&house, "sqs", other, 900_000, "connection: close\r\n");
        let refused = said(&mut begin(4, http, &more, 900_000).await).await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("ServiceUnavailableException"), "{refused}");
        let more = head(&house, "ses", other, 900_000, "connection: close\r\n");
        let refused = said(&mut begin(4, http, &more, 900_000).await).await;
        assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("<Code>ServiceUnavailable</Code>"), "{refused}");
        let small = head(&house, "sqs", other, 100_000, "connection: close\r\n");
        let served = said(&mut begin(4, http, &small, 100_000).await).await;
        assert!(served.starts_with("HTTP/1.1 400"), "what is no JSON is refused as ever: {served}");

        drop(held);
        until_free(memory).await;
    }

    async fn heads_without_an_end_do_not_pile_up(engine: Engine) {
        let house = house(Mode::Serve, engine).await;
        let (http, memory) = (house.app.addresses().http, house.app.memory());
        let head = format!("GET / HTTP/1.1\r\nhost: h\r\nx-long: {}", "y".repeat(100_000));
        let mut hostile = vec![];
        for from in [2, 2, 3] {
            let mut stream = connect(from, http).await;
            stream.write_all(head.as_bytes()).await.expect("sent");
            hostile.push(stream);
            until_used(memory, 200_000 * hostile.len() as u64).await;
        }
        let refused = ask(2, http, &head).await;
        assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
        assert!(memory.used() <= MIB, "an eighth for those of whom nothing is known: {}", memory.used());
        house.sqs().list_queues().send().await.expect("an answer");
        drop(hostile);
        until_free(memory).await;
    }

    async fn an_answer_counts_until_it_is_read(engine: Engine) {
        let house = house(Mode::Dev, engine).await;
        let (http, memory) = (house.app.addresses().http, house.app.memory());
        let queue = house.sqs().create_queue().queue_name("q").send().await.expect("a queue");
        let url = queue.queue_url().expect("its URL");
        for _ in 0..6 {
            let large = "x".repeat(1_000_000);
            house.sqs().send_message().queue_url(url).message_body(large).send().await.expect("sent");
        }
        until_free(memory).await;
        let body = format!("{{\"QueueUrl\": \"{url}\", \"MaxNumberOfMessages\": 5}}");
        let request = format!(
            "POST / HTTP/1.1\r\nhost: h\r\nx-amz-target: AmazonSQS.ReceiveMessage\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // More than the machine keeps for a connection lies with the server until the client reads.
        let mut slow = connect(2, http).await;
        slow.write_all(request.as_bytes()).await.expect("sent");
        until_used(memory, 5_000_000).await;
        let mut some = vec![0; 4_000_000];
        slow.read_exact(&mut some).await.expect("a part of it");
        assert!(memory.used() >= 5_000_000 || memory.used() == 0, "all of it, until the last octet is sent");
        drop(slow);
        until_free(memory).await;
    }

    async fn pages_of_a_developers_machine_take_their_room_too(engine: Engine) {
        let house = house(Mode::Dev, engine).await;
        let (http, memory, ses) = (house.app.addresses().http, house.app.memory(), house.sesv2());
        ses.create_email_identity().email_identity("our.example").send().await.expect("verified");
        let mut ids = Vec::new();
        for size in [1_000, 1_200_000] {
            let line = "x".repeat(78) + "\r\n";
            let data = format!("From: a@our.example\r\nTo: b@there.example\r\nSubject: s\r\n\r\n{}", line.repeat(size / 80));
            let raw = RawMessage::builder().data(Blob::new(data)).build().expect("a message");
            let content = EmailContent::builder().raw(raw).build();
            let sent = ses.send_email().content(content).send().await.expect("sent");
            ids.push(sent.message_id.expect("an id"));
        }
        house.work().await;
        let get = async |path: String| {
            ask(2, http, &format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")).await
        };
        for (path, good) in [
            (format!("/_postrider/inbox/{}", ids[0]), true),
            (format!("/_postrider/inbox/{}/raw", ids[1]), true),
            (format!("/_postrider/inbox/{}", ids[1]), false),
            (format!("/_aws/ses?id={}", ids[0]), true),
            ("/_aws/ses".to_owned(), false),
        ] {
            let answer = get(path.clone()).await;
            let status = if good { "HTTP/1.1 200" } else { "HTTP/1.1 503" };
            assert!(answer.starts_with(status), "{path}: {}", &answer[..answer.len().min(300)]);
            assert!(good || answer.contains("there is no memory for this now"), "{path}");
            until_free(memory).await;
        }
    }

    async fn a_page_of_a_queue_shows_no_more_than_there_is_room_for(engine: Engine) {
        let house = house(Mode::Dev, engine).await;
        let queue = house.sqs().create_queue().queue_name("q").send().await.expect("a queue");
        let url = queue.queue_url().expect("its URL");
        for n in 0..4 {
            let body = format!("body-{n}-{}", "x".repeat(100_000));
            house.sqs().send_message().queue_url(url).message_body(body).send().await.expect("sent");
        }
        let path = "/_aws/sqs/messages?QueueUrl=http://h/000000000000/q";
        let request = format!("GET {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
        let answer = ask(2, house.app.addresses().http, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{}", &answer[..answer.len().min(300)]);
        let shown: Vec<bool> = (0..4).map(|n| answer.contains(&format!("body-{n}-"))).collect();
        assert!(shown[0] && !shown[3], "the oldest that fit: {shown:?}");
        until_free(house.app.memory()).await;
    }
}
