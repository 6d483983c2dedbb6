//! Templates of the mails that verify addresses.
use crate::base::{AccountId, Region};
use crate::store::args;
use crate::store::{Error, Json, Pairs, Row, Tx};

/// A template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerificationTemplate {
    /// Unique in the account and region.
    pub name: String,
    /// The sender's address.
    pub from: String,
    /// The subject.
    pub subject: String,
    /// HTML; the link is put after it.
    pub content: String,
    /// Where the browser goes when the link worked.
    pub success_url: String,
    /// Where it goes when not.
    pub failure_url: String,
    /// Its tags.
    pub tags: Json<Pairs>,
}

/// Stores a new template; breaks the unique rule when there is one of this name.
pub async fn insert(tx: &mut Tx, account: &AccountId, region: &Region, t: &VerificationTemplate) -> Result<(), Error> {
    let now = tx.now();
    let sql = "INSERT INTO verification_templates (account, region, name, from_address, subject, content, success_url, \
               failure_url, tags, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let values =
        args![account, region, &t.name, &t.from, &t.subject, &t.content, &t.success_url, &t.failure_url, &t.tags, now,];
    tx.run(sql, values).await?;
    Ok(())
}

/// Replaces a template; false when there is none of this name.
pub async fn update(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    t: &VerificationTemplate,
) -> Result<bool, Error> {
    let sql = "UPDATE verification_templates SET from_address = $1, subject = $2, content = $3, success_url = $4, \
               failure_url = $5, tags = $6 WHERE account = $7 AND region = $8 AND name = $9";
    let values =
        args![&t.from, &t.subject, &t.content, &t.success_url, &t.failure_url, &t.tags, account, region, &t.name];
    Ok(tx.run(sql, values).await? > 0)
}

/// The template of this name.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<Option<VerificationTemplate>, Error> {
    let sql = "SELECT * FROM verification_templates WHERE account = $1 AND region = $2 AND name = $3";
    tx.one(sql, args![account, region, name]).await?.map(|row| template(&row)).transpose()
}

/// Up to `limit` templates after the name `after`, in the order of names.
pub async fn page(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: &str,
    limit: i64,
) -> Result<Vec<VerificationTemplate>, Error> {
    let sql = "SELECT * FROM verification_templates WHERE account = $1 AND region = $2 AND name > $3 \
               ORDER BY name LIMIT $4";
    let rows = tx.all(sql, args![account, region, after, limit]).await?;
    rows.iter().map(template).collect()
}

/// How many templates the account has in the region.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM verification_templates WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Removes a template; false when there was none.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM verification_templates WHERE account = $1 AND region = $2 AND name = $3";
    Ok(tx.run(sql, args![account, region, name]).await? > 0)
}

fn template(row: &Row) -> Result<VerificationTemplate, Error> {
    Ok(VerificationTemplate {
        name: row.text("name")?,
        from: row.text("from_address")?,
        subject: row.text("subject")?,
        content: row.text("content")?,
        success_url: row.text("success_url")?,
        failure_url: row.text("failure_url")?,
        tags: row.json("tags")?,
    })
}
