//! Claims for receives: what is too old is dropped, what was received too often goes to the dead-letter queue.
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Arn, Timestamp, ids};
use crate::queues::{Error, Queue, Queues, arn, attempts};
use crate::store::messages::{self, Claim, Claimed, Groups};
use crate::store::{self, Tx};

/// Messages that are too old, or received too often, go in so many rounds of one transaction, and in so many transactions
/// of one receive. Then it says that there is nothing, as SQS may at any time.
const ROUNDS_MAX: usize = 10;
const PASSES_MAX: usize = 10;

/// How to claim for a receive.
#[derive(Clone)]
pub(super) struct Taking {
    pub count: u32,
    pub hidden: Duration,
    pub attempt_id: Option<String>,
}

/// What a claim gave.
pub(super) struct ClaimedMessages {
    /// What may be given out, in order.
    pub messages: Vec<Claimed>,
    /// Until when these are hidden.
    pub hidden_until: Timestamp,
    /// Whether as many were claimed as wanted and some could not be given out: then more may wait.
    pub more: bool,
}

impl Queues {
    /// Claims messages, or gives those of an earlier receive with the same attempt id.
    pub(super) async fn claim(
        &self,
        queue: &Arc<Queue>,
        taking: Taking,
        groups: Groups,
    ) -> Result<Vec<Claimed>, Error> {
        if groups == Groups::None {
            return self.claim_plain(queue, &taking).await;
        }
        if let Some(again) = self.repeated(queue, &taking).await? {
            return Ok(again);
        }
        for _ in 0..PASSES_MAX {
            let (queues, queue, taking) = (self.clone(), queue.clone(), taking.clone());
            let claims = self
                .store
                .write(move |tx| {
                    Box::pin(async move {
                        let claims = claim(tx, &queues, &queue, groups, taking.count, taking.hidden).await?;
                        if let Some(attempt) = &taking.attempt_id {
                            attempts::note(tx, &queue, attempt, claims.hidden_until, &claims.messages).await?;
                        }
                        Ok::<_, Error>(claims)
                    })
                })
                .await?;
            if !claims.messages.is_empty() || !claims.more {
                return Ok(claims.messages);
            }
        }
        Ok(vec![])
    }

    /// Claims messages of a queue without groups, together with others who claim now.
    async fn claim_plain(&self, queue: &Arc<Queue>, taking: &Taking) -> Result<Vec<Claimed>, Error> {
        let mut taken = Vec::new();
        for _ in 0..ROUNDS_MAX * PASSES_MAX {
            let limit = taking.count.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
            let receives_max = queue.settings.receives_max;
            let claimed = self.store.claim_messages(queue.id, limit, taking.hidden, receives_max, ids::nonce()).await?;
            let (full, before) = (claimed.len() == limit as usize, taken.len());
            let now = self.clock.now();
            if claimed.iter().all(|message| fate(queue, message, now) == MessageFate::Given) {
                taken.extend(claimed);
            } else {
                let (queues, queue, hidden) = (self.clone(), queue.clone(), taking.hidden);
                let sort_out = self
                    .store
                    .write(move |tx| Box::pin(async move { sort_out(tx, &queues, &queue, claimed, hidden).await }));
                let given = sort_out.await?;
                taken.extend(given);
            }
            let given = taken.len() - before;
            if !full || given == limit as usize || (taking.hidden.is_zero() && given > 0) {
                break;
            }
        }
        Ok(taken)
    }

    /// What an earlier receive gave. In a transaction of its own, since it holds groups.
    async fn repeated(&self, queue: &Arc<Queue>, taking: &Taking) -> Result<Option<Vec<Claimed>>, Error> {
        let Some(attempt) = taking.attempt_id.clone() else { return Ok(None) };
        let (queue, hidden) = (queue.clone(), taking.hidden);
        self.store.write(move |tx| Box::pin(async move { attempts::repeat(tx, &queue, &attempt, hidden).await })).await
    }
}

/// Claims up to `count` messages that may be given out. Those that are too old are dropped, those received too often
/// move to the dead-letter queue; both in this transaction, which stays short however many there are.
pub(super) async fn claim(
    tx: &mut Tx,
    queues: &Queues,
    queue: &Queue,
    groups: Groups,
    count: u32,
    hidden: Duration,
) -> Result<ClaimedMessages, Error> {
    // Who holds groups that keep their order claims no others: two who do so could wait for each other.
    let rounds = if groups == Groups::Order { 1 } else { ROUNDS_MAX };
    let hidden_until = tx.now() + hidden;
    let (mut taken, mut more) = (Vec::new(), false);
    for _ in 0..rounds {
        let limit = count.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        let receipt = ids::nonce();
        let receives_max = queue.settings.receives_max;
        let request = Claim { queue_id: queue.id, limit, hidden_until, receipt, holder: None, groups, receives_max };
        let claimed = messages::claim(tx, request).await?;
        let full = claimed.len() == limit as usize;
        let before = taken.len();
        taken.extend(sort_out(tx, queues, queue, claimed, hidden).await?);
        more = full && taken.len() - before < limit as usize;
        // A message with a visibility timeout of 0 could be claimed again in this loop; so it runs again only for
        // messages that did not count.
        if !more || (hidden.is_zero() && taken.len() > before) {
            break;
        }
    }
    Ok(ClaimedMessages { messages: taken, hidden_until, more })
}

/// What becomes of a claimed message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MessageFate {
    Given,
    TooOld,
    ReceivedTooOften,
}

fn fate(queue: &Queue, message: &Claimed, now: Timestamp) -> MessageFate {
    if now.since(message.sent_at) > Duration::from_secs(u64::from(queue.settings.retention)) {
        MessageFate::TooOld
    } else if message.spent {
        MessageFate::ReceivedTooOften
    } else {
        MessageFate::Given
    }
}

/// Drops claimed messages that are too old, moves those received too often, and gives the others, in their order.
async fn sort_out(
    tx: &mut Tx,
    queues: &Queues,
    queue: &Queue,
    claimed: Vec<Claimed>,
    hidden: Duration,
) -> Result<Vec<Claimed>, Error> {
    let now = tx.now();
    let order: Vec<i64> = claimed.iter().map(|message| message.id).collect();
    let (mut given, mut dead) = (Vec::with_capacity(claimed.len()), Vec::new());
    for message in claimed {
        match fate(queue, &message, now) {
            MessageFate::TooOld => messages::drop_claimed(tx, queue.id, &message).await?,
            MessageFate::ReceivedTooOften => dead.push(message),
            MessageFate::Given => given.push(message),
        }
    }
    if !dead.is_empty() {
        given.extend(move_to_dead_letters(tx, queues, queue, dead, hidden).await?);
        given.sort_by_key(|message| order.iter().position(|id| *id == message.id));
    }
    Ok(given)
}

/// Gives those back that stay where they are because the dead-letter queue is gone, as in SQS.
async fn move_to_dead_letters(
    tx: &mut Tx,
    queues: &Queues,
    queue: &Queue,
    dead: Vec<Claimed>,
    hidden: Duration,
) -> Result<Vec<Claimed>, Error> {
    let target = queue.settings.dead_letter_queue.as_deref().and_then(|arn| arn.parse::<Arn>().ok());
    let target = match target {
        Some(target) => store::queues::find(tx, &target.account, &target.region, &target.resource).await?,
        None => None,
    };
    let Some(target) = target else {
        let until = tx.now() + hidden;
        let mut kept = Vec::with_capacity(dead.len());
        for message in dead {
            kept.extend(messages::keep_spent(tx, message, until).await?);
        }
        return Ok(kept);
    };
    let (source, why) = (arn(queue).to_string(), "received too often");
    if queue.settings.fifo.is_some() {
        messages::move_in_order(tx, &dead, queue.id, target.id, &source, why).await?;
        return Ok(vec![]);
    }
    if dead.iter().any(|message| message.group_id.is_some()) {
        queues.note_groups(&target);
    }
    for message in &dead {
        messages::move_dead(tx, message, target.id, &source, why).await?;
    }
    Ok(vec![])
}
