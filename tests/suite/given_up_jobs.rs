//! Jobs that were given up: warned of before, listed, tried again, dropped; by `postrider admin jobs` beside a running server.
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use postrider::config::{Given, Mode};
use postrider::store::messages::{self, NewMessage};
use postrider::workers::SystemQueue;

use crate::both_engines;
use crate::feedback::deliver;
use crate::house::House;
use crate::webhook::Webhook;

const MAIL: &str = "From: Ann <ann@there.example>\r\nTo: bob@here.example\r\nSubject: hello\r\n\r\nhi\r\n";

/// What the command printed.
struct Printed {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs `postrider admin …` on the database of a house whose server runs.
async fn admin(house: &House, arguments: &[&str], allow: &str) -> Printed {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postrider"));
    command.env_clear().arg("admin").arg("--data-dir").arg(house.database.dir.path().join("data"));
    command.args(["--database-url", house.database.url()]).args(arguments).stdin(Stdio::null());
    if !allow.is_empty() {
        command.env("POSTRIDER_WEBHOOK_ALLOW", allow);
    }
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("ended").expect("it runs");
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("text");
    Printed { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A house whose webhooks reach nothing but the public Internet, and which receives mail for a domain.
async fn house(engine: crate::engine::Engine) -> House {
    let given = Given { webhook_allow: Some(vec![]), ..Given::default() };
    let house = House::start(Mode::Dev, engine, given).await;
    house.sesv2().create_email_identity().email_identity("here.example").send().await.expect("an identity");
    house.ses().create_receipt_rule_set().rule_set_name("set").send().await.expect("a rule set");
    house.ses().set_active_receipt_rule_set().rule_set_name("set").send().await.expect("active");
    house
}

/// A file with a rule that posts each mail there.
fn rule(house: &House, url: &str) -> PathBuf {
    let file = house.database.dir.path().join("rule.json");
    let action = serde_json::json!({ "WebhookAction": { "Url": url, "Secret": "a secret of more than 16" } });
    let rule = serde_json::json!({ "Name": "all", "Enabled": true, "Actions": [action] });
    std::fs::write(&file, rule.to_string()).expect("written");
    file
}

async fn receives(house: &House) {
    let (_, taken) = deliver(house, "ann@there.example", "bob@here.example", MAIL).await;
    assert!(taken.starts_with("250 "), "{taken}");
    house.work().await;
}

async fn listed(house: &House, more: &[&str]) -> Vec<String> {
    let printed = admin(house, &[&["jobs", "list"], more].concat(), "").await;
    assert_eq!((printed.code, printed.err.as_str()), (Some(0), ""));
    printed.out.lines().map(str::to_owned).collect()
}

fn id_of(line: &str) -> String {
    line.split(' ').next().expect("an id").to_owned()
}

both_engines! {
    async fn a_webhook_that_may_not_be_reached_is_warned_of_kept_and_arrives_once_it_may(engine: Engine) {
        let house = house(engine).await;
        let hook = Webhook::start().await;
        let file = rule(&house, &hook.url("/in?token=hidden"));
        let put = ["receipt-rule", "set", file.to_str().expect("a path")];
        let fine = admin(&house, &put, "127.0.0.0/8").await;
        assert_eq!((fine.code, fine.err.as_str()), (Some(0), ""));
        let warned = admin(&house, &put, "").await;
        assert_eq!(warned.code, Some(0), "{}", warned.err);
        assert!(warned.err.contains("rule all") && warned.err.contains(&hook.url("/in")), "{}", warned.err);
        assert!(warned.err.contains("webhook-allow") && !warned.err.contains("hidden"), "{}", warned.err);
        let kept: serde_json::Value = serde_json::from_str(&warned.out).expect("the rule alone, as JSON");
        assert_eq!(kept["Name"], "all");

        receives(&house).await;
        assert_eq!(hook.count(), 0);
        let jobs = listed(&house, &["--queue", "inbound"]).await;
        let [line] = jobs.as_slice() else { panic!("{jobs:?}") };
        for part in ["inbound 000000000000 us-east-1 ", " 1 attempt ", "set/all", &hook.url("/in"), "webhook-allow"] {
            assert!(line.contains(part), "{part}: {line}");
        }
        assert!(!line.contains("hidden") && !line.contains("a secret"), "{line}");
        assert_eq!(listed(&house, &["--queue", "outbound"]).await, [] as [&str; 0]);

        // Tried while it still may not be reached, it is given up again.
        let back = admin(&house, &["jobs", "retry", &id_of(line)], "").await;
        assert_eq!((back.code, back.out.as_str()), (Some(0), format!("job {} is back in inbound\n", id_of(line)).as_str()));
        assert_eq!(listed(&house, &[]).await, [] as [&str; 0]);
        house.clock.advance(Duration::from_secs(600));
        house.work().await;
        assert!(listed(&house, &[]).await[0].contains(" 1 attempt "), "its attempts are counted anew");

        let house = House::start_on(house.stop().await, Mode::Dev, Given::default()).await.map_err(|(_, why)| why);
        let house = house.expect("it starts");
        house.work().await;
        assert_eq!(hook.count(), 0, "nobody tries what was given up");
        let back = admin(&house, &["jobs", "retry", "--all", "--queue", "inbound"], "").await;
        assert_eq!((back.code, back.out.as_str()), (Some(0), "1 jobs are back in inbound\n"));
        house.clock.advance(Duration::from_secs(600));
        for _ in 0..2 {
            house.work().await;
            house.clock.advance(Duration::from_secs(3_600));
        }
        assert_eq!(hook.count(), 1, "it arrives once");
        assert!(hook.arrived()[0].body.contains("ann@there.example"));
        assert_eq!(listed(&house, &[]).await, [] as [&str; 0]);
    }

    async fn a_dropped_job_is_gone_and_another_id_is_none(engine: Engine) {
        let house = house(engine).await;
        let topic = house.sns().create_topic().name("news").send().await.expect("a topic");
        let topic = topic.topic_arn().expect("an ARN");
        for n in 1..=3 {
            let endpoint = format!("http://192.168.7.{n}/in");
            let subscribed = house.sns().subscribe().topic_arn(topic).protocol("http").endpoint(endpoint).send().await;
            subscribed.expect("it is taken: whoever subscribes is not told where this server may go");
        }
        house.work().await;
        let jobs = listed(&house, &["--queue", "delivery"]).await;
        assert_eq!(jobs.len(), 3, "{jobs:?}");
        assert!(jobs[0].contains("topic-delivery 000000000000") && jobs[0].contains("http://192.168.7.1/in"), "{jobs:?}");
        assert!(jobs[0].contains(topic) && jobs[0].contains("webhook-allow"), "{jobs:?}");
        let some = admin(&house, &["jobs", "list", "--limit", "2"], "").await;
        assert_eq!(some.out.lines().collect::<Vec<_>>(), jobs[..2]);
        assert_eq!((some.code, some.err.as_str()), (Some(0), "postrider: there are more; --limit shows up to 100000\n"));
        assert_eq!(listed(&house, &["--limit", "3"]).await, jobs);

        let id = id_of(&jobs[0]);
        let dropped = admin(&house, &["jobs", "drop", &id], "").await;
        assert_eq!((dropped.code, dropped.err.as_str()), (Some(0), ""));
        assert_eq!(listed(&house, &[]).await, jobs[1..]);
        for deed in ["drop", "retry"] {
            let missing = admin(&house, &["jobs", deed, &id], "").await;
            assert_eq!(missing.code, Some(1));
            assert!(missing.err.contains(&format!("there is no job {id}")), "{}", missing.err);
        }
        // What goes well is told apart from what does not, and each job once.
        let other = id_of(&jobs[1]);
        let some = admin(&house, &["jobs", "retry", &other, &id, &other], "").await;
        assert_eq!((some.code, some.out), (Some(1), format!("job {other} is back in topic-delivery\n")));
        assert_eq!(some.err, format!("postrider: there is no job {id} that was given up\n"));
        let dropped = admin(&house, &["jobs", "drop", "--all", "--queue", "topic-delivery"], "").await;
        assert_eq!(dropped.out, "1 jobs are dropped of topic-delivery\n");
        assert_eq!(listed(&house, &[]).await, [] as [&str; 0]);
        for wrong in [&["jobs", "drop"][..], &["jobs", "drop", "--all"], &["jobs", "drop", "1", "--all", "--queue", "inbound"]] {
            assert_eq!(admin(&house, wrong, "").await.code, Some(2), "{wrong:?}");
        }
    }

    async fn rules_that_failed_for_good_run_again(engine: Engine) {
        let house = house(engine).await;
        let (sns, sqs) = (house.sns(), house.sqs());
        let queue = sqs.create_queue().queue_name("mail").send().await.expect("a queue");
        let queue = queue.queue_url().expect("a URL").to_owned();
        let topic = sns.create_topic().name("mail").send().await.expect("a topic");
        let topic = topic.topic_arn().expect("an ARN").to_owned();
        let action = aws_sdk_ses::types::ReceiptAction::builder()
            .sns_action(aws_sdk_ses::types::SnsAction::builder().topic_arn(&topic).build().expect("an action"))
            .build();
        let rule = aws_sdk_ses::types::ReceiptRule::builder().name("tell").enabled(true).actions(action).build();
        let rule = rule.expect("a rule");
        house.ses().create_receipt_rule().rule_set_name("set").rule(rule).send().await.expect("kept");
        sns.delete_topic().topic_arn(&topic).send().await.expect("deleted");
        receives(&house).await;
        let jobs = listed(&house, &[]).await;
        assert!(jobs.len() == 1 && jobs[0].contains("rules for received mail") && jobs[0].contains("does not exist"), "{jobs:?}");

        sns.create_topic().name("mail").send().await.expect("a topic");
        let arn = topic.replace(":sns:", ":sqs:");
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn).send().await.expect("subscribed");
        assert_eq!(admin(&house, &["jobs", "retry", &id_of(&jobs[0])], "").await.code, Some(0));
        house.clock.advance(Duration::from_secs(600));
        house.work().await;
        let got = sqs.receive_message().queue_url(&queue).send().await.expect("received");
        assert_eq!(got.messages().len(), 1);
        assert_eq!(listed(&house, &[]).await, [] as [&str; 0]);
    }

    async fn a_recipient_that_is_settled_gets_nothing_twice(engine: Engine) {
        let house = house(engine).await;
        let mail = send(&house).await;
        house.work().await;
        let body = serde_json::json!({ "mail": mail, "recipient": 0 }).to_string();
        let job = NewMessage {
            message_id: "0".to_owned(),
            visible_at: house.clock.now(),
            group_id: Some("there.example".to_owned()),
            deduplication_id: None,
            sender: None,
            attributes: None,
            trace_header: None,
            body,
        };
        let queue = SystemQueue::Outbound.dead_letters_id();
        let kept: Result<(), postrider::store::Error> =
            house.app.store().write(move |tx| Box::pin(async move { messages::insert(tx, queue, &[job]).await })).await;
        kept.expect("kept");
        let jobs = listed(&house, &["--queue", "outbound"]).await;
        assert!(jobs[0].contains(&format!("mail {mail} to bob@there.example")), "{jobs:?}");
        let refused = admin(&house, &["jobs", "retry", &id_of(&jobs[0])], "").await;
        assert_eq!(refused.code, Some(1));
        assert!(refused.err.contains("settled: Delivered"), "{}", refused.err);
        let all = admin(&house, &["jobs", "retry", "--all", "--queue", "outbound"], "").await;
        assert_eq!(all.code, Some(1));
        assert!(all.out.contains("settled: Delivered") && all.out.ends_with("0 jobs are back in outbound\n"), "{}", all.out);
        assert_eq!(listed(&house, &[]).await, jobs);
    }
}

/// Sends a mail from `here.example`; gives its id.
pub(crate) async fn send(house: &House) -> String {
    use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
    let content = || Content::builder().data("hi").build().expect("content");
    let message = Message::builder().subject(content()).body(Body::builder().text(content()).build()).build();
    let to = Destination::builder().to_addresses("bob@there.example").build();
    let mail = house.sesv2().send_email().from_email_address("ann@here.example").destination(to);
    let sent = mail.content(EmailContent::builder().simple(message).build()).send().await.expect("accepted");
    sent.message_id().expect("an id").to_owned()
}
