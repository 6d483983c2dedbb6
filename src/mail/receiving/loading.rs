//! Loads what inbound jobs need: many workers begin at once, and share a few queries.
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Kept, Scope};
use crate::mail::receiving::rules::Rule;
use crate::mail::receiving::{Error, rule_sets};
use crate::store;
use crate::store::inbound_mails::{self, InboundMail};
use crate::store::{Gather, Reads, Store, Tx};

/// Mails in one query.
const AT_ONCE: usize = 16;
/// Messages up to this size, in octets, are read with the rest.
const SMALL: i64 = 64 * 1024;
/// Accounts and regions whose rules are known: those that received last.
const RULES_KEPT: usize = 10_000;
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
    /// Octets of the rules as JSON.
    octets: usize,
}

/// Reads mails by their ids; `None` when one, or its message, is gone.
pub(super) struct Mails {
    store: Store,
    rules: Kept<Scope, Arc<Active>>,
}

/// Mails for many workers.
pub(super) fn mails(store: Store) -> Gather<Mails> {
    let rules = store.kept(RULES_KEPT).weighed(OCTETS_MAX, |active: &Arc<Active>| active.octets);
    Gather::new(Mails { store, rules }, AT_ONCE)
}

impl Reads for Mails {
    type Key = String;
    type Found = Option<Loaded>;

    async fn read(&self, ids: &[String]) -> Result<Vec<Option<Loaded>>, store::Error> {
        let mut reader = self.store.reader().await?;
        let mut all = Vec::with_capacity(ids.len());
        for found in inbound_mails::find_all(&mut reader, ids, SMALL).await? {
            let Some((mail, size, raw)) = found else {
                all.push(None);
                continue;
            };
            let owner = Scope { account: mail.account.clone(), region: mail.region.clone() };
            let rules = match self.rules.get_or_load(&owner, || read_rules(&mut reader, &owner)).await {
                Err(error) if !error.is_corrupt() => return Err(error),
                rules => rules,
            };
            all.push(Some(Loaded { mail, size, raw: raw.map(Into::into), rules }));
        }
        Ok(all)
    }
}

async fn read_rules(tx: &mut Tx, owner: &Scope) -> Result<Arc<Active>, store::Error> {
    let set = match rule_sets::active(tx, owner).await {
        Ok(set) => set,
        Err(Error::Internal(error)) => return Err(error),
        Err(error) => return Err(store::Error::corrupt(error)),
    };
    let active = set.map(|set| Active { name: set.name, rules: set.rules, octets: set.octets });
    Ok(Arc::new(active.unwrap_or_default()))
}
