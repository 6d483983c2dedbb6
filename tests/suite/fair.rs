//! Groups that take turns: in standard queues, and in the system's own with a limit for each group; and the limits and
//! numbers of a queue.
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use postrider::base::ids;
use postrider::queues::{Error, Outgoing};
use postrider::store::messages::{self, NewMessage};
use postrider::workers::{Claim, Finish, Job, Outcome, Pool, Reason, SystemQueue, Work, enqueue};

use crate::both_engines;
use crate::queue_bench::{QueueBench, grouped};

async fn backlog(b: &QueueBench, name: &str, group: Option<&str>, count: usize) {
    let id = b.queues.get(&b.scope, name).await.expect("the queue is there").id;
    let group = group.map(str::to_owned);
    b.store
        .write(move |tx| {
            Box::pin(async move {
                let message = |n: usize| NewMessage {
                    message_id: ids::uuid(),
                    visible_at: tx.now(),
                    group_id: group.clone(),
                    deduplication_id: None,
                    sender: None,
                    attributes: None,
                    trace_header: None,
                    body: format!("backlog {n}"),
                };
                let rows: Vec<_> = (0..count).map(message).collect();
                messages::insert(tx, id, &rows).await
            })
        })
        .await
        .expect("inserted");
}

both_engines! {
    async fn a_quiet_group_does_not_wait_for_a_noisy_one(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.create("q", &[]).await;
        backlog(&b, "q", Some("noisy"), 20_000).await;
        b.pass(1);
        assert_eq!(b.receive("q", 10).await.len(), 10, "alone, a group may have all places");
        for (n, quiet) in ["a-quiet", "z-quiet"].into_iter().enumerate() {
            b.pass(n as u64);
            b.send("q", grouped(quiet, quiet)).await;
            let mut got = vec![];
            for _ in 0..2 {
                got.extend(b.bodies("q", 1).await);
            }
            assert!(got.contains(&quiet.to_owned()), "{got:?}");
        }
        // Messages without a group do not wait either, nor do others wait for them.
        backlog(&b, "q", None, 5_000).await;
        b.send("q", grouped("third", "third")).await;
        let got = b.bodies("q", 10).await;
        assert!(got.contains(&"third".to_owned()) && got.len() == 10, "{got:?}");
        b.send("q", Outgoing { body: "last".to_owned(), ..Outgoing::default() }).await;
        let counts = b.queues.attributes(&b.scope, "q", &["ApproximateNumberOfMessages".to_owned()]).await;
        assert_eq!(counts.expect("counted")["ApproximateNumberOfMessages"], (25_004 - 24).to_string());
    }

    async fn every_message_in_a_group_is_received_deleted_and_comes_back_as_any_other(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.create("q", &[("VisibilityTimeout", "30")]).await;
        for n in 0..60 {
            b.send("q", grouped(&format!("g{}", n % 25), &n.to_string())).await;
        }
        let mut first = vec![];
        while let got = b.receive("q", 7).await && !got.is_empty() {
            first.extend(got);
        }
        assert_eq!(first.iter().map(|m| &m.body).collect::<HashSet<_>>().len(), 60);
        for m in &first[..20] {
            b.delete("q", &m.receipt_handle).await.expect("deleted");
        }
        b.hide("q", &first[20].receipt_handle, 0).await.expect("in flight");
        assert_eq!(b.bodies("q", 10).await, [first[20].body.clone()]);
        b.pass(31);
        let mut again = HashSet::new();
        while let got = b.bodies("q", 10).await && !got.is_empty() {
            again.extend(got);
        }
        assert_eq!(again, first[20..].iter().map(|m| m.body.clone()).collect());
        b.queues.purge(&b.scope, "q").await.expect("purged");
        b.pass(31);
        assert!(b.bodies("q", 10).await.is_empty());
    }

    async fn no_more_than_the_limit_is_in_flight(engine: Engine) {
        let mut b = QueueBench::new(engine).await;
        b.queues = b.queues.clone().with_in_flight_max(5);
        b.create("q", &[("VisibilityTimeout", "30")]).await;
        b.fifo("q.fifo", &[]).await;
        for n in 0..8 {
            b.send("q", Outgoing { body: n.to_string(), ..Outgoing::default() }).await;
            b.send("q.fifo", crate::queue_bench::ordered(&n.to_string(), &n.to_string(), "x")).await;
        }
        let got = b.receive("q", 5).await;
        assert_eq!(got.len(), 5);
        let receive = async |name| {
            b.queues.receive(&b.scope, name, postrider::queues::Receive::default()).await.map(|got| got.len())
        };
        assert!(matches!(receive("q").await, Err(Error::OverLimit)));
        b.delete("q", &got[0].receipt_handle).await.expect("deleted");
        b.pass(2);
        assert!(matches!(receive("q").await, Ok(1)));
        assert_eq!(b.receive("q.fifo", 5).await.len(), 5);
        assert!(matches!(receive("q.fifo").await, Ok(0)), "a FIFO queue says nothing");
    }

    async fn a_dead_destination_cannot_fill_the_places_of_a_pool(engine: Engine) {
        let b = QueueBench::new(engine).await;
        let job = |group: &str, n: usize| Job { body: format!("{group} {n}"), group: Some(group.to_owned()), visible_at: b.clock.now() };
        let jobs: Vec<Job> = (0..100).map(|n| job("dead", n)).chain((0..3).map(|n| job("alive", n))).collect();
        b.store.write(move |tx| Box::pin(async move { enqueue(tx, SystemQueue::Outbound, &jobs).await })).await.expect("added");
        let work = Retrying { clock: b.clock.clone(), done: Arc::default() };
        let done = work.done.clone();
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node", 20, work).per_group(4);
        assert_eq!(pool.round().await.expect("a round"), 7, "four of the dead, all of the living");
        assert_eq!(done.lock().expect("not poisoned").len(), 3);
        assert_eq!(pool.round().await.expect("a round"), 4, "settled ones make room");
        for _ in 0..23 {
            pool.round().await.expect("a round");
        }
        assert_eq!(pool.round().await.expect("a round"), 0, "all of them wait for their retry");
        b.pass(61);
        assert_eq!(pool.round().await.expect("a round"), 4);
    }
}

/// Does what is alive; asks for a retry of what is dead.
struct Retrying {
    clock: postrider::base::Clock,
    done: Arc<Mutex<Vec<String>>>,
}

impl Work for Retrying {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Outbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            if claim.body.starts_with("dead") {
                let at = self.clock.now() + std::time::Duration::from_secs(60);
                return Finish::plain(Outcome::RetryAt(at, Reason::Unreachable));
            }
            self.done.lock().expect("not poisoned").push(claim.body.clone());
            Finish::plain(Outcome::Done)
        })
    }
}
