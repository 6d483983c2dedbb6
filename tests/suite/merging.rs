//! Sends, deletes and claims of many callers that share statements and commits: each caller gets what it would get alone.
use std::collections::BTreeSet;
use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use postrider::base::{Clock, Timestamp, ids};
use postrider::store::messages::{self, Claimed, Counts, NewMessage};
use postrider::store::{Error, Store, Tx};
use tokio::sync::oneshot;

use crate::both_engines;
use crate::engine::TestDatabase;

const QUEUE: i64 = 7;
const HIDDEN: Duration = Duration::from_secs(30);

struct Bench {
    store: Store,
    clock: Clock,
    _database: TestDatabase,
}

async fn bench(engine: crate::engine::Engine) -> Bench {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    Bench { store, clock, _database: database }
}

impl Bench {
    fn message(&self, body: &str) -> NewMessage {
        NewMessage {
            message_id: ids::uuid(),
            visible_at: self.clock.now(),
            group_id: None,
            deduplication_id: None,
            sender: Some("000000000000".to_owned()),
            attributes: None,
            trace_header: None,
            body: body.to_owned(),
        }
    }

    async fn send(&self, bodies: &[String]) -> Result<(), Error> {
        self.store.insert_messages(QUEUE, bodies.iter().map(|body| self.message(body)).collect()).await
    }

    async fn claim(&self, limit: u32) -> Vec<Claimed> {
        self.store.claim_messages(QUEUE, limit, HIDDEN, None, ids::nonce()).await.expect("claimed")
    }

    async fn counts(&self) -> Counts {
        messages::counts(&mut self.store.reader().await.expect("a reader"), QUEUE).await.expect("counted")
    }

    /// A change of one of five sorts, of which 1 and 2 must fail. Says whether it went well.
    async fn change(&self, n: usize) -> bool {
        let body = n.to_string();
        match n % 5 {
            0 => self.send(&[body]).await.is_ok(),
            1 => self.send(&["bad".to_owned()]).await.is_ok(),
            // A closure that is undone although all its statements went well.
            2 => self.write(self.message(&body), false).await.is_ok(),
            3 => self.write(self.message(&body), true).await.is_ok(),
            // A closure that does nothing.
            _ => self.store.write(|_| Box::pin(async { Ok::<_, Error>(()) })).await.is_ok(),
        }
    }

    async fn write(&self, message: NewMessage, keep: bool) -> Result<(), Error> {
        self.store.write(move |tx| Box::pin(async move { insert_one(tx, message, keep).await })).await
    }

    /// Has the database refuse messages with the body `bad`.
    async fn refuse_bad(&self, engine: crate::engine::Engine) {
        let rule = match engine {
            crate::engine::Engine::Sqlite => {
                "CREATE TRIGGER bad BEFORE INSERT ON messages WHEN NEW.body = 'bad' \
                 BEGIN SELECT RAISE(ABORT, 'bad'); END"
            }
            crate::engine::Engine::Postgres => "ALTER TABLE messages ADD CONSTRAINT bad CHECK (body <> 'bad')",
        };
        self.store.write(move |tx| Box::pin(async move { tx.run(rule, vec![]).await })).await.expect("refused");
    }
}

fn bodies(claimed: &[Claimed]) -> Vec<String> {
    claimed.iter().map(|message| message.body.clone()).collect()
}

async fn insert_one(tx: &mut Tx, message: NewMessage, keep: bool) -> Result<(), Error> {
    messages::insert(tx, QUEUE, &[message]).await?;
    if keep { Ok(()) } else { Err(Error::corrupt("no more of this")) }
}

both_engines! {
    async fn a_value_that_cannot_be_written_costs_itself_alone(engine: Engine) {
        let b = bench(engine).await;
        b.refuse_bad(engine).await;
        let lots: Vec<Vec<String>> = (0..120)
            .map(|n| match n % 10 {
                3 => vec![format!("first of {n}"), "bad".to_owned()],
                _ => vec![format!("{n}"), format!("{n}, again")],
            })
            .collect();
        let answers = join_all(lots.iter().map(|lot| b.send(lot))).await;
        for (lot, answer) in lots.iter().zip(&answers) {
            assert_eq!(answer.is_err(), lot.contains(&"bad".to_owned()), "{lot:?}: {answer:?}");
        }
        // Nothing of a lot that failed, and all of the others, once.
        let mut found = BTreeSet::new();
        loop {
            let claimed = b.claim(100).await;
            if claimed.is_empty() {
                break;
            }
            assert!(bodies(&claimed).into_iter().all(|body| found.insert(body)));
        }
        let wanted: BTreeSet<String> =
            lots.into_iter().filter(|lot| !lot.contains(&"bad".to_owned())).flatten().collect();
        assert_eq!(found, wanted);
    }

    async fn values_and_closures_share_commits_and_fail_apart(engine: Engine) {
        let b = bench(engine).await;
        b.refuse_bad(engine).await;
        let changes = (0..150).map(|n| b.change(n));
        for (n, fine) in join_all(changes).await.into_iter().enumerate() {
            assert_eq!(fine, !matches!(n % 5, 1 | 2), "{n}");
        }
        assert_eq!(b.counts().await, Counts { visible: 60, in_flight: 0, delayed: 0 });
    }

    async fn each_message_is_dealt_out_once_and_goes_with_its_receipt(engine: Engine) {
        let b = bench(engine).await;
        b.send(&(0..100).map(|n| n.to_string()).collect::<Vec<_>>()).await.expect("sent");
        let dealt = join_all((0..30).map(|_| b.claim(7))).await;
        assert!(dealt.iter().all(|claimed| claimed.len() <= 7));
        let mut all: Vec<Claimed> = dealt.into_iter().flatten().collect();
        assert_eq!(all.iter().map(|message| message.id).collect::<BTreeSet<_>>().len(), 100);
        assert_eq!(all.len(), 100);
        assert_eq!(b.counts().await, Counts { visible: 0, in_flight: 100, delayed: 0 });

        // With another receipt a message stays; it may be asked for twice, and in any order.
        all.sort_by_key(|message| std::cmp::Reverse(message.message_id.clone()));
        let lots = all.chunks(9).map(|lot| {
            // The upper half is the message's; the lower one is another receive's.
            let wrong = |m: &Claimed| if m.id % 4 == 0 { m.receipt ^ (1 << 32) } else { m.receipt ^ 1 };
            let once: Vec<(i64, i64)> = lot.iter().map(|m| (m.id, wrong(m))).collect();
            let twice = [once.clone(), once].concat();
            b.store.delete_messages(QUEUE, twice)
        });
        for groups in join_all(lots).await {
            assert!(groups.expect("deleted").is_empty());
        }
        let left = all.iter().filter(|m| m.id % 4 == 0).count();
        assert_eq!(b.counts().await.in_flight as usize, left);
        b.clock.advance(HIDDEN);
        assert_eq!(b.counts().await.visible as usize, left);
        assert!(b.claim(100).await.iter().all(|m| m.id % 4 == 0 && m.receive_count == 2));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_whose_caller_went_away_before_its_turn_hides_nothing() {
    let b = bench(crate::engine::Engine::Sqlite).await;
    b.send(&["x".to_owned()]).await.expect("sent");
    let (began, running) = oneshot::channel();
    let (end, ended) = oneshot::channel::<()>();
    let store = b.store.clone();
    let slow = tokio::spawn(async move {
        let work = store.write(move |_| {
            Box::pin(async move {
                let _ = began.send(());
                let _ = ended.await;
                Ok::<_, Error>(())
            })
        });
        work.await
    });
    running.await.expect("the lane is busy");
    // It waits for the lane, and then nobody waits for it.
    assert!(b.claim(10).now_or_never().is_none());
    end.send(()).expect("still busy");
    slow.await.expect("no panic").expect("written");
    assert_eq!(bodies(&b.claim(10).await), ["x"]);
}
