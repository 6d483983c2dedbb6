//! The error rows of the receipt rule operations, with SES's texts.
use crate::aws::error::{ErrorShape, ServiceError};
use crate::mail::receiving;

/// Why a receipt rule operation failed.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// No such rule set.
    #[error("Rule set does not exist: {0}")]
    RuleSetDoesNotExist(String),
    /// No such rule.
    #[error("Rule does not exist: {0}")]
    RuleDoesNotExist(String),
    /// The name is taken.
    #[error("{0} already exists: {1}")]
    AlreadyExists(&'static str, String),
    /// Too many of something.
    #[error("Limit exceeded: {0}")]
    LimitExceeded(String),
    /// The active rule set cannot be deleted.
    #[error("Cannot delete active rule set: {0}")]
    CannotDelete(String),
    /// The topic does not exist, or is not the caller's.
    #[error("Invalid SNS topic: {0}")]
    InvalidSnsTopic(String),
    /// The bucket, the prefix or the encryption key cannot be used.
    #[error("Could not write to bucket: {0}: {1}")]
    InvalidS3Configuration(String, String),
    /// The settings do not say where this function is.
    #[error("Invalid Lambda function: {0}")]
    InvalidLambdaFunction(String),
    /// A value is out of its form or range, or asks for what is not supported.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] crate::store::Error),
}

impl ServiceError for ReceiptError {
    fn shape(&self) -> ErrorShape {
        match self {
            Self::RuleSetDoesNotExist(_) => ErrorShape::sender("RuleSetDoesNotExist", 400),
            Self::RuleDoesNotExist(_) => ErrorShape::sender("RuleDoesNotExist", 400),
            Self::AlreadyExists(..) => ErrorShape::sender("AlreadyExists", 400),
            Self::LimitExceeded(_) => ErrorShape::sender("LimitExceeded", 400),
            Self::CannotDelete(_) => ErrorShape::sender("CannotDelete", 400),
            Self::InvalidSnsTopic(_) => ErrorShape::sender("InvalidSnsTopic", 400),
            Self::InvalidS3Configuration(..) => ErrorShape::sender("InvalidS3Configuration", 400),
            Self::InvalidLambdaFunction(_) => ErrorShape::sender("InvalidLambdaFunction", 400),
            Self::InvalidParameterValue(_) => ErrorShape::sender("InvalidParameterValue", 400),
            Self::Internal(_) => ErrorShape::internal("InternalFailure"),
        }
    }
}

impl From<receiving::Error> for ReceiptError {
    fn from(error: receiving::Error) -> Self {
        use receiving::Error;
        match error {
            Error::RuleSetMissing(name) => Self::RuleSetDoesNotExist(name),
            Error::RuleMissing(name) => Self::RuleDoesNotExist(name),
            Error::RuleSetExists(name) => Self::AlreadyExists("Rule set", name),
            Error::RuleExists(name) => Self::AlreadyExists("Rule", name),
            Error::FilterExists(name) => Self::AlreadyExists("Filter", name),
            Error::LimitExceeded(text) => Self::LimitExceeded(text),
            Error::RuleSetActive(name) => Self::CannotDelete(name),
            Error::InvalidTopic(topic) => Self::InvalidSnsTopic(topic),
            Error::InvalidFunction(function) => Self::InvalidLambdaFunction(function),
            Error::InvalidBucket { bucket, why } => Self::InvalidS3Configuration(bucket, why),
            Error::Invalid(text) => Self::InvalidParameterValue(text),
            // Only accepting mail fails so, and no operation of AWS accepts mail.
            Error::NoRecipients | Error::TooManyHops => Self::InvalidParameterValue(error.to_string()),
            Error::Internal(error) => Self::Internal(error),
        }
    }
}
