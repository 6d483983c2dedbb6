//! Identities (domains and addresses that an account may send from) and their DKIM keys.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::{Error, Row, Tx};

/// A domain or an address of an account in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The owner.
    pub account: AccountId,
    /// Where it is known.
    pub region: Region,
    /// The domain or address, in lower case.
    pub name: String,
    /// `EMAIL_ADDRESS` or `DOMAIN`.
    pub kind: String,
    /// `PENDING`, `SUCCESS` or `FAILED`.
    pub status: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was found to be the account's.
    pub verified_at: Option<Timestamp>,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
    /// When to look next.
    pub next_check_at: Option<Timestamp>,
    /// The hash of the token in the link that was mailed.
    pub link_token: Option<String>,
    /// Until when that link works.
    pub link_expires_at: Option<Timestamp>,
    /// The configuration set for mails that name none.
    pub configuration_set: Option<String>,
    /// Whether bounces are mailed to the sender.
    pub feedback_forwarding: bool,
    /// Whether its mails are signed.
    pub dkim_signing: bool,
    /// JSON list of `[name, value]`.
    pub tags: String,
}

/// One DKIM key of a domain. The selectors of a domain may share a key.
#[derive(Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// What stands before `._domainkey.` in the DNS.
    pub selector: String,
    /// Its place among the selectors; 0 signs.
    pub n: i64,
    /// `rsa`.
    pub algorithm: String,
    /// The key's length.
    pub bits: i64,
    /// PKCS #8, DER.
    pub private_key: Vec<u8>,
    /// SubjectPublicKeyInfo, DER, base64: the `p=` of the DNS record.
    pub public_key: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Stores a new identity; breaks the unique rule when it is there already.
pub async fn insert(tx: &mut Tx, i: &Identity) -> Result<(), Error> {
    tx.run(
        "INSERT INTO identities (account, region, name, kind, status, created_at, verified_at, checked_at, next_check_at, \
         link_token, link_expires_at, configuration_set, feedback_forwarding, dkim_signing, tags) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        args![
            &i.account,
            &i.region,
            &i.name,
            &i.kind,
            &i.status,
            i.created_at,
            i.verified_at,
            i.checked_at,
            i.next_check_at,
            i.link_token.clone(),
            i.link_expires_at,
            i.configuration_set.clone(),
            i.feedback_forwarding,
            i.dkim_signing,
            &i.tags,
        ],
    )
    .await?;
    Ok(())
}

/// The identity of this name (lower case).
pub async fn find(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<Option<Identity>, Error> {
    let sql = "SELECT * FROM identities WHERE account = $1 AND region = $2 AND name = $3";
    let row = tx.one(sql, args![account, region, name]).await?;
    row.map(|row| identity(&row)).transpose()
}

/// Up to `limit` identities after the name `after`, in the order of names; of one kind where one is given.
pub async fn page(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    kind: Option<&str>,
    after: &str,
    limit: i64,
) -> Result<Vec<Identity>, Error> {
    let sql = "SELECT * FROM identities WHERE account = $1 AND region = $2 AND name > $3 \
               AND ($4 = '' OR kind = $4) ORDER BY name LIMIT $5";
    let rows = tx.all(sql, args![account, region, after, kind.unwrap_or_default(), limit]).await?;
    rows.iter().map(identity).collect()
}

/// How many identities the account has in the region.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM identities WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// The accounts and regions that have this identity verified, the first to have it first: whose mail is it?
pub async fn verified_owners(tx: &mut Tx, name: &str) -> Result<Vec<(AccountId, Region)>, Error> {
    let sql = "SELECT account, region FROM identities WHERE name = $1 AND status = 'SUCCESS' \
               ORDER BY verified_at, account, region LIMIT 100";
    let rows = tx.all(sql, args![name]).await?;
    rows.iter().map(|row| Ok((row.parsed("account")?, row.parsed("region")?))).collect()
}

/// Removes an identity and its keys; false when there was none.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
    let keys = "DELETE FROM dkim_keys WHERE account = $1 AND region = $2 AND domain = $3";
    tx.run(keys, args![account, region, name]).await?;
    let sql = "DELETE FROM identities WHERE account = $1 AND region = $2 AND name = $3";
    Ok(tx.run(sql, args![account, region, name]).await? > 0)
}

/// Sets what a check found. A verified identity waits for no link any more. An identity that was deleted and made
/// again since the check began is another one: it stays as it is.
pub async fn set_status(
    tx: &mut Tx,
    i: &Identity,
    status: &str,
    next_check_at: Option<Timestamp>,
) -> Result<(), Error> {
    let now = tx.now();
    let verified_at = if status == "SUCCESS" { i.verified_at.or(Some(now)) } else { i.verified_at };
    tx.run(
        "UPDATE identities SET status = $1, verified_at = $2, checked_at = $3, next_check_at = $4, link_token = NULL, \
         link_expires_at = NULL WHERE account = $5 AND region = $6 AND name = $7 AND created_at = $8",
        args![status, verified_at, now, next_check_at, &i.account, &i.region, &i.name, i.created_at],
    )
    .await?;
    Ok(())
}

/// Sets a new link (the hash of its token) for an address that is to be verified.
pub async fn set_link(tx: &mut Tx, i: &Identity, link_token: &str, expires_at: Timestamp) -> Result<(), Error> {
    tx.run(
        "UPDATE identities SET status = 'PENDING', link_token = $1, link_expires_at = $2, next_check_at = NULL \
         WHERE account = $3 AND region = $4 AND name = $5",
        args![link_token, expires_at, &i.account, &i.region, &i.name],
    )
    .await?;
    Ok(())
}

/// The identity that waits for the link with this token (its hash; index `identities_by_link`).
pub async fn find_by_link(tx: &mut Tx, link_token: &str) -> Result<Option<Identity>, Error> {
    let row = tx.one("SELECT * FROM identities WHERE link_token = $1", args![link_token]).await?;
    row.map(|row| identity(&row)).transpose()
}

/// Takes up to `limit` identities whose check is due and puts their next check off to `again_at`, so that no other node
/// looks at the same time (index `identities_due`).
pub async fn take_due(tx: &mut Tx, again_at: Timestamp, limit: i64) -> Result<Vec<Identity>, Error> {
    let now = tx.now();
    let sql = "UPDATE identities SET next_check_at = $1 WHERE next_check_at <= $2 AND (account, region, name) IN \
               (SELECT account, region, name FROM identities WHERE next_check_at <= $2 ORDER BY next_check_at LIMIT $3) \
               RETURNING *";
    let rows = tx.all(sql, args![again_at, now, limit]).await?;
    rows.iter().map(identity).collect()
}

/// Stores the keys of a new domain.
pub async fn insert_key(tx: &mut Tx, i: &Identity, key: &DkimKey) -> Result<(), Error> {
    tx.run(
        "INSERT INTO dkim_keys (account, region, domain, selector, n, algorithm, bits, private_key, public_key, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        args![
            &i.account,
            &i.region,
            &i.name,
            &key.selector,
            key.n,
            &key.algorithm,
            key.bits,
            key.private_key.clone(),
            &key.public_key,
            key.created_at,
        ],
    )
    .await?;
    Ok(())
}

/// The keys of a domain, in the order of its selectors.
pub async fn keys(tx: &mut Tx, account: &AccountId, region: &Region, domain: &str) -> Result<Vec<DkimKey>, Error> {
    let sql = "SELECT * FROM dkim_keys WHERE account = $1 AND region = $2 AND domain = $3 ORDER BY n LIMIT 10";
    let rows = tx.all(sql, args![account, region, domain]).await?;
    rows.iter().map(key).collect()
}

fn identity(row: &Row) -> Result<Identity, Error> {
    Ok(Identity {
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        status: row.text("status")?,
        created_at: row.time("created_at")?,
        verified_at: row.opt_time("verified_at")?,
        checked_at: row.opt_time("checked_at")?,
        next_check_at: row.opt_time("next_check_at")?,
        link_token: row.opt_text("link_token")?,
        link_expires_at: row.opt_time("link_expires_at")?,
        configuration_set: row.opt_text("configuration_set")?,
        feedback_forwarding: row.flag("feedback_forwarding")?,
        dkim_signing: row.flag("dkim_signing")?,
        tags: row.text("tags")?,
    })
}

fn key(row: &Row) -> Result<DkimKey, Error> {
    Ok(DkimKey {
        selector: row.text("selector")?,
        n: row.int("n")?,
        algorithm: row.text("algorithm")?,
        bits: row.int("bits")?,
        private_key: row.blob("private_key")?,
        public_key: row.text("public_key")?,
        created_at: row.time("created_at")?,
    })
}
