//! How long a worker's claims last, and when they are renewed.
use std::time::Duration;

use crate::base::{Clock, Instant, Timestamp};

/// How long a claim is hidden from others. The loop renews the claims it holds well before that.
pub(super) const LEASE: Duration = Duration::from_secs(60);
const RENEW_EVERY: Duration = Duration::from_secs(20);

/// When the claims that this node holds are renewed.
pub(super) struct Leases {
    /// How long they have lasted, this says.
    pub(super) renew_at: Instant,
    /// They end by the wall clock, which may be set.
    given_at: Timestamp,
}

impl Leases {
    /// They were given or renewed now.
    pub(super) fn given(clock: &Clock) -> Self {
        Self { renew_at: clock.instant() + RENEW_EVERY, given_at: clock.now() }
    }

    /// Whether they are to be renewed: their time is over, or the wall clock was set.
    pub(super) fn are_due(&self, clock: &Clock) -> bool {
        let now = clock.now();
        clock.instant() >= self.renew_at || now >= self.given_at + RENEW_EVERY || now < self.given_at
    }
}
