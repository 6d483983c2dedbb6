//! The error rows of SES's second API.
use crate::aws::error::{ErrorShape, Failure, ServiceError};
use crate::aws::protocol::Refusal;
use crate::aws::ses::constraint::{Violated, refused};
use crate::aws::ses::texts::{
    NOT_ONE_TEMPLATE, QUOTA_EXCEEDED, RATE_EXCEEDED, TOO_MUCH_AT_ONCE, content_text, invitation_text, message_text,
    send_text, template_text,
};
use crate::mail::content::templates;
use crate::mail::sending::{FromTemplateError, InvitationError, SendError};
use crate::mail::{content, identity, message};
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
        use SendError as E;
        let text = send_text(&error);
        match error {
            E::NotVerified { .. } => Self::MessageRejected(text),
            E::Denied { .. } => Self::AccessDenied(text),
            E::MailFromNotVerified(_) => Self::MailFromNotVerified(text),
            E::ConfigurationSetMissing(_) | E::ContactListMissing(_) | E::TenantMissing(_) => Self::NotFound(text),
            E::ConfigurationSetPaused(_) | E::AccountPaused => Self::SendingPaused(text),
            E::RateExceeded => Self::TooManyRequests(RATE_EXCEEDED),
            E::DailyQuotaExceeded => Self::TooManyRequests(QUOTA_EXCEEDED),
            E::UnderReview => Self::Conflict(text),
            E::ConfigurationSetName(_)
            | E::NoRecipients
            | E::TooManyRecipients(_)
            | E::TooLarge(_)
            | E::TooLargeForApi { .. }
            | E::BadTag(_)
            | E::KeyReused
            | E::Message(_) => Self::BadRequest(text),
            E::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<FromTemplateError> for SesV2Error {
    fn from(error: FromTemplateError) -> Self {
        match error {
            FromTemplateError::NotOneTemplate => Self::BadRequest(NOT_ONE_TEMPLATE.to_owned()),
            FromTemplateError::Template(error) => error.into(),
            FromTemplateError::Send(error) => error.into(),
        }
    }
}

impl From<InvitationError> for SesV2Error {
    fn from(error: InvitationError) -> Self {
        use InvitationError as E;
        let text = invitation_text(&error);
        match error {
            E::NoAddress | E::Address(_) | E::NotInProduction => Self::BadRequest(text),
            E::Identity(identity::Error::TemplateMissing(_)) => Self::NotFound(text),
            E::Identity(error) => error.into(),
            E::Send(error) => error.into(),
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
        let text = content_text(&error);
        match error {
            E::Exists(_) => Self::AlreadyExists(text),
            E::Missing(_) => Self::NotFound(text),
            E::DestinationExists { set, name } => Self::AlreadyExists(format!(
                "An event destination with name <{name}> already exists for configuration set <{set}>."
            )),
            E::DestinationMissing { set, name } => Self::NotFound(format!(
                "An event destination with name <{name}> does not exist for configuration set <{set}>."
            )),
            E::TooMany(_) => Self::LimitExceeded(text),
            E::Bus(bus) => Self::BadRequest(format!("EventBridge event bus <{bus}> not found.")),
            E::Name(_)
            | E::DestinationName(_)
            | E::NoTarget
            | E::ManyTargets
            | E::EventType(_)
            | E::NeverPublished(_)
            | E::NoDimension
            | E::Dimension(_)
            | E::Stream(_)
            | E::Topic(_) => Self::BadRequest(text),
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

/// The answer to a request that cannot be decoded.
pub fn refuse(refusal: &Refusal) -> Failure {
    let code = match refusal {
        Refusal::Malformed(_) | Refusal::WrongType { .. } => "SerializationException",
        _ => "BadRequestException",
    };
    Failure::new(ErrorShape::sender(code, 400), refused(refusal))
}
