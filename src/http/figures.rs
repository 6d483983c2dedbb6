//! What waits in the queues, as metrics.
use crate::base::{Clock, Timestamp};
use crate::http::exposition::{Family, Sample};
use crate::operator::Census;
use crate::operator::census::{CAP, Counted, LARGEST, SystemCount};
use crate::store::messages::Counts;

/// What is shown of the queues.
#[derive(Clone)]
pub struct Figures {
    census: Census,
    clock: Clock,
}

impl Figures {
    /// What `census` counts.
    pub fn new(census: Census, clock: Clock) -> Self {
        Self { census, clock }
    }

    /// The numbers; none while the store does not answer.
    pub(super) async fn families(&self) -> Vec<Family> {
        match self.census.look().await {
            Some(counted) => families(&counted, self.clock.now()),
            None => vec![],
        }
    }
}

fn families(counted: &Counted, now: Timestamp) -> Vec<Family> {
    let queue = |one: &SystemCount| vec![("queue", one.queue.name().to_owned())];
    let of_system = |value: &dyn Fn(&SystemCount) -> Option<f64>| -> Vec<Sample> {
        counted.system.iter().filter_map(|one| Some((queue(one), value(one)?))).collect()
    };
    let age = |one: &SystemCount| Some(one.waiting.oldest.map_or(0.0, |at| now.since(at).as_secs_f64()));
    let largest = counted.largest.iter().flat_map(|one| {
        let labels =
            vec![("account", one.account.to_string()), ("region", one.region.to_string()), ("queue", one.name.clone())];
        states(&labels, &one.counts)
    });
    vec![
        Family::new(
            "postrider_queue_jobs",
            format!(
                "Jobs in a queue of the system, by state. Counted every 10 s at the most, up to {CAP} in a queue, the oldest first."
            ),
            counted.system.iter().flat_map(|one| states(&queue(one), &one.waiting.counts)).collect(),
        ),
        Family::new(
            "postrider_queue_oldest_seconds",
            "Age of the oldest job in a queue of the system; 0 when there is none.",
            of_system(&age),
        ),
        Family::new(
            "postrider_given_up_jobs",
            format!("Jobs of a queue of the system that were given up and are kept (admin jobs), up to {CAP}."),
            of_system(&|one| Some(f64::from(one.given_up))),
        ),
        Family::new(
            "postrider_sqs_messages",
            format!(
                "Messages in the {LARGEST} largest SQS queues, by state, up to {CAP} in a queue. Where more than 200 queues have \
                 messages they are counted in turn."
            ),
            largest.collect(),
        ),
    ]
}

fn states(labels: &[(&'static str, String)], counts: &Counts) -> Vec<Sample> {
    let state = |(state, count): (&str, u32)| {
        let all = labels.iter().cloned().chain([("state", state.to_owned())]);
        (all.collect(), f64::from(count))
    };
    [("visible", counts.visible), ("in_flight", counts.in_flight), ("delayed", counts.delayed)].map(state).into()
}
