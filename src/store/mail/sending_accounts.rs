//! What an account may send in a region. An account without a row has the mode's default.
use crate::base::{AccountId, Region};
use crate::store::engine::kept_table::KeptTable;
use crate::store::mail::sending_use;
use crate::store::{Error, Row, Tx, args};

const SENDING_ACCOUNTS: KeptTable = KeptTable::new("sending_accounts");

/// An account's sending limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendingAccount {
    /// Whether it may send at all.
    pub sending_enabled: bool,
    /// Whether it is out of the sandbox.
    pub production_access: bool,
    /// Recipients in 24 hours; -1 is unlimited.
    pub max_24_hour: i64,
    /// Recipients per second; -1 is unlimited.
    pub max_per_second: i64,
}

/// The account's row, if it has one.
pub async fn find(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Option<SendingAccount>, Error> {
    let sql = "SELECT * FROM sending_accounts WHERE account = $1 AND region = $2";
    let row = tx.one(sql, args![account, region]).await?;
    row.map(|row| read(&row)).transpose()
}

/// The account's row, made with `default` when there is none, and held until the transaction ends: who changes it by what
/// it read is alone, on every node.
pub async fn lock(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    default: SendingAccount,
) -> Result<SendingAccount, Error> {
    let now = tx.now();
    let rows = tx
        .touch_returning(
            &SENDING_ACCOUNTS,
            "INSERT INTO sending_accounts (account, region, sending_enabled, production_access, max_24_hour, max_per_second, \
             locked_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (account, region) DO UPDATE SET locked_at = excluded.locked_at RETURNING *",
            args![
                account,
                region,
                default.sending_enabled,
                default.production_access,
                default.max_24_hour,
                default.max_per_second,
                now,
            ],
        )
        .await?;
    rows.first().map_or(Ok(default), read)
}

/// Sets an account's limits: what `postrider admin` grants.
pub async fn put(tx: &mut Tx, account: &AccountId, region: &Region, limits: SendingAccount) -> Result<(), Error> {
    let now = tx.now();
    tx.change(
        &SENDING_ACCOUNTS,
        "INSERT INTO sending_accounts (account, region, sending_enabled, production_access, max_24_hour, max_per_second, \
         locked_at) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, region) DO UPDATE SET \
         sending_enabled = excluded.sending_enabled, production_access = excluded.production_access, \
         max_24_hour = excluded.max_24_hour, max_per_second = excluded.max_per_second",
        args![
            account,
            region,
            limits.sending_enabled,
            limits.production_access,
            limits.max_24_hour,
            limits.max_per_second,
            now,
        ],
    )
    .await?;
    sending_use::forget(tx, Some((account, region))).await
}

fn read(row: &Row) -> Result<SendingAccount, Error> {
    Ok(SendingAccount {
        sending_enabled: row.flag("sending_enabled")?,
        production_access: row.flag("production_access")?,
        max_24_hour: row.int("max_24_hour")?,
        max_per_second: row.int("max_per_second")?,
    })
}
