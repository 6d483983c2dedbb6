//! The error rows of the receipt rule operations, with SES's texts.
use crate::aws::error::{ErrorShape, ServiceError};
use crate::aws::ses::constraint::Violated;
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
    #[error("{0}")]
    LimitExceeded(String),
    /// The active rule set cannot be deleted.
    #[error("Cannot delete active rule set: {0}")]
    CannotDelete(String),
    /// No ARN of a topic.
    #[error("Invalid SNS topic: {0}")]
    MalformedSnsTopic(String),
    /// The topic does not exist, or is not the caller's.
    #[error("Could not publish to SNS topic: {0}")]
    InvalidSnsTopic(String),
    /// The bucket's name is none.
    #[error("No such bucket: {0}")]
    NoSuchBucket(String),
    /// The prefix or the encryption key cannot be used.
    #[error("Could not write to bucket: {0}")]
    InvalidS3Configuration(String),
    /// No ARN of a function.
    #[error("Invalid Lambda function: {0}")]
    InvalidLambdaFunction(String),
    /// The settings do not say where this function is.
    #[error("Could not invoke Lambda function: {0}")]
    UnknownLambdaFunction(String),
    /// What breaks the model's constraints.
    #[error(transparent)]
    Validation(#[from] Violated),
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
            Self::MalformedSnsTopic(_) | Self::InvalidSnsTopic(_) => ErrorShape::sender("InvalidSnsTopic", 400),
            Self::NoSuchBucket(_) | Self::InvalidS3Configuration(_) => {
                ErrorShape::sender("InvalidS3Configuration", 400)
            }
            Self::InvalidLambdaFunction(_) | Self::UnknownLambdaFunction(_) => {
                ErrorShape::sender("InvalidLambdaFunction", 400)
            }
            Self::Validation(_) => ErrorShape::sender("ValidationError", 400),
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
            Error::UnknownFunction(function) => Self::UnknownLambdaFunction(function),
            Error::NoBucket(bucket) => Self::NoSuchBucket(bucket),
            Error::InvalidBucket { bucket, .. } => Self::InvalidS3Configuration(bucket),
            Error::Invalid(text) => Self::InvalidParameterValue(text),
            // Only accepting mail fails so, and no operation of AWS accepts mail.
            Error::NoRecipients | Error::TooManyHops => Self::InvalidParameterValue(error.to_string()),
            Error::Internal(error) => Self::Internal(error),
        }
    }
}
