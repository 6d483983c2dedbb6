//! Receipt IP filters: who may deliver mail for an account in a region.
use crate::base::{AccountId, Region};
use crate::store::args;
use crate::store::engine::kept_table::KeptTable;
use crate::store::{Error, Row, Tx};

const FILTERS: KeptTable = KeptTable::new("receipt_filters");

/// A filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptFilter {
    /// Its name, unique in the account and region.
    pub name: String,
    /// `Block` or `Allow`.
    pub policy: String,
    /// The addresses, as they were given.
    pub cidr: String,
}

/// Holds the filters of an account and region, so that two that are made at once count each other. There is no row of
/// their own to hold, so each waits for the other's insert in `receipt_filters` under a name that no filter can have.
pub async fn hold(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<(), Error> {
    let now = tx.now();
    let sql = "INSERT INTO receipt_filters (account, region, name, policy, cidr, created_at) \
               VALUES ($1, $2, '', 'Hold', '', $3) \
               ON CONFLICT (account, region, name) DO UPDATE SET created_at = excluded.created_at";
    tx.touch(&FILTERS, sql, args![account, region, now]).await?;
    Ok(())
}

/// Stores a new filter; false when the name is taken.
pub async fn insert(tx: &mut Tx, account: &AccountId, region: &Region, filter: &ReceiptFilter) -> Result<bool, Error> {
    let now = tx.now();
    let sql = "INSERT INTO receipt_filters (account, region, name, policy, cidr, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
    let (name, policy, cidr) = (filter.name.as_str(), filter.policy.as_str(), filter.cidr.as_str());
    Ok(tx.change(&FILTERS, sql, args![account, region, name, policy, cidr, now]).await? == 1)
}

/// All filters by name: at most 200, more than the limit allows to make.
pub async fn list(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Vec<ReceiptFilter>, Error> {
    let sql = "SELECT name, policy, cidr FROM receipt_filters \
               WHERE account = $1 AND region = $2 AND name <> '' ORDER BY name LIMIT 200";
    tx.all(sql, args![account, region]).await?.iter().map(filter).collect()
}

/// Removes a filter; one that does not exist is fine.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
    let sql = "DELETE FROM receipt_filters WHERE account = $1 AND region = $2 AND name = $3";
    tx.change(&FILTERS, sql, args![account, region, name]).await?;
    Ok(())
}

fn filter(row: &Row) -> Result<ReceiptFilter, Error> {
    Ok(ReceiptFilter { name: row.text("name")?, policy: row.text("policy")?, cidr: row.text("cidr")? })
}
