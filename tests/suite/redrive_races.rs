//! Dead letters under races: many consumers at once on two nodes, who hide nothing or for a moment, take random numbers of
//! messages until all are dead. However they meet, each message is given out as often as it may be, with each count once, and
//! then stands in the dead-letter queue once. The seed is printed.
use std::collections::BTreeMap;

use postrider::base::Clock;
use postrider::queues::{Outgoing, Queues, Receive, Received};
use postrider::store::Store;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::both_engines;
use crate::queue_bench::{QueueBench, grouped, ordered};

/// What kind of queue it is.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    /// A standard queue, some of whose messages are in groups.
    Groups,
    Fifo,
}

fn message(kind: Kind, n: usize) -> Outgoing {
    let (body, group) = (n.to_string(), format!("g{}", n % 3));
    match kind {
        Kind::Groups if n.is_multiple_of(4) => Outgoing { body, ..Outgoing::default() },
        Kind::Plain => Outgoing { body, ..Outgoing::default() },
        Kind::Groups => grouped(&group, &body),
        Kind::Fifo => ordered(&group, &body, &body),
    }
}

/// Counts by body, in the order of receiving.
type Counts = BTreeMap<String, Vec<u32>>;

fn note(counts: &mut Counts, got: Vec<Received>) {
    for message in got {
        counts.entry(message.body).or_default().push(message.receive_count);
    }
}

struct Race<'a> {
    nodes: [Queues; 2],
    bench: &'a QueueBench,
    seed: u64,
}

impl Race<'_> {
    /// Consumers that receive from a queue all at once, each until it has found nothing a few times. They take away what they
    /// get, or not.
    async fn consume(&self, name: &str, round: u64, hidden: &[i64], delete: bool) -> Counts {
        let consumers = (0..6_u64).map(|n| async move {
            let mut random = StdRng::seed_from_u64(self.seed ^ (round << 8) ^ n);
            let (mut counts, mut nothing) = (Counts::new(), 0);
            while nothing < 3 {
                let wanted = Receive {
                    count_max: Some(random.random_range(1..=10)),
                    visibility_timeout: Some(hidden[random.random_range(0..hidden.len())]),
                    ..Receive::default()
                };
                let node = &self.nodes[random.random_range(0..2)];
                let got = node.receive(&self.bench.scope, name, wanted).await.expect("answers");
                nothing = if got.is_empty() { nothing + 1 } else { 0 };
                if delete && !got.is_empty() {
                    let handles = got.iter().map(|m| m.receipt_handle.clone()).collect();
                    let gone = node.delete_messages(&self.bench.scope, name, handles).await.expect("answers");
                    assert!(gone.iter().all(Result::is_ok), "{gone:?}");
                }
                note(&mut counts, got);
                tokio::task::yield_now().await;
            }
            counts
        });
        let mut all = Counts::new();
        for counts in futures::future::join_all(consumers).await {
            counts.into_iter().for_each(|(body, some)| all.entry(body).or_default().extend(some));
        }
        all
    }
}

async fn race(b: &QueueBench, nodes: [Queues; 2], kind: Kind, seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let (count, max) = (random.random_range(1..30_usize), random.random_range(1..=4_u32));
    let suffix = if matches!(kind, Kind::Fifo) { ".fifo" } else { "" };
    let [work, dead] = ["work", "dead"].map(|name| format!("{name}-{kind:?}{suffix}"));
    let policy =
        format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{dead}","maxReceiveCount":{max}}}"#);
    let fifo: &[(&str, &str)] = if suffix.is_empty() { &[] } else { &[("FifoQueue", "true")] };
    b.create(&dead, fifo).await;
    b.create(&work, &[fifo, &[("RedrivePolicy", &policy)]].concat()).await;
    for n in 0..count {
        b.send(&work, message(kind, n)).await;
    }
    let race = Race { nodes, bench: b, seed };
    let (mut given, mut died) = (Counts::new(), Counts::new());
    let mut rounds = 0..60;
    while died.len() < count {
        let Some(round) = rounds.next() else { panic!("{kind:?}, up to {max}: {given:?} given, {died:?} dead") };
        // Nothing, or a moment that passes after the round.
        for (body, some) in race.consume(&work, round, &[0, 0, 0, 2], false).await {
            given.entry(body).or_default().extend(some);
        }
        for (body, some) in race.consume(&dead, round, &[3_600], true).await {
            died.entry(body).or_default().extend(some);
        }
        b.pass(3);
    }
    let bodies: Counts = (0..count).map(|n| (n.to_string(), (1..=max).collect())).collect();
    given.values_mut().for_each(|counts| counts.sort_unstable());
    assert_eq!(given, bodies, "{kind:?}: each count once, up to {max}");
    let bodies: Counts = (0..count).map(|n| (n.to_string(), vec![max + 1])).collect();
    assert_eq!(died, bodies, "{kind:?}: each in the dead-letter queue once");
}

/// A node of its own for the second half of the consumers, where there can be one.
async fn second_node(b: &QueueBench, engine: crate::engine::Engine) -> Queues {
    match engine {
        crate::engine::Engine::Sqlite => b.queues.clone(),
        crate::engine::Engine::Postgres => {
            let clock: Clock = b.clock.clone();
            Queues::new(Store::open(&b.database.database(), clock.clone()).await.expect("a second node"), clock)
        }
    }
}

both_engines! {
    async fn however_receives_meet_a_message_is_given_out_as_often_as_it_may_be(engine: Engine) {
        let b = QueueBench::new(engine).await;
        let other = second_node(&b, engine).await;
        let seed = std::env::var("POSTRIDER_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
        println!("to repeat: POSTRIDER_TEST_SEED={seed}");
        for kind in [Kind::Plain, Kind::Groups, Kind::Fifo] {
            race(&b, [b.queues.clone(), other.clone()], kind, seed).await;
        }
    }

    async fn without_its_dead_letter_queue_a_message_is_given_out_all_the_same(engine: Engine) {
        let b = QueueBench::new(engine).await;
        for (suffix, fifo) in [("", vec![]), (".fifo", vec![("FifoQueue", "true")])] {
            let [work, dead] = ["work", "dead"].map(|name| format!("{name}{suffix}"));
            let policy = format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{dead}","maxReceiveCount":1}}"#);
            b.create(&dead, &fifo).await;
            b.create(&work, &[&fifo[..], &[("RedrivePolicy", &policy), ("VisibilityTimeout", "10")]].concat()).await;
            b.send(&work, if suffix.is_empty() { message(Kind::Plain, 1) } else { message(Kind::Fifo, 1) }).await;
            b.queues.delete(&b.scope, &dead).await.expect("deleted");
            for count in 1..=3 {
                let got = b.receive(&work, 10).await;
                assert_eq!((got.len(), got[0].receive_count), (1, count), "{work}");
                assert!(b.bodies(&work, 10).await.is_empty(), "hidden as any other");
                b.pass(11);
            }
        }
    }

    async fn a_queue_may_be_its_own_dead_letter_queue(engine: Engine) {
        let b = QueueBench::new(engine).await;
        for (name, kind) in [("own", Kind::Groups), ("own.fifo", Kind::Fifo)] {
            let policy = format!(r#"{{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:{name}","maxReceiveCount":2}}"#);
            let fifo: &[(&str, &str)] = if name.ends_with(".fifo") { &[("FifoQueue", "true")] } else { &[] };
            b.create(name, &[fifo, &[("VisibilityTimeout", "1")]].concat()).await;
            let given = [("RedrivePolicy".to_owned(), policy)].into();
            b.queues.set_attributes(&b.scope, name, given).await.expect("taken");
            b.send(name, message(kind, 1)).await;
            let mut sources = vec![];
            while sources.len() < 5 {
                sources.extend(b.receive(name, 10).await.into_iter().map(|m| (m.receive_count, m.dead_letter_source.is_some())));
                b.pass(2);
            }
            assert_eq!(sources, [(1, false), (2, false), (3, true), (4, true), (5, true)], "{name}");
        }
    }

    async fn what_a_redrive_or_a_move_brings_into_a_queue_can_be_received_at_once(engine: Engine) {
        let b = QueueBench::new(engine).await;
        let dead_arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        let policy = format!(r#"{{"deadLetterTargetArn":"{dead_arn}","maxReceiveCount":1}}"#);
        b.create("dead", &[]).await;
        b.create("work", &[("RedrivePolicy", &policy), ("VisibilityTimeout", "0")]).await;
        b.create("other", &[]).await;
        // The node knows these queues as they are now, without groups.
        for name in ["dead", "other"] {
            assert!(b.bodies(name, 1).await.is_empty());
        }
        b.send("work", grouped("tenant", "x")).await;
        assert_eq!(b.bodies("work", 1).await, ["x"]);
        assert!(b.bodies("work", 1).await.is_empty());
        let wanted = Receive { visibility_timeout: Some(0), ..Receive::default() };
        assert_eq!(b.queues.receive(&b.scope, "dead", wanted).await.expect("received").len(), 1, "moved");
        let other = "arn:aws:sqs:us-east-1:000000000000:other".parse().expect("an ARN");
        b.queues.start_move(&b.scope, dead_arn.parse().expect("an ARN"), Some(other), None).await.expect("started");
        b.queues.move_round().await.expect("moved");
        assert_eq!(b.bodies("other", 1).await, ["x"]);
    }
}
