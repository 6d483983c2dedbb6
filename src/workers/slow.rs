//! Groups whose jobs go nowhere now: they are claimed one at a time until one is done, so that what waits costs nothing.
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::workers::outcome::Outcome;

/// How many are remembered. A group that is forgotten costs a claim of many, and is noted again.
const GROUPS_MAX: usize = 100_000;

/// The groups of one queue, as this node has seen them.
#[derive(Default)]
pub(super) struct Slow {
    groups: Mutex<HashSet<String>>,
    /// Whether there are any: mostly there are none, and each job that is done asks.
    any: AtomicBool,
}

impl Slow {
    /// Whether one job of the group at a time is enough.
    pub(super) fn has(&self, group: &str) -> bool {
        self.any.load(Ordering::Acquire) && self.groups().contains(group)
    }

    /// Notes how a job of the group ended.
    pub(super) fn note(&self, group: Option<&str>, outcome: &Outcome) {
        let Some(group) = group else { return };
        match outcome {
            Outcome::Resting(_) => {
                let mut groups = self.groups();
                if groups.len() >= GROUPS_MAX {
                    groups.clear();
                }
                if !groups.contains(group) {
                    groups.insert(group.to_owned());
                }
                self.any.store(true, Ordering::Release);
            }
            // A retry may be one that found nobody.
            Outcome::RetryAt(..) | Outcome::Crowded(_) | Outcome::Release => {}
            Outcome::Done | Outcome::PutOff(_) | Outcome::GiveUp(_) => {
                if self.any.load(Ordering::Acquire) {
                    let mut groups = self.groups();
                    groups.remove(group);
                    self.any.store(!groups.is_empty(), Ordering::Release);
                }
            }
        }
    }

    fn groups(&self) -> MutexGuard<'_, HashSet<String>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::workers::Reason;

    #[test]
    fn a_group_is_slow_from_a_job_that_rests_until_one_is_done() {
        let (slow, at) = (Slow::default(), Timestamp::from_secs(1));
        slow.note(Some("a"), &Outcome::Crowded(at));
        assert!(!slow.has("a"));
        slow.note(Some("a"), &Outcome::Resting(at));
        slow.note(Some("a"), &Outcome::RetryAt(at, Reason::Unreachable));
        slow.note(Some("b"), &Outcome::Done);
        assert!(slow.has("a") && !slow.has("b"));
        slow.note(Some("a"), &Outcome::Done);
        assert!(!slow.has("a"));
    }
}
