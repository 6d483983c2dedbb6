//! Claims for receives: what is too old is dropped, what was received too often goes to the dead-letter queue.
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Timestamp, ids};
use crate::queues::{Error, Queue, Queues, arn, attempts};
use crate::store::messages::{self, Claim, Claimed, Groups};
use crate::store::{Tx, queues};

/// How to claim for a receive.
#[derive(Clone)]
pub(super) struct Taking {
    pub count: u32,
    pub hidden: Duration,
    pub attempt_id: Option<String>,
}

impl Queues {
    /// Claims messages of a queue without groups, together with others who claim now.
    pub(super) async fn claim_plain(&self, queue: &Arc<Queue>, taking: Taking) -> Result<Vec<Claimed>, Error> {
        let Taking { count, hidden, .. } = taking;
        let mut taken = Vec::new();
        loop {
            let limit = left(count, &taken);
            let now = self.clock.now();
            let claimed = self.store.claim_messages(queue.id, limit, hidden, ids::nonce()).await?;
            let full = claimed.len() == limit as usize;
            let before = taken.len();
            if claimed.iter().all(|message| fate(queue, message, now) == Fate::Given) {
                taken.extend(claimed);
            } else {
                let queue = queue.clone();
                let sorted = self
                    .store
                    .write(move |tx| Box::pin(async move { sort_out(tx, &queue, claimed, now).await }))
                    .await?;
                taken.extend(sorted);
            }
            if !full || is_enough(&taken, before, limit, hidden) {
                return Ok(taken);
            }
        }
    }

    pub(super) async fn claim_grouped(
        &self,
        queue: &Arc<Queue>,
        taking: Taking,
        groups: Groups,
    ) -> Result<Vec<Claimed>, Error> {
        let queue = queue.clone();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let Some(attempt) = &taking.attempt_id else {
                        return claim(tx, &queue, groups, taking.count, taking.hidden).await;
                    };
                    if let Some(again) = attempts::repeat(tx, &queue, attempt, taking.hidden).await? {
                        return Ok(again);
                    }
                    let taken = claim(tx, &queue, groups, taking.count, taking.hidden).await?;
                    attempts::note(tx, &queue, attempt, taking.hidden, &taken).await?;
                    Ok(taken)
                })
            })
            .await
    }
}

/// Claims up to `count` messages that may be given out. Those that are too old are dropped, those received too often
/// move to the dead-letter queue; both in this transaction.
pub(super) async fn claim(
    tx: &mut Tx,
    queue: &Queue,
    groups: Groups,
    count: u32,
    hidden: Duration,
) -> Result<Vec<Claimed>, Error> {
    let mut taken = Vec::new();
    loop {
        let limit = left(count, &taken);
        let now = tx.now();
        let request = Claim {
            queue_id: queue.id,
            limit,
            hidden_until: now + hidden,
            receipt: ids::nonce(),
            holder: None,
            groups,
        };
        let claimed = messages::claim(tx, request).await?;
        let full = claimed.len() == limit as usize;
        let before = taken.len();
        taken.extend(sort_out(tx, queue, claimed, now).await?);
        if !full || is_enough(&taken, before, limit, hidden) {
            return Ok(taken);
        }
    }
}

fn left(count: u32, taken: &[Claimed]) -> u32 {
    count.saturating_sub(u32::try_from(taken.len()).unwrap_or(u32::MAX))
}

/// Whether a claim that found all it asked for was the last one. Only messages that were not given out call for
/// another; one with a visibility timeout of 0 could be claimed again.
fn is_enough(taken: &[Claimed], before: usize, limit: u32, hidden: Duration) -> bool {
    let given = taken.len() - before;
    given == limit as usize || (hidden.is_zero() && given > 0)
}

/// What becomes of a claimed message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Given,
    TooOld,
    ReceivedTooOften,
}

fn fate(queue: &Queue, message: &Claimed, now: Timestamp) -> Fate {
    let received = message.receive_count - message.receives_before;
    if now.since(message.sent_at) > Duration::from_secs(u64::from(queue.settings.retention)) {
        Fate::TooOld
    } else if queue.settings.receives_max.is_some_and(|max| received > max) {
        Fate::ReceivedTooOften
    } else {
        Fate::Given
    }
}

/// Drops claimed messages that are too old, moves those received too often, and gives the others.
async fn sort_out(tx: &mut Tx, queue: &Queue, claimed: Vec<Claimed>, now: Timestamp) -> Result<Vec<Claimed>, Error> {
    let mut given = Vec::with_capacity(claimed.len());
    for message in claimed {
        match fate(queue, &message, now) {
            Fate::TooOld => messages::drop_claimed(tx, queue.id, &message).await?,
            Fate::ReceivedTooOften if move_to_dead_letters(tx, queue, &message).await? => {}
            Fate::Given | Fate::ReceivedTooOften => given.push(message),
        }
    }
    Ok(given)
}

/// `false` when the dead-letter queue is gone: then the message stays where it is, as in SQS.
async fn move_to_dead_letters(tx: &mut Tx, queue: &Queue, message: &Claimed) -> Result<bool, Error> {
    let target = queue.settings.dead_letter_queue.as_deref().and_then(|arn| arn.parse::<crate::base::Arn>().ok());
    let Some(target) = target else { return Ok(false) };
    let Some(dead) = queues::find(tx, &target.account, &target.region, &target.resource).await? else {
        return Ok(false);
    };
    let source = arn(queue).to_string();
    if message.deduplication_id.is_some() {
        messages::move_in_order(tx, message, queue.id, dead.id, Some(&source), "received too often").await?;
    } else {
        messages::move_dead(tx, message, dead.id, &source).await?;
    }
    Ok(true)
}
