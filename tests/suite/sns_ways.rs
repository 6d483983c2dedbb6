//! Ways out of topics through the front door: functions, mail, delivery streams.
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use aws_sdk_sns::error::ProvideErrorMetadata;
use postrider::config::{Given, Mode};
use postrider::store;
use postrider::store::captured::{self, Captured};
use serde_json::Value as Json;

use crate::both_engines;
use crate::house::House;
use crate::webhook::{Answer, Webhook};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:resize";
const STREAM: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/events";
const ROLE: &str = "arn:aws:iam::000000000000:role/firehose";

async fn topic(sns: &aws_sdk_sns::Client) -> String {
    sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN")
}

async fn publish(sns: &aws_sdk_sns::Client, topic: &str, message: &str) {
    sns.publish().topic_arn(topic).message(message).send().await.expect("published");
}

/// All captured mails, oldest first: recipient, subject, and the whole text.
async fn mails(house: &House) -> Vec<(String, String, String)> {
    let read: Result<Vec<(Captured, Vec<u8>)>, store::Error> = house
        .app
        .store()
        .read(|tx| {
            Box::pin(async move {
                let mut all = vec![];
                for row in captured::page(tx, i64::MAX, None, 100).await? {
                    let content = captured::content(tx, &row.mail_id, row.n).await?.expect("its content");
                    all.push((row, content));
                }
                Ok(all)
            })
        })
        .await;
    let text = |(row, content): (Captured, Vec<u8>)| {
        let message = mail_parser::MessageParser::default().parse(&content).expect("a message");
        (row.recipient, row.subject, message.body_text(0).expect("a text").into_owned())
    };
    read.expect("the inbox").into_iter().rev().map(text).collect()
}

/// The link in a mail.
fn link(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| line.starts_with("http://")).expect("a link");
    line.to_owned()
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in std::fs::read_dir(below).into_iter().flatten().flatten() {
        if entry.path().is_dir() { found.extend(files(&entry.path())) } else { found.push(entry.path()) }
    }
    found
}

both_engines! {
    async fn a_function_gets_lambdas_event_and_is_tried_again(engine: Engine) {
        let runtime = Webhook::start().await;
        let functions = format!("resize={}", runtime.url("/")).parse().ok();
        let house = House::start(Mode::Dev, engine, Given { functions, ..Given::default() }).await;
        let sns = house.sns();
        let topic = topic(&sns).await;
        let subscribe = |function: &str| sns.subscribe().topic_arn(&topic).protocol("lambda").endpoint(function);
        for bad in [FUNCTION.replace("resize", "other"), FUNCTION.replace("000000000000", "111111111111")] {
            let refused = subscribe(&bad).send().await.expect_err("not in the settings, or another's");
            assert_eq!(refused.code(), Some("InvalidParameter"), "{bad}");
        }
        sns.create_topic().name("dead").send().await.expect("made");
        let queue = house.sqs().create_queue().queue_name("dead").send().await.expect("made").queue_url.expect("a URL");
        let redrive = "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\"}";
        let made = subscribe(FUNCTION).attributes("RedrivePolicy", redrive).send().await.expect("subscribed");
        let arn = made.subscription_arn.expect("confirmed at once");

        runtime.answer([Answer::status(503), Answer::status(202)]);
        sns.publish().topic_arn(&topic).message("hello").subject("S").send().await.expect("published");
        house.work().await;
        let arrived = runtime.arrived();
        assert_eq!(arrived.len(), 2, "the first retry comes at once");
        assert_eq!(arrived[0].header("x-amz-invocation-type"), "Event");
        assert_eq!(arrived[0].target, "/2015-03-31/functions/resize/invocations");
        let record = &arrived[1].json()["Records"][0];
        assert_eq!((&record["EventSource"], &record["EventVersion"]), (&"aws:sns".into(), &"1.0".into()));
        assert_eq!(record["EventSubscriptionArn"], arn);
        let told = &record["Sns"];
        assert_eq!((&told["Message"], &told["Subject"], &told["Type"]), (&"hello".into(), &"S".into(), &"Notification".into()));
        assert!(told["SigningCertUrl"].is_string() && told["UnsubscribeUrl"].is_string() && told["Signature"].is_string());
        assert_eq!(told["MessageAttributes"], serde_json::json!({}));

        // A function that fails is Lambda's to try again: twice, after one minute and after two.
        let failed = || Answer::Header(200, ("x-amz-function-error", "Unhandled"), "{}".to_owned());
        runtime.answer([failed(), failed(), failed()]);
        publish(&sns, &topic, "poison").await;
        for (waited, tried) in [(0, 3), (59, 3), (1, 4), (120, 5), (3_600, 5)] {
            house.clock.advance(Duration::from_secs(waited));
            house.work().await;
            assert_eq!(runtime.arrived().len(), tried, "after {waited} s more");
        }
        let dead = house.sqs().receive_message().queue_url(queue).send().await.expect("received");
        let body: Json = serde_json::from_str(dead.messages()[0].body().expect("a body")).expect("JSON");
        assert_eq!(body["Message"], "poison");

        // A refusal is final; so is the history for an operator.
        runtime.answer([Answer::Status(404, "{\"Message\":\"Function not found\"}".to_owned())]);
        publish(&sns, &topic, "refused").await;
        house.work().await;
        let url = format!("{}/_postrider/deliveries?to={arn}", house.endpoint());
        let text = reqwest::get(url).await.expect("an answer").text().await.expect("a text");
        let history: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&history[0]["status"], &history[0]["outcome"]), (&404.into(), &"refused".into()));
        assert_eq!(history[0]["answer"], "{\"Message\":\"Function not found\"}");
        assert_eq!(history.as_array().map(Vec::len), Some(6), "{history}");
        let data_dir = house.database.dir.path().join("data").display().to_string();
        let settings = ["admin", "--data-dir", &data_dir, "--database-url", &house.database.url, "deliveries", &arn];
        let printed = Command::new(env!("CARGO_BIN_EXE_postrider")).args(settings).env_clear().output().expect("it runs");
        let lines = String::from_utf8(printed.stdout).expect("text");
        let newest = lines.lines().next().unwrap_or_default();
        assert!(newest.contains(" 1 404 ") && newest.ends_with("{\"Message\":\"Function not found\"}"), "{lines}");
        assert_eq!(lines.lines().count(), 6);
    }

    async fn an_address_confirms_by_a_page_gets_mails_and_leaves(engine: Engine) {
        let house = House::dev(engine).await;
        let sns = house.sns();
        let topic = topic(&sns).await;
        sns.set_topic_attributes().topic_arn(&topic).attribute_name("DisplayName").attribute_value("Orders & more").send()
            .await.expect("set");
        let subscribe = |protocol: &str| sns.subscribe().topic_arn(&topic).protocol(protocol).endpoint("ann@example.com");
        let pending = subscribe("email").send().await.expect("subscribed").subscription_arn;
        assert_eq!(pending.as_deref(), Some("pending confirmation"));
        house.work().await;
        let (to, subject, text) = mails(&house).await.pop().expect("a mail");
        assert_eq!((to.as_str(), subject.as_str()), ("ann@example.com", "AWS Notification - Subscription Confirmation"));
        assert!(text.contains(&topic), "{text}");
        let confirm = link(&text);

        // Whoever only opens the link confirms nothing: mail scanners do.
        let http = reqwest::Client::new();
        let page = http.get(&confirm).send().await.expect("an answer");
        assert_eq!(page.status().as_u16(), 200);
        let policy = page.headers()["content-security-policy"].to_str().expect("a header").to_owned();
        let html = page.text().await.expect("a page");
        assert!(html.contains("<form method=\"post\">") && policy.contains("default-src 'none'"), "{html}");
        publish(&sns, &topic, "too early").await;
        house.work().await;
        assert_eq!(mails(&house).await.len(), 1);
        for expected in [200, 200] {
            assert_eq!(http.post(&confirm).send().await.expect("an answer").status().as_u16(), expected);
        }
        let wrong = confirm.replace("Token=", "Token=x");
        assert_eq!(http.post(wrong).send().await.expect("an answer").status().as_u16(), 404);

        publish(&sns, &topic, "a <b>message</b> & more\n.\nend").await;
        house.work().await;
        let (_, subject, text) = mails(&house).await.pop().expect("a mail");
        assert_eq!(subject, "AWS Notification Message");
        assert!(text.replace("\r\n", "\n").starts_with("a <b>message</b> & more\n.\nend\n\n--\n"), "{text}");
        let leave = link(&text);
        assert_eq!(http.get(&leave).send().await.expect("an answer").status().as_u16(), 200);
        let one_click = http.post(&leave).body("List-Unsubscribe=One-Click").send().await.expect("an answer");
        assert_eq!(one_click.status().as_u16(), 200);
        house.work().await;
        let (_, subject, text) = mails(&house).await.pop().expect("a mail");
        assert_eq!(subject, "AWS Notification - Unsubscribe Confirmation");
        publish(&sns, &topic, "to nobody").await;
        house.work().await;
        assert_eq!(mails(&house).await.len(), 3);
        assert_eq!(http.post(link(&text)).send().await.expect("an answer").status().as_u16(), 200, "back again");
        publish(&sns, &topic, "again").await;
        house.work().await;
        assert_eq!(mails(&house).await.len(), 4);
    }

    async fn email_json_carries_the_envelope(engine: Engine) {
        let house = House::dev(engine).await;
        let sns = house.sns();
        let topic = topic(&sns).await;
        sns.subscribe().topic_arn(&topic).protocol("email-json").endpoint("bob@example.com").send().await.expect("subscribed");
        house.work().await;
        let confirm = link(&mails(&house).await[0].2);
        reqwest::Client::new().post(confirm).send().await.expect("an answer");
        sns.publish().topic_arn(&topic).subject("Hi").message("hello").send().await.expect("published");
        house.work().await;
        let (_, subject, text) = mails(&house).await.pop().expect("a mail");
        let envelope: Json = serde_json::from_str(&text).expect("JSON");
        assert_eq!((subject.as_str(), &envelope["Message"], &envelope["Type"]), ("Hi", &"hello".into(), &"Notification".into()));
        assert!(envelope["Signature"].is_string());
    }

    async fn confirmations_are_bounded_and_know_no_sandbox(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let topic = topic(&sns).await;
        let ask = || sns.subscribe().topic_arn(&topic).protocol("email").endpoint("Ann@example.com").send();
        for _ in 0..10 {
            ask().await.expect("asked");
        }
        assert_eq!(ask().await.expect_err("too often").code(), Some("Throttled"));
        let verify = house.sesv2().create_email_identity().email_identity("Ann@example.com").send().await;
        assert_eq!(verify.expect_err("the same address").code(), Some("TooManyRequestsException"));
        house.work().await;
        assert_eq!(mails(&house).await.len(), 10, "the sandbox is for mail of accounts");
    }

    async fn a_streams_records_become_objects_by_time_and_survive_a_restart(engine: Engine) {
        let given = || Given { streams: "events=my-bucket/in/".parse().ok(), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given()).await;
        let sns = house.sns();
        let topic = topic(&sns).await;
        let subscribe = |stream: &str| sns.subscribe().topic_arn(&topic).protocol("firehose").endpoint(stream);
        assert_eq!(subscribe(STREAM).send().await.expect_err("no role").code(), Some("InvalidParameter"));
        let unknown = subscribe(&STREAM.replace("events", "other")).attributes("SubscriptionRoleArn", ROLE).send().await;
        assert_eq!(unknown.expect_err("not in the settings").code(), Some("InvalidParameter"));
        subscribe(STREAM).attributes("SubscriptionRoleArn", ROLE).send().await.expect("subscribed");
        for message in ["one", "two", "three"] {
            publish(&sns, &topic, message).await;
        }
        house.work().await;
        let bucket = house.database.dir.path().join("data/objects/my-bucket");
        assert!(files(&bucket).is_empty(), "they wait for company");

        let house = House::start_on(house.stop().await, Mode::Dev, given()).await.map_err(|(_, why)| why).expect("starts");
        // The bucket cannot be written at first: the records wait, and the object keeps its key.
        std::fs::create_dir_all(bucket.parent().expect("a folder")).expect("made");
        std::fs::write(&bucket, "in the way").expect("written");
        house.clock.advance(Duration::from_secs(61));
        house.work().await;
        std::fs::remove_file(&bucket).expect("out of the way");
        house.clock.advance(Duration::from_secs(5));
        house.work().await;
        let written = files(&bucket);
        assert_eq!(written.len(), 1, "{written:?}");
        let text = std::fs::read_to_string(&written[0]).expect("the object");
        let mut messages: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).expect("JSON")["Message"].as_str().expect("text").to_owned())
            .collect();
        // A standard topic keeps no order.
        messages.sort_unstable();
        assert_eq!(messages, ["one", "three", "two"]);
        assert!(written[0].starts_with(bucket.join("in")) && text.ends_with('\n'));
        house.clock.advance(Duration::from_secs(120));
        house.work().await;
        assert_eq!(files(&bucket).len(), 1, "nothing is written twice");
    }

    async fn a_streams_objects_begin_at_five_mebibytes(engine: Engine) {
        let streams = format!("{STREAM}=my-bucket").parse().ok();
        let house = House::start(Mode::Dev, engine, Given { streams, ..Given::default() }).await;
        let sns = house.sns();
        let topic = topic(&sns).await;
        let wish = sns.subscribe().topic_arn(&topic).protocol("firehose").endpoint(STREAM);
        wish.attributes("SubscriptionRoleArn", ROLE).attributes("RawMessageDelivery", "true").send().await.expect("subscribed");
        let big = "x".repeat(200_000);
        for _ in 0..28 {
            publish(&sns, &topic, &big).await;
        }
        house.work().await;
        let bucket = house.database.dir.path().join("data/objects/my-bucket");
        let lengths = || {
            let mut lengths: Vec<u64> = files(&bucket).iter().map(|path| path.metadata().expect("a file").len()).collect();
            lengths.sort_unstable();
            lengths
        };
        assert_eq!(lengths(), [26 * 200_001], "as much as fits into 5 MiB");
        house.clock.advance(Duration::from_secs(60));
        house.work().await;
        assert_eq!(lengths(), [2 * 200_001, 26 * 200_001]);
    }
}
