//! Captured mail: what the inbox shows.
use crate::base::Timestamp;
use crate::store::args;
use crate::store::{Error, Row, Tx};

/// What the ids of mails begin with that no account sent: their messages are nobody else's, and go with them.
pub const CAUGHT: &str = "caught-";

/// One captured mail to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// The order of capture: grows.
    pub seq: i64,
    /// The mail.
    pub mail_id: String,
    /// The recipient's place in the mail.
    pub n: i64,
    /// The account that sent it.
    pub account: String,
    /// The region that it was sent in.
    pub region: String,
    /// The sender's address.
    pub source: String,
    /// The recipient's address.
    pub recipient: String,
    /// The subject, decoded.
    pub subject: String,
    /// Octets, with what delivery put before the message.
    pub size: i64,
    /// When it was captured.
    pub captured_at: Timestamp,
    /// How many recipients of the mail are captured, each with an entry of its own.
    pub recipients: i64,
}

/// A captured mail to add.
#[derive(Clone, Debug)]
pub struct NewCaptured {
    /// See [`Captured::mail_id`].
    pub mail_id: String,
    /// See [`Captured::n`].
    pub n: i64,
    /// See [`Captured::account`].
    pub account: String,
    /// See [`Captured::region`].
    pub region: String,
    /// See [`Captured::source`].
    pub source: String,
    /// See [`Captured::recipient`].
    pub recipient: String,
    /// See [`Captured::subject`].
    pub subject: String,
    /// Fields that stand before the stored message.
    pub prefix: Vec<u8>,
    /// See [`Captured::size`].
    pub size: i64,
}

/// Keeps a captured mail, and of the older ones only so many that there are `keep` at the most. A second capture of the
/// same recipient changes nothing.
pub async fn insert(tx: &mut Tx, c: &NewCaptured, keep: i64) -> Result<(), Error> {
    let now = tx.now();
    let row = tx
        .one(
            "INSERT INTO captured (mail_id, n, account, region, source, recipient, subject, prefix, size, captured_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (mail_id, n) DO NOTHING RETURNING seq",
            args![
                &c.mail_id,
                c.n,
                &c.account,
                &c.region,
                &c.source,
                &c.recipient,
                &c.subject,
                c.prefix.clone(),
                c.size,
                now,
            ],
        )
        .await?;
    if let Some(row) = row {
        let old = "DELETE FROM captured WHERE seq <= $1 RETURNING mail_id";
        for gone in tx.all(old, args![row.int("seq")?.saturating_sub(keep)]).await? {
            let id = gone.text("mail_id")?;
            if id.starts_with(CAUGHT) {
                let sql =
                    "DELETE FROM raw_messages WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM captured WHERE mail_id = $1)";
                tx.run(sql, args![&id]).await?;
            }
        }
    }
    Ok(())
}

/// Up to `limit` captured mails, newest first, that are older than `before`; `to`: to this recipient alone, in any case of letters.
pub async fn page(tx: &mut Tx, before: i64, to: Option<&str>, limit: i64) -> Result<Vec<Captured>, Error> {
    let sql = "SELECT captured.*, (SELECT COUNT(*) FROM captured whole WHERE whole.mail_id = captured.mail_id) AS recipients \
               FROM captured WHERE seq < $1 AND ($2 IS NULL OR lower(recipient) = $2) ORDER BY seq DESC LIMIT $3";
    let rows = tx.all(sql, args![before, to.map(str::to_lowercase), limit]).await?;
    rows.iter().map(captured).collect()
}

/// One captured mail.
pub async fn find(tx: &mut Tx, mail_id: &str, n: i64) -> Result<Option<Captured>, Error> {
    let sql = "SELECT captured.*, (SELECT COUNT(*) FROM captured whole WHERE whole.mail_id = $1) AS recipients FROM captured \
               WHERE mail_id = $1 AND n = $2";
    let row = tx.one(sql, args![mail_id, n]).await?;
    row.map(|row| captured(&row)).transpose()
}

/// The bytes of one captured mail as they would have gone out. `None` when it, or its message, is gone.
pub async fn content(tx: &mut Tx, mail_id: &str, n: i64) -> Result<Option<Vec<u8>>, Error> {
    let sql = "SELECT captured.prefix AS prefix, raw_messages.data AS data FROM captured \
               JOIN raw_messages ON raw_messages.id = captured.mail_id WHERE captured.mail_id = $1 AND captured.n = $2";
    let Some(row) = tx.one(sql, args![mail_id, n]).await? else { return Ok(None) };
    let mut content = row.blob("prefix")?;
    content.extend(row.blob("data")?);
    Ok(Some(content))
}

/// Empties the inbox; gives how many there were.
pub async fn clear(tx: &mut Tx) -> Result<u64, Error> {
    tx.run("DELETE FROM raw_messages WHERE id LIKE $1", args![format!("{CAUGHT}%")]).await?;
    tx.run("DELETE FROM captured", args![]).await
}

fn captured(row: &Row) -> Result<Captured, Error> {
    Ok(Captured {
        seq: row.int("seq")?,
        mail_id: row.text("mail_id")?,
        n: row.int("n")?,
        account: row.text("account")?,
        region: row.text("region")?,
        source: row.text("source")?,
        recipient: row.text("recipient")?,
        subject: row.text("subject")?,
        size: row.int("size")?,
        captured_at: row.time("captured_at")?,
        recipients: row.int("recipients")?,
    })
}
