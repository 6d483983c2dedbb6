//! Mails that many callers accept, and jobs that many workers are done with, at once: each gets what it would get alone.
use futures::future::join_all;
use postrider::base::{AccountId, Clock, Region, Timestamp, ids};
use postrider::store::accepted::{Accepted, NewJob};
use postrider::store::inbound_mails::{self, InboundMail, Processed, State};
use postrider::store::messages::{self, Claim, Groups};
use postrider::store::sending_use::Charged;
use postrider::store::settled::{JobEnd, Settled};
use postrider::store::{Error, Json, Store};
use std::sync::Arc;
use std::time::Duration;

use crate::both_engines;
use crate::engine::{Engine, TestDatabase};

const QUEUE: i64 = -2;

fn mail(id: &str, raw_id: &str, at: Timestamp) -> Accepted {
    let row = InboundMail {
        id: id.to_owned(),
        raw_id: raw_id.to_owned(),
        account: AccountId::development(),
        region: Region::default_region(),
        source: None,
        recipients: Json::of(&vec![]).expect("JSON"),
        helo: "client".to_owned(),
        peer: "192.0.2.1".to_owned(),
        tls: false,
        received_at: at,
        state: State::Waiting,
        note: None,
    };
    let job = NewJob { queue_id: QUEUE, group: format!("group {}", id.len() % 3), body: id.to_owned() };
    Accepted::inbound(raw_id.to_owned(), raw_id.to_owned().into(), at, vec![row], vec![job])
}

async fn open(engine: Engine) -> (Store, Clock, TestDatabase) {
    let database = TestDatabase::new(engine).await;
    let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
    let store = Store::open(&database.database(), clock.clone()).await.expect("the store opens");
    (store, clock, database)
}

async fn state(store: &Store, id: &str) -> Option<State> {
    let mut reader = store.reader().await.expect("a reader");
    inbound_mails::find(&mut reader, id).await.expect("read").map(|mail| mail.state)
}

both_engines! {
    async fn mails_that_are_accepted_together_fail_apart(engine: Engine) {
        let (store, clock, _database) = open(engine).await;
        store.accept(mail("first", "first", clock.now())).await.expect("accepted");
        // More than one statement takes, and in the midst some whose raw message is there already.
        let names: Vec<String> = (0..130).map(|n| if n % 40 == 7 { "first".to_owned() } else { format!("m{n}") }).collect();
        let each = names.iter().enumerate().map(|(n, name)| store.accept(mail(&format!("id{n}"), name, clock.now())));
        for (n, answer) in join_all(each).await.into_iter().enumerate() {
            assert_eq!(answer.ok(), (n % 40 != 7).then_some(Charged::Fits), "{n}");
            assert_eq!(state(&store, &format!("id{n}")).await, (n % 40 != 7).then_some(State::Waiting));
        }
        let mut reader = store.reader().await.expect("a reader");
        assert_eq!(messages::counts(&mut reader, QUEUE).await.expect("counted").visible, 127);
        assert_eq!(inbound_mails::raw(&mut reader, "m3").await.expect("read"), Some(b"m3".to_vec()));
    }

    async fn a_mail_is_written_whole_or_not_at_all(engine: Engine) {
        let (store, clock, _database) = open(engine).await;
        store.accept(mail("taken", "first", clock.now())).await.expect("accepted");
        // Its raw message fits; its row does not. It is alone in its commit.
        store.accept(mail("taken", "second", clock.now())).await.expect_err("the id is taken");
        let mut reader = store.reader().await.expect("a reader");
        assert_eq!(inbound_mails::raw(&mut reader, "second").await.expect("read"), None);
        assert_eq!(messages::counts(&mut reader, QUEUE).await.expect("counted").visible, 1);
    }

    async fn jobs_that_are_settled_together_count_only_where_they_are_held(engine: Engine) {
        let (store, clock, _database) = open(engine).await;
        for n in 0..60 {
            store.accept(mail(&format!("id{n}"), &format!("id{n}"), clock.now())).await.expect("accepted");
        }
        let claimed = store
            .write(|tx| Box::pin(async move {
                let hidden_until = tx.now() + Duration::from_secs(60);
                let groups = Groups::Turns(None);
                let receipt = ids::nonce();
                let claim = Claim { queue_id: QUEUE, limit: 60, hidden_until, receipt, holder: Some("node"), groups, receives_max: None };
                messages::claim(tx, claim).await
            }))
            .await;
        let claimed = claimed.map_err(|error: Error| error).expect("claimed");
        assert_eq!(claimed.len(), 60);
        let each = claimed.iter().enumerate().map(|(n, job)| {
            let end: Arc<dyn JobEnd> = Arc::new(Processed { mail: job.body.clone(), note: format!("note {}", n % 2) });
            let receipt = if n % 5 == 0 { job.receipt ^ 1 } else { job.receipt };
            store.settle(Settled { queue_id: QUEUE, id: job.id, receipt, end: Some(end), crowded: None })
        });
        for (n, held) in join_all(each).await.into_iter().enumerate() {
            assert_eq!(held.expect("settled"), n % 5 != 0);
            let ends = if n % 5 == 0 { State::Waiting } else { State::Done };
            assert_eq!(state(&store, &claimed[n].body).await, Some(ends));
        }
        let mut reader = store.reader().await.expect("a reader");
        assert_eq!(messages::counts(&mut reader, QUEUE).await.expect("counted").in_flight, 12);
    }
}
