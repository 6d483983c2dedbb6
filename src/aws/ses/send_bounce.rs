//! SendBounce of the first API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::Time;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::mail::message::Mailbox;
use crate::mail::message::report::StatusOf;
use crate::mail::sending::return_mail::{ReturnError, ReturnedMail};

/// SES's kinds of bounces: the status and the text that each stands for.
const KINDS: [(&str, &str, &str); 6] = [
    ("DoesNotExist", "5.1.1", "smtp; 550 5.1.1 user unknown"),
    ("MessageTooLarge", "5.3.4", "smtp; 552 5.3.4 message too large"),
    ("ExceededQuota", "5.2.2", "smtp; 552 5.2.2 mailbox full"),
    ("ContentRejected", "5.6.1", "smtp; 500 5.6.1 message content rejected"),
    ("Undefined", "5.0.0", "smtp; 554 5.0.0 undefined"),
    ("TemporaryFailure", "4.0.0", "smtp; 450 4.0.0 temporary failure"),
];
/// The fields of a report that have members of their own, or that are ours to write (RFC 3464, 2.2 and 2.3).
const FIELDS: [&str; 14] = [
    "original-envelope-id",
    "reporting-mta",
    "dsn-gateway",
    "received-from-mta",
    "arrival-date",
    "original-recipient",
    "final-recipient",
    "action",
    "status",
    "remote-mta",
    "diagnostic-code",
    "last-attempt-date",
    "final-log-id",
    "will-retry-until",
];
/// Extension fields of the mail, or of one recipient, and the lengths of their names and values. AWS names no limits.
const EXTENSIONS_MAX: usize = 20;
const NAME_MAX: usize = 76;
const VALUE_MAX: usize = 900;
/// RFC 3464, 2.3.3.
const ACTIONS: [&str; 5] = ["failed", "delayed", "delivered", "relayed", "expanded"];
/// Recipients of a received mail.
const RECIPIENTS_MAX: usize = 100;

/// The mail that goes back, and why.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendBounceRequest {
    original_message_id: String,
    bounce_sender: String,
    explanation: Option<String>,
    message_dsn: Option<MessageDsn>,
    bounced_recipient_info_list: Vec<BouncedRecipientInfo>,
}

/// What the report says of the mail.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageDsn {
    reporting_mta: Option<String>,
    arrival_date: Option<Time>,
    #[serde(default)]
    extension_fields: Vec<ExtensionField>,
}

/// A recipient, and why it did not get the mail.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BouncedRecipientInfo {
    recipient: String,
    bounce_type: Option<String>,
    recipient_dsn_fields: Option<RecipientDsnFields>,
}

/// What the report says of a recipient.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RecipientDsnFields {
    action: String,
    status: String,
    diagnostic_code: Option<String>,
    remote_mta: Option<String>,
    #[serde(default)]
    extension_fields: Vec<ExtensionField>,
}

/// A field of the report that RFC 3464 does not have.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ExtensionField {
    name: String,
    value: String,
}

/// The id of the report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendBounceResponse {
    message_id: String,
}

impl From<ReturnError> for SesError {
    fn from(error: ReturnError) -> Self {
        match error {
            ReturnError::NotReceived(id) => {
                Self::MessageRejected(format!("Could not find the original message <{id}>."))
            }
            ReturnError::NotRecipient(address) => {
                Self::MessageRejected(format!("<{address}> is not a recipient of the original message."))
            }
            ReturnError::NotAnswered => {
                Self::MessageRejected("The original message cannot be bounced: nobody is to answer it.".to_owned())
            }
            ReturnError::Send(error) => error.into(),
        }
    }
}

/// Sends a received mail back to its sender, with the null reverse path.
///
/// # Errors
/// A mail that the account did not receive in the last 24 hours, or not for these recipients; a sender that is not
/// verified; fields that this server does not write.
pub(super) async fn send_bounce(
    services: &Services,
    caller: &Caller,
    input: SendBounceRequest,
) -> Result<SendBounceResponse, SesError> {
    let wrong = |text: &str| SesError::InvalidParameterValue(text.to_owned());
    let count = input.bounced_recipient_info_list.len();
    if !(1..=RECIPIENTS_MAX).contains(&count) {
        return Err(wrong("BouncedRecipientInfoList names 1 to 100 recipients."));
    }
    let about = input.message_dsn.unwrap_or_default();
    let recipients = input.bounced_recipient_info_list.into_iter().map(recipient).collect::<Result<_, _>>()?;
    let back = ReturnedMail {
        original: input.original_message_id,
        sender: Mailbox::parse(&input.bounce_sender)?.address,
        explanation: input.explanation,
        reporting_mta: about.reporting_mta,
        arrival: about.arrival_date.map(|time| time.0),
        more: extensions(about.extension_fields)?,
        recipients,
    };
    let message_id = services.sending.send_back(&caller.account, &caller.region, back).await?;
    Ok(SendBounceResponse { message_id })
}

fn recipient(info: BouncedRecipientInfo) -> Result<StatusOf, SesError> {
    let wrong = |text: &str| SesError::InvalidParameterValue(text.to_owned());
    let address = Mailbox::parse(&info.recipient)?.address;
    if let Some(fields) = info.recipient_dsn_fields {
        if !ACTIONS.contains(&fields.action.as_str()) {
            return Err(wrong("Action is failed, delayed, delivered, relayed or expanded."));
        }
        return Ok(StatusOf {
            address,
            action: fields.action,
            status: fields.status,
            diagnostic: fields.diagnostic_code,
            remote_mta: fields.remote_mta,
            more: extensions(fields.extension_fields)?,
        });
    }
    let kind = info.bounce_type.as_deref().ok_or_else(|| wrong("A recipient has BounceType or RecipientDsnFields."))?;
    let found = KINDS.iter().find(|(known, ..)| *known == kind).ok_or_else(|| wrong("BounceType is invalid."))?;
    let (_, status, diagnostic) = *found;
    let (status, diagnostic) = (status.to_owned(), Some(diagnostic.to_owned()));
    Ok(StatusOf { address, action: "failed".to_owned(), status, diagnostic, remote_mta: None, more: vec![] })
}

/// Checks the extension fields: `X-Name`, and a value on one line.
fn extensions(fields: Vec<ExtensionField>) -> Result<Vec<(String, String)>, SesError> {
    let fine = |field: &ExtensionField| {
        (1..=NAME_MAX).contains(&field.name.len())
            && field.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !FIELDS.contains(&field.name.to_ascii_lowercase().as_str())
            && (1..=VALUE_MAX).contains(&field.value.len())
            && field.value.bytes().all(|b| (b' '..=b'~').contains(&b))
    };
    if fields.len() > EXTENSIONS_MAX || !fields.iter().all(fine) {
        let text = format!(
            "ExtensionFields are at most {EXTENSIONS_MAX}, with names of letters, digits and hyphens that the report does not \
             have itself, and values of printable ASCII."
        );
        return Err(SesError::InvalidParameterValue(text));
    }
    Ok(fields.into_iter().map(|field| (field.name, field.value)).collect())
}
