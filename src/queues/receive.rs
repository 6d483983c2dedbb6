//! Receiving: claims messages, waits for them if asked to, and what may be done with a receipt handle.
use std::sync::Arc;
use std::time::Duration;

use crate::access::KeyInUse;
use crate::base::{Instant, LongWait, Scope, Timestamp};
use crate::queues::claiming::Taking;
use crate::queues::handle::{Handle, shown};
use crate::queues::received::{readable, received};
use crate::queues::{Error, Queue, Queues, Received, fifo, sealing};
use crate::store;
use crate::store::messages::{self, DeletedInOrder, Groups, Receipts};
use crate::store::{Tx, Waiter};

/// The longest time that a message can stay hidden after one receive.
const HIDDEN_MAX: Duration = Duration::from_secs(43_200);
/// What AWS says of a time beyond it. In a batch it says more: see `aws/sqs/batch.rs`.
pub const HIDDEN_RANGE: &str = "Must be between 0 and 43200.";
/// How long the waiting receives of a queue trust wake-ups before one of them looks by itself: another node may have
/// added a message, and its hint may be lost.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long it rests when something is due that it did not get, at first and at the most.
const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_LAST: Duration = Duration::from_millis(500);

/// What to receive.
#[derive(Clone, Debug, Default)]
pub struct Receive {
    /// At the most so many messages, 1 to 10; one if not given.
    pub count_max: Option<i64>,
    /// Seconds to hide them, 0 to 43,200; the queue's own if not given.
    pub visibility_timeout: Option<i64>,
    /// Seconds to wait for the first, 0 to 20; the queue's own if not given.
    pub wait: Option<i64>,
    /// For FIFO queues: under which id this receive can be repeated. Others pass over it.
    pub attempt_id: Option<String>,
    /// The key of who receives, who may wait for longer than the key counts.
    pub key: Option<KeyInUse>,
    /// Where the caller is told that this begins to wait.
    pub long_wait: LongWait,
}

fn within(
    name: &'static str,
    given: Option<i64>,
    default: u32,
    range: (u32, u32),
    reason: &'static str,
) -> Result<u32, Error> {
    let Some(value) = given else { return Ok(default) };
    let (low, high) = range;
    match u32::try_from(value) {
        Ok(n) if (low..=high).contains(&n) => Ok(n),
        _ => Err(Error::Parameter { name, value: value.to_string(), reason }),
    }
}

impl Queues {
    /// Receives messages; waits for the first one as long as asked.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]; [`Error::Parameter`] for a number out of its range; [`Error::OverLimit`] when too many
    /// messages of a standard queue are in flight; [`Error::AttemptOver`] for a receive that cannot be repeated any more;
    /// [`Error::KeyEnded`] when the key was switched off while this waited.
    pub async fn receive(&self, scope: &Scope, name: &str, wanted: Receive) -> Result<Vec<Received>, Error> {
        let queue = self.queue(scope, name).await?;
        let s = &queue.settings;
        let count =
            within("MaxNumberOfMessages", wanted.count_max, 1, (1, 10), "Must be between 1 and 10, if provided.")?;
        let hidden = within(
            "VisibilityTimeout",
            wanted.visibility_timeout,
            s.visibility_timeout,
            (0, 43_200),
            "Must be >= 0 and <= 43200, if provided.",
        )?;
        let wait =
            within("WaitTimeSeconds", wanted.wait, s.receive_wait, (0, 20), "Must be >= 0 and <= 20, if provided.")?;
        let hidden = Duration::from_secs(u64::from(hidden));
        let attempt_id = wanted.attempt_id.filter(|_| s.fifo.is_some());
        if let Some(id) = attempt_id.as_ref().filter(|id| !fifo::id_ok(id)) {
            let reason =
                "ReceiveRequestAttemptId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
            let value = id.chars().take(256).collect();
            return Err(Error::Parameter { name: "ReceiveRequestAttemptId", value, reason });
        }
        let taking = Taking { count, hidden, attempt_id };
        if wait == 0 {
            return Box::pin(self.take(&queue, taking)).await;
        }
        wanted.long_wait.begin();
        let deadline = self.clock.instant() + Duration::from_secs(u64::from(wait));
        Box::pin(self.wait_for(queue, taking, deadline, wanted.key)).await
    }

    async fn wait_for(
        &self,
        queue: Arc<Queue>,
        taking: Taking,
        deadline: Instant,
        key: Option<KeyInUse>,
    ) -> Result<Vec<Received>, Error> {
        let id = queue.id;
        // Before the first look, so that no message can come between the look and the wait.
        let mut waiter = self.store.waiter(id);
        let mut pause = PAUSE_FIRST;
        let (scope, name) = (Scope { account: queue.account.clone(), region: queue.region.clone() }, &queue.name);
        // Boxed, since what claims is large, and is not there while this waits.
        let mut taken = Box::pin(self.take(&queue, taking.clone())).await?;
        loop {
            if !taken.is_empty() || self.clock.instant() >= deadline || self.closing.is_cancelled() {
                if !taken.is_empty() {
                    waiter.satisfied();
                }
                return Ok(taken);
            }
            // Something is due and was not given out: others have it just now, or as much is in flight as may be.
            let next = self.next_visible_at(id).await?;
            let due = next.is_some_and(|at| at <= self.clock.now());
            pause = if due { (pause * 2).min(PAUSE_LAST) } else { PAUSE_FIRST };
            let until = if due { deadline.min(self.clock.instant() + pause) } else { deadline };
            self.sleep(&mut waiter, next.filter(|_| !due), until).await;
            // Read again each time: how the queue behaves may change while somebody waits. A look that finds nothing
            // costs no transaction.
            let queue = self.queue(&scope, name).await?;
            if self.next_visible_at(id).await?.is_some_and(|at| at <= self.clock.now()) {
                // Nothing is given out to a key that was switched off meanwhile.
                if let Some(key) = &key
                    && !key.holds().await?
                {
                    return Err(Error::KeyEnded);
                }
                taken = Box::pin(self.take(&queue, taking.clone())).await?;
            }
        }
    }

    /// Until there may be something, at the latest at `until`. The wall clock says when the message that becomes visible
    /// next does, at `next`; how long this waits it does not say.
    async fn sleep(&self, waiter: &mut Waiter, next: Option<Timestamp>, until: Instant) {
        let visible = async {
            match next {
                Some(at) => self.clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let mut visible = std::pin::pin!(visible);
        loop {
            let nap = until.min(self.clock.instant() + LOOK_EVERY);
            tokio::select! {
                () = waiter.rung() => return,
                () = &mut visible => return,
                () = self.clock.sleep_to(nap) => {
                    if nap == until || self.store.is_shared() && waiter.takes_turn(nap, LOOK_EVERY) {
                        return;
                    }
                }
                () = self.closing.cancelled() => return,
            }
        }
    }

    async fn next_visible_at(&self, id: i64) -> Result<Option<Timestamp>, store::Error> {
        // Boxed, as what claims: a thousand may wait, and few of them look.
        Box::pin(async { messages::next_visible_at(&mut self.store.reader().await?, id).await }).await
    }

    async fn take(&self, queue: &Arc<Queue>, taking: Taking) -> Result<Vec<Received>, Error> {
        sealing::check(self.store.vault(), queue)?;
        let id = queue.id;
        if !self.counting.has_room(&self.store, id).await? {
            // A FIFO queue says nothing (SQS developer guide, "Quotas for messages").
            return if queue.settings.fifo.is_some() { Ok(vec![]) } else { Err(Error::OverLimit) };
        }
        let groups = match queue.settings.fifo {
            Some(_) => Groups::Order,
            None if self.has_groups(queue) => Groups::Turns(None),
            None => Groups::None,
        };
        let taken = self.claim(queue, taking, groups).await?;
        self.counting.claimed(id, taken.len());
        readable(taken.into_iter().map(|message| received(self.store.vault(), id, message)))
    }

    /// Takes received messages away. A message that is gone already is no error, as in SQS; nor is it one that somebody has
    /// received the message again since, unless the queue is FIFO.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]. [`Error::HandleExpired`] is the entry of a message of a FIFO queue that is not in flight
    /// under this handle any more. [`Error::ReceiptHandle`] and [`Error::ReceiptHandleOfOther`] are the entries of handles
    /// that this queue never gave out.
    pub async fn delete_messages(
        &self,
        scope: &Scope,
        name: &str,
        handles: Vec<String>,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let queue = self.queue(scope, name).await?;
        if queue.settings.fifo.is_none() && !self.has_groups(&queue) {
            return self.delete_plain(&queue, handles).await;
        }
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let handles: Vec<_> =
                        handles.into_iter().map(|text| (Handle::decode(&text, queue.id), text)).collect();
                    let ids: Vec<i64> = handles.iter().filter_map(|(h, _)| h.as_ref().ok().map(|h| h.id)).collect();
                    if queue.settings.fifo.is_some() {
                        messages::hold_groups_of(tx, queue.id, &ids).await?;
                    }
                    let mut answers: Vec<(usize, Result<(), Error>)> = vec![];
                    let mut handles: Vec<_> = handles.into_iter().enumerate().collect();
                    // In one order for all: two who take the same messages must not wait for each other.
                    handles.sort_by_key(|(_, (handle, _))| handle.as_ref().ok().map(|h| h.id));
                    for (n, (handle, text)) in handles {
                        match delete(tx, &queue, handle, text).await {
                            Err(Error::Internal(error)) => return Err(Error::Internal(error)),
                            own => answers.push((n, own)),
                        }
                    }
                    answers.sort_by_key(|(n, _)| *n);
                    Ok(answers.into_iter().map(|(_, own)| own).collect())
                })
            })
            .await
    }

    /// Takes messages away from a queue without groups, together with others who do now.
    async fn delete_plain(&self, queue: &Queue, handles: Vec<String>) -> Result<Vec<Result<(), Error>>, Error> {
        let handles: Vec<_> = handles.iter().map(|text| Handle::decode(text, queue.id)).collect();
        let messages: Vec<_> = handles.iter().flatten().map(|handle| (handle.id, handle.receipt)).collect();
        if !messages.is_empty() {
            let id = queue.id;
            let groups = self.store.delete_messages(id, messages).await?;
            if !groups.is_empty() {
                // Another node has sent messages in groups just now.
                self.store
                    .write(move |tx| Box::pin(async move { messages::close_empty(tx, id, &groups).await }))
                    .await?;
            }
        }
        Ok(handles.into_iter().map(|handle| handle.map(drop)).collect())
    }

    /// Hides received messages for another number of seconds from now, 0 to 43,200.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]. An entry's own: [`Error::ReceiptHandle`], [`Error::ReceiptHandleOfOther`],
    /// [`Error::HandleExpired`], [`Error::MessageGone`], [`Error::NotInFlight`], [`Error::Parameter`].
    pub async fn change_visibility(
        &self,
        scope: &Scope,
        name: &str,
        changes: Vec<(String, i64)>,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let queue = self.queue(scope, name).await?;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let ids: Vec<i64> = changes
                        .iter()
                        .filter_map(|(text, _)| Handle::decode(text, queue.id).ok())
                        .map(|h| h.id)
                        .collect();
                    if queue.settings.fifo.is_some() || queue.has_groups {
                        messages::hold_groups_of(tx, queue.id, &ids).await?;
                    }
                    let mut changes: Vec<_> = changes.into_iter().enumerate().collect();
                    // In the order of ids, as for deletes.
                    changes.sort_by_cached_key(|(_, (text, _))| Handle::decode(text, queue.id).ok().map(|h| h.id));
                    let mut answers = Vec::with_capacity(changes.len());
                    for (n, (text, seconds)) in changes {
                        match hide(tx, &queue, &text, seconds).await {
                            Err(Error::Internal(error)) => return Err(Error::Internal(error)),
                            own => answers.push((n, own)),
                        }
                    }
                    answers.sort_by_key(|(n, _)| *n);
                    Ok(answers.into_iter().map(|(_, own)| own).collect())
                })
            })
            .await
    }
}

async fn delete(tx: &mut Tx, queue: &Queue, handle: Result<Handle, Error>, text: String) -> Result<(), Error> {
    let handle = handle?;
    if queue.settings.fifo.is_none() {
        messages::delete_received(tx, queue.id, handle.id, handle.receipt).await?;
        return Ok(());
    }
    match messages::delete_in_order(tx, queue.id, handle.id, handle.receipt).await? {
        DeletedInOrder::Yes | DeletedInOrder::Gone => Ok(()),
        DeletedInOrder::Expired => Err(Error::HandleExpired(shown(&text))),
    }
}

async fn hide(tx: &mut Tx, queue: &Queue, text: &str, seconds: i64) -> Result<(), Error> {
    let seconds = within("VisibilityTimeout", Some(seconds), 0, (0, 43_200), HIDDEN_RANGE)?;
    let handle = Handle::decode(text, queue.id)?;
    let receipts = if queue.settings.fifo.is_some() { Receipts::Last } else { Receipts::Any };
    let found = messages::find_received(tx, queue.id, handle.id, handle.receipt, receipts).await?;
    let Some(found) = found else { return Err(Error::MessageGone(shown(text))) };
    let now = tx.now();
    match receipts {
        Receipts::Last if !found.is_known || found.visible_at <= now => return Err(Error::HandleExpired(shown(text))),
        // It was given back since, and nobody has received it in this queue.
        Receipts::Any if !found.is_known => return Err(Error::NotInFlight),
        // A message of a standard queue can be hidden anew after its time, as AWS was seen to do it; so an older receipt also
        // changes what another receive has made of it.
        Receipts::Last | Receipts::Any => {}
    }
    let until = now + Duration::from_secs(u64::from(seconds));
    if found.received_at.is_some_and(|since| until > since + HIDDEN_MAX) {
        let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
        return Err(Error::Parameter { name: "VisibilityTimeout", value: seconds.to_string(), reason });
    }
    messages::hide_received(tx, queue.id, handle.id, handle.receipt, receipts, until).await?;
    Ok(())
}
