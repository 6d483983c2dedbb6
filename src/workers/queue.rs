//! The system's own queues, and how a job gets into one: in the transaction that causes it.
use crate::base::{Timestamp, ids};
use crate::store;
use crate::store::Tx;
use crate::store::messages::{self, NewMessage};

/// A queue of the system. Its rows stand in the same table as those of users' queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SystemQueue {
    /// One job for each recipient of an accepted mail.
    Outbound,
    /// One job for each received mail and account.
    Inbound,
    /// One job for each HTTP delivery of a published message.
    TopicDelivery,
    /// One job for each message that goes to many subscriptions of a topic.
    FanOut,
}

impl SystemQueue {
    /// All of them.
    pub const ALL: [SystemQueue; 4] = [Self::Outbound, Self::Inbound, Self::TopicDelivery, Self::FanOut];

    /// The number in the store. Users' queues have positive ones.
    pub const fn id(self) -> i64 {
        match self {
            Self::Outbound => -1,
            Self::Inbound => -2,
            Self::TopicDelivery => -3,
            Self::FanOut => -4,
        }
    }

    /// The number of the queue that keeps the jobs that were given up, for an operator to look at.
    pub const fn dead_letters_id(self) -> i64 {
        self.id() - 100
    }

    /// The queue whose jobs are kept under this number when they are given up.
    pub fn of_dead_letters(id: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|queue| queue.dead_letters_id() == id)
    }

    /// Whether each of its jobs is in a group.
    pub const fn has_only_groups(self) -> bool {
        matches!(self, Self::Outbound | Self::Inbound)
    }

    /// The name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
            Self::TopicDelivery => "topic-delivery",
            Self::FanOut => "fan-out",
        }
    }
}

/// A job to add.
#[derive(Clone, Debug)]
pub struct Job {
    /// What to do: JSON that the queue's worker understands.
    pub body: String,
    /// Whose turn it is: jobs of one group share its limits, such as a destination's. Where every job is in a group, those
    /// without a name share one.
    pub group: Option<String>,
    /// Not before this time.
    pub visible_at: Timestamp,
}

/// Adds jobs in the caller's transaction; workers wake once it is durable.
///
/// # Errors
/// When the store fails.
pub async fn enqueue(tx: &mut Tx, queue: SystemQueue, jobs: &[Job]) -> Result<(), store::Error> {
    let messages: Vec<NewMessage> = jobs
        .iter()
        .map(|job| NewMessage {
            message_id: ids::uuid(),
            visible_at: job.visible_at,
            group_id: job.group.clone().or_else(|| queue.has_only_groups().then(String::new)),
            deduplication_id: None,
            sender: None,
            attributes: None,
            trace_header: None,
            body: job.body.clone(),
        })
        .collect();
    messages::insert(tx, queue.id(), &messages).await
}

/// A job that a worker holds.
#[derive(Clone, Debug)]
pub struct Claim {
    /// What to do.
    pub body: String,
    /// See [`Job::group`].
    pub group: Option<String>,
    /// Which attempt this is: 1 for the first.
    pub attempt: u32,
    /// When the job was added.
    pub sent_at: Timestamp,
    pub(super) id: i64,
    pub(super) receipt: i64,
}

impl Claim {
    pub(super) fn new(message: messages::Claimed) -> Self {
        Self {
            body: message.body,
            group: message.group_id,
            attempt: message.receive_count,
            sent_at: message.sent_at,
            id: message.id,
            receipt: message.receipt,
        }
    }
}
