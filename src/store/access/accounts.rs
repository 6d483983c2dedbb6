//! Accounts and access keys.
use crate::base::{AccountId, Secret, Timestamp};
use crate::store::engine::kept_table::KeptTable;
use crate::store::engine::value::args;
use crate::store::vault::{Lock, Opened, Vault};
use crate::store::{Error, Row, Tx};

pub(in crate::store) const ACCOUNTS: KeptTable = KeptTable::new("accounts");
const ACCESS_KEYS: KeptTable = KeptTable::new("access_keys");

/// An account: the owner of queues, topics and identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its 12 digits.
    pub id: AccountId,
    /// What a person calls it.
    pub name: String,
    /// Whether it may do anything.
    pub state: State,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All that its keys allow.
    Active,
    /// Nothing, until the operator resumes it. What it holds stays.
    Suspended,
    /// Nothing any more: what it holds is being deleted.
    Deleting,
}

impl State {
    /// As the column has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
        }
    }

    /// What a row of an account says; where there is no row, as on a developer's machine, nobody has suspended it.
    pub(in crate::store) fn read(word: Option<&str>) -> Result<Self, Error> {
        match word {
            None | Some("active") => Ok(Self::Active),
            Some("suspended") => Ok(Self::Suspended),
            Some("deleting") => Ok(Self::Deleting),
            Some(other) => Err(Error::corrupt(format!("an account is {other}"))),
        }
    }
}

/// An access key with its secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// The key's id, which requests name.
    pub id: String,
    /// Whom it acts for.
    pub account: AccountId,
    /// What requests are signed with.
    pub secret: Secret,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

fn read_account(row: &Row) -> Result<Account, Error> {
    let state = State::read(Some(&row.text("state")?))?;
    Ok(Account { id: row.parsed("id")?, name: row.text("name")?, state, created_at: row.time("created_at")? })
}

/// What a secret is sealed for: it opens only in the row of its own key.
fn purpose(id: &str) -> String {
    format!("access key {id}")
}

/// The secret as it is stored: sealed, where the store has a master key.
fn stored(tx: &Tx, id: &str, secret: &Secret) -> Result<String, Error> {
    let sealed = tx.vault().seal(&purpose(id), Lock::Own, secret.reveal().as_bytes(), tx.now());
    Ok(sealed.map_err(Error::corrupt)?.unwrap_or_else(|| secret.reveal().to_owned()))
}

fn opened(vault: &Vault, id: &str, stored: String) -> Result<Secret, Error> {
    match vault.open(&purpose(id), stored).map_err(Error::corrupt)? {
        Opened::Plain(text) => Ok(Secret::new(text)),
        Opened::Sealed(bytes) => String::from_utf8(bytes).map(Secret::new).map_err(Error::corrupt),
    }
}

fn read_key(vault: &Vault, row: &Row) -> Result<AccessKey, Error> {
    let id = row.text("id")?;
    Ok(AccessKey {
        account: row.parsed("account")?,
        secret: opened(vault, &id, row.text("secret")?)?,
        id,
        active: row.flag("active")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds an account; says whether it was new.
pub async fn insert_account(tx: &mut Tx, id: &AccountId, name: &str) -> Result<bool, Error> {
    let now = tx.now();
    let sql = "INSERT INTO accounts (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    Ok(tx.change(&ACCOUNTS, sql, args![id, name, now]).await? == 1)
}

/// Whether there is such an account. On PostgreSQL its row stays locked until the transaction ends, so that what is
/// decided about an account is decided by one node at a time.
pub async fn lock_account(tx: &mut Tx, id: &AccountId) -> Result<bool, Error> {
    Ok(tx.touch(&ACCOUNTS, "UPDATE accounts SET name = name WHERE id = $1", args![id]).await? == 1)
}

/// Whether there is such an account: it was made, or it owns something, as one may that nobody made where anybody is trusted. Each
/// table has an index that begins with the account.
pub async fn is_account(tx: &mut Tx, id: &AccountId) -> Result<bool, Error> {
    let sql = "SELECT 1 AS one WHERE EXISTS (SELECT 1 FROM accounts WHERE id = $1) \
               OR EXISTS (SELECT 1 FROM queues WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM topics WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM identities WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM configuration_sets WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM email_templates WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM receipt_rule_sets WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM receipt_filters WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM suppressed_addresses WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM account_settings WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM sending_accounts WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM platform_applications WHERE account = $1) \
               OR EXISTS (SELECT 1 FROM import_jobs WHERE account = $1)";
    Ok(tx.one(sql, args![id]).await?.is_some())
}

/// The account with this number.
pub async fn find_account(tx: &mut Tx, id: &AccountId) -> Result<Option<Account>, Error> {
    let row = tx.one("SELECT * FROM accounts WHERE id = $1", args![id]).await?;
    row.as_ref().map(read_account).transpose()
}

/// What an account may do.
pub async fn state(tx: &mut Tx, id: &AccountId) -> Result<State, Error> {
    let row = tx.one("SELECT state FROM accounts WHERE id = $1", args![id]).await?;
    State::read(row.map(|row| row.text("state")).transpose()?.as_deref())
}

/// Changes what an account may do; gives the number of accounts changed.
pub async fn set_state(tx: &mut Tx, id: &AccountId, state: State) -> Result<u64, Error> {
    tx.change(&ACCOUNTS, "UPDATE accounts SET state = $2 WHERE id = $1", args![id, state.as_str()]).await
}

/// All accounts, oldest first; `limit` at the most.
pub async fn list_accounts(tx: &mut Tx, limit: u32) -> Result<Vec<Account>, Error> {
    let rows = tx.all("SELECT * FROM accounts ORDER BY created_at, id LIMIT $1", args![limit]).await?;
    rows.iter().map(read_account).collect()
}

/// Adds a key; says whether its id was free.
pub async fn insert_key(tx: &mut Tx, id: &str, account: &AccountId, secret: &Secret) -> Result<bool, Error> {
    let now = tx.now();
    let secret = stored(tx, id, secret)?;
    let sql = "INSERT INTO access_keys (id, account, secret, active, created_at) VALUES ($1, $2, $3, 1, $4) \
               ON CONFLICT (id) DO NOTHING";
    Ok(tx.touch(&ACCESS_KEYS, sql, args![id, account, secret, now]).await? == 1)
}

/// Finds a key, active or not.
pub async fn find_key(tx: &mut Tx, id: &str) -> Result<Option<AccessKey>, Error> {
    let row = tx.one("SELECT * FROM access_keys WHERE id = $1", args![id]).await?;
    row.as_ref().map(|row| read_key(tx.vault(), row)).transpose()
}

/// Finds a key that may be used: it is active, and so is its account.
pub async fn find_usable_key(tx: &mut Tx, id: &str) -> Result<Option<AccessKey>, Error> {
    let sql = "SELECT k.* FROM access_keys k JOIN accounts a ON a.id = k.account \
               WHERE k.id = $1 AND k.active = 1 AND a.state = 'active'";
    let row = tx.one(sql, args![id]).await?;
    row.as_ref().map(|row| read_key(tx.vault(), row)).transpose()
}

/// An account's keys, oldest first. Served by `access_keys_by_account`.
pub async fn list_keys(tx: &mut Tx, account: &AccountId) -> Result<Vec<AccessKey>, Error> {
    let sql = "SELECT * FROM access_keys WHERE account = $1 ORDER BY created_at, id";
    let rows = tx.all(sql, args![account]).await?;
    rows.iter().map(|row| read_key(tx.vault(), row)).collect()
}

/// Replaces a key's secret and whether it may be used; gives the number of keys changed.
pub async fn update_key(tx: &mut Tx, id: &str, secret: &Secret, active: bool) -> Result<u64, Error> {
    let secret = stored(tx, id, secret)?;
    let sql = "UPDATE access_keys SET secret = $2, active = $3 WHERE id = $1";
    tx.change(&ACCESS_KEYS, sql, args![id, secret, active]).await
}

/// Takes a key away; gives the number of keys that went.
pub async fn delete_key(tx: &mut Tx, id: &str) -> Result<u64, Error> {
    tx.change(&ACCESS_KEYS, "DELETE FROM access_keys WHERE id = $1", args![id]).await
}

/// Seals the secrets of up to `limit` keys after `after` that are stored in clear or under an earlier master key. Gives
/// the last id that was looked at; `None` when there are no more.
pub async fn seal_secrets(tx: &mut Tx, after: &str, limit: u32) -> Result<Option<String>, Error> {
    let sql = "SELECT id, secret FROM access_keys WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = tx.all(sql, args![after, limit]).await?;
    for row in &rows {
        let (id, before) = (row.text("id")?, row.text("secret")?);
        if !tx.vault().is_up_to_date(&before) {
            let secret = opened(tx.vault(), &id, before.clone())?;
            let secret = stored(tx, &id, &secret)?;
            // Whoever changed it meanwhile has sealed it.
            let sql = "UPDATE access_keys SET secret = $2 WHERE id = $1 AND secret = $3";
            tx.touch(&ACCESS_KEYS, sql, args![&id, secret, before]).await?;
        }
    }
    rows.last().map(|row| row.text("id")).transpose()
}
