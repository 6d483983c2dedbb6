//! Archives and replays: what was published comes again, in order, and then what is published now.
use std::time::Duration;

use postrider::base::{Arn, Timestamp};
use postrider::topics::Error;

use crate::both_engines;
use crate::topics_bench::{Bench, bench, body, text};
use crate::topics_fifo::{bodies, fifo_queue, message};

const ARCHIVED: (&str, &str) = ("ArchivePolicy", r#"{"MessageRetentionPeriod":"7"}"#);
const FIFO: &[(&str, &str)] = &[("FifoTopic", "true"), ("ContentBasedDeduplication", "true"), ARCHIVED];
const RAW: (&str, &str) = ("RawMessageDelivery", "true");

fn from(at: Timestamp) -> String {
    format!(r#"{{"PointType":"Timestamp","StartingPoint":"{}"}}"#, at.iso_millis())
}

fn span(from: Timestamp, until: Timestamp) -> String {
    format!(
        r#"{{"PointType":"Timestamp","StartingPoint":"{}","EndingPoint":"{}"}}"#,
        from.iso_millis(),
        until.iso_millis()
    )
}

async fn publish(b: &Bench, topic: &Arn, texts: impl IntoIterator<Item = String>) {
    for text in texts {
        b.topics.publish(topic, message("g", &text)).await.expect("published");
    }
}

async fn status(b: &Bench, subscription: &Arn) -> Option<String> {
    b.topics.subscription_attributes(subscription).await.expect("there").remove("ReplayStatus")
}

fn numbered(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("m{n}")).collect()
}

both_engines! {
    async fn a_new_subscription_gets_what_was_published_before_and_then_what_comes(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t.fifo", FIFO).await;
        publish(&b, &topic, numbered(0, 3)).await;
        b.clock.advance(Duration::from_secs(60));
        let since = b.clock.now();
        publish(&b, &topic, numbered(3, 120)).await;
        let (old, late) = (fifo_queue(&b, "late.fifo").await, b.queue("late").await);
        let replay = from(since);
        let attributes = [RAW, ("ReplayPolicy", replay.as_str())];
        let first = b.subscribe(&topic, "sqs", &old, &attributes).await;
        let second = b.subscribe(&topic, "sqs", &late, &[("ReplayPolicy", replay.as_str())]).await;
        assert_eq!(status(&b, &first).await.as_deref(), Some("Pending"));
        // What is published meanwhile waits for its turn.
        publish(&b, &topic, numbered(120, 122)).await;
        assert!(bodies(&b, "late.fifo").await.is_empty());
        while b.topics.replay_round().await.expect("a round") > 0 {}
        assert_eq!(status(&b, &first).await.as_deref(), Some("Completed"));
        publish(&b, &topic, numbered(122, 124)).await;
        let mut got = Vec::new();
        loop {
            let some = b.received("late.fifo").await;
            if some.is_empty() {
                break;
            }
            let handles = some.iter().map(|m| m.receipt_handle.clone()).collect();
            b.queues.delete_messages(&b.scope, "late.fifo", handles).await.expect("deleted");
            let replayed = |m: &postrider::queues::Received| m.attributes.contains_key("Replayed");
            got.extend(some.into_iter().map(|m| (replayed(&m), m.body)));
        }
        let texts: Vec<String> = got.iter().map(|(_, body)| body.clone()).collect();
        assert_eq!(texts, numbered(3, 124));
        assert!(got.iter().all(|(replayed, body)| *replayed != ["m122", "m123"].contains(&body.as_str())));
        let envelope = body(&b.received("late").await[0]);
        assert_eq!((text(&envelope, "Replayed"), text(&envelope, "Timestamp")), ("true", since.iso_millis().as_str()));
        assert_eq!(status(&b, &second).await.as_deref(), Some("Completed"));
    }

    async fn a_replay_with_an_end_stays_at_its_end(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t.fifo", FIFO).await;
        let queue = b.queue("q").await;
        let (begin, end) = (b.clock.now(), b.clock.now() + Duration::from_secs(30));
        publish(&b, &topic, numbered(0, 2)).await;
        let policy = span(begin, end);
        let subscription = b.subscribe(&topic, "sqs", &queue, &[RAW, ("ReplayPolicy", &policy)]).await;
        while b.topics.replay_round().await.expect("a round") > 0 {}
        assert_eq!(status(&b, &subscription).await.as_deref(), Some("In progress"));
        b.clock.advance(Duration::from_secs(20));
        publish(&b, &topic, numbered(2, 3)).await;
        b.clock.advance(Duration::from_secs(20));
        publish(&b, &topic, numbered(3, 4)).await;
        while b.topics.replay_round().await.expect("a round") > 0 {}
        assert_eq!(bodies(&b, "q").await, numbered(0, 3));
        assert_eq!(status(&b, &subscription).await.as_deref(), Some("Completed"));
        publish(&b, &topic, numbered(4, 5)).await;
        assert!(bodies(&b, "q").await.is_empty());
        // A filter counts in a replay too; the policy taken away, what is published now is delivered.
        let set = async |name: &str, value: &str| b.topics.set_subscription_attribute(&subscription, name, value).await;
        set("FilterPolicyScope", "MessageBody").await.expect("set");
        set("FilterPolicy", r#"{"a":[1]}"#).await.expect("set");
        set("ReplayPolicy", &from(begin)).await.expect("set");
        while b.topics.replay_round().await.expect("a round") > 0 {}
        assert!(bodies(&b, "q").await.is_empty());
        set("FilterPolicy", "").await.expect("set");
        set("ReplayPolicy", "").await.expect("set");
        assert_eq!(status(&b, &subscription).await, None);
        publish(&b, &topic, numbered(5, 6)).await;
        assert_eq!(bodies(&b, "q").await, numbered(5, 6));
    }

    async fn a_standard_topic_replays_signed_messages(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[ARCHIVED]).await;
        let begin = b.clock.now();
        let id = b.publish(&topic, "hello").await;
        let queue = b.queue("q").await;
        b.subscribe(&topic, "sqs", &queue, &[("ReplayPolicy", &from(begin))]).await;
        while b.topics.replay_round().await.expect("a round") > 0 {}
        let envelope = body(&b.received("q").await[0]);
        assert_eq!((text(&envelope, "MessageId"), text(&envelope, "Replayed")), (id.as_str(), "true"));
        assert!(b.verify(&envelope).await);
    }

    async fn an_archive_has_its_rules(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t.fifo", FIFO).await;
        let plain = b.topic("plain", &[]).await;
        let queue = b.queue("q").await;
        let policy = from(b.clock.now());
        let refused = b.topics.subscribe(b.wish(&plain, "sqs", &queue, &[("ReplayPolicy", &policy)])).await;
        assert!(matches!(refused, Err(Error::AttributeValue("ReplayPolicy", _))));
        let begin = b.clock.now();
        publish(&b, &topic, numbered(0, 1)).await;
        b.clock.advance(Duration::from_secs(8 * 86_400));
        publish(&b, &topic, numbered(1, 2)).await;
        let since = b.topics.attributes(&topic).await.expect("there").remove("BeginningArchiveTime");
        assert_eq!(since, Some((b.clock.now() - Duration::from_secs(7 * 86_400)).iso_millis()));
        while b.topics.sweep().await.expect("swept") > 0 {}
        let policy = from(begin);
        let subscription = b.subscribe(&topic, "sqs", &queue, &[RAW, ("ReplayPolicy", &policy)]).await;
        assert!(matches!(b.topics.delete(&topic).await, Err(Error::Archived)));
        while b.topics.replay_round().await.expect("a round") > 0 {}
        assert_eq!(bodies(&b, "q").await, numbered(1, 2));
        // A replay ends with the archive.
        b.topics.set_subscription_attribute(&subscription, "ReplayPolicy", &policy).await.expect("set");
        b.topics.set_attribute(&topic, "ArchivePolicy", "{}").await.expect("set");
        assert_eq!(status(&b, &subscription).await.as_deref(), Some("Failed"));
        publish(&b, &topic, numbered(2, 3)).await;
        assert_eq!(bodies(&b, "q").await, numbered(2, 3));
        b.topics.delete(&topic).await.expect("deleted");
        while b.topics.sweep().await.expect("swept") > 0 {}
    }
}
