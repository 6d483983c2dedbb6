//! `DELETE /_postrider/dev/state`: the next test begins with nothing, while the server runs on.
use std::collections::BTreeSet;

use aws_sdk_sesv2::types::{EmailTemplateContent, SuppressionListReason};
use postrider::store::reset;

use crate::both_engines;
use crate::engine::TestDatabase;
use crate::house::{House, SECRET, credentials, sqs_at};
use crate::program::Program;
use crate::ses_house::Watched;

const OTHER: &str = "111122223333";

/// The tables of a server's database, and how many rows each has.
async fn tables(house: &House) -> Vec<(String, i64)> {
    let names = if house.database.url.starts_with("sqlite") {
        "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
    } else {
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
         WHERE table_schema = current_schema() ORDER BY table_name"
    };
    let mut reader = house.app.store().reader().await.expect("a reader");
    let mut all = vec![];
    for row in reader.all(names, vec![]).await.expect("a list") {
        let name = row.text("name").expect("a name");
        let sql = sqlx::AssertSqlSafe(format!("SELECT COUNT(*) AS n FROM {name}"));
        let row = reader.one(sql, vec![]).await.expect("a count").expect("a row");
        all.push((name, row.int("n").expect("a number")));
    }
    all
}

/// Which tables have rows, but for those that stay.
async fn filled(house: &House) -> BTreeSet<String> {
    let all = tables(house).await.into_iter().filter(|(name, n)| *n > 0 && !reset::KEPT.contains(&name.as_str()));
    all.map(|(name, _)| name).collect()
}

async fn delete(endpoint: &str, query: &str) -> (u16, String) {
    let answer = reqwest::Client::new().delete(format!("{endpoint}/_postrider/dev/state{query}")).send().await;
    let answer = answer.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// Makes some of everything.
async fn use_all(house: &House) -> Watched {
    let watched = Watched::new(house).await;
    let (ses, sqs) = (house.sesv2(), house.sqs());
    let put = ses.put_suppressed_destination().email_address("s@y.example").reason(SuppressionListReason::Bounce);
    put.send().await.expect("put");
    let parts = EmailTemplateContent::builder().subject("Hi").text("x").build();
    ses.create_email_template().template_name("welcome").template_content(parts).send().await.expect("made");
    let fifo = sqs.create_queue().queue_name("jobs.fifo").attributes("FifoQueue".into(), "true");
    let fifo = fifo.send().await.expect("made").queue_url.expect("a URL");
    let send = sqs.send_message().queue_url(fifo).message_body("x").message_group_id("g");
    send.message_deduplication_id("d").send().await.expect("sent");
    house.ses().create_receipt_rule_set().rule_set_name("rules").send().await.expect("made");
    watched.send(&["b@y.example", "s@y.example"]).await;
    house.work().await;
    // One that is not worked yet.
    watched.send(&["c@y.example"]).await;
    watched
}

both_engines! {
    async fn each_table_is_emptied_or_said_to_stay(engine: Engine) {
        let house = House::dev(engine).await;
        let named: Vec<&str> = reset::emptied_tables().into_iter().chain(reset::KEPT).collect();
        let once: BTreeSet<&str> = named.iter().copied().collect();
        assert_eq!(named.len(), once.len(), "none twice");
        let all = tables(&house).await;
        let unnamed: Vec<_> = all.iter().filter(|(name, _)| !once.contains(name.as_str())).collect();
        assert!(unnamed.is_empty(), "a reset must know what to do with these: {unnamed:?}");
        let gone = reset::emptied_tables().into_iter().filter(|table| !all.iter().any(|(name, _)| name == table));
        assert_eq!(gone.collect::<Vec<_>>(), Vec::<&str>::new(), "there are no such tables any more");
    }

    async fn all_that_programs_made_goes_and_all_can_be_made_again(engine: Engine) {
        let house = House::dev(engine).await;
        let (account, _) = house.other_account().await;
        use_all(&house).await;
        let before = filled(&house).await;
        for table in ["messages", "queues", "topics", "subscriptions", "identities", "mails", "raw_messages", "captured"] {
            assert!(before.contains(table), "{table}: {before:?}");
        }
        let (status, text) = delete(&house.endpoint(), "").await;
        assert!(status == 200 && text.contains("\"deleted\":"), "{text}");
        assert_eq!(filled(&house).await, BTreeSet::new());
        let kept = tables(&house).await;
        assert!(kept.iter().any(|(name, n)| name == "access_keys" && *n > 0), "{account}: {kept:?}");
        // At once, nothing of it is remembered.
        let queues = house.sqs().list_queues().send().await.expect("a list");
        assert!(queues.queue_urls().is_empty());
        let gone = house.sqs().get_queue_url().queue_name("events").send().await;
        assert!(gone.expect_err("it is gone").into_service_error().is_queue_does_not_exist());
        let watched = use_all(&house).await;
        let events = watched.events(&house).await;
        assert!(events.iter().any(|event| event["eventType"] == "Delivery"), "{events:?}");
        let (status, _) = delete(&house.endpoint(), "?account=nobody").await;
        assert_eq!(status, 400);
    }

    async fn one_accounts_state_goes_and_the_others_stays(engine: Engine) {
        let house = House::dev(engine).await;
        use_all(&house).await;
        let before = tables(&house).await;
        // On a developer's machine a key of twelve digits is its account.
        let other = sqs_at(&house.endpoint(), credentials(OTHER, SECRET));
        let url = other.create_queue().queue_name("theirs").send().await.expect("made").queue_url.expect("a URL");
        assert!(url.contains(OTHER), "{url}");
        other.send_message().queue_url(&url).message_body("x").message_group_id("g").send().await.expect("sent");
        let (status, text) = delete(&house.endpoint(), &format!("?account={OTHER}")).await;
        assert_eq!(status, 200, "{text}");
        // All that it had, and nothing of the other's.
        assert_eq!(tables(&house).await, before);
        assert_eq!(other.list_queues().send().await.expect("a list").queue_urls(), Vec::<String>::new());
        let (status, text) = delete(&house.endpoint(), "?account=000000000000").await;
        assert_eq!(status, 200, "{text}");
        assert_eq!(filled(&house).await, BTreeSet::new());
    }

    async fn it_is_safe_while_workers_work(engine: Engine) {
        let database = TestDatabase::new(engine).await;
        let program = Program::start("dev", &database.dir.path().join("data"), database.url(), &[]);
        let sqs = sqs_at(&program.endpoint, credentials("dev", SECRET));
        for round in 0..5 {
            let sends = (0..40).map(|n| {
                let ses = format!("{}/v2/email/outbound-emails", program.endpoint);
                let body = format!(
                    r#"{{"FromEmailAddress":"a@b.example","Destination":{{"ToAddresses":["r{n}@c{round}.example"]}},
                        "Content":{{"Simple":{{"Subject":{{"Data":"x"}},"Body":{{"Text":{{"Data":"x"}}}}}}}}}}"#
                );
                let asked = reqwest::Client::new().post(ses).header("content-type", "application/json").body(body);
                async move { asked.send().await.expect("an answer").status().as_u16() }
            });
            let identity = format!("{}/v2/email/identities", program.endpoint);
            let made = reqwest::Client::new().post(identity).header("content-type", "application/json");
            made.body(r#"{"EmailIdentity":"b.example"}"#).send().await.expect("an answer");
            let sent = futures::future::join_all(sends).await;
            assert!(sent.iter().all(|status| *status == 200), "{sent:?}");
            // Those mails are on their way now.
            let (status, text) = delete(&program.endpoint, "").await;
            assert_eq!(status, 200, "{text}");
            let mails = reqwest::get(format!("{}/_postrider/inbox", program.endpoint)).await.expect("an answer");
            assert_eq!(mails.text().await.expect("text"), "[]");
            sqs.create_queue().queue_name("again").send().await.expect("made");
        }
        let log = program.stop();
        let faults: Vec<&String> = log.iter().filter(|line| line.contains("ERROR")).collect();
        assert!(faults.is_empty(), "{faults:#?}");
    }

    async fn nobody_takes_anything_away_in_serve(engine: Engine) {
        let house = House::serve(engine).await;
        house.sqs().create_queue().queue_name("stays").send().await.expect("made");
        let (status, _) = delete(&house.endpoint(), "").await;
        assert!((400..500).contains(&status), "{status}");
        assert_eq!(house.sqs().list_queues().send().await.expect("a list").queue_urls().len(), 1);
    }
}
