//! SNS's error rows and the texts that clients see. Texts were seen on AWS where LocalStack's recorded tests show them.
use crate::aws::error::{ErrorShape, Failure, ServiceError};
use crate::aws::protocol::Refusal;
use crate::queues;
use crate::topics;
use crate::topics::error::AttributeFault;

const INVALID_PARAMETER: ErrorShape = ErrorShape::sender("InvalidParameter", 400);
const PARAMETER_VALUE: ErrorShape = ErrorShape::sender("ParameterValueInvalid", 400);
const NOT_FOUND: ErrorShape = ErrorShape::sender("NotFound", 404);
const AUTHORIZATION: ErrorShape = ErrorShape::sender("AuthorizationError", 403);
const TAG_LIMIT: ErrorShape = ErrorShape::sender("TagLimitExceeded", 400);
/// The row for a caller who asks for too much at once.
pub(super) const THROTTLED: ErrorShape = ErrorShape::sender("Throttled", 429);
const NESTED: &str = "Filter policy scope MessageAttributes does not support nested filter policy";
const INTERNAL: ErrorShape = ErrorShape::internal("InternalError");

/// Why an SNS operation failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnsError {
    /// The caller's fault, with AWS's row and text.
    #[error("{1}")]
    Refused(ErrorShape, String),
    /// Ours.
    #[error(transparent)]
    Internal(topics::Error),
}

impl ServiceError for SnsError {
    fn shape(&self) -> ErrorShape {
        match self {
            Self::Refused(shape, _) => *shape,
            Self::Internal(topics::Error::Internal(error) | topics::Error::Queue(queues::Error::Internal(error))) => {
                ErrorShape::of_store(error, INTERNAL)
            }
            Self::Internal(_) => INTERNAL,
        }
    }
}

impl SnsError {
    /// `InvalidParameter` with this text after `Invalid parameter: `.
    pub(super) fn parameter(what: impl std::fmt::Display) -> Self {
        Self::Refused(INVALID_PARAMETER, format!("Invalid parameter: {what}"))
    }

    /// `InvalidParameter` with this text alone.
    pub(super) fn plain(text: impl Into<String>) -> Self {
        Self::Refused(INVALID_PARAMETER, text.into())
    }

    /// The member at this path is missing.
    pub(super) fn null(path: &str) -> Self {
        let text = format!(
            "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
        );
        Self::Refused(ErrorShape::sender("ValidationError", 400), text)
    }

    /// The caller may not do `action` to `resource`.
    pub(super) fn unauthorized(account: &str, action: &str, resource: &str) -> Self {
        let text = format!(
            "User: arn:aws:iam::{account}:root is not authorized to perform: SNS:{action} on resource: {resource} because \
             no resource-based policy allows the SNS:{action} action"
        );
        Self::Refused(AUTHORIZATION, text)
    }

    /// `NotFound`.
    pub(super) fn not_found(text: &str) -> Self {
        Self::Refused(NOT_FOUND, text.to_owned())
    }

    /// A row that one operation alone has.
    fn row(code: &'static str, status: u16, text: &str) -> Self {
        Self::Refused(ErrorShape::sender(code, status), text.to_owned())
    }

    /// `ResourceNotFound`, of the tag operations.
    pub(super) fn no_resource() -> Self {
        Self::Refused(ErrorShape::sender("ResourceNotFound", 404), "Resource does not exist".to_owned())
    }

    /// A batch that is refused as a whole, under this code.
    pub(super) fn batch(code: &'static str, text: impl Into<String>) -> Self {
        Self::Refused(ErrorShape::sender(code, 400), text.into())
    }

    /// The same error, for an operation that takes attributes in a map named `Attributes`.
    #[must_use]
    pub(super) fn in_attributes(error: topics::Error) -> Self {
        match error {
            topics::Error::AttributeName(name) => {
                Self::parameter(format_args!("Attributes Reason: Unknown attribute: {name}"))
            }
            topics::Error::AttributeValue(name, why) => {
                Self::parameter(format_args!("Attributes Reason: {name}: {why}"))
            }
            topics::Error::FifoAttribute(name) => {
                Self::parameter(format_args!("Attributes Reason: {name} can only be set for FIFO topics"))
            }
            topics::Error::FilterPolicyNested => Self::parameter(format_args!("Attributes Reason: {NESTED}")),
            other => Self::from(other),
        }
    }
}

impl From<topics::Error> for SnsError {
    fn from(error: topics::Error) -> Self {
        use topics::Error as E;
        match error {
            E::TopicMissing => Self::not_found("Topic does not exist"),
            E::TopicName => Self::parameter("Topic Name"),
            E::DataProtection(why) => Self::parameter(format_args!("DataProtectionPolicy Reason: {why}")),
            E::Protected(topic) => Self::Refused(AUTHORIZATION, protected_text(&topic)),
            E::Crowded => Self::Refused(THROTTLED, "Rate exceeded".to_owned()),
            E::Archived | E::Forbidden | E::Label | E::LabelTaken | E::Account | E::PolicyScope => of_policy(error),
            E::FifoAttribute(_) | E::FifoProtocol(_) => of_fifo(error),
            E::TooManyTopics | E::TooManySubscriptions | E::TooManyFilterPolicies => of_limits(&error),
            E::Deduplication | E::DeduplicationHere | E::DeduplicationMissing | E::GroupMissing => of_fifo(error),
            E::TopicDiffers => Self::parameter("Attributes Reason: Topic already exists with different attributes"),
            E::TagsDiffer => Self::parameter("Tags Reason: Topic already exists with different tags"),
            E::TooManyTags => {
                Self::Refused(TAG_LIMIT, "Could not complete request: tag quota of per resource exceeded".to_owned())
            }
            E::Tag => Self::parameter("Tags"),
            E::AttributeName(_) => Self::parameter("AttributeName"),
            E::AttributeValue(name, why) => Self::parameter(format_args!("{name}: {why}")),
            E::FilterPolicyNested => Self::parameter(NESTED),
            E::SubscriptionMissing => Self::not_found("Subscription does not exist"),
            E::SubscriptionDiffers => {
                Self::parameter("Attributes Reason: Subscription already exists with different attributes")
            }
            E::Protocol(name) => {
                let shown: String = name.chars().take(100).collect();
                Self::parameter(format_args!("Amazon SNS does not support this protocol string: {shown}"))
            }
            E::EndpointScheme => Self::parameter("Endpoint must match the specified protocol"),
            E::EndpointQueue => Self::parameter("SQS endpoint ARN"),
            E::Endpoint(what) => Self::parameter(what),
            E::NothingBehind(why) => Self::parameter(format_args!("Endpoint Reason: {why}")),
            E::Phone(_) | E::PhoneNotVerified(_) | E::OptedInLately | E::OptedOut => of_phone(error),
            E::SandboxNumber(_) | E::SandboxMissing | E::SandboxCode | E::AskedTooOften => of_phone(error),
            E::ApplicationName(..) | E::Platform(_) | E::HalfCredential(..) => of_device(error),
            E::ApplicationMissing | E::ApplicationDiffers => of_device(error),
            E::ApplicationDisabled | E::DeviceMissing | E::DeviceDiffers(_) | E::DeviceDisabled => of_device(error),
            E::EndpointFifo => Self::parameter(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
            ),
            E::EndpointForeign => {
                Self::parameter("Endpoint Reason: The endpoint must belong to the account that owns the topic")
            }
            E::EndpointMissing => Self::not_found("Endpoint not specified in subscription"),
            E::Token => Self::parameter("Token"),
            E::UnsubscribeNeedsOwner => {
                let text = "Only the owner of this subscription may end it: it was confirmed with \
                            AuthenticateOnUnsubscribe";
                Self::Refused(AUTHORIZATION, text.to_owned())
            }
            E::MessageEmpty => Self::parameter("Empty message"),
            E::MessageTooLong => Self::parameter("Message too long"),
            E::BatchTooLong => {
                let text = "The length of all the messages put together is more than the limit.";
                Self::batch("BatchRequestTooLong", text)
            }
            E::Large(why) => Self::parameter(why),
            E::Subject => Self::parameter("Subject"),
            E::StructureSyntax => Self::parameter("Message Structure - JSON message body failed to parse"),
            E::StructureDefault => Self::parameter("Message Structure - No default entry in JSON message body"),
            E::MessageAttribute { name, why } => Self::Refused(PARAMETER_VALUE, attribute_text(&name, &why)),
            E::Group => Self::parameter("MessageGroupId"),
            E::Signing(_) | E::Client(_) | E::Mail(_) | E::Queue(_) | E::Internal(_) => Self::Internal(error),
        }
    }
}

/// Made after what AWS logs of a delivery that is denied; what it tells publishers is not known.
fn protected_text(topic: &str) -> String {
    format!("The topic's data protection policy prohibits this message from being published to {topic}")
}

fn of_phone(error: topics::Error) -> SnsError {
    use topics::Error as E;
    match error {
        E::Phone(number) => {
            SnsError::parameter(format_args!("PhoneNumber Reason: {number} is not valid to publish to"))
        }
        E::PhoneNotVerified(number) => SnsError::parameter(format_args!(
            "PhoneNumber Reason: {number} is not verified, and this account is in the SMS sandbox"
        )),
        E::OptedInLately => SnsError::parameter("PhoneNumber Reason: the number was opted in within the last 30 days"),
        E::OptedOut => SnsError::row("OptedOut", 400, "The phone number is opted out."),
        E::SandboxNumber(why) => SnsError::row("UserError", 400, why),
        E::SandboxMissing => SnsError::no_resource(),
        E::SandboxCode => SnsError::row("VerificationException", 400, "The one-time password is not valid."),
        E::AskedTooOften => SnsError::Refused(THROTTLED, "Rate exceeded".to_owned()),
        other => SnsError::Internal(other),
    }
}

fn of_device(error: topics::Error) -> SnsError {
    use topics::Error as E;
    match error {
        E::ApplicationName(name, why) => SnsError::parameter(format_args!("{name} Reason: {why}")),
        E::Platform(name) => SnsError::parameter(format_args!("Platform Reason: {name} is not supported")),
        E::HalfCredential(given, missing) => {
            SnsError::parameter(format_args!("Attributes Reason: {given} attribute provided without {missing}"))
        }
        E::ApplicationMissing => SnsError::not_found("PlatformApplication does not exist"),
        E::ApplicationDiffers => {
            SnsError::parameter("Attributes Reason: Platform application already exists with different attributes")
        }
        E::ApplicationDisabled => SnsError::row("PlatformApplicationDisabled", 400, "Platform application is disabled"),
        E::DeviceMissing => SnsError::not_found("Endpoint does not exist"),
        E::DeviceDiffers(arn) => SnsError::parameter(format_args!(
            "Token Reason: Endpoint {arn} already exists with the same Token, but different attributes."
        )),
        E::DeviceDisabled => SnsError::row("EndpointDisabled", 400, "Endpoint is disabled"),
        other => SnsError::Internal(other),
    }
}

fn of_policy(error: topics::Error) -> SnsError {
    use topics::Error as E;
    match error {
        E::Archived => SnsError::Refused(
            ErrorShape::sender("InvalidState", 400),
            "Invalid state: the topic has an ArchivePolicy; take it away before you delete the topic".to_owned(),
        ),
        E::Forbidden => SnsError::Refused(AUTHORIZATION, "The policy of the topic does not allow it".to_owned()),
        E::Label => SnsError::parameter("Label"),
        E::LabelTaken => SnsError::parameter("Statement already exists"),
        E::Account => SnsError::parameter("AWSAccountId"),
        E::PolicyScope => SnsError::parameter("Policy statement action out of service scope!"),
        other => SnsError::Internal(other),
    }
}

fn of_limits(error: &topics::Error) -> SnsError {
    use topics::Error as E;
    let (code, text) = match error {
        E::TooManyTopics => ("TopicLimitExceeded", "Topic limit exceeded"),
        E::TooManyFilterPolicies => ("FilterPolicyLimitExceeded", "Filter policy limit exceeded"),
        _ => ("SubscriptionLimitExceeded", "Subscription limit exceeded"),
    };
    SnsError::Refused(ErrorShape::sender(code, 403), text.to_owned())
}

fn of_fifo(error: topics::Error) -> SnsError {
    use topics::Error as E;
    match error {
        E::FifoAttribute(name) => SnsError::parameter(format_args!("{name} can only be set for FIFO topics")),
        E::FifoProtocol(name) => SnsError::parameter(format_args!("Invalid protocol type: {name}")),
        E::Deduplication => SnsError::parameter("MessageDeduplicationId"),
        E::DeduplicationHere => SnsError::parameter(
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid \
             for this topic type",
        ),
        E::DeduplicationMissing => SnsError::parameter(
            "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided \
             explicitly",
        ),
        E::GroupMissing => SnsError::parameter("The MessageGroupId parameter is required for FIFO topics"),
        other => SnsError::Internal(other),
    }
}

fn attribute_text(name: &str, why: &AttributeFault) -> String {
    let shown: String = name.chars().take(256).collect();
    match why {
        AttributeFault::NameEmpty => "The message attribute name must not be empty.".to_owned(),
        AttributeFault::NameTooLong => "Length of message attribute name must be less than 256 bytes.".to_owned(),
        AttributeFault::NameStartsWithDot => {
            "Invalid message attribute name starting with character '.' was found.".to_owned()
        }
        AttributeFault::NameEndsWithDot => {
            "Invalid message attribute name ending with character '.' was found.".to_owned()
        }
        AttributeFault::NameHasTwoDots => "Message attribute name can not have successive '.' character.".to_owned(),
        AttributeFault::NameCharacter(odd) => format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include \
             alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(*odd)
        ),
        AttributeFault::DataType(_) => format!(
            "The message attribute '{shown}' has an invalid message attribute type, the set of supported type prefixes \
             is Binary, Number, and String."
        ),
        AttributeFault::Empty(kind) => format!(
            "The message attribute '{shown}' must contain non-empty message attribute value for message attribute type \
             '{kind}'."
        ),
        AttributeFault::OtherKind(kind) => {
            let field = if kind.starts_with("Binary") { "Binary" } else { "String" };
            format!("The message attribute '{shown}' with type '{kind}' must use field '{field}'.")
        }
        AttributeFault::Number(_) => format!("Could not cast message attribute '{shown}' value to number."),
    }
}

/// The answer to a request that cannot be decoded.
pub(super) fn refuse(refusal: &Refusal) -> Failure {
    let shape = match refusal {
        Refusal::Missing(_) | Refusal::NotInEnum { .. } => ErrorShape::sender("ValidationError", 400),
        _ => INVALID_PARAMETER,
    };
    Failure::new(shape, refusal.validation_text())
}
