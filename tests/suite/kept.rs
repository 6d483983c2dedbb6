//! What nodes keep of settings: for long while it is confirmed that nothing has changed, and not a moment longer where
//! something has.
use std::time::Duration;

use postrider::base::{AccountId, Region};
use postrider::mail::sending::{Limits, SendError};
use postrider::store::{Error as StoreError, Store, identities};
use sqlx::postgres::PgListener;

use crate::both_engines;
use crate::engine::Engine as OneOf;
use crate::ses_bench::{Bench, bench};

const SENDER: &str = "ann@sender.example";

/// A sender out of the sandbox that has sent a mail.
async fn known(engine: OneOf) -> Bench {
    let b = bench(engine, Limits::Unlimited).await;
    b.limits(1_000_000, 1_000_000).await;
    b.verified("sender.example").await;
    b.send(SENDER, &["b@there.example"]).await.expect("accepted");
    b
}

impl Bench {
    async fn may_send(&self) -> bool {
        match self.send(SENDER, &["b@there.example"]).await {
            Ok(_) => true,
            Err(SendError::NotVerified { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Takes the identity away as its owner does.
async fn delete(store: &Store) {
    let deleted: Result<bool, StoreError> = store
        .write(|tx| {
            Box::pin(async move {
                identities::delete(tx, &AccountId::development(), &Region::default_region(), "sender.example").await
            })
        })
        .await;
    assert!(deleted.expect("the store works"));
}

/// The same, as nothing of ours does: nobody hears of it.
async fn spoil(store: &Store) {
    let sql = "DELETE FROM identities WHERE name = 'sender.example'";
    let done: Result<u64, StoreError> = store.write(move |tx| Box::pin(async move { tx.run(sql, vec![]).await })).await;
    assert_eq!(done.expect("the store works"), 1);
}

/// Returns once the node has said to itself what time it is, and has heard it.
async fn confirmed(b: &Bench, other: &Store, ear: &mut PgListener) {
    let until = format!("until={}", b.clock.instant().micros());
    while !ear.recv().await.expect("heard").payload().ends_with(&until) {}
    // What is said later is heard later.
    let mut waiter = b.store.waiter(7);
    let rung: Result<(), StoreError> = other
        .write(|tx| {
            Box::pin(async move {
                tx.ring(7, 1);
                Ok(())
            })
        })
        .await;
    rung.expect("the store works");
    waiter.rung().await;
}

both_engines! {
    async fn a_change_counts_at_once_where_it_is_made(engine: Engine) {
        let b = known(engine).await;
        assert!(b.may_send().await);
        delete(&b.store).await;
        assert!(!b.may_send().await);
    }

    async fn a_change_of_another_process_counts_within_a_second(engine: Engine) {
        let b = known(engine).await;
        let other = b.another_store().await;
        // Known for long, and confirmed meanwhile.
        for _ in 0..6 {
            b.clock.advance(Duration::from_millis(700));
            assert!(b.may_send().await);
        }
        delete(&other).await;
        b.clock.advance(Duration::from_secs(1));
        assert!(!b.may_send().await);
    }

    async fn what_a_node_writes_that_nobody_keeps_leaves_what_is_kept(engine: Engine) {
        let b = known(engine).await;
        let before = b.store.settings_generation();
        for _ in 0..20 {
            b.clock.advance(Duration::from_millis(250));
            assert!(b.may_send().await);
        }
        assert_eq!(b.store.settings_generation(), before);
    }

    async fn what_is_confirmed_is_kept_for_a_minute(engine: Engine) {
        let b = known(engine).await;
        let mut others = None;
        if engine == OneOf::Postgres {
            let mut ear = PgListener::connect(b.database.url()).await.expect("connected");
            ear.listen("postrider_wake").await.expect("listens");
            others = Some((ear, b.another_store().await));
        }
        spoil(&b.store).await;
        for _ in 0..8 {
            b.clock.advance(Duration::from_millis(700));
            assert!(b.may_send().await);
            if let Some((ear, other)) = &mut others {
                confirmed(&b, other, ear).await;
            }
        }
        b.clock.advance(Duration::from_secs(60));
        assert!(!b.may_send().await);
    }

    async fn what_is_not_confirmed_is_kept_for_a_second(engine: Engine) {
        let b = known(engine).await;
        spoil(&b.store).await;
        b.clock.advance(Duration::from_millis(999));
        assert!(b.may_send().await);
        b.clock.advance(Duration::from_secs(1));
        assert!(!b.may_send().await);
    }
}
