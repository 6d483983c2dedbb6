//! How many messages a queue has, found out seldom enough that it does not matter how many there are.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;

use crate::base::Instant;
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
const QUEUES_MAX: usize = 20_000;

/// What this node knows about the numbers of messages.
pub(super) struct Counting {
    in_flight_max: u32,
    flights: Mutex<HashMap<i64, Flight>>,
    kept: Mutex<HashMap<i64, Arc<AsyncMutex<Kept>>>>,
}

/// An estimate that is never too low on this node: the last count, and every claim since.
#[derive(Clone, Copy, Default)]
struct Flight {
    counted: u32,
    claimed_since: u32,
    counted_at: Option<Instant>,
}

#[derive(Default)]
struct Kept {
    counts: Counts,
    until: Instant,
}

impl Counting {
    pub(super) fn new(in_flight_max: u32) -> Self {
        Self { in_flight_max, flights: Mutex::default(), kept: Mutex::default() }
    }

    /// Whether more messages of a queue may be in flight. Counts when half of what was left is used up.
    pub(super) async fn has_room(&self, store: &Store, queue_id: i64) -> Result<bool, Error> {
        let flight = self.flight(queue_id);
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
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.insert(queue_id, Flight { counted, claimed_since: 0, counted_at: Some(now) });
        Ok(counted < self.in_flight_max)
    }

    fn flight(&self, queue_id: i64) -> Flight {
        let flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        flights.get(&queue_id).copied().unwrap_or_default()
    }

    /// Notes that messages were claimed.
    pub(super) fn claimed(&self, queue_id: i64, count: usize) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if flights.len() >= QUEUES_MAX {
            flights.clear();
        }
        let flight = flights.entry(queue_id).or_default();
        flight.claimed_since = flight.claimed_since.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// The approximate numbers of messages. One caller counts, and the others get what it found.
    pub(super) async fn counts(&self, store: &Store, queue_id: i64) -> Result<Counts, Error> {
        let place = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= QUEUES_MAX {
                kept.clear();
            }
            kept.entry(queue_id).or_default().clone()
        };
        let mut kept = place.lock().await;
        // Only who counts has a connection: those who wait would take them all.
        let tx = &mut store.reader().await?;
        let began = tx.instant();
        if kept.until <= began {
            let counts = messages::counts(tx, queue_id).await?;
            let ended = tx.instant();
            let total = counts.visible.saturating_add(counts.in_flight).saturating_add(counts.delayed);
            // Who asks about a small queue right after a change sees the change.
            let until = if total < WORTH_KEEPING { began } else { ended + ended.since(began) * KEPT_FACTOR };
            *kept = Kept { counts, until };
        }
        Ok(kept.counts)
    }
}
