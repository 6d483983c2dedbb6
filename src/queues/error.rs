//! What can be wrong with a request to a queue, in the words of queues; the AWS codes stand in `aws/sqs/error.rs`.
use crate::store;
use crate::store::vault::VaultError;

/// Why a queue did not do what was asked. Nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// No queue of this name in the account and region.
    #[error("queue {0} does not exist")]
    QueueMissing(String),
    /// The key of who asked was switched off, or its account was suspended, while the call waited.
    #[error("the key is not active any more")]
    KeyEnded,
    /// The name is taken by a queue with another value of the attribute named second.
    #[error("queue {0} exists with another {1}")]
    QueueExists(String, String),
    /// Names are 1 to 80 letters, digits, hyphens and underscores.
    #[error("queue name {0:?} is not valid")]
    QueueName(String),
    /// No queue has an attribute of this name, or it cannot be set.
    #[error("unknown attribute {0}")]
    AttributeName(String),
    /// The attribute cannot have this value: name, value.
    #[error("attribute {0} cannot be {1:?}")]
    AttributeValue(String, String),
    /// The attribute cannot have the value that is given: name, why, a sentence.
    #[error("attribute {0}: {1}")]
    AttributeRefused(&'static str, &'static str),
    /// The policy is longer than a queue's may be.
    #[error("the policy is too long")]
    PolicyTooLong,
    /// A policy has more statements than it may: how many there are, how many there may be.
    #[error("the policy has {0} statements, {1} are allowed")]
    PolicyStatements(usize, usize),
    /// A queue's rate is counted for each group only where its messages are told apart within their group.
    #[error("a limit for each group needs deduplication within the group")]
    LimitWithoutScope,
    /// Only a FIFO queue has an attribute of this name.
    #[error("only a FIFO queue has the attribute {0}")]
    FifoOnly(String),
    /// A queue of this name was deleted less than 60 seconds ago.
    #[error("queue {0} was deleted less than 60 seconds ago")]
    DeletedRecently(String),
    /// A move task cannot be started, listed or cancelled.
    #[error(transparent)]
    Move(#[from] MoveError),
    /// The queue was purged less than 60 seconds ago.
    #[error("queue {0} was purged less than 60 seconds ago")]
    PurgeInProgress(String),
    /// The body is empty.
    #[error("message has no body")]
    BodyMissing,
    /// The body holds a character that XML cannot: SQS takes #x9, #xA, #xD and #x20 up, but for the surrogates and
    /// #xFFFE, #xFFFF.
    #[error("message holds a character that is not allowed: {0:?}")]
    BodyCharacters(char),
    /// Body and attributes together are larger than this many bytes.
    #[error("message is longer than {0} bytes")]
    MessageTooLong(u32),
    /// The messages of a batch together are larger than this many bytes: limit, size.
    #[error("batch of {1} bytes is longer than {0}")]
    BatchTooLong(u32, usize),
    /// A message attribute is not valid; the text says which and why.
    #[error("message attribute: {0}")]
    MessageAttribute(String),
    /// A parameter is out of its range.
    #[error("{name} cannot be {value:?}: {reason}")]
    Parameter {
        /// Its name in the request.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it must be, a sentence.
        reason: &'static str,
    },
    /// A RedrivePolicy cannot be had.
    #[error("redrive policy {value:?}: {reason}")]
    RedrivePolicy {
        /// What was given.
        value: String,
        /// Why not, a sentence.
        reason: String,
    },
    /// There is no receipt handle.
    #[error("receipt handle is empty")]
    ReceiptHandleMissing,
    /// The text was never a receipt handle of this queue.
    #[error("receipt handle {0:?} is not valid")]
    ReceiptHandle(String),
    /// The text is a receipt handle, but of another queue.
    #[error("receipt handle {0:?} is another queue's")]
    ReceiptHandleOfOther(String),
    /// There is no such message any more, so it cannot be hidden; holds the receipt handle.
    #[error("the message of receipt handle {0:?} is gone")]
    MessageGone(String),
    /// A receive cannot be repeated, since one of its messages is gone; holds its id.
    #[error("receive {0:?} cannot be repeated")]
    AttemptOver(String),
    /// The message is visible, and nobody has received it in this queue.
    #[error("message is not in flight")]
    NotInFlight,
    /// A FIFO queue's name ends with `.fifo`.
    #[error("queue name {0:?} is not valid for a FIFO queue")]
    FifoQueueName(String),
    /// A message for a FIFO queue names no group.
    #[error("message has no group")]
    GroupMissing,
    /// A message for a FIFO queue has no deduplication id, and the queue makes none from the body.
    #[error("message has no deduplication id")]
    DeduplicationMissing,
    /// The handle names a receive whose time is over, so a message of a FIFO queue stays.
    #[error("receipt handle {0:?} has expired")]
    HandleExpired(String),
    /// As many messages are in flight as may be.
    #[error("too many messages are in flight")]
    OverLimit,
    /// The queue's KMS key cannot be used.
    #[error(transparent)]
    Kms(VaultError),
    /// A queue is encrypted in one way at a time.
    #[error("a queue has either a KMS key or the encryption of SQS")]
    TwoEncryptions,
    /// A tag's key has 1 to 128 characters, and who takes tags away names one.
    #[error("a tag key is empty or too long, or there is none")]
    TagKeys,
    /// A tag's value has 256 characters at the most.
    #[error("a tag value is too long")]
    TagValues,
    /// The queue named here would have more than 50 tags.
    #[error("too many tags for queue {0}")]
    TooManyTags(String),
    /// More than AWS allows.
    #[error("{count} {what}, {max} are allowed")]
    TooMany {
        /// Of what, with a capital letter.
        what: &'static str,
        /// How many there would be.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// The account has as many queues in this region as it may.
    #[error("an account has {0} queues at the most")]
    TooManyQueues(u32),
    /// The policy of the queue with this ARN does not let the topic send to it.
    #[error("the policy of {0} does not allow it")]
    Denied(String),
    /// The store failed. Peers learn nothing but that.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// Why a task cannot be started, listed or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The queue that the parameter names does not exist.
    #[error("the queue of {0} does not exist")]
    Missing(&'static str),
    /// No queue names the source as its dead-letter queue.
    #[error("source is nobody's dead-letter queue")]
    NotDeadLetters,
    /// Source and destination are one queue.
    #[error("source and destination are the same")]
    SameQueue,
    /// One is FIFO, the other is not.
    #[error("source and destination are not of the same type")]
    OtherType,
    /// A task is under way for this source.
    #[error("a task is already running")]
    AlreadyRunning,
    /// The account has as many tasks under way as it may.
    #[error("too many tasks are running")]
    TooMany,
    /// The number is out of its range: the parameter, and the largest that it may be.
    #[error("{0} is not between 1 and {1}")]
    Number(&'static str, i64),
    /// No such task.
    #[error("task does not exist")]
    TaskMissing,
    /// The task has ended, or is about to.
    #[error("task is not running")]
    NotRunning,
}
