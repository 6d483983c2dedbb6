//! Import jobs: which object's addresses go on or off a suppression list, and how far that has come.
use crate::base::words::words;
use crate::base::{AccountId, Region, Timestamp};
use crate::store::engine::rows;
use crate::store::{Error, Row, Tx, args};

/// What becomes of the addresses (SESv2's SuppressionListImportAction).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportAction {
    /// They go on the list; what is there of them is replaced.
    Put,
    /// They go off the list.
    Delete,
}

words!(ImportAction { Put => "PUT", Delete => "DELETE" });

/// How a file is written (SESv2's DataFormat).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportFormat {
    /// Comma-separated values.
    Csv,
    /// A JSON object on each line.
    Json,
}

words!(ImportFormat { Csv => "CSV", Json => "JSON" });

/// How far a job has come (SESv2's JobStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStatus {
    /// It waits for its first turn.
    Created,
    /// It has had a turn.
    Processing,
    /// All records were worked.
    Completed,
    /// It could not go on.
    Failed,
}

words!(ImportStatus {
    Created => "CREATED",
    Processing => "PROCESSING",
    Completed => "COMPLETED",
    Failed => "FAILED",
});

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportJob {
    /// Its number: the order of starting.
    pub n: i64,
    /// The JobId.
    pub id: String,
    /// Whose list it is.
    pub account: AccountId,
    /// The list's region.
    pub region: Region,
    /// What becomes of the addresses.
    pub action: ImportAction,
    /// `s3://BUCKET/KEY`.
    pub url: String,
    /// How its object is written.
    pub format: ImportFormat,
    /// How far it has come.
    pub status: ImportStatus,
    /// Records that were worked, with those that failed.
    pub processed: i64,
    /// Records that are none.
    pub failed: i64,
    /// How often the object store failed.
    pub attempts: u32,
    /// Why it failed.
    pub error: Option<String>,
    /// The object that names the records that failed.
    pub failed_url: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
}

fn read(row: &Row) -> Result<ImportJob, Error> {
    Ok(ImportJob {
        n: row.int("n")?,
        id: row.text("id")?,
        account: row.parsed("account")?,
        region: row.parsed("region")?,
        action: row.parsed("action")?,
        url: row.text("url")?,
        format: row.parsed("format")?,
        status: row.parsed("status")?,
        processed: row.int("processed")?,
        failed: row.int("failed")?,
        attempts: row.count("attempts")?,
        error: row.opt_text("error")?,
        failed_url: row.opt_text("failed_url")?,
        created_at: row.time("created_at")?,
        completed_at: row.opt_int("completed_at")?.map(Timestamp::from_micros),
    })
}

/// What a new job is to do.
#[derive(Clone, Debug)]
pub struct NewImport {
    /// See [`ImportJob::id`].
    pub id: String,
    /// See [`ImportJob::account`].
    pub account: AccountId,
    /// See [`ImportJob::region`].
    pub region: Region,
    /// See [`ImportJob::action`].
    pub action: ImportAction,
    /// See [`ImportJob::url`].
    pub url: String,
    /// See [`ImportJob::format`].
    pub format: ImportFormat,
}

/// Adds a job that begins now.
pub async fn insert(tx: &mut Tx, new: &NewImport) -> Result<(), Error> {
    let now = tx.now();
    tx.run(
        "INSERT INTO import_jobs (id, account, region, action, url, format, status, processed, failed, attempts, \
         next_at, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, $8, $8)",
        args![
            &new.id,
            &new.account,
            &new.region,
            new.action.as_str(),
            &new.url,
            new.format.as_str(),
            ImportStatus::Created.as_str(),
            now
        ],
    )
    .await?;
    Ok(())
}

/// How many jobs of an account have not ended.
pub async fn open(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<i64, Error> {
    let sql = "SELECT COUNT(*) AS n FROM import_jobs WHERE account = $1 AND region = $2 AND next_at IS NOT NULL";
    tx.one(sql, args![account, region]).await?.map_or(Ok(0), |row| row.int("n"))
}

/// The job with this id.
pub async fn find(tx: &mut Tx, account: &AccountId, region: &Region, id: &str) -> Result<Option<ImportJob>, Error> {
    let sql = "SELECT * FROM import_jobs WHERE id = $1 AND account = $2 AND region = $3";
    tx.one(sql, args![id, account, region]).await?.map(|row| read(&row)).transpose()
}

/// Jobs that began before the job with the number `before`, newest first (index `import_jobs_by_account`).
pub async fn list(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    before: i64,
    limit: i64,
) -> Result<Vec<ImportJob>, Error> {
    let sql = "SELECT * FROM import_jobs WHERE account = $1 AND region = $2 AND n < $3 ORDER BY n DESC LIMIT $4";
    tx.all(sql, args![account, region, before, limit]).await?.iter().map(read).collect()
}

/// Whether a job is due (index `import_jobs_due`).
pub async fn any_due(tx: &mut Tx) -> Result<bool, Error> {
    let now = tx.now();
    Ok(tx.one("SELECT n FROM import_jobs WHERE next_at <= $1 LIMIT 1", args![now]).await?.is_some())
}

/// Takes the job whose turn is longest due, of no account in `except`. Nobody else takes it until `until`, or until it ends
/// (index `import_jobs_due`). Jobs that cannot be read fail here, so that they keep no others from their turn.
pub async fn claim(tx: &mut Tx, until: Timestamp, except: &[String]) -> Result<Option<ImportJob>, Error> {
    let (now, skip) = (tx.now(), tx.engine().skip_locked());
    let others = if except.is_empty() {
        String::new()
    } else {
        format!("AND account NOT IN ({})", rows::placeholders(2, except.len()))
    };
    let due = format!("SELECT n FROM import_jobs WHERE next_at <= $1 {others} ORDER BY next_at, n LIMIT 1 {skip}");
    loop {
        let values = rows::with_names(args![now], except);
        let Some(row) = tx.one(sqlx::AssertSqlSafe(due.clone()), values).await? else { return Ok(None) };
        let n = row.int("n")?;
        let sql = "UPDATE import_jobs SET next_at = $1, status = $2 WHERE n = $3 RETURNING *";
        let taken = tx.one(sql, args![until, ImportStatus::Processing.as_str(), n]).await?;
        match taken.map(|row| read(&row)).transpose() {
            Err(Error::Corrupt(why)) => {
                tracing::error!(job.n = n, error = why, "an import job cannot be read, and has failed");
                end(tx, n, ImportStatus::Failed, Some("The job cannot be read."), None).await?;
            }
            taken => return taken,
        }
    }
}

/// Ends a job's turn: those that are due go before it. Whoever worked on it must have it still, which `processed` says.
pub async fn end_turn(tx: &mut Tx, job: &ImportJob) -> Result<(), Error> {
    let now = tx.now();
    let sql = "UPDATE import_jobs SET next_at = $1 WHERE n = $2 AND processed = $3 AND next_at IS NOT NULL";
    tx.run(sql, args![now, job.n, job.processed]).await.map(drop)
}

/// Notes that `worked` more records were worked, `failed` of them in vain. False when somebody else works on the job by now:
/// then it has come further, or has ended. Whoever notes this holds the job until the transaction ends.
pub async fn advance(
    tx: &mut Tx,
    job: &ImportJob,
    (worked, failed): (i64, i64),
    until: Timestamp,
) -> Result<bool, Error> {
    let sql = "UPDATE import_jobs SET processed = processed + $1, failed = failed + $2, next_at = $3 \
               WHERE n = $4 AND processed = $5 AND next_at IS NOT NULL";
    Ok(tx.run(sql, args![worked, failed, until, job.n, job.processed]).await? > 0)
}

/// Puts a job off whose object store failed.
pub async fn put_off(tx: &mut Tx, n: i64, until: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE import_jobs SET attempts = attempts + 1, next_at = $1 WHERE n = $2 AND next_at IS NOT NULL";
    tx.run(sql, args![until, n]).await.map(drop)
}

/// Ends a job.
pub async fn end(
    tx: &mut Tx,
    n: i64,
    status: ImportStatus,
    error: Option<&str>,
    failed_url: Option<&str>,
) -> Result<(), Error> {
    let (now, error) = (tx.now(), error.map(str::to_owned));
    let sql = "UPDATE import_jobs SET status = $1, error = $2, failed_url = $3, completed_at = $4, next_at = NULL \
               WHERE n = $5 AND next_at IS NOT NULL";
    tx.run(sql, args![status.as_str(), error, failed_url.map(str::to_owned), now, n]).await.map(drop)
}

/// Forgets jobs that ended before `before` (index `import_jobs_ended`).
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    tx.run("DELETE FROM import_jobs WHERE completed_at < $1", args![before]).await
}
