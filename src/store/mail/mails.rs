//! Accepted mail: the raw message, the mail, its recipients and the attempts to deliver to each.
use crate::base::words::words;
use crate::base::{AccountId, Region, Timestamp};
use crate::store::engine::rows::Table;
use crate::store::mail::feedback;
use crate::store::mail::forwards;
use crate::store::mail::headers_record::HeadersRecord;
use crate::store::{Error, Json, Pairs, Row, Tx, Value, args};

pub use crate::store::mail::mail_attempts::{Attempt, AttemptOutcome, attempts, insert_attempt};

/// A mail as it was accepted for sending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The SES message id; also the id of the raw message.
    pub id: String,
    /// The account that sent it.
    pub account: AccountId,
    /// The region that it was sent in.
    pub region: Region,
    /// Who called: `ses:caller-identity`.
    pub caller: String,
    /// The caller's address.
    pub source_ip: Option<String>,
    /// The sender's address.
    pub source: String,
    /// Where bounces go; equal to `source` where none was named.
    pub return_path: String,
    /// The configuration set that it was sent with.
    pub configuration_set: Option<String>,
    /// Its tags, as the caller gave them, and `ses:operation`.
    pub tags: Json<Pairs>,
    /// What event records tell of the headers.
    pub headers: Json<HeadersRecord>,
    /// The name of the identity that allowed the sender; `None` for our own mails.
    pub identity: Option<String>,
    /// A caller's mail or one of our own.
    pub kind: Kind,
    /// Octets of the raw message.
    pub size: i64,
    /// How many of its recipients count in the quota: all but those of the mailbox simulator.
    pub recipient_count: i64,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// What is not delivered by then bounces.
    pub expires_at: Timestamp,
    /// Over TLS or not at all, whatever becomes of its configuration set.
    pub require_tls: bool,
}

/// Whose mail it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A caller's: counts in the quota.
    User,
    /// Our own, such as a verification mail: no quota, no events.
    System,
    /// A received mail that goes on: no quota, no events.
    Forward,
}

words!(Kind { User => "USER", System => "SYSTEM", Forward => "FORWARD" });

/// What has become of one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Not delivered yet: an outbound job exists.
    Pending,
    /// The other side said yes, or the mail was captured.
    Delivered,
    /// Given up: the sender was told.
    Bounced,
    /// Not sent, since the address is on a suppression list.
    Suppressed,
    /// Not sent, since the content is not acceptable.
    Rejected,
}

words!(Status {
    Pending => "Pending",
    Delivered => "Delivered",
    Bounced => "Bounced",
    Suppressed => "Suppressed",
    Rejected => "Rejected",
});

/// One recipient of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The mail.
    pub mail_id: String,
    /// Its place in the list, from 0.
    pub n: i64,
    /// The recipient's address.
    pub address: String,
    /// What has become of it.
    pub status: Status,
    /// How many attempts there were.
    pub attempts: i64,
    /// The newest answer or trouble, for people.
    pub last_reply: Option<String>,
    /// When a DeliveryDelay event was published.
    pub delayed_at: Option<Timestamp>,
}

/// Raw messages, of mails that come in and go out.
pub(in crate::store) static RAW: Table = Table { name: "raw_messages", columns: &["id", "data", "created_at"] };

/// The columns of accepted mails. The last one has a default where the database has a clock.
const COLUMNS: &[&str] = &[
    "id",
    "account",
    "region",
    "caller",
    "source_ip",
    "source",
    "return_path",
    "configuration_set",
    "tags",
    "headers",
    "identity",
    "kind",
    "size",
    "recipient_count",
    "accepted_at",
    "expires_at",
    "require_tls",
    "counted_at",
];

/// Accepted mails, which count from when they were accepted.
pub(in crate::store) static TABLE: Table = Table { name: "mails", columns: COLUMNS };

/// Accepted mails, which count from when the database wrote them.
pub(in crate::store) static TABLE_BY_DATABASE: Table =
    Table { name: "mails", columns: COLUMNS.split_at(COLUMNS.len() - 1).0 };

/// Their recipients.
pub(in crate::store) static RECIPIENTS: Table =
    Table { name: "recipients", columns: &["mail_id", "n", "address", "status", "changed_at"] };

impl Mail {
    /// The values for [`TABLE`], or for [`TABLE_BY_DATABASE`].
    pub(in crate::store) fn row(&self, by_database: bool) -> Vec<Value> {
        let mut values = args![
            &self.id,
            &self.account,
            &self.region,
            &self.caller,
            self.source_ip.clone(),
            &self.source,
            &self.return_path,
            self.configuration_set.clone(),
            &self.tags,
            &self.headers,
            self.identity.clone(),
            self.kind.as_str(),
            self.size,
            self.recipient_count,
            self.accepted_at,
            self.expires_at,
            self.require_tls,
        ];
        if !by_database {
            values.extend(args![self.accepted_at]);
        }
        values
    }
}

/// A recipient's row of a mail that was just accepted.
pub(in crate::store) fn recipient_values(mail: &Mail, n: i64, address: &str) -> Vec<Value> {
    args![&mail.id, n, address, Status::Pending.as_str(), mail.accepted_at]
}

/// The mail with this id.
pub async fn find(tx: &mut Tx, id: &str) -> Result<Option<Mail>, Error> {
    let row = tx.one("SELECT * FROM mails WHERE id = $1", args![id]).await?;
    row.map(|row| mail(&row)).transpose()
}

/// Keeps a message of which there is no mail: that of somebody who is not ours.
pub async fn insert_raw(tx: &mut Tx, id: &str, data: &[u8]) -> Result<(), Error> {
    let now = tx.now();
    let sql = "INSERT INTO raw_messages (id, data, created_at) VALUES ($1, $2, $3)";
    tx.run(sql, args![id, data.to_vec(), now]).await.map(|_| ())
}

/// The raw message of a mail.
pub async fn raw(tx: &mut Tx, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let row = tx.one("SELECT data FROM raw_messages WHERE id = $1", args![id]).await?;
    row.map(|row| row.blob("data")).transpose()
}

/// Whether the raw message of a mail is still there.
pub async fn has_raw(tx: &mut Tx, id: &str) -> Result<bool, Error> {
    Ok(tx.one("SELECT id FROM raw_messages WHERE id = $1", args![id]).await?.is_some())
}

/// The recipient at place `n`.
pub async fn recipient(tx: &mut Tx, mail_id: &str, n: i64) -> Result<Option<Recipient>, Error> {
    let row = tx.one("SELECT * FROM recipients WHERE mail_id = $1 AND n = $2", args![mail_id, n]).await?;
    row.map(|row| recipient_row(&row)).transpose()
}

/// All recipients of a mail, in order: at most 50.
pub async fn recipients(tx: &mut Tx, mail_id: &str) -> Result<Vec<Recipient>, Error> {
    let rows = tx.all("SELECT * FROM recipients WHERE mail_id = $1 ORDER BY n", args![mail_id]).await?;
    rows.iter().map(recipient_row).collect()
}

/// Sets the status of a recipient that is still `Pending` and counts the attempt; false when it was not pending.
pub async fn settle(
    tx: &mut Tx,
    mail_id: &str,
    n: i64,
    status: Status,
    attempts: i64,
    reply: Option<&str>,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = tx
        .run(
            "UPDATE recipients SET status = $1, attempts = $2, last_reply = $3, changed_at = $4 \
             WHERE mail_id = $5 AND n = $6 AND status = $7",
            args![status.as_str(), attempts, reply.map(str::to_owned), now, mail_id, n, Status::Pending.as_str()],
        )
        .await?;
    Ok(rows == 1)
}

/// Sets that a mail bounced after the other side had taken it, or before we could write that it had.
pub async fn bounce_later(tx: &mut Tx, mail_id: &str, n: i64, reply: &str) -> Result<(), Error> {
    let now = tx.now();
    let sql = "UPDATE recipients SET status = 'Bounced', last_reply = $1, changed_at = $2 \
               WHERE mail_id = $3 AND n = $4 AND status IN ('Pending', 'Delivered')";
    tx.run(sql, args![reply, now, mail_id, n]).await?;
    Ok(())
}

/// Marks that a DeliveryDelay event was published for a recipient.
pub async fn mark_delayed(tx: &mut Tx, mail_id: &str, n: i64, at: Timestamp) -> Result<(), Error> {
    tx.run("UPDATE recipients SET delayed_at = $1 WHERE mail_id = $2 AND n = $3", args![at, mail_id, n]).await?;
    Ok(())
}

/// How many recipients the account's own mails had since `after`, by the clock that counts (index `mails_counted`).
pub async fn recipients_since(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    span: (Timestamp, Timestamp),
) -> Result<i64, Error> {
    let (after, until) = span;
    let row = tx
        .one(
            "SELECT CAST(COALESCE(SUM(recipient_count), 0) AS BIGINT) AS total FROM mails \
             WHERE account = $1 AND region = $2 AND counted_at > $3 AND counted_at <= $4 AND kind = 'USER'",
            args![account, region, after, until],
        )
        .await?;
    row.map_or(Ok(0), |row| row.int("total"))
}

/// Removes up to `limit` raw messages of mails that were accepted before `before`: no recipient waits for them, and the
/// inbox does not show them (index `raw_messages_by_time`). Gives how many.
pub async fn expire_raw(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    tx.run(
        "DELETE FROM raw_messages WHERE id IN (SELECT r.id FROM raw_messages r JOIN mails m ON m.id = r.id \
         WHERE r.created_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM recipients p WHERE p.mail_id = r.id AND p.status = 'Pending') \
         AND NOT EXISTS (SELECT 1 FROM captured c WHERE c.mail_id = r.id) ORDER BY r.created_at LIMIT $2)",
        args![before, limit],
    )
    .await
}

/// Removes up to `limit` mails that were accepted before `before` and whose raw message is gone, with their recipients
/// and attempts (index `mails_by_time`). Gives how many.
pub async fn expire(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM mails WHERE id IN (SELECT m.id FROM mails m WHERE m.accepted_at < $1 \
               AND NOT EXISTS (SELECT 1 FROM raw_messages r WHERE r.id = m.id) ORDER BY m.accepted_at LIMIT $2) \
               RETURNING id";
    let gone = tx.all(sql, args![before, limit]).await?;
    for row in &gone {
        let id = row.text("id")?;
        tx.run("DELETE FROM attempts WHERE mail_id = $1", args![&id]).await?;
        tx.run("DELETE FROM recipients WHERE mail_id = $1", args![&id]).await?;
        feedback::forget(tx, &id).await?;
        forwards::take(tx, &id).await?;
    }
    Ok(gone.len() as u64)
}

pub(in crate::store) fn mail(row: &Row) -> Result<Mail, Error> {
    Ok(Mail {
        id: row.text("id")?,
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        caller: row.text("caller")?,
        source_ip: row.opt_text("source_ip")?,
        source: row.text("source")?,
        return_path: row.text("return_path")?,
        configuration_set: row.opt_text("configuration_set")?,
        tags: row.json("tags")?,
        headers: row.json("headers")?,
        identity: row.opt_text("identity")?,
        kind: row.parsed("kind")?,
        size: row.int("size")?,
        recipient_count: row.int("recipient_count")?,
        accepted_at: row.time("accepted_at")?,
        expires_at: row.time("expires_at")?,
        require_tls: row.flag("require_tls")?,
    })
}

pub(in crate::store) fn recipient_row(row: &Row) -> Result<Recipient, Error> {
    Ok(Recipient {
        mail_id: row.text("mail_id")?,
        n: row.int("n")?,
        address: row.text("address")?,
        status: row.parsed("status")?,
        attempts: row.int("attempts")?,
        last_reply: row.opt_text("last_reply")?,
        delayed_at: row.opt_int("delayed_at")?.map(Timestamp::from_micros),
    })
}
