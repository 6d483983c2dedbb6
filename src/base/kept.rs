//! Values that were read or worked out, and are kept: so many at the most, of which the least recently used go first.
//!
//! Inside is `hashlink`'s LRU map: MIT or Apache-2.0, maintained, and here already, since sqlx and rusqlite use it. Its
//! order is exact. `quick_cache` and `moka` estimate what will be used again, and may give up another value than the
//! oldest.
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, RandomState};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashlink::LruCache;
use tokio::sync::OnceCell;

use crate::base::{Clock, Freshness, Instant};

/// How long what was read of settings is good where nobody has confirmed since that no other process has changed any.
/// What this process changes counts at once.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// How long it is good at the most where that is confirmed again and again.
const CONFIRMED_MAX: Duration = Duration::from_secs(60);

/// Values by their keys. Asked at the same time by many, a value is loaded once.
pub struct Kept<K, V> {
    life: Life,
    /// So many entries at the most.
    max: usize,
    /// Their weights, in octets, come to so much at the most.
    octets_max: usize,
    weigh: fn(&V) -> usize,
    /// Which values stay once they are loaded.
    stays: fn(&V) -> bool,
    inner: Mutex<Inner<K, V>>,
}

/// A value, which may be on its way. `None`: who loaded it failed.
type Place<V> = Arc<OnceCell<Option<V>>>;

struct Inner<K, V> {
    entries: LruCache<K, Entry<V>, RandomState>,
    octets: usize,
}

struct Entry<V> {
    place: Place<V>,
    moment: Moment,
    octets: usize,
}

/// The moment before something is read: what has changed since makes it stale, not wrong.
#[derive(Clone, Copy)]
pub struct Moment {
    generation: u64,
    at: Instant,
}

/// How long values are good.
enum Life {
    /// They follow from their keys.
    Always,
    /// They were read of settings.
    Settings { freshness: Arc<Freshness>, clock: Clock, confirmed: bool },
}

impl Life {
    fn moment(&self) -> Moment {
        match self {
            Self::Always => Moment { generation: 0, at: Instant::BEGINNING },
            Self::Settings { freshness, clock, .. } => {
                Moment { generation: freshness.generation(), at: clock.instant() }
            }
        }
    }

    fn is_good(&self, read: Moment) -> bool {
        let Self::Settings { freshness, clock, confirmed } = self else { return true };
        // First what is confirmed: the changes that were known then are in the generation already.
        let known = if *confirmed { freshness.confirmed_at() } else { Instant::BEGINNING };
        if read.generation != freshness.generation() {
            return false;
        }
        let now = clock.instant();
        let unknown = now.since(read.at.max(known));
        if *confirmed && unknown >= GOOD_FOR / 2 {
            freshness.ask();
        }
        unknown < GOOD_FOR && now.since(read.at) < CONFIRMED_MAX
    }
}

impl<K: Hash + Eq, V: Clone> Kept<K, V> {
    /// Keeps up to `max` values that follow from their keys alone.
    pub fn new(max: usize) -> Self {
        Self::living(Life::Always, max)
    }

    /// Keeps up to `max` values that are read of settings, each for as long as none of them has changed and a second at
    /// the most.
    pub fn of_settings(freshness: Arc<Freshness>, clock: Clock, max: usize) -> Self {
        Self::living(Life::Settings { freshness, clock, confirmed: false }, max)
    }

    fn living(life: Life, max: usize) -> Self {
        let inner = Inner { entries: LruCache::with_hasher(usize::MAX, RandomState::new()), octets: 0 };
        Self { life, max, octets_max: usize::MAX, weigh: |_| 0, stays: |_| true, inner: Mutex::new(inner) }
    }

    /// The same for longer than a second, as long as it is confirmed that no other process has changed any. For values
    /// that are read of settings and of nothing else.
    pub fn while_confirmed(mut self) -> Self {
        if let Life::Settings { confirmed, .. } = &mut self.life {
            *confirmed = true;
        }
        self
    }

    /// The same, where the values come to `max` octets at the most, as `weigh` says.
    pub fn weighed(self, max: usize, weigh: fn(&V) -> usize) -> Self {
        Self { octets_max: max, weigh, ..self }
    }

    /// The same, where other values than these are given to those who ask while they are loaded, and no longer.
    pub fn only(self, stays: fn(&V) -> bool) -> Self {
        Self { stays, ..self }
    }

    /// The value, if it is there and good.
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut inner = self.inner();
        let entry = inner.entries.get(key).filter(|entry| self.life.is_good(entry.moment))?;
        entry.place.get()?.clone()
    }

    /// The value; where there is none, what `load` gives. Those who ask meanwhile wait for that. Where it fails, who
    /// waits loads by itself.
    ///
    /// # Errors
    /// Those of `load`.
    pub async fn get_or_load<Q, F, E>(&self, key: &Q, load: impl FnOnce() -> F) -> Result<V, E>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        F: Future<Output = Result<V, E>>,
    {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        // Boxed, since it is large and rare, and would be a part of every call.
        Box::pin(self.load(key, load())).await
    }

    async fn load<Q, E>(&self, key: &Q, loading: impl Future<Output = Result<V, E>>) -> Result<V, E>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (place, mut loading, mut own) = (self.place(key), pin!(loading), None);
        let found = place.get_or_init(|| async {
            let loaded = loading.as_mut().await;
            let value = loaded.as_ref().ok().cloned();
            own = Some(loaded);
            value
        });
        match (found.await, own) {
            (_, Some(loaded)) => {
                self.settle(key, &place, loaded.as_ref().ok());
                loaded
            }
            (Some(value), None) => Ok(value.clone()),
            (None, None) => loading.await,
        }
    }

    /// The value; where there is none, what `make` gives.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn get_or_make<Q, E>(&self, key: &Q, make: impl FnOnce() -> Result<V, E>) -> Result<V, E>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(found) = self.get(key) {
            return Ok(found);
        }
        let (moment, value) = (self.moment(), make()?);
        self.put(key.to_owned(), value.clone(), moment);
        Ok(value)
    }

    /// The value; where there is none, what `make` gives. Of those who ask at the same time all get the same one.
    pub fn get_or<Q>(&self, key: &Q, make: impl FnOnce() -> V) -> V
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(found) = self.get(key) {
            return found;
        }
        let (place, value) = (self.place(key), make());
        if place.set(Some(value.clone())).is_ok() {
            self.settle(key, &place, Some(&value));
        }
        place.get().cloned().flatten().unwrap_or(value)
    }

    /// This moment, for what is read from now on.
    pub fn moment(&self) -> Moment {
        self.life.moment()
    }

    /// Keeps a value that was read since `moment`.
    pub fn put(&self, key: K, value: V, moment: Moment) {
        let octets = (self.weigh)(&value);
        if octets > self.octets_max {
            return;
        }
        let mut inner = self.inner();
        let place = Arc::new(OnceCell::new_with(Some(Some(value))));
        inner.insert(key, Entry { place, moment, octets });
        inner.trim(self.max, self.octets_max);
    }

    /// Whether there is anything for this key, good or not.
    pub fn holds<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner().entries.peek(key).is_some()
    }

    /// Forgets the value.
    pub fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner().remove(key);
    }

    /// The place of a value that is good or on its way, or a new one.
    fn place<Q>(&self, key: &Q) -> Place<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let moment = self.moment();
        let mut inner = self.inner();
        if let Some(entry) = inner.entries.get(key).filter(|entry| self.life.is_good(entry.moment)) {
            return entry.place.clone();
        }
        let place = Place::<V>::default();
        inner.insert(key.to_owned(), Entry { place: place.clone(), moment, octets: 0 });
        inner.trim(self.max, self.octets_max);
        place
    }

    /// Keeps what was loaded, or lets it go. Another value may have its place already.
    fn settle<Q>(&self, key: &Q, place: &Place<V>, value: Option<&V>)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let octets = value.filter(|value| (self.stays)(value)).map(self.weigh).filter(|o| *o <= self.octets_max);
        let mut inner = self.inner();
        let Some(entry) = inner.entries.peek_mut(key).filter(|entry| Arc::ptr_eq(&entry.place, place)) else { return };
        match octets {
            Some(octets) => {
                entry.octets = octets;
                inner.octets += octets;
                inner.trim(self.max, self.octets_max);
            }
            None => inner.remove(key),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V> Inner<K, V> {
    fn insert(&mut self, key: K, entry: Entry<V>) {
        self.octets += entry.octets;
        let before = self.entries.insert(key, entry);
        self.octets -= before.map_or(0, |entry| entry.octets);
    }

    fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.octets -= self.entries.remove(key).map_or(0, |entry| entry.octets);
    }

    fn trim(&mut self, max: usize, octets_max: usize) {
        while self.entries.len() > max || self.octets > octets_max {
            let Some((_, entry)) = self.entries.remove_lru() else { return };
            self.octets -= entry.octets;
        }
    }
}

/// Values may be secrets, and keys may hold some.
impl<K, V> fmt::Debug for Kept<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
