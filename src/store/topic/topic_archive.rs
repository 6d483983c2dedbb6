//! Archives of topics: what was published, kept for replays.
use crate::base::Timestamp;
use crate::store::{Error, Tx, args};

/// A message in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archived {
    /// Its place: grows in the order in which a topic's messages were published.
    pub id: i64,
    /// When it was published.
    pub at: Timestamp,
    /// JSON of the message.
    pub content: String,
}

/// Adds a message to its topic's archive. The topic is held, so that the places have the order of the commits.
pub async fn insert(tx: &mut Tx, topic_id: i64, at: Timestamp, content: &str) -> Result<u64, Error> {
    tx.run(
        "INSERT INTO topic_archive (topic_id, published_at, content) VALUES ($1, $2, $3)",
        args![topic_id, at, content],
    )
    .await
}

/// The messages of a topic after the place `after` that were published from `from` to `until`, in order; `limit` at the
/// most.
pub async fn list(
    tx: &mut Tx,
    topic_id: i64,
    after: i64,
    (from, until): (Timestamp, Timestamp),
    limit: u32,
) -> Result<Vec<Archived>, Error> {
    // Index: topic_archive_in_order.
    let rows = tx
        .all(
            "SELECT id, published_at, content FROM topic_archive WHERE topic_id = $1 AND id > $2 \
             AND published_at >= $3 AND published_at <= $4 ORDER BY id LIMIT $5",
            args![topic_id, after, from, until, limit],
        )
        .await?;
    rows.iter()
        .map(|row| Ok(Archived { id: row.int("id")?, at: row.time("published_at")?, content: row.text("content")? }))
        .collect()
}

/// The place before the first message of a topic that was published at `from` or later; the last place, when there is no
/// such message yet.
pub async fn before(tx: &mut Tx, topic_id: i64, from: Timestamp) -> Result<i64, Error> {
    // Index: topic_archive_by_time. Several, since nodes' clocks differ, and so does the order of times from that of places.
    let row = tx
        .one(
            "SELECT COALESCE((SELECT MIN(id) - 1 FROM (SELECT id FROM topic_archive WHERE topic_id = $1 \
             AND published_at >= $2 ORDER BY published_at, id LIMIT 1000) AS a), \
             (SELECT MAX(id) FROM topic_archive WHERE topic_id = $1), 0) AS place",
            args![topic_id, from],
        )
        .await?;
    row.map_or(Ok(0), |row| row.int("place"))
}

/// When the oldest message of a topic's archive was published.
pub async fn oldest(tx: &mut Tx, topic_id: i64) -> Result<Option<Timestamp>, Error> {
    let row = tx.one("SELECT MIN(published_at) AS at FROM topic_archive WHERE topic_id = $1", args![topic_id]).await?;
    Ok(row.map(|row| row.opt_time("at")).transpose()?.flatten())
}

/// The topics that have something in their archives, after the one with id `after`.
pub async fn topics(tx: &mut Tx, after: i64, limit: u32) -> Result<Vec<i64>, Error> {
    let rows = tx
        .all(
            "SELECT DISTINCT topic_id FROM topic_archive WHERE topic_id > $1 ORDER BY topic_id LIMIT $2",
            args![after, limit],
        )
        .await?;
    rows.iter().map(|row| row.int("topic_id")).collect()
}

/// Takes up to `limit` messages of a topic away that were published before `before`. Gives how many.
pub async fn expire(tx: &mut Tx, topic_id: i64, before: Timestamp, limit: u32) -> Result<u64, Error> {
    tx.run(
        "DELETE FROM topic_archive WHERE id IN \
         (SELECT id FROM topic_archive WHERE topic_id = $1 AND published_at < $2 LIMIT $3)",
        args![topic_id, before, limit],
    )
    .await
}
