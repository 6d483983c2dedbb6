//! The queue engine itself: claims, leases, dead letters, wake-ups and the workers that ride on it.
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use postrider::base::{AccountId, Clock, Region, Scope, Timestamp};
use postrider::queues::{Error, Outgoing, Queues, Receive};
use postrider::store::Store;
use postrider::workers::{Claim, Finish, Job, Outcome, Pool, Reason, Stop, SystemQueue, Work, enqueue};

use crate::both_engines;
use crate::engine::TestDatabase;

struct Bench {
    queues: Queues,
    store: Store,
    clock: Clock,
    scope: Scope,
    _database: TestDatabase,
}

async fn bench(engine: crate::engine::Engine) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    let queues = Queues::new(store.clone(), clock.clone());
    let scope = Scope { account: AccountId::development(), region: Region::default_region() };
    Bench { queues, store, clock, scope, _database: database }
}

fn attributes(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

impl Bench {
    async fn create(&self, name: &str, given: &[(&str, &str)]) {
        self.queues.create(&self.scope, name, attributes(given), BTreeMap::new()).await.expect("the queue is made");
    }

    async fn send(&self, name: &str, body: &str) {
        let message = Outgoing { body: body.to_owned(), ..Outgoing::default() };
        let sent = self.queues.send(&self.scope, name, vec![message]).await.expect("the queue is there");
        sent.into_iter().for_each(|one| drop(one.expect("the message is taken")));
    }

    async fn receive(&self, name: &str, count: i64) -> Vec<(String, String)> {
        let wanted = Receive { count_max: Some(count), ..Receive::default() };
        let got = self.queues.receive(&self.scope, name, wanted).await.expect("the queue is there");
        got.into_iter().map(|m| (m.body, m.receipt_handle)).collect()
    }

    async fn bodies(&self, name: &str, count: i64) -> Vec<String> {
        self.receive(name, count).await.into_iter().map(|(body, _)| body).collect()
    }
}

both_engines! {
    async fn nobody_waits_for_a_message_once_the_server_stops(engine: Engine) {
        let b = bench(engine).await;
        b.create("q", &[]).await;
        let wanted = Receive { wait: Some(20), ..Receive::default() };
        // The clock stands still, so only the end of the waiting can end the receive.
        let (received, ()) = tokio::join!(b.queues.receive(&b.scope, "q", wanted), async { b.queues.end_waiting() });
        assert!(received.expect("an answer").is_empty());
    }

    async fn a_received_message_is_hidden_then_comes_back_and_is_gone_once_deleted(engine: Engine) {
        let b = bench(engine).await;
        b.create("q", &[("VisibilityTimeout", "10")]).await;
        b.send("q", "one").await;
        let first = b.receive("q", 10).await;
        assert_eq!(first.len(), 1);
        assert!(b.bodies("q", 10).await.is_empty());
        b.clock.advance(Duration::from_secs(11));
        let second = b.receive("q", 10).await;
        assert_eq!(second[0].0, "one");
        // The older handle names an earlier receive of the same message.
        let deleted = b.queues.delete_messages(&b.scope, "q", vec![first[0].1.clone()]).await.expect("answers");
        assert!(deleted[0].is_ok());
        b.clock.advance(Duration::from_secs(11));
        assert!(b.bodies("q", 10).await.is_empty());
    }

    async fn messages_received_too_often_move_to_the_dead_letter_queue(engine: Engine) {
        let b = bench(engine).await;
        b.create("dead", &[]).await;
        let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead","maxReceiveCount":2}"#;
        b.create("q", &[("VisibilityTimeout", "1"), ("RedrivePolicy", policy)]).await;
        for body in ["a", "b", "c"] {
            b.send("q", body).await;
        }
        for _ in 0..2 {
            assert_eq!(b.bodies("q", 10).await.len(), 3);
            b.clock.advance(Duration::from_secs(2));
        }
        b.send("q", "fresh").await;
        assert_eq!(b.bodies("q", 3).await, ["fresh"]);
        let dead = b.queues.receive(&b.scope, "dead", Receive { count_max: Some(10), ..Receive::default() }).await;
        let dead = dead.expect("the queue is there");
        assert_eq!(dead.iter().map(|m| m.body.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(dead[0].dead_letter_source.as_deref(), Some("arn:aws:sqs:us-east-1:000000000000:q"));
    }

    async fn a_waiting_receive_wakes_for_a_send_a_delay_and_a_deadline(engine: Engine) {
        let b = bench(engine).await;
        b.create("q", &[("ReceiveMessageWaitTimeSeconds", "20"), ("VisibilityTimeout", "3600")]).await;
        let waiting = |b: &Bench| {
            let (queues, scope) = (b.queues.clone(), b.scope.clone());
            tokio::spawn(async move { queues.receive(&scope, "q", Receive::default()).await.expect("answers").len() })
        };
        let receive = waiting(&b);
        b.send("q", "now").await;
        assert_eq!(receive.await.expect("ends"), 1);

        b.send("q", "kept").await;
        let delayed = Outgoing { body: "later".to_owned(), delay: Some(5), ..Outgoing::default() };
        assert_eq!(b.bodies("q", 1).await, ["kept"]);
        let mut receive = waiting(&b);
        b.queues.send(&b.scope, "q", vec![delayed]).await.expect("sent");
        assert!(!receive.is_finished());
        b.clock.advance(Duration::from_secs(6));
        // It may have reckoned how long to sleep before the clock moved, and sleep from then on: then the clock moves once more.
        let received = loop {
            if let Ok(ended) = tokio::time::timeout(Duration::from_secs(1), &mut receive).await {
                break ended.expect("ends");
            }
            b.clock.advance(Duration::from_secs(6));
        };
        assert_eq!(received, 1);

        b.queues.purge(&b.scope, "q").await.expect("purged");
        let receive = waiting(&b);
        while !receive.is_finished() {
            b.clock.advance(Duration::from_secs(1));
            tokio::task::yield_now().await;
        }
        assert_eq!(receive.await.expect("ends"), 0);
    }

    async fn many_consumers_get_each_message_once(engine: Engine) {
        let b = bench(engine).await;
        b.create("q", &[]).await;
        for n in 0..20 {
            let batch = (0..10).map(|m| Outgoing { body: format!("{n}-{m}"), ..Outgoing::default() }).collect();
            b.queues.send(&b.scope, "q", batch).await.expect("sent");
        }
        let consumers = (0..8).map(|_| async {
            let mut got = vec![];
            loop {
                let bodies = b.bodies("q", 10).await;
                if bodies.is_empty() {
                    return got;
                }
                got.extend(bodies);
            }
        });
        let got: Vec<String> = futures::future::join_all(consumers).await.into_iter().flatten().collect();
        assert_eq!(got.len(), 200);
        assert_eq!(got.iter().collect::<HashSet<_>>().len(), 200);
    }

    async fn purge_delete_retention_and_accounts_are_kept_apart(engine: Engine) {
        let b = bench(engine).await;
        b.create("q", &[("MessageRetentionPeriod", "60")]).await;
        b.send("q", "one").await;
        b.queues.purge(&b.scope, "q").await.expect("purged");
        assert!(b.bodies("q", 10).await.is_empty());
        assert!(matches!(b.queues.purge(&b.scope, "q").await, Err(Error::PurgeInProgress(_))));

        b.send("q", "old").await;
        b.clock.advance(Duration::from_secs(61));
        assert!(b.bodies("q", 10).await.is_empty());

        let other = Scope { account: "111111111111".parse().expect("an account"), ..b.scope.clone() };
        assert!(matches!(b.queues.get(&other, "q").await, Err(Error::QueueMissing(_))));
        b.queues.delete(&b.scope, "q").await.expect("deleted");
        b.queues.sweep_deleted().await.expect("swept");
        assert!(matches!(b.queues.get(&b.scope, "q").await, Err(Error::QueueMissing(_))));
    }

    async fn a_failed_transaction_keeps_nothing_and_does_not_harm_its_neighbours(engine: Engine) {
        let b = bench(engine).await;
        b.create("q", &[]).await;
        let changes = (0..40).map(|n| {
            let (store, scope) = (b.store.clone(), b.scope.clone());
            let queues = b.queues.clone();
            async move {
                store
                    .write(move |tx| {
                        Box::pin(async move {
                            let arn = format!("arn:aws:sqs:us-east-1:{}:q", scope.account).parse().expect("an ARN");
                            let message = Outgoing { body: n.to_string(), ..Outgoing::default() };
                            queues.deliver(tx, &arn, message).await?;
                            if n % 2 == 0 { Ok(()) } else { Err(Error::NotInFlight) }
                        })
                    })
                    .await
            }
        });
        let results = futures::future::join_all(changes).await;
        assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 20);
        let mut kept = vec![];
        for _ in 0..3 {
            kept.extend(b.bodies("q", 10).await);
        }
        assert_eq!(kept.len(), 20);
        assert!(kept.iter().all(|body| body.parse::<u32>().is_ok_and(|n| n % 2 == 0)), "{kept:?}");
    }

    async fn a_worker_retries_gives_up_and_writes_its_record_only_while_it_holds_the_claim(engine: Engine) {
        let b = bench(engine).await;
        let attempts = Arc::new(AtomicU32::new(0));
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node-1", 10, Flaky { attempts: attempts.clone(), clock: b.clock.clone() });
        b.store.write(|tx| Box::pin(async move {
            let job = Job { body: "work".to_owned(), group: None, visible_at: tx.now() };
            enqueue(tx, SystemQueue::Inbound, &[job]).await
        })).await.expect("enqueued");
        assert_eq!(pool.round().await.expect("a round"), 1);
        assert_eq!(pool.round().await.expect("a round"), 0, "not before its time");
        b.clock.advance(Duration::from_secs(30));
        assert_eq!(pool.round().await.expect("a round"), 1);
        b.clock.advance(Duration::from_secs(30));
        assert_eq!(pool.round().await.expect("a round"), 1);
        b.clock.advance(Duration::from_secs(30));
        assert_eq!(pool.round().await.expect("a round"), 0, "given up");
        assert_eq!(attempts.load(Ordering::SeqCst), 3);
    }

    async fn a_worker_that_panics_costs_an_attempt_and_no_more(engine: Engine) {
        let b = bench(engine).await;
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node-1", 10, Panicking);
        b.store.write(|tx| Box::pin(async move {
            let job = Job { body: "work".to_owned(), group: None, visible_at: tx.now() };
            enqueue(tx, SystemQueue::Inbound, &[job]).await
        })).await.expect("enqueued");
        assert_eq!(pool.round().await.expect("a round"), 1);
        assert_eq!(pool.round().await.expect("a round"), 0, "it waits");
        b.clock.advance(Duration::from_secs(11));
        assert_eq!(pool.round().await.expect("a round"), 1, "it comes again");
    }

    async fn what_a_dead_node_held_is_released_without_counting(engine: Engine) {
        let b = bench(engine).await;
        b.store.write(|tx| Box::pin(async move {
            let job = Job { body: "work".to_owned(), group: None, visible_at: tx.now() };
            enqueue(tx, SystemQueue::Inbound, &[job]).await
        })).await.expect("enqueued");
        let attempts = Arc::new(AtomicU32::new(0));
        let flaky = || Flaky { attempts: attempts.clone(), clock: b.clock.clone() };
        let hanging = Pool::new(b.store.clone(), b.clock.clone(), "node-1", 10, Hanging(Arc::default()));
        let dying = tokio::spawn(async move { hanging.round().await });
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node-1", 10, flaky());
        // The hanging worker has it once nothing is left to claim; then its node dies.
        while pool.recover().await.expect("recovers") == 0 {
            tokio::task::yield_now().await;
        }
        dying.abort();
        assert_eq!(pool.round().await.expect("a round"), 1);
        assert_eq!(attempts.load(Ordering::SeqCst), 1, "the attempt of the dead node does not count");
    }
}

both_engines! {
    async fn a_claim_that_nobody_works_comes_back_when_its_lease_ends(engine: Engine) {
        let b = bench(engine).await;
        b.store.write(|tx| Box::pin(async move {
            let job = Job { body: "work".to_owned(), group: None, visible_at: tx.now() };
            enqueue(tx, SystemQueue::Inbound, &[job]).await
        })).await.expect("enqueued");
        b.create("none", &[]).await;
        // Claimed in the name of this node, but the answer never came: what a lost connection to the database does.
        let begun = Arc::new(tokio::sync::Notify::new());
        let hanging = Pool::new(b.store.clone(), b.clock.clone(), "node-1", 10, Hanging(begun.clone()));
        let claiming = tokio::spawn(async move { hanging.round().await });
        begun.notified().await;
        claiming.abort();
        let attempts = Arc::new(AtomicU32::new(0));
        let work = Flaky { attempts: attempts.clone(), clock: b.clock.clone() };
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node-1", 10, work);
        let stop = Stop::new(b.clock.clone());
        stop.spawn("pool", pool.run(stop.clone()));
        // Ten minutes, in steps in which the pool renews what it holds.
        for _ in 0..60 {
            b.clock.advance(Duration::from_secs(10));
            for _ in 0..20 {
                assert!(b.bodies("none", 1).await.is_empty(), "time for the pool");
            }
            if attempts.load(Ordering::SeqCst) > 0 {
                break;
            }
        }
        stop.soft().cancel();
        assert!(attempts.load(Ordering::SeqCst) > 0, "the job is stuck");
    }
}

/// Asks for a retry twice, then gives up. Remembers the highest attempt.
struct Flaky {
    attempts: Arc<AtomicU32>,
    clock: Clock,
}

impl Work for Flaky {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            self.attempts.store(claim.attempt, Ordering::SeqCst);
            if claim.attempt < 3 {
                Finish::plain(Outcome::RetryAt(self.clock.now() + Duration::from_secs(20), Reason::Deferred))
            } else {
                Finish::plain(Outcome::GiveUp(Reason::Exhausted))
            }
        })
    }
}

/// Never ends: a node that dies in the middle of its work.
struct Hanging(Arc<tokio::sync::Notify>);

impl Work for Hanging {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Finish> {
        self.0.notify_one();
        Box::pin(std::future::pending())
    }
}

/// Has a fault.
struct Panicking;

impl Work for Panicking {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, _: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async { panic!("a fault of this worker") })
    }
}
