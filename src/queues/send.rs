//! Sending: checks a message as SQS does, and adds it to its queue.
use std::sync::Arc;

use crate::base::{Arn, Scope, Timestamp};
use crate::queues::checking::{check, check_size};
use crate::queues::outgoing::{message_size, row};
use crate::queues::{Error, Outgoing, Queue, Queues, Sent, deduplicating, fifo};
use crate::store::Tx;
use crate::store::messages::{self, NewMessage};
use crate::store::vault::Vault;

/// The largest batch, all its messages together, in bytes.
const BATCH_SIZE_MAX: u32 = 1_048_576;
impl Queues {
    /// Sends messages to a queue: each is taken or refused for itself, and all that are taken are durable on return.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]; [`Error::BatchTooLong`] for messages that are too long together. As on AWS, a FIFO queue
    /// refuses all when one is longer than it takes, or has no group or deduplication id where it needs one:
    /// [`Error::MessageTooLong`], [`Error::GroupMissing`], [`Error::DeduplicationMissing`]. Any other error of a message is its
    /// entry of the result.
    pub async fn send(
        &self,
        scope: &Scope,
        name: &str,
        outgoing: Vec<Outgoing>,
    ) -> Result<Vec<Result<Sent, Error>>, Error> {
        let queue = self.queue(scope, name).await?;
        let size: usize = outgoing.iter().map(message_size).sum();
        if size > BATCH_SIZE_MAX as usize {
            return Err(Error::BatchTooLong(BATCH_SIZE_MAX, size));
        }
        if let Some(error) = outgoing.iter().find_map(|message| refuses_all(&queue, message)) {
            return Err(error);
        }
        self.add(queue, outgoing).await
    }

    async fn add(&self, queue: Arc<Queue>, outgoing: Vec<Outgoing>) -> Result<EntryAnswers, Error> {
        self.store.check_room()?;
        let grouped = outgoing.iter().any(|message| message.group_id.is_some());
        if grouped {
            self.note_groups(&queue);
        }
        if grouped || queue.settings.fifo.is_some() {
            return self.store.write(move |tx| Box::pin(async move { insert(tx, &queue, outgoing).await })).await;
        }
        let (rows, answers) = rows(self.store.vault(), self.clock.now(), &queue, outgoing)?;
        if !rows.is_empty() {
            self.store.insert_messages(queue.id, rows).await?;
        }
        Ok(answers)
    }

    /// Sends one message.
    ///
    /// # Errors
    /// [`Error::QueueMissing`] and what is wrong with the message.
    pub async fn send_one(&self, scope: &Scope, name: &str, message: Outgoing) -> Result<Sent, Error> {
        let queue = self.queue(scope, name).await?;
        self.add(queue, vec![message]).await?.into_iter().next().unwrap_or(Err(Error::BodyMissing))
    }

    /// Adds one message inside the caller's transaction: how a topic delivers to a queue.
    ///
    /// # Errors
    /// [`Error::QueueMissing`] and what a sender's message can be refused for. The transaction can go on.
    pub async fn deliver(&self, tx: &mut Tx, queue: &Arn, message: Outgoing) -> Result<Sent, Error> {
        let scope = Scope { account: queue.account.clone(), region: queue.region.clone() };
        let queue = self.queue_in(tx, &scope, &queue.resource).await?;
        if message.group_id.is_some() {
            self.note_groups(&queue);
        }
        let sent = insert(tx, &queue, vec![message]).await?;
        sent.into_iter().next().unwrap_or(Err(Error::BodyMissing))
    }
}

/// Adds messages to a queue that was found.
pub(super) async fn insert(
    tx: &mut Tx,
    queue: &Queue,
    outgoing: Vec<Outgoing>,
) -> Result<Vec<Result<Sent, Error>>, Error> {
    if queue.settings.fifo.is_some() {
        return deduplicating::insert(tx, queue, outgoing).await;
    }
    let (rows, answers) = rows(tx.vault(), tx.now(), queue, outgoing)?;
    messages::insert(tx, queue.id, &rows).await?;
    Ok(answers)
}

type EntryAnswers = Vec<Result<Sent, Error>>;

/// The rows of those messages that are fine, and what the sender of each message is told.
fn rows(
    vault: &Vault,
    now: Timestamp,
    queue: &Queue,
    outgoing: Vec<Outgoing>,
) -> Result<(Vec<NewMessage>, EntryAnswers), Error> {
    let mut rows = Vec::with_capacity(outgoing.len());
    let mut answers = Vec::with_capacity(outgoing.len());
    for message in outgoing {
        match check(queue, &message) {
            Ok(()) => {
                let (row, sent) = row(vault, now, queue, message)?;
                rows.push(row);
                answers.push(Ok(sent));
            }
            Err(error) => answers.push(Err(error)),
        }
    }
    Ok((rows, answers))
}

/// What is wrong with a message of a batch so that the whole batch is refused. A standard queue was recorded to refuse the
/// message alone.
fn refuses_all(queue: &Queue, message: &Outgoing) -> Option<Error> {
    let fifo = queue.settings.fifo.as_ref()?;
    fifo::missing(fifo, message).or_else(|| check_size(queue, message).err())
}
