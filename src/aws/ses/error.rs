//! The error rows of SES's first API, and the texts that both APIs share.
use crate::aws::error::{ErrorShape, Failure, ServiceError};
use crate::aws::protocol::Refusal;
use crate::aws::ses::constraint::{Violated, refused};
use crate::base::AccountId;
use crate::base::address::AddressError;
use crate::mail::content::{NameFault, TemplateError, templates};
use crate::mail::message;
use crate::mail::sending::{SendError, TagFault};
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
    #[error("Configuration set <{0}> does not exist.")]
    ConfigurationSetDoesNotExist(String),
    /// Sending is off for the configuration set.
    #[error("Email sending is disabled for configuration set <{0}>.")]
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

/// The text for an account whose sending is off.
pub const SENDING_PAUSED: &str = "Email sending is disabled for this account.";
/// The texts of SES's guide for a call over the rate, and over the quota of the day.
pub const RATE_EXCEEDED: &str = "Maximum sending rate exceeded.";
/// See [`RATE_EXCEEDED`].
pub const QUOTA_EXCEEDED: &str = "Daily message quota exceeded.";

/// The text for a call whose work would wait behind too much other work of its account.
pub const TOO_MUCH_AT_ONCE: &str = "Rate exceeded";

/// The text for a second request for production access.
pub const UNDER_REVIEW: &str = "There is already an ongoing account details update in progress.";
/// The text for an idempotency key that came with another call before.
pub const KEY_REUSED: &str = "The Idempotency-Key was used for another request in the last 24 hours.";

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
        match error {
            SendError::NotVerified { identities, region } => {
                Self::MessageRejected(not_verified(&identities, region.as_str()))
            }
            SendError::Denied { account, action, resource } => {
                Self::AccessDenied(not_authorized(&account, action, &resource))
            }
            SendError::MailFromNotVerified(domain) => Self::MailFromDomainNotVerified(mail_from_not_verified(&domain)),
            SendError::ConfigurationSetName(fault) => Self::InvalidParameterValue(set_name(&fault)),
            SendError::ConfigurationSetMissing(name) => Self::ConfigurationSetDoesNotExist(name),
            SendError::ConfigurationSetPaused(name) => Self::ConfigurationSetSendingPaused(name),
            SendError::AccountPaused => Self::AccountSendingPaused,
            SendError::RateExceeded => Self::Throttling(RATE_EXCEEDED),
            SendError::DailyQuotaExceeded => Self::Throttling(QUOTA_EXCEEDED),
            SendError::NoRecipients => Self::InvalidParameterValue("Missing required header 'To'.".to_owned()),
            SendError::TooManyRecipients(_) => Self::InvalidParameterValue("Recipient count exceeds 50.".to_owned()),
            SendError::TooLarge(limit) => {
                Self::InvalidParameterValue(format!("Message length is more than {limit} bytes long."))
            }
            SendError::BadTag(fault) => Self::InvalidParameterValue(bad_tag(&fault)),
            SendError::ContactListMissing(list) => Self::InvalidParameterValue(list_missing(&list)),
            SendError::TenantMissing(tenant) => Self::InvalidParameterValue(tenant_missing(&tenant)),
            SendError::UnderReview => Self::InvalidParameterValue(UNDER_REVIEW.to_owned()),
            SendError::KeyReused => Self::InvalidParameterValue(KEY_REUSED.to_owned()),
            SendError::Message(error) => error.into(),
            SendError::Internal(error) => Self::Internal(error),
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

/// The text for a template, or data for one, that is refused.
pub fn template_text(error: &templates::Error) -> String {
    use templates::Error as E;
    match error {
        E::Name(name) => format!(
            "Invalid template name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed, 64 at most."
        ),
        E::Exists(name, account) => format!("Template {name} already exists for account id {account}"),
        E::Missing(name) => format!("Template {name} does not exist."),
        E::TooMany(max) => format!("There may be no more than {max} templates."),
        E::TooLarge(max) => format!("The template is larger than {max} bytes."),
        E::Empty => "The subject must be specified.".to_owned(),
        E::Invalid { why, .. } | E::Rendering(why) => why.told(),
        E::NotPlain => "Template contains unsupported operations".to_owned(),
        E::Data => "Template rendering data is invalid".to_owned(),
        E::NotDone(_) | E::Internal(_) => String::new(),
    }
}

/// The text for senders or recipients that are not verified.
pub fn not_verified(identities: &[String], region: &str) -> String {
    format!(
        "Email address is not verified. The following identities failed the check in region {}: {}",
        region.to_uppercase(),
        identities.join(", ")
    )
}

/// The text for an identity that an account may not use.
pub fn not_authorized(account: &AccountId, action: &str, resource: &str) -> String {
    format!("User `arn:aws:iam::{account}:root' is not authorized to perform `{action}' on resource `{resource}'")
}

/// The text for an identity that refuses mail while its MAIL FROM domain does not work.
pub fn mail_from_not_verified(domain: &str) -> String {
    format!("The MAIL FROM domain <{domain}> is not verified.")
}

/// The text for a contact list: there are none here.
pub fn list_missing(list: &str) -> String {
    format!("List with name: {list} doesn't exist.")
}

/// The text for a tenant: there are none here.
pub fn tenant_missing(tenant: &str) -> String {
    format!("Tenant {tenant} does not exist.")
}

/// The text for what is no name of a configuration set.
pub fn set_name(fault: &NameFault) -> String {
    match fault {
        NameFault::Empty => "The configuration set name must be specified.".to_owned(),
        NameFault::Long => "Configuration set name cannot exceed 64 characters.".to_owned(),
        NameFault::Letters(name) => {
            format!(
                "Invalid configuration set name <{name}>: only alphanumeric ASCII characters, '_', and '-' are allowed."
            )
        }
    }
}

/// The text for a tag that is not one, as SES was recorded; the number of tags is not.
pub fn bad_tag(fault: &TagFault) -> String {
    // SES writes two blanks there.
    match fault {
        TagFault::NoName => "The tag name must be specified.".to_owned(),
        TagFault::NoValue => "The tag value must be specified.".to_owned(),
        TagFault::LongName => "Tag name cannot exceed 255 characters.".to_owned(),
        TagFault::LongValue => "Tag value cannot exceed 255 characters.".to_owned(),
        TagFault::Name(name) => {
            format!("Invalid tag name <{name}>: only alphanumeric ASCII characters, '_',  '-' are allowed.")
        }
        TagFault::Value(value) => {
            format!(
                "Invalid tag value <{value}>: only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed."
            )
        }
        TagFault::TooMany => "A message cannot have more than 50 tags.".to_owned(),
    }
}

/// The text for a message, or a part of one, that is not acceptable.
pub fn message_text(error: &message::Error) -> String {
    match error {
        message::Error::LongAddress(text) => format!("Address length is more than 320 characters long: '{text}'."),
        message::Error::Address { text, why } => match why {
            AddressError::NoLocalPart => "Missing final '@domain'".to_owned(),
            AddressError::LocalPartTooLong => "Local address is too long".to_owned(),
            AddressError::LocalPartCharacter => "Local address contains control or whitespace".to_owned(),
            AddressError::Domain => {
                let domain = text.rsplit_once('@').map_or("", |(_, domain)| domain.trim_end_matches('>'));
                let fault = match domain {
                    "" => "Missing domain",
                    domain if domain.contains(|c: char| c <= ' ' || c >= '\u{7f}') => {
                        "Domain contains control or whitespace"
                    }
                    _ => "Domain contains illegal character",
                };
                fault.to_owned()
            }
        },
        message::Error::Twice(_) | message::Error::NoPart => error.to_string(),
        message::Error::NoFrom => "Missing required header 'From'.".to_owned(),
        other => {
            let text = other.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.", letters.as_str())
        }
    }
}

/// The answer to a request that cannot be decoded.
pub fn refuse(refusal: &Refusal) -> Failure {
    Failure::new(ErrorShape::sender("ValidationError", 400), refused(refusal))
}
