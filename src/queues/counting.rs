//! How many messages a queue has, found out seldom enough that it does not matter how many there are.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use crate::base::{Instant, Kept};
use crate::queues::Error;
use crate::store::Store;
use crate::store::messages::{self, Counts};

/// So many messages of a queue may be in flight (SQS developer guide, "Quotas"); AWS calls the number approximate.
pub(super) const IN_FLIGHT_MAX: u32 = 120_000;
/// What is in flight is counted that often at the most.
const RECOUNT_EVERY: Duration = Duration::from_secs(1);
/// Counts are kept so many times as long as counting took: counting never takes more than a twentieth of the time.
const KEPT_FACTOR: u32 = 20;
/// Counts of queues with fewer messages are not kept: counting them costs next to nothing.
const WORTH_KEEPING: u32 = 10_000;
/// Queues of which anything is known: those that were used last.
const QUEUES_MAX: usize = 20_000;

/// What this node knows about the numbers of messages.
pub(super) struct Counting {
    in_flight_max: u32,
    flights: Kept<i64, Arc<Mutex<Flight>>>,
    counted: Kept<i64, Arc<AsyncMutex<Counted>>>,
}

/// An estimate that is never too low on this node: the last count, and every claim since.
#[derive(Clone, Copy, Default)]
struct Flight {
    counted: u32,
    claimed_since: u32,
    counted_at: Option<Instant>,
}

#[derive(Default)]
struct Counted {
    counts: Counts,
    until: Instant,
}

impl Counting {
    pub(super) fn new(in_flight_max: u32) -> Self {
        Self { in_flight_max, flights: Kept::new(QUEUES_MAX), counted: Kept::new(QUEUES_MAX) }
    }

    /// Whether more messages of a queue may be in flight. Counts when half of what was left is used up.
    pub(super) async fn has_room(&self, store: &Store, queue_id: i64) -> Result<bool, Error> {
        let known = self.flights.get_or(&queue_id, Arc::default);
        let flight = *locked(&known);
        let left = self.in_flight_max.saturating_sub(flight.counted);
        if flight.claimed_since < left / 2 {
            return Ok(flight.counted.saturating_add(flight.claimed_since) < self.in_flight_max);
        }
        let tx = &mut store.reader().await?;
        let now = tx.instant();
        if flight.counted_at.is_some_and(|at| now.since(at) < RECOUNT_EVERY) {
            return Ok(flight.counted.saturating_add(flight.claimed_since) < self.in_flight_max);
        }
        let counted = messages::in_flight(tx, queue_id, self.in_flight_max).await?;
        *locked(&known) = Flight { counted, claimed_since: 0, counted_at: Some(now) };
        Ok(counted < self.in_flight_max)
    }

    /// Notes that messages were claimed.
    pub(super) fn claimed(&self, queue_id: i64, count: usize) {
        let known = self.flights.get_or(&queue_id, Arc::default);
        let mut flight = locked(&known);
        flight.claimed_since = flight.claimed_since.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// The approximate numbers of messages. One caller counts, and the others get what it found.
    pub(super) async fn counts(&self, store: &Store, queue_id: i64) -> Result<Counts, Error> {
        let place = self.counted.get_or(&queue_id, Arc::default);
        let mut last = place.lock().await;
        // Only who counts has a connection: those who wait would take them all.
        let tx = &mut store.reader().await?;
        let began = tx.instant();
        if last.until <= began {
            let counts = messages::counts(tx, queue_id).await?;
            let ended = tx.instant();
            let total = counts.visible.saturating_add(counts.in_flight).saturating_add(counts.delayed);
            // Who asks about a small queue right after a change sees the change.
            let until = if total < WORTH_KEEPING { began } else { ended + ended.since(began) * KEPT_FACTOR };
            *last = Counted { counts, until };
        }
        Ok(last.counts)
    }
}

fn locked(flight: &Mutex<Flight>) -> MutexGuard<'_, Flight> {
    flight.lock().unwrap_or_else(PoisonError::into_inner)
}
