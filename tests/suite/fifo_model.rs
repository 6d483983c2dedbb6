//! A FIFO queue against a model of it: random sends, receives, deletes, changes of visibility and of the delay, purges and
//! time, the seed printed.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use postrider::queues::{Error, Received};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::both_engines;
use crate::queue_bench::{QueueBench, ordered};

const Q: &str = "model.fifo";
const VISIBILITY: u64 = 30;
const STEPS: usize = 400;

/// What a message is to the model.
#[derive(Clone, Debug)]
struct Known {
    body: String,
    sent_at: u64,
    visible_at: u64,
    handle: Option<String>,
}

#[derive(Default)]
struct Model {
    now: u64,
    delay: u64,
    purged_at: Option<u64>,
    groups: BTreeMap<String, Vec<Known>>,
    /// Id and number of the first, and until when it is known.
    sent: HashMap<String, (String, Option<String>, u64)>,
    numbers: HashMap<String, Option<String>>,
    /// Handles that were given out, and for which bodies.
    handles: Vec<(String, String)>,
}

impl Model {
    /// How many messages of a group can be received now: all up to the first that is hidden.
    fn available(&self, group: &str) -> usize {
        let messages = self.groups.get(group).map_or(&[][..], Vec::as_slice);
        messages.iter().take_while(|m| m.visible_at <= self.now).count()
    }

    fn received(&mut self, got: &[Received], limit: usize) {
        let available: usize = self.groups.keys().map(|group| self.available(group).min(10)).sum();
        assert_eq!(got.len(), available.min(limit), "as many as there are");
        let lots: Vec<&[Received]> = got.chunk_by(|one, next| one.group_id == next.group_id).collect();
        let groups: BTreeSet<_> = lots.iter().map(|lot| lot[0].group_id.clone().expect("a group")).collect();
        assert_eq!(groups.len(), lots.len(), "each group in one piece");
        for (n, got) in lots.iter().enumerate() {
            let group = got[0].group_id.clone().expect("a group");
            let whole = self.available(&group).min(10);
            assert!(got.len() == whole || n + 1 == lots.len() && got.len() < whole, "{group} in full");
            let until = self.now + VISIBILITY;
            let messages = self.groups.get_mut(&group).expect("a known group");
            for (known, got) in messages.iter_mut().zip(got.iter()) {
                assert_eq!(known.body, got.body, "the order of {group}");
                known.visible_at = until;
                known.handle = Some(got.receipt_handle.clone());
                self.handles.push((got.receipt_handle.clone(), got.body.clone()));
            }
        }
    }

    /// Where the message of a handle is: still there and in flight under it; or what a delete of it must say.
    fn find(&mut self, handle: &str) -> Option<(&mut Vec<Known>, usize, bool)> {
        let now = self.now;
        self.groups.values_mut().find_map(|messages| {
            let at = messages.iter().position(|m| m.handle.as_deref() == Some(handle))?;
            let in_flight = messages[at].visible_at > now;
            Some((messages, at, in_flight))
        })
    }
}

async fn step(b: &QueueBench, model: &mut Model, random: &mut StdRng) {
    match random.random_range(0..24) {
        0..8 => {
            let (group, id) = (format!("g{}", random.random_range(0..4)), format!("d{}", random.random_range(0..60)));
            let body = format!("{id} at {}", model.now);
            let sent = b.send(Q, ordered(&group, &id, &body)).await;
            if let Some((first, number, _)) = model.sent.get(&id).filter(|(_, _, until)| *until > model.now) {
                assert_eq!((&sent.message_id, &sent.sequence_number), (first, number), "a duplicate");
                return;
            }
            let last = model.numbers.insert(group.clone(), sent.sequence_number.clone()).flatten();
            assert!(sent.sequence_number > last, "numbers grow");
            model.sent.insert(id, (sent.message_id, sent.sequence_number, model.now + 300));
            model.groups.entry(group).or_default().push(Known {
                body,
                sent_at: model.now,
                visible_at: model.now + model.delay,
                handle: None,
            });
        }
        8..13 => {
            let limit = random.random_range(1..=10);
            let got = b.receive(Q, limit).await;
            model.received(&got, limit as usize);
        }
        13..17 if !model.handles.is_empty() => {
            let (handle, _) = model.handles.swap_remove(random.random_range(0..model.handles.len()));
            let answer = b.delete(Q, &handle).await;
            match model.find(&handle) {
                Some((messages, at, true)) => {
                    messages.remove(at);
                    answer.expect("in flight");
                }
                Some((_, _, false)) => assert!(matches!(answer, Err(Error::HandleExpired(_))), "{answer:?}"),
                // Gone, or received again since.
                None => assert!(matches!(answer, Ok(()) | Err(Error::HandleExpired(_))), "{answer:?}"),
            }
        }
        17..19 if !model.handles.is_empty() => {
            let (handle, body) = model.handles[random.random_range(0..model.handles.len())].clone();
            let seconds = [0, 5, 60][random.random_range(0..3)];
            let answer = b.hide(Q, &handle, seconds as i64).await;
            let now = model.now;
            let is_there = model.groups.values().flatten().any(|m| m.body == body);
            match model.find(&handle) {
                Some((messages, at, true)) => {
                    answer.expect("in flight");
                    messages[at].visible_at = now + seconds;
                }
                _ if is_there => assert!(matches!(answer, Err(Error::HandleExpired(_))), "{answer:?}"),
                _ => assert!(matches!(answer, Err(Error::MessageGone(_))), "{answer:?}"),
            }
        }
        19 => {
            model.delay = [0, 10, 40][random.random_range(0..3)];
            let given = [("DelaySeconds".to_owned(), model.delay.to_string())].into();
            b.queues.set_attributes(&b.scope, Q, given).await.expect("set");
            for message in model.groups.values_mut().flatten().filter(|m| m.handle.is_none()) {
                message.visible_at = message.sent_at + model.delay;
            }
        }
        20 if model.purged_at.is_none_or(|at| at + 300 <= model.now) => {
            b.queues.purge(&b.scope, Q).await.expect("purged");
            model.purged_at = Some(model.now);
            model.groups.clear();
            model.sent.clear();
            // What is sent at the very time of the purge may be gone or not.
            b.pass(1);
            model.now += 1;
        }
        _ => {
            let seconds = random.random_range(1..25);
            b.pass(seconds);
            model.now += seconds;
        }
    }
}

both_engines! {
    async fn a_fifo_queue_does_what_its_model_does(engine: Engine) {
        let b = QueueBench::new(engine).await;
        b.fifo(Q, &[("VisibilityTimeout", &VISIBILITY.to_string())]).await;
        let seed = std::env::var("POSTRIDER_TEST_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
        println!("to repeat: POSTRIDER_TEST_SEED={seed}");
        let (mut model, mut random) = (Model::default(), StdRng::seed_from_u64(seed));
        for _ in 0..STEPS {
            step(&b, &mut model, &mut random).await;
        }
        // At the end, everything that was accepted and not deleted is there, in order.
        loop {
            b.pass(61);
            model.now += 61;
            let got = b.receive(Q, 10).await;
            model.received(&got, 10);
            if got.is_empty() {
                break;
            }
            for message in got {
                b.delete(Q, &message.receipt_handle).await.expect("in flight");
                let (messages, at, _) = model.find(&message.receipt_handle).expect("known");
                messages.remove(at);
            }
        }
        assert!(model.groups.values().all(Vec::is_empty));
    }
}
