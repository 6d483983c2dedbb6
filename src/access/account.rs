//! Accounts, as `postrider admin` makes them.
use rand::Rng;

use crate::access::Error;
use crate::base::AccountId;
use crate::store::accounts::{self, Account, State};
use crate::store::{Store, Tx};

/// The longest name.
const NAME_MAX: usize = 128;
/// More accounts than a list shows.
const LISTED_MAX: u32 = 10_000;

/// Makes an account called `name`, with the number `id` or a random free one.
///
/// # Errors
/// [`Error::NotUsable`] when the name is empty, too long or not one line, [`Error::AccountExists`] when the number is taken,
/// [`Error::Internal`].
pub async fn create_account(store: &Store, id: Option<AccountId>, name: &str) -> Result<AccountId, Error> {
    if name.trim().is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Error::NotUsable(
            "the name of an account has 1 to 128 characters on one line, and not only spaces",
        ));
    }
    let name = name.to_owned();
    store
        .write(move |tx| {
            Box::pin(async move {
                if let Some(id) = id {
                    let new = accounts::insert_account(tx, &id, &name).await?;
                    return if new { Ok(id) } else { Err(Error::AccountExists(id)) };
                }
                loop {
                    // A number in the range of AWS's own; a clash is possible and harmless.
                    let number = rand::rng().random_range(100_000_000_000_u64..1_000_000_000_000);
                    let Ok(id) = number.to_string().parse::<AccountId>() else { continue };
                    if accounts::insert_account(tx, &id, &name).await? {
                        return Ok(id);
                    }
                }
            })
        })
        .await
}

/// All accounts, oldest first.
///
/// # Errors
/// [`Error::Internal`].
pub async fn list_accounts(store: &Store) -> Result<Vec<Account>, Error> {
    store.read(|tx| Box::pin(async move { Ok(accounts::list_accounts(tx, LISTED_MAX).await?) })).await
}

/// Whether there is such an account: the root account is always there, others were made, or own something. In `dev` any 12 digits
/// are an account, which nobody makes: there is one once it owns something.
///
/// # Errors
/// [`Error::Internal`].
pub async fn is_account(store: &Store, id: &AccountId) -> Result<bool, Error> {
    if *id == AccountId::development() {
        return Ok(true);
    }
    let id = id.clone();
    store.read(move |tx| Box::pin(async move { Ok(accounts::is_account(tx, &id).await?) })).await
}

/// Suspends an account: its keys and SMTP passwords count for nothing, its mail waits, and mail for it is put off. What it
/// holds stays. Gives what it was. Running servers notice within a second.
///
/// # Errors
/// [`Error::AccountMissing`], [`Error::Root`], [`Error::Deleting`], [`Error::Internal`].
pub async fn suspend_account(store: &Store, id: &AccountId) -> Result<State, Error> {
    change(store, id, "suspended", State::Suspended).await
}

/// Ends an account's suspension. Gives what it was.
///
/// # Errors
/// [`Error::AccountMissing`], [`Error::Deleting`], [`Error::Internal`].
pub async fn resume_account(store: &Store, id: &AccountId) -> Result<State, Error> {
    change(store, id, "resumed", State::Active).await
}

/// Finds an account that can be deleted.
///
/// # Errors
/// [`Error::AccountMissing`], [`Error::Root`], [`Error::Internal`].
pub async fn find_deletable(store: &Store, id: &AccountId) -> Result<Account, Error> {
    let id = id.clone();
    store.read(move |tx| Box::pin(async move { find(tx, id, "deleted").await })).await
}

/// Notes that an account is being deleted: from now on it does nothing, for good.
///
/// # Errors
/// [`Error::AccountMissing`], [`Error::Root`], [`Error::Internal`].
pub async fn begin_deletion(store: &Store, id: &AccountId) -> Result<(), Error> {
    let id = id.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                let account = find(tx, id, "deleted").await?;
                accounts::set_state(tx, &account.id, State::Deleting).await?;
                Ok(())
            })
        })
        .await
}

async fn find(tx: &mut Tx, id: AccountId, verb: &'static str) -> Result<Account, Error> {
    if id == AccountId::development() {
        return Err(Error::Root(id, verb));
    }
    accounts::find_account(tx, &id).await?.ok_or(Error::AccountMissing(id))
}

async fn change(store: &Store, id: &AccountId, verb: &'static str, state: State) -> Result<State, Error> {
    let id = id.clone();
    store
        .write(move |tx| {
            Box::pin(async move {
                accounts::lock_account(tx, &id).await?;
                let account = find(tx, id, verb).await?;
                if account.state == State::Deleting {
                    return Err(Error::Deleting(account.id));
                }
                accounts::set_state(tx, &account.id, state).await?;
                Ok(account.state)
            })
        })
        .await
}
