//! Delivery streams: their records, and the objects that these are being written into.
use crate::base::Timestamp;
use crate::store::engine::rows;
use crate::store::{Error, Tx, args};

/// Adds a record to a stream.
pub async fn insert(tx: &mut Tx, stream: &str, data: &str) -> Result<u64, Error> {
    let now = tx.now();
    let size = i64::try_from(data.len()).unwrap_or(i64::MAX);
    tx.run(
        "INSERT INTO stream_records (stream, batch, size, data, created_at) VALUES ($1, 0, $2, $3, $4)",
        args![stream, size, data, now],
    )
    .await
}

/// Records of one stream that have no object yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The stream's ARN.
    pub stream: String,
    /// Their bytes together.
    pub bytes: i64,
    /// When the oldest came.
    pub oldest: Timestamp,
}

/// The streams that have records without an object.
pub async fn waiting(tx: &mut Tx) -> Result<Vec<Waiting>, Error> {
    // Index: stream_records_by_batch.
    let rows = tx
        .all(
            "SELECT stream, CAST(SUM(size) AS BIGINT) AS bytes, MIN(created_at) AS oldest FROM stream_records \
             WHERE batch = 0 GROUP BY stream ORDER BY stream",
            args![],
        )
        .await?;
    let read = |row: &crate::store::Row| {
        Ok(Waiting { stream: row.text("stream")?, bytes: row.int("bytes")?, oldest: row.time("oldest")? })
    };
    rows.iter().map(read).collect()
}

/// The ids and sizes of a stream's records without an object, oldest first; `limit` at the most.
pub async fn uncut(tx: &mut Tx, stream: &str, limit: u32) -> Result<Vec<(i64, i64)>, Error> {
    let rows = tx
        .all(
            "SELECT id, size FROM stream_records WHERE batch = 0 AND stream = $1 ORDER BY id LIMIT $2",
            args![stream, limit],
        )
        .await?;
    rows.iter().map(|row| Ok((row.int("id")?, row.int("size")?))).collect()
}

/// Gives the records up to the one with id `last` an object. The number of records; 0 where another node was faster.
pub async fn cut(tx: &mut Tx, stream: &str, object_key: &str, last: i64) -> Result<u64, Error> {
    let now = tx.now();
    let row = tx
        .one(
            "INSERT INTO stream_batches (stream, object_key, attempts, next_at, created_at) VALUES ($1, $2, 0, $3, $3) \
             RETURNING id",
            args![stream, object_key, now],
        )
        .await?
        .ok_or_else(|| Error::corrupt("an insert gave no id"))?;
    let batch = row.int("id")?;
    let records = tx
        .run(
            "UPDATE stream_records SET batch = $1 WHERE batch = 0 AND stream = $2 AND id <= $3",
            args![batch, stream, last],
        )
        .await?;
    if records == 0 {
        tx.run("DELETE FROM stream_batches WHERE id = $1", args![batch]).await?;
    }
    Ok(records)
}

/// An object to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub id: i64,
    /// The stream's ARN.
    pub stream: String,
    /// The object's key.
    pub object_key: String,
    /// How often writing it has failed.
    pub attempts: u32,
}

/// The object that is to be written now and has waited longest, of no stream in `except`.
pub async fn due(tx: &mut Tx, except: &[String]) -> Result<Option<Batch>, Error> {
    let now = tx.now();
    let others = if except.is_empty() {
        String::new()
    } else {
        format!("AND stream NOT IN ({})", rows::placeholders(2, except.len()))
    };
    let sql = format!("SELECT * FROM stream_batches WHERE next_at <= $1 {others} ORDER BY next_at, id LIMIT 1");
    let row = tx.one(sqlx::AssertSqlSafe(sql), rows::with_names(args![now], except)).await?;
    let read = |row: crate::store::Row| {
        Ok(Batch {
            id: row.int("id")?,
            stream: row.text("stream")?,
            object_key: row.text("object_key")?,
            attempts: row.count("attempts")?,
        })
    };
    row.map(read).transpose()
}

/// The records of an object, in order.
pub async fn records(tx: &mut Tx, batch: i64, stream: &str) -> Result<Vec<String>, Error> {
    let rows = tx
        .all("SELECT data FROM stream_records WHERE batch = $1 AND stream = $2 ORDER BY id", args![batch, stream])
        .await?;
    rows.iter().map(|row| row.text("data")).collect()
}

/// How many objects of a stream wait to be written.
pub async fn batches(tx: &mut Tx, stream: &str) -> Result<u32, Error> {
    let row = tx.one("SELECT COUNT(*) AS n FROM stream_batches WHERE stream = $1", args![stream]).await?;
    row.map_or(Ok(0), |row| row.count("n"))
}

/// Says when an object that could not be written is tried again.
pub async fn put_off(tx: &mut Tx, batch: i64, until: Timestamp) -> Result<u64, Error> {
    tx.run("UPDATE stream_batches SET attempts = attempts + 1, next_at = $1 WHERE id = $2", args![until, batch]).await
}

/// Forgets an object that was written, and its records.
pub async fn written(tx: &mut Tx, batch: i64) -> Result<(), Error> {
    tx.run("DELETE FROM stream_records WHERE batch = $1", args![batch]).await?;
    tx.run("DELETE FROM stream_batches WHERE id = $1", args![batch]).await?;
    Ok(())
}
