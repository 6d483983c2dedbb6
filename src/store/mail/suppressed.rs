//! Suppression lists: addresses that an account sends nothing to.
use crate::base::words::words;
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::{Error, Row, Tx};

/// Why an address is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A mail to it bounced for good.
    Bounce,
    /// Its owner complained of a mail.
    Complaint,
}

// In the order in which SES lists them.
words!(Reason { Bounce => "BOUNCE", Complaint => "COMPLAINT" });

/// An address on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// The address, in lower case.
    pub address: String,
    /// Why.
    pub reason: Reason,
    /// The bounce or complaint that put it there; `None`: a call did.
    pub feedback_id: Option<String>,
    /// The mail that it was about.
    pub message_id: Option<String>,
    /// When it was put there last.
    pub updated_at: Timestamp,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// With one of these reasons.
    pub reasons: Vec<Reason>,
    /// Not older than this.
    pub from: Timestamp,
    /// Not newer than this.
    pub until: Timestamp,
    /// Addresses after this one.
    pub after: String,
    /// At most so many.
    pub limit: i64,
}

/// Puts an address on the list; what was there of it before is replaced.
pub async fn put(tx: &mut Tx, account: &AccountId, region: &Region, s: &Suppressed) -> Result<(), Error> {
    tx.run(
        "INSERT INTO suppressed_addresses (account, region, address, reason, feedback_id, message_id, updated_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (account, region, address) DO UPDATE SET \
         reason = excluded.reason, feedback_id = excluded.feedback_id, message_id = excluded.message_id, \
         updated_at = excluded.updated_at",
        args![
            account,
            region,
            &s.address,
            s.reason.as_str(),
            s.feedback_id.clone(),
            s.message_id.clone(),
            s.updated_at
        ],
    )
    .await?;
    Ok(())
}

/// The entry of an address (in lower case).
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    address: &str,
) -> Result<Option<Suppressed>, Error> {
    let sql = "SELECT * FROM suppressed_addresses WHERE account = $1 AND region = $2 AND address = $3";
    let row = tx.one(sql, args![account, region, address]).await?;
    row.map(|row| read(&row)).transpose()
}

/// Takes an address off the list; false when it was not there.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, address: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM suppressed_addresses WHERE account = $1 AND region = $2 AND address = $3";
    Ok(tx.run(sql, args![account, region, address]).await? > 0)
}

/// A part of the list, in the order of addresses (primary key).
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    wanted: &Wanted,
) -> Result<Vec<Suppressed>, Error> {
    let reason = |n: usize| wanted.reasons.get(n).or(wanted.reasons.first()).map_or("", |reason| reason.as_str());
    let rows = tx
        .all(
            "SELECT * FROM suppressed_addresses WHERE account = $1 AND region = $2 AND address > $3 \
             AND updated_at >= $4 AND updated_at <= $5 AND (reason = $6 OR reason = $7) ORDER BY address LIMIT $8",
            args![account, region, &wanted.after, wanted.from, wanted.until, reason(0), reason(1), wanted.limit],
        )
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Suppressed, Error> {
    Ok(Suppressed {
        address: row.text("address")?,
        reason: row.parsed("reason")?,
        feedback_id: row.opt_text("feedback_id")?,
        message_id: row.opt_text("message_id")?,
        updated_at: row.time("updated_at")?,
    })
}
