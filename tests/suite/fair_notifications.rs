//! Endpoints that hang cost the account that sends to them, and nobody else; and none of its messages an attempt.
use std::time::Duration;

use postrider::base::{AccountId, Arn};
use postrider::store::subscriptions::{self, Authenticated, NewSubscription, State};
use postrider::store::{self, fan_outs, topics};
use postrider::topics::{Attributes, NewTopic, Publication, Wish};
use postrider::workers::{Pool, Stop};

use crate::both_engines;
use crate::topics_bench::{Bench, bench};
use crate::webhook::Webhook;

/// As many workers as the server has.
const WORKERS: usize = 750;

fn account(n: u8) -> AccountId {
    format!("{n:012}").parse().expect("an account")
}

async fn topic_of(b: &Bench, owner: &AccountId) -> Arn {
    topic_named(b, owner, "t").await
}

async fn topic_named(b: &Bench, owner: &AccountId, name: &str) -> Arn {
    let (attributes, tags) = (Attributes::new(), Attributes::new());
    let (region, name) = (b.scope.region.clone(), name.to_owned());
    let new = NewTopic { account: owner.clone(), region, name, attributes, tags };
    b.topics.create(new).await.expect("a topic")
}

/// Subscribes so many paths of an endpoint that have confirmed. Gives the last parts of their ARNs.
async fn subscribed(b: &Bench, topic: &Arn, hook: &Webhook, count: usize, attributes: &str) -> Vec<String> {
    let (topic, hook, attributes) = (topic.clone(), hook.url("/"), attributes.to_owned());
    let made: Result<Vec<String>, store::Error> = b
        .store
        .write(move |tx| {
            Box::pin(async move {
                let row = topics::find(tx, &topic.account, &topic.region, &topic.resource).await?.expect("the topic");
                let mut made = Vec::new();
                for n in 0..count {
                    let new = NewSubscription {
                        topic_id: row.id,
                        uuid: format!("{}-{:08x}", row.id, n),
                        owner: topic.account.clone(),
                        protocol: "http",
                        endpoint: format!("{hook}{}-{n}", row.id),
                        state: State::Confirmed,
                        raw: true,
                        attributes: attributes.clone(),
                        authenticated: Authenticated::No,
                        filtered: false,
                        token: format!("{}-{n}", row.id),
                        token_expires_at: tx.now(),
                    };
                    assert!(subscriptions::insert(tx, &new).await?);
                    made.push(new.uuid);
                }
                Ok(made)
            })
        })
        .await;
    made.expect("subscribed")
}

async fn publish(b: &Bench, topic: &Arn, message: &str) -> String {
    let publication = Publication { message: message.to_owned(), ..Publication::default() };
    b.topics.publish(topic, publication).await.expect("published")
}

fn pool(b: &Bench) -> Pool {
    let poster = postrider::topics::delivery::Poster::new(b.clock.clone(), crate::topics_bench::loopback());
    let deliverer = postrider::topics::delivery::Deliverer::new(b.topics.clone(), poster.expect("a client"));
    Pool::new(b.store.clone(), b.clock.clone(), "node", WORKERS, deliverer.for_workers(WORKERS)).per_group(10)
}

/// Starts workers; their clock stands, so who had to wait for a moment would wait for ever.
fn start(b: &Bench, pool: Pool) -> Stop {
    let stop = Stop::new(b.clock.clone());
    stop.spawn("deliveries", pool.run(stop.clone()));
    stop
}

async fn end(b: &Bench, stop: Stop) {
    let end = stop.finish(Duration::ZERO);
    tokio::pin!(end);
    loop {
        tokio::select! {
            biased;
            () = &mut end => break,
            () = tokio::task::yield_now() => b.clock.advance(Duration::from_millis(100)),
        }
    }
}

/// The attempts of a subscription, oldest first: number and outcome.
async fn attempts(b: &Bench, uuid: &str) -> Vec<(u32, String)> {
    let uuid = uuid.to_owned();
    let read: Result<_, store::Error> =
        b.store.read(|tx| Box::pin(async move { store::publications::attempts(tx, &uuid, 100).await })).await;
    read.expect("attempts").into_iter().rev().map(|row| (row.attempt, row.outcome)).collect()
}

/// How many deliveries workers hold.
async fn held(b: &Bench) -> i64 {
    let sql = "SELECT COUNT(*) AS total FROM messages WHERE queue_id = -3 AND holder IS NOT NULL";
    let row: Result<_, store::Error> = b.store.read(|tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
    row.expect("the store reads").expect("a row").int("total").expect("a number")
}

/// How many deliveries are not done.
async fn jobs(b: &Bench) -> i64 {
    let sql = "SELECT COUNT(*) AS total FROM messages WHERE queue_id = -3";
    let row: Result<_, store::Error> = b.store.read(|tx| Box::pin(async move { tx.one(sql, vec![]).await })).await;
    row.expect("the store reads").expect("a row").int("total").expect("a number")
}

async fn fans(b: &Bench) {
    while b.fans.round().await.expect("a round") > 0 {}
}

both_engines! {
    async fn nobody_waits_for_another_accounts_endpoint_that_hangs(engine: Engine) {
        let b = bench(engine).await;
        let (hanging, good) = (Webhook::start().await, Webhook::start().await);
        let (of_one, of_other) = (topic_of(&b, &account(1)).await, topic_of(&b, &account(2)).await);
        subscribed(&b, &of_one, &hanging, 500, "{}").await;
        subscribed(&b, &of_other, &good, 1, "{}").await;
        hanging.hold();
        publish(&b, &of_one, "to one that hangs").await;
        fans(&b).await;
        let stop = start(&b, pool(&b));
        hanging.wait_for(10).await;
        publish(&b, &of_other, "to one that answers").await;
        assert_eq!(good.wait_for(1).await[0].body, "to one that answers");
        assert_eq!(hanging.arrived().len(), 10, "one that has not answered yet gets few places");
        end(&b, stop).await;
    }

    async fn many_dead_endpoints_of_one_account_leave_places_to_another(engine: Engine) {
        let b = bench(engine).await;
        let (one, other) = (account(1), account(2));
        let (of_one, of_other) = (topic_of(&b, &one).await, topic_of(&b, &other).await);
        let good = Webhook::start().await;
        let mut hanging = Vec::new();
        for _ in 0..40 {
            let hook = Webhook::start().await;
            hook.hold();
            hanging.push(hook);
        }
        // The name of each tells them apart: its port.
        for hook in &hanging {
            for n in 0..10 {
                let wish = b.wish(&of_one, "http", &hook.url(&format!("/{n}")), &[]);
                b.topics.subscribe(Wish { owner: one.clone(), ..wish }).await.expect("subscribed");
            }
        }
        // Their endpoints are asked to confirm, which hangs as well.
        let stop = start(&b, pool(&b));
        while hanging.iter().map(|hook| hook.arrived().len()).sum::<usize>() < 225 {
            tokio::task::yield_now().await;
        }
        subscribed(&b, &of_other, &good, 1, "{}").await;
        publish(&b, &of_other, "hello").await;
        assert_eq!(good.wait_for(1).await[0].body, "hello");
        assert_eq!(hanging.iter().map(|hook| hook.arrived().len()).sum::<usize>(), 225, "half of those for such endpoints");
        end(&b, stop).await;
    }

    async fn large_notifications_of_one_account_leave_memory_to_another(engine: Engine) {
        let b = bench(engine).await;
        let large = "x".repeat(250_000);
        let good = Webhook::start().await;
        let of_other = topic_of(&b, &account(2)).await;
        subscribed(&b, &of_other, &good, 1, "{}").await;
        let (mut hanging, mut all) = (Vec::new(), Vec::new());
        for n in 0..15 {
            let (hook, topic) = (Webhook::start().await, topic_named(&b, &account(1), &format!("t{n}")).await);
            hook.hold();
            all.extend(subscribed(&b, &topic, &hook, 10, "{}").await);
            publish(&b, &topic, &large).await;
            hanging.push(hook);
        }
        let arrived = || hanging.iter().map(Webhook::count).sum::<usize>();
        let stop = start(&b, pool(&b));
        while arrived() < 134 {
            tokio::task::yield_now().await;
        }
        publish(&b, &of_other, &large).await;
        assert_eq!(good.wait_for(1).await[0].body.len(), large.len());
        assert_eq!(arrived(), 134, "half of 64 MiB, of 150 that have places");
        // What found no room comes again, and no attempt counts.
        hanging.iter().for_each(Webhook::let_go);
        while jobs(&b).await > 16 {
            tokio::task::yield_now().await;
        }
        end(&b, stop).await;
        let pool = pool(&b);
        while jobs(&b).await > 0 {
            b.clock.advance(Duration::from_secs(1));
            pool.round().await.expect("a round");
        }
        assert_eq!(arrived(), 150, "each once");
        for uuid in &all {
            assert_eq!(attempts(&b, uuid).await, [(1, "delivered".to_owned())]);
        }
    }

    async fn questions_to_one_host_wait_for_none_of_another_account(engine: Engine) {
        let b = bench(engine).await;
        let hook = Webhook::start().await;
        hook.hold();
        for (owner, count) in [(account(1), 30), (account(2), 1)] {
            let topic = topic_of(&b, &owner).await;
            for n in 0..count {
                let wish = b.wish(&topic, "http", &hook.url(&format!("/{owner}/{n}")), &[]);
                b.topics.subscribe(Wish { owner: owner.clone(), ..wish }).await.expect("subscribed");
            }
        }
        let stop = start(&b, pool(&b));
        let asked = hook.wait_for(11).await;
        assert_eq!(asked.iter().filter(|one| one.target.starts_with("/000000000002/")).count(), 1);
        end(&b, stop).await;
    }

    async fn who_waits_for_a_place_loses_no_attempt_and_gets_each_message_once(engine: Engine) {
        let b = bench(engine).await;
        let hook = Webhook::start().await;
        let topic = topic_of(&b, &account(1)).await;
        let all = subscribed(&b, &topic, &hook, 40, "{}").await;
        let pool = pool(&b);
        hook.hold();
        publish(&b, &topic, "hello").await;
        let (worked, ()) = tokio::join!(pool.round(), async {
            hook.wait_for(10).await;
            b.clock.advance(Duration::from_secs(15));
        });
        assert_eq!(worked.expect("a round"), 40);
        hook.let_go();
        // The clock moves between the rounds only, so no answer comes too late.
        while hook.arrived().len() < 50 {
            b.clock.advance(Duration::from_secs(1));
            pool.round().await.expect("a round");
        }
        b.clock.advance(Duration::from_secs(3_600));
        assert_eq!(pool.round().await.expect("a round"), 0, "nothing is left");
        let mut tried = Vec::new();
        for uuid in &all {
            tried.push(attempts(&b, uuid).await);
        }
        let once = [(1, "delivered".to_owned())];
        let twice = [(1, "unreachable".to_owned()), (2, "delivered".to_owned())];
        assert_eq!(tried.iter().filter(|tried| **tried == once).count(), 30, "{tried:?}");
        assert_eq!(tried.iter().filter(|tried| **tried == twice).count(), 10, "{tried:?}");
    }

    async fn what_is_published_to_one_that_rests_is_not_claimed_message_by_message(engine: Engine) {
        let b = bench(engine).await;
        let hook = Webhook::start().await;
        let topic = topic_of(&b, &account(1)).await;
        let all = subscribed(&b, &topic, &hook, 1, "{}").await;
        let pool = pool(&b);
        hook.hold();
        for n in 0..10 {
            publish(&b, &topic, &format!("{n}")).await;
        }
        // Ten hang until their time is over; then the endpoint rests, and keeps four places.
        let (worked, ()) = tokio::join!(pool.round(), async {
            hook.wait_for(10).await;
            b.clock.advance(Duration::from_secs(15));
        });
        assert_eq!(worked.expect("a round"), 10);
        for n in 10..15 {
            publish(&b, &topic, &format!("{n}")).await;
        }
        let (worked, ()) = tokio::join!(pool.round(), async {
            hook.wait_for(14).await;
            while held(&b).await > 4 {
                tokio::task::yield_now().await;
            }
            let mut claimed = 0;
            for n in 15..40 {
                publish(&b, &topic, &format!("{n}")).await;
                claimed += pool.round().await.expect("a round");
            }
            assert_eq!(claimed, 0, "the fifth has found no place, and nor would these");
            b.clock.advance(Duration::from_secs(15));
        });
        assert_eq!(worked.expect("a round"), 5);
        hook.let_go();
        while jobs(&b).await > 0 {
            b.clock.advance(Duration::from_secs(1));
            pool.round().await.expect("a round");
        }
        let tried = attempts(&b, &all[0]).await;
        let delivered = |n: u32| tried.iter().filter(|one| **one == (n, "delivered".to_owned())).count();
        assert_eq!((delivered(1), delivered(2), tried.len()), (26, 14, 40 + 14), "{tried:?}");
    }

    async fn what_finds_no_place_for_23_days_is_given_up(engine: Engine) {
        let b = bench(engine).await;
        let (hook, dead) = (Webhook::start().await, b.queue("dead").await);
        let redrive = serde_json::json!({ "RedrivePolicy": format!("{{\"deadLetterTargetArn\":\"{dead}\"}}") });
        let topic = b.topic("t", &[]).await;
        subscribed(&b, &topic, &hook, 12, &redrive.to_string()).await;
        let pool = pool(&b);
        hook.hold();
        publish(&b, &topic, "hello").await;
        let round = async |arrived: usize| {
            let (worked, ()) = tokio::join!(pool.round(), async {
                hook.wait_for(arrived).await;
                b.clock.advance(Duration::from_secs(15));
            });
            worked.expect("a round")
        };
        assert_eq!(round(10).await, 12);
        b.clock.advance(Duration::from_secs(24 * 86_400));
        assert_eq!(round(14).await, 12, "four look whether it answers, all are too old to come again");
        let mut given_up = Vec::new();
        while given_up.len() < 12 {
            let some = b.received("dead").await;
            assert!(!some.is_empty(), "{given_up:?}");
            given_up.extend(some.into_iter().map(|message| message.body));
        }
        assert_eq!(given_up, vec!["hello"; 12]);
    }

    async fn fan_outs_take_turns_by_account(engine: Engine) {
        let b = bench(engine).await;
        let hook = Webhook::start().await;
        let (of_one, of_other) = (topic_of(&b, &account(1)).await, topic_of(&b, &account(2)).await);
        subscribed(&b, &of_one, &hook, 2_300, "{}").await;
        let few = subscribed(&b, &of_other, &hook, 150, "{}").await;
        let long = publish(&b, &of_one, "to many").await;
        publish(&b, &of_other, "to less").await;
        assert_eq!(b.fans.round().await.expect("a round"), 2);
        let under_way = async |id: &str| {
            let id = id.to_owned();
            let found: Result<_, store::Error> =
                b.store.read(|tx| Box::pin(async move { fan_outs::find(tx, &id).await })).await;
            found.expect("an answer").is_some()
        };
        assert!(under_way(&long).await, "its turn is over before it is done");
        fans(&b).await;
        assert!(!under_way(&long).await);
        let pool = pool(&b);
        while hook.arrived().len() < 2_450 {
            b.clock.advance(Duration::from_millis(200));
            pool.round().await.expect("a round");
        }
        for uuid in few {
            assert_eq!(attempts(&b, &uuid).await.len(), 1);
        }
        assert_eq!(hook.arrived().iter().filter(|one| one.body == "to many").count(), 2_300);
    }
}
