//! A message on its way into a queue, and its row.
use std::time::Duration;

use crate::base::{Timestamp, ids};
use crate::queues::message_attributes::{self, MessageAttributes};
use crate::queues::{Error, Queue, sealing};
use crate::store::messages::NewMessage;
use crate::store::vault::Vault;

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

/// The row of a message that is fine, and what its sender is told.
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

/// What counts towards the limits on a message and a batch, in bytes.
pub(super) fn message_size(message: &Outgoing) -> usize {
    message.body.len() + message_attributes::size(&message.attributes)
}
