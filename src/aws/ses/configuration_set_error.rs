//! The error rows of the configuration set operations of the first API.
use crate::aws::error::{ErrorShape, ServiceError};
use crate::mail::content;

/// Why an operation on configuration sets failed. Each variant's text is SES's, as far as it is known.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationSetError {
    /// A name that is none.
    #[error("Invalid configuration set name <{0}>: only alphanumeric ASCII characters, '_', and '-' are allowed.")]
    InvalidConfigurationSet(String),
    /// There is one of this name.
    #[error("Configuration set <{0}> already exists.")]
    ConfigurationSetAlreadyExists(String),
    /// There is none of this name.
    #[error("Configuration set <{0}> does not exist.")]
    ConfigurationSetDoesNotExist(String),
    /// The set has a destination of this name.
    #[error("Event destination <{0}> already exists.")]
    EventDestinationAlreadyExists(String),
    /// The set has no destination of this name.
    #[error("Event destination <{0}> does not exist.")]
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
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] crate::store::Error),
}

impl ServiceError for ConfigurationSetError {
    fn shape(&self) -> ErrorShape {
        let code = match self {
            Self::InvalidConfigurationSet(_) => "InvalidConfigurationSet",
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
            Self::Internal(_) => return ErrorShape::internal("InternalFailure"),
        };
        ErrorShape::sender(code, 400)
    }
}

impl From<content::Error> for ConfigurationSetError {
    fn from(error: content::Error) -> Self {
        use content::Error as E;
        match error {
            E::Name(name) => Self::InvalidConfigurationSet(name),
            E::Exists(name) => Self::ConfigurationSetAlreadyExists(name),
            E::Missing(name) => Self::ConfigurationSetDoesNotExist(name),
            E::DestinationExists(name) => Self::EventDestinationAlreadyExists(name),
            E::DestinationMissing(name) => Self::EventDestinationDoesNotExist(name),
            E::TooMany(max) => Self::LimitExceeded(max),
            E::EventType(name) if name.is_empty() => {
                Self::InvalidParameterValue("MatchingEventTypes must name at least one event type.".to_owned())
            }
            E::NeverPublished(name) => Self::InvalidParameterValue(format!("Event type <{name}> is not supported.")),
            E::EventType(name) => Self::InvalidParameterValue(format!("Unknown event type <{name}>.")),
            E::Dimension(name) => Self::InvalidCloudWatchDestination(name),
            E::Stream(stream) => Self::InvalidFirehoseDestination(stream),
            E::Bus(bus) => Self::InvalidParameterValue(format!("Event bus <{bus}> not found.")),
            E::Topic(topic) => Self::InvalidSnsDestination(topic),
            E::Internal(error) => Self::Internal(error),
        }
    }
}
