//! Property test of the standard queue: random calls by several consumers, clock moves and restarts, on the real store,
//! held against the reference in `sqs_reference`. A failure prints the shortest story found and the seed.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use postrider::base::{AccountId, Arn, Clock, Region, Scope, Timestamp};
use postrider::queues::{Error, Outgoing, Queues, Receive, Received};
use postrider::store::Store;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::engine::{Engine, TestDatabase};
use crate::sqs_reference::{Place, Reference, Rules, Verdict, demand};

#[derive(Clone, Debug)]
enum Op {
    /// A batch, each message with a delay of its own or the queue's.
    Send(Vec<Option<i64>>),
    Receive(Place, i64, Option<i64>),
    /// So many consumers at once, each asks for so many.
    Together(usize, i64),
    /// With one of the handles ever given out, here and below.
    Delete(usize),
    Change(usize, i64),
    Advance(u64),
    Restart,
    /// A move task from the dead-letter queue to where the messages came from, or to `work` by name.
    MoveBack(bool),
}

fn op() -> impl Strategy<Value = Op> {
    let delay = prop_oneof![3 => Just(None), 1 => (0..20i64).prop_map(Some)];
    let hidden = prop_oneof![3 => Just(None), 1 => (0..30i64).prop_map(Some)];
    let place = prop_oneof![3 => Just(Place::Work), 1 => Just(Place::Dead)];
    prop_oneof![
        5 => prop::collection::vec(delay, 1..=10).prop_map(Op::Send),
        8 => (place, 1..=10i64, hidden).prop_map(|(p, n, h)| Op::Receive(p, n, h)),
        2 => (2..5usize, 1..=10i64).prop_map(|(c, n)| Op::Together(c, n)),
        4 => any::<usize>().prop_map(Op::Delete),
        3 => (any::<usize>(), 0..40i64).prop_map(|(which, s)| Op::Change(which, s)),
        6 => (0..25u64).prop_map(Op::Advance),
        1 => Just(Op::Restart),
        1 => any::<bool>().prop_map(Op::MoveBack),
    ]
}

/// Whether there is a dead-letter queue; if not, messages expire. And what happens.
fn story() -> impl Strategy<Value = (bool, Vec<Op>)> {
    (prop::bool::weighted(0.75), prop::collection::vec(op(), 1..50))
}

struct World {
    store: Option<Store>,
    queues: Option<Queues>,
    clock: Clock,
    scope: Scope,
    database: TestDatabase,
    cases: usize,
}

impl World {
    async fn new(engine: Engine) -> Self {
        let database = TestDatabase::new(engine).await;
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let scope = Scope { account: AccountId::development(), region: Region::default_region() };
        let mut world = Self { store: None, queues: None, clock, scope, database, cases: 0 };
        world.restart().await;
        world
    }

    async fn restart(&mut self) {
        (self.queues, self.store) = (None, None);
        let store = Store::open(&self.database.database(), self.clock.clone()).await.expect("the store opens");
        self.queues = Some(Queues::new(store.clone(), self.clock.clone()));
        self.store = Some(store);
    }

    fn queues(&self) -> &Queues {
        self.queues.as_ref().expect("open between restarts")
    }

    async fn case(&mut self, dead_letters: bool, ops: &[Op]) -> Verdict {
        self.cases += 1;
        let rules = Rules {
            receives_max: dead_letters.then_some(3),
            retention: Duration::from_secs(if dead_letters { 1_209_600 } else { 60 }),
            hidden: Duration::from_secs(10),
        };
        let mut case = Case {
            names: [format!("work{}", self.cases), format!("dead{}", self.cases)],
            rules,
            sent: 0,
            reference: Reference::new(rules),
        };
        case.create(self).await;
        for (n, op) in ops.iter().enumerate() {
            let done = case.run(self, op).await;
            done.map_err(|wrong| format!("step {n}, {op:?}: {wrong}"))?;
        }
        case.end(self).await.map_err(|wrong| format!("at the end: {wrong}"))
    }
}

struct Case {
    names: [String; 2],
    rules: Rules,
    sent: usize,
    reference: Reference,
}

impl Case {
    fn name(&self, place: Place) -> &str {
        &self.names[usize::from(place == Place::Dead)]
    }

    fn arn(&self, world: &World, place: Place) -> Arn {
        Arn::new("sqs", &world.scope.region, &world.scope.account, self.name(place))
    }

    async fn create(&self, world: &World) {
        let mut attributes = BTreeMap::from([
            ("VisibilityTimeout".to_owned(), self.rules.hidden.as_secs().to_string()),
            ("MessageRetentionPeriod".to_owned(), self.rules.retention.as_secs().to_string()),
        ]);
        let make = async |name: &str, attributes: &BTreeMap<String, String>| {
            world.queues().create(&world.scope, name, attributes.clone(), BTreeMap::new()).await.expect("a queue")
        };
        make(self.name(Place::Dead), &attributes).await;
        if let Some(max) = self.rules.receives_max {
            let target = self.arn(world, Place::Dead);
            let policy = serde_json::json!({ "deadLetterTargetArn": target.to_string(), "maxReceiveCount": max });
            attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
        }
        make(self.name(Place::Work), &attributes).await;
    }

    async fn run(&mut self, world: &mut World, op: &Op) -> Verdict {
        match op {
            Op::Send(delays) => self.send(world, delays).await,
            Op::Receive(place, count, hidden) => self.receive(world, *place, 1, *count, *hidden).await.map(drop),
            Op::Together(consumers, count) => {
                self.receive(world, Place::Work, *consumers, *count, None).await.map(drop)
            }
            Op::Delete(which) => self.delete(world, *which).await,
            Op::Change(which, seconds) => self.change(world, *which, *seconds).await,
            Op::Advance(seconds) => {
                world.clock.advance(Duration::from_secs(*seconds));
                Ok(())
            }
            Op::Restart => {
                world.restart().await;
                Ok(())
            }
            Op::MoveBack(by_name) => self.move_back(world, *by_name).await,
        }?;
        self.check_counts(world).await
    }

    async fn send(&mut self, world: &World, delays: &[Option<i64>]) -> Verdict {
        let bodies: Vec<String> = (self.sent..self.sent + delays.len()).map(|n| format!("m{n}")).collect();
        self.sent += delays.len();
        let outgoing = |(body, delay): (&String, &Option<i64>)| Outgoing {
            body: body.clone(),
            delay: *delay,
            ..Outgoing::default()
        };
        let batch = bodies.iter().zip(delays).map(outgoing).collect();
        let answers =
            world.queues().send(&world.scope, self.name(Place::Work), batch).await.map_err(|e| e.to_string())?;
        let now = world.clock.now();
        for ((body, delay), sent) in bodies.into_iter().zip(delays).zip(answers) {
            let id = sent.map_err(|e| e.to_string())?.message_id;
            let delay = Duration::from_secs(delay.unwrap_or(0).unsigned_abs());
            self.reference.sent(body, id, now + delay, now);
        }
        Ok(())
    }

    async fn receive(
        &mut self,
        world: &World,
        place: Place,
        consumers: usize,
        count: i64,
        hidden: Option<i64>,
    ) -> Result<Vec<Received>, String> {
        let wanted = Receive { count_max: Some(count), visibility_timeout: hidden, ..Receive::default() };
        let receives = (0..consumers).map(|_| world.queues().receive(&world.scope, self.name(place), wanted.clone()));
        let got = futures::future::try_join_all(receives).await.map_err(|e| e.to_string())?;
        let hidden = hidden.map_or(self.rules.hidden, |s| Duration::from_secs(s.unsigned_abs()));
        let limit = usize::try_from(count).expect("small");
        self.reference.received(place, &got, limit, hidden, world.clock.now())?;
        Ok(got.into_iter().flatten().collect())
    }

    fn handle(&self, which: usize) -> Option<(Place, String, String)> {
        let handles = &self.reference.handles;
        handles.get(which.checked_rem(handles.len())?).filter(|(_, body, _)| self.reference.is_certain(body)).cloned()
    }

    async fn delete(&mut self, world: &World, which: usize) -> Verdict {
        let Some((place, body, handle)) = self.handle(which) else { return Ok(()) };
        let answers = world.queues().delete_messages(&world.scope, self.name(place), vec![handle.clone()]).await;
        let answer = answers.map_err(|e| e.to_string())?.remove(0);
        self.reference.deleted(place, &body, &handle);
        answer.map_err(|e| format!("not deleted: {e}"))
    }

    async fn change(&mut self, world: &World, which: usize, seconds: i64) -> Verdict {
        let Some((place, body, handle)) = self.handle(which) else { return Ok(()) };
        let changes = vec![(handle.clone(), seconds)];
        let answers = world.queues().change_visibility(&world.scope, self.name(place), changes).await;
        let answer = answers.map_err(|e| e.to_string())?.remove(0);
        let hidden = Duration::from_secs(seconds.unsigned_abs());
        let expected = self.reference.changed(place, &body, &handle, hidden, world.clock.now());
        match (expected, answer) {
            (Some(true) | None, Ok(())) | (Some(false) | None, Err(Error::MessageGone(_))) => Ok(()),
            (_, answer) => Err(format!("{body}: {answer:?}, expected {expected:?}")),
        }
    }

    async fn move_back(&mut self, world: &World, by_name: bool) -> Verdict {
        if self.rules.receives_max.is_none() {
            return Ok(());
        }
        // First everything that is to die dies, so that it is certain what moves.
        while self.receive(world, Place::Work, 1, 10, Some(5)).await?.len() == 10 {}
        let (dead, work) = (self.arn(world, Place::Dead), self.arn(world, Place::Work));
        let task = world.queues().start_move(&world.scope, dead.clone(), by_name.then_some(work), None).await;
        task.map_err(|e| e.to_string())?;
        world.queues().move_round().await.map_err(|e| e.to_string())?;
        self.reference.moved_back(world.clock.now());
        let tasks = world.queues().moves(&world.scope, &dead, None).await.map_err(|e| e.to_string())?;
        demand!(tasks[0].status.as_str() == "COMPLETED" && tasks[0].moved == tasks[0].to_move, "{tasks:?}");
        Ok(())
    }

    async fn check_counts(&self, world: &World) -> Verdict {
        if self.rules.receives_max.is_none() {
            return Ok(());
        }
        let mut found = [0; 3];
        for place in [Place::Work, Place::Dead] {
            let wanted = ["All".to_owned()];
            let all =
                world.queues().attributes(&world.scope, self.name(place), &wanted).await.map_err(|e| e.to_string())?;
            for (n, name) in ["", "NotVisible", "Delayed"].iter().enumerate() {
                found[n] +=
                    all[&format!("ApproximateNumberOfMessages{name}")].parse::<usize>().map_err(|e| e.to_string())?;
            }
        }
        let expected = self.reference.counts(world.clock.now());
        demand!(found == expected, "visible, in flight, delayed are {found:?}, not {expected:?}");
        Ok(())
    }

    /// Whatever is left comes, once each, and then nothing more.
    async fn end(&mut self, world: &World) -> Verdict {
        world.clock.advance(Duration::from_secs(45));
        let left = self.reference.left(world.clock.now());
        let mut came = BTreeSet::new();
        for place in [Place::Work, Place::Dead] {
            loop {
                let got = self.receive(world, place, 1, 10, None).await?;
                came.extend(got.iter().map(|m| m.body.clone()));
                if got.is_empty() {
                    break;
                }
            }
        }
        demand!(came == left, "{came:?} came, not {left:?}");
        Ok(())
    }
}

/// `POSTRIDER_MODEL_CASES` makes it longer, `POSTRIDER_MODEL_SEED` runs a failure again.
fn hold_against_the_reference(engine: Engine) {
    let from_environment = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = from_environment("POSTRIDER_MODEL_SEED").unwrap_or_else(rand::random);
    let cases = from_environment("POSTRIDER_MODEL_CASES").map_or(40, |n| u32::try_from(n).expect("fewer"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let world = tokio::sync::Mutex::new(runtime.block_on(World::new(engine)));
    let outcome = runner.run(&story(), |(dead_letters, ops)| {
        let verdict = runtime.block_on(async { world.lock().await.case(dead_letters, &ops).await });
        verdict.map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(wrong, story)) => panic!("{wrong}\nPOSTRIDER_MODEL_SEED={seed}\n{story:#?}"),
        Err(other) => panic!("{other}\nPOSTRIDER_MODEL_SEED={seed}"),
    }
}

#[test]
fn a_standard_queue_is_what_the_reference_says_on_sqlite() {
    hold_against_the_reference(Engine::Sqlite);
}

#[test]
fn a_standard_queue_is_what_the_reference_says_on_postgres() {
    hold_against_the_reference(Engine::Postgres);
}
