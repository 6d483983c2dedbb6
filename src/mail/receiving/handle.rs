//! The door to receiving: one handle for SMTP and for the receipt rule operations, cheap to clone.
use crate::base::{AccountId, Clock, Region};
use crate::store::Store;

/// Decides who receives, accepts mail, and keeps the receipt rules. The operations stand in the rooms of this part.
#[derive(Clone)]
pub struct Receiving {
    store: Store,
    clock: Clock,
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
        Self { store, clock }
    }

    pub(in crate::mail::receiving) fn store(&self) -> &Store {
        &self.store
    }

    pub(in crate::mail::receiving) fn clock(&self) -> &Clock {
        &self.clock
    }
}
