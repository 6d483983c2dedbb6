//! Work that a caller's data decides ends soon, in AWS's error or a bounded result, and holds up nobody else.
use std::future::Future;

use aws_sdk_ses::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{Destination, EmailContent, EmailTemplateContent, Template};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::both_engines;
use crate::house::House;
use crate::ses_house::{Watched, object};

/// How many hostile calls are under way at once: their account has one place, or a few, and the others wait.
const AT_ONCE: usize = 16;

async fn template(ses: &aws_sdk_ses::Client, name: &str, text: &str) {
    let parts = aws_sdk_ses::types::Template::builder().template_name(name).subject_part("s").text_part(text);
    ses.create_template().template(parts.build().expect("a template")).send().await.expect("made");
}

async fn tried(ses: &aws_sdk_ses::Client, name: &str, data: &Value) -> Result<String, (String, String)> {
    let tried = ses.test_render_template().template_name(name).template_data(data.to_string()).send().await;
    tried.map(|done| done.rendered_template.unwrap_or_default()).map_err(|error| {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        (text(error.code()), text(error.message()))
    })
}

/// Another account's call is answered while `hostile` ones are under way, and each of those ends.
pub(crate) async fn meanwhile<T: Send + 'static, F>(house: &House, hostile: impl Fn() -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let (_, theirs) = house.other_account().await;
    let sqs = house.sqs_as(theirs);
    sqs.list_queues().send().await.expect("its connection is there");
    let under_way: Vec<JoinHandle<T>> = (0..AT_ONCE).map(|_| tokio::spawn(hostile())).collect();
    sqs.create_queue().queue_name("theirs").send().await.expect("answered");
    assert!(under_way.iter().any(|call| !call.is_finished()), "the other account waited for all of them");
    futures::future::try_join_all(under_way).await.expect("all end")
}

async fn queue(house: &House, name: &str) -> (String, String) {
    let url = house.sqs().create_queue().queue_name(name).send().await.expect("a queue").queue_url.expect("its URL");
    (url, format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
}

async fn bodies(house: &House, url: &str) -> usize {
    let got = house.sqs().receive_message().queue_url(url).max_number_of_messages(10).send().await;
    got.expect("answers").messages().len()
}

/// The messages of a queue as JSON.
async fn received(house: &House, url: &str) -> Vec<Value> {
    let got = house.sqs().receive_message().queue_url(url).max_number_of_messages(10).send().await.expect("answers");
    let text = |message: &aws_sdk_sqs::types::Message| message.body().unwrap_or_default().to_owned();
    got.messages().iter().map(|message| serde_json::from_str(&text(message)).expect("JSON")).collect()
}

/// Publishes messages in one call, all of which are taken.
async fn batch(house: &House, topic: &str, messages: impl Iterator<Item = String>) {
    let entry = |(n, message): (usize, String)| {
        let entry = aws_sdk_sns::types::PublishBatchRequestEntry::builder().id(n.to_string()).message(message);
        entry.build().expect("an entry")
    };
    let entries = messages.enumerate().map(entry).collect();
    let sent =
        house.sns().publish_batch().topic_arn(topic).set_publish_batch_request_entries(Some(entries)).send().await;
    assert!(sent.expect("published").failed().is_empty());
}

async fn subscribed(house: &House, topic: &str, queue: &str, policy: Option<Value>) {
    let call = house.sns().subscribe().topic_arn(topic).protocol("sqs").endpoint(queue);
    let call = match policy {
        Some(policy) => {
            call.attributes("FilterPolicy", policy.to_string()).attributes("FilterPolicyScope", "MessageBody")
        }
        None => call,
    };
    call.attributes("RawMessageDelivery", "true").send().await.expect("subscribed");
}

/// A policy whose 15,000 values are compared with each value of a message.
fn costly_policy() -> Value {
    json!({ "a": [{ "anything-but": names(15_000) }] })
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("value-{n:05}")).collect()
}

both_engines! {
    async fn a_template_that_looks_into_large_data_holds_up_nobody(engine: Engine) {
        let house = House::serve(engine).await;
        let ses = house.ses();
        let members: serde_json::Map<_, _> = (0..22_000).map(|n| (format!("{n:x}"), json!(0))).collect();
        let data = json!({ "d": { "o": members }, "l": vec![0; 4_500] });
        let lookups = r#"{{lookup @root.d "o"}}"#.repeat(10);
        template(&ses, "looks", &format!("{{{{#each l}}}}{lookups}{{{{/each}}}}")).await;
        let once = tried(&ses, "looks", &data).await.expect("it is not much, where nothing is copied");
        assert!(once.matches("[object").count() > 1_000);
        // What is much ends in SES's error for what cannot be rendered.
        template(&ses, "squares", "{{#each l}}{{#each @root.l}}{{/each}}{{/each}}").await;
        let calls = meanwhile(&house, || {
            let (ses, data) = (ses.clone(), data.clone());
            async move { tried(&ses, "squares", &data).await }
        });
        for answer in calls.await {
            let (code, message) = answer.expect_err("too much");
            assert_eq!(code, "InvalidRenderingParameter", "{message}");
            assert_eq!(message, "The template has too many steps.");
        }
        house.stop().await;
    }

    async fn a_mail_whose_template_takes_too_many_steps_is_told_of(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let text = "{{#each l}}{{#each @root.l}}{{/each}}{{/each}}";
        let parts = EmailTemplateContent::builder().subject("s").text(text).build();
        watched.ses.create_email_template().template_name("t").template_content(parts).send().await.expect("made");
        let data = json!({ "l": vec![0; 4_500] }).to_string();
        let template = Template::builder().template_name("t").template_data(data).build();
        let call = watched.ses.send_email().from_email_address(Watched::FROM).configuration_set_name(Watched::SET);
        let call = call.destination(Destination::builder().to_addresses("b@y.example").build());
        let sent = call.content(EmailContent::builder().template(template).build()).send().await;
        sent.expect("accepted, as SES does");
        let failure = object(&watched.events(&house).await, "failure").expect("the event");
        assert_eq!(failure["errorMessage"], "The template has too many steps.");
        house.stop().await;
    }

    async fn a_template_of_nothing_but_comments_is_read_in_no_time(engine: Engine) {
        let house = House::serve(engine).await;
        let ses = house.ses();
        template(&ses, "comments", &"{{!----}}".repeat(50_000)).await;
        let rendered = tried(&ses, "comments", &json!({})).await.expect("rendered");
        assert!(rendered.contains("Subject: s") && !rendered.contains("{{"), "{rendered}");
        house.stop().await;
    }

    async fn large_requests_and_messages_are_read_as_small_ones_are(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        for size in [1_000, 3_000_000] {
            let raw = format!("From: {}\r\nTo: b@y.example\r\nSubject: s\r\n\r\n{}", Watched::FROM, "x\r\n".repeat(size / 3));
            let message = aws_sdk_ses::types::RawMessage::builder().data(raw.clone().into_bytes().into());
            let message = message.build().expect("a message");
            house.ses().send_raw_email().raw_message(message).send().await.expect("accepted");
            let message = aws_sdk_sesv2::types::RawMessage::builder().data(raw.into_bytes().into());
            let content = EmailContent::builder().raw(message.build().expect("a message")).build();
            watched.ses.send_email().content(content).send().await.expect("accepted");
            let text = aws_sdk_sesv2::types::Content::builder().data("y\r\n".repeat(size / 3)).build().expect("a text");
            let subject = aws_sdk_sesv2::types::Content::builder().data("s").build().expect("a text");
            let body = aws_sdk_sesv2::types::Body::builder().text(text).build();
            let simple = aws_sdk_sesv2::types::Message::builder().subject(subject).body(body).build();
            let to = Destination::builder().to_addresses("b@y.example").build();
            let call = watched.ses.send_email().from_email_address(Watched::FROM).destination(to);
            call.content(EmailContent::builder().simple(simple).build()).send().await.expect("accepted");
        }
        let small: usize = "x=1&".len() * 200_000;
        let many = reqwest::Client::new().post(house.endpoint()).body("x=1&".repeat(small / 4)).send().await;
        assert!(many.expect("answered").status().is_client_error(), "a form of more values than any request has");
        house.stop().await;
    }

    async fn filter_policies_with_many_dots_and_values_hold_up_nobody(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let topic = sns.create_topic().name("t").send().await.expect("a topic").topic_arn.expect("its ARN");
        let (dots, values, all) = (queue(&house, "dots").await, queue(&house, "values").await, queue(&house, "all").await);
        let name = |n: usize| format!("{}{n}", "a.".repeat(2_000));
        let several: Vec<Value> = (0..60).map(|n| json!({ name(n): ["x"] })).collect();
        subscribed(&house, &topic, &dots.1, Some(json!({ "$or": several }))).await;
        subscribed(&house, &topic, &values.1, Some(costly_policy())).await;
        subscribed(&house, &topic, &all.1, None).await;
        let objects = json!({ "a": vec![json!({}); 20_000] }).to_string();
        let published = meanwhile(&house, || {
            let call = sns.publish().topic_arn(&topic).message(&objects);
            async move { call.send().await.is_ok() }
        });
        assert!(published.await.into_iter().all(|published| published));
        assert_eq!((bodies(&house, &dots.0).await, bodies(&house, &values.0).await), (0, 0));
        // What takes too many steps does not pass, and the others get the message.
        let many = json!({ "a": names(1_000) }).to_string();
        sns.publish().topic_arn(&topic).message(many).send().await.expect("published");
        sns.publish().topic_arn(&topic).message(r#"{"a":["new"]}"#).send().await.expect("published");
        house.work().await;
        assert_eq!(bodies(&house, &values.0).await, 1, "the one whose value is none of the policy's");
        let mut got = 0;
        while got < AT_ONCE + 2 {
            let some = bodies(&house, &all.0).await;
            assert!(some > 0, "{got} of all messages");
            got += some;
        }
        house.stop().await;
    }

    async fn a_batch_of_large_bodies_reaches_each_of_a_hundred_subscribers_that_it_is_for(engine: Engine) {
        let house = House::serve(engine).await;
        let topic = house.sns().create_topic().name("t").send().await.expect("a topic").topic_arn.expect("its ARN");
        let mut queues = Vec::new();
        for n in 0..100 {
            let queue = queue(&house, &format!("q{n}")).await;
            // No two are the same, so that each is judged by itself.
            subscribed(&house, &topic, &queue.1, Some(json!({ "n": [n % 10, 1_000 + n] }))).await;
            queues.push(queue.0);
        }
        // To read the largest alone takes more than the even share of a policy, whichever is asked first.
        let size = |n: usize| if n == 3 { 190_000 } else { 1_000 };
        let message = |n: usize| json!({ "n": n, "text": "x".repeat(size(n)) }).to_string();
        batch(&house, &topic, (0..10).map(message)).await;
        for (n, url) in queues.iter().enumerate() {
            let got = received(&house, url).await;
            let numbers: Vec<&Value> = got.iter().map(|body| &body["n"]).collect();
            assert_eq!(numbers, [n % 10], "queue {n}");
            assert_eq!(got[0]["text"].as_str().map(str::len), Some(size(n % 10)));
        }
        house.stop().await;
    }

    async fn a_batch_gives_policies_no_more_steps_than_one_message_does(engine: Engine) {
        let house = House::serve(engine).await;
        let topic = house.sns().create_topic().name("t").send().await.expect("a topic").topic_arn.expect("its ARN");
        let mut queues = Vec::new();
        for n in 0..40 {
            let queue = queue(&house, &format!("q{n}")).await;
            // 100,000 steps for a message: forty of them are far less than a call may take, and four hundred twice as much.
            let named = [names(500), vec![format!("of {n}")]].concat();
            let policy = if n == 0 { json!({ "all": [true] }) } else { json!({ "a": [{ "anything-but": named }] }) };
            subscribed(&house, &topic, &queue.1, Some(policy)).await;
            queues.push(queue.0);
        }
        let values = [names(199), vec!["new".to_owned()]].concat();
        let message = json!({ "all": true, "a": values }).to_string();
        let counts = async || {
            let mut counts = Vec::new();
            for url in &queues {
                counts.push(bodies(&house, url).await);
            }
            counts
        };
        house.sns().publish().topic_arn(&topic).message(&message).send().await.expect("published");
        assert_eq!(counts().await, vec![1; 40]);
        batch(&house, &topic, std::iter::repeat_n(message, 10)).await;
        assert_eq!(counts().await, [vec![10], vec![0; 39]].concat(), "what takes too many steps does not match");
        house.stop().await;
    }

    async fn in_a_fifo_topic_policies_are_judged_before_the_transaction(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, sqs) = (house.sns(), house.sqs());
        let topic = sns.create_topic().name("t.fifo").attributes("FifoTopic", "true");
        let topic = topic.attributes("ContentBasedDeduplication", "true").send().await.expect("a topic");
        let topic = topic.topic_arn.expect("its ARN");
        let url = sqs.create_queue().queue_name("q.fifo").attributes("FifoQueue".into(), "true").send().await;
        let url = url.expect("a queue").queue_url.expect("its URL");
        subscribed(&house, &topic, "arn:aws:sqs:us-east-1:000000000000:q.fifo", Some(costly_policy())).await;
        for message in [json!({ "a": names(1_000) }), json!({ "a": "one" }), json!({ "a": "value-00001" })] {
            let call = sns.publish().topic_arn(&topic).message_group_id("g").message(message.to_string());
            call.send().await.expect("published");
        }
        assert_eq!(bodies(&house, &url).await, 1, "the policy of many values lets pass what it does not name");
        house.stop().await;
    }

    async fn the_events_of_mails_do_not_wait_for_policies(engine: Engine) {
        let house = House::dev(engine).await;
        let watched = Watched::new(&house).await;
        let (slow, slow_arn) = queue(&house, "slow").await;
        let topic = "arn:aws:sns:us-east-1:000000000000:events";
        let policy = json!({ "mail": { "source": [{ "anything-but": names(15_000) }] } });
        subscribed(&house, topic, &slow_arn, Some(policy)).await;
        watched.send(&["b@y.example"]).await;
        let events = watched.events(&house).await;
        assert!(object(&events, "send").is_some() && object(&events, "delivery").is_some(), "{events:?}");
        assert!(bodies(&house, &slow).await > 0, "they are judged by the worker of fan-outs");
        house.stop().await;
    }
}
