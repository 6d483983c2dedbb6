//! The rules of SQS over the one queue engine: queues, send, receive and long poll, visibility, delete, redrive.
mod attributes;
mod error;
mod handle;
mod kept;
mod manage;
pub mod message_attributes;
mod peek;
mod permission;
mod protection;
mod receive;
mod retention;
mod sealing;
mod send;
mod tags;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::base::{AccountId, Arn, Clock, Region};
use crate::store::Store;

pub use crate::store::queues::Queue;
pub use attributes::ATTRIBUTE_NAMES;
pub use error::Error;
pub use message_attributes::{MessageAttribute, MessageAttributes};
pub use receive::{Receive, Received};
pub use send::{Outgoing, Sent};

/// The queues of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct Queues {
    store: Store,
    clock: Clock,
    policies: Arc<permission::Policies>,
    /// Cancelled when nobody may wait for a message any more.
    closing: CancellationToken,
}

/// Whose queues, and where: names are unique within this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The owner.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Queues {
    /// The queues in `store`.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock, policies: Arc::default(), closing: CancellationToken::new() }
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
