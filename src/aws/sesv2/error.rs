//! The error rows of SES's second API.
use crate::aws::error::{ErrorShape, Failure, ServiceError};
use crate::aws::protocol::Refusal;
use crate::aws::ses::configuration_set_error::{NO_DIMENSION, NO_EVENT_TYPE, destination_name};
use crate::aws::ses::constraint::{Violated, refused};
use crate::aws::ses::error::{
    KEY_REUSED, QUOTA_EXCEEDED, RATE_EXCEEDED, SENDING_PAUSED, TOO_MUCH_AT_ONCE, UNDER_REVIEW, bad_tag, list_missing,
    mail_from_not_verified, message_text, not_authorized, not_verified, set_name, template_text, tenant_missing,
};
use crate::mail::content::templates;
use crate::mail::sending::SendError;
use crate::mail::{content, message};
use crate::store;
use crate::workers::NotDone;

/// The row for a caller who asks for too much at once.
pub const THROTTLED: ErrorShape = ErrorShape::sender("TooManyRequestsException", 429);

/// What can go wrong. Each variant's text is AWS's.
#[derive(Debug, thiserror::Error)]
pub enum SesV2Error {
    /// A request that cannot be.
    #[error("{0}")]
    BadRequest(String),
    /// What is named does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What is to be made exists.
    #[error("{0}")]
    AlreadyExists(String),
    /// Not now.
    #[error("{0}")]
    Conflict(String),
    /// As many as there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// Not accepted for sending.
    #[error("{0}")]
    MessageRejected(String),
    /// The identity's MAIL FROM domain does not work.
    #[error("{0}")]
    MailFromNotVerified(String),
    /// The caller may not.
    #[error("{0}")]
    AccessDenied(String),
    /// Sending is off.
    #[error("{0}")]
    SendingPaused(String),
    /// Over the quota or the rate.
    #[error("{0}")]
    TooManyRequests(&'static str),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
    /// The unexpected, in making an identity.
    #[error("{0}")]
    Unexpected(String),
}

impl ServiceError for SesV2Error {
    fn shape(&self) -> ErrorShape {
        match self {
            Self::BadRequest(_) => ErrorShape::sender("BadRequestException", 400),
            Self::NotFound(_) => ErrorShape::sender("NotFoundException", 404),
            Self::AlreadyExists(_) => ErrorShape::sender("AlreadyExistsException", 400),
            Self::Conflict(_) => ErrorShape::sender("ConflictException", 409),
            Self::LimitExceeded(_) => ErrorShape::sender("LimitExceededException", 400),
            Self::MessageRejected(_) => ErrorShape::sender("MessageRejected", 400),
            Self::MailFromNotVerified(_) => ErrorShape::sender("MailFromDomainNotVerifiedException", 400),
            Self::AccessDenied(_) => ErrorShape::sender("AccessDeniedException", 403),
            Self::SendingPaused(_) => ErrorShape::sender("SendingPausedException", 400),
            Self::TooManyRequests(_) => THROTTLED,
            Self::Internal(error) => ErrorShape::of_store(error, ErrorShape::internal("InternalServiceErrorException")),
            Self::Unexpected(_) => ErrorShape::internal("InternalServiceErrorException"),
        }
    }
}

impl From<Violated> for SesV2Error {
    fn from(violated: Violated) -> Self {
        Self::BadRequest(violated.to_string())
    }
}

impl From<SendError> for SesV2Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotVerified { identities, region } => {
                Self::MessageRejected(not_verified(&identities, region.as_str()))
            }
            SendError::Denied { account, action, resource } => {
                Self::AccessDenied(not_authorized(&account, action, &resource))
            }
            SendError::MailFromNotVerified(domain) => Self::MailFromNotVerified(mail_from_not_verified(&domain)),
            SendError::ConfigurationSetName(fault) => Self::BadRequest(set_name(&fault)),
            SendError::ConfigurationSetMissing(name) => Self::NotFound(set_missing(&name)),
            SendError::ConfigurationSetPaused(name) => {
                Self::SendingPaused(format!("Email sending is disabled for configuration set <{name}>."))
            }
            SendError::AccountPaused => Self::SendingPaused(SENDING_PAUSED.to_owned()),
            SendError::RateExceeded => Self::TooManyRequests(RATE_EXCEEDED),
            SendError::DailyQuotaExceeded => Self::TooManyRequests(QUOTA_EXCEEDED),
            SendError::NoRecipients => Self::BadRequest("Missing required header 'To'.".to_owned()),
            SendError::TooManyRecipients(_) => Self::BadRequest("Recipient count exceeds 50.".to_owned()),
            SendError::TooLarge(limit) => Self::BadRequest(format!("Message length is more than {limit} bytes long.")),
            SendError::BadTag(fault) => Self::BadRequest(bad_tag(&fault)),
            SendError::ContactListMissing(list) => Self::NotFound(list_missing(&list)),
            SendError::TenantMissing(tenant) => Self::NotFound(tenant_missing(&tenant)),
            SendError::UnderReview => Self::Conflict(UNDER_REVIEW.to_owned()),
            SendError::KeyReused => Self::BadRequest(KEY_REUSED.to_owned()),
            SendError::Message(error) => error.into(),
            SendError::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<message::Error> for SesV2Error {
    fn from(error: message::Error) -> Self {
        Self::BadRequest(message_text(&error))
    }
}

impl From<content::Error> for SesV2Error {
    fn from(error: content::Error) -> Self {
        use content::Error as E;
        match error {
            E::Name(fault) => Self::BadRequest(set_name(&fault)),
            E::DestinationName(fault) => Self::BadRequest(destination_name(&fault)),
            E::Exists(name) => Self::AlreadyExists(format!("Configuration set <{name}> already exists.")),
            E::Missing(name) => Self::NotFound(set_missing(&name)),
            E::DestinationExists { set, name } => Self::AlreadyExists(format!(
                "An event destination with name <{name}> already exists for configuration set <{set}>."
            )),
            E::DestinationMissing { set, name } => Self::NotFound(format!(
                "An event destination with name <{name}> does not exist for configuration set <{set}>."
            )),
            E::TooMany(max) => Self::LimitExceeded(format!("There may be no more than {max} of them.")),
            E::EventType(name) if name.is_empty() => Self::BadRequest(NO_EVENT_TYPE.to_owned()),
            E::EventType(name) => Self::BadRequest(format!("Unknown event type <{name}>.")),
            E::NeverPublished(name) => Self::BadRequest(format!("Event type <{name}> is not supported.")),
            E::NoDimension => Self::BadRequest(NO_DIMENSION.to_owned()),
            E::Dimension(name) => Self::BadRequest(format!("Invalid CloudWatch dimension <{name}>.")),
            E::Stream(stream) => Self::BadRequest(format!("Delivery stream <{stream}> not found.")),
            E::Bus(bus) => Self::BadRequest(format!("EventBridge event bus <{bus}> not found.")),
            E::Topic(topic) => Self::BadRequest(format!("SNS topic <{topic}> not found.")),
            E::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<NotDone> for SesV2Error {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Crowded => Self::TooManyRequests(TOO_MUCH_AT_ONCE),
            NotDone::Broken => Self::Unexpected(error.to_string()),
        }
    }
}

impl From<templates::Error> for SesV2Error {
    fn from(error: templates::Error) -> Self {
        use templates::Error as E;
        let text = template_text(&error);
        match error {
            E::Exists(..) => Self::AlreadyExists(text),
            E::Missing(_) => Self::NotFound(text),
            E::TooMany(_) => Self::LimitExceeded(text),
            E::NotDone(error) => error.into(),
            E::Internal(error) => Self::Internal(error),
            _ => Self::BadRequest(text),
        }
    }
}

/// The text for a configuration set that does not exist.
pub fn set_missing(name: &str) -> String {
    format!("Configuration set <{name}> does not exist.")
}

/// The answer to a request that cannot be decoded.
pub fn refuse(refusal: &Refusal) -> Failure {
    let code = match refusal {
        Refusal::Malformed(_) | Refusal::WrongType { .. } => "SerializationException",
        _ => "BadRequestException",
    };
    Failure::new(ErrorShape::sender(code, 400), refused(refusal))
}
