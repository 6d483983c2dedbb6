//! Policies of identities: who else may send from them.
use crate::base::{AccountId, Region};
use crate::store::args;
use crate::store::identity::tables::IDENTITY_POLICIES;
use crate::store::{Error, Tx};

/// A policy with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityPolicy {
    /// Unique within the identity.
    pub name: String,
    /// The document, JSON.
    pub policy: String,
}

/// Stores a policy, or replaces the one of this name.
pub async fn put(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    identity: &str,
    policy: &IdentityPolicy,
) -> Result<(), Error> {
    let now = tx.now();
    let sql = "INSERT INTO identity_policies (account, region, identity, name, policy, created_at) \
               VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (account, region, identity, name) DO UPDATE SET policy = excluded.policy";
    tx.change(&IDENTITY_POLICIES, sql, args![account, region, identity, &policy.name, &policy.policy, now]).await?;
    Ok(())
}

/// Whether any identity of the account has a policy.
pub async fn are_any(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<bool, Error> {
    let sql = "SELECT 1 AS any_row FROM identity_policies WHERE account = $1 AND region = $2 LIMIT 1";
    Ok(tx.one(sql, args![account, region]).await?.is_some())
}

/// The policies of an identity, in the order of their names. The floor above keeps their number small.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    identity: &str,
) -> Result<Vec<IdentityPolicy>, Error> {
    let sql = "SELECT name, policy FROM identity_policies WHERE account = $1 AND region = $2 AND identity = $3 \
               ORDER BY name LIMIT 100";
    let rows = tx.all(sql, args![account, region, identity]).await?;
    rows.iter().map(|row| Ok(IdentityPolicy { name: row.text("name")?, policy: row.text("policy")? })).collect()
}

/// Removes a policy; false when there was none of this name.
pub async fn delete(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    identity: &str,
    name: &str,
) -> Result<bool, Error> {
    let sql = "DELETE FROM identity_policies WHERE account = $1 AND region = $2 AND identity = $3 AND name = $4";
    Ok(tx.change(&IDENTITY_POLICIES, sql, args![account, region, identity, name]).await? > 0)
}
