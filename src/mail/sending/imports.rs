//! Import jobs: the addresses of an object go on or off an account's suppression list, lot by lot. The count of what was
//! worked commits with each lot, so that after a crash a job goes on where it was.
use std::time::Duration;

use bytes::Bytes;

use crate::base::{AccountId, Clock, Region, Share, Shares, Timestamp, ids};
use crate::mail::sending::quota::{self, Limits};
use crate::mail::sending::suppression_file::{self, Failed, OCTETS_MAX, RECORDS_MAX, Record};
use crate::outlets::object::ObjectError;
use crate::outlets::objects::{self, Objects};
use crate::store::import_jobs::{self, ImportAction, ImportFormat, ImportJob, ImportStatus, NewImport};
use crate::store::suppressed::{self, Suppressed};
use crate::store::{self, Store, Tx};
use crate::workers::{Compute, Pieces, Taken, backoff, one_round};

/// Addresses in one transaction: few enough that others hardly notice.
const LOT: usize = 500;
/// Lots of one turn: then a job goes behind the others that are due.
const TURN: usize = 20;
/// Jobs that are worked on at once, of one account half of them. Each holds its object.
pub const IMPORTS_AT_ONCE: usize = 3;
/// Jobs of an account that may be under way. AWS does not say how many there may be.
const OPEN_MAX: i64 = 20;
/// Whoever works on a job and does not come further for so long has lost it.
const LEASE: Duration = Duration::from_secs(60);
/// How often an object store that fails is tried, and in what steps: about ten minutes.
const ATTEMPTS_MAX: u32 = 8;
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// How long jobs that ended are told.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// Why a job is not made.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not `s3://BUCKET/KEY`.
    #[error("{0:?} is not s3://BUCKET/KEY")]
    Url(String),
    /// SES: who is in the sandbox cannot import.
    #[error("the account is in the sandbox")]
    Sandbox,
    /// As many jobs are under way as there may be.
    #[error("there may be {OPEN_MAX} import jobs under way")]
    TooMany,
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// The import jobs of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Imports {
    store: Store,
    clock: Clock,
    objects: Objects,
    limits: Limits,
    accounts: Shares<String>,
    compute: Compute,
}

/// A job that was taken to be worked on.
pub struct Turn {
    job: ImportJob,
    _share: Share<String>,
}

impl Imports {
    /// Jobs that read from `objects`; `limits` are those of accounts without their own.
    pub fn new(store: Store, clock: Clock, objects: Objects, limits: Limits) -> Self {
        let places = u64::try_from(IMPORTS_AT_ONCE).unwrap_or(u64::MAX);
        Self { store, clock, objects, limits, accounts: Shares::new(places, 1), compute: Compute::default() }
    }

    /// The same jobs, where `compute` reads the lines.
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// Makes a job, and gives its id.
    ///
    /// # Errors
    /// See [`ImportError`]. Whether the object is there is seen when the job begins.
    pub async fn create(
        &self,
        account: &AccountId,
        region: &Region,
        action: ImportAction,
        url: &str,
        format: ImportFormat,
    ) -> Result<String, ImportError> {
        place(url).ok_or_else(|| ImportError::Url(url.chars().take(200).collect()))?;
        let id = ids::uuid();
        let new = NewImport {
            id: id.clone(),
            account: account.clone(),
            region: region.clone(),
            action,
            url: url.to_owned(),
            format,
        };
        let limits = self.limits;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if !quota::limits(tx, &new.account, &new.region, limits).await?.production_access {
                        return Err(ImportError::Sandbox);
                    }
                    if import_jobs::open(tx, &new.account, &new.region).await? >= OPEN_MAX {
                        return Err(ImportError::TooMany);
                    }
                    Ok(import_jobs::insert(tx, &new).await?)
                })
            })
            .await?;
        Ok(id)
    }

    /// The job with this id.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn get(&self, account: &AccountId, region: &Region, id: &str) -> Result<Option<ImportJob>, store::Error> {
        import_jobs::find(&mut self.store.reader().await?, account, region, id).await
    }

    /// Up to `limit` jobs that began before the one with the number `before`, newest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn list(
        &self,
        account: &AccountId,
        region: &Region,
        before: i64,
        limit: i64,
    ) -> Result<Vec<ImportJob>, store::Error> {
        import_jobs::list(&mut self.store.reader().await?, account, region, before, limit).await
    }

    /// Works the jobs that are due until each ends or has to wait. Gives how many lots and ends there were.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn round(&self) -> Result<usize, store::Error> {
        let mut steps = 0;
        loop {
            let (taken, done) = one_round(self, IMPORTS_AT_ONCE).await?;
            if taken == 0 {
                return Ok(steps);
            }
            steps += done;
        }
    }

    /// Forgets jobs that ended long ago. Called by the ticker.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self) -> Result<u64, store::Error> {
        let before = self.clock.now() - REMEMBERED;
        self.store.write(move |tx| Box::pin(async move { import_jobs::forget(tx, before).await })).await
    }

    async fn job(&self, job: ImportJob) -> Result<usize, store::Error> {
        let url = job.url.clone();
        let (action, format) = (job.action, job.format);
        let Some((bucket, key)) = place(&url) else {
            return self.end(&job, ImportStatus::Failed, Some("The job cannot be read."), None).await;
        };
        let data = match self.objects.get(bucket, key, OCTETS_MAX).await {
            Ok(data) => data,
            Err(ObjectError::Missing) => {
                return self.end(&job, ImportStatus::Failed, Some("The object does not exist."), None).await;
            }
            Err(ObjectError::TooLarge) => {
                return self.end(&job, ImportStatus::Failed, Some("The object is too large."), None).await;
            }
            Err(error) => return self.later(&job, &error).await,
        };
        let account = job.account.to_string();
        // Where too many wait for a place, the lease ends and the job comes again.
        let Ok(lines) = self.compute.in_place(&account, || suppression_file::lines(&data)).await else { return Ok(0) };
        let Some(lines) = lines else {
            let text = format!("The object is no text, or has more than {RECORDS_MAX} records.");
            return self.end(&job, ImportStatus::Failed, Some(&text), None).await;
        };
        let steps = self.lots(job, &lines, action, format).await?;
        let Some((job, mut steps)) = steps else { return Ok(0) };
        if usize::try_from(job.processed).is_ok_and(|done| done < lines.len()) {
            let ended: Result<(), store::Error> =
                self.store.write(move |tx| Box::pin(async move { import_jobs::end_turn(tx, &job).await })).await;
            return ended.map(|()| steps);
        }
        let failed = || lines.iter().filter_map(|line| suppression_file::record(*line, format, action).err()).collect();
        let Ok::<Vec<Failed>, _>(failed) = self.compute.in_place(&account, failed).await else { return Ok(steps) };
        if failed.is_empty() {
            steps += self.end(&job, ImportStatus::Completed, None, None).await?;
            return Ok(steps);
        }
        let report = format!("{key}.{}.failed.csv", job.id);
        match self.objects.put(bucket, &report, Bytes::from(suppression_file::report(&failed))).await {
            Ok(()) => {
                let url = format!("s3://{bucket}/{report}");
                steps += self.end(&job, ImportStatus::Completed, None, Some(&url)).await?;
            }
            // What was worked stays, so only the report is written again; a name that cannot be is not tried twice.
            Err(error @ (ObjectError::Key | ObjectError::Bucket)) => {
                let text = format!("The failed records cannot be written: {error}.");
                steps += self.end(&job, ImportStatus::Completed, Some(&text), None).await?;
            }
            Err(error) => steps += self.later(&job, &error).await?,
        }
        Ok(steps)
    }

    /// Works what is left of the lines, as far as one turn goes. `None`: somebody else has the job.
    async fn lots(
        &self,
        mut job: ImportJob,
        lines: &[(usize, &str)],
        action: ImportAction,
        format: ImportFormat,
    ) -> Result<Option<(ImportJob, usize)>, store::Error> {
        let mut steps = 0;
        while let Some(left) = usize::try_from(job.processed).ok().and_then(|done| lines.get(done..))
            && !left.is_empty()
            && steps < TURN
        {
            let lot = left.get(..LOT).unwrap_or(left);
            let mut records: Vec<Record> =
                lot.iter().filter_map(|line| suppression_file::record(*line, format, action).ok()).collect();
            // In one order for all, so that two jobs of a list do not wait for each other; of an address, the last one counts.
            records.sort_by(|a, b| a.address.cmp(&b.address));
            let worked = i64::try_from(lot.len()).unwrap_or(i64::MAX);
            let failed = i64::try_from(lot.len() - records.len()).unwrap_or(i64::MAX);
            let this = job.clone();
            let kept: Result<bool, store::Error> = self
                .store
                .write(move |tx| Box::pin(async move { lot_of(tx, &this, (worked, failed), &records, action).await }))
                .await;
            if !kept? {
                return Ok(None);
            }
            job.processed += worked;
            job.failed += failed;
            steps += 1;
        }
        Ok(Some((job, steps)))
    }

    async fn later(&self, job: &ImportJob, error: &ObjectError) -> Result<usize, store::Error> {
        tracing::error!(job.id = %job.id, url = %job.url, %error, "an import job's object store failed");
        if job.attempts + 1 >= ATTEMPTS_MAX || matches!(error, ObjectError::Bucket | ObjectError::Key) {
            let text = format!("The object store failed: {error}.");
            let status = if job.processed > 0 { ImportStatus::Completed } else { ImportStatus::Failed };
            return self.end(job, status, Some(&text), None).await;
        }
        let n = job.n;
        let until: Timestamp = self.clock.now() + backoff::doubling(job.attempts + 1, FIRST_RETRY, LAST_RETRY);
        self.store.write(move |tx| Box::pin(async move { import_jobs::put_off(tx, n, until).await })).await.map(|()| 0)
    }

    async fn end(
        &self,
        job: &ImportJob,
        status: ImportStatus,
        error: Option<&str>,
        failed_url: Option<&str>,
    ) -> Result<usize, store::Error> {
        tracing::info!(job.id = %job.id, %status, processed = job.processed, failed = job.failed, error, "an import job ended");
        let (n, error, failed_url) = (job.n, error.map(str::to_owned), failed_url.map(str::to_owned));
        let ended: Result<(), store::Error> = self
            .store
            .write(move |tx| {
                Box::pin(async move { import_jobs::end(tx, n, status, error.as_deref(), failed_url.as_deref()).await })
            })
            .await;
        ended.map(|()| 1)
    }
}

impl Pieces for Imports {
    type Piece = Turn;
    type Error = store::Error;

    async fn take(&self, room: usize) -> Result<Taken<Turn>, store::Error> {
        let mut taken = Taken { pieces: vec![], more: false };
        if !self.store.has_room() {
            return Ok(taken);
        }
        // Mostly none is due, and then nobody is kept from writing.
        while taken.pieces.len() < room && import_jobs::any_due(&mut self.store.reader().await?).await? {
            let full: Vec<String> = self.accounts.holders_without(1);
            taken.more |= !full.is_empty();
            let claimed: Result<_, store::Error> = self
                .store
                .write(move |tx| {
                    Box::pin(async move {
                        let until = tx.now() + LEASE;
                        import_jobs::claim(tx, until, &full).await
                    })
                })
                .await;
            let Some(job) = claimed? else { break };
            let Some(share) = self.accounts.take(&job.account.to_string(), 1) else {
                // Somebody was quicker: the job comes again.
                self.store.write(move |tx| Box::pin(async move { import_jobs::end_turn(tx, &job).await })).await?;
                break;
            };
            taken.pieces.push(Turn { job, _share: share });
        }
        Ok(taken)
    }

    async fn work(&self, turn: Turn) -> Result<usize, store::Error> {
        self.job(turn.job).await
    }
}

/// Works one lot, unless somebody else has come further.
async fn lot_of(
    tx: &mut Tx,
    job: &ImportJob,
    counts: (i64, i64),
    records: &[Record],
    action: ImportAction,
) -> Result<bool, store::Error> {
    let now = tx.now();
    if !import_jobs::advance(tx, job, counts, now + LEASE).await? {
        return Ok(false);
    }
    put_or_delete(tx, (&job.account, &job.region), records, action).await?;
    Ok(true)
}

/// Puts addresses on an account's list, or takes them off.
///
/// # Errors
/// When the store fails.
pub async fn put_or_delete(
    tx: &mut Tx,
    (account, region): (&AccountId, &Region),
    records: &[Record],
    action: ImportAction,
) -> Result<(), store::Error> {
    let updated_at = tx.now();
    for Record { address, reason } in records {
        if action == ImportAction::Delete {
            suppressed::delete(tx, account, region, address).await?;
            continue;
        }
        let (address, reason) = (address.clone(), *reason);
        let entry = Suppressed { address, reason, feedback_id: None, message_id: None, updated_at };
        suppressed::put(tx, account, region, &entry).await?;
    }
    Ok(())
}

/// Bucket and key of `s3://BUCKET/KEY`, if the object store could have it.
fn place(url: &str) -> Option<(&str, &str)> {
    let (bucket, key) = url.strip_prefix("s3://")?.split_once('/')?;
    let fine = objects::check_bucket(bucket).is_ok() && objects::check_key(key).is_ok();
    fine.then_some((bucket, key))
}
