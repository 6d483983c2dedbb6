//! Topics: fan-out with the publish, signatures, filter policies, subscriptions.
use std::collections::BTreeMap;

use postrider::topics::{Attribute, Error, Publication, Value};

use crate::both_engines;
use crate::topics_bench::{bench, body, text};
use crate::webhook::Webhook;

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
            // What has to be signed is handed out once the transaction is over.
            b.round().await;
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

    async fn what_is_there_and_what_is_not_decides_as_on_aws(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        for (name, policy, scope) in [
            ("absent", r#"{"a":[{"exists":false}]}"#, "MessageAttributes"),
            ("present", r#"{"a":[{"exists":true}]}"#, "MessageAttributes"),
            ("filled", r#"{"a":[{"exists":true}]}"#, "MessageBody"),
            ("plain", r#"{"$or":[{"prefix":"x"},{"suffix":"y"}]}"#, "MessageBody"),
        ] {
            let queue = b.queue(name).await;
            let attributes = [("FilterPolicy", policy), ("FilterPolicyScope", scope)];
            b.subscribe(&topic, "sqs", &queue, &attributes).await;
        }
        let text = |value: &str| Attribute { data_type: "String".to_owned(), value: Value::Text(value.to_owned()) };
        let binary = Attribute { data_type: "Binary".to_owned(), value: Value::Binary(vec![1]) };
        for (message, attributes, wanted) in [
            (r#"{"a":null}"#, vec![], vec![]),
            (r#"{"a":""}"#, vec![("a", binary)], vec![]),
            (r#"{"a":0}"#, vec![("a", text("v"))], vec!["present", "filled"]),
            ("{}", vec![("b", text("v"))], vec!["absent"]),
            (r#"{"$or":"any y"}"#, vec![], vec!["plain"]),
        ] {
            let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            let publication = Publication { message: message.to_owned(), attributes, ..Publication::default() };
            b.topics.publish(&topic, publication).await.expect("published");
            for name in ["absent", "present", "filled", "plain"] {
                let got = b.received(name).await.len();
                assert_eq!(got, usize::from(wanted.contains(&name)), "{name}: {message}");
            }
        }
        let bad = b.wish(&topic, "sqs", &b.queue("bad").await, &[("FilterPolicy", r#"{"$or":[{"a":["x"]}]}"#)]);
        assert!(matches!(b.topics.subscribe(bad).await, Err(Error::AttributeValue("FilterPolicy", _))));
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
        let asked = b.topics.subscribe(b.wish(&topic, "sqs", &foreign, &[])).await.expect("subscribed");
        assert!(asked.pending, "its owner is asked");
    }

    async fn only_what_the_filter_policy_wants_is_delivered(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[]).await;
        let (blue, oslo, hook) = (b.queue("blue").await, b.queue("oslo").await, Webhook::start().await);
        let by_colour = b.subscribe(&topic, "sqs", &blue, &[("FilterPolicy", r#"{"colour":["blue"]}"#)]).await;
        let by_city = [("FilterPolicy", r#"{"to":{"city":["Oslo"]}}"#), ("FilterPolicyScope", "MessageBody")];
        b.subscribe(&topic, "sqs", &oslo, &by_city).await;
        b.hook(&topic, &hook, &by_city).await;
        for (colour, body) in [("red", r#"{"to":{"city":"Oslo"}}"#), ("blue", "no JSON")] {
            let value = Value::Text(colour.to_owned());
            let colour = Attribute { data_type: "String".to_owned(), value };
            let publication = Publication {
                message: body.to_owned(),
                attributes: BTreeMap::from([("colour".to_owned(), colour)]),
                ..Publication::default()
            };
            b.topics.publish(&topic, publication).await.expect("published");
        }
        assert_eq!((b.received("blue").await.len(), b.received("oslo").await.len()), (1, 1));
        b.round().await;
        assert_eq!(hook.arrived().len(), 2, "the question and one message");

        // A policy that cannot be obeyed is refused and changes nothing.
        let set = async |name: &str, value: &str| b.topics.set_subscription_attribute(&by_colour, name, value).await;
        assert!(matches!(set("FilterPolicy", "{\"a\":[]}").await, Err(Error::AttributeValue("FilterPolicy", _))));
        assert!(matches!(set("FilterPolicy", "{\"a\":{\"b\":[1]}}").await, Err(Error::FilterPolicyNested)));
        set("FilterPolicyScope", "MessageBody").await.expect("set");
        set("FilterPolicy", "{\"a\":{\"b\":[1]}}").await.expect("set");
        assert!(matches!(set("FilterPolicyScope", "MessageAttributes").await, Err(Error::FilterPolicyNested)));
        set("FilterPolicy", "{}").await.expect("set");
        assert!(!b.topics.subscription_attributes(&by_colour).await.expect("there").contains_key("FilterPolicy"));
        b.publish(&topic, "for all").await;
        assert_eq!(b.received("blue").await.len(), 1);
    }
}
