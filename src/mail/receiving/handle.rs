//! The door to receiving: one handle for SMTP and for the receipt rule operations, cheap to clone.
use std::sync::Arc;
use std::time::Duration;

use crate::base::{AccountId, Clock, Region};
use crate::mail::receiving::Error;
use crate::mail::receiving::known::Known;
use crate::store::inbound_mails::State;
use crate::store::{Store, inbound_mails};

/// How many old mails one sweep removes of each kind, so that it does not hold the store for long.
const SWEEP_MAX: i64 = 500;

/// Decides who receives, accepts mail, and keeps the receipt rules. The operations stand in the rooms of this part.
#[derive(Clone)]
pub struct Receiving {
    store: Store,
    clock: Clock,
    known: Arc<Known>,
}

/// Whose rule sets: one account in one region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Receiving {
    /// Makes the handle.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, known: Arc::default() }
    }

    /// Removes old mails: those whose rules ran after three days, those that failed after 14, as long as SQS keeps a
    /// message at most. One round of the ticker; gives how many were removed.
    pub async fn sweep(&self) -> Result<usize, Error> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let now = self.clock.now();
        let removed = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let done = inbound_mails::expire(tx, State::Done, now - DAY * 3, SWEEP_MAX).await?;
                    Ok::<_, Error>(done + inbound_mails::expire(tx, State::Failed, now - DAY * 14, SWEEP_MAX).await?)
                })
            })
            .await?;
        Ok(removed)
    }

    pub(in crate::mail::receiving) fn store(&self) -> &Store {
        &self.store
    }

    pub(in crate::mail::receiving) fn known(&self) -> &Known {
        &self.known
    }

    pub(in crate::mail::receiving) fn clock(&self) -> &Clock {
        &self.clock
    }
}
