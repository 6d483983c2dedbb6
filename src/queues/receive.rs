//! Receiving: claims messages, waits for them if asked to, and what may be done with a receipt handle.
use std::time::Duration;

use crate::base::{Timestamp, ids};
use crate::queues::handle::Handle;
use crate::queues::manage::find;
use crate::queues::{Error, MessageAttributes, Queue, Queues, Scope, arn, sealing};
use crate::store;
use crate::store::messages::{self, Claim, Claimed};
use crate::store::vault::Vault;
use crate::store::{Tx, queues};

/// The longest time that a message can stay hidden after one receive.
const HIDDEN_MAX: Duration = Duration::from_secs(43_200);
/// How long a waiting receive trusts wake-ups before it looks by itself: another node may have added a message.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What to receive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Receive {
    /// At the most so many messages, 1 to 10; one if not given.
    pub count_max: Option<i64>,
    /// Seconds to hide them, 0 to 43,200; the queue's own if not given.
    pub visibility_timeout: Option<i64>,
    /// Seconds to wait for the first, 0 to 20; the queue's own if not given.
    pub wait: Option<i64>,
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its id.
    pub message_id: String,
    /// What names this receive in later calls.
    pub receipt_handle: String,
    /// Its body.
    pub body: String,
    /// Its attributes.
    pub attributes: MessageAttributes,
    /// Who sent it.
    pub sender: Option<String>,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// How often it was received, this time included.
    pub receive_count: u32,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
    /// The tenant of a fair queue.
    pub group_id: Option<String>,
    /// AWSTraceHeader.
    pub trace_header: Option<String>,
    /// ARN of the queue that it was moved from.
    pub dead_letter_source: Option<String>,
}

pub(super) fn received(vault: &Vault, queue_id: i64, message: Claimed) -> Result<Received, Error> {
    let message = sealing::open(vault, message)?;
    let attributes = match &message.attributes {
        Some(json) => serde_json::from_str(json).map_err(store::Error::corrupt)?,
        None => MessageAttributes::new(),
    };
    Ok(Received {
        message_id: message.message_id,
        receipt_handle: Handle { queue_id, id: message.id, receipt: message.receipt }.encode(),
        body: message.body,
        attributes,
        sender: message.sender,
        sent_at: message.sent_at,
        receive_count: message.receive_count,
        first_received_at: message.first_received_at,
        group_id: message.group_id,
        trace_header: message.trace_header,
        dead_letter_source: message.dead_letter_source,
    })
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
    /// [`Error::QueueMissing`]; [`Error::Parameter`] for a number out of its range.
    pub async fn receive(&self, scope: &Scope, name: &str, wanted: Receive) -> Result<Vec<Received>, Error> {
        let queue = self.get(scope, name).await?;
        let s = &queue.settings;
        let count =
            within("MaxNumberOfMessages", wanted.count_max, 1, (1, 10), "Must be between 1 and 10, if provided.")?;
        let hidden = within(
            "VisibilityTimeout",
            wanted.visibility_timeout,
            s.visibility_timeout,
            (0, 43_200),
            "Must be between 0 and 43200, if provided.",
        )?;
        let wait =
            within("WaitTimeSeconds", wanted.wait, s.receive_wait, (0, 20), "Must be >= 0 and <= 20, if provided.")?;
        let hidden = Duration::from_secs(u64::from(hidden));
        if wait == 0 {
            return self.take(&queue, count, hidden).await;
        }
        let deadline = self.clock.now() + Duration::from_secs(u64::from(wait));
        self.wait_for(&queue, count, hidden, deadline).await
    }

    async fn wait_for(
        &self,
        queue: &Queue,
        count: u32,
        hidden: Duration,
        deadline: Timestamp,
    ) -> Result<Vec<Received>, Error> {
        let id = queue.id;
        // Before the first look, so that no message can come between the look and the wait.
        let mut waiter = self.store.waiter(id);
        loop {
            let taken = self.take(queue, count, hidden).await?;
            let now = self.clock.now();
            if !taken.is_empty() || now >= deadline || self.closing.is_cancelled() {
                if !taken.is_empty() {
                    waiter.satisfied();
                }
                return Ok(taken);
            }
            let next = messages::next_visible_at(&mut self.store.reader().await?, id).await?;
            let look = next.unwrap_or(deadline).max(now + Duration::from_millis(1)).min(now + LOOK_EVERY).min(deadline);
            tokio::select! {
                () = waiter.rung() => {}
                () = self.clock.sleep_until(look) => {}
                () = self.closing.cancelled() => {}
            }
        }
    }

    async fn take(&self, queue: &Queue, count: u32, hidden: Duration) -> Result<Vec<Received>, Error> {
        sealing::check(self.store.vault(), queue)?;
        let queue = queue.clone();
        let id = queue.id;
        let taken = self.store.write(move |tx| Box::pin(async move { claim(tx, &queue, count, hidden).await })).await?;
        sealing::readable(taken.into_iter().map(|message| received(self.store.vault(), id, message)))
    }

    /// Takes received messages away. A message that is gone already is no error, as in SQS.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]. [`Error::ReceiptHandle`] is the entry of a handle that this queue never gave out.
    pub async fn delete_messages(
        &self,
        scope: &Scope,
        name: &str,
        handles: Vec<String>,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let queue = find(tx, &scope, &name).await?;
                    let handles: Vec<_> = handles.iter().map(|text| Handle::decode(text, queue.id)).collect();
                    let mut good: Vec<Handle> = handles.iter().filter_map(|h| h.as_ref().ok().copied()).collect();
                    // In one order for all: two who take the same messages must not wait for each other.
                    good.sort_unstable_by_key(|handle| handle.id);
                    for handle in good {
                        messages::delete(tx, queue.id, handle.id, handle.receipt).await?;
                    }
                    Ok(handles.into_iter().map(|handle| handle.map(|_| ())).collect())
                })
            })
            .await
    }

    /// Hides received messages for another number of seconds from now, 0 to 43,200.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]. An entry's own: [`Error::ReceiptHandle`], [`Error::NotInFlight`], [`Error::Parameter`].
    pub async fn change_visibility(
        &self,
        scope: &Scope,
        name: &str,
        changes: Vec<(String, i64)>,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let queue = find(tx, &scope, &name).await?;
                    let mut changes: Vec<_> = changes.into_iter().enumerate().collect();
                    // In the order of ids, as for deletes.
                    changes.sort_by_cached_key(|(_, (text, _))| Handle::decode(text, queue.id).ok().map(|h| h.id));
                    let mut answers = Vec::with_capacity(changes.len());
                    for (n, (text, seconds)) in changes {
                        match hide(tx, queue.id, &text, seconds).await {
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

async fn hide(tx: &mut Tx, queue_id: i64, handle: &str, seconds: i64) -> Result<(), Error> {
    let handle = Handle::decode(handle, queue_id)?;
    let reason = "VisibilityTimeout must be an integer between 0 and 43200";
    let seconds = within("VisibilityTimeout", Some(seconds), 0, (0, 43_200), reason)?;
    let since = messages::in_flight_since(tx, queue_id, handle.id, handle.receipt).await?;
    let since = since.ok_or(Error::NotInFlight)?;
    let until = tx.now() + Duration::from_secs(u64::from(seconds));
    if until > since + HIDDEN_MAX {
        let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]";
        return Err(Error::Parameter { name: "VisibilityTimeout", value: seconds.to_string(), reason });
    }
    messages::set_visible_at(tx, queue_id, handle.id, handle.receipt, until).await?;
    Ok(())
}

/// Claims up to `count` messages that may be given out. Those that are too old are dropped, those received too often
/// move to the dead-letter queue; both in this transaction.
async fn claim(tx: &mut Tx, queue: &Queue, count: u32, hidden: Duration) -> Result<Vec<Claimed>, Error> {
    let mut taken = Vec::new();
    loop {
        let limit = count.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        let now = tx.now();
        let request =
            Claim { queue_id: queue.id, limit, hidden_until: now + hidden, receipt: ids::nonce(), holder: None };
        let claimed = messages::claim(tx, request).await?;
        let full = claimed.len() == limit as usize;
        let before = taken.len();
        for message in claimed {
            let age = now.since(message.sent_at);
            if age > Duration::from_secs(u64::from(queue.settings.retention)) {
                messages::drop_claimed(tx, message.id).await?;
            } else if queue.settings.receives_max.is_some_and(|max| message.receive_count > max) {
                if !move_to_dead_letters(tx, queue, &message).await? {
                    taken.push(message);
                }
            } else {
                taken.push(message);
            }
        }
        // A message with a visibility timeout of 0 could be claimed again in this loop; so it runs again only for
        // messages that did not count.
        if !full || taken.len() - before == limit as usize {
            return Ok(taken);
        }
        if hidden.is_zero() && taken.len() > before {
            return Ok(taken);
        }
    }
}

/// `false` when the dead-letter queue is gone: then the message stays where it is, as in SQS.
async fn move_to_dead_letters(tx: &mut Tx, queue: &Queue, message: &Claimed) -> Result<bool, Error> {
    let target = queue.settings.dead_letter_queue.as_deref().and_then(|arn| arn.parse::<crate::base::Arn>().ok());
    let Some(target) = target else { return Ok(false) };
    let Some(dead) = queues::find(tx, &target.account, &target.region, &target.resource).await? else {
        return Ok(false);
    };
    let source = arn(queue).to_string();
    messages::move_to(tx, message.id, message.receipt, dead.id, Some(&source), "received too often").await?;
    Ok(true)
}
