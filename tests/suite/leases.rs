//! The claims of workers last as long as the work does, and no longer than nobody else has them.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use postrider::base::{Timestamp, ids};
use postrider::store::Error;
use postrider::store::messages::{self, Claim, Claimed, Groups};
use postrider::workers::{self, Finish, Job, Outcome, Pool, Stop, SystemQueue, Work, enqueue};

use crate::both_engines;
use crate::queue_bench::QueueBench;

/// Not one of the sizes that statements stay prepared for, and more than one claim takes.
const JOBS: usize = 70;

/// Works on each job until it is cut off.
struct Endless(Arc<AtomicUsize>);

impl Work for Endless {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, _: &'a workers::Claim) -> BoxFuture<'a, Finish> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            std::future::pending::<()>().await;
            Finish::plain(Outcome::Done)
        })
    }
}

/// What is claimed, in the order of the store: row, receipt, and until when.
async fn claims(b: &QueueBench) -> Vec<(i64, i64, Timestamp)> {
    let sql = "SELECT id, receipt, visible_at FROM messages WHERE queue_id = -2 ORDER BY id";
    let rows = b.store.reader().await.expect("a reader").all(sql, vec![]).await.expect("read");
    let row = |row: &postrider::store::Row| Ok((row.int("id")?, row.int("receipt")?, row.time("visible_at")?));
    rows.iter().map(row).collect::<Result<_, Error>>().expect("rows")
}

/// Gives one claim back, and claims the message anew until `until`.
async fn take_over(b: &QueueBench, (id, receipt): (i64, i64), until: Timestamp) -> Claimed {
    let taken = b.store.write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            messages::release(tx, id, receipt, now, true, None).await?;
            let claim = Claim {
                queue_id: SystemQueue::Inbound.id(),
                limit: 1,
                hidden_until: until,
                receipt: ids::nonce(),
                holder: Some("another"),
                groups: Groups::Turns(None),
                receives_max: None,
            };
            messages::claim(tx, claim).await
        })
    });
    taken.await.map_err(|error: Error| error).expect("claimed").pop().expect("it was given back")
}

both_engines! {
    async fn claims_are_kept_while_work_goes_on_but_for_one_that_was_lost(engine: Engine) {
        let b = QueueBench::new(engine).await;
        let began = Arc::new(AtomicUsize::new(0));
        let jobs: Vec<Job> =
            (0..JOBS).map(|n| Job { body: n.to_string(), group: None, visible_at: b.clock.now() }).collect();
        let added = b.store.write(move |tx| Box::pin(async move { enqueue(tx, SystemQueue::Inbound, &jobs).await }));
        added.await.map_err(|error: Error| error).expect("added");
        let stop = Stop::new(b.clock.clone());
        let pool = Pool::new(b.store.clone(), b.clock.clone(), "node", JOBS, Endless(began.clone()));
        let running = tokio::spawn(pool.run(stop.clone()));
        while began.load(Ordering::Relaxed) < JOBS {
            tokio::task::yield_now().await;
        }
        let before = claims(&b).await;
        let (lost, receipt, _) = before[JOBS / 2];
        let until = b.clock.now() + Duration::from_secs(600);
        let taken = take_over(&b, (lost, receipt), until).await;
        assert_eq!(taken.id, lost);
        for _ in 0..3 {
            b.clock.advance(Duration::from_secs(25));
            let kept = b.clock.now() + Duration::from_secs(60);
            let expected: Vec<(i64, i64, Timestamp)> = before
                .iter()
                .map(|(id, receipt, _)| if *id == lost { (lost, taken.receipt, until) } else { (*id, *receipt, kept) })
                .collect();
            for _ in 0..100_000 {
                if claims(&b).await == expected {
                    break;
                }
                tokio::task::yield_now().await;
            }
            assert_eq!(claims(&b).await, expected);
        }
        stop.soft().cancel();
        stop.hard().cancel();
        running.await.expect("it ends");
        let after = claims(&b).await;
        assert_eq!(after.len(), JOBS, "what was not done is there");
        let of_another = after.into_iter().find(|(id, ..)| *id == lost);
        assert_eq!(of_another, Some((lost, taken.receipt, until)), "it is not given back by who lost it");
    }
}
