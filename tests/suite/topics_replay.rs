//! Archives and replays: what was published comes again, in order, and then what is published now.
use std::time::Duration;

use postrider::base::{Arn, Timestamp};
use postrider::store;
use postrider::topics::{Error, Limits};
use postrider::workers::Compute;

use crate::both_engines;
use crate::topics_bench::{Bench, Occupied, bench, body, text};
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

    async fn a_replay_for_which_there_is_no_time_to_reckon_now_goes_on_later(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[ARCHIVED]).await;
        let begin = from(b.clock.now());
        // Large enough to be judged elsewhere, and not at once.
        let large = |n: usize| format!(r#"{{"n":{n},"text":"{}"}}"#, "x".repeat(60_000));
        for n in 0..3 {
            b.publish(&topic, &large(n)).await;
        }
        let (strict, open) = (b.queue("strict").await, b.queue("open").await);
        let body = ("FilterPolicyScope", "MessageBody");
        let policies = [RAW, body, ("FilterPolicy", r#"{"n":[1]}"#), ("ReplayPolicy", begin.as_str())];
        let judged = b.subscribe(&topic, "sqs", &strict, &policies).await;
        let simple = b.subscribe(&topic, "sqs", &open, &[RAW, ("ReplayPolicy", &begin)]).await;
        let compute = Compute::new(2);
        let topics = b.topics.with_limits(Limits::default()).with_compute(compute.clone());
        let occupied = Occupied::all_of(&compute, &b.scope.account).await;
        while topics.replay_round().await.expect("a round") > 0 {}
        assert_ne!(status(&b, &judged).await.as_deref(), Some("Failed"));
        assert_eq!(status(&b, &simple).await.as_deref(), Some("Completed"), "it needs no such place");
        assert_eq!((bodies(&b, "strict").await.len(), bodies(&b, "open").await.len()), (0, 3));
        occupied.end().await;
        while topics.replay_round().await.expect("a round") > 0 {}
        assert_eq!(status(&b, &judged).await.as_deref(), Some("Completed"));
        assert_eq!(bodies(&b, "strict").await, [large(1)]);
    }

    async fn a_replay_that_is_broken_stops_no_other(engine: Engine) {
        let b = bench(engine).await;
        let topic = b.topic("t", &[ARCHIVED]).await;
        let begin = from(b.clock.now());
        b.publish(&topic, "hello").await;
        let mut all = Vec::new();
        for name in ["first", "second"] {
            let queue = b.queue(name).await;
            all.push(b.subscribe(&topic, "sqs", &queue, &[RAW, ("ReplayPolicy", &begin)]).await);
        }
        let set = async |sql: &'static str| {
            let set: Result<u64, store::Error> =
                b.store.write(move |tx| Box::pin(async move { tx.run(sql, vec![]).await })).await;
            assert_eq!(set.expect("written"), 1);
        };
        set("UPDATE subscriptions SET attributes = '{' WHERE endpoint LIKE '%:first'").await;
        let told = b.topics.replay_round().await.expect_err("the operator hears of it").to_string();
        assert!(told.contains("the replay of subscription"), "{told}");
        assert_eq!((bodies(&b, "first").await, bodies(&b, "second").await), (vec![], vec!["hello".to_owned()]));
        assert_eq!(status(&b, &all[1]).await.as_deref(), Some("Completed"));
        // What was broken goes on once it is mended.
        set("UPDATE subscriptions SET attributes = (SELECT attributes FROM subscriptions WHERE endpoint LIKE '%:second') \
             WHERE endpoint LIKE '%:first'").await;
        while b.topics.replay_round().await.expect("a round") > 0 {}
        assert_eq!(bodies(&b, "first").await, ["hello"]);
        assert_eq!(status(&b, &all[0]).await.as_deref(), Some("Completed"));
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
