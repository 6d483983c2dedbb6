//! Messages as they are given out.
use crate::base::Timestamp;
use crate::queues::handle::Handle;
use crate::queues::{Error, MessageAttributes, fifo, sealing};
use crate::store;
use crate::store::messages::Claimed;
use crate::store::vault::Vault;

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
    /// The tenant of a fair queue; in a FIFO queue, what keeps its order.
    pub group_id: Option<String>,
    /// What a FIFO queue knows it by.
    pub deduplication_id: Option<String>,
    /// Its place in a FIFO queue.
    pub sequence_number: Option<String>,
    /// AWSTraceHeader.
    pub trace_header: Option<String>,
    /// ARN of the queue that it was moved from.
    pub dead_letter_source: Option<String>,
}

/// A message that was claimed.
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
        sequence_number: message.deduplication_id.as_ref().map(|_| fifo::sequence_number(message.id)),
        deduplication_id: message.deduplication_id,
        trace_header: message.trace_header,
        dead_letter_source: message.dead_letter_source,
    })
}

/// Those messages that could be read. One that does not open, since its key was disabled or the text is damaged, is left
/// out, so that it does not keep the others back; it stays claimed like any message that nobody deletes.
///
/// # Errors
/// When none of them could be read, the reason of the first.
pub(super) fn readable(messages: impl Iterator<Item = Result<Received, Error>>) -> Result<Vec<Received>, Error> {
    let mut good = Vec::new();
    let mut first = None;
    for message in messages {
        match message {
            Ok(message) => good.push(message),
            Err(error) => {
                tracing::error!(%error, "a message cannot be read");
                first.get_or_insert(error);
            }
        }
    }
    match first {
        Some(error) if good.is_empty() => Err(error),
        _ => Ok(good),
    }
}
