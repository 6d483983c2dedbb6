//! Members that the actions of receipt rules have in common, and the way to and from the core's values.
use crate::aws::ses::receipt_error::ReceiptError;
use crate::base::Arn;
use crate::mail::receiving::rules::{Encoding, one_line};

/// The topic that an action tells, if it names one.
pub(super) fn optional_topic(arn: Option<String>) -> Result<Option<Arn>, ReceiptError> {
    arn.map(topic).transpose()
}

/// The topic of an ARN.
pub(super) fn topic(arn: String) -> Result<Arn, ReceiptError> {
    let parsed = arn.parse().ok().filter(|parsed: &Arn| parsed.service == "sns");
    parsed.ok_or_else(|| ReceiptError::MalformedSnsTopic(one_line(&arn)))
}

/// How the mail is written.
pub(super) fn encoding(name: Option<&str>) -> Result<Encoding, ReceiptError> {
    match name {
        None | Some("UTF-8") => Ok(Encoding::Utf8),
        Some("Base64") => Ok(Encoding::Base64),
        Some(_) => Err(invalid("The encoding must be UTF-8 or Base64.")),
    }
}

/// The name of an encoding.
pub(super) fn word(encoding: Encoding) -> String {
    match encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Base64 => "Base64",
    }
    .to_owned()
}

/// The error of a member that cannot be.
pub(super) fn invalid(text: impl Into<String>) -> ReceiptError {
    ReceiptError::InvalidParameterValue(text.into())
}
