//! Groups whose jobs go nowhere now: they are claimed one at a time until one is done, or not at all for a while, so that what
//! waits costs nothing.
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Clock, Instant};
use crate::store::messages::Pace;
use crate::workers::outcome::Outcome;

/// How many of each kind are remembered. A group that is forgotten costs a claim of many, and is noted again.
const GROUPS_MAX: usize = 100_000;
/// The longest that a group is passed over: others than its own jobs may have ended its rest.
const PASSED_MAX: Duration = Duration::from_secs(10);

/// The groups of one queue, as this node has seen them.
#[derive(Default)]
pub(super) struct Slow {
    groups: Mutex<Groups>,
    /// Whether there are any: mostly there are none, and each job that is done asks.
    any: AtomicBool,
}

#[derive(Default)]
struct Groups {
    /// Those of which one job at a time is enough.
    slow: HashSet<String>,
    /// Those that are passed over, and until when.
    resting: HashMap<String, Instant>,
}

impl Slow {
    /// How many jobs of the group may be claimed.
    pub(super) fn pace(&self, group: &str, now: Instant) -> Pace {
        if !self.any.load(Ordering::Acquire) {
            return Pace::Free;
        }
        let mut groups = self.groups();
        match groups.resting.get(group) {
            Some(until) if *until > now => return Pace::Rests(until.since(now)),
            Some(_) => {
                groups.resting.remove(group);
            }
            None => {}
        }
        if groups.slow.contains(group) { Pace::Single } else { Pace::Free }
    }

    /// Notes how a job of the group ended. `as_one` says whether a group that rests does so with what is added to it
    /// meanwhile.
    pub(super) fn note(&self, group: Option<&str>, outcome: &Outcome, as_one: bool, clock: &Clock) {
        let Some(group) = group else { return };
        let rests = matches!(outcome, Outcome::Crowded(_) if as_one) || matches!(outcome, Outcome::Resting(_));
        if !rests && !self.any.load(Ordering::Acquire) {
            return;
        }
        let mut groups = self.groups();
        let Groups { slow, resting } = &mut *groups;
        match outcome {
            Outcome::Crowded(until) | Outcome::Resting(until) if as_one => {
                let now = clock.instant();
                if resting.len() >= GROUPS_MAX {
                    resting.retain(|_, until| *until > now);
                }
                if resting.len() >= GROUPS_MAX {
                    resting.clear();
                }
                let until = now + until.since(clock.now()).min(PASSED_MAX);
                let latest = resting.entry(group.to_owned()).or_insert(until);
                *latest = until.max(*latest);
            }
            Outcome::Crowded(_) | Outcome::Resting(_) | Outcome::Release => {}
            // There may be a place now where it was.
            Outcome::Done | Outcome::RetryAt(..) | Outcome::PutOff(_) | Outcome::GiveUp(_) => {
                resting.remove(group);
            }
        }
        match outcome {
            Outcome::Resting(_) => {
                if slow.len() >= GROUPS_MAX {
                    slow.clear();
                }
                if !slow.contains(group) {
                    slow.insert(group.to_owned());
                }
            }
            // A retry may be one that found nobody.
            Outcome::RetryAt(..) | Outcome::Crowded(_) | Outcome::Release => {}
            Outcome::Done | Outcome::PutOff(_) | Outcome::GiveUp(_) => {
                slow.remove(group);
            }
        }
        self.any.store(!slow.is_empty() || !resting.is_empty(), Ordering::Release);
    }

    fn groups(&self) -> MutexGuard<'_, Groups> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;
    use crate::workers::Reason;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_group_is_slow_from_a_job_that_rests_until_one_is_done() {
        let clock = Clock::manual(Timestamp::from_secs(1));
        let (slow, at) = (Slow::default(), Timestamp::from_secs(2));
        let note = |group: &str, outcome: &Outcome| slow.note(Some(group), outcome, false, &clock);
        let pace = |group: &str| slow.pace(group, clock.instant());
        note("a", &Outcome::Crowded(at));
        assert_eq!(pace("a"), Pace::Free);
        note("a", &Outcome::Resting(at));
        note("a", &Outcome::RetryAt(at, Reason::Unreachable));
        note("b", &Outcome::Done);
        assert_eq!((pace("a"), pace("b")), (Pace::Single, Pace::Free));
        note("a", &Outcome::Done);
        assert_eq!(pace("a"), Pace::Free);
        assert!(!slow.any.load(Ordering::Acquire));
    }

    #[test]
    fn a_group_that_rests_as_one_is_passed_over_until_then_or_until_one_of_its_jobs_ends() {
        let clock = Clock::manual(Timestamp::from_secs(1));
        let slow = Slow::default();
        let note = |outcome: &Outcome| slow.note(Some("a"), outcome, true, &clock);
        let pace = || slow.pace("a", clock.instant());
        note(&Outcome::Crowded(clock.now() + seconds(3)));
        note(&Outcome::Crowded(clock.now() + seconds(2)));
        assert_eq!((pace(), slow.pace("b", clock.instant())), (Pace::Rests(seconds(3)), Pace::Free));
        clock.advance(seconds(3));
        assert_eq!(pace(), Pace::Free);
        note(&Outcome::Crowded(clock.now() + seconds(100)));
        assert_eq!(pace(), Pace::Rests(PASSED_MAX), "it is looked at now and then");
        note(&Outcome::Release);
        assert_ne!(pace(), Pace::Free);
        note(&Outcome::RetryAt(clock.now(), Reason::Unreachable));
        assert_eq!(pace(), Pace::Free, "a place came free");
        note(&Outcome::Resting(clock.now() + seconds(1)));
        clock.advance(seconds(1));
        assert_eq!(pace(), Pace::Single);
    }
}
