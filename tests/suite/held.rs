//! What would leave is held until the operator lets it go, and everything else goes on.
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use aws_sdk_ses::types::{ReceiptAction, ReceiptRule, S3Action};
use aws_sdk_sesv2::types::{
    DataFormat, ImportDataSource, ImportDestination, JobStatus, SuppressionListDestination, SuppressionListImportAction,
};
use postrider::config::{Given, Mode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::health::health;
use crate::house::House;
use crate::ses_house::Watched;
use crate::webhook::Webhook;

const STREAM: &str = "arn:aws:firehose:us-east-1:000000000000:deliverystream/events";
const ROLE: &str = "arn:aws:iam::000000000000:role/events";

fn holding() -> Given {
    Given { hold_delivery: Some(true), streams: "events=records/in/".parse().ok(), ..Given::default() }
}

/// What the page of health says of delivery: whether it is held, and why.
pub(crate) async fn delivery(house: &House) -> (String, String) {
    let (status, page) = health(house.app.addresses().http).await;
    assert_eq!((status, &page["status"]), (200, &json!("ok")), "a server that holds takes work");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&page["delivery"]), text(&page["held_because"]))
}

/// What `postrider admin release` says.
pub(crate) fn release(database: &TestDatabase, environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args(["admin", "release", "--database-url", database.url()]).env_clear().envs(environment.iter().copied());
    let output = command.arg("--data-dir").arg(database.dir.path().join("data")).output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The files below a folder, in the bucket of this name.
fn objects(house: &House, bucket: &str) -> usize {
    fn count(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| if entry.path().is_dir() { count(&entry.path()) } else { 1 }).sum()
    }
    let folder: PathBuf = house.database.dir.path().join("data/objects").join(bucket);
    count(&folder)
}

/// Stores received mail in the bucket `mails`.
async fn receives(house: &House) {
    let ses = house.ses();
    ses.create_receipt_rule_set().rule_set_name("rules").send().await.expect("a set");
    let store = S3Action::builder().bucket_name("mails").build().expect("an action");
    let rule =
        ReceiptRule::builder().name("all").enabled(true).actions(ReceiptAction::builder().s3_action(store).build());
    let rule = rule.recipients("sender.example").build().expect("a rule");
    ses.create_receipt_rule().rule_set_name("rules").rule(rule).send().await.expect("a rule");
    ses.set_active_receipt_rule_set().rule_set_name("rules").send().await.expect("active");
}

/// Asks for the import of a suppression list from a bucket.
async fn begin_import(house: &House) -> String {
    let bucket = house.database.dir.path().join("data/objects/lists");
    std::fs::create_dir_all(&bucket).expect("a bucket");
    std::fs::write(bucket.join("add.csv"), "ann@there.example,BOUNCE\n").expect("an object");
    let list = SuppressionListDestination::builder().suppression_list_import_action(SuppressionListImportAction::Put);
    let list = ImportDestination::builder().suppression_list_destination(list.build().expect("a destination")).build();
    let from = ImportDataSource::builder().s3_url("s3://lists/add.csv").data_format(DataFormat::Csv).build();
    let call = house.sesv2().create_import_job().import_destination(list).import_data_source(from.expect("a source"));
    call.send().await.expect("made").job_id.expect("an id")
}

async fn status(house: &House, import: &str) -> Option<JobStatus> {
    house.sesv2().get_import_job().job_id(import).send().await.expect("the job").job_status
}

async fn mail_comes_in(house: &House) {
    let mut socket = tokio::io::BufReader::new(TcpStream::connect(house.smtp()).await.expect("connected"));
    let mail = "From: bob@there.example\r\nSubject: hi\r\n\r\nhello\r\n.";
    for line in
        ["", "HELO mx.there.example", "MAIL FROM:<bob@there.example>", "RCPT TO:<a@sender.example>", "DATA", mail]
    {
        if !line.is_empty() {
            socket.write_all(format!("{line}\r\n").as_bytes()).await.expect("written");
        }
        let mut answer = String::new();
        socket.read_line(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(['2', '3']), "{line}: {answer}");
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["eventType"].as_str().expect("text")).collect()
}

both_engines! {
    async fn nothing_leaves_a_server_that_holds_until_it_is_released(engine: Engine) {
        let house = House::start(Mode::Dev, engine, Given { hold_delivery: None, ..holding() }).await;
        // A record waits for its stream's object.
        let topic = house.sns().create_topic().name("kept").send().await.expect("a topic").topic_arn.expect("its ARN");
        let kept = house.sns().subscribe().topic_arn(&topic).protocol("firehose").endpoint(STREAM);
        kept.attributes("SubscriptionRoleArn", ROLE).send().await.expect("subscribed");
        house.sns().publish().topic_arn(&topic).message("hello").send().await.expect("published");
        house.work().await;
        let house = House::start_on(house.stop().await, Mode::Dev, holding()).await;
        let house = house.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"));
        let (watched, hook, sns) = (Watched::new(&house).await, Webhook::start().await, house.sns());
        receives(&house).await;
        let topic = sns.create_topic().name("out").send().await.expect("a topic").topic_arn.expect("its ARN");
        sns.subscribe().topic_arn(&topic).protocol("http").endpoint(hook.url("/")).send().await.expect("subscribed");
        sns.publish().topic_arn(&topic).message("hello").send().await.expect("published");
        watched.send(&["bob@there.example"]).await;
        mail_comes_in(&house).await;
        let import = begin_import(&house).await;

        assert_eq!(kinds(&watched.events(&house).await), ["Send"], "queues work");
        house.clock.advance(Duration::from_secs(15 * 3_600));
        assert!(watched.events(&house).await.is_empty());
        assert_eq!((hook.count(), objects(&house, "mails"), objects(&house, "records")), (0, 0, 0));
        assert_eq!(status(&house, &import).await, Some(JobStatus::Created));
        assert_eq!(delivery(&house).await, ("held".to_owned(), "hold-delivery was set at a start".to_owned()));
        let metrics = reqwest::get(format!("{}/metrics", house.endpoint())).await.expect("an answer");
        assert!(metrics.text().await.expect("text").contains("postrider_delivery_held 1"));

        let said = release(&house.database, &[]);
        assert_eq!(said, "released; it was held because hold-delivery was set at a start\n");
        // The mail is older than it may become, and is tried all the same.
        assert_eq!(kinds(&watched.events(&house).await), ["Delivery"]);
        assert_eq!((hook.count(), objects(&house, "mails"), objects(&house, "records")), (1, 1, 1));
        assert_eq!(status(&house, &import).await, Some(JobStatus::Completed));
        assert_eq!(delivery(&house).await, ("on".to_owned(), String::new()));
        assert_eq!(release(&house.database, &[]), "nothing was held\n");
        house.stop().await;
    }

    async fn a_server_that_runs_follows_within_seconds(engine: Engine) {
        let house = House::working(Mode::Dev, engine, holding()).await;
        let (sns, hook) = (house.sns(), Webhook::start().await);
        let topic = sns.create_topic().name("out").send().await.expect("a topic").topic_arn.expect("its ARN");
        sns.subscribe().topic_arn(&topic).protocol("http").endpoint(hook.url("/")).send().await.expect("subscribed");
        for _ in 0..5 {
            house.clock.advance(Duration::from_secs(5));
            assert_eq!((hook.count(), delivery(&house).await.0.as_str()), (0, "held"));
        }
        release(&house.database, &[]);
        house.clock.advance(Duration::from_secs(2));
        assert_eq!(hook.wait_for(1).await.len(), 1);
        house.clock.advance(Duration::from_secs(1));
        assert_eq!(delivery(&house).await.0, "on");
        house.stop().await;
    }

    async fn a_hold_outlasts_the_setting(engine: Engine) {
        let house = House::start(Mode::Dev, engine, holding()).await;
        let start = async |database, given| {
            let started = House::start_on(database, Mode::Dev, given).await;
            started.unwrap_or_else(|(_, problem)| panic!("the server starts: {problem}"))
        };
        let house = start(house.stop().await, Given::default()).await;
        assert_eq!(delivery(&house).await.0, "held");
        release(&house.database, &[]);
        let house = start(house.stop().await, Given::default()).await;
        assert_eq!(delivery(&house).await.0, "on");
        let house = start(house.stop().await, holding()).await;
        assert_eq!(delivery(&house).await.0, "held");
        house.stop().await;
    }
}

#[test]
fn the_greeting_and_the_log_say_that_all_is_held() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.args([
        "serve",
        "--hold-delivery",
        "--delivery",
        "capture",
        "--disk-reserve",
        "1",
        "--hostname",
        "mx.there.example",
    ]);
    for port in ["--http", "--smtp", "--submission", "--submissions"] {
        command.args([port, "127.0.0.1:0"]);
    }
    command.arg("--data-dir").arg(dir.path().join("data")).env_clear();
    let mut server = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let said = BufReader::new(server.stdout.take().expect("piped")).lines().map_while(Result::ok);
    let warned = said.into_iter().find(|line| line.contains("nothing is delivered"));
    server.kill().expect("killed");
    server.wait().expect("gone");
    let mut log = String::new();
    server.stderr.take().expect("piped").read_to_string(&mut log).expect("text");
    let warned = warned.expect("the greeting says so");
    assert!(warned.starts_with("warning: ") && warned.contains("hold-delivery was set"), "{warned}");
    let line = log.lines().find(|line| line.contains("nothing leaves this server")).expect("the log says so");
    assert!(line.contains("WARN") && line.contains("admin release"), "{line}");
}
