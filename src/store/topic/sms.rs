//! Text messages: settings of accounts, phone numbers that want none, phone numbers of the sandbox.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::{Error, Row, Tx, args};

/// An account's settings in a region, a JSON object.
pub async fn settings(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Option<String>, Error> {
    let sql = "SELECT attributes FROM sms_settings WHERE account = $1 AND region = $2";
    tx.one(sql, args![account, region]).await?.map(|row| row.text("attributes")).transpose()
}

/// Replaces an account's settings in a region.
pub async fn set_settings(tx: &mut Tx, account: &AccountId, region: &Region, attributes: &str) -> Result<u64, Error> {
    tx.run(
        "INSERT INTO sms_settings (account, region, attributes) VALUES ($1, $2, $3) \
         ON CONFLICT (account, region) DO UPDATE SET attributes = EXCLUDED.attributes",
        args![account, region, attributes],
    )
    .await
}

/// Whether a phone number wants no messages of an account, and when it was last taken back in.
pub async fn opted_out(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    phone: &str,
) -> Result<(bool, Option<Timestamp>), Error> {
    let sql = "SELECT opted_out, opted_in_at FROM sms_opted_out WHERE account = $1 AND region = $2 AND phone = $3";
    let row = tx.one(sql, args![account, region, phone]).await?;
    let read = |row: Row| Ok((row.flag("opted_out")?, row.opt_int("opted_in_at")?.map(Timestamp::from_micros)));
    row.map_or(Ok((false, None)), read)
}

/// Notes that a phone number wants no messages.
pub async fn opt_out(tx: &mut Tx, account: &AccountId, region: &Region, phone: &str) -> Result<u64, Error> {
    tx.run(
        "INSERT INTO sms_opted_out (account, region, phone, opted_out) VALUES ($1, $2, $3, 1) \
         ON CONFLICT (account, region, phone) DO UPDATE SET opted_out = 1",
        args![account, region, phone],
    )
    .await
}

/// Takes a phone number back in.
pub async fn opt_in(tx: &mut Tx, account: &AccountId, region: &Region, phone: &str) -> Result<u64, Error> {
    let now = tx.now();
    tx.run(
        "UPDATE sms_opted_out SET opted_out = 0, opted_in_at = $1 \
         WHERE account = $2 AND region = $3 AND phone = $4 AND opted_out = 1",
        args![now, account, region, phone],
    )
    .await
}

/// An account's phone numbers that want no messages, after the one with id `after`; `limit` at the most.
pub async fn list_opted_out(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: i64,
    limit: u32,
) -> Result<Vec<(i64, String)>, Error> {
    let rows = tx
        .all(
            "SELECT id, phone FROM sms_opted_out WHERE account = $1 AND region = $2 AND opted_out = 1 AND id > $3 \
             ORDER BY id LIMIT $4",
            args![account, region, after, limit],
        )
        .await?;
    rows.iter().map(|row| Ok((row.int("id")?, row.text("phone")?))).collect()
}

/// A phone number of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxNumber {
    /// Grows with every new number.
    pub id: i64,
    /// The number.
    pub phone: String,
    /// Whether it may be sent to.
    pub verified: bool,
    /// What is kept of the password that was sent.
    pub code_hash: Option<String>,
    /// Until when the password holds.
    pub code_expires_at: Option<Timestamp>,
    /// How many wrong ones were tried.
    pub tries: u32,
}

fn sandbox_number(row: &Row) -> Result<SandboxNumber, Error> {
    Ok(SandboxNumber {
        id: row.int("id")?,
        phone: row.text("phone")?,
        verified: row.flag("verified")?,
        code_hash: row.opt_text("code_hash")?,
        code_expires_at: row.opt_int("code_expires_at")?.map(Timestamp::from_micros),
        tries: row.count("tries")?,
    })
}

/// An account's phone numbers in the sandbox, after the one with id `after`; `limit` at the most.
pub async fn sandbox(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    after: i64,
    limit: u32,
) -> Result<Vec<SandboxNumber>, Error> {
    let rows = tx
        .all(
            "SELECT * FROM sms_sandbox WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
            args![account, region, after, limit],
        )
        .await?;
    rows.iter().map(sandbox_number).collect()
}

/// One phone number of the sandbox.
pub async fn sandbox_find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    phone: &str,
) -> Result<Option<SandboxNumber>, Error> {
    let sql = "SELECT * FROM sms_sandbox WHERE account = $1 AND region = $2 AND phone = $3";
    tx.one(sql, args![account, region, phone]).await?.as_ref().map(sandbox_number).transpose()
}

/// Adds a phone number that waits for its password, or gives it a new one.
pub async fn sandbox_ask(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    phone: &str,
    code_hash: &str,
    until: Timestamp,
) -> Result<u64, Error> {
    let now = tx.now();
    tx.run(
        "INSERT INTO sms_sandbox (account, region, phone, verified, code_hash, code_expires_at, tries, created_at) \
         VALUES ($1, $2, $3, 0, $4, $5, 0, $6) ON CONFLICT (account, region, phone) \
         DO UPDATE SET code_hash = EXCLUDED.code_hash, code_expires_at = EXCLUDED.code_expires_at, tries = 0",
        args![account, region, phone, code_hash, until, now],
    )
    .await
}

/// Counts a wrong password.
pub async fn sandbox_count_try(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("UPDATE sms_sandbox SET tries = tries + 1 WHERE id = $1", args![id]).await
}

/// Marks a phone number as one that may be sent to.
pub async fn sandbox_verify(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("UPDATE sms_sandbox SET verified = 1, code_hash = NULL, code_expires_at = NULL WHERE id = $1", args![id])
        .await
}

/// Takes a phone number away.
pub async fn sandbox_delete(tx: &mut Tx, id: i64) -> Result<u64, Error> {
    tx.run("DELETE FROM sms_sandbox WHERE id = $1", args![id]).await
}
