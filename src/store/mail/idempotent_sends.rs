//! Keys of send calls, with what each was answered.
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::{Error, Tx};

/// Keeps a key with the id of its mail; false when it is kept already, since `expired` or later. A key that is older is
/// taken anew.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    key: &str,
    fingerprint: &str,
    message_id: &str,
    expired: Timestamp,
) -> Result<bool, Error> {
    let now = tx.now();
    let rows = tx
        .run(
            "INSERT INTO idempotent_sends (account, region, key, fingerprint, message_id, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, key) DO UPDATE SET \
             fingerprint = excluded.fingerprint, message_id = excluded.message_id, created_at = excluded.created_at \
             WHERE idempotent_sends.created_at <= $7",
            args![account, region, key, fingerprint, message_id, now, expired],
        )
        .await?;
    Ok(rows > 0)
}

/// The fingerprint and the mail of a key.
pub async fn find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    key: &str,
) -> Result<Option<(String, String)>, Error> {
    let sql = "SELECT fingerprint, message_id FROM idempotent_sends WHERE account = $1 AND region = $2 AND key = $3";
    let row = tx.one(sql, args![account, region, key]).await?;
    row.map(|row| Ok((row.text("fingerprint")?, row.text("message_id")?))).transpose()
}

/// Removes up to `limit` keys from before `before` (index `idempotent_sends_by_time`). Gives how many.
pub async fn expire(tx: &mut Tx, before: Timestamp, limit: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM idempotent_sends WHERE (account, region, key) IN (SELECT account, region, key \
               FROM idempotent_sends WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
    tx.run(sql, args![before, limit]).await
}
