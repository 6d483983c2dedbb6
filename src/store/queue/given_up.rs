//! Jobs that were given up: the dead letters of the system's queues.
use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::queue::claim_ends::regroup;
use crate::store::queue::groups::close_empty;
use crate::store::{Error, Row, Tx, args};

/// A job that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// Its place in the store.
    pub id: i64,
    /// The queue of dead letters.
    pub queue_id: i64,
    /// When it was added to its queue.
    pub sent_at: Timestamp,
    /// When it was given up.
    pub given_up_at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// A word that says why it was given up.
    pub why: Option<String>,
    /// What to do: JSON that the queue's worker understands.
    pub body: String,
}

const COLUMNS: &str = "id, queue_id, sent_at, visible_at, receive_count, why, body";

fn read(row: &Row) -> Result<GivenUp, Error> {
    Ok(GivenUp {
        id: row.int("id")?,
        queue_id: row.int("queue_id")?,
        sent_at: row.time("sent_at")?,
        // Moved there, and never claimed.
        given_up_at: row.time("visible_at")?,
        attempts: u32::try_from(row.int("receive_count")?.max(0)).unwrap_or(u32::MAX),
        why: row.opt_text("why")?,
        body: row.text("body")?,
    })
}

/// The dead letters of a queue in the order in which the jobs were added, after one that was added at a time and has an id;
/// `limit` at the most.
pub async fn page(
    tx: &mut Tx,
    queue_id: i64,
    (sent_at, id): (Timestamp, i64),
    limit: u32,
) -> Result<Vec<GivenUp>, Error> {
    // Index: messages_grouped_by_age. Few jobs are in no group.
    let part = |condition: &str| {
        format!(
            "SELECT * FROM (SELECT {COLUMNS} FROM messages WHERE queue_id = $1 AND {condition} \
             AND (sent_at, id) > ($2, $3) ORDER BY sent_at, id LIMIT $4) AS part"
        )
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM ({} UNION ALL {}) AS parts ORDER BY sent_at, id LIMIT $4",
        part("grouped > 0"),
        part("grouped = 0")
    );
    tx.all(AssertSqlSafe(sql), args![queue_id, sent_at, id, limit]).await?.iter().map(read).collect()
}

/// The job of this id, if it is a dead letter of one of the queues, held until the transaction ends.
pub async fn hold(tx: &mut Tx, id: i64, queue_ids: &[i64]) -> Result<Option<GivenUp>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM messages WHERE id = $1 {}", tx.engine().for_update());
    let job = tx.one(AssertSqlSafe(sql), args![id]).await?.as_ref().map(read).transpose()?;
    Ok(job.filter(|job| queue_ids.contains(&job.queue_id)))
}

/// Puts a job into a queue as if it were new: visible at once, and never tried. `false` when it is no dead letter any more.
pub async fn put_back(tx: &mut Tx, job: &GivenUp, queue_id: i64) -> Result<bool, Error> {
    let now = tx.now();
    let put = tx
        .all(
            "UPDATE messages SET queue_id = $1, visible_at = $2, sent_at = $2, first_received_at = NULL, \
             received_at = NULL, receive_count = 0, receives_before = 0, receipt = 0, holder = NULL, why = NULL \
             WHERE id = $3 AND queue_id = $4 RETURNING queue_id, group_id, grouped, visible_at",
            args![queue_id, now, job.id, job.queue_id],
        )
        .await?;
    regroup(tx, &put).await?;
    leave(tx, job.queue_id, &put).await?;
    tx.ring(queue_id, put.len());
    Ok(!put.is_empty())
}

/// Takes a job away. `false` when it is no dead letter any more.
pub async fn remove(tx: &mut Tx, job: &GivenUp) -> Result<bool, Error> {
    let sql = "DELETE FROM messages WHERE id = $1 AND queue_id = $2 RETURNING group_id";
    let gone = tx.all(sql, args![job.id, job.queue_id]).await?;
    leave(tx, job.queue_id, &gone).await?;
    Ok(!gone.is_empty())
}

/// Forgets the groups that these rows were the last of.
async fn leave(tx: &mut Tx, queue_id: i64, rows: &[Row]) -> Result<(), Error> {
    for row in rows {
        if let Some(group) = row.opt_text("group_id")? {
            close_empty(tx, queue_id, &[group]).await?;
        }
    }
    Ok(())
}
