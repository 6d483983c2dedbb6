//! Loads what inbound jobs need: many workers begin at once, and share a few queries.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use crate::base::{Instant, Scope};
use crate::mail::receiving::rules::Rule;
use crate::mail::receiving::{Error, rule_sets};
use crate::store;
use crate::store::inbound_mails::{self, InboundMail};
use crate::store::{Gather, Reads, Store, Tx};

/// Mails in one query.
const AT_ONCE: usize = 16;
/// Messages up to this size, in octets, are read with the rest.
const SMALL: i64 = 64 * 1024;
/// How long rules are good for that another node may have changed. What this node changes counts at once.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Enough for all accounts that receive; when there are more, all are read anew.
const ENTRIES_MAX: usize = 1_000;
/// Octets of rules, as JSON, that are kept.
const OCTETS_MAX: usize = 32 * 1024 * 1024;

/// A mail with all that a pass through the rules needs.
pub(super) struct Loaded {
    pub mail: InboundMail,
    /// The message's size in octets.
    pub size: i64,
    /// The message, where it is small.
    pub raw: Option<Bytes>,
    /// The active rule set. Where it cannot be read, its account's mails alone wait for it.
    pub rules: Result<Arc<Active>, store::Error>,
}

/// The active rule set, as far as a mail needs it; without rules where none is active.
#[derive(Default)]
pub(super) struct Active {
    pub name: String,
    pub rules: Vec<Rule>,
}

struct Entry {
    rules: Arc<Active>,
    octets: usize,
    generation: u64,
    until: Instant,
}

/// Reads mails by their ids; `None` when one, or its message, is gone.
pub(super) struct Mails {
    store: Store,
    rules: Mutex<HashMap<Scope, Entry>>,
}

/// Mails for many workers.
pub(super) fn mails(store: Store) -> Gather<Mails> {
    Gather::new(Mails { store, rules: Mutex::default() }, AT_ONCE)
}

impl Reads for Mails {
    type Key = String;
    type Found = Option<Loaded>;

    async fn read(&self, ids: &[String]) -> Result<Vec<Option<Loaded>>, store::Error> {
        // First the generation: a change between it and the read makes the entry stale, not wrong.
        let generation = self.store.settings_generation();
        let mut reader = self.store.reader().await?;
        let mut all = Vec::with_capacity(ids.len());
        for found in inbound_mails::find_all(&mut reader, ids, SMALL).await? {
            let Some((mail, size, raw)) = found else {
                all.push(None);
                continue;
            };
            let owner = Scope { account: mail.account.clone(), region: mail.region.clone() };
            let rules = match self.rules(&mut reader, owner, generation).await {
                Err(error) if !error.is_corrupt() => return Err(error),
                rules => rules,
            };
            all.push(Some(Loaded { mail, size, raw: raw.map(Into::into), rules }));
        }
        Ok(all)
    }
}

impl Mails {
    async fn rules(&self, tx: &mut Tx, owner: Scope, generation: u64) -> Result<Arc<Active>, store::Error> {
        let now = tx.instant();
        let entries = || self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries().get(&owner)
            && entry.generation == generation
            && entry.until > now
        {
            return Ok(entry.rules.clone());
        }
        let set = match rule_sets::active(tx, &owner).await {
            Ok(set) => set,
            Err(Error::Internal(error)) => return Err(error),
            Err(error) => return Err(store::Error::corrupt(error)),
        };
        let octets = set.as_ref().map_or(0, |set| set.octets);
        let rules = Arc::new(set.map(|set| Active { name: set.name, rules: set.rules }).unwrap_or_default());
        let mut entries = entries();
        let kept = entries.values().map(|entry| entry.octets).sum::<usize>();
        if entries.len() >= ENTRIES_MAX || kept.saturating_add(octets) > OCTETS_MAX {
            entries.clear();
        }
        entries.insert(owner, Entry { rules: rules.clone(), octets, generation, until: now + GOOD_FOR });
        Ok(rules)
    }
}
