//! Accounts and access keys.
use crate::base::{AccountId, Secret, Timestamp};
use crate::store::sql::args;
use crate::store::{Error, Row, Tx};

/// An account: the owner of queues, topics and identities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its 12 digits.
    pub id: AccountId,
    /// What a person calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
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
    Ok(Account { id: row.parsed("id")?, name: row.text("name")?, created_at: row.time("created_at")? })
}

fn read_key(row: &Row) -> Result<AccessKey, Error> {
    Ok(AccessKey {
        id: row.text("id")?,
        account: row.parsed("account")?,
        secret: Secret::new(row.text("secret")?),
        active: row.flag("active")?,
        created_at: row.time("created_at")?,
    })
}

/// Adds an account; says whether it was new.
pub async fn insert_account(tx: &mut Tx, id: &AccountId, name: &str) -> Result<bool, Error> {
    let now = tx.now();
    let sql = "INSERT INTO accounts (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
    Ok(tx.run(sql, args![id, name, now]).await? == 1)
}

/// Whether there is such an account. On PostgreSQL its row stays locked until the transaction ends, so that what is
/// decided about an account is decided by one node at a time.
pub async fn lock_account(tx: &mut Tx, id: &AccountId) -> Result<bool, Error> {
    Ok(tx.run("UPDATE accounts SET name = name WHERE id = $1", args![id]).await? == 1)
}

/// All accounts, oldest first; `limit` at the most.
pub async fn list_accounts(tx: &mut Tx, limit: u32) -> Result<Vec<Account>, Error> {
    let rows = tx.all("SELECT * FROM accounts ORDER BY created_at, id LIMIT $1", args![limit]).await?;
    rows.iter().map(read_account).collect()
}

/// Adds a key; says whether its id was free.
pub async fn insert_key(tx: &mut Tx, id: &str, account: &AccountId, secret: &Secret) -> Result<bool, Error> {
    let now = tx.now();
    let sql = "INSERT INTO access_keys (id, account, secret, active, created_at) VALUES ($1, $2, $3, 1, $4) \
               ON CONFLICT (id) DO NOTHING";
    Ok(tx.run(sql, args![id, account, secret.reveal(), now]).await? == 1)
}

/// Finds a key, active or not.
pub async fn find_key(tx: &mut Tx, id: &str) -> Result<Option<AccessKey>, Error> {
    let row = tx.one("SELECT * FROM access_keys WHERE id = $1", args![id]).await?;
    row.as_ref().map(read_key).transpose()
}

/// An account's keys, oldest first. Served by `access_keys_by_account`.
pub async fn list_keys(tx: &mut Tx, account: &AccountId) -> Result<Vec<AccessKey>, Error> {
    let sql = "SELECT * FROM access_keys WHERE account = $1 ORDER BY created_at, id";
    tx.all(sql, args![account]).await?.iter().map(read_key).collect()
}

/// Replaces a key's secret and whether it may be used; gives the number of keys changed.
pub async fn update_key(tx: &mut Tx, id: &str, secret: &Secret, active: bool) -> Result<u64, Error> {
    let sql = "UPDATE access_keys SET secret = $2, active = $3 WHERE id = $1";
    tx.run(sql, args![id, secret.reveal(), active]).await
}
