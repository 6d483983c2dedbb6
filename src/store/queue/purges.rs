//! Purges that are under way: which queue, and until when its messages were sent that go.
use crate::base::Timestamp;
use crate::store::{Error, Tx, args};

/// Notes a purge of everything that was sent until now.
pub async fn insert(tx: &mut Tx, queue_id: i64, until: Timestamp) -> Result<u64, Error> {
    tx.run(
        "INSERT INTO purges (queue_id, until) VALUES ($1, $2) ON CONFLICT (queue_id) DO UPDATE SET until = excluded.until",
        args![queue_id, until],
    )
    .await
}

/// Purges that are under way, up to 1,000: the queue, and until when.
pub async fn list(tx: &mut Tx) -> Result<Vec<(i64, Timestamp)>, Error> {
    let rows = tx.all("SELECT queue_id, until FROM purges ORDER BY until LIMIT 1000", vec![]).await?;
    rows.iter().map(|row| Ok((row.int("queue_id")?, row.time("until")?))).collect()
}

/// A purge has taken everything away. A later one of the queue stays noted.
pub async fn end(tx: &mut Tx, queue_id: i64, until: Timestamp) -> Result<u64, Error> {
    tx.run("DELETE FROM purges WHERE queue_id = $1 AND until = $2", args![queue_id, until]).await
}
