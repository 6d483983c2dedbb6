//! Sending: checks a message as SQS does, and adds it to its queue.
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Arn, Scope, Timestamp, ids};
use crate::queues::message_attributes::{self, MessageAttributes};
use crate::queues::{Error, Queue, Queues, fifo, sealing};
use crate::store::Tx;
use crate::store::messages::{self, NewMessage};
use crate::store::vault::Vault;

/// The largest batch, all its messages together, in bytes.
const BATCH_SIZE_MAX: u32 = 1_048_576;
const DELAY_MAX: i64 = 900;
/// The longest trace header, in bytes. AWS documents no limit beyond its form, which fits well within this.
pub const TRACE_HEADER_MAX: usize = 1_024;

/// A message to send.
#[derive(Clone, Debug, Default)]
pub struct Outgoing {
    /// The body, 1 byte to the queue's limit.
    pub body: String,
    /// Seconds to hide it first, 0 to 900, instead of the queue's own.
    pub delay: Option<i64>,
    /// Message attributes.
    pub attributes: MessageAttributes,
    /// The system attribute AWSTraceHeader.
    pub trace_header: Option<String>,
    /// The tenant of a fair queue; in a FIFO queue, what keeps its order.
    pub group_id: Option<String>,
    /// What a FIFO queue knows it by.
    pub deduplication_id: Option<String>,
    /// Who sends it, for SenderId.
    pub sender: Option<String>,
}

/// What the sender of a message is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The new message's id.
    pub message_id: String,
    /// MD5 of the body, in hex.
    pub body_md5: String,
    /// MD5 of the attributes, in hex, if there are any.
    pub attributes_md5: Option<String>,
    /// Its place in a FIFO queue: grows within its group.
    pub sequence_number: Option<String>,
}

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
        return fifo::insert(tx, queue, outgoing).await;
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

pub(super) fn row(
    vault: &Vault,
    now: Timestamp,
    queue: &Queue,
    message: Outgoing,
) -> Result<(NewMessage, Sent), Error> {
    let sent = Sent {
        message_id: ids::uuid(),
        body_md5: message_attributes::body_md5(&message.body),
        attributes_md5: message_attributes::md5(&message.attributes),
        sequence_number: None,
    };
    let attributes = if message.attributes.is_empty() {
        None
    } else {
        Some(serde_json::to_string(&message.attributes).map_err(crate::store::Error::corrupt)?)
    };
    let delay = message.delay.and_then(|d| u64::try_from(d).ok()).unwrap_or(u64::from(queue.settings.delay));
    let row = NewMessage {
        message_id: sent.message_id.clone(),
        visible_at: now + Duration::from_secs(delay),
        group_id: message.group_id,
        deduplication_id: message.deduplication_id,
        sender: message.sender,
        attributes,
        trace_header: message.trace_header,
        body: message.body,
    };
    Ok((sealing::seal(vault, now, queue, row)?, sent))
}

fn message_size(message: &Outgoing) -> usize {
    message.body.len() + message_attributes::size(&message.attributes)
}

fn check_size(queue: &Queue, message: &Outgoing) -> Result<(), Error> {
    let max = queue.settings.message_size_max;
    if message_size(message) > max as usize { Err(Error::MessageTooLong(max)) } else { Ok(()) }
}

/// What is wrong with a message of a batch so that the whole batch is refused. A standard queue was recorded to refuse the
/// message alone.
fn refuses_all(queue: &Queue, message: &Outgoing) -> Option<Error> {
    let fifo = queue.settings.fifo.as_ref()?;
    fifo::missing(fifo, message).or_else(|| check_size(queue, message).err())
}

pub(super) fn check(queue: &Queue, message: &Outgoing) -> Result<(), Error> {
    if message.body.is_empty() {
        return Err(Error::BodyMissing);
    }
    if let Some(wrong) = forbidden(&message.body) {
        return Err(Error::BodyCharacters(wrong));
    }
    message_attributes::check(&message.attributes)?;
    check_size(queue, message)?;
    if let Some(delay) = message.delay.filter(|delay| !(0..=DELAY_MAX).contains(delay)) {
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        return Err(Error::Parameter { name: "DelaySeconds", value: delay.to_string(), reason });
    }
    fifo::check_message(queue, message)?;
    if message.trace_header.as_ref().is_some_and(|header| header.len() > TRACE_HEADER_MAX || !header.is_ascii()) {
        return Err(Error::MessageAttribute("AWSTraceHeader is not valid.".to_owned()));
    }
    Ok(())
}

/// Whether these are characters of ASCII that every body may hold. Looks at many at a time.
fn is_plain(body: &[u8]) -> bool {
    let plain = |b: u8| (0x20..0x7F).contains(&b) | (b == b'\t') | (b == b'\n') | (b == b'\r');
    body.chunks(64).all(|some| some.iter().fold(true, |all, b| all & plain(*b)))
}

/// The first character of a text that no message may hold.
pub(super) fn forbidden(text: &str) -> Option<char> {
    if is_plain(text.as_bytes()) { None } else { text.chars().find(|c| !allowed(*c)) }
}

/// The characters that a body, or the value of an attribute, may hold (SendMessage in the SQS API reference).
fn allowed(c: char) -> bool {
    matches!(c, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
