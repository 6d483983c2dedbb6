//! SendTemplatedEmail and SendBulkTemplatedEmail of the first API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::aws::ses::sending::{Destination, MESSAGE_MAX, MessageTag, SendEmailResponse, pairs};
use crate::aws::ses::texts::{BULK_FAILED, QUOTA_EXCEEDED, invalid_address};
use crate::mail::content::Prepared;
use crate::mail::message::Mailbox;
use crate::mail::message::recipients::{address, mailboxes};
use crate::mail::sending::{BULK_MAX, Grants, OwnParts, TemplateChoice, TemplatedMail, in_lots};

/// The mail to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendTemplatedEmailRequest {
    source: String,
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    return_path: Option<String>,
    source_arn: Option<String>,
    return_path_arn: Option<String>,
    #[serde(default)]
    tags: Vec<MessageTag>,
    configuration_set_name: Option<String>,
    template: String,
    template_arn: Option<String>,
    template_data: String,
}

/// Makes a mail from a template and accepts it. What cannot be rendered is accepted too, and told of in an event.
///
/// # Errors
/// Those of [`Sending::accept`](crate::mail::sending::Sending::accept); broken addresses; a template that does not exist;
/// data that is none.
pub(super) async fn send_templated_email(
    services: &Services,
    caller: &Caller,
    input: SendTemplatedEmailRequest,
) -> Result<SendEmailResponse, SesError> {
    // SES looks at the addresses before it looks for the template.
    let recipients = input.destination.read()?;
    let (from, reply_to) = (Mailbox::parse(&input.source)?, mailboxes(&input.reply_to_addresses)?);
    let return_path = address(input.return_path.as_deref())?;
    let set = input.configuration_set_name;
    let mail = TemplatedMail {
        template: template(services, caller, input.template, input.template_arn, set.as_deref()).await?,
        data: Some(input.template_data.into()),
        from,
        reply_to,
        return_path,
        headers: Vec::new(),
        attachments: Vec::new(),
        tags: pairs(input.tags),
        configuration_set: set,
        grants: Grants {
            action: "ses:SendTemplatedEmail",
            source: input.source_arn,
            from: None,
            return_path: input.return_path_arn,
        },
        octets_max: Some(MESSAGE_MAX),
    };
    let own = OwnParts { recipients, ..OwnParts::default() };
    let message_id = services.sending.send_templated(&services.templates, &caller.sender(), &mail, own).await?;
    Ok(SendEmailResponse { message_id })
}

/// One mail of many.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BulkEmailDestination {
    destination: Destination,
    #[serde(default)]
    replacement_tags: Vec<MessageTag>,
    replacement_template_data: Option<String>,
}

/// The mails to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendBulkTemplatedEmailRequest {
    source: String,
    source_arn: Option<String>,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    return_path: Option<String>,
    return_path_arn: Option<String>,
    configuration_set_name: Option<String>,
    #[serde(default)]
    default_tags: Vec<MessageTag>,
    template: String,
    template_arn: Option<String>,
    default_template_data: String,
    destinations: Vec<BulkEmailDestination>,
}

/// What became of each mail, in the order of the destinations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendBulkTemplatedEmailResponse {
    status: Vec<BulkEmailDestinationStatus>,
}

/// What became of a mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BulkEmailDestinationStatus {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
}

/// Accepts one mail for each destination, each by itself: one that is refused says why, and the others go out.
///
/// # Errors
/// What concerns all of them: no sender, no template, no destinations or too many.
pub(super) async fn send_bulk_templated_email(
    services: &Services,
    caller: &Caller,
    input: SendBulkTemplatedEmailRequest,
) -> Result<SendBulkTemplatedEmailResponse, SesError> {
    if input.destinations.is_empty() || input.destinations.len() > BULK_MAX {
        let text = format!("The number of destinations must be between 1 and {BULK_MAX}.");
        return Err(SesError::InvalidParameterValue(text));
    }
    let bulk_address =
        |text: &str| Mailbox::parse(text).map_err(|_| SesError::InvalidParameterValue(invalid_address(text)));
    let (from, reply_to) = (bulk_address(&input.source)?, mailboxes(&input.reply_to_addresses)?);
    let return_path = input.return_path.as_deref().map(bulk_address).transpose()?;
    let set = input.configuration_set_name;
    let mail = TemplatedMail {
        template: template(services, caller, input.template, input.template_arn, set.as_deref()).await?,
        data: Some(input.default_template_data.into()),
        from,
        reply_to,
        return_path: return_path.map(|mailbox| mailbox.address),
        headers: Vec::new(),
        attachments: Vec::new(),
        tags: pairs(input.default_tags),
        configuration_set: set,
        grants: Grants {
            action: "ses:SendBulkTemplatedEmail",
            source: input.source_arn,
            from: None,
            return_path: input.return_path_arn,
        },
        octets_max: Some(MESSAGE_MAX),
    };
    let sender = caller.sender();
    let send = async |n: usize, to: BulkEmailDestination| -> Result<String, SesError> {
        let own = OwnParts {
            recipients: to.destination.read()?,
            data: to.replacement_template_data,
            tags: pairs(to.replacement_tags),
            headers: Vec::new(),
            nth: Some(n),
        };
        Ok(services.sending.send_templated(&services.templates, &sender, &mail, own).await?)
    };
    let sent = in_lots(input.destinations, send).await;
    Ok(SendBulkTemplatedEmailResponse { status: sent.into_iter().map(result).collect() })
}

/// A mail's result. The unexpected is told blandly, and logged here.
fn result(sent: Result<String, SesError>) -> BulkEmailDestinationStatus {
    let error = match sent {
        Ok(id) => return BulkEmailDestinationStatus { status: "Success", error: None, message_id: Some(id) },
        Err(error) => error,
    };
    let status = match &error {
        SesError::MessageRejected(_) => "MessageRejected",
        SesError::ConfigurationSetDoesNotExist(_) => "ConfigurationSetDoesNotExist",
        SesError::ConfigurationSetSendingPaused(_) => "ConfigurationSetSendingPaused",
        SesError::AccountSendingPaused => "AccountSendingPaused",
        SesError::Throttling(QUOTA_EXCEEDED) => "AccountDailyQuotaExceeded",
        SesError::Throttling(_) => "AccountThrottled",
        SesError::Internal(_) | SesError::Unexpected(_) => {
            tracing::error!(%error, "an entry of a bulk send failed");
            let error = Some(BULK_FAILED.to_owned());
            return BulkEmailDestinationStatus { status: "TransientFailure", error, message_id: None };
        }
        _ => "InvalidParameterValue",
    };
    BulkEmailDestinationStatus { status, error: Some(error.to_string()), message_id: None }
}

async fn template(
    services: &Services,
    caller: &Caller,
    name: String,
    arn: Option<String>,
    set: Option<&str>,
) -> Result<Prepared, SesError> {
    let choice = TemplateChoice { name: Some(name), arn, content: None };
    let found = choice.find((&services.templates, &services.configuration_sets), &caller.scope(), set).await;
    Ok(found?)
}
