//! Move tasks: what moves from which queue to which, how fast, and how far it has come.
use crate::base::words::words;
use crate::base::{AccountId, Timestamp};
use crate::store::{Error, Row, Tx, args};

/// What a task can be, in SQS's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveStatus {
    /// It moves messages.
    Running,
    /// It has moved all.
    Completed,
    /// It was cancelled and will stop in a moment.
    Cancelling,
    /// It was cancelled; what had moved stays moved.
    Cancelled,
    /// It could not go on.
    Failed,
}

words!(MoveStatus {
    Running => "RUNNING",
    Completed => "COMPLETED",
    Cancelling => "CANCELLING",
    Cancelled => "CANCELLED",
    Failed => "FAILED",
});

/// Why a task could not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveFailure {
    /// The source or the destination is gone.
    QueueMissing,
    /// A message was not moved into the source from another queue, so there is no way back.
    NoSource,
    /// The destination does not take a message: it is too long there.
    Refused,
    /// It took longer than 36 hours.
    TooLong,
    /// There is no such KMS key as a message or the destination needs.
    KeyMissing,
    /// That key is disabled.
    KeyDisabled,
    /// That key is about to be deleted.
    KeyState,
    /// A stored message is damaged.
    Unreadable,
}

words!(MoveFailure {
    QueueMissing => "queue missing",
    NoSource => "no source",
    Refused => "refused",
    TooLong => "too long",
    KeyMissing => "key missing",
    KeyDisabled => "key disabled",
    KeyState => "key state",
    Unreadable => "unreadable",
});

/// A task that moves messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveTask {
    /// Its number: the order of starting.
    pub id: i64,
    /// Its name for the user, a UUID.
    pub task_id: String,
    /// ARN of the queue whose messages move.
    pub source: String,
    /// ARN of the queue that they move to; `None`: each goes back to where it came from.
    pub destination: Option<String>,
    /// Messages per second, at the most.
    pub per_second: Option<u32>,
    /// What has become of it.
    pub status: MoveStatus,
    /// Why it failed.
    pub failure: Option<MoveFailure>,
    /// How many messages it has moved.
    pub moved: u32,
    /// How many there were when it started.
    pub to_move: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When the next message may move.
    pub next_at: Timestamp,
}

fn read(row: &Row) -> Result<MoveTask, Error> {
    Ok(MoveTask {
        id: row.int("id")?,
        task_id: row.text("task_id")?,
        source: row.text("source")?,
        destination: row.opt_text("destination")?,
        per_second: row.opt_int("per_second")?.and_then(|n| u32::try_from(n).ok()),
        status: row.parsed("status")?,
        failure: row.opt_parsed("failure")?,
        moved: row.count("moved")?,
        to_move: row.count("to_move")?,
        started_at: row.time("started_at")?,
        next_at: row.time("next_at")?,
    })
}

/// What a new task is to do.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// See [`MoveTask::task_id`].
    pub task_id: String,
    /// Whose task it is.
    pub account: AccountId,
    /// See [`MoveTask::source`].
    pub source: String,
    /// See [`MoveTask::destination`].
    pub destination: Option<String>,
    /// See [`MoveTask::per_second`].
    pub per_second: Option<u32>,
    /// See [`MoveTask::status`].
    pub status: MoveStatus,
    /// See [`MoveTask::to_move`].
    pub to_move: u32,
}

/// Adds a task that starts now. `false` when one is under way for its source.
pub async fn insert(tx: &mut Tx, new: &NewTask) -> Result<bool, Error> {
    let now = tx.now();
    let rows = tx
        .run(
            "INSERT INTO move_tasks (task_id, account, source, destination, per_second, status, moved, to_move, \
             started_at, next_at) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $8) \
             ON CONFLICT (source) WHERE ended_at IS NULL DO NOTHING",
            args![
                &new.task_id,
                &new.account,
                &new.source,
                new.destination.clone(),
                new.per_second,
                new.status.as_str(),
                new.to_move,
                now
            ],
        )
        .await?;
    Ok(rows > 0)
}

/// How many tasks of an account are under way.
pub async fn count_under_way(tx: &mut Tx, account: &AccountId) -> Result<u32, Error> {
    let row =
        tx.one("SELECT COUNT(*) AS n FROM move_tasks WHERE account = $1 AND ended_at IS NULL", args![account]).await?;
    row.map_or(Ok(0), |row| row.count("n"))
}

/// The latest tasks of a source, the newest first.
pub async fn latest(tx: &mut Tx, source: &str, limit: u32) -> Result<Vec<MoveTask>, Error> {
    let rows =
        tx.all("SELECT * FROM move_tasks WHERE source = $1 ORDER BY id DESC LIMIT $2", args![source, limit]).await?;
    rows.iter().map(read).collect()
}

/// The task of this name, locked until the transaction ends.
pub async fn find(tx: &mut Tx, source: &str, task_id: &str) -> Result<Option<MoveTask>, Error> {
    let sql = format!("SELECT * FROM move_tasks WHERE source = $1 AND task_id = $2 {}", tx.engine().for_update());
    let row = tx.one(sqlx::AssertSqlSafe(sql), args![source, task_id]).await?;
    row.as_ref().map(read).transpose()
}

/// Tasks that are under way and may move a message now.
pub async fn due(tx: &mut Tx) -> Result<Vec<i64>, Error> {
    let now = tx.now();
    let rows = tx
        .all(
            "SELECT id FROM move_tasks WHERE ended_at IS NULL AND next_at <= $1 ORDER BY next_at LIMIT 1000",
            args![now],
        )
        .await?;
    rows.iter().map(|row| row.int("id")).collect()
}

/// The task of this number, locked until the transaction ends, if it is still due. `None` also when another node
/// holds it.
pub async fn lock_due(tx: &mut Tx, id: i64) -> Result<Option<MoveTask>, Error> {
    let now = tx.now();
    let sql = format!(
        "SELECT * FROM move_tasks WHERE id = $1 AND ended_at IS NULL AND next_at <= $2 {}",
        tx.engine().skip_locked()
    );
    let row = tx.one(sqlx::AssertSqlSafe(sql), args![id, now]).await?;
    row.as_ref().map(read).transpose()
}

/// Notes that `moved` more messages have moved, and when the next may.
pub async fn advance(tx: &mut Tx, id: i64, moved: u32, next_at: Timestamp) -> Result<u64, Error> {
    tx.run("UPDATE move_tasks SET moved = moved + $1, next_at = $2 WHERE id = $3", args![moved, next_at, id]).await
}

/// Gives a task another status, and lets the next round look at it at once.
pub async fn set_status(tx: &mut Tx, id: i64, status: MoveStatus) -> Result<u64, Error> {
    let now = tx.now();
    tx.run("UPDATE move_tasks SET status = $1, next_at = $2 WHERE id = $3", args![status.as_str(), now, id]).await
}

/// Ends a task now.
pub async fn end(tx: &mut Tx, id: i64, status: MoveStatus, failure: Option<MoveFailure>) -> Result<u64, Error> {
    let now = tx.now();
    tx.run(
        "UPDATE move_tasks SET status = $1, failure = $2, ended_at = $3 WHERE id = $4",
        args![status.as_str(), failure.map(MoveFailure::as_str), now, id],
    )
    .await
}

/// Forgets tasks that ended before `before`.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    tx.run("DELETE FROM move_tasks WHERE ended_at < $1", args![before]).await
}
