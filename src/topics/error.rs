//! What can be wrong with a request to topics. The texts that a client sees stand in `aws/sns/error.rs`.
use crate::queues;
use crate::store;
use crate::workers::NotDone;

/// Why a topic operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ARN names no topic, or one of another account.
    #[error("topic does not exist")]
    TopicMissing,
    /// The name has other characters than letters, digits, `_`, `-`, or is empty or longer than 256.
    #[error("topic name is not valid")]
    TopicName,
    /// The topic has an archive, and cannot go before that.
    #[error("the topic has an archive policy")]
    Archived,
    /// The topic's policy does not let our own mail publish to it.
    #[error("the topic's policy denies it")]
    Forbidden,
    /// A data protection policy that cannot be had; the text says why.
    #[error("data protection policy: {0}")]
    DataProtection(String),
    /// The data protection policy of the topic with this ARN denies what the message holds.
    #[error("the data protection policy of {0} prohibits this message")]
    Protected(String),
    /// As much work of the account waits as may.
    #[error("too much work of this account waits already")]
    Crowded,
    /// A label of a permission that is empty, too long, or has control characters.
    #[error("label is not valid")]
    Label,
    /// A statement with this label is there already.
    #[error("the policy has a statement with this label")]
    LabelTaken,
    /// None of the accounts of a permission, or one that is no account's number.
    #[error("account is not valid")]
    Account,
    /// A policy, or a permission, for an action that is none of this service.
    #[error("action is none of topics")]
    PolicyScope,
    /// An attribute that only a FIFO topic has.
    #[error("attribute {0} is for fifo topics")]
    FifoAttribute(String),
    /// The account has as many topics as it may.
    #[error("too many topics")]
    TooManyTopics,
    /// The topic, or the account, has as many filter policies as it may.
    #[error("too many filter policies")]
    TooManyFilterPolicies,
    /// The topic has as many subscriptions as it may, or too many of the account wait for confirmation.
    #[error("too many subscriptions")]
    TooManySubscriptions,
    /// A protocol that a FIFO topic does not deliver to.
    #[error("a fifo topic does not deliver to {0}")]
    FifoProtocol(String),
    /// CreateTopic named a topic that exists with other attributes.
    #[error("topic exists with different attributes")]
    TopicDiffers,
    /// CreateTopic named a topic that exists with other tags.
    #[error("topic exists with different tags")]
    TagsDiffer,
    /// More than 50 tags.
    #[error("too many tags")]
    TooManyTags,
    /// A tag with an empty key, a key of more than 128 or a value of more than 256 characters.
    #[error("tag is not valid")]
    Tag,
    /// No such attribute of topics or subscriptions, or one that cannot be set.
    #[error("unknown attribute {0}")]
    AttributeName(String),
    /// An attribute's value cannot be taken; the second part says why.
    #[error("attribute {0} is not valid: {1}")]
    AttributeValue(&'static str, String),
    /// A filter policy for attributes has names within names.
    #[error("a filter policy for attributes cannot be nested")]
    FilterPolicyNested,
    /// The ARN names no subscription, or one of another account.
    #[error("subscription does not exist")]
    SubscriptionMissing,
    /// Subscribe named an endpoint that is subscribed with other attributes.
    #[error("subscription exists with different attributes")]
    SubscriptionDiffers,
    /// A protocol that SNS does not have, or that has no delivery here.
    #[error("protocol {0} is not supported")]
    Protocol(String),
    /// An HTTP endpoint that does not start with `http://` or `https://` as its protocol says, or has no host.
    #[error("endpoint does not match the protocol")]
    EndpointScheme,
    /// A queue endpoint that is not the ARN of a queue.
    #[error("endpoint is not the arn of a queue")]
    EndpointQueue,
    /// An endpoint of another protocol that does not have its form; the text names that.
    #[error("endpoint is not a {0}")]
    Endpoint(&'static str),
    /// What the endpoint names is not in this server's settings, or there is nothing behind the protocol.
    #[error("{0}")]
    NothingBehind(&'static str),
    /// A text that is no phone number.
    #[error("{0:?} is not a phone number")]
    Phone(String),
    /// A phone number that an account in the sandbox has not verified.
    #[error("{0} is not verified")]
    PhoneNotVerified(String),
    /// A phone number that was taken back in less than 30 days ago.
    #[error("the phone number was opted in lately")]
    OptedInLately,
    /// A phone number that wants no messages.
    #[error("the phone number is opted out")]
    OptedOut,
    /// A phone number that cannot be added to the sandbox; the text says why.
    #[error("{0}")]
    SandboxNumber(&'static str),
    /// No such phone number in the sandbox.
    #[error("the phone number is not in the sandbox")]
    SandboxMissing,
    /// A one-time password that is wrong, too old, or was guessed at too often.
    #[error("the one-time password is not valid")]
    SandboxCode,
    /// The name of an application cannot be so: name, and why.
    #[error("application name {0:?}: {1}")]
    ApplicationName(String, &'static str),
    /// A platform that SNS does not have.
    #[error("platform {0:?} is not known")]
    Platform(String),
    /// Half of what the platform wants to know its customer by: which half there is, which is missing.
    #[error("{0} without {1}")]
    HalfCredential(&'static str, &'static str),
    /// The ARN names no application.
    #[error("application does not exist")]
    ApplicationMissing,
    /// CreatePlatformApplication named an application that exists with other attributes.
    #[error("application exists with different attributes")]
    ApplicationDiffers,
    /// The application takes no messages, or no push gateway is configured.
    #[error("application is disabled")]
    ApplicationDisabled,
    /// The ARN names no endpoint of a device.
    #[error("endpoint does not exist")]
    DeviceMissing,
    /// The token belongs to this endpoint, which has other attributes.
    #[error("{0} exists with the same token and different attributes")]
    DeviceDiffers(String),
    /// The endpoint takes no messages.
    #[error("endpoint is disabled")]
    DeviceDisabled,
    /// The endpoint was asked to confirm too often.
    #[error("too many confirmations were sent to this address")]
    AskedTooOften,
    /// A FIFO queue cannot subscribe to a standard topic.
    #[error("a fifo queue cannot subscribe to a standard topic")]
    EndpointFifo,
    /// A function, stream or device of another account than the topic's.
    #[error("the endpoint belongs to another account")]
    EndpointForeign,
    /// Subscribe without an endpoint.
    #[error("endpoint is missing")]
    EndpointMissing,
    /// The confirmation token is unknown, belongs to another topic, or is older than two days.
    #[error("token is not valid")]
    Token,
    /// The subscription was confirmed with AuthenticateOnUnsubscribe: its link does not end it.
    #[error("only the owner may unsubscribe")]
    UnsubscribeNeedsOwner,
    /// The message is empty.
    #[error("message is empty")]
    MessageEmpty,
    /// Message and attributes are together longer than the topic takes: 256 KiB, where it does not say otherwise.
    #[error("message is too long")]
    MessageTooLong,
    /// The messages of a batch are together longer than the topic takes.
    #[error("the messages of the batch are too long together")]
    BatchTooLong,
    /// A topic with large messages takes no such subscription; the text says why.
    #[error("{0}")]
    Large(&'static str),
    /// The subject is empty, has 100 characters or more, or a control character.
    #[error("subject is not valid")]
    Subject,
    /// MessageStructure=json, and the message is no JSON object.
    #[error("message structure is not json")]
    StructureSyntax,
    /// MessageStructure=json without a string `default`.
    #[error("message structure has no default")]
    StructureDefault,
    /// A message attribute breaks a rule.
    #[error("message attribute {name:?} is not valid: {why:?}")]
    MessageAttribute {
        /// The attribute's name.
        name: String,
        /// Which rule.
        why: AttributeFault,
    },
    /// The message group is empty, longer than 128 characters, or has other than letters, digits and punctuation.
    #[error("message group is not valid")]
    Group,
    /// The deduplication id is empty, longer than 128 characters, or has other than letters, digits and punctuation.
    #[error("deduplication id is not valid")]
    Deduplication,
    /// A deduplication id in a message for a standard topic.
    #[error("a standard topic takes no deduplication id")]
    DeduplicationHere,
    /// A FIFO topic needs a deduplication id, or to know messages by their content.
    #[error("deduplication id is missing")]
    DeduplicationMissing,
    /// A FIFO topic needs a group.
    #[error("message group is missing")]
    GroupMissing,
    /// The signing key could not be made or read.
    #[error("signing: {0}")]
    Signing(String),
    /// The HTTP client could not be made.
    #[error("http client: {0}")]
    Client(String),
    /// A mail of our own could not be written.
    #[error("mail: {0}")]
    Mail(String),
    /// A queue could not take a message for a reason of its own.
    #[error(transparent)]
    Queue(#[from] queues::Error),
    /// The store failed.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// The rules for message attributes (SNS developer guide, "Message attribute data types and validation").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeFault {
    /// The name has more than 256 characters.
    NameTooLong,
    /// The name is empty.
    NameEmpty,
    /// The name starts with a dot.
    NameStartsWithDot,
    /// The name ends with a dot.
    NameEndsWithDot,
    /// The name has two dots in a row.
    NameHasTwoDots,
    /// The name has this character, which is no letter, digit, hyphen, underscore or dot.
    NameCharacter(char),
    /// The data type is none of String, String.Array, Number and Binary (with a label after a dot).
    DataType(String),
    /// There is no value, or an empty one, for this data type.
    Empty(String),
    /// The value is of the other kind: `StringValue` for a binary type or the reverse.
    OtherKind(String),
    /// The value of a `Number` is no number, or has too many digits.
    Number(String),
}

impl From<NotDone> for Error {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Crowded => Self::Crowded,
            NotDone::Broken => Self::Internal(store::Error::corrupt(error)),
        }
    }
}
