//! Counting within windows of time: deliveries of throttled subscriptions, questions to addresses.
//!
//! A window that begins later than a whole one from now is over too: the wall clock was set back since.
use std::time::Duration;

use crate::base::Timestamp;
use crate::store::{Error, Tx, args};

/// Counts one delivery of a subscription in its window of one second, and gives how many that makes and when the window
/// ends.
pub async fn count_delivery(tx: &mut Tx, subscription: &str) -> Result<(u32, Timestamp), Error> {
    let window = Duration::from_secs(1);
    let now = tx.now();
    let row = tx
        .one(
            "INSERT INTO throttles AS t (subscription, window_at, used) VALUES ($1, $2, 1) \
             ON CONFLICT (subscription) DO UPDATE SET \
             used = CASE WHEN t.window_at <= $3 OR t.window_at > $4 THEN 1 ELSE t.used + 1 END, \
             window_at = CASE WHEN t.window_at <= $3 OR t.window_at > $4 THEN $2 ELSE t.window_at END RETURNING used, window_at",
            args![subscription, now, now - window, now + window],
        )
        .await?
        .ok_or_else(|| Error::corrupt("a count gave no row"))?;
    Ok((row.count("used")?, row.time("window_at")? + window))
}

/// Counts one question to an address in its window, and gives how many that makes.
pub async fn count_question(tx: &mut Tx, address: &str, window: Duration) -> Result<u32, Error> {
    let now = tx.now();
    let row = tx
        .one(
            "INSERT INTO asked_addresses AS t (address, window_at, asked) VALUES ($1, $2, 1) \
             ON CONFLICT (address) DO UPDATE SET \
             asked = CASE WHEN t.window_at <= $3 OR t.window_at > $4 THEN 1 ELSE t.asked + 1 END, \
             window_at = CASE WHEN t.window_at <= $3 OR t.window_at > $4 THEN $2 ELSE t.window_at END RETURNING asked",
            args![address, now, now - window, now + window],
        )
        .await?
        .ok_or_else(|| Error::corrupt("a count gave no row"))?;
    row.count("asked")
}

/// Forgets up to `limit` windows of each kind that began before `before`. Gives how many.
pub async fn expire(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<u64, Error> {
    let throttles = tx
        .run(
            "DELETE FROM throttles WHERE window_at < $1 AND subscription IN \
             (SELECT subscription FROM throttles WHERE window_at < $1 LIMIT $2)",
            args![before, limit],
        )
        .await?;
    let asked = tx
        .run(
            "DELETE FROM asked_addresses WHERE window_at < $1 AND address IN \
             (SELECT address FROM asked_addresses WHERE window_at < $1 LIMIT $2)",
            args![before, limit],
        )
        .await?;
    Ok(throttles + asked)
}
