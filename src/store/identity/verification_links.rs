//! Links that were mailed to addresses, so that they prove themselves. They also count how many mails an address and an
//! account have had.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::{Error, Tx};

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The hash of the token that stands in it.
    pub token: String,
    /// Whose identity it verifies.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// The address.
    pub name: String,
    /// When it was mailed.
    pub created_at: Timestamp,
    /// Until when it works.
    pub expires_at: Timestamp,
    /// When it was opened.
    pub used_at: Option<Timestamp>,
    /// Where the browser goes when it worked, and when not.
    pub redirects: Option<(String, String)>,
}

/// Stores a new link.
pub async fn insert(tx: &mut Tx, link: &Link) -> Result<(), Error> {
    let (success, failure) = link.redirects.clone().unzip();
    let sql = "INSERT INTO verification_links (token, account, region, name, created_at, expires_at, success_url, failure_url) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let values = args![
        &link.token,
        &link.account,
        &link.region,
        &link.name,
        link.created_at,
        link.expires_at,
        success,
        failure,
    ];
    tx.run(sql, values).await?;
    Ok(())
}

/// The link with this token (its hash).
pub async fn find(tx: &mut Tx, token: &str) -> Result<Option<Link>, Error> {
    let Some(row) = tx.one("SELECT * FROM verification_links WHERE token = $1", args![token]).await? else {
        return Ok(None);
    };
    Ok(Some(Link {
        token: row.text("token")?,
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        name: row.text("name")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        used_at: row.opt_time("used_at")?,
        redirects: row.opt_text("success_url")?.zip(row.opt_text("failure_url")?),
    }))
}

/// Takes a link that was not used yet; false when another was quicker.
pub async fn take(tx: &mut Tx, token: &str) -> Result<bool, Error> {
    let now = tx.now();
    let sql = "UPDATE verification_links SET used_at = $1 WHERE token = $2 AND used_at IS NULL";
    Ok(tx.run(sql, args![now, token]).await? > 0)
}

/// How many links were mailed to an address since then, by all accounts (index `verification_links_by_name`).
pub async fn count_to(tx: &mut Tx, name: &str, since: Timestamp) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM verification_links WHERE name = $1 AND created_at > $2";
    tx.one(sql, args![name, since]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// How many links an account has had mailed since then (index `verification_links_by_account`).
pub async fn count_of(tx: &mut Tx, account: &AccountId, since: Timestamp) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM verification_links WHERE account = $1 AND created_at > $2";
    tx.one(sql, args![account, since]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Removes up to `limit` links from before then; says how many.
pub async fn sweep(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM verification_links WHERE token IN \
               (SELECT token FROM verification_links WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    tx.run(sql, args![before, limit]).await
}
