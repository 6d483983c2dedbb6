//! The error rows of SES's first API.
use crate::aws::error::{ErrorShape, Failure, ServiceError};
use crate::aws::protocol::Refusal;
use crate::aws::ses::constraint::{Violated, refused};
use crate::aws::ses::texts::{
    NOT_ONE_TEMPLATE, QUOTA_EXCEEDED, RATE_EXCEEDED, SENDING_PAUSED, TOO_MUCH_AT_ONCE, invitation_text, message_text,
    send_text, set_missing, set_paused, template_text,
};
use crate::mail::content::{TemplateError, templates};
use crate::mail::sending::{FromTemplateError, InvitationError, SendError};
use crate::mail::{identity, message};
use crate::store;
use crate::workers::NotDone;

/// The row for a caller who asks for too much at once.
pub const THROTTLED: ErrorShape = ErrorShape::sender("Throttling", 400);

/// What can go wrong. Each variant's text is AWS's.
#[derive(Debug, thiserror::Error)]
pub enum SesError {
    /// Not accepted for sending.
    #[error("{0}")]
    MessageRejected(String),
    /// A parameter that cannot be.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// No configuration set of this name.
    #[error("{}", set_missing(.0))]
    ConfigurationSetDoesNotExist(String),
    /// Sending is off for the configuration set.
    #[error("{}", set_paused(.0))]
    ConfigurationSetSendingPaused(String),
    /// Sending is off for the account.
    #[error("{SENDING_PAUSED}")]
    AccountSendingPaused,
    /// Over the quota or the rate.
    #[error("{0}")]
    Throttling(&'static str),
    /// The identity's MAIL FROM domain does not work.
    #[error("{0}")]
    MailFromDomainNotVerified(String),
    /// The caller may not.
    #[error("{0}")]
    AccessDenied(String),
    /// Something wrong that has a code of its own.
    #[error("{1}")]
    Coded(&'static str, String),
    /// As many as there may be.
    #[error("{0}")]
    LimitExceeded(String),
    /// What is to be made exists.
    #[error("{0}")]
    AlreadyExists(String),
    /// No template of this name.
    #[error("{0}")]
    TemplateDoesNotExist(String),
    /// A template that cannot be read.
    #[error("{0}")]
    InvalidTemplate(String),
    /// Data that is no JSON object, for a template that is tried out.
    #[error("{0}")]
    InvalidRenderingParameter(String),
    /// Data that lacks what a template that is tried out names.
    #[error("{0}")]
    MissingRenderingAttribute(String),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
    /// The unexpected, in making an identity.
    #[error("{0}")]
    Unexpected(String),
}

impl ServiceError for SesError {
    fn shape(&self) -> ErrorShape {
        match self {
            Self::MessageRejected(_) => ErrorShape::sender("MessageRejected", 400),
            Self::InvalidParameterValue(_) => ErrorShape::sender("InvalidParameterValue", 400),
            Self::ConfigurationSetDoesNotExist(_) => ErrorShape::sender("ConfigurationSetDoesNotExist", 400),
            Self::ConfigurationSetSendingPaused(_) => ErrorShape::sender("ConfigurationSetSendingPausedException", 400),
            Self::AccountSendingPaused => ErrorShape::sender("AccountSendingPausedException", 400),
            Self::Throttling(_) => THROTTLED,
            Self::MailFromDomainNotVerified(_) => ErrorShape::sender("MailFromDomainNotVerifiedException", 400),
            Self::AccessDenied(_) => ErrorShape::sender("AccessDenied", 403),
            Self::Coded(code, _) => ErrorShape::sender(code, 400),
            Self::LimitExceeded(_) => ErrorShape::sender("LimitExceeded", 400),
            Self::AlreadyExists(_) => ErrorShape::sender("AlreadyExists", 400),
            Self::TemplateDoesNotExist(_) => ErrorShape::sender("TemplateDoesNotExist", 400),
            Self::InvalidTemplate(_) => ErrorShape::sender("InvalidTemplate", 400),
            Self::InvalidRenderingParameter(_) => ErrorShape::sender("InvalidRenderingParameter", 400),
            Self::MissingRenderingAttribute(_) => ErrorShape::sender("MissingRenderingAttribute", 400),
            Self::Internal(error) => ErrorShape::of_store(error, ErrorShape::internal("InternalFailure")),
            Self::Unexpected(_) => ErrorShape::internal("InternalFailure"),
        }
    }
}

impl From<Violated> for SesError {
    fn from(violated: Violated) -> Self {
        Self::Coded("ValidationError", violated.to_string())
    }
}

impl From<SendError> for SesError {
    fn from(error: SendError) -> Self {
        use SendError as E;
        let text = send_text(&error);
        match error {
            E::NotVerified { .. } => Self::MessageRejected(text),
            E::Denied { .. } => Self::AccessDenied(text),
            E::MailFromNotVerified(_) => Self::MailFromDomainNotVerified(text),
            E::ConfigurationSetMissing(name) => Self::ConfigurationSetDoesNotExist(name),
            E::ConfigurationSetPaused(name) => Self::ConfigurationSetSendingPaused(name),
            E::AccountPaused => Self::AccountSendingPaused,
            E::RateExceeded => Self::Throttling(RATE_EXCEEDED),
            E::DailyQuotaExceeded => Self::Throttling(QUOTA_EXCEEDED),
            E::ConfigurationSetName(_)
            | E::NoRecipients
            | E::TooManyRecipients(_)
            | E::TooLarge(_)
            | E::TooLargeForApi { .. }
            | E::BadTag(_)
            | E::ContactListMissing(_)
            | E::TenantMissing(_)
            | E::UnderReview
            | E::KeyReused
            | E::Message(_) => Self::InvalidParameterValue(text),
            E::Internal(error) => Self::Internal(error),
        }
    }
}

impl From<FromTemplateError> for SesError {
    fn from(error: FromTemplateError) -> Self {
        match error {
            FromTemplateError::NotOneTemplate => Self::InvalidParameterValue(NOT_ONE_TEMPLATE.to_owned()),
            FromTemplateError::Template(error) => error.into(),
            FromTemplateError::Send(error) => error.into(),
        }
    }
}

impl From<InvitationError> for SesError {
    fn from(error: InvitationError) -> Self {
        use InvitationError as E;
        let text = invitation_text(&error);
        match error {
            E::NoAddress | E::Address(_) => Self::InvalidParameterValue(text),
            E::NotInProduction => Self::Coded("ProductionAccessNotGranted", text),
            E::Identity(identity::Error::TemplateMissing(_)) => {
                Self::Coded("CustomVerificationEmailTemplateDoesNotExist", text)
            }
            E::Identity(error) => error.into(),
            E::Send(error) => error.into(),
        }
    }
}

impl From<message::Error> for SesError {
    fn from(error: message::Error) -> Self {
        Self::InvalidParameterValue(message_text(&error))
    }
}

impl From<NotDone> for SesError {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Crowded => Self::Throttling(TOO_MUCH_AT_ONCE),
            NotDone::Broken => Self::Unexpected(error.to_string()),
        }
    }
}

impl From<templates::Error> for SesError {
    fn from(error: templates::Error) -> Self {
        use templates::Error as E;
        let text = template_text(&error);
        match error {
            E::Exists(..) => Self::AlreadyExists(text),
            E::Missing(_) => Self::TemplateDoesNotExist(text),
            E::TooMany(_) => Self::LimitExceeded(text),
            E::Name(_) | E::TooLarge(_) | E::Empty | E::Invalid { .. } => Self::InvalidTemplate(text),
            E::NotPlain | E::Data => Self::InvalidParameterValue(text),
            E::Rendering(TemplateError::TooMuch(_)) => Self::InvalidRenderingParameter(text),
            E::Rendering(_) => Self::MissingRenderingAttribute(text),
            E::NotDone(error) => error.into(),
            E::Internal(error) => Self::Internal(error),
        }
    }
}

/// The answer to a request that cannot be decoded.
pub fn refuse(refusal: &Refusal) -> Failure {
    Failure::new(ErrorShape::sender("ValidationError", 400), refused(refusal))
}
