//! Whether what was read is still so: how often it has changed, and until when every change is known.
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::base::Instant;

/// Whether what was read of settings is still so. Shared by who hears of changes and what is kept
/// ([`Kept`](crate::base::Kept)).
#[derive(Debug, Default)]
pub struct Freshness {
    /// How often a kept table was changed, as far as this process has heard.
    generation: AtomicU64,
    /// Every change that was committed before is in the generation. Microseconds of the monotonic clock.
    confirmed_at: AtomicI64,
    asked: Notify,
}

impl Freshness {
    /// Grows with each change.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Notes a change.
    pub fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Up to when every change of any process is known.
    pub fn confirmed_at(&self) -> Instant {
        let micros = u64::try_from(self.confirmed_at.load(Ordering::Acquire)).unwrap_or(0);
        Instant::BEGINNING + Duration::from_micros(micros)
    }

    /// Notes that all that was committed before `at` is known. Call after [`Freshness::changed`].
    pub fn confirm(&self, at: Instant) {
        self.confirmed_at.fetch_max(at.micros(), Ordering::AcqRel);
    }

    /// Asks for a confirmation soon: something is used that was read some time ago.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    /// Returns once somebody has asked for a confirmation.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }
}
