//! Access keys: made, listed, switched off, and looked up for every request.
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::access::Error;
use crate::base::{AccountId, Clock, Instant, Secret, ids};
use crate::store;
use crate::store::access::{self, AccessKey, State};
use crate::store::{Store, Tx};

/// Active keys per account. AWS allows two per user; an account here has no users, so it gets room for its programs.
const ACTIVE_KEYS_MAX: usize = 100;
/// How long a looked-up key is believed, from before it was looked up: so long at the most may a key that another process
/// has switched off still work here.
const BELIEVED_FOR: Duration = Duration::from_secs(1);
/// Characters of a key's id.
const KEY_ID_MAX: usize = 128;
/// How many looked-up keys are remembered.
const REMEMBERED_MAX: usize = 10_000;
/// How many secrets are looked at in one transaction.
const SEALED_AT_ONCE: u32 = 1_000;

/// Whose credentials are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A developer's machine: anybody's, without looking at the signature.
    Anybody,
    /// Only those of known, active keys, and only with a right signature.
    KnownKeys,
}

/// Keys by their ids, each with the time until which it is believed.
type Remembered = HashMap<String, (Arc<AccessKey>, Instant)>;

/// Looks up who calls. Cheap to clone; clones share what is remembered.
#[derive(Clone)]
pub struct Access {
    store: Store,
    clock: Clock,
    trust: Trust,
    remembered: Arc<Mutex<Remembered>>,
}

impl Access {
    /// Looks up in `store`, and trusts as `trust` says.
    pub fn new(store: Store, clock: Clock, trust: Trust) -> Self {
        Self { store, clock, trust, remembered: Arc::default() }
    }

    /// Whose credentials are taken.
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// The key called `id`; `None` when there is none, or it is switched off, or its account is suspended or being deleted.
    /// Within a second of such a change the answer may be the old one.
    ///
    /// # Errors
    /// [`Error::Internal`].
    pub async fn key(&self, id: &str) -> Result<Option<Arc<AccessKey>>, Error> {
        // What no key looks like is not looked up; PostgreSQL would fail at a NUL, for anybody who sends one.
        if !(1..=KEY_ID_MAX).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(None);
        }
        let now = self.clock.instant();
        {
            let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((key, _)) = remembered.get(id).filter(|(_, until)| now < *until) {
                return Ok(Some(key.clone()));
            }
        }
        // Boxed, since it is large and rare, and would be a part of every request.
        Box::pin(self.look_up(id, now)).await
    }

    async fn look_up(&self, id: &str, now: Instant) -> Result<Option<Arc<AccessKey>>, Error> {
        let wanted = id.to_owned();
        let found: Result<_, Error> =
            self.store.read(move |tx| Box::pin(async move { Ok(access::find_usable_key(tx, &wanted).await?) })).await;
        let found = found?.map(Arc::new);
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(key) => {
                if remembered.len() >= REMEMBERED_MAX {
                    remembered.clear();
                }
                remembered.insert(id.to_owned(), (key.clone(), now + BELIEVED_FOR));
            }
            None => {
                remembered.remove(id);
            }
        }
        Ok(found)
    }

    /// The key called `id` for as long as a call or a session with it lasts; `None` where keys do not count.
    pub fn in_use(&self, id: &str) -> Option<KeyInUse> {
        let counts = self.trust == Trust::KnownKeys && !id.is_empty();
        counts.then(|| KeyInUse { access: self.clone(), id: id.to_owned() })
    }

    /// The account that a key id names where anybody is trusted: 12 digits name the account, anything else is account
    /// 000000000000.
    pub fn account_named_by(key_id: &str) -> AccountId {
        key_id.parse().unwrap_or_else(|_| AccountId::development())
    }
}

/// A key that somebody has shown to have the secret of, some time ago.
#[derive(Clone)]
pub struct KeyInUse {
    access: Access,
    id: String,
}

impl KeyInUse {
    /// Whether the key may still be used, or could a second ago.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn holds(&self) -> Result<bool, store::Error> {
        match self.access.key(&self.id).await {
            Ok(found) => Ok(found.is_some()),
            Err(Error::Internal(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }
}

impl fmt::Debug for KeyInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyInUse").field(&self.id).finish()
    }
}

/// Makes a key for an account; gives its id and its secret, which is shown this once.
///
/// # Errors
/// [`Error::AccountMissing`], [`Error::TooManyKeys`], [`Error::Internal`].
pub async fn create_key(store: &Store, account: &AccountId) -> Result<(String, Secret), Error> {
    let account = account.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                check_another(tx, &account).await?;
                loop {
                    let (id, secret) = ids::access_key();
                    let secret = Secret::new(secret);
                    if access::insert_key(tx, &id, &account, &secret).await? {
                        return Ok((id, secret));
                    }
                }
            })
        })
        .await
}

/// Whether an account may have one active key more. Others who ask wait until the transaction ends.
async fn check_another(tx: &mut Tx, account: &AccountId) -> Result<(), Error> {
    if !access::lock_account(tx, account).await? {
        return Err(Error::AccountMissing(account.clone()));
    }
    if access::state(tx, account).await? == State::Deleting {
        return Err(Error::Deleting(account.clone()));
    }
    let active = access::list_keys(tx, account).await?.iter().filter(|key| key.active).count();
    if active >= ACTIVE_KEYS_MAX {
        return Err(Error::TooManyKeys(account.clone(), active));
    }
    Ok(())
}

/// An account's keys, oldest first, those switched off too.
///
/// # Errors
/// [`Error::Internal`].
pub async fn list_keys(store: &Store, account: &AccountId) -> Result<Vec<AccessKey>, Error> {
    let account = account.clone();
    store.read(move |tx| Box::pin(async move { Ok(access::list_keys(tx, &account).await?) })).await
}

/// Switches a key off, and gives the key as it was. Running servers refuse it within a second.
///
/// # Errors
/// [`Error::KeyMissing`], [`Error::Internal`].
pub async fn deactivate_key(store: &Store, id: &str) -> Result<AccessKey, Error> {
    let id = id.to_owned();
    store
        .write(move |tx| {
            Box::pin(async move {
                let key = find(tx, id).await?;
                access::update_key(tx, &key.id, &key.secret, false).await?;
                Ok(key)
            })
        })
        .await
}

/// Switches a key on again, and gives the key as it was.
///
/// # Errors
/// [`Error::KeyMissing`], [`Error::TooManyKeys`], [`Error::Deleting`], [`Error::Internal`].
pub async fn activate_key(store: &Store, id: &str) -> Result<AccessKey, Error> {
    let id = id.to_owned();
    store
        .write(move |tx| {
            Box::pin(async move {
                let key = find(tx, id).await?;
                if !key.active {
                    check_another(tx, &key.account).await?;
                    access::update_key(tx, &key.id, &key.secret, true).await?;
                }
                Ok(key)
            })
        })
        .await
}

/// Deletes a key, active or not, as IAM does, and gives the key as it was. Running servers refuse it within a second.
///
/// # Errors
/// [`Error::KeyMissing`], [`Error::Internal`].
pub async fn delete_key(store: &Store, id: &str) -> Result<AccessKey, Error> {
    let id = id.to_owned();
    store
        .write(move |tx| {
            Box::pin(async move {
                let key = find(tx, id).await?;
                access::delete_key(tx, &key.id).await?;
                Ok(key)
            })
        })
        .await
}

/// A key, active or not.
///
/// # Errors
/// [`Error::KeyMissing`], [`Error::Internal`].
pub async fn find_key(store: &Store, id: &str) -> Result<AccessKey, Error> {
    let id = id.to_owned();
    store.read(move |tx| Box::pin(async move { find(tx, id).await })).await
}

async fn find(tx: &mut Tx, id: String) -> Result<AccessKey, Error> {
    access::find_key(tx, &id).await?.ok_or(Error::KeyMissing(id))
}

/// Seals the secrets of keys that are in the store in clear or under an earlier master key. Called at the start.
///
/// # Errors
/// [`Error::Internal`], when a secret does not open.
pub async fn seal_secrets(store: &Store) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let last: Result<_, Error> = store
            .write(move |tx| Box::pin(async move { Ok(access::seal_secrets(tx, &after, SEALED_AT_ONCE).await?) }))
            .await;
        match last? {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}
