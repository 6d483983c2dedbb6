//! Templates of mails.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::{Error, Json, Pairs, Row, Tx};

/// A template of an account in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailTemplate {
    /// Its name.
    pub name: String,
    /// The subject's template.
    pub subject: Option<String>,
    /// The plain text's template.
    pub text: Option<String>,
    /// The HTML's template.
    pub html: Option<String>,
    /// Its tags.
    pub tags: Json<Pairs>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Stores a new template; breaks the unique rule when the name is taken.
pub async fn insert(tx: &mut Tx, account: &AccountId, region: &Region, t: &EmailTemplate) -> Result<(), Error> {
    tx.run(
        "INSERT INTO email_templates (account, region, name, subject, text, html, tags, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        args![account, region, &t.name, t.subject.clone(), t.text.clone(), t.html.clone(), &t.tags, t.created_at],
    )
    .await?;
    Ok(())
}

/// Replaces a template's parts; false when there is none of this name.
pub async fn update(tx: &mut Tx, account: &AccountId, region: &Region, t: &EmailTemplate) -> Result<bool, Error> {
    let sql = "UPDATE email_templates SET subject = $1, text = $2, html = $3 \
               WHERE account = $4 AND region = $5 AND name = $6";
    let rows = tx.run(sql, args![t.subject.clone(), t.text.clone(), t.html.clone(), account, region, &t.name]).await?;
    Ok(rows > 0)
}

/// The template of this name.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<Option<EmailTemplate>, Error> {
    let sql = "SELECT * FROM email_templates WHERE account = $1 AND region = $2 AND name = $3";
    let row = tx.one(sql, args![account, region, name]).await?;
    row.map(|row| read(&row)).transpose()
}

/// Replaces a template's tags.
pub async fn set_tags(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
    tags: &Json<Pairs>,
) -> Result<(), Error> {
    let sql = "UPDATE email_templates SET tags = $1 WHERE account = $2 AND region = $3 AND name = $4";
    tx.run(sql, args![tags, account, region, name]).await.map(drop)
}

/// Holds a template until the transaction ends, and gives its tags.
pub async fn hold_tags(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<Option<Json<Pairs>>, Error> {
    let hold = tx.engine().for_update();
    let sql = format!("SELECT tags FROM email_templates WHERE account = $1 AND region = $2 AND name = $3 {hold}");
    let row = tx.one(sqlx::AssertSqlSafe(sql), args![account, region, name]).await?;
    row.map(|row| row.json("tags")).transpose()
}

/// Up to `limit` names after the name `after`, in order, with the times at which they were made.
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, Timestamp)>, Error> {
    let sql = "SELECT name, created_at FROM email_templates WHERE account = $1 AND region = $2 AND name > $3 \
               ORDER BY name LIMIT $4";
    let rows = tx.all(sql, args![account, region, after, limit]).await?;
    rows.iter().map(|row| Ok((row.text("name")?, row.time("created_at")?))).collect()
}

/// How many templates the account has in the region.
pub async fn count(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM email_templates WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// Removes a template; false when there was none.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM email_templates WHERE account = $1 AND region = $2 AND name = $3";
    Ok(tx.run(sql, args![account, region, name]).await? > 0)
}

fn read(row: &Row) -> Result<EmailTemplate, Error> {
    Ok(EmailTemplate {
        name: row.text("name")?,
        subject: row.opt_text("subject")?,
        text: row.opt_text("text")?,
        html: row.opt_text("html")?,
        tags: row.json("tags")?,
        created_at: row.time("created_at")?,
    })
}
