//! What was sent does not fill the disk for ever, and nothing goes that somebody may still need.
use std::time::Duration;

use postrider::mail::sending::Limits;
use postrider::store::captured::{self, NewCaptured};
use postrider::store::mails::{self, Attempt, AttemptOutcome, Status};
use postrider::store::{Error, Store};

use crate::both_engines;
use crate::ses_bench::bench;

const DAY: Duration = Duration::from_secs(86_400);

async fn settle(store: &Store, id: &str) {
    let id = id.to_owned();
    let settled: Result<bool, Error> = store
        .write(move |tx| {
            Box::pin(async move {
                let at = tx.now();
                let attempt = Attempt {
                    attempt: 1,
                    started_at: at,
                    finished_at: at,
                    outcome: AttemptOutcome::Delivered,
                    remote: None,
                    tls: None,
                    reply: None,
                    transcript: String::new(),
                };
                mails::insert_attempt(tx, &id, 0, &attempt).await?;
                mails::settle(tx, &id, 0, Status::Delivered, 1, None).await
            })
        })
        .await;
    assert!(settled.expect("written"));
}

async fn capture(store: &Store, id: &str) {
    let row = NewCaptured {
        mail_id: id.to_owned(),
        n: 0,
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        source: "a@x.example".to_owned(),
        recipient: "b@y.example".to_owned(),
        subject: String::new(),
        prefix: vec![],
        size: 1,
    };
    let kept: Result<(), Error> =
        store.write(move |tx| Box::pin(async move { captured::insert(tx, &row, 10).await })).await;
    kept.expect("kept");
}

both_engines! {
    async fn a_sent_mail_is_kept_as_long_as_somebody_needs_it(engine: Engine) {
        let b = bench(engine, Limits::Unlimited).await;
        b.verified("x.example").await;
        let mut ids = vec![];
        for _ in 0..3 {
            ids.push(b.send("a@x.example", &["b@y.example"]).await.expect("accepted"));
        }
        let [waiting, shown, done] = &ids[..] else { panic!("three mails") };
        settle(&b.store, shown).await;
        capture(&b.store, shown).await;
        settle(&b.store, done).await;
        let mut tx = b.store.reader().await.expect("a reader");
        let sweep = async || b.sending.sweep().await.expect("swept");

        b.clock.advance(DAY * 3);
        assert_eq!(sweep().await, 0, "too young");
        b.clock.advance(DAY);
        assert_eq!(sweep().await, 1);
        assert!(mails::raw(&mut tx, done).await.expect("read").is_none());
        for kept in [waiting, shown] {
            assert!(mails::raw(&mut tx, kept).await.expect("read").is_some());
        }
        assert!(mails::find(&mut tx, done).await.expect("read").is_some(), "its history stays");

        b.clock.advance(DAY * 30);
        assert_eq!(sweep().await, 1);
        assert!(mails::find(&mut tx, done).await.expect("read").is_none());
        assert!(mails::recipients(&mut tx, done).await.expect("read").is_empty());
        assert!(mails::attempts(&mut tx, done, 0).await.expect("read").is_empty());
        for kept in [waiting, shown] {
            assert!(mails::find(&mut tx, kept).await.expect("read").is_some());
            assert!(mails::raw(&mut tx, kept).await.expect("read").is_some());
        }
    }
}
