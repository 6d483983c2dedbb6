//! Those whom rules wait for: functions that decide, buckets, webhooks. One that let somebody wait in vain rests, so that it
//! does not hold the places of the next ones too.
use std::time::Duration;

use crate::base::{AccountId, Clock, Silence};

/// Who fails sooner costs nobody time, and is asked each time.
const LONG: Duration = Duration::from_secs(5);

/// What is known of endpoints. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Endpoints {
    clock: Clock,
    silence: Silence,
}

/// The endpoint did not answer lately, and was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it did not answer lately and was not asked")]
pub struct Rests;

impl Endpoints {
    pub(super) fn new(clock: Clock) -> Self {
        Self { silence: Silence::new(clock.clone()), clock }
    }

    /// Does `work` with the endpoint `name` of an account; what fails after a long wait makes the endpoint rest. Accounts do
    /// not learn from each other: what hangs for one may be its own doing.
    ///
    /// # Errors
    /// [`Rests`]: the work was not begun.
    pub(super) async fn ask<T, E>(
        &self,
        account: Option<&AccountId>,
        name: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<Result<T, E>, Rests> {
        let name = format!("{} {name}", account.map_or("", AccountId::as_str));
        if self.silence.rests(&name) {
            return Err(Rests);
        }
        let began = self.clock.instant();
        let done = work.await;
        match &done {
            Err(_) if self.clock.instant().since(began) >= LONG => self.silence.silent(&name),
            _ => self.silence.answered(&name),
        }
        Ok(done)
    }
}
