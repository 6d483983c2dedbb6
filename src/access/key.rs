//! Access keys: made, listed, switched off, and looked up for every request.
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use crate::access::Error;
use crate::base::{AccountId, Kept, Secret, ids};
use crate::store;
use crate::store::accounts::{self, AccessKey, State};
use crate::store::{Store, Tx};

/// Active keys per account. AWS allows two per user; an account here has no users, so it gets room for its programs.
const ACTIVE_KEYS_MAX: usize = 100;
/// Characters of a key's id.
const KEY_ID_MAX: usize = 128;
/// How many look-ups are remembered, those under way among them.
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

/// What the store said of a key.
type Answer = Result<Option<Arc<AccessKey>>, store::Error>;

/// Looks up who calls. Cheap to clone; clones share what is remembered.
#[derive(Clone)]
pub struct Access {
    store: Store,
    trust: Trust,
    remembered: Arc<Kept<String, Answer>>,
}

impl Access {
    /// Looks up in `store`, and trusts as `trust` says.
    pub fn new(store: Store, trust: Trust) -> Self {
        // Only keys are remembered: one that is made or switched on works at once, and a store that failed is asked again.
        let remembered = store.kept(REMEMBERED_MAX).only(|answer: &Answer| matches!(answer, Ok(Some(_))));
        Self { store, trust, remembered: Arc::new(remembered) }
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
        let answer = self.remembered.get_or_load(id, || async { Ok::<_, Infallible>(self.look_up(id).await) }).await;
        match answer {
            Ok(answer) => Ok(answer?),
            Err(never) => match never {},
        }
    }

    async fn look_up(&self, id: &str) -> Answer {
        let found = accounts::find_usable_key(&mut self.store.reader().await?, id).await?;
        Ok(found.map(Arc::new))
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
                    if accounts::insert_key(tx, &id, &account, &secret).await? {
                        return Ok((id, secret));
                    }
                }
            })
        })
        .await
}

/// Whether an account may have one active key more. Others who ask wait until the transaction ends.
async fn check_another(tx: &mut Tx, account: &AccountId) -> Result<(), Error> {
    if !accounts::lock_account(tx, account).await? {
        return Err(Error::AccountMissing(account.clone()));
    }
    if accounts::state(tx, account).await? == State::Deleting {
        return Err(Error::Deleting(account.clone()));
    }
    let active = accounts::list_keys(tx, account).await?.iter().filter(|key| key.active).count();
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
    store.read(move |tx| Box::pin(async move { Ok(accounts::list_keys(tx, &account).await?) })).await
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
                accounts::update_key(tx, &key.id, &key.secret, false).await?;
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
                    accounts::update_key(tx, &key.id, &key.secret, true).await?;
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
                accounts::delete_key(tx, &key.id).await?;
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
    accounts::find_key(tx, &id).await?.ok_or(Error::KeyMissing(id))
}

/// Seals the secrets of keys that are in the store in clear or under an earlier master key. Called at the start.
///
/// # Errors
/// [`Error::Internal`], when a secret does not open.
pub async fn seal_secrets(store: &Store) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let last: Result<_, Error> = store
            .write(move |tx| Box::pin(async move { Ok(accounts::seal_secrets(tx, &after, SEALED_AT_ONCE).await?) }))
            .await;
        match last? {
            Some(last) => after = last,
            None => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use std::time::Duration;

    use super::*;
    use crate::base::{Clock, Timestamp};
    use crate::store::Database;

    const CALLS: usize = 50;
    const BELIEVED_FOR: Duration = Duration::from_secs(1);

    async fn house() -> (Access, Clock, String, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        let store = Store::open(&Database::Sqlite(dir.path().join("keys.db")), clock.clone()).await.expect("a store");
        let account = crate::access::create_account(&store, None, "test").await.expect("an account");
        let (id, _) = create_key(&store, &account).await.expect("a key");
        (Access::new(store, Trust::KnownKeys), clock, id, dir)
    }

    /// What many calls at once are told; each look-up makes a key of its own.
    async fn asked(access: &Access, id: &str) -> Vec<Option<Arc<AccessKey>>> {
        let found = join_all((0..CALLS).map(|_| access.key(id))).await;
        found.into_iter().map(|found| found.expect("the store works")).collect()
    }

    #[tokio::test]
    async fn calls_at_once_share_one_look_up_a_second() {
        let (access, clock, id, _dir) = house().await;
        let mut seen: Vec<Arc<AccessKey>> = vec![];
        for round in 1..=3 {
            for key in [asked(&access, &id).await, asked(&access, &id).await].concat() {
                let key = key.expect("it is usable");
                if !seen.iter().any(|seen| Arc::ptr_eq(seen, &key)) {
                    seen.push(key);
                }
            }
            assert_eq!(seen.len(), round);
            clock.advance(BELIEVED_FOR);
        }
        deactivate_key(&access.store, &id).await.expect("switched off");
        assert!(asked(&access, &id).await.iter().all(Option::is_none));
        activate_key(&access.store, &id).await.expect("switched on");
        assert!(asked(&access, &id).await.iter().all(Option::is_some), "that there was none is not believed");
    }

    #[tokio::test]
    async fn a_call_that_goes_away_leaves_the_look_up_to_others_and_none_joins_an_old_one() {
        let (access, clock, id, _dir) = house().await;
        let (gone, other) = loop {
            let (mut gone, mut other) = (Box::pin(access.key(&id)), Box::pin(access.key(&id)));
            if futures::poll!(&mut gone).is_pending() && futures::poll!(&mut other).is_pending() {
                break (gone, other);
            }
            // The store's thread was quick: what it said is good for a moment.
            clock.advance(BELIEVED_FOR);
        };
        drop(gone);
        clock.advance(BELIEVED_FOR);
        let newer = access.key(&id).await.expect("the store works").expect("it is usable");
        let older = other.await.expect("the store works").expect("it is usable");
        assert!(!Arc::ptr_eq(&newer, &older), "a second is the bound for a slow look-up too");
        assert!(Arc::ptr_eq(&newer, &access.key(&id).await.expect("the store works").expect("it is usable")));
    }
}
