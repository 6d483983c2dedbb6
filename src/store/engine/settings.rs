//! What this process knows of changes of settings: how often they have changed, and until when every change is known.
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::base::Instant;

/// How often it is confirmed at the most that every change is known.
pub(in crate::store) const CONFIRM_EVERY: Duration = Duration::from_millis(200);

/// Whether what was read of settings is still so.
#[derive(Default)]
pub(in crate::store) struct Settings {
    /// How often a kept table was changed, as far as this process has heard.
    generation: AtomicU64,
    /// Every change that was committed before is in the generation. Microseconds of the monotonic clock.
    confirmed_at: AtomicI64,
    asked: Notify,
}

impl Settings {
    pub(in crate::store) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Notes a change.
    pub(in crate::store) fn changed(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Up to when every change of any process is known.
    pub(in crate::store) fn confirmed_at(&self) -> Instant {
        let micros = u64::try_from(self.confirmed_at.load(Ordering::Acquire)).unwrap_or(0);
        Instant::BEGINNING + Duration::from_micros(micros)
    }

    /// Notes that all that was committed before `at` is known. Call after [`Settings::changed`].
    pub(in crate::store) fn confirm(&self, at: Instant) {
        self.confirmed_at.fetch_max(at.micros(), Ordering::AcqRel);
    }

    /// Asks for a confirmation soon: something is used that was read some time ago.
    pub(in crate::store) fn ask(&self) {
        self.asked.notify_one();
    }

    /// Returns once somebody has asked for a confirmation.
    pub(in crate::store) async fn asked(&self) {
        self.asked.notified().await;
    }
}
