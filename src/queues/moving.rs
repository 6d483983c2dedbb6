//! The moving of a move task: lot by lot, each in one transaction with the task's count, so that a crash between two
//! lots loses nothing and repeats nothing. Nodes take turns by locking the task's row.
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::base::{Arn, Timestamp};
use crate::queues::checking::check;
use crate::queues::claiming::claim;
use crate::queues::received::received;
use crate::queues::send::insert;
use crate::queues::{Error, Outgoing, Queue, Queues, Received};
use crate::store::messages::{Claimed, Groups};
use crate::store::move_tasks::{self, MoveFailure, MoveStatus, MoveTask};
use crate::store::vault::VaultError;
use crate::store::{self, Tx, messages, queues};

/// Messages in one transaction: few enough that senders and receivers beside it hardly notice.
const LOT: u32 = 100;
/// SQS developer guide: a task runs 36 hours at the most.
const LONGEST: Duration = Duration::from_secs(36 * 3_600);
/// A task that could not run for a while catches up on no more than this.
const CREDIT: Duration = Duration::from_secs(1);
/// Claimed messages leave the queue in the same transaction; only a fault would leave them claimed.
const HIDDEN: Duration = Duration::from_secs(30);
/// How long tasks that ended can be listed.
const REMEMBERED: Duration = Duration::from_secs(14 * 86_400);

impl Queues {
    /// One round: moves what may move now, for every task. Called by the ticker. Gives how many messages moved.
    ///
    /// # Errors
    /// When the store fails. Also when a task broke that tries again in the next round; then all others had their turns.
    pub async fn move_round(&self) -> Result<usize, store::Error> {
        if !self.store.has_room() {
            return Ok(0);
        }
        let (mut moved, mut broken) = (0, None);
        let mut due = move_tasks::due(&mut self.store.reader().await?).await?;
        while !due.is_empty() {
            let mut again = Vec::new();
            // Turn by turn, so that a long task does not hold the others up.
            for id in due {
                let queues = self.clone();
                let step = self.store.write(move |tx| Box::pin(async move { step(tx, &queues, id).await })).await;
                match step {
                    Ok(Some(count)) => {
                        moved += count;
                        again.push(id);
                    }
                    Ok(None) => {}
                    Err(Error::Internal(error)) if error.is_of_one() => {
                        broken = Some(store::Error::corrupt(format!("move task {id}: {error}")));
                    }
                    Err(Error::Internal(error)) => return Err(error),
                    Err(error) => tracing::error!(task.id = id, %error, "a move task cannot go on now"),
                }
            }
            due = again;
        }
        broken.map_or(Ok(moved), Err)
    }

    /// Forgets tasks that ended long ago. Called by the ticker.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep_moves(&self) -> Result<(), store::Error> {
        let before = self.clock.now() - REMEMBERED;
        self.store.write(move |tx| Box::pin(async move { move_tasks::forget(tx, before).await })).await.map(drop)
    }
}

/// Moves one lot. `None` when the task cannot move more now, or has ended.
async fn step(tx: &mut Tx, queues: &Queues, id: i64) -> Result<Option<usize>, Error> {
    let Some(task) = move_tasks::lock_due(tx, id).await? else { return Ok(None) };
    if task.status == MoveStatus::Cancelling {
        move_tasks::end(tx, id, MoveStatus::Cancelled, None).await?;
        return Ok(None);
    }
    let Some(source) = by_arn(tx, &task.source).await? else {
        return fail(tx, &task, MoveFailure::QueueMissing).await;
    };
    if tx.now().since(task.started_at) > LONGEST {
        return fail(tx, &task, MoveFailure::TooLong).await;
    }
    let (wanted, from) = allowance(&task, tx.now());
    // What comes in while the task runs, perhaps because the destination sends it back, is not its business.
    let wanted = wanted.min(task.to_move.saturating_sub(task.moved));
    let claims = match wanted {
        0 => None,
        wanted => Some(claim(tx, queues, &source, groups(&source), wanted, HIDDEN).await?),
    };
    let nothing = claims.as_ref().is_none_or(|claims| claims.messages.is_empty() && !claims.more);
    let (moved, failure) =
        move_lot(tx, queues, &task, &source, claims.map(|claims| claims.messages).unwrap_or_default()).await?;
    let complete = nothing || task.moved + moved >= task.to_move;
    let next_at = match task.per_second {
        Some(rate) => from + Duration::from_secs_f64(f64::from(moved) / f64::from(rate)),
        None => task.next_at,
    };
    move_tasks::advance(tx, id, moved, next_at).await?;
    match failure {
        Some(failure) => return fail(tx, &task, failure).await.map(|_| None),
        None if complete => {
            move_tasks::end(tx, id, MoveStatus::Completed, None).await?;
        }
        None => {}
    }
    // Where nothing moved now, others had it; the next round comes soon.
    Ok((moved > 0).then_some(moved as usize))
}

async fn fail(tx: &mut Tx, task: &MoveTask, failure: MoveFailure) -> Result<Option<usize>, Error> {
    move_tasks::end(tx, task.id, MoveStatus::Failed, Some(failure)).await?;
    Ok(None)
}

/// How many messages may move now, and from when the time for them counts.
fn allowance(task: &MoveTask, now: Timestamp) -> (u32, Timestamp) {
    let from = task.next_at.max(now - CREDIT);
    let Some(rate) = task.per_second else { return (LOT, from) };
    let earned = (now.since(from).as_secs_f64() * f64::from(rate)) as u32;
    ((earned + 1).min(LOT), from)
}

/// Puts messages into their destinations as new ones and takes them out of the source. Gives how many moved, and why
/// others did not; those stay where they are.
async fn move_lot(
    tx: &mut Tx,
    queues: &Queues,
    task: &MoveTask,
    source: &Queue,
    messages: Vec<Claimed>,
) -> Result<(u32, Option<MoveFailure>), Error> {
    let in_order = source.settings.fifo.is_some();
    let mut failure = None;
    let mut lots: BTreeMap<String, Lot> = BTreeMap::new();
    // Groups of which a message stays: in order, those behind it stay too.
    let mut stuck: HashSet<Option<String>> = HashSet::new();
    for message in messages {
        let problem = if in_order && stuck.contains(&message.group_id) {
            None
        } else {
            match prepare(tx, task, source, &mut lots, &message).await? {
                Ok(()) => continue,
                Err(problem) => Some(problem),
            }
        };
        failure = failure.or(problem);
        stuck.insert(message.group_id.clone());
        stay(tx, &message).await?;
    }
    let mut moved = 0;
    for lot in lots.into_values() {
        let (count, problem) = lot.carry(tx, queues, source, in_order).await?;
        moved += count;
        failure = failure.or(problem);
    }
    Ok((moved, failure))
}

/// What goes to one destination.
struct Lot {
    destination: Queue,
    messages: Vec<(Claimed, Outgoing)>,
}

/// Adds a message to the lot of its destination, or says why it cannot go there.
async fn prepare(
    tx: &mut Tx,
    task: &MoveTask,
    source: &Queue,
    lots: &mut BTreeMap<String, Lot>,
    message: &Claimed,
) -> Result<Result<(), MoveFailure>, Error> {
    let opened = match received(tx.vault(), source.id, message.clone()) {
        Ok(opened) => opened,
        Err(error) => return Ok(Err(unreadable(&error))),
    };
    let Some(to) = task.destination.clone().or_else(|| message.dead_letter_source.clone()) else {
        return Ok(Err(MoveFailure::NoSource));
    };
    if !lots.contains_key(&to) {
        let Some(destination) = by_arn(tx, &to).await? else { return Ok(Err(MoveFailure::QueueMissing)) };
        lots.insert(to.clone(), Lot { destination, messages: vec![] });
    }
    let Some(lot) = lots.get_mut(&to) else { return Ok(Err(MoveFailure::QueueMissing)) };
    let outgoing = renewed(opened);
    if check(&lot.destination, &outgoing).is_err() {
        return Ok(Err(MoveFailure::Refused));
    }
    lot.messages.push((message.clone(), outgoing));
    Ok(Ok(()))
}

impl Lot {
    /// Moves what can move. Gives how many that are, and why the others did not, if it is for good.
    async fn carry(
        self,
        tx: &mut Tx,
        queues: &Queues,
        source: &Queue,
        in_order: bool,
    ) -> Result<(u32, Option<MoveFailure>), Error> {
        let mut messages = self.messages;
        if in_order {
            // Never wait for a group while holding others: who has it may want one of these.
            let groups = messages.iter().filter_map(|(message, _)| message.group_id.clone()).collect();
            let free = messages::hold_free(tx, self.destination.id, groups).await?;
            let (now, later): (Vec<_>, Vec<_>) =
                messages.into_iter().partition(|(m, _)| m.group_id.as_ref().is_some_and(|group| free.contains(group)));
            for (message, _) in &later {
                stay(tx, message).await?;
            }
            messages = now;
        }
        let (taken, outgoing): (Vec<Claimed>, Vec<Outgoing>) = messages.into_iter().unzip();
        if outgoing.iter().any(|message| message.group_id.is_some()) {
            queues.note_groups(&self.destination);
        }
        // Nothing is written when the destination's key cannot be used.
        let refused = match insert(tx, &self.destination, outgoing).await {
            Ok(answers) if answers.iter().all(Result::is_ok) => None,
            Ok(_) => Some(MoveFailure::Refused),
            Err(error @ Error::Kms(_)) => Some(unreadable(&error)),
            Err(error) => return Err(error),
        };
        if refused.is_some() {
            for message in &taken {
                stay(tx, message).await?;
            }
            return Ok((0, refused));
        }
        if in_order {
            messages::remove_in_order(tx, source.id, &taken).await?;
        } else {
            for message in &taken {
                messages::delete(tx, source.id, message.id, message.receipt).await?;
            }
        }
        Ok((u32::try_from(taken.len()).unwrap_or(u32::MAX), None))
    }
}

/// Why a message could not be opened in the source or sealed for the destination.
fn unreadable(error: &Error) -> MoveFailure {
    match error {
        Error::Kms(VaultError::KmsDisabled(_)) => MoveFailure::KeyDisabled,
        Error::Kms(VaultError::KmsPendingDeletion(_)) => MoveFailure::KeyState,
        Error::Kms(_) => MoveFailure::KeyMissing,
        error => {
            tracing::error!(%error, "a message cannot be read, so its move task ends");
            MoveFailure::Unreadable
        }
    }
}

/// What is sent in a message's place: a moved message is a new one, with a new id and time.
fn renewed(message: Received) -> Outgoing {
    Outgoing {
        body: message.body,
        attributes: message.attributes,
        trace_header: message.trace_header,
        group_id: message.group_id,
        // As in AWS: what is sent again to a FIFO queue is known by its message id.
        deduplication_id: message.deduplication_id.map(|_| message.message_id),
        sender: message.sender,
        ..Outgoing::default()
    }
}

fn groups(queue: &Queue) -> Groups {
    match queue.settings.fifo {
        Some(_) => Groups::Order,
        None if queue.has_groups => Groups::Turns(None),
        None => Groups::None,
    }
}

async fn stay(tx: &mut Tx, message: &Claimed) -> Result<(), Error> {
    let now = tx.now();
    messages::release(tx, message.id, message.receipt, now, false, None).await?;
    Ok(())
}

async fn by_arn(tx: &mut Tx, arn: &str) -> Result<Option<Queue>, Error> {
    let Ok(arn) = arn.parse::<Arn>() else { return Ok(None) };
    Ok(queues::find(tx, &arn.account, &arn.region, &arn.resource).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_on_the_average_and_a_pause_earns_a_second_at_the_most() {
        let start = Timestamp::from_secs(1_000);
        let mut task = MoveTask {
            id: 1,
            task_id: String::new(),
            source: String::new(),
            destination: None,
            per_second: Some(10),
            status: MoveStatus::Running,
            failure: None,
            moved: 0,
            to_move: 1_000,
            started_at: start,
            next_at: start,
        };
        assert_eq!(allowance(&task, start).0, 1);
        assert_eq!(allowance(&task, start + Duration::from_millis(500)).0, 6);
        let late = start + Duration::from_secs(60);
        assert_eq!(allowance(&task, late), (11, late - CREDIT));
        task.per_second = Some(500);
        assert_eq!(allowance(&task, late).0, LOT);
        task.per_second = None;
        assert_eq!(allowance(&task, start).0, LOT);
    }
}
