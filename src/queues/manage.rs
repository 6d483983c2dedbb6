//! Queues themselves: create, find, list, change, purge, delete.
use std::collections::BTreeMap;

use std::time::Duration;

use crate::base::{Arn, Page, PageRequest, Scope, Timestamp};
use crate::queues::attributes::{all, apply, first_difference};
use crate::queues::cache::find;
use crate::queues::dead_letters::check_target;
use crate::queues::tags::{self, Tags};
use crate::queues::{ATTRIBUTE_NAMES, Error, Queue, Queues, fifo};
use crate::store;
use crate::store::queues::Settings;
use crate::store::{deleted_queues, messages, purges, queues};

/// How long the name of a deleted queue is not free (CreateQueue in the SQS API reference).
const NAME_TAKEN: Duration = Duration::from_secs(60);
/// One PurgeQueue in this time.
const PURGE_INTERVAL: Duration = Duration::from_secs(60);
/// How long a deleted queue is remembered: longer than any transaction that found it lasts.
const DELETED_KEPT: Duration = Duration::from_secs(120);
/// Rows deleted in one transaction: enough to be quick, few enough that others are not held up.
const DELETE_BATCH: u32 = 5_000;

impl Queues {
    /// Creates a queue, or finds it when it is there with the same attributes.
    ///
    /// # Errors
    /// [`Error::QueueName`], [`Error::AttributeName`], [`Error::AttributeValue`];
    /// [`Error::QueueExists`] when an attribute that is given has another value there; [`Error::RedrivePolicy`] when the dead-letter queue cannot be one;
    /// [`Error::DeletedRecently`] within a minute of a delete; [`Error::TooManyQueues`].
    pub async fn create(
        &self,
        scope: &Scope,
        name: &str,
        attributes: BTreeMap<String, String>,
        tags: Tags,
    ) -> Result<Queue, Error> {
        let fifo = fifo::for_new_queue(name, &attributes)?;
        tags::check(name, &tags)?;
        let tags = serde_json::to_string(&tags).map_err(store::Error::corrupt)?;
        let own = Arn::new("sqs", &scope.region, &scope.account, name);
        let mut settings = Settings { fifo, ..Settings::default() };
        apply(&mut settings, &own, &attributes)?;
        let (scope, name) = (scope.clone(), name.to_owned());
        let (free_at_once, full) = (self.names_free_at_once, self.is_full(&scope).await?.then_some(self.queues_max));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let redrive = attributes.get("RedrivePolicy").map_or("", String::as_str);
                    check_target(tx, &settings, &own, redrive).await?;
                    // One that is there is found all the same.
                    if let Some(max) = full
                        && queues::find(tx, &scope.account, &scope.region, &name).await?.is_none()
                    {
                        return Err(Error::TooManyQueues(max));
                    }
                    let since = tx.now() - NAME_TAKEN;
                    if !free_at_once
                        && deleted_queues::any_since(tx, &scope.account, &scope.region, &name, since).await?
                    {
                        return Err(Error::DeletedRecently(name));
                    }
                    let inserted = queues::insert(tx, &scope.account, &scope.region, &name, &settings, &tags).await?;
                    let queue = find(tx, &scope, &name).await?;
                    match first_difference(&queue.settings, &settings, &attributes) {
                        Some(attribute) if inserted.is_none() => Err(Error::QueueExists(name, attribute)),
                        _ => Ok(queue),
                    }
                })
            })
            .await
    }

    /// Whether an account has as many queues as it may.
    async fn is_full(&self, scope: &Scope) -> Result<bool, Error> {
        if self.headroom.take(scope) {
            return Ok(false);
        }
        let tx = &mut self.store.reader().await?;
        let count = queues::count(tx, &scope.account, &scope.region, self.queues_max).await?;
        Ok(!self.headroom.counted(scope.clone(), count.into(), self.queues_max.into()))
    }

    /// Finds a queue.
    ///
    /// # Errors
    /// [`Error::QueueMissing`].
    pub async fn get(&self, scope: &Scope, name: &str) -> Result<Queue, Error> {
        Ok((*self.queue(scope, name).await?).clone())
    }

    /// A page of the names of queues that start with `prefix`.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn list(&self, scope: &Scope, prefix: &str, asked: &PageRequest) -> Result<Page<String>, Error> {
        let tx = &mut self.store.reader().await?;
        let names = queues::list(tx, &scope.account, &scope.region, prefix, &asked.after, asked.limit()).await?;
        Ok(asked.cut(names, |name| name))
    }

    /// The attributes that `wanted` names, or all of them for `All`.
    ///
    /// # Errors
    /// [`Error::QueueMissing`], [`Error::AttributeName`].
    pub async fn attributes(
        &self,
        scope: &Scope,
        name: &str,
        wanted: &[String],
    ) -> Result<BTreeMap<String, String>, Error> {
        let known =
            |w: &&String| ATTRIBUTE_NAMES.contains(&w.as_str()) || matches!(w.as_str(), "All" | "VisibilityTimeout");
        if let Some(unknown) = wanted.iter().find(|w| !known(w)) {
            return Err(Error::AttributeName(unknown.clone()));
        }
        let queue = find(&mut self.store.reader().await?, scope, name).await?;
        // Counting walks the queue, so it is done only for those who ask.
        let counting = wanted.iter().any(|w| w == "All" || w.starts_with("Approximate"));
        let counts = if counting { self.counting.counts(&self.store, queue.id).await? } else { Default::default() };
        let mut found = all(&queue, counts)?;
        if !wanted.iter().any(|w| w == "All") {
            found.retain(|name, _| wanted.contains(name));
        }
        Ok(found)
    }

    /// Changes the attributes that are given.
    ///
    /// # Errors
    /// [`Error::QueueMissing`], [`Error::AttributeName`], [`Error::AttributeValue`]; [`Error::RedrivePolicy`] when the
    /// dead-letter queue cannot be one.
    pub async fn set_attributes(
        &self,
        scope: &Scope,
        name: &str,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let own = Arn::new("sqs", &scope.region, &scope.account, name);
        let (scope, name) = (scope.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    queues::hold(tx, &scope.account, &scope.region, &name).await?;
                    let mut queue = find(tx, &scope, &name).await?;
                    let delay_before = queue.settings.delay;
                    apply(&mut queue.settings, &own, &attributes)?;
                    // Only when it is named now: it may have been deleted since it was set.
                    if let Some(redrive) = attributes.get("RedrivePolicy") {
                        check_target(tx, &queue.settings, &own, redrive).await?;
                    }
                    queues::update(tx, queue.id, &queue.settings).await?;
                    // In a FIFO queue the delay counts for messages that wait already (SQS developer guide, "Delay queues").
                    if queue.settings.fifo.is_some() && queue.settings.delay != delay_before {
                        let seconds = |n: u32| Duration::from_secs(u64::from(n));
                        let since = tx.now() - seconds(queue.settings.delay.max(delay_before));
                        messages::redelay(tx, queue.id, since, seconds(queue.settings.delay)).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Takes every message of a queue away, those in flight too, and forgets their deduplication ids. When there are many,
    /// the rest goes soon after: [`Queues::purge_round`].
    ///
    /// # Errors
    /// [`Error::QueueMissing`]; [`Error::PurgeInProgress`] within 60 seconds of the last one.
    pub async fn purge(&self, scope: &Scope, name: &str) -> Result<(), Error> {
        let (scope, name) = (scope.clone(), name.to_owned());
        let (id, until) = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    queues::hold(tx, &scope.account, &scope.region, &name).await?;
                    let queue = find(tx, &scope, &name).await?;
                    let now = tx.now();
                    if queue.purged_at.is_some_and(|at| at + PURGE_INTERVAL > now) {
                        return Err(Error::PurgeInProgress(name));
                    }
                    queues::set_purged(tx, queue.id, now).await?;
                    // The caller may go away before all is done.
                    purges::insert(tx, queue.id, now).await?;
                    Ok((queue.id, now))
                })
            })
            .await?;
        if self.delete_batch_until(id, until, true).await? < u64::from(DELETE_BATCH) {
            self.finish_purge(id, until).await?;
        }
        Ok(())
    }

    /// One round of the purges that are under way. Called by the ticker. Gives how many ended.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn purge_round(&self) -> Result<usize, store::Error> {
        let purges = purges::list(&mut self.store.reader().await?).await?;
        for (id, until) in &purges {
            self.finish_purge(*id, *until).await?;
        }
        Ok(purges.len())
    }

    async fn finish_purge(&self, id: i64, until: Timestamp) -> Result<(), store::Error> {
        self.delete_messages_until(id, until).await?;
        self.store.write(move |tx| Box::pin(async move { purges::end(tx, id, until).await })).await.map(drop)
    }

    /// Takes a queue and its messages away.
    ///
    /// # Errors
    /// [`Error::QueueMissing`].
    pub async fn delete(&self, scope: &Scope, name: &str) -> Result<(), Error> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let queue = find(tx, &scope, &name).await?;
                    queues::delete(tx, queue.id).await?;
                    deleted_queues::insert(tx, &queue).await?;
                    Ok(())
                })
            })
            .await
    }

    /// One round of taking away the messages of deleted queues. Called by the ticker; a queue is gone at once, its
    /// messages soon after.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn sweep_deleted(&self) -> Result<(), Error> {
        for id in deleted_queues::list(&mut self.store.reader().await?).await? {
            // Whatever another node's clock says of when they were sent.
            self.delete_messages_until(id, Timestamp::from_micros(i64::MAX)).await?;
            self.delete_groups(id).await?;
            let before = self.clock.now() - DELETED_KEPT;
            self.store.write(move |tx| Box::pin(async move { deleted_queues::forget(tx, id, before).await })).await?;
        }
        Ok(())
    }

    /// Groups can outlive their last message until somebody looks at them; in a deleted queue nobody does.
    async fn delete_groups(&self, id: i64) -> Result<(), store::Error> {
        while self
            .store
            .write(move |tx| Box::pin(async move { messages::delete_groups(tx, id, DELETE_BATCH).await }))
            .await?
            == u64::from(DELETE_BATCH)
        {}
        Ok(())
    }

    async fn delete_messages_until(&self, id: i64, until: Timestamp) -> Result<(), store::Error> {
        loop {
            if self.delete_batch_until(id, until, true).await? < u64::from(DELETE_BATCH) {
                // What others held is left: a few at the most.
                self.delete_batch_until(id, until, false).await?;
                return Ok(());
            }
        }
    }

    async fn delete_batch_until(&self, id: i64, until: Timestamp, pass_over: bool) -> Result<u64, store::Error> {
        self.store
            .write(move |tx| Box::pin(async move { messages::purge(tx, id, until, DELETE_BATCH, pass_over).await }))
            .await
    }
}
