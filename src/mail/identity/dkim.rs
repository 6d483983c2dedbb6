//! The DKIM side of identities (Easy DKIM and BYODKIM of SES): which keys sign, and how they change.
//!
//! A domain has three selectors. One is current and signs. A new key goes to the next of them and signs once the DNS publishes
//! it; the one before stays published for mail that is still on its way. An Ed25519 key may sign beside them.
use std::time::Duration;

use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::identity::keys::{Pair, SELECTORS};
use crate::mail::identity::{Error, Found, Identities, IdentityName};
use crate::mail::message::dkim::{Algorithm, SigningKey};
use crate::mail::resolver::ascii_domain;
use crate::store::dkim_keys::{self, DkimKey, KeyAlgorithm, KeyState};
use crate::store::identities::{self, Identity, IdentityKind, KeyOrigin, Standing};
use crate::store::{self, Tx};

/// SES: how often the length of the key may change.
const CHANGE_EVERY: Duration = Duration::from_secs(24 * 3600);

/// The keys that sign mail from `author`: those of its verified domain, or else of the nearest verified domain above that
/// has any. None when no domain identity covers it, or it has signing off.
pub async fn signing_keys(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    author: &EmailAddress,
) -> Result<Vec<SigningKey>, store::Error> {
    for name in IdentityName::covering(author) {
        let Some(identity) = identities::find(tx, account, region, &name).await? else { continue };
        if !identity.is_verified() {
            continue;
        }
        if !identity.dkim_signing {
            return Ok(Vec::new());
        }
        if !identity.dkim.status.is_verified() {
            continue;
        }
        let keys = dkim_keys::list(tx, account, region, &name).await?;
        let domain = name.parse().ok().and_then(|domain| ascii_domain(&domain)).unwrap_or(name);
        let current = keys.into_iter().filter(|key| key.state == KeyState::Current);
        return Ok(current.map(|key| signing_key(&domain, key)).collect());
    }
    Ok(Vec::new())
}

fn signing_key(domain: &str, key: DkimKey) -> SigningKey {
    let algorithm = match key.algorithm {
        KeyAlgorithm::Rsa => Algorithm::Rsa,
        KeyAlgorithm::Ed25519 => Algorithm::Ed25519,
    };
    SigningKey { domain: domain.to_owned(), selector: key.selector, algorithm, private_key: key.private_key }
}

/// Where the keys of a domain come from.
#[derive(Clone)]
pub enum Origin {
    /// Made here, with this many bits; `None`: as many as before.
    Ours(Option<i64>),
    /// The owner's: a selector and a pair.
    Owners(String, Pair),
}

impl Identities {
    /// Switches signing on or off.
    ///
    /// # Errors
    /// [`Error::NotSigned`]: neither the identity nor, for an address, one of its domain exists. An address whose domain
    /// does is signed for by the domain, and nothing changes.
    pub async fn set_signing(&self, account: &AccountId, region: &Region, name: &str, on: bool) -> Result<(), Error> {
        let changed = self.change(account, region, name, move |identity, _| {
            identity.dkim_signing = on;
            Ok(())
        });
        let name = match changed.await {
            Err(Error::Missing(name)) => name,
            done => return done.map(drop),
        };
        let Some((_, domain)) = name.rsplit_once('@') else { return Err(Error::NotSigned(name)) };
        match self.get(account, region, domain).await {
            Err(Error::Missing(domain)) => Err(Error::NotSigned(domain)),
            found => found.map(drop),
        }
    }

    /// Gives a domain its first keys, or keys of another origin, or begins to change its key for one of another length;
    /// looks for them again where that had been given up.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::NotADomain`]; [`Error::TooSoon`] for a second change of length within a day.
    pub async fn set_keys(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        origin: Origin,
    ) -> Result<Found, Error> {
        let now = self.clock.now();
        let found = self.get(account, region, name).await?;
        if found.identity.kind != IdentityKind::Domain {
            return Err(Error::NotADomain(found.identity.name));
        }
        let plan = plan(&found, &origin, now.since(found.key_made_at().unwrap_or_default()))?;
        let pair = match (&plan, origin) {
            (Plan::Keep, _) => None,
            (_, Origin::Owners(selector, pair)) => Some((Some(selector), pair)),
            (_, Origin::Ours(bits)) => Some((None, Pair::rsa(bits.unwrap_or(found.identity.dkim.next_bits)).await?)),
        };
        let (account, region, name) = (account.clone(), region.clone(), found.identity.name.clone());
        let before = found.keys.iter().map(|k| (k.selector.clone(), k.public_key.clone())).collect::<Vec<_>>();
        let at_once = self.settings.at_once;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    identities::hold(tx, &account, &region, &name).await?;
                    let mut found = super::identities::found(tx, &account, &region, &name).await?;
                    // Somebody else was quicker: what was planned no longer fits.
                    if !found.keys.iter().map(|k| (&k.selector, &k.public_key)).eq(before.iter().map(|(s, p)| (s, p))) {
                        return Ok(found);
                    }
                    put_keys(tx, &mut found.identity, &found.keys, &plan, pair, at_once).await?;
                    super::identities::found(tx, &account, &region, &name).await
                })
            })
            .await
    }

    /// Begins to change a domain's key for a new one of the same length.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::NotADomain`], for one without keys of ours.
    pub async fn rotate(&self, account: &AccountId, region: &Region, name: &str) -> Result<Found, Error> {
        let found = self.get(account, region, name).await?;
        if found.identity.dkim.origin != KeyOrigin::AwsSes || found.keys.is_empty() {
            return Err(Error::NotADomain(found.identity.name));
        }
        let pair = Pair::rsa(found.identity.dkim.next_bits).await?;
        let at_once = self.settings.at_once;
        let (account, region, name) = (account.clone(), region.clone(), found.identity.name);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    identities::hold(tx, &account, &region, &name).await?;
                    let mut found = super::identities::found(tx, &account, &region, &name).await?;
                    let pair = Some((None, pair));
                    put_keys(tx, &mut found.identity, &found.keys, &Plan::Rotate, pair, at_once).await?;
                    super::identities::found(tx, &account, &region, &name).await
                })
            })
            .await
    }

    /// Lets an Ed25519 key sign a domain's mail beside the RSA key, once the DNS publishes it; or takes it away.
    ///
    /// # Errors
    /// [`Error::Missing`]; [`Error::NotADomain`], for one without keys.
    pub async fn set_ed25519(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        on: bool,
    ) -> Result<Found, Error> {
        let (account, region, name) = (account.clone(), region.clone(), IdentityName::folded(name));
        let (pair, at_once) = (Pair::ed25519()?, self.settings.at_once);
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    identities::hold(tx, &account, &region, &name).await?;
                    let found = super::identities::found(tx, &account, &region, &name).await?;
                    if found.keys.is_empty() {
                        return Err(Error::NotADomain(name));
                    }
                    let now = tx.now();
                    let has = found.keys.iter().find(|key| key.algorithm == KeyAlgorithm::Ed25519);
                    let mut identity = found.identity;
                    match has {
                        None if on => {
                            let state = if at_once { KeyState::Current } else { KeyState::Next };
                            dkim_keys::put(tx, &identity, &pair.beside(state, now)).await?;
                            identity.next_check_at = (!at_once).then_some(now);
                            identities::update(tx, &identity).await?;
                        }
                        Some(key) if !on => drop(dkim_keys::remove(tx, &identity, &key.selector).await?),
                        _ => {}
                    }
                    super::identities::found(tx, &account, &region, &name).await
                })
            })
            .await
    }

    /// Seals the private keys that are stored in clear or under an earlier master key. Called at the start.
    ///
    /// # Errors
    /// [`Error::Internal`], when one does not open.
    pub async fn seal_keys(&self) -> Result<(), Error> {
        let mut after = String::new();
        loop {
            let sealed = self.store.write(move |tx| Box::pin(async move { dkim_keys::seal(tx, &after, 500).await }));
            match sealed.await? {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }
}

/// What is to be done with a domain's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// They stay; where nobody looks for them any more, the search begins again.
    Keep,
    /// They are replaced.
    Replace,
    /// A new key goes to the next selector.
    Rotate,
}

fn plan(found: &Found, origin: &Origin, age: Duration) -> Result<Plan, Error> {
    let dkim = &found.identity.dkim;
    let bits = match origin {
        Origin::Owners(..) => return Ok(Plan::Replace),
        Origin::Ours(bits) => bits.unwrap_or(dkim.next_bits),
    };
    let has = found.keys.iter().any(|key| key.algorithm == KeyAlgorithm::Rsa);
    if !has || dkim.origin != KeyOrigin::AwsSes {
        return Ok(Plan::Replace);
    }
    if bits == dkim.next_bits {
        return Ok(Plan::Keep);
    }
    match dkim.status.is_verified() {
        // Nothing is signed with the key yet.
        false => Ok(Plan::Replace),
        true if age < CHANGE_EVERY => Err(Error::TooSoon),
        true => Ok(Plan::Rotate),
    }
}

/// Carries a plan out. The row of the identity is held.
async fn put_keys(
    tx: &mut Tx,
    identity: &mut Identity,
    keys: &[DkimKey],
    plan: &Plan,
    pair: Option<(Option<String>, Pair)>,
    at_once: bool,
) -> Result<(), store::Error> {
    let now = tx.now();
    match (plan, pair) {
        (Plan::Rotate, Some((_, pair))) => {
            identity.dkim.next_bits = pair.bits();
            rotate(tx, identity, keys, &pair, at_once).await?;
        }
        (Plan::Replace, Some((selector, pair))) => {
            for key in keys.iter().filter(|key| key.algorithm == KeyAlgorithm::Rsa) {
                dkim_keys::remove(tx, identity, &key.selector).await?;
            }
            let ours = selector.is_none();
            let new = match selector {
                Some(selector) => vec![pair.at(selector, 0, KeyState::Current, now)],
                None => reuse_selectors(keys, pair.easy(now)),
            };
            if let Some(first) = new.first().filter(|_| ours) {
                identity.dkim.next_bits = first.bits;
            }
            for key in &new {
                dkim_keys::put(tx, identity, key).await?;
            }
            identity.dkim.origin = if ours { KeyOrigin::AwsSes } else { KeyOrigin::External };
            restart(identity, at_once, now);
        }
        _ if identity.dkim.status == Standing::Failed || identity.dkim.status == Standing::NotStarted => {
            restart(identity, at_once, now)
        }
        _ => {}
    }
    if !at_once {
        identity.next_check_at = Some(now);
    }
    identities::update(tx, identity).await
}

/// A key that nobody used yet is replaced under the tokens that the owner was told already.
fn reuse_selectors(before: &[DkimKey], new: Vec<DkimKey>) -> Vec<DkimKey> {
    let old: Vec<&DkimKey> =
        before.iter().filter(|key| key.algorithm == KeyAlgorithm::Rsa && key.n < SELECTORS).collect();
    if old.len() != new.len() {
        return new;
    }
    new.into_iter().zip(old).map(|(key, old)| DkimKey { selector: old.selector.clone(), ..key }).collect()
}

/// Looks for the keys from now on, and for the domain itself where nothing else proves it.
fn restart(identity: &mut Identity, at_once: bool, now: crate::base::Timestamp) {
    identity.dkim.status = if at_once { Standing::Success } else { Standing::Pending };
    identity.dkim.since = (!at_once).then_some(now);
    if identity.status == Standing::Failed {
        identity.status = Standing::Pending;
        identity.since = Some(now);
    }
}

async fn rotate(
    tx: &mut Tx,
    identity: &Identity,
    keys: &[DkimKey],
    pair: &Pair,
    at_once: bool,
) -> Result<(), store::Error> {
    let now = tx.now();
    let rsa = || keys.iter().filter(|key| key.algorithm == KeyAlgorithm::Rsa);
    let current = rsa().find(|key| key.state == KeyState::Current).map_or(0, |key| key.n);
    let place = rsa().find(|key| key.state == KeyState::Next).map_or((current + 1) % SELECTORS, |key| key.n);
    let Some(next) = rsa().find(|key| key.n == place) else { return Ok(()) };
    dkim_keys::put(tx, identity, &pair.at(next.selector.clone(), place, KeyState::Next, now)).await?;
    if at_once {
        promote(tx, identity, keys, &next.selector, KeyAlgorithm::Rsa).await?;
    }
    Ok(())
}

/// A key that was found in the DNS signs from now on, and no longer the one before.
pub(super) async fn promote(
    tx: &mut Tx,
    identity: &Identity,
    keys: &[DkimKey],
    selector: &str,
    algorithm: KeyAlgorithm,
) -> Result<(), store::Error> {
    for key in keys.iter().filter(|key| key.algorithm == algorithm && key.selector != selector) {
        let state = if key.state == KeyState::Current { KeyState::Retired } else { key.state };
        dkim_keys::set_state(tx, identity, &key.selector, state).await?;
    }
    dkim_keys::set_state(tx, identity, selector, KeyState::Current).await
}
