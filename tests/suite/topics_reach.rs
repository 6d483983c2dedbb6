//! HTTP deliveries and the world: throttles, endpoints that hang, name servers, HTTPS, a validator that is not ours.
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use postrider::base::Clock;
use postrider::base::Reach;
use postrider::mail::resolver::Dns;
use postrider::outlets::{Functions, client};
use postrider::topics::delivery::{Deliverer, Lookup, Posted, Poster};
use postrider::topics::{Authenticated, Ways};
use postrider::workers::{Pool, Stop};
use reqwest::header::HeaderMap;

use crate::both_engines;
use crate::dns::TestDns;
use crate::tls_server::TlsServer;
use crate::topics_bench::{bench, loopback, text};
use crate::webhook::{Answer, Webhook};

both_engines! {
    async fn a_throttled_subscription_gets_so_many_each_second(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (hook, other) = (Webhook::start().await, Webhook::start().await);
        let policy = r#"{"throttlePolicy":{"maxReceivesPerSecond":2}}"#;
        let arn = b.hook(&topic, &hook, &[("DeliveryPolicy", policy)]).await;
        b.hook(&topic, &other, &[]).await;
        for n in 0..5 {
            b.publish(&topic, &n.to_string()).await;
        }
        for seen in [2, 4, 5, 5] {
            while b.round().await > 0 {}
            assert_eq!(hook.arrived().len() - 1, seen);
            assert_eq!(other.arrived().len() - 1, 5, "only the one that asked for it is throttled");
            b.clock.advance(Duration::from_secs(1));
        }
        let attempts = b.attempts(&arn).await;
        assert!(attempts.iter().all(|(attempt, status, _)| (*attempt, *status) == (1, Some(200))), "{attempts:?}");
        let shown = b.topics.subscription_attributes(&arn).await.expect("attributes");
        assert!(shown["EffectiveDeliveryPolicy"].contains("\"maxReceivesPerSecond\":2"), "{shown:?}");
    }

    async fn an_endpoint_that_hangs_delays_no_other(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (dead, quick) = (Webhook::start().await, Webhook::start().await);
        b.hook(&topic, &dead, &[]).await;
        b.hook(&topic, &quick, &[]).await;
        dead.answer(vec![Answer::Silence; 100]);
        let poster = Poster::new(b.clock.clone(), loopback()).expect("a client");
        let deliverer = Deliverer::new(b.topics.clone(), poster);
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node", 8, deliverer).per_group(4);
        let stop = Stop::new(b.clock.clone());
        stop.spawn("deliveries", pool.run(stop.clone()));
        // The clock stands still: whatever hangs, hangs until the end.
        for n in 0..40 {
            b.publish(&topic, &n.to_string()).await;
        }
        assert_eq!(quick.wait_for(41).await.len(), 41);
        assert!(dead.arrived().len() <= 5, "it has its places, and no more");
        stop.hard().cancel();
        stop.soft().cancel();
    }

    async fn an_endpoints_answer_is_kept_in_part_for_the_operator(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let arn = b.hook(&topic, &hook, &[]).await;
        hook.answer([Answer::Status(400, format!("no \u{7}way {}", "x".repeat(100_000)))]);
        b.publish(&topic, "m").await;
        b.round().await;
        let kept = b.topics.deliveries(&arn.to_string(), 10).await.expect("attempts");
        assert_eq!((kept[0].status, kept[0].outcome.as_str()), (Some(400), "refused"));
        assert!(kept[0].answer.starts_with("no way xxx") && kept[0].answer.len() <= 1_024, "{}", kept[0].answer.len());
        b.clock.advance(Duration::from_secs(8 * 86_400));
        assert!(b.topics.sweep().await.expect("swept") >= 2);
        assert!(b.topics.deliveries(&arn.to_string(), 10).await.expect("attempts").is_empty());
    }
}

fn poster(reach: Reach, dns: &TestDns) -> Poster {
    let lookup: Arc<dyn Lookup> = Arc::new(Dns::new(&[dns.address]).expect("a resolver"));
    Poster::with(Clock::system(), reach, &[], Some(lookup)).expect("a client")
}

async fn post(poster: &Poster, url: &str) -> Posted {
    poster.post(url.parse().expect("a URL"), HeaderMap::new(), "{}".to_owned()).await
}

#[tokio::test]
async fn names_are_asked_of_the_configured_servers_and_their_addresses_checked() {
    let (dns, hook) = (TestDns::start().await, Webhook::start().await);
    dns.a("hook.example", Ipv4Addr::LOCALHOST);
    dns.a("inside.example", Ipv4Addr::new(10, 0, 0, 1));
    dns.a("metadata.example", Ipv4Addr::new(169, 254, 169, 254));
    // A name with an address inside and one that may be reached: only the second is connected to.
    dns.a("mixed.example", Ipv4Addr::new(192, 168, 0, 1));
    dns.a("mixed.example", Ipv4Addr::LOCALHOST);
    let port = hook.address.port();
    let url = |host: &str| format!("http://{host}:{port}/hook");
    let (may, may_not) = (poster(loopback(), &dns), poster(Reach::default(), &dns));
    for host in ["hook.example", "mixed.example"] {
        assert!(matches!(post(&may, &url(host)).await, Posted::Answer(200, _)), "{host}");
    }
    assert_eq!(hook.arrived()[0].header("host"), format!("hook.example:{port}"));
    for host in ["inside.example", "metadata.example"] {
        assert_eq!(post(&may, &url(host)).await, Posted::Forbidden, "{host}");
    }
    for host in ["hook.example", "mixed.example"] {
        assert_eq!(post(&may_not, &url(host)).await, Posted::Forbidden, "{host}");
    }
    assert!(matches!(post(&may, &url("nowhere.example")).await, Posted::Unreachable(_)));
    assert_eq!(hook.arrived().len(), 2);
}

#[tokio::test]
async fn https_needs_a_known_authority_and_a_password_in_the_url_is_shown() {
    let server = TlsServer::start("fine").await;
    let dir = tempfile::tempdir().expect("a folder");
    let authorities = client::authorities(Some(&server.authority_file(dir.path()))).expect("an authority");
    let url = server.url().replace("https://", "https://user:word@");
    let stranger = Poster::new(Clock::system(), loopback()).expect("a client");
    assert!(matches!(post(&stranger, &url).await, Posted::Unreachable(why) if why.contains("certificate")));
    let friend = Poster::with(Clock::system(), loopback(), &authorities, None).expect("a client");
    assert_eq!(post(&friend, &url).await, Posted::Answer(200, "fine".to_owned()));
    let asked = server.asked.lock().expect("asked").last().cloned().expect("a request").to_lowercase();
    assert!(asked.contains("authorization: basic dxnlcjp3b3jk"), "{asked}");
    assert!(client::authorities(Some(&dir.path().join("missing.pem"))).is_err());
}

/// Validates a message with npm's sns-validator, which fetches the certificate by itself.
fn validates(message: &str, server: &TlsServer, dir: &std::path::Path) -> bool {
    let modules = std::env::var("POSTRIDER_TEST_NODE_MODULES").expect("start the tests with ./tests/run");
    let mut child = Command::new("node")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/node/sns_validator.js"))
        .env("NODE_PATH", modules)
        .env("NODE_EXTRA_CA_CERTS", server.authority_file(dir))
        .stdin(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, message.as_bytes()).expect("written");
    drop(stdin);
    child.wait().expect("it ends").success()
}

both_engines! {
    async fn npms_sns_validator_accepts_what_is_signed(engine: Engine) {
        let b = bench(engine).await;
        let key = b.topics.signer().key().await.expect("the key");
        let (server, dir) = (TlsServer::start(key.certificate()).await, tempfile::tempdir().expect("a folder"));
        let runtime = Webhook::start().await;
        let urls = [("f".to_owned(), runtime.url("/").parse().expect("a URL"))].into();
        let functions = Functions::new(client::plain(&[]).expect("a client"), b.clock.clone(), urls);
        let ways = Ways { functions: Some(functions), ..Ways::default() };
        let topics = b.topics.with_ways(ways, Some(&server.url()));
        let poster = Poster::new(b.clock.clone(), loopback()).expect("a client");
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node", 8, Deliverer::new(topics.clone(), poster));
        for version in ["1", "2"] {
            let topic = b.topic(&format!("t{version}"), &[("SignatureVersion", version)]).await;
            let hook = Webhook::start().await;
            topics.subscribe(b.wish(&topic, "http", &hook.url("/hook"), &[])).await.expect("subscribed");
            pool.round().await.expect("a round");
            let asked = hook.arrived()[0].json();
            topics.confirm(&topic, text(&asked, "Token"), Authenticated::No).await.expect("confirmed");
            let plain = postrider::topics::Publication { message: "one\n\"two\" \u{e9}\u{1f600}".to_owned(), ..Default::default() };
            let subject = postrider::topics::Publication { subject: Some("S".to_owned()), ..plain.clone() };
            for taken in topics.publish_each(&topic, vec![plain, subject]).await.expect("published") {
                taken.expect("taken");
            }
            pool.round().await.expect("a round");
            let arrived = hook.arrived();
            assert_eq!(arrived.len(), 3);
            for request in &arrived {
                let message = request.json();
                assert_eq!(text(&message, "SignatureVersion"), version);
                assert!(text(&message, "SigningCertURL").starts_with(&server.url()));
                assert!(validates(&request.body, &server, dir.path()), "{}", request.body);
            }
            // A function gets the same, with two names spelt otherwise.
            let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
            topics.subscribe(b.wish(&topic, "lambda", function, &[])).await.expect("subscribed");
            b.clock.advance(Duration::from_secs(1));
            let message = postrider::topics::Publication { message: "to both".to_owned(), ..Default::default() };
            topics.publish(&topic, message).await.expect("published");
            pool.round().await.expect("a round");
            let event = runtime.arrived().pop().expect("an event").json();
            assert!(validates(&event["Records"][0]["Sns"].to_string(), &server, dir.path()), "{event}");
            let changed = arrived[1].body.replace("two", "too");
            assert!(!validates(&changed, &server, dir.path()), "a message that was changed");
        }
    }
}
