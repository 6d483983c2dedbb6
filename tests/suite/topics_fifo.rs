//! FIFO topics: order, deduplication, sequence numbers, to FIFO and standard queues.
use std::time::Duration;

use postrider::base::Arn;
use postrider::topics::{Error, Publication};

use crate::both_engines;
use crate::topics_bench::{Bench, bench, body, map, text};

const CONTENT: &[(&str, &str)] = &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")];

pub(crate) async fn fifo_queue(b: &Bench, name: &str) -> String {
    let attributes = map(&[("FifoQueue", "true"), ("VisibilityTimeout", "43200")]);
    b.queues.create(&b.scope, name, attributes, Default::default()).await.expect("the queue is made");
    Arn::new("sqs", &b.scope.region, &b.scope.account, name).to_string()
}

pub(crate) fn message(group: &str, text: &str) -> Publication {
    Publication { message: text.to_owned(), group: Some(group.to_owned()), ..Publication::default() }
}

pub(crate) async fn bodies(b: &Bench, queue: &str) -> Vec<String> {
    b.received(queue).await.into_iter().map(|m| m.body).collect()
}

both_engines! {
    async fn messages_keep_the_order_of_their_group_in_every_queue(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("orders.fifo", CONTENT).await;
        let (ordered, plain) = (fifo_queue(&b, "ordered.fifo").await, b.queue("plain").await);
        b.subscribe(&topic, "sqs", &ordered, &[("RawMessageDelivery", "true")]).await;
        let subscription = b.subscribe(&topic, "sqs", &plain, &[]).await;
        let mut numbers = Vec::new();
        for n in 0..4 {
            let batch = vec![message("a", &format!("a{n}")), message("b", &format!("b{n}"))];
            for published in b.topics.publish_each(&topic, batch).await.expect("published") {
                numbers.push(published.expect("taken").sequence_number.expect("a number"));
            }
        }
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1] && pair[0].len() == 20), "{numbers:?}");
        let got = b.received("ordered.fifo").await;
        let of_group = |group: &str| -> Vec<String> {
            let of = got.iter().filter(|m| m.group_id.as_deref() == Some(group));
            of.map(|m| m.body.clone()).collect()
        };
        assert_eq!(of_group("a"), ["a0", "a1", "a2", "a3"]);
        assert_eq!(of_group("b"), ["b0", "b1", "b2", "b3"]);
        assert!(got.iter().all(|m| m.deduplication_id.as_ref().is_some_and(|id| id.len() == 64)));

        // The envelope of a FIFO topic has a number in the place of the signature.
        let got = b.received("plain").await;
        assert_eq!(got.len(), 8);
        let envelopes: Vec<_> = got.iter().map(body).collect();
        let first = envelopes.iter().find(|e| e["Message"] == "a0").expect("the first");
        assert_eq!(text(first, "SequenceNumber"), numbers[0]);
        assert!(text(first, "UnsubscribeURL").ends_with(&subscription.to_string()));
        assert!(["Signature", "SignatureVersion", "SigningCertURL"].iter().all(|key| first.get(key).is_none()), "{first}");
    }

    async fn what_was_published_before_is_accepted_and_not_delivered(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t.fifo", CONTENT).await;
        let queue = b.queue("q").await;
        b.subscribe(&topic, "sqs", &queue, &[("RawMessageDelivery", "true")]).await;
        let publish = async |group: &str, text: &str, id: Option<&str>| {
            let publication = Publication { deduplication_id: id.map(str::to_owned), ..message(group, text) };
            let mut answers = b.topics.publish_each(&topic, vec![publication]).await.expect("published");
            answers.remove(0).expect("taken")
        };
        let first = publish("a", "one", None).await;
        assert_eq!(publish("a", "one", None).await, first);
        // The scope is the topic, whatever the group; an id of one's own counts in the place of the content.
        assert_eq!(publish("b", "one", None).await, first);
        assert_ne!(publish("a", "one", Some("own")).await, first);
        publish("a", "other", Some("own")).await;
        assert_eq!(bodies(&b, "q").await, ["one", "one"]);
        b.clock.advance(Duration::from_secs(301));
        assert_ne!(publish("a", "one", None).await, first);
        assert_eq!(bodies(&b, "q").await, ["one"]);
        // Now each group for itself.
        b.topics.set_attribute(&topic, "FifoThroughputScope", "MessageGroup").await.expect("set");
        b.clock.advance(Duration::from_secs(301));
        for (group, text) in [("a", "x"), ("b", "x"), ("a", "x")] {
            publish(group, text, None).await;
        }
        assert_eq!(bodies(&b, "q").await, ["x", "x"]);
        b.clock.advance(Duration::from_secs(7_200));
        while b.topics.sweep().await.expect("swept") > 0 {}
        publish("a", "x", None).await;
        assert_eq!(bodies(&b, "q").await, ["x"]);
    }

    async fn dead_letters_of_a_standard_queue_keep_their_deduplication_ids(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t.fifo", &[("FifoTopic", "true")]).await;
        let (dead, queue) = (fifo_queue(&b, "dead.fifo").await, b.queue("q").await);
        let redrive = format!(r#"{{"deadLetterTargetArn":"{dead}"}}"#);
        b.subscribe(&topic, "sqs", &queue, &[("RawMessageDelivery", "true"), ("RedrivePolicy", &redrive)]).await;
        b.queues.delete(&b.scope, "q").await.expect("deleted");
        for id in ["one", "two", "one"] {
            let publication = Publication { deduplication_id: Some(id.to_owned()), ..message("g", "the same") };
            b.topics.publish(&topic, publication).await.expect("published");
        }
        let ids: Vec<_> = b.received("dead.fifo").await.into_iter().map(|dead| dead.deduplication_id).collect();
        assert_eq!(ids, [Some("one".to_owned()), Some("two".to_owned())]);
    }

    async fn what_a_fifo_topic_does_not_take_is_refused(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t.fifo", &[("FifoTopic", "true")]).await;
        let standard = b.topic("t", &[]).await;
        let (ordered, plain) = (fifo_queue(&b, "q.fifo").await, b.queue("q").await);
        let subscribe = async |topic: &Arn, protocol: &str, endpoint: &str, attributes: &[(&str, &str)]| {
            b.topics.subscribe(b.wish(topic, protocol, endpoint, attributes)).await
        };
        let refused = subscribe(&topic, "http", "http://127.0.0.1/hook", &[]).await;
        assert!(matches!(refused, Err(Error::FifoProtocol(name)) if name == "http"));
        assert!(matches!(subscribe(&standard, "sqs", &ordered, &[]).await, Err(Error::EndpointFifo)));
        let redrive = [("RedrivePolicy", &*format!(r#"{{"deadLetterTargetArn":"{ordered}"}}"#))];
        assert!(matches!(subscribe(&standard, "sqs", &plain, &redrive).await, Err(Error::AttributeValue("RedrivePolicy", _))));
        subscribe(&topic, "sqs", &plain, &redrive).await.expect("subscribed");
        let publish = async |topic: &Arn, publication: Publication| b.topics.publish(topic, publication).await;
        let plain = || Publication { message: "m".to_owned(), ..Publication::default() };
        assert!(matches!(publish(&topic, plain()).await, Err(Error::GroupMissing)));
        assert!(matches!(publish(&topic, message("g", "m")).await, Err(Error::DeduplicationMissing)));
        let with = |id: &str| Publication { deduplication_id: Some(id.to_owned()), ..message("g", "m") };
        assert!(matches!(publish(&topic, with(&"x".repeat(129))).await, Err(Error::Deduplication)));
        assert!(matches!(publish(&standard, with("id")).await, Err(Error::DeduplicationHere)));
        publish(&topic, with("id")).await.expect("published");
        // One bad message does not keep a good one back.
        let answers = b.topics.publish_each(&topic, vec![plain(), with("id-2")]).await.expect("answered");
        assert!(answers[0].is_err() && answers[1].is_ok());
        // A group that FIFO queues cannot have got here by a queue that is gone: its message goes to the dead letters.
        b.queues.delete(&b.scope, "q").await.expect("deleted");
        publish(&topic, with("id-3")).await.expect("published");
        let dead = b.received("q.fifo").await;
        assert_eq!((dead.len(), dead[0].group_id.as_deref()), (1, Some("g")));
        for n in 1..100 {
            let queue = format!("arn:aws:sqs:us-east-1:000000000000:q{n}");
            subscribe(&topic, "sqs", &queue, &[]).await.expect("subscribed");
        }
        let queue = "arn:aws:sqs:us-east-1:000000000000:q100";
        assert!(matches!(subscribe(&topic, "sqs", queue, &[]).await, Err(Error::TooManySubscriptions)));
    }
}
