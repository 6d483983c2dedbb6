//! What the queue of a subscription does not take: the history says why, and the dead-letter queue has it.
use std::collections::BTreeMap;

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use postrider::base::Arn;
use postrider::topics::{Attribute, Publication, Value};
use serde_json::Value as Json;

use crate::both_engines;
use crate::house::House;
use crate::topics_bench::{Bench, bench, body, text};

const RAW: (&str, &str) = ("RawMessageDelivery", "true");

fn string(value: &str) -> Attribute {
    Attribute { data_type: "String".to_owned(), value: Value::Text(value.to_owned()) }
}

async fn publish(b: &Bench, topic: &Arn, message: &str, attributes: BTreeMap<String, Attribute>) -> String {
    let publication = Publication { message: message.to_owned(), attributes, ..Publication::default() };
    b.topics.publish(topic, publication).await.expect("published")
}

/// What the history tells: message, outcome, why.
async fn told(b: &Bench, subscription: &Arn) -> Vec<(String, String, String)> {
    let attempts = b.topics.deliveries(&subscription.to_string(), 100).await.expect("attempts");
    attempts.into_iter().map(|one| (one.message_id, one.outcome, one.answer)).collect()
}

fn value<'a>(of: &'a BTreeMap<String, Attribute>, name: &str) -> &'a str {
    match of.get(name).map(|attribute| &attribute.value) {
        Some(Value::Text(text)) => text,
        other => panic!("{name}: {other:?}"),
    }
}

both_engines! {
    async fn what_a_queue_cannot_hold_raw_becomes_a_dead_letter_in_its_envelope(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (queue, plain, dead) = (b.queue("q").await, b.queue("plain").await, b.queue("dead").await);
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        let raw = b.subscribe(&topic, "sqs", &queue, &[RAW, ("RedrivePolicy", &redrive)]).await;
        let enveloped = b.subscribe(&topic, "sqs", &plain, &[]).await;
        let many: BTreeMap<_, _> = (0..11).map(|n| (format!("a{n}"), string("v"))).collect();
        let odd = BTreeMap::from([("a".to_owned(), string("bell \u{7}"))]);
        for (message, attributes, why) in [
            ("eleven", many, "Number of message attributes [11] exceeds the allowed maximum [10]."),
            ("bell \u{7}", BTreeMap::new(), "not allowed"),
            ("odd attribute", odd, "Invalid"),
        ] {
            let id = publish(&b, &topic, message, attributes.clone()).await;
            assert_eq!(b.received("q").await.len(), 0, "{message:?}");
            let got = b.received("dead").await;
            assert_eq!(got.len(), 1, "{message:?}");
            let letter = body(&got[0]);
            assert_eq!((text(&letter, "Message"), text(&letter, "MessageId")), (message, id.as_str()));
            let kept = letter["MessageAttributes"].as_object().map_or(0, serde_json::Map::len);
            assert_eq!(kept, attributes.len(), "{message:?}");
            assert!(b.verify(&letter).await);
            assert_eq!(value(&got[0].attributes, "ErrorCode"), "refused");
            assert!(value(&got[0].attributes, "ErrorMessage").contains(why), "{:?}", got[0].attributes);
            let told = told(&b, &raw).await;
            assert_eq!((told[0].0.as_str(), told[0].1.as_str()), (id.as_str(), "refused"));
            assert!(told[0].2.contains(why), "{told:?}");
            assert_eq!(b.received("plain").await.len(), 1, "in an envelope everything fits");
        }
        assert!(told(&b, &enveloped).await.is_empty());
    }

    async fn who_is_raw_alone_gets_an_envelope_without_a_signature(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (queue, dead) = (b.queue("q").await, b.queue("dead").await);
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        b.subscribe(&topic, "sqs", &queue, &[RAW, ("RedrivePolicy", &redrive)]).await;
        // What JSON takes as it is, and a queue does not.
        publish(&b, &topic, "a\u{FFFF}b", BTreeMap::new()).await;
        let letter = body(&b.received("dead").await[0]);
        assert_eq!(text(&letter, "Message"), "a\u{FFFF}b");
        assert_eq!((letter.get("Signature"), letter.get("SigningCertURL")), (None, None), "none was made");
    }

    async fn a_message_too_long_for_one_queue_goes_raw_to_a_larger_one(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let small = crate::topics_bench::map(&[("MaximumMessageSize", "1024")]);
        b.queues.create(&b.scope, "small", small, BTreeMap::new()).await.expect("made");
        let small = Arn::new("sqs", &b.scope.region, &b.scope.account, "small").to_string();
        let dead = b.queue("dead").await;
        let redrive = format!("{{\"deadLetterTargetArn\":\"{dead}\"}}");
        let arn = b.subscribe(&topic, "sqs", &small, &[RAW, ("RedrivePolicy", &redrive)]).await;
        let long = "x".repeat(1_025);
        let attributes = BTreeMap::from([("colour".to_owned(), string("blue"))]);
        publish(&b, &topic, &long, attributes.clone()).await;
        let got = b.received("dead").await;
        assert_eq!((got[0].body.as_str(), &got[0].attributes), (long.as_str(), &attributes));
        assert_eq!(told(&b, &arn).await[0].1, "refused");
        // Without a dead-letter queue the history alone tells of it; so of a queue that is gone.
        let alone = b.topic("alone", &[]).await;
        let arn = b.subscribe(&alone, "sqs", &small, &[RAW]).await;
        publish(&b, &alone, &long, BTreeMap::new()).await;
        b.queues.delete(&b.scope, "small").await.expect("deleted");
        b.clock.advance(std::time::Duration::from_secs(2));
        publish(&b, &alone, "short", BTreeMap::new()).await;
        let outcomes: Vec<String> = told(&b, &arn).await.into_iter().map(|(_, outcome, _)| outcome).collect();
        assert_eq!(outcomes, ["missing", "refused"]);
    }

    async fn a_publisher_learns_nothing_of_it_and_the_dead_letter_says_why(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, sqs) = (house.sns(), house.sqs());
        let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
        let mut urls = Vec::new();
        for name in ["q", "dead"] {
            urls.push(sqs.create_queue().queue_name(name).send().await.expect("made").queue_url.expect("a URL"));
        }
        let queue = topic.replace(":sns:", ":sqs:").replace(":t", ":q");
        let redrive = format!("{{\"deadLetterTargetArn\":\"{}\"}}", topic.replace(":sns:", ":sqs:").replace(":t", ":dead"));
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue).attributes(RAW.0, RAW.1);
        subscribe.attributes("RedrivePolicy", redrive).send().await.expect("subscribed");
        let mut call = sns.publish().topic_arn(&topic).message("hello");
        for n in 0..11 {
            let value = aws_sdk_sns::types::MessageAttributeValue::builder().data_type("String").string_value("v");
            call = call.message_attributes(format!("a{n}"), value.build().expect("a value"));
        }
        let id = call.send().await.expect("published").message_id.expect("an id");
        let count = sqs.get_queue_attributes().queue_url(&urls[0]).attribute_names(QueueAttributeName::All).send().await;
        let count = count.expect("attributes").attributes.unwrap_or_default();
        assert_eq!(count[&QueueAttributeName::ApproximateNumberOfMessages], "0");
        let got = sqs.receive_message().queue_url(&urls[1]).message_attribute_names("All");
        let got = got.message_system_attribute_names(MessageSystemAttributeName::All).send().await.expect("received");
        let letter: Json = serde_json::from_str(got.messages()[0].body().unwrap_or_default()).expect("JSON");
        assert_eq!(letter["MessageId"], Json::from(id));
        let attributes = got.messages()[0].message_attributes().expect("attributes");
        let why = attributes["ErrorMessage"].string_value().unwrap_or_default();
        assert!(why.contains("Number of message attributes [11] exceeds"), "{why}");
        house.stop().await;
    }
}
