//! What waits for a lane: a change of any kind as a closure, or a value of a kind that many callers bring.
use std::any::Any;

use crate::store::engine::jobs::Job;
use crate::store::engine::merged::{Merge, Registered};

/// What waits for a lane.
pub(in crate::store) enum Waiting {
    Change(Box<dyn Job>),
    /// A value, and the place of its kind in the list of kinds.
    Value(usize, Box<dyn Any + Send>),
}

/// The jobs of one transaction: closures as they came, then the values of each kind as one job, in the order of `kinds`.
pub(in crate::store) fn jobs(kinds: &[Registered], waiting: impl IntoIterator<Item = Waiting>) -> Vec<Box<dyn Job>> {
    let mut jobs = vec![];
    let mut merged: Vec<Option<Box<dyn Merge>>> = kinds.iter().map(|_| None).collect();
    for one in waiting {
        match one {
            Waiting::Change(job) => jobs.push(job),
            Waiting::Value(kind, value) => {
                if let (Some(kind), Some(merged)) = (kinds.get(kind), merged.get_mut(kind)) {
                    merged.get_or_insert_with(kind.merge).add(value);
                }
            }
        }
    }
    jobs.extend(merged.into_iter().flatten().filter_map(Merge::job));
    jobs
}
