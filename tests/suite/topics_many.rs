//! Topics with many subscriptions: the publisher does not wait for all of them, and each gets the message once.
use std::time::Duration;

use postrider::store::Error;
use postrider::topics::{Limits, Publication, Spreader};
use postrider::workers::{Compute, Pool, SystemQueue};

use crate::both_engines;
use crate::topics_bench::{Bench, Occupied, bench, body, text};
use crate::webhook::Webhook;

async fn subscribed(b: &Bench, count: usize) -> postrider::base::Arn {
    let topic = b.topic("t", &[]).await;
    for n in 0..count {
        let queue = b.queue(&format!("q{n}")).await;
        b.subscribe(&topic, "sqs", &queue, if n % 2 == 0 { &[("RawMessageDelivery", "true")] } else { &[] }).await;
    }
    topic
}

async fn count_all(b: &Bench, count: usize) -> Vec<usize> {
    let mut counts = Vec::new();
    for n in 0..count {
        counts.push(b.received(&format!("q{n}")).await.len());
    }
    counts
}

both_engines! {
    async fn a_few_get_the_message_with_the_publish_and_many_soon_after(engine: Engine) {
        let b = bench(engine).await;
        let topic = subscribed(&b, 100).await;
        b.publish(&topic, "to a few").await;
        assert_eq!(count_all(&b, 100).await, vec![1; 100]);
        // From here on a job does it, in several parts.
        for n in 100..300 {
            let queue = b.queue(&format!("q{n}")).await;
            b.subscribe(&topic, "sqs", &queue, &[]).await;
        }
        let hook = Webhook::start().await;
        b.hook(&topic, &hook, &[]).await;
        b.publish(&topic, "to many").await;
        assert_eq!(b.received("q7").await.len(), 0);
        b.round().await;
        assert_eq!(count_all(&b, 300).await, vec![1; 300]);
        assert_eq!(hook.arrived().last().map(|one| text(&one.json(), "Message").to_owned()).as_deref(), Some("to many"));
        // The same job once more, as after a crash before its end was noted, does nothing.
        b.publish(&topic, "once").await;
        let envelope = {
            b.fans.round().await.expect("a round");
            body(&b.received("q299").await[0])
        };
        assert!(b.verify(&envelope).await);
        let again = postrider::workers::Job {
            body: text(&envelope, "MessageId").to_owned(),
            group: None,
            visible_at: b.clock.now(),
        };
        let added: Result<(), postrider::store::Error> = b
            .store
            .write(move |tx| Box::pin(async move { postrider::workers::enqueue(tx, SystemQueue::FanOut, &[again]).await }))
            .await;
        added.expect("added");
        b.round().await;
        assert_eq!(count_all(&b, 300).await, [vec![1; 299], vec![0]].concat());
    }

    async fn a_fan_out_for_which_there_is_no_time_to_reckon_now_goes_on_later(engine: Engine) {
        let b = bench(engine).await;
        let topic = subscribed(&b, 101).await;
        let strict = b.queue("strict").await;
        let policy = [("FilterPolicyScope", "MessageBody"), ("FilterPolicy", r#"{"n":[1]}"#)];
        b.subscribe(&topic, "sqs", &strict, &policy).await;
        let compute = Compute::new(2);
        let topics = b.topics.with_limits(Limits::default()).with_compute(compute.clone());
        let fans = Pool::new(b.store.clone(), b.clock.clone(), "node", 4, Spreader::new(topics));
        b.publish(&topic, &format!(r#"{{"n":1,"text":"{}"}}"#, "x".repeat(60_000))).await;
        let occupied = Occupied::all_of(&compute, &b.scope.account).await;
        assert_eq!(fans.round().await.expect("a round"), 1);
        let sql = "SELECT receive_count FROM messages WHERE queue_id = -4";
        let row: Result<_, Error> = b.store.read(|tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
        let counted = row.expect("the store reads").expect("the job").int("receive_count").expect("a number");
        assert_eq!(counted, 0, "that was no attempt");
        occupied.end().await;
        b.clock.advance(Duration::from_secs(2));
        while fans.round().await.expect("a round") > 0 {}
        assert_eq!(count_all(&b, 101).await, vec![1; 101]);
        assert_eq!(b.received("strict").await.len(), 1);
    }

    async fn two_workers_on_one_fan_out_deliver_once(engine: Engine) {
        let b = bench(engine).await;
        let topic = subscribed(&b, 101).await;
        let large = Publication { message: "x".repeat(200_000), ..Publication::default() };
        let id = b.topics.publish(&topic, large).await.expect("published");
        let job = postrider::workers::Job { body: id, group: None, visible_at: b.clock.now() };
        let added: Result<(), postrider::store::Error> = b
            .store
            .write(move |tx| Box::pin(async move { postrider::workers::enqueue(tx, SystemQueue::FanOut, &[job]).await }))
            .await;
        added.expect("added");
        // One round works both jobs at once.
        assert_eq!(b.fans.round().await.expect("a round"), 2);
        while b.fans.round().await.expect("a round") > 0 {}
        assert_eq!(count_all(&b, 101).await, vec![1; 101]);
    }
}
