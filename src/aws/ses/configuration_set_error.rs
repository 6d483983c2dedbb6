//! The error rows of the configuration set operations of the first API.
use crate::aws::error::{ErrorShape, ServiceError};
use crate::aws::ses::constraint::Violated;
use crate::aws::ses::texts::content_text;
use crate::mail::content;

/// Why an operation on configuration sets failed. Each variant's text is SES's, as far as it is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfigurationSetError {
    /// There is one of this name.
    #[error("Configuration set <{0}> already exists.")]
    ConfigurationSetAlreadyExists(String),
    /// There is none of this name.
    #[error("Configuration set <{0}> does not exist.")]
    ConfigurationSetDoesNotExist(String),
    /// The set has a destination of this name. (No answer of SES's first API is known.)
    #[error("Event destination <{0}> already exists.")]
    EventDestinationAlreadyExists(String),
    /// The set has no destination of this name; SES names the set.
    #[error("No EventDestination found for {0}")]
    EventDestinationDoesNotExist(String),
    /// A topic that cannot be used.
    #[error("SNS topic <{0}> not found.")]
    InvalidSnsDestination(String),
    /// Dimensions that cannot be.
    #[error("Invalid CloudWatch dimension <{0}>.")]
    InvalidCloudWatchDestination(String),
    /// A delivery stream that cannot be used.
    #[error("Delivery stream <{0}> not found.")]
    InvalidFirehoseDestination(String),
    /// Options that cannot be.
    #[error("TlsPolicy is Require or Optional.")]
    InvalidDeliveryOptions,
    /// As many as there may be.
    #[error("There may be no more than {0} of them.")]
    LimitExceeded(i64),
    /// A parameter that cannot be.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// What breaks the model's constraints.
    #[error(transparent)]
    Validation(#[from] Violated),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] crate::store::Error),
}

impl ServiceError for ConfigurationSetError {
    fn shape(&self) -> ErrorShape {
        let code = match self {
            Self::ConfigurationSetAlreadyExists(_) => "ConfigurationSetAlreadyExists",
            Self::ConfigurationSetDoesNotExist(_) => "ConfigurationSetDoesNotExist",
            Self::EventDestinationAlreadyExists(_) => "EventDestinationAlreadyExists",
            Self::EventDestinationDoesNotExist(_) => "EventDestinationDoesNotExist",
            Self::InvalidSnsDestination(_) => "InvalidSNSDestination",
            Self::InvalidCloudWatchDestination(_) => "InvalidCloudWatchDestination",
            Self::InvalidFirehoseDestination(_) => "InvalidFirehoseDestination",
            Self::InvalidDeliveryOptions => "InvalidDeliveryOptions",
            Self::LimitExceeded(_) => "LimitExceeded",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::Validation(_) => "ValidationError",
            Self::Internal(_) => return ErrorShape::internal("InternalFailure"),
        };
        ErrorShape::sender(code, 400)
    }
}

impl From<content::Error> for ConfigurationSetError {
    fn from(error: content::Error) -> Self {
        use content::Error as E;
        let text = content_text(&error);
        match error {
            E::Exists(name) => Self::ConfigurationSetAlreadyExists(name),
            E::Missing(name) => Self::ConfigurationSetDoesNotExist(name),
            E::DestinationExists { name, .. } => Self::EventDestinationAlreadyExists(name),
            E::DestinationMissing { set, .. } => Self::EventDestinationDoesNotExist(set),
            E::TooMany(max) => Self::LimitExceeded(max),
            E::Dimension(name) => Self::InvalidCloudWatchDestination(name),
            E::Stream(stream) => Self::InvalidFirehoseDestination(stream),
            E::Topic(topic) => Self::InvalidSnsDestination(topic),
            E::Bus(bus) => Self::InvalidParameterValue(format!("Event bus <{bus}> not found.")),
            E::Name(_)
            | E::DestinationName(_)
            | E::NoTarget
            | E::ManyTargets
            | E::EventType(_)
            | E::NeverPublished(_)
            | E::NoDimension => Self::InvalidParameterValue(text),
            E::Internal(error) => Self::Internal(error),
        }
    }
}
