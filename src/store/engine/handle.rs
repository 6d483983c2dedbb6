//! The store as others hold it: it reads here, and hands changes to the lanes.
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use crate::base::{Clock, Kept};
use crate::store::engine::dialect::Engine;
use crate::store::engine::hints::Hints;
use crate::store::engine::lanes::Doors;
use crate::store::engine::pool::Pool;
use crate::store::engine::room::Room;
use crate::store::engine::wake::Wakes;
use crate::store::vault::Vault;
use crate::store::{Error, Tx, Waiter};

/// How long to wait for a connection for reading.
const READER_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the database may take to answer who asks only whether it does.
pub(super) const PING_MAX: Duration = Duration::from_secs(2);

/// The store. Cheap to clone; every clone is the same store.
#[derive(Clone)]
pub struct Store {
    pub(in crate::store) doors: Arc<Doors>,
    pub(super) readers: Arc<Pool>,
    pub(super) pings: Arc<Pool>,
    /// Whoever waits for a reader waits here: what waits in the pool itself is large, and a thousand may wait.
    pub(super) reading: Arc<Semaphore>,
    pub(super) wakes: Arc<Wakes>,
    pub(super) clock: Clock,
    pub(super) vault: Arc<Vault>,
    pub(super) engine: Engine,
    pub(in crate::store) room: Arc<Room>,
    pub(super) hints: Option<Arc<Hints>>,
}

impl Store {
    /// Runs `work` on a connection for reading. Two queries in it may see two states of the data.
    pub async fn read<F, T, E>(&self, work: F) -> Result<T, E>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
        E: From<Error>,
    {
        work(&mut self.reader().await?).await
    }

    /// A connection for reading, for code that borrows from its caller. Give it back soon: there are only a few.
    pub async fn reader(&self) -> Result<Tx, Error> {
        let place = self.clock.timeout(READER_WAIT_MAX, self.reading.clone().acquire_owned()).await;
        let place = place.ok_or(Error::Lost)?.map_err(|_| Error::Closed)?;
        Ok(Tx::new(self.readers.connection().await?, self.clock.clone(), self.vault.clone()).at(place))
    }

    /// Asks the database for an answer, on a connection that nobody else uses.
    ///
    /// # Errors
    /// When there is none in two seconds.
    pub async fn ping(&self) -> Result<(), Error> {
        let asked = async {
            let mut tx = Tx::new(self.pings.connection().await?, self.clock.clone(), self.vault.clone());
            tx.all("SELECT 1 AS one", vec![]).await.map(drop)
        };
        self.clock.timeout(PING_MAX, asked).await.unwrap_or(Err(Error::Lost))
    }

    /// Someone who waits for messages of a queue.
    pub fn waiter(&self, queue_id: i64) -> Waiter {
        self.wakes.waiter(queue_id)
    }

    /// How often what nodes keep of settings has become stale, as far as this process has heard.
    pub fn settings_generation(&self) -> u64 {
        self.wakes.settings.generation()
    }

    /// Keeps up to `max` values that are read of kept tables. A change of one counts at once where it goes through this store, and
    /// within a second where another process makes it.
    pub fn kept<K: Hash + Eq, V: Clone>(&self, max: usize) -> Kept<K, V> {
        Kept::of_settings(self.wakes.settings.clone(), self.clock.clone(), max)
    }

    /// What opens texts that were sealed before they were written.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Whether other nodes may use the same database.
    pub fn is_shared(&self) -> bool {
        self.engine == Engine::Postgres
    }

    /// Whether another node that uses the same database is heard. One that ends is missed after some twenty seconds.
    pub fn hears_others(&self) -> bool {
        self.hints.as_ref().is_some_and(|hints| hints.hears())
    }

    /// Which engine is open.
    pub fn engine(&self) -> Engine {
        self.engine
    }
}
