//! Deletes an account with all that it holds. It does so in small transactions; one that was stopped half way goes on when it is
//! asked again.
use std::collections::BTreeMap;

use crate::access::{self, State};
use crate::app::admin::{Admin, AdminError, STRAGGLERS};
use crate::base::AccountId;
use crate::operator::owners::{self, Owned};
use crate::queues::Queues;
use crate::store::account_removal::{self as removal, FIGURES, KEYS, SUBSCRIBED, TABLES, Table, WALKED, Walked};
use crate::store::queued_jobs::Part;
use crate::store::{self, Store, Tx, account_holdings, publications, queued_jobs};
use crate::workers::SystemQueue;

/// Rows that go in one transaction.
const AT_ONCE: u32 = 500;
/// Mails that go in one transaction, with their messages.
const MAILS_AT_ONCE: u32 = 50;
/// Subscriptions that go in one transaction, once what is kept of their deliveries has gone.
const SUBSCRIPTIONS_AT_ONCE: u32 = 50;

impl Admin {
    /// Says what an account holds, and deletes it with all of it when `confirmed` names the account again.
    ///
    /// # Errors
    /// When there is no such account, when it is the root account, or when another number is confirmed.
    pub async fn delete_account(
        &self,
        account: &AccountId,
        confirmed: Option<&AccountId>,
    ) -> Result<Vec<String>, AdminError> {
        let found = access::find_deletable(&self.store, account).await?;
        if let Some(other) = confirmed.filter(|confirmed| *confirmed != account) {
            return Err(AdminError::NotConfirmed(account.clone(), other.clone()));
        }
        let mut lines = vec![format!("account {} {}", found.id, found.name)];
        lines.extend(self.holdings(account).await?);
        if confirmed.is_none() {
            if found.state == State::Deleting {
                lines.push("its deletion was begun before; this is what is left".to_owned());
            }
            lines.push("objects in buckets are not deleted: accounts share the buckets".to_owned());
            lines.push(format!("nothing was deleted; to delete all of this for good, add --confirm {account}"));
            return Ok(lines);
        }
        access::begin_deletion(&self.store, account).await?;
        remove_all(&self.store, account).await?;
        // A server that is running may have been in the middle of something.
        self.clock.sleep(STRAGGLERS).await;
        while remove_all(&self.store, account).await? > 0 {}
        let id = account.clone();
        self.store.write(move |tx| Box::pin(async move { removal::delete_account(tx, &id).await })).await?;
        // Running servers do the same, each in its time.
        let swept = Queues::new(self.store.clone(), self.clock.clone()).sweep_deleted().await;
        swept.map_err(|error| AdminError::Queues(error.to_string()))?;
        lines.push(format!("account {account} and all of this was deleted"));
        Ok(lines)
    }

    /// A line for each region and kind of thing.
    async fn holdings(&self, account: &AccountId) -> Result<Vec<String>, AdminError> {
        let mut by_region: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for held in account_holdings::count(&mut self.store.reader().await?, account).await? {
            by_region.entry(held.region).or_default().push(format!("  {}: {}", held.kind, held.count));
        }
        let name = |region: String| if region.is_empty() { "everywhere".to_owned() } else { region };
        Ok(by_region.into_iter().flat_map(|(region, held)| std::iter::once(name(region)).chain(held)).collect())
    }
}

/// Takes away what there is, once through all tables. Gives how many rows went.
async fn remove_all(store: &Store, account: &AccountId) -> Result<u64, store::Error> {
    let mut gone = remove(store, account, &KEYS).await?;
    // Before the mails, by which they are known.
    gone += remove_jobs(store, account).await?;
    gone += remove_mails(store, account).await?;
    for table in &WALKED {
        gone += walk(store, account, table).await?;
    }
    for table in &SUBSCRIBED {
        gone += remove_subscriptions(store, account, table).await?;
    }
    for table in &TABLES {
        gone += remove(store, account, table).await?;
    }
    gone += lots(store, account, AT_ONCE, |tx, account, limit| Box::pin(removal::delete_queues(tx, account, limit)))
        .await?;
    for table in &FIGURES {
        gone += remove(store, account, table).await?;
    }
    Ok(gone)
}

async fn remove(store: &Store, account: &AccountId, table: &'static Table) -> Result<u64, store::Error> {
    lots(store, account, AT_ONCE, move |tx, account, limit| Box::pin(removal::delete(tx, table, account, limit))).await
}

/// Runs `work` until nothing is left for it, each time in a transaction of its own.
async fn lots<F>(store: &Store, account: &AccountId, limit: u32, work: F) -> Result<u64, store::Error>
where
    F: for<'t> Fn(&'t mut Tx, &'t AccountId, u32) -> futures::future::BoxFuture<'t, Result<u64, store::Error>>
        + Clone
        + Send
        + Sync
        + 'static,
{
    let mut gone = 0;
    loop {
        let (account, work) = (account.clone(), work.clone());
        let lot = store.write_behind(move |tx| Box::pin(async move { work(tx, &account, limit).await })).await?;
        gone += lot;
        if lot == 0 {
            return Ok(gone);
        }
    }
}

async fn remove_subscriptions(store: &Store, account: &AccountId, table: &'static Table) -> Result<u64, store::Error> {
    let mut gone = 0;
    loop {
        let found =
            removal::find_subscriptions(&mut store.reader().await?, table, account, SUBSCRIPTIONS_AT_ONCE).await?;
        if found.is_empty() {
            return Ok(gone);
        }
        let uuids = found.clone();
        gone += lots(store, account, AT_ONCE, move |tx, _, limit| {
            Box::pin(removal::delete_attempts(tx, uuids.clone(), limit))
        })
        .await?;
        gone += store
            .write_behind(move |tx| Box::pin(async move { removal::delete_subscriptions(tx, table, found).await }))
            .await?;
    }
}

async fn walk(store: &Store, account: &AccountId, table: &'static Walked) -> Result<u64, store::Error> {
    let (mut gone, mut after) = (0, None);
    loop {
        let found = removal::find(&mut store.reader().await?, table, account, after, AT_ONCE).await?;
        after = found.last().cloned();
        if after.is_none() {
            return Ok(gone);
        }
        gone += store
            .write_behind(move |tx| Box::pin(async move { removal::delete_found(tx, table, found).await }))
            .await?;
    }
}

async fn remove_mails(store: &Store, account: &AccountId) -> Result<u64, store::Error> {
    let (mut gone, mut from) = (0, None);
    loop {
        let found = removal::find_mails(&mut store.reader().await?, account, from, MAILS_AT_ONCE).await?;
        from = found.last().cloned();
        if from.is_none() {
            return Ok(gone);
        }
        gone += store.write_behind(move |tx| Box::pin(async move { removal::delete_mails(tx, &found).await })).await?;
    }
}

/// Those that wait, and those that were given up.
async fn remove_jobs(store: &Store, account: &AccountId) -> Result<u64, store::Error> {
    let mut gone = 0;
    for queue in SystemQueue::ALL {
        for id in [queue.id(), queue.dead_letters_id()] {
            gone += remove_jobs_of(store, account, (queue, id), Part::InGroups).await?;
            if !queue.has_only_groups() {
                gone += remove_jobs_of(store, account, (queue, id), Part::Others).await?;
            }
        }
    }
    Ok(gone)
}

async fn remove_jobs_of(
    store: &Store,
    account: &AccountId,
    (queue, queue_id): (SystemQueue, i64),
    part: Part,
) -> Result<u64, store::Error> {
    let (mut gone, mut after) = (0, None);
    loop {
        let found = {
            let mut reader = store.reader().await?;
            let jobs = queued_jobs::page(&mut reader, queue_id, part, after, AT_ONCE).await?;
            let Some(last) = jobs.last() else { return Ok(gone) };
            after = Some(last.place);
            owners::of_account(&mut reader, account, queue, &jobs).await?
        };
        if !found.is_empty() {
            gone += store.write_behind(move |tx| Box::pin(async move { delete_jobs(tx, found).await })).await?;
        }
    }
}

/// Deletes jobs, and the messages that were kept for them. Gives how many jobs went.
async fn delete_jobs(tx: &mut Tx, jobs: Vec<Owned>) -> Result<u64, store::Error> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
    let gone = queued_jobs::delete(tx, &ids).await?;
    let mut ended: BTreeMap<String, i64> = BTreeMap::new();
    for publication in jobs.into_iter().filter(|job| gone.contains(&job.id)).filter_map(|job| job.publication) {
        *ended.entry(publication).or_default() += 1;
    }
    publications::ended_many(tx, &ended).await?;
    Ok(gone.len() as u64)
}
