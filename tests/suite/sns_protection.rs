//! Data protection policies through the front door: put, read and refused as on AWS; what is masked, taken out, denied, audited.
use std::path::{Path, PathBuf};

use aws_sdk_sns::error::ProvideErrorMetadata;
use aws_sdk_sns::types::PublishBatchRequestEntry;
use postrider::base::{AccountId, Arn};
use postrider::config::{Given, Mode, Streams};
use postrider::topics::{Authenticated, Error, Publication, Wish};
use serde_json::{Value as Json, json};

use crate::both_engines;
use crate::budgets::meanwhile;
use crate::house::House;
use crate::ses_house::Watched;
use crate::topics_bench::{Bench, bench, body, text};
use crate::webhook::Webhook;

/// Those that this server recognises.
const KINDS: [&str; 8] = [
    "EmailAddress",
    "IpAddress",
    "CreditCardNumber",
    "PhoneNumber",
    "PhoneNumber-US",
    "Ssn-US",
    "BankAccountNumber-DE",
    "PkcsPrivateKey",
];

fn arns(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("arn:aws:dataprotection::aws:data-identifier/{name}")).collect()
}

fn statement(direction: &str, principals: &[&str], names: &[&str], operation: &Json) -> Json {
    json!({"DataDirection": direction, "Principal": principals, "DataIdentifier": arns(names), "Operation": operation})
}

fn policy(statements: &[Json]) -> String {
    json!({"Name": "p", "Description": "d", "Version": "2021-06-01", "Statement": statements}).to_string()
}

fn mask() -> Json {
    json!({"Deidentify": {"MaskConfig": {"MaskWithCharacter": "*"}}})
}

async fn topic(sns: &aws_sdk_sns::Client, name: &str) -> String {
    sns.create_topic().name(name).send().await.expect("a topic").topic_arn.expect("its ARN")
}

async fn put(sns: &aws_sdk_sns::Client, topic: &str, policy: &str) -> Result<(), (String, String)> {
    let put = sns.put_data_protection_policy().resource_arn(topic).data_protection_policy(policy).send().await;
    put.map(drop).map_err(|error| {
        let part = |text: Option<&str>| text.unwrap_or_default().to_owned();
        (part(error.code()), part(error.message()))
    })
}

async fn get(sns: &aws_sdk_sns::Client, topic: &str) -> Option<String> {
    sns.get_data_protection_policy().resource_arn(topic).send().await.expect("answered").data_protection_policy
}

/// A queue that gets the messages of a topic raw; gives its URL.
async fn subscribed(house: &House, topic: &str, name: &str) -> String {
    let url = house.sqs().create_queue().queue_name(name).send().await.expect("a queue").queue_url.expect("its URL");
    let arn = format!("arn:aws:sqs:us-east-1:000000000000:{name}");
    let call = house.sns().subscribe().topic_arn(topic).protocol("sqs").endpoint(arn);
    call.attributes("RawMessageDelivery", "true").send().await.expect("subscribed");
    url
}

async fn received(house: &House, url: &str) -> Vec<String> {
    let got = house.sqs().receive_message().queue_url(url).max_number_of_messages(10).send().await.expect("received");
    let mut bodies: Vec<String> = got.messages().iter().filter_map(|m| m.body().map(str::to_owned)).collect();
    bodies.sort();
    bodies
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let each = entries.map(|entry| entry.expect("an entry").path());
    each.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

async fn of_account(b: &Bench, topic: &Arn, hook: &Webhook, owner: &AccountId) -> Arn {
    let wish = Wish { owner: owner.clone(), ..b.wish(topic, "http", &hook.url("/hook"), &[]) };
    b.topics.subscribe(wish).await.expect("subscribed");
    b.round().await;
    let asked = hook.arrived().last().expect("the endpoint is asked").json();
    b.topics.confirm(topic, text(&asked, "Token"), Authenticated::No).await.expect("confirmed")
}

both_engines! {
    async fn a_policy_is_put_read_and_taken_away(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let arn = topic(&sns, "t").await;
        assert_eq!(get(&sns, &arn).await, None);
        let first = policy(&[statement("Inbound", &["*"], &KINDS, &json!({"Deny": {}}))]);
        put(&sns, &arn, &first).await.expect("put");
        assert_eq!(get(&sns, &arn).await.as_deref(), Some(first.as_str()));
        let shown = sns.get_topic_attributes().topic_arn(&arn).send().await.expect("shown").attributes.expect("some");
        assert!(!shown.contains_key("DataProtectionPolicy"));
        let named = sns.set_topic_attributes().topic_arn(&arn).attribute_name("DataProtectionPolicy").attribute_value("{}");
        assert_eq!(named.send().await.expect_err("no attribute").code(), Some("InvalidParameter"));
        put(&sns, &arn, "").await.expect("taken away");
        assert_eq!(get(&sns, &arn).await, None);

        // With the topic; the same again is the same topic, another is not.
        let made = |policy: &str| sns.create_topic().name("made").data_protection_policy(policy).send();
        let arn = made(&first).await.expect("made").topic_arn.expect("its ARN");
        assert_eq!(get(&sns, &arn).await.as_deref(), Some(first.as_str()));
        made(&first).await.expect("the same");
        assert!(made(&policy(&[])).await.is_err());
        let refused = made("{").await.expect_err("no JSON");
        assert_eq!(refused.message(), Some("Invalid parameter: DataProtectionPolicy Reason: Failed to parse JSON"));
        let fifo = sns.create_topic().name("t.fifo").attributes("FifoTopic", "true").data_protection_policy(&first);
        assert_eq!(fifo.send().await.expect_err("no FIFO topic").code(), Some("InvalidParameter"));
        let archive = r#"{"MessageRetentionPeriod":"1"}"#;
        let archive = sns.set_topic_attributes().topic_arn(&arn).attribute_name("ArchivePolicy").attribute_value(archive);
        assert_eq!(archive.send().await.expect_err("no archive").code(), Some("InvalidParameter"));

        let missing = arn.replace("made", "none");
        assert_eq!(put(&sns, &missing, &first).await.expect_err("no topic").0, "NotFound");
        let (_, theirs) = house.other_account().await;
        assert_eq!(put(&house.sns_as(theirs), &arn, "").await.expect_err("not theirs").0, "AuthorizationError");
        house.stop().await;
    }

    async fn what_cannot_be_done_is_refused_and_not_kept(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let arn = topic(&sns, "t").await;
        let deny = json!({"Deny": {}});
        let good = statement("Inbound", &["*"], &["EmailAddress"], &deny);
        let audit = |to: &Json| statement("Inbound", &["*"], &["EmailAddress"], &json!({"Audit": {"SampleRate": "10", "FindingsDestination": to}}));
        let log = json!({"CloudWatchLogs": {"LogGroup": "/aws/vendedlogs/x"}});
        for (policy, why) in [
            (policy(&[statement("Inbxound", &["*"], &["EmailAddress"], &deny)]), "Statement DataDirection must be either Inbound or Outbound"),
            (policy(&[statement("Inbound", &["*"], &["EmailAddress", "Name"], &deny)]), "arn:aws:dataprotection::aws:data-identifier/Name is not supported"),
            (policy(&[statement("Inbound", &["arn:aws:iam::000000000000:user/eve"], &["EmailAddress"], &deny)]), "user/eve is not supported"),
            (policy(&[statement("Inbound", &[], &["EmailAddress"], &deny)]), "Statement Principal"),
            (policy(&[statement("Inbound", &["*"], &[], &deny)]), "Statement DataIdentifier"),
            (policy(&[statement("Inbound", &["*"], &["EmailAddress"], &json!({"Alert": {}}))]), "Statement Operation"),
            (policy(&[statement("Inbound", &["*"], &["EmailAddress"], &json!({"Deidentify": {"MaskConfig": {"MaskWithCharacter": "\""}}}))]), "MaskWithCharacter"),
            (policy(&[audit(&json!({"S3": {"Bucket": "b"}}))]), "S3 is not supported"),
            (policy(&[audit(&json!({"Firehose": {"DeliveryStream": "none"}}))]), "no bucket is configured"),
            (policy(&[audit(&json!({"CloudWatchLogs": {"LogGroup": "mine"}}))]), "must start with /aws/vendedlogs/"),
            (policy(&[audit(&json!({}))]), "FindingsDestination"),
            (policy(&[audit(&log), audit(&log)]), "only one Audit"),
            (policy(&[statement("Outbound", &["*"], &["EmailAddress"], &json!({"Audit": {"SampleRate": 1, "FindingsDestination": log}}))]), "Inbound only"),
            (policy(std::slice::from_ref(&good)).replace("2021-06-01", "2012-10-17"), "Version must be 2021-06-01"),
            (policy(std::slice::from_ref(&good)).replace("\"Name\":\"p\"", "\"Name\":\"\""), "Name must be specified"),
            (policy(std::slice::from_ref(&good)).replace("\"Name\"", "\"Configuration\":{},\"Name\""), "Configuration is not supported"),
            (format!("{}{}", policy(std::slice::from_ref(&good)), " ".repeat(30_720)), "30720"),
            ("[]".to_owned(), "Failed to parse JSON"),
        ] {
            let (code, message) = put(&sns, &arn, &policy).await.expect_err(&policy);
            assert_eq!(code, "InvalidParameter", "{policy}");
            assert!(message.starts_with("Invalid parameter: DataProtectionPolicy Reason: "), "{message}");
            assert!(message.contains(why), "{message}");
        }
        assert_eq!(get(&sns, &arn).await, None);
        house.stop().await;
    }

    async fn publishers_are_masked_and_denied_by_who_they_are(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, (friend, credentials)) = (house.sns(), house.other_account().await);
        let arn = topic(&sns, "t").await;
        let url = subscribed(&house, &arn, "q").await;
        let friends = format!("arn:aws:iam::{friend}:root");
        let add = sns.add_permission().topic_arn(&arn).label("friends").aws_account_id(friend.as_str());
        add.action_name("Publish").send().await.expect("allowed");
        let statements = [
            statement("Inbound", &["*"], &["EmailAddress"], &mask()),
            statement("Inbound", &[&friends], &["IpAddress"], &json!({"Deidentify": {"RedactConfig": {}}})),
            statement("Inbound", &["*"], &["CreditCardNumber"], &json!({"Deny": {}})),
        ];
        put(&sns, &arn, &policy(&statements)).await.expect("put");
        let said = "ann@example.com at 10.0.0.1";
        sns.publish().topic_arn(&arn).message(said).send().await.expect("published");
        house.sns_as(credentials).publish().topic_arn(&arn).message(said).send().await.expect("published");
        let structured = json!({"default": "d", "sqs": "to bob@example.com"}).to_string();
        let call = sns.publish().topic_arn(&arn).message_structure("json").message(structured);
        call.send().await.expect("published");
        let wanted = ["*************** at ", "*************** at 10.0.0.1", "to ***************"];
        assert_eq!(received(&house, &url).await, wanted);

        let card = "my card is 4539894458086459";
        let denied = sns.publish().topic_arn(&arn).message(card).send().await.expect_err("denied");
        assert_eq!(denied.code(), Some("AuthorizationError"));
        assert!(denied.message().is_some_and(|text| text.contains("data protection policy")), "{denied:?}");
        let whole = sns.publish().topic_arn(&arn).message("ann@example.com").send().await.expect_err("nothing is left");
        assert_eq!(whole.code(), Some("AuthorizationError"));
        let entry = |id: &str, message: &str| PublishBatchRequestEntry::builder().id(id).message(message).build().expect("an entry");
        let batch = sns.publish_batch().topic_arn(&arn);
        let batch = batch.publish_batch_request_entries(entry("a", card)).publish_batch_request_entries(entry("b", "fine"));
        let batch = batch.send().await.expect("answered");
        let failed: Vec<_> = batch.failed().iter().map(|one| (one.id(), one.code(), one.sender_fault())).collect();
        assert_eq!(failed, [("a", "AuthorizationError", true)]);
        assert_eq!(batch.successful().len(), 1);
        assert_eq!(received(&house, &url).await, ["fine"]);
        house.stop().await;
    }

    async fn subscribers_get_what_they_may(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let other: AccountId = "111111111111".parse().expect("an account");
        let (own, theirs, none) = (Webhook::start().await, Webhook::start().await, Webhook::start().await);
        let dead = b.queue("dead").await;
        let owned = of_account(&b, &topic, &own, &b.scope.account).await;
        let denied = of_account(&b, &topic, &theirs, &other).await;
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        b.topics.set_subscription_attribute(&denied, "RedrivePolicy", &redrive).await.expect("set");
        let picky = of_account(&b, &topic, &none, &other).await;
        b.topics.set_subscription_attribute(&picky, "FilterPolicy", r#"{"a":["b"]}"#).await.expect("set");
        let (queue, plain) = (b.queue("raw").await, b.queue("plain").await);
        b.subscribe(&topic, "sqs", &queue, &[("RawMessageDelivery", "true")]).await;
        b.subscribe(&topic, "sqs", &plain, &[]).await;
        let statements = [
            statement("Outbound", &["111111111111"], &["EmailAddress"], &json!({"Deny": {}})),
            statement("Outbound", &["000000000000"], &["EmailAddress"], &mask()),
        ];
        b.topics.set_data_protection_policy(&topic, &policy(&statements)).await.expect("set");
        let id = b.publish(&topic, "to ann@example.com").await;
        b.round().await;
        let got = own.arrived().last().expect("arrived").json();
        assert_eq!((text(&got, "Message"), text(&got, "MessageId")), ("to ***************", id.as_str()));
        assert!(b.verify(&got).await, "what is delivered is what is signed");
        assert_eq!(b.received("raw").await[0].body, "to ***************");
        let got = body(&b.received("plain").await[0]);
        assert_eq!(text(&got, "Message"), "to ***************");
        assert!(b.verify(&got).await);
        assert_eq!((theirs.arrived().len(), none.arrived().len()), (1, 1), "they were asked, and told nothing");
        assert!(b.received("dead").await.is_empty(), "it is no dead letter either");
        let told = b.topics.deliveries(&denied.to_string(), 1).await.expect("attempts");
        assert_eq!((told[0].message_id.as_str(), told[0].outcome.as_str(), told[0].status), (id.as_str(), "forbidden", Some(403)));
        let why = format!("The topic's data protection policy prohibits this message from being delivered to {denied}");
        assert_eq!(told[0].answer, why);
        assert_eq!(b.attempts(&picky).await.len(), 1, "who did not want it is not denied it");
        assert_eq!(b.attempts(&owned).await.len(), 2);
        // What holds nothing goes to all.
        b.publish(&topic, "to nobody").await;
        b.round().await;
        for hook in [&own, &theirs] {
            assert_eq!(text(&hook.arrived().last().expect("arrived").json(), "Message"), "to nobody");
        }
    }

    async fn json_stays_json_and_hides_nothing_behind_escapes(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let arn = topic(&sns, "t").await;
        let url = subscribed(&house, &arn, "q").await;
        let kinds = ["EmailAddress", "CreditCardNumber"];
        put(&sns, &arn, &policy(&[statement("Inbound", &["*"], &kinds, &mask())])).await.expect("put");
        let said = r#"{"card":4539894458086459,"text":"\u003cann@example.com\u003e, card:\n4539894458086459, bob\u0040example.com"}"#;
        sns.publish().topic_arn(&arn).message(said).send().await.expect("published");
        let got: Json = serde_json::from_str(&received(&house, &url).await[0]).expect("JSON");
        let text = format!("<{:*>15}>, card:\n{:*>16}, {:*>20}", "", "", "");
        assert_eq!(got, json!({"card": "*".repeat(14), "text": text}));
        house.stop().await;
    }

    async fn filter_policies_judge_what_the_subscriber_may_get(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let statements = [
            statement("Outbound", &["000000000000"], &["EmailAddress"], &mask()),
            statement("Outbound", &["*"], &["CreditCardNumber"], &json!({"Deny": {}})),
        ];
        b.topics.set_data_protection_policy(&topic, &policy(&statements)).await.expect("set");
        let (clear, masked) = (r#"{"to":["ann@example.com"]}"#, r#"{"to":["***************"]}"#);
        let attributes = |filter| [("RawMessageDelivery", "true"), ("FilterPolicyScope", "MessageBody"), ("FilterPolicy", filter)];
        for (name, filter) in [("guesses", clear), ("sees", masked)] {
            let queue = b.queue(name).await;
            b.subscribe(&topic, "sqs", &queue, &attributes(filter)).await;
        }
        let (hook, other) = (Webhook::start().await, "111111111111".parse().expect("an account"));
        let theirs = of_account(&b, &topic, &hook, &other).await;
        for (name, value) in &attributes(clear)[1..] {
            b.topics.set_subscription_attribute(&theirs, name, value).await.expect("set");
        }
        let said = r#"{"to":"ann@example.com"}"#;
        b.publish(&topic, said).await;
        b.round().await;
        assert!(b.received("guesses").await.is_empty(), "who may not see it does not learn it by asking");
        assert_eq!(b.received("sees").await[0].body, r#"{"to":"***************"}"#);
        assert_eq!(text(&hook.arrived().last().expect("arrived").json(), "Message"), said, "another may see it");
        // What is denied is denied to those who wanted it.
        for (to, attempts) in [("bob@example.com", 2), ("ann@example.com", 3)] {
            b.publish(&topic, &json!({"to": to, "card": "4539894458086459"}).to_string()).await;
            b.round().await;
            assert_eq!(b.attempts(&theirs).await.len(), attempts, "{to}");
        }
        assert_eq!(hook.arrived().len(), 2);
    }

    async fn what_nobody_looked_at_is_looked_at_by_the_job(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let queue = b.queue("q").await;
        b.subscribe(&topic, "sqs", &queue, &[("RawMessageDelivery", "true")]).await;
        let statements = [
            statement("Inbound", &["*"], &["EmailAddress"], &mask()),
            statement("Inbound", &["*"], &["CreditCardNumber"], &json!({"Deny": {}})),
        ];
        b.topics.set_data_protection_policy(&topic, &policy(&statements)).await.expect("set");
        for message in ["an event for ann@example.com", "card 4539894458086459"] {
            let (topics, topic) = (b.topics.clone(), topic.clone());
            let publication = Publication { message: message.to_owned(), ..Publication::default() };
            let done: Result<String, Error> =
                b.store.write(move |tx| Box::pin(async move { topics.publish_in(tx, &topic, &publication).await })).await;
            done.expect("published");
        }
        assert!(b.received("q").await.is_empty());
        while b.fans.round().await.expect("a round") > 0 {}
        let got = b.received("q").await;
        assert_eq!(got.iter().map(|one| one.body.as_str()).collect::<Vec<_>>(), ["an event for ***************"]);
    }

    async fn the_events_of_mails_are_masked(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let sns = house.sns();
        let events = topic(&sns, "events").await;
        put(&sns, &events, &policy(&[statement("Inbound", &["*"], &["EmailAddress"], &mask())])).await.expect("put");
        watched.send(&["success@simulator.amazonses.com"]).await;
        let events = watched.events(&house).await;
        assert!(!events.is_empty());
        assert!(events.iter().all(|event| !event.to_string().contains("success@simulator")), "{events:?}");
        assert!(events.iter().any(|event| event.to_string().contains("****")), "{events:?}");
        house.stop().await;
    }

    async fn audits_tell_what_was_found_and_never_the_thing(engine: Engine) {
        let place = [("findings".to_owned(), "archive/findings/".to_owned())].into();
        let given = Given { streams: Some(Streams(place)), ..Given::default() };
        let house = House::start(Mode::Dev, engine, given).await;
        let sns = house.sns();
        let arn = topic(&sns, "t").await;
        let to = json!({"Firehose": {"DeliveryStream": "findings"}, "CloudWatchLogs": {"LogGroup": "/aws/vendedlogs/t"}});
        let audit = json!({"Audit": {"SampleRate": "99", "FindingsDestination": to, "NoFindingsDestination": to}});
        let statements = [
            statement("Inbound", &["*"], &["EmailAddress", "CreditCardNumber"], &audit),
            statement("Inbound", &["*"], &["CreditCardNumber"], &json!({"Deny": {}})),
        ];
        put(&sns, &arn, &policy(&statements)).await.expect("put");
        // Of a hundred ninety-nine are told, so a few of each are sent.
        let mut ids = Vec::new();
        for _ in 0..5 {
            let call = sns.publish().topic_arn(&arn).message("é ann@example.com, bob@example.com");
            ids.push(call.send().await.expect("published").message_id.expect("an id"));
            sns.publish().topic_arn(&arn).message("nothing").send().await.expect("published");
            sns.publish().topic_arn(&arn).message("card 4539894458086459").send().await.expect_err("denied");
        }
        house.clock.advance(std::time::Duration::from_secs(61));
        house.work().await;
        let objects = files(&house.database.dir.path().join("data/objects/archive/findings"));
        let lines: Vec<String> = objects
            .iter()
            .flat_map(|path| std::fs::read_to_string(path).expect("text").lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let told: Vec<Json> = lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(lines.iter().all(|line| !line.contains("4539") && !line.contains("ann@")), "{lines:?}");
        let of = |name: &str| told.iter().find(|one| one["dataIdentifiers"][0]["name"] == name);
        let mails = of("EmailAddress").expect("addresses were found");
        assert!(ids.iter().any(|id| mails["messageId"] == id.as_str()));
        assert_eq!((&mails["resourceArn"], &mails["callerPrincipal"]), (&json!(arn), &json!("arn:aws:iam::000000000000:root")));
        let wanted = json!([{"name": "EmailAddress", "count": 2, "detections": [{"start": 2, "end": 17}, {"start": 19, "end": 34}]}]);
        assert_eq!(mails["dataIdentifiers"], wanted);
        assert!(of("CreditCardNumber").is_some(), "what is denied is told of too");
        assert!(told.iter().any(|one| one["dataIdentifiers"] == json!([])), "and that nothing was found");
        house.stop().await;
    }

    async fn large_messages_hold_up_nobody(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let arn = topic(&sns, "t").await;
        let statements = [
            statement("Inbound", &["*"], &KINDS, &mask()),
            statement("Outbound", &["*"], &KINDS, &json!({"Deidentify": {"RedactConfig": {}}})),
        ];
        put(&sns, &arn, &policy(&statements)).await.expect("put");
        let url = subscribed(&house, &arn, "q").await;
        let bits = ["card 4539 8944 5808 6459 ", "a@b.co ", "1.2.3.4 ", "+1 202 555 0143 ", "DE89 3704 ", "ssn 123-45-6789 "];
        let message: String = bits.concat().chars().cycle().take(250_000).collect();
        let published = meanwhile(&house, || {
            let call = sns.publish().topic_arn(&arn).message(&message);
            async move { call.send().await.is_ok() }
        });
        assert!(published.await.into_iter().all(|published| published));
        house.work().await;
        let got = received(&house, &url).await;
        assert!(!got.is_empty() && got.iter().all(|text| !text.contains("a@b.co") && !text.contains("1.2.3.4")));
        house.stop().await;
    }
}
