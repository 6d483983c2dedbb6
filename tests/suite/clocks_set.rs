//! The wall clock is set, back and forth, while somebody waits: what lasts is reckoned by the monotonic clock.
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use postrider::base::Clock;
use postrider::queues::{Outgoing, Queues, Receive};
use postrider::store::Store;
use postrider::workers::{Claim, Finish, Job, Outcome, Pool, Stop, SystemQueue, Work, enqueue};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;

use crate::both_engines;
use crate::house::House;
use crate::queue_bench::QueueBench;

const HOUR: i64 = 3_600_000_000;
const TURN: Duration = Duration::from_millis(20);

/// Lets so many steps of time pass until `waits` ends, and sets the wall clock by `set` before each. Gives how many it took.
async fn steps<T>(clock: &Clock, step: Duration, set: i64, waits: impl Future<Output = T>) -> (u32, T) {
    let mut waits = pin!(waits);
    for passed in 0..200 {
        if let Ok(ended) = tokio::time::timeout(TURN, &mut waits).await {
            return (passed, ended);
        }
        clock.step(set);
        clock.advance(step);
    }
    panic!("it waits and waits");
}

/// Keeps each job until it is cut off.
struct Keeping(Arc<Mutex<Vec<String>>>);

impl Work for Keeping {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        self.0.lock().expect("not poisoned").push(claim.body.clone());
        Box::pin(async {
            std::future::pending::<()>().await;
            Finish::plain(Outcome::Done)
        })
    }
}

async fn add(store: &Store, body: &'static str) {
    let add = store.write(move |tx| {
        let job = Job { body: body.to_owned(), group: None, visible_at: tx.now() };
        Box::pin(async move { enqueue(tx, SystemQueue::Inbound, &[job]).await })
    });
    add.await.expect("added");
}

async fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        tokio::task::yield_now().await;
    }
}

/// Waits until every claim lasts for most of a lease.
async fn renewed(b: &QueueBench) {
    let sql = "SELECT MIN(visible_at) AS next FROM messages WHERE queue_id = -2";
    assert_eq!(SystemQueue::Inbound.id(), -2);
    for _ in 0..100_000 {
        let rows = b.store.reader().await.expect("a reader").all(sql, vec![]).await.expect("read");
        if rows[0].time("next").expect("a time") >= b.clock.now() + Duration::from_secs(50) {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("the claims are not renewed");
}

both_engines! {
    async fn a_long_poll_ends_when_its_time_is_over(engine: Engine) {
        let house = House::dev(engine).await;
        let sqs = house.sqs();
        let url = sqs.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
        for set in [-2 * HOUR, 0] {
            let poll = sqs.receive_message().queue_url(&url).wait_time_seconds(10).send();
            let (_, answer) = steps(&house.clock, Duration::from_secs(1), set, poll).await;
            assert!(answer.expect("answered").messages().is_empty());
        }
        // No time passes: who waits goes on, however far the wall clock goes.
        let mut poll = Box::pin(sqs.receive_message().queue_url(&url).wait_time_seconds(10).send());
        for _ in 0..5 {
            assert!(tokio::time::timeout(TURN, &mut poll).await.is_err(), "it waits");
            house.clock.step(2 * HOUR);
        }
        steps(&house.clock, Duration::from_secs(1), 0, poll).await.1.expect("answered");
        house.stop().await;
    }

    async fn a_message_that_becomes_visible_since_the_clock_was_set_is_given_out(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.create("q", &[("DelaySeconds", "900")]).await;
        b.send("q", Outgoing { body: "late".to_owned(), ..Outgoing::default() }).await;
        let wanted = Receive { wait: Some(20), ..Receive::default() };
        let mut poll = Box::pin(b.queues.receive(&b.scope, "q", wanted));
        assert!(tokio::time::timeout(TURN, &mut poll).await.is_err(), "it is hidden");
        b.clock.step(HOUR);
        let (passed, got) = steps(&b.clock, Duration::from_secs(1), 0, poll).await;
        let bodies: Vec<String> = got.expect("answered").into_iter().map(|m| m.body).collect();
        assert_eq!(bodies, ["late"]);
        assert!(passed <= 10, "{passed}");
    }

    async fn what_is_kept_in_memory_grows_old_also_when_the_clock_goes_back(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.create("q", &[]).await;
        let long = || Outgoing { body: "x".repeat(2_000), ..Outgoing::default() };
        b.send("q", long()).await;
        // Another node changes the queue.
        let other = Store::open(&b.database.database(), b.clock.clone()).await.expect("the store opens");
        let other = Queues::new(other, b.clock.clone());
        let max = [("MaximumMessageSize".to_owned(), "1024".to_owned())].into();
        other.set_attributes(&b.scope, "q", max).await.expect("set");
        b.clock.step(-2 * HOUR);
        b.clock.advance(Duration::from_secs(1));
        b.queues.send_one(&b.scope, "q", long()).await.expect_err("the row was read again");
    }

    async fn a_pool_goes_on_and_keeps_its_claims(engine: Engine) {
        let b = QueueBench::new(engine).await;
        let seen = Arc::new(Mutex::new(vec![]));
        let pool = |name: &str| Pool::new(b.store.clone(), b.clock.clone(), name, 10, Keeping(seen.clone()));
        let stop = Stop::new(b.clock.clone());
        add(&b.store, "a").await;
        let running = tokio::spawn(pool("node-1").run(stop.clone()));
        let has = |count: usize| seen.lock().expect("not poisoned").len() == count;
        until(|| has(1)).await;
        // Forward by less than a lease lasts: what is under way just then could not know.
        for (set, body) in [(-2 * HOUR, "b"), (30_000_000, "c"), (-HOUR, "d")] {
            b.clock.step(set);
            // The bell wakes the loop, which keeps what it holds before it claims more.
            add(&b.store, body).await;
            let count = seen.lock().expect("not poisoned").len();
            until(|| has(count + 1)).await;
        }
        assert_eq!(*seen.lock().expect("not poisoned"), ["a", "b", "c", "d"], "each once");
        for _ in 0..4 {
            b.clock.advance(Duration::from_secs(25));
            renewed(&b).await;
        }
        assert_eq!(pool("node-2").round().await.expect("a round"), 0, "they are held");
        stop.soft().cancel();
        stop.hard().cancel();
        running.await.expect("it ends");
    }

    async fn an_smtp_session_that_says_nothing_ends(engine: Engine) {
        let house = House::dev(engine).await;
        let mut session = BufReader::new(TcpStream::connect(house.smtp()).await.expect("connected"));
        let mut line = String::new();
        session.read_line(&mut line).await.expect("a greeting");
        line.clear();
        let (_, read) = steps(&house.clock, Duration::from_secs(60), -2 * HOUR, session.read_line(&mut line)).await;
        assert!(read.expect("read") > 0 && line.starts_with("421 "), "{line}");
        house.stop().await;
    }
}
