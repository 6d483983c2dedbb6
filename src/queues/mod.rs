//! The rules of SQS over the one queue engine: queues, send, receive and long poll, visibility, delete, redrive.
mod attempts;
mod attributes;
mod cache;
mod characters;
mod checking;
mod claiming;
mod counting;
mod dead_letters;
mod deduplicating;
mod error;
mod fifo;
mod handle;
mod kept;
mod manage;
pub mod message_attributes;
pub mod moves;
mod moving;
mod name;
mod outgoing;
mod peek;
mod permission;
mod protection;
mod receive;
mod received;
mod retention;
mod sealing;
mod send;
mod spread;
mod tags;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::access::policy::Policy;
use crate::base::{Arn, Clock, Headroom, Kept, Scope};
use crate::queues::counting::{Counting, IN_FLIGHT_MAX};
use crate::store::Store;

pub use crate::store::move_tasks::MoveTask;
pub use crate::store::queues::Queue;
pub use attributes::ATTRIBUTE_NAMES;
pub use checking::TRACE_HEADER_MAX;
pub use error::{Error, MoveError};
pub use fifo::{NOT_HERE, sequence_number};
pub use message_attributes::{MessageAttribute, MessageAttributes};
pub use outgoing::{Outgoing, Sent};
pub use receive::{HIDDEN_RANGE, Receive};
pub use received::Received;
pub use spread::Targets;

/// Queues whose rows, and whose groups, are known: those that were used last.
const QUEUES_KEPT: usize = 20_000;
/// Policies that are kept read.
const POLICIES_KEPT: usize = 1_000;

/// The queues of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Queues {
    store: Store,
    clock: Clock,
    /// Rows that were read.
    rows: Arc<Kept<String, Arc<Queue>>>,
    /// Queues that were seen with messages in groups. Such a queue is looked through for them from then on.
    grouped: Arc<Kept<i64, ()>>,
    counting: Arc<Counting>,
    /// Policies that were read, by their text, so that not every message costs a reading.
    policies: Arc<Kept<String, Arc<Policy>>>,
    /// Cancelled when nobody may wait for a message any more.
    closing: CancellationToken,
    /// Whether a deleted queue's name is free at once.
    names_free_at_once: bool,
    /// Queues of an account in a region.
    queues_max: u32,
    headroom: Arc<Headroom<Scope>>,
}

impl Queues {
    /// The queues in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        let counting = Arc::new(Counting::new(IN_FLIGHT_MAX));
        let rows = Arc::new(store.kept(QUEUES_KEPT));
        Self {
            store,
            clock,
            rows,
            grouped: Arc::new(Kept::new(QUEUES_KEPT)),
            counting,
            policies: Arc::new(Kept::new(POLICIES_KEPT)),
            closing: CancellationToken::new(),
            names_free_at_once: false,
            queues_max: u32::MAX,
            headroom: Arc::default(),
        }
    }

    /// The same, with another limit on the messages of a queue that are in flight.
    pub fn with_in_flight_max(self, max: u32) -> Self {
        Self { counting: Arc::new(Counting::new(max)), ..self }
    }

    /// The same, where an account may have so many queues in a region. SQS has no such limit.
    pub fn with_queues_max(self, max: u32) -> Self {
        Self { queues_max: max, ..self }
    }

    /// Lets a queue be made again as soon as it is deleted, not only after a minute: for a developer's machine, where
    /// test suites delete and make queues in a row.
    pub fn with_names_free_at_once(self, free: bool) -> Self {
        Self { names_free_at_once: free, ..self }
    }

    /// Whether the store's disk has room for what is new.
    pub fn has_room(&self) -> bool {
        self.store.has_room()
    }

    /// Ends all waiting for messages, and lets nobody wait from now on: the server stops.
    pub fn end_waiting(&self) {
        self.closing.cancel();
    }
}

/// The ARN of a queue.
pub fn arn(queue: &Queue) -> Arn {
    Arn::new("sqs", &queue.region, &queue.account, &queue.name)
}
