//! Topics: fan-out with the publish, signatures, confirmation, HTTP deliveries with their retries.
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use postrider::base::{AccountId, Arn, Clock, Region, Timestamp};
use postrider::queues::{Queues, Receive, Received, Scope};
use postrider::store::signing_keys::{self, SigningKey};
use postrider::store::{self, Store, publications};
use postrider::topics::delivery::{Deliverer, Poster, Reach};
use postrider::topics::signing::key::{Key, Made};
use postrider::topics::{Attribute, Attributes, By, Error, NewTopic, Publication, Topics, Value, Wish};
use postrider::workers::Pool;
use serde_json::Value as Json;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::webhook::{Answer, Webhook};

struct Bench {
    topics: Topics,
    queues: Queues,
    store: Store,
    clock: Clock,
    pool: Pool,
    scope: Scope,
    _database: TestDatabase,
}

fn loopback() -> Reach {
    Reach::new(vec!["127.0.0.0/8".parse().expect("a network"), "::1/128".parse().expect("a network")])
}

async fn bench(engine: crate::engine::Engine) -> Bench {
    bench_reaching(engine, loopback()).await
}

async fn bench_reaching(engine: crate::engine::Engine, reach: Reach) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    seed_key(&store).await;
    let queues = Queues::new(store.clone(), clock.clone());
    let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://postrider.example");
    let poster = Poster::new(clock.clone(), reach).expect("a client");
    let pool = Pool::new(store.clone(), clock.clone(), "node", 16, Deliverer::new(topics.clone(), poster));
    let scope = Scope { account: AccountId::development(), region: Region::default_region() };
    Bench { topics, queues, store, clock, pool, scope, _database: database }
}

/// One key for all tests of this process: making one takes its time.
async fn seed_key(store: &Store) {
    static KEY: OnceLock<Made> = OnceLock::new();
    let made = KEY.get_or_init(|| Key::make(Timestamp::from_secs(1_800_000_000)).expect("a key"));
    let key = SigningKey {
        id: "0123456789abcdef0123456789abcdef".to_owned(),
        private_key: made.private_key.clone(),
        certificate: made.certificate.clone(),
    };
    let kept: Result<bool, store::Error> =
        store.write(move |tx| Box::pin(async move { signing_keys::insert_current(tx, &key).await })).await;
    assert!(kept.expect("the key is kept"));
}

impl Bench {
    async fn topic(&self, name: &str, attributes: &[(&str, &str)]) -> Arn {
        let new = NewTopic {
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            name: name.to_owned(),
            attributes: map(attributes),
            tags: Attributes::new(),
        };
        self.topics.create(new).await.expect("the topic is made")
    }

    async fn queue(&self, name: &str) -> String {
        let attributes = map(&[("VisibilityTimeout", "43200")]);
        self.queues.create(&self.scope, name, attributes, BTreeMap::new()).await.expect("the queue is made");
        Arn::new("sqs", &self.scope.region, &self.scope.account, name).to_string()
    }

    async fn subscribe(&self, topic: &Arn, protocol: &str, endpoint: &str, attributes: &[(&str, &str)]) -> Arn {
        let listed = self.topics.subscribe(self.wish(topic, protocol, endpoint, attributes)).await;
        listed.expect("the endpoint is subscribed").arn
    }

    fn wish(&self, topic: &Arn, protocol: &str, endpoint: &str, attributes: &[(&str, &str)]) -> Wish {
        Wish {
            owner: self.scope.account.clone(),
            topic: topic.clone(),
            protocol: protocol.to_owned(),
            endpoint: Some(endpoint.to_owned()),
            attributes: map(attributes),
            base_url: None,
        }
    }

    /// Subscribes a webhook and confirms it. Gives the subscription's ARN.
    async fn hook(&self, topic: &Arn, hook: &Webhook, attributes: &[(&str, &str)]) -> Arn {
        self.subscribe(topic, "http", &hook.url("/hook"), attributes).await;
        self.round().await;
        let asked = hook.arrived().last().expect("the endpoint is asked").json();
        self.topics.confirm(topic, text(&asked, "Token"), false).await.expect("confirmed")
    }

    async fn publish(&self, topic: &Arn, message: &str) -> String {
        let publication = Publication { message: message.to_owned(), ..Publication::default() };
        self.topics.publish(topic, publication).await.expect("published")
    }

    async fn received(&self, queue: &str) -> Vec<Received> {
        let wanted = Receive { count_max: Some(10), ..Receive::default() };
        self.queues.receive(&self.scope, queue, wanted).await.expect("the queue is there")
    }

    async fn round(&self) -> usize {
        self.pool.round().await.expect("a round")
    }

    async fn attempts(&self, subscription: &Arn) -> Vec<(u32, Option<u32>, String)> {
        let (_, uuid) = subscription.resource.split_once(':').expect("a subscription's ARN");
        let uuid = uuid.to_owned();
        let rows: Result<_, store::Error> =
            self.store.read(|tx| Box::pin(async move { publications::attempts(tx, &uuid, 100).await })).await;
        rows.expect("attempts").into_iter().rev().map(|row| (row.attempt, row.status, row.outcome)).collect()
    }

    async fn kept(&self, message_id: &str) -> bool {
        let id = message_id.to_owned();
        let content: Result<_, store::Error> =
            self.store.read(|tx| Box::pin(async move { publications::content(tx, &id).await })).await;
        content.expect("an answer").is_some()
    }

    /// Verifies a message with Python's `cryptography`, against the certificate that its link names.
    async fn verify(&self, message: &Json) -> bool {
        let url = text(message, "SigningCertURL");
        let id = url.rsplit_once("SimpleNotificationService-").expect("the usual name").1.trim_end_matches(".pem");
        let certificate = self.topics.signer().certificate(id).await.expect("an answer").expect("a certificate");
        let python = std::env::var("POSTRIDER_TEST_PYTHON").expect("start the tests with ./tests/run");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/sns_signature.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python starts");
        let input = serde_json::json!([message, certificate]).to_string();
        child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
        child.wait().expect("it ends").success()
    }
}

fn map(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json[key].as_str().unwrap_or_else(|| panic!("{key} in {json}"))
}

fn body(message: &Received) -> Json {
    serde_json::from_str(&message.body).expect("a JSON body")
}

both_engines! {
    async fn a_publish_reaches_every_queue_enveloped_or_raw(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("orders", &[]).await;
        let (plain, raw) = (b.queue("plain").await, b.queue("raw").await);
        let subscription = b.subscribe(&topic, "sqs", &plain, &[]).await;
        b.subscribe(&topic, "sqs", &raw, &[("RawMessageDelivery", "true")]).await;
        let colour = Attribute { data_type: "String".to_owned(), value: Value::Text("blue".to_owned()) };
        let publication = Publication {
            subject: Some("déjà vu".to_owned()),
            message: "line one\nline \"two\" ✓".to_owned(),
            attributes: BTreeMap::from([("colour".to_owned(), colour.clone())]),
            ..Publication::default()
        };
        let id = b.topics.publish(&topic, publication).await.expect("published");

        let got = b.received("plain").await;
        assert_eq!(got.len(), 1);
        assert!(got[0].attributes.is_empty());
        let envelope = body(&got[0]);
        for (key, value) in [
            ("Type", "Notification"),
            ("MessageId", id.as_str()),
            ("TopicArn", "arn:aws:sns:us-east-1:000000000000:orders"),
            ("Subject", "déjà vu"),
            ("Message", "line one\nline \"two\" ✓"),
            ("Timestamp", "2027-01-15T08:00:00.000Z"),
            ("SignatureVersion", "1"),
            (
                "UnsubscribeURL",
                format!("http://postrider.example/?Action=Unsubscribe&SubscriptionArn={subscription}").as_str(),
            ),
        ] {
            assert_eq!(text(&envelope, key), value);
        }
        assert_eq!(envelope["MessageAttributes"]["colour"], serde_json::json!({"Type": "String", "Value": "blue"}));
        assert!(b.verify(&envelope).await);
        let mut forged = envelope.clone();
        forged["Message"] = "other".into();
        assert!(!b.verify(&forged).await);

        let got = b.received("raw").await;
        assert_eq!((got.len(), got[0].body.as_str()), (1, "line one\nline \"two\" ✓"));
        assert_eq!(got[0].attributes.get("colour"), Some(&colour));
    }

    async fn signature_version_two_is_sha256(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[("SignatureVersion", "2")]).await;
        let queue = b.queue("q").await;
        b.subscribe(&topic, "sqs", &queue, &[]).await;
        b.publish(&topic, "hello").await;
        let envelope = body(&b.received("q").await[0]);
        assert_eq!(text(&envelope, "SignatureVersion"), "2");
        assert!(b.verify(&envelope).await);
    }

    async fn a_publish_inside_a_transaction_commits_or_vanishes_with_it(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let queue = b.queue("q").await;
        b.subscribe(&topic, "sqs", &queue, &[]).await;
        for fails in [true, false] {
            let (topics, topic) = (b.topics.clone(), topic.clone());
            let done: Result<(), Error> = b
                .store
                .write(move |tx| Box::pin(async move {
                    let publication = Publication { message: "m".to_owned(), ..Publication::default() };
                    topics.publish_in(tx, &topic, &publication).await?;
                    if fails { Err(Error::Token) } else { Ok(()) }
                }))
                .await;
            assert_eq!(done.is_err(), fails);
            assert_eq!(b.received("q").await.len(), usize::from(!fails));
        }
    }

    async fn a_queue_that_is_gone_does_not_stop_the_others(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (gone, there, dead) = (b.queue("gone").await, b.queue("there").await, b.queue("dead").await);
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        b.subscribe(&topic, "sqs", &gone, &[("RedrivePolicy", &redrive)]).await;
        b.subscribe(&topic, "sqs", &there, &[]).await;
        b.queues.delete(&b.scope, "gone").await.expect("deleted");
        b.publish(&topic, "hello").await;
        assert_eq!(text(&body(&b.received("there").await[0]), "Message"), "hello");
        assert_eq!(text(&body(&b.received("dead").await[0]), "Message"), "hello");
    }

    async fn an_endpoint_confirms_and_then_gets_signed_notifications(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let listed = b.topics.subscribe(b.wish(&topic, "http", &hook.url("/hook"), &[])).await.expect("subscribed");
        assert!(listed.pending);
        b.publish(&topic, "too early").await;
        b.round().await;
        let asked = hook.arrived();
        assert_eq!(asked.len(), 1, "nothing but the question before it is confirmed");
        assert_eq!((asked[0].method.as_str(), asked[0].target.as_str()), ("POST", "/hook"));
        assert_eq!(asked[0].header("x-amz-sns-message-type"), "SubscriptionConfirmation");
        assert_eq!(asked[0].header("x-amz-sns-topic-arn"), topic.to_string());
        assert_eq!(asked[0].header("content-type"), "text/plain; charset=UTF-8");
        assert_eq!(asked[0].header("user-agent"), "Amazon Simple Notification Service Agent");
        let question = asked[0].json();
        assert!(b.verify(&question).await);
        let token = text(&question, "Token");
        assert_eq!(
            text(&question, "SubscribeURL"),
            format!("http://postrider.example/?Action=ConfirmSubscription&TopicArn={topic}&Token={token}")
        );
        assert!(matches!(b.topics.confirm(&topic, "wrong", false).await, Err(Error::Token)));
        let arn = b.topics.confirm(&topic, token, false).await.expect("confirmed");
        assert_eq!(arn, listed.arn);
        assert_eq!(b.topics.confirm(&topic, token, false).await.expect("twice is once"), arn);

        let id = b.publish(&topic, "hello").await;
        assert!(b.kept(&id).await);
        assert_eq!(b.round().await, 1);
        let arrived = hook.arrived();
        let notification = arrived[1].json();
        assert_eq!((text(&notification, "Message"), text(&notification, "MessageId")), ("hello", id.as_str()));
        assert_eq!(arrived[1].header("x-amz-sns-message-type"), "Notification");
        assert_eq!(arrived[1].header("x-amz-sns-message-id"), id);
        assert_eq!(arrived[1].header("x-amz-sns-subscription-arn"), arn.to_string());
        assert!(b.verify(&notification).await);
        assert!(!b.kept(&id).await, "nothing refers to it any more");
        let delivered = "delivered".to_owned();
        assert_eq!(b.attempts(&arn).await, [(1, Some(200), delivered.clone()), (1, Some(200), delivered)]);
    }

    async fn a_token_is_good_for_two_days(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        b.subscribe(&topic, "http", &hook.url("/hook"), &[]).await;
        b.round().await;
        let question = hook.arrived()[0].json();
        b.clock.advance(Duration::from_secs(2 * 86_400));
        assert!(matches!(b.topics.confirm(&topic, text(&question, "Token"), false).await, Err(Error::Token)));
        assert_eq!(b.topics.sweep().await.expect("swept"), 1);
        assert!(b.topics.subscriptions_of(&topic, None).await.expect("a page").items.is_empty());
    }

    async fn failures_are_retried_on_schedule_and_then_given_up(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (hook, dead) = (Webhook::start().await, b.queue("dead").await);
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        let arn = b.hook(&topic, &hook, &[("RedrivePolicy", &redrive)]).await;

        hook.answer([500, 429, 503].map(Answer::status));
        b.publish(&topic, "third time lucky").await;
        assert_eq!(b.round().await, 1);
        assert_eq!(b.round().await, 0, "not before its time");
        for _ in 0..3 {
            b.clock.advance(Duration::from_secs(20));
            assert_eq!(b.round().await, 1);
        }
        assert!(b.received("dead").await.is_empty());
        let statuses: Vec<_> = b.attempts(&arn).await.into_iter().skip(1).map(|(n, status, _)| (n, status)).collect();
        assert_eq!(statuses, [(1, Some(500)), (2, Some(429)), (3, Some(503)), (4, Some(200))]);

        hook.answer([500; 4].map(Answer::status));
        b.publish(&topic, "never").await;
        for _ in 0..4 {
            assert_eq!(b.round().await, 1);
            b.clock.advance(Duration::from_secs(20));
        }
        assert_eq!(b.round().await, 0);
        assert_eq!(text(&body(&b.received("dead").await[0]), "Message"), "never");

        // What the endpoint refuses for good is not tried again, and a redirect is not followed.
        let elsewhere = Webhook::start().await;
        for answer in [Answer::status(404), Answer::Redirect(elsewhere.url("/stolen"))] {
            hook.answer([answer]);
            let id = b.publish(&topic, "refused").await;
            b.round().await;
            b.clock.advance(Duration::from_secs(20));
            assert_eq!((b.round().await, b.received("dead").await.len(), b.kept(&id).await), (0, 1, false));
        }
        assert!(elsewhere.arrived().is_empty());
    }

    async fn a_delivery_policy_changes_the_schedule_and_the_content_type(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let policy = r#"{"healthyRetryPolicy":{"numRetries":2,"numNoDelayRetries":1,"minDelayTarget":5,
            "maxDelayTarget":5},"requestPolicy":{"headerContentType":"application/json"}}"#;
        b.hook(&topic, &hook, &[("DeliveryPolicy", policy), ("RawMessageDelivery", "true")]).await;
        hook.answer([500, 500, 500].map(Answer::status));
        b.publish(&topic, "{\"a\":1}").await;
        assert_eq!((b.round().await, b.round().await, b.round().await), (1, 1, 0));
        b.clock.advance(Duration::from_secs(5));
        assert_eq!(b.round().await, 1);
        b.clock.advance(Duration::from_secs(3_600));
        assert_eq!(b.round().await, 0);
        let last = hook.arrived().pop().expect("a request");
        assert_eq!((last.body.as_str(), last.header("content-type")), ("{\"a\":1}", "application/json"));
        assert_eq!(last.header("x-amz-sns-rawdelivery"), "true");
    }

    async fn a_silent_endpoint_is_given_fifteen_seconds(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let arn = b.hook(&topic, &hook, &[]).await;
        hook.answer([Answer::Silence]);
        b.publish(&topic, "hello?").await;
        let (round, moved) = tokio::join!(b.round(), async {
            hook.wait_for(2).await;
            b.clock.advance(Duration::from_secs(15));
        });
        assert_eq!((round, moved), (1, ()));
        assert_eq!(b.attempts(&arn).await[1], (1, None, "unreachable".to_owned()));
        b.clock.advance(Duration::from_secs(20));
        b.round().await;
        assert_eq!(text(&hook.arrived()[2].json(), "Message"), "hello?");
    }

    async fn an_unsubscribed_endpoint_is_told_and_can_come_back(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let arn = b.hook(&topic, &hook, &[]).await;
        b.publish(&topic, "on its way").await;
        b.topics.unsubscribe(&arn, By::Link, None).await.expect("unsubscribed");
        b.round().await;
        let told = hook.arrived();
        assert_eq!(told.len(), 2, "what was on its way is not wanted any more");
        assert_eq!(told[1].header("x-amz-sns-message-type"), "UnsubscribeConfirmation");
        let told = told[1].json();
        assert!(b.verify(&told).await);
        assert!(matches!(b.topics.subscription_attributes(&arn).await, Err(Error::SubscriptionMissing)));
        b.topics.unsubscribe(&arn, By::Link, None).await.expect("twice is once");
        let back = b.topics.confirm(&topic, text(&told, "Token"), true).await.expect("restored");
        assert_eq!(back, arn);
        assert!(matches!(b.topics.unsubscribe(&arn, By::Link, None).await, Err(Error::UnsubscribeNeedsOwner)));
        b.topics.delete(&topic).await.expect("deleted");
        assert!(matches!(b.topics.subscription_attributes(&arn).await, Err(Error::SubscriptionMissing)));
        assert!(matches!(b.topics.attributes(&topic).await, Err(Error::TopicMissing)));
    }

    async fn subscribing_twice_finds_the_same_subscription(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let queue = b.queue("q").await;
        let raw = [("RawMessageDelivery", "true")];
        let first = b.subscribe(&topic, "sqs", &queue, &raw).await;
        assert_eq!(b.subscribe(&topic, "sqs", &queue, &raw).await, first);
        assert_eq!(b.subscribe(&topic, "sqs", &queue, &[]).await, first);
        let other = b.topics.subscribe(b.wish(&topic, "sqs", &queue, &[("RawMessageDelivery", "false")])).await;
        assert!(matches!(other, Err(Error::SubscriptionDiffers)));
        let page = b.topics.subscriptions(&b.scope.account, &b.scope.region, None).await.expect("a page");
        assert_eq!(page.items.len(), 1);
        let foreign = queue.replace("000000000000", "111111111111");
        let refused = b.topics.subscribe(b.wish(&topic, "sqs", &foreign, &[])).await;
        assert!(matches!(refused, Err(Error::EndpointForeign)));
    }

    async fn an_address_that_may_not_be_reached_is_not_reached(engine: Engine) {
        let b = bench_reaching(engine, Reach::default()).await;
        let topic = b.topic("t", &[]).await;
        let hook = Webhook::start().await;
        let port = hook.address.port();
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
            let arn = b.subscribe(&topic, "http", &format!("http://{host}:{port}/hook"), &[]).await;
            assert_eq!(b.round().await, 1);
            assert_eq!(b.attempts(&arn).await, [(1, None, "forbidden".to_owned())], "{host}");
        }
        assert!(hook.arrived().is_empty());
    }
}
