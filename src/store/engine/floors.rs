//! Where claims begin to look in PostgreSQL's index of what is visible.
//!
//! The entries of messages that were claimed or are gone stay at the front of the index until it is vacuumed, and each claim
//! would walk over all of them: the longer a queue is busy, the more. So a claim first looks from where the last one found
//! something on, and before that only if it lacks messages; now and then it looks from the beginning, since a message that
//! was committed late may stand there.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Instant, Kept, Timestamp};

/// How often a claim looks from the beginning.
const LOOK_BELOW_EVERY: Duration = Duration::from_millis(200);
/// Queues that are remembered. What is forgotten costs a longer look.
const QUEUES_MAX: usize = 10_000;

/// Where claims of each queue begin to look, on this node.
pub(in crate::store) struct Floors {
    queues: Kept<i64, Arc<Mutex<Floor>>>,
}

impl Default for Floors {
    fn default() -> Self {
        Self { queues: Kept::new(QUEUES_MAX) }
    }
}

struct Floor {
    at: Timestamp,
    looked_below: Instant,
}

impl Floors {
    /// From when on messages of a queue are looked for first.
    pub(in crate::store) fn of(&self, queue_id: i64, now: Instant) -> Timestamp {
        let Some(floor) = self.queues.get(&queue_id) else { return Timestamp::from_micros(i64::MIN) };
        let mut floor = locked(&floor);
        if now.since(floor.looked_below) >= LOOK_BELOW_EVERY {
            floor.looked_below = now;
            return Timestamp::from_micros(i64::MIN);
        }
        floor.at
    }

    /// Notes since when the first message that was found had been visible.
    pub(in crate::store) fn found(&self, queue_id: i64, at: Timestamp, now: Instant) {
        let floor = self.queues.get_or(&queue_id, || Arc::new(Mutex::new(Floor { at, looked_below: now })));
        locked(&floor).at = at;
    }
}

fn locked(floor: &Mutex<Floor>) -> MutexGuard<'_, Floor> {
    floor.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_begin_where_something_was_found_but_for_one_now_and_then() {
        let (floors, start, second) = (Floors::default(), Instant::BEGINNING, Timestamp::from_secs(1_800_000_000));
        let (first, beginning) = (second - Duration::from_secs(9), Timestamp::from_micros(i64::MIN));
        assert_eq!(floors.of(1, start), beginning);
        floors.found(1, first, start);
        assert_eq!(floors.of(1, start), first);
        assert_eq!(floors.of(2, start), beginning);
        let later = start + LOOK_BELOW_EVERY;
        assert_eq!([floors.of(1, later), floors.of(1, later)], [beginning, first]);
        floors.found(1, second, later);
        assert_eq!(floors.of(1, later), second);
    }
}
