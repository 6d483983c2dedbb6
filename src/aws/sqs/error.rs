//! SQS's error rows: shape, Query code, status and AWS's text for each.
//!
//! Most texts are what AWS was recorded to answer, or stand in its guides, in what its users quote in bug reports, or in the
//! tests of other stand-ins for AWS. Those of which no such record was found are marked: "words unknown". Of these only the code
//! is AWS's for certain.
use std::fmt;

use crate::aws::error::{ErrorShape, Failure, ServiceError};
use crate::aws::protocol::Refusal;
use crate::aws::sigv4::SignatureError;
use crate::queues::Error as Core;
use crate::queues::MoveError;
use crate::store::vault::VaultError;

/// An SQS error.
#[derive(Debug)]
pub(super) enum SqsError {
    /// The core refused.
    Queue(Core),
    /// The queue belongs to another account, or its policy denies the call; holds its URL.
    AccessDenied(String),
    /// A list that must not be empty is; holds its name.
    Missing(&'static str),
    /// An entry of a batch lacks a member that it must have.
    MissingAt {
        /// What the entry is called.
        entry: &'static str,
        /// Which one it is, from 1.
        number: usize,
        /// The member.
        member: &'static str,
    },
    /// A parameter cannot be so, and AWS does not say how it is: its name, and why, a sentence.
    Value(&'static str, &'static str),
    /// The token is of no page.
    NextToken,
    /// A batch has no entry; holds the entry's name.
    EmptyBatch(&'static str),
    /// A batch has more than ten entries; holds how many.
    TooManyEntries(usize),
    /// An entry of a batch has no group, and its queue is FIFO. AWS gives it another code than to a single message.
    EntryWithoutGroup,
    /// Two entries have this id.
    RepeatedId(String),
    /// An entry's id is not valid.
    InvalidId,
    /// The parameter named here is not an ARN.
    InvalidArn(&'static str),
    /// The handle is not a move task's.
    InvalidTaskHandle,
}

impl SqsError {
    /// The refusal of a call to the queue with this URL.
    pub(super) fn denied(url: &str) -> Self {
        Self::AccessDenied(url.chars().take(200).collect())
    }
}

impl From<Core> for SqsError {
    fn from(error: Core) -> Self {
        Self::Queue(error)
    }
}

impl std::error::Error for SqsError {}

/// The row for a caller who asks for too much at once.
pub(super) const THROTTLED: ErrorShape = ErrorShape::sender("RequestThrottled", 429);
const INVALID_VALUE: ErrorShape = ErrorShape::sender("com.amazon.coral.service#InvalidParameterValueException", 400)
    .query("InvalidParameterValue", 400);
const OVER_LIMIT: ErrorShape = ErrorShape::sender("OverLimit", 400).query("OverLimit", 403);
const MISSING: ErrorShape = ErrorShape::sender("com.amazon.coral.service#MissingRequiredParameterException", 400)
    .query("MissingParameter", 400);

/// A row whose Query code has SQS's old prefix.
macro_rules! prefixed {
    ($name:literal, $query_status:literal) => {
        ErrorShape::sender($name, 400).query(concat!("AWS.SimpleQueueService.", $name), $query_status)
    };
}

impl ServiceError for SqsError {
    fn shape(&self) -> ErrorShape {
        let core = match self {
            Self::Queue(core) => core,
            Self::AccessDenied(_) => {
                return ErrorShape::sender("com.amazon.coral.service#AccessDeniedException", 403)
                    .query("AccessDenied", 403);
            }
            Self::Missing(_) | Self::MissingAt { .. } => return MISSING,
            Self::EmptyBatch(_) => return prefixed!("EmptyBatchRequest", 400),
            Self::TooManyEntries(_) => return prefixed!("TooManyEntriesInBatchRequest", 400),
            Self::RepeatedId(_) => return prefixed!("BatchEntryIdsNotDistinct", 400),
            Self::EntryWithoutGroup | Self::Value(..) | Self::NextToken => return INVALID_VALUE,
            Self::InvalidArn(_) | Self::InvalidTaskHandle => return INVALID_VALUE,
            Self::InvalidId => return prefixed!("InvalidBatchEntryId", 400),
        };
        match core {
            Core::QueueMissing(_) => {
                let shape = ErrorShape::sender("QueueDoesNotExist", 400);
                shape
                    .query("AWS.SimpleQueueService.NonExistentQueue", 400)
                    .query_text("The specified queue does not exist for this wsdl version.")
            }
            // As at the gate.
            Core::KeyEnded => SignatureError::UnknownKey.shape(),
            Core::QueueExists(..) => ErrorShape::sender("QueueNameExists", 400).query("QueueAlreadyExists", 400),
            Core::AttributeName(_) | Core::FifoOnly(_) => ErrorShape::sender("InvalidAttributeName", 400),
            Core::AttributeValue(..) | Core::AttributeRefused(..) | Core::LimitWithoutScope => {
                ErrorShape::sender("InvalidAttributeValue", 400)
            }
            Core::DeletedRecently(_) => prefixed!("QueueDeletedRecently", 400),
            Core::Move(error) => move_shape(*error),
            Core::PurgeInProgress(_) => prefixed!("PurgeQueueInProgress", 403),
            Core::BodyMissing | Core::ReceiptHandleMissing => MISSING,
            Core::BodyCharacters(_) => ErrorShape::sender("InvalidMessageContents", 400),
            Core::BatchTooLong(..) => prefixed!("BatchRequestTooLong", 400),
            Core::ReceiptHandle(_) | Core::ReceiptHandleOfOther(_) => {
                ErrorShape::sender("ReceiptHandleIsInvalid", 400).query("ReceiptHandleIsInvalid", 404)
            }
            Core::NotInFlight => prefixed!("MessageNotInflight", 400),
            Core::GroupMissing => MISSING,
            Core::FifoQueueName(_) | Core::DeduplicationMissing | Core::HandleExpired(_) => INVALID_VALUE,
            Core::MessageGone(_) | Core::AttemptOver(_) | Core::RedrivePolicy { .. } => INVALID_VALUE,
            Core::QueueName(_) | Core::MessageTooLong(_) | Core::MessageAttribute(_) | Core::Parameter { .. } => {
                INVALID_VALUE
            }
            Core::TagKeys | Core::TagValues | Core::TooManyTags(_) => INVALID_VALUE,
            Core::Kms(error) => kms_shape(error),
            Core::TwoEncryptions => ErrorShape::sender("InvalidAttributeName", 400),
            Core::OverLimit | Core::PolicyTooLong | Core::PolicyStatements(..) => OVER_LIMIT,
            Core::TooMany { .. } | Core::TooManyQueues(_) => OVER_LIMIT,
            Core::Denied(_) => {
                ErrorShape::sender("com.amazon.coral.service#AccessDeniedException", 403).query("AccessDenied", 403)
            }
            Core::Internal(error) => ErrorShape::of_store(error, ErrorShape::internal("InternalFailure")),
        }
    }
}

fn kms_shape(error: &VaultError) -> ErrorShape {
    match error {
        VaultError::KmsDisabled(_) => ErrorShape::sender("KmsDisabled", 400).query("KMS.DisabledException", 400),
        VaultError::KmsPendingDeletion(_) => {
            ErrorShape::sender("KmsInvalidState", 400).query("KMS.InvalidStateException", 400)
        }
        VaultError::KmsMissing(_) => ErrorShape::sender("KmsNotFound", 400).query("KMS.NotFoundException", 400),
        VaultError::MasterMissing(_) | VaultError::Damaged | VaultError::Cipher => {
            ErrorShape::internal("InternalFailure")
        }
    }
}

impl fmt::Display for SqsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue(core) => write_core(core, f),
            // Words unknown.
            Self::AccessDenied(url) => write!(f, "Access to the resource {url} is denied."),
            Self::Missing(name) => write!(f, "The request must contain the parameter {name}."),
            Self::MissingAt { entry, number, member } => {
                write!(f, "The request must contain the parameter {entry}.{number}.{member}.")
            }
            Self::Value(name, reason) => write!(f, "Value for parameter {name} is invalid. Reason: {reason}"),
            Self::NextToken => f.write_str("Invalid or expired next token."),
            Self::EmptyBatch(entry) => write!(f, "There should be at least one {entry} in the request."),
            Self::TooManyEntries(n) => {
                write!(f, "Maximum number of entries per request are 10. You have sent {n}.")
            }
            Self::EntryWithoutGroup => write_core(&Core::GroupMissing, f),
            Self::RepeatedId(id) => write!(f, "Id {id} repeated."),
            Self::InvalidArn(name) => write!(
                f,
                "You must use this format to specify the {name}: \
                 arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            ),
            Self::InvalidTaskHandle => f.write_str("Value for parameter TaskHandle is invalid."),
            Self::InvalidId => f.write_str(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most \
                 80 letters long.",
            ),
        }
    }
}

fn write_core(core: &Core, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match core {
        Core::QueueMissing(_) => f.write_str("The specified queue does not exist."),
        Core::KeyEnded => write!(f, "{}", SignatureError::UnknownKey),
        Core::QueueExists(_, attribute) => write!(
            f,
            "A queue already exists with the same name and a different value for attribute {attribute}"
        ),
        Core::QueueName(_) => f.write_str(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ),
        Core::AttributeName(name) => write!(f, "Unknown Attribute {name}."),
        Core::AttributeValue(name, _) => write!(f, "Invalid value for the parameter {name}."),
        Core::AttributeRefused(name, reason) => write!(f, "Invalid value for the parameter {name}. Reason: {reason}"),
        Core::LimitWithoutScope => f.write_str(
            "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup",
        ),
        Core::PolicyTooLong => f.write_str("Submitted policy is over max allowed size."),
        Core::PolicyStatements(count, max) => {
            write!(f, "{count} statements were found in the submitted policy, max allowed is {max}")
        }
        Core::FifoOnly(name) => write!(f, "You can specify the {name} only when FifoQueue is set to true."),
        Core::DeletedRecently(_) => f.write_str(
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
        ),
        Core::Move(error) => write_move(*error, f),
        Core::PurgeInProgress(name) => {
            write!(f, "Only one PurgeQueue operation on {name} is allowed every 60 seconds.")
        }
        Core::MessageAttribute(text) => f.write_str(text),
        Core::Parameter { name, value, reason } => {
            write!(f, "Value {value} for parameter {name} is invalid. Reason: {reason}")
        }
        Core::RedrivePolicy { value, reason } => {
            write!(f, "Value {value} for parameter RedrivePolicy is invalid. Reason: {reason}")
        }
        Core::FifoQueueName(_) => f.write_str(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with \
             .fifo suffix and be 1 to 80 in length.",
        ),
        Core::OverLimit => f.write_str("Too many messages in flight."),
        Core::Kms(error) => write_kms(error, f),
        Core::TwoEncryptions => f.write_str(
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
        ),
        Core::TooMany { what, count, max } => write!(f, "{count} {what} were found, maximum allowed is {max}."),
        // AWS has no such limit, and so no words for it.
        Core::TooManyQueues(max) => write!(f, "The account has {max} queues in this region, and may have no more."),
        Core::TagKeys => f.write_str("Tag keys must be between 1 and 128 characters in length."),
        // Words unknown.
        Core::TagValues => f.write_str("Tag values must be between 0 and 256 characters in length."),
        Core::TooManyTags(queue) => write!(f, "Too many tags added for queue {queue}."),
        // Words unknown, as above.
        Core::Denied(queue) => write!(f, "Access to the resource {queue} is denied."),
        Core::BodyMissing
        | Core::BodyCharacters(_)
        | Core::MessageTooLong(_)
        | Core::BatchTooLong(..)
        | Core::ReceiptHandleMissing
        | Core::ReceiptHandle(_)
        | Core::ReceiptHandleOfOther(_)
        | Core::MessageGone(_)
        | Core::AttemptOver(_)
        | Core::NotInFlight
        | Core::GroupMissing
        | Core::DeduplicationMissing
        | Core::HandleExpired(_) => write_of_message(core, f),
        Core::Internal(error) => write!(f, "{error}"),
    }
}

/// What is wrong with a message, or with a handle of one.
fn write_of_message(core: &Core, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match core {
        Core::BodyMissing => f.write_str("The request must contain the parameter MessageBody."),
        Core::BodyCharacters(odd) => write!(
            f,
            "Invalid binary character '#x{:X}' was found in the message body, the set of allowed characters is \
             #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].",
            u32::from(*odd)
        ),
        Core::MessageTooLong(max) => {
            write!(f, "One or more parameters are invalid. Reason: Message must be shorter than {max} bytes.")
        }
        Core::BatchTooLong(max, size) => {
            write!(f, "Batch requests cannot be longer than {max} bytes. You have sent {size} bytes.")
        }
        Core::ReceiptHandleMissing => f.write_str("The request must contain the parameter ReceiptHandle."),
        Core::ReceiptHandle(handle) => {
            write!(f, "The input receipt handle \"{handle}\" is not a valid receipt handle.")
        }
        Core::ReceiptHandleOfOther(handle) => {
            write!(f, "The receipt handle \"{handle}\" is not valid for this queue.")
        }
        Core::MessageGone(handle) => write!(
            f,
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
             visibility timeout change."
        ),
        Core::AttemptOver(id) => write!(
            f,
            "Value {id} for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not \
             valid anymore since the receive call is not retryable."
        ),
        // Words unknown.
        Core::NotInFlight => f.write_str("The message referred to is not in flight."),
        Core::GroupMissing => f.write_str("The request must contain the parameter MessageGroupId."),
        Core::DeduplicationMissing => f.write_str(
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        ),
        Core::HandleExpired(handle) => write!(
            f,
            "Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."
        ),
        core => write!(f, "{core}"),
    }
}

fn write_kms(error: &VaultError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        VaultError::KmsMissing(key) if key.starts_with("alias/") => write!(f, "Alias {key} is not found."),
        VaultError::KmsMissing(key) => write!(f, "Key '{key}' does not exist"),
        VaultError::KmsDisabled(key) => write!(f, "{key} is disabled."),
        VaultError::KmsPendingDeletion(key) => write!(f, "{key} is pending deletion."),
        error => write!(f, "{error}"),
    }
}

fn move_shape(error: MoveError) -> ErrorShape {
    match error {
        MoveError::Missing(_) | MoveError::TaskMissing => ErrorShape::sender("ResourceNotFoundException", 404),
        MoveError::TooMany | MoveError::NotRunning => prefixed!("UnsupportedOperation", 400),
        MoveError::NotDeadLetters
        | MoveError::SameQueue
        | MoveError::OtherType
        | MoveError::AlreadyRunning
        | MoveError::Number(..) => INVALID_VALUE,
    }
}

fn write_move(error: MoveError, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match error {
        MoveError::Missing(name) => {
            write!(f, "The resource that you specified for the {name} parameter doesn't exist.")
        }
        MoveError::NotDeadLetters => f.write_str("Source queue must be configured as a Dead Letter Queue."),
        MoveError::SameQueue => f.write_str("Source queue arn and destination queue arn cannot be the same."),
        MoveError::OtherType => f.write_str("The source queue and destination queue must be of the same queue type."),
        MoveError::AlreadyRunning => f.write_str(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time.",
        ),
        // Words unknown.
        MoveError::TooMany => f.write_str("An account can have at most 100 active message move tasks."),
        MoveError::Number(name, max) => write!(
            f,
            "Value for parameter {name} is invalid. Reason: You must enter a number that's between 1 and {max}."
        ),
        MoveError::TaskMissing => f.write_str("Task does not exist."),
        MoveError::NotRunning => f.write_str("Only active tasks can be cancelled."),
    }
}

/// The answer to a request that cannot be decoded.
pub(super) fn refuse(refusal: &Refusal) -> Failure {
    match refusal {
        Refusal::Missing(path) => {
            let name = path.rsplit('.').next().unwrap_or(path);
            Failure::new(MISSING, format!("The request must contain the parameter {name}."))
        }
        Refusal::NotInEnum { .. } => Failure::new(INVALID_VALUE, refusal.validation_text()),
        Refusal::Malformed(_) | Refusal::WrongType { .. } | Refusal::TooMuch(_) => {
            let shape = ErrorShape::sender("com.amazon.coral.service#SerializationException", 400);
            Failure::new(shape.query("MalformedInput", 400), refusal.to_string())
        }
    }
}
