//! A message that somebody has claimed: the row that every claim gives.
use crate::base::Timestamp;
use crate::store::{Error, Row};

/// A message that somebody has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Its place in the store.
    pub id: i64,
    /// Names this claim: later changes hold only while the row still carries it.
    pub receipt: i64,
    /// It was given out as often as it may be: it was claimed to be taken away, and this does not count as a receive. For as
    /// long as that takes it is hidden from everybody.
    pub spent: bool,
    /// How often it has been received, this time included if it is given out.
    pub receive_count: u32,
    /// How often it had been received when it was moved into this queue.
    pub receives_before: u32,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
    /// See [`NewMessage::message_id`](crate::store::messages::NewMessage::message_id).
    pub message_id: String,
    /// See [`NewMessage::group_id`](crate::store::messages::NewMessage::group_id).
    pub group_id: Option<String>,
    /// See [`NewMessage::deduplication_id`](crate::store::messages::NewMessage::deduplication_id).
    pub deduplication_id: Option<String>,
    /// See [`NewMessage::sender`](crate::store::messages::NewMessage::sender).
    pub sender: Option<String>,
    /// ARN of the queue that it was moved from as a dead letter.
    pub dead_letter_source: Option<String>,
    /// See [`NewMessage::attributes`](crate::store::messages::NewMessage::attributes).
    pub attributes: Option<String>,
    /// See [`NewMessage::trace_header`](crate::store::messages::NewMessage::trace_header).
    pub trace_header: Option<String>,
    /// See [`NewMessage::body`](crate::store::messages::NewMessage::body).
    pub body: String,
}

impl Claimed {
    /// A row that a claim gives.
    pub(in crate::store) fn taken(row: &Row) -> Result<Self, Error> {
        Ok(Self { spent: row.flag("spent")?, ..Self::read(row)? })
    }

    pub(in crate::store) fn read(row: &Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.int("id")?,
            receipt: row.int("receipt")?,
            spent: false,
            receive_count: row.count("receive_count")?,
            receives_before: row.count("receives_before")?,
            sent_at: row.time("sent_at")?,
            first_received_at: row.time("first_received_at")?,
            message_id: row.text("message_id")?,
            group_id: row.opt_text("group_id")?,
            deduplication_id: row.opt_text("deduplication_id")?,
            sender: row.opt_text("sender")?,
            dead_letter_source: row.opt_text("dead_letter_source")?,
            attributes: row.opt_text("attributes")?,
            trace_header: row.opt_text("trace_header")?,
            body: row.text("body")?,
        })
    }
}
