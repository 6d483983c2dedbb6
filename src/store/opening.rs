//! Opens the store with all kinds of values that its nouns merge.
use crate::base::Clock;
use crate::store::engine::merged::Registered;
use crate::store::engine::open::Given;
use crate::store::mail::accepted::Accepts;
use crate::store::mail::sending_use;
use crate::store::queue::merged_claims::Claims;
use crate::store::queue::merged_messages::{Deletes, Inserts};
use crate::store::queue::settled::Settles;
use crate::store::vault::Vault;
use crate::store::{Database, Error, Store};

/// The kinds of merged values, in the order in which one commit runs them: a message that is sent now can be claimed at once.
static KINDS: [Registered; 5] = [
    Registered::of::<Settles>(),
    Registered::of::<Accepts>(),
    Registered::of::<Deletes>(),
    Registered::of::<Inserts>(),
    Registered::of::<Claims>(),
];

impl Store {
    /// Opens the database without a key: what is written to it is not encrypted. For tests and benchmarks.
    pub async fn open(database: &Database, clock: Clock) -> Result<Store, Error> {
        Self::open_with(database, clock, Vault::default()).await
    }

    /// Opens the database, brings its schema up to date and starts the writer lanes. `vault` seals what is written.
    pub async fn open_with(database: &Database, clock: Clock, vault: Vault) -> Result<Store, Error> {
        Self::open_as(database, clock, vault, false).await
    }

    /// The same for a command that changes something and ends: nodes hear what it changes, and do not take it for one of them.
    pub async fn open_as_guest(database: &Database, clock: Clock, vault: Vault) -> Result<Store, Error> {
        Self::open_as(database, clock, vault, true).await
    }

    async fn open_as(database: &Database, clock: Clock, vault: Vault, guest: bool) -> Result<Store, Error> {
        let store = Self::start(database, Given { clock, vault, guest, kinds: &KINDS }).await?;
        // Another mode may have sent in between without counting.
        let forgotten = store.write(|tx| Box::pin(async move { sending_use::forget(tx, None).await })).await;
        match forgotten {
            // On a full disk a server starts all the same: messages can be received and deleted. Too much was counted then.
            Ok(_) | Err(Error::Full) => Ok(store),
            Err(error) => Err(error),
        }
    }
}
