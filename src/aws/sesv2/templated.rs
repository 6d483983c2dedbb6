//! Mails from templates in the second API: the template of SendEmail, and SendBulkEmail.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::sending::{Destination, MessageTag, pairs};
use crate::aws::ses::texts::{BULK_FAILED, QUOTA_EXCEEDED, invalid_address};
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::lacking::{ConfigurationOverrides, check_sending};
use crate::aws::sesv2::message_parts::{Attachment, MessageHeader, file_parts, header_pairs};
use crate::aws::sesv2::templates::EmailTemplateContent;
use crate::base::EmailAddress;
use crate::mail::message::recipients::mailboxes;
use crate::mail::message::{self, Mailbox};
use crate::mail::sending::{BULK_MAX, Grants, OwnParts, TemplateChoice, TemplatedMail, in_lots};

/// A template that is kept, or one that comes with the call; its data, and what else the mail has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Template {
    template_name: Option<String>,
    template_arn: Option<String>,
    template_content: Option<EmailTemplateContent>,
    template_data: Option<String>,
    #[serde(default)]
    headers: Vec<MessageHeader>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

/// What a call says of its mails beside the template.
pub(super) struct Common {
    /// The author.
    pub(super) from: Mailbox,
    /// The Reply-To field.
    pub(super) reply_to: Vec<Mailbox>,
    /// Where bounces go.
    pub(super) return_path: Option<EmailAddress>,
    /// Tags.
    pub(super) tags: Vec<(String, String)>,
    /// The configuration set.
    pub(super) configuration_set: Option<String>,
    /// By whose leave the mails are sent.
    pub(super) grants: Grants,
}

impl Template {
    /// Finds and reads the template, for mails with these parts in common.
    ///
    /// # Errors
    /// None or several are named; one that does not exist, or that cannot be read.
    pub(super) async fn mail(
        self,
        services: &Services,
        caller: &Caller,
        common: Common,
    ) -> Result<TemplatedMail, SesV2Error> {
        let choice = TemplateChoice {
            name: self.template_name.filter(|name| !name.is_empty()),
            arn: self.template_arn,
            content: self.template_content.map(EmailTemplateContent::parts),
        };
        let (kept, set) = ((&services.templates, &services.configuration_sets), common.configuration_set.as_deref());
        Ok(TemplatedMail {
            template: choice.find(kept, &caller.scope(), set).await?,
            data: self.template_data.map(Into::into),
            from: common.from,
            reply_to: common.reply_to,
            return_path: common.return_path,
            headers: header_pairs(self.headers),
            attachments: file_parts(self.attachments)?,
            tags: common.tags,
            configuration_set: common.configuration_set,
            grants: common.grants,
            octets_max: None,
        })
    }
}

/// What all mails of a call have in common.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BulkEmailContent {
    template: Option<Template>,
}

/// What one mail has of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BulkEmailEntry {
    destination: Destination,
    #[serde(default)]
    replacement_tags: Vec<MessageTag>,
    replacement_email_content: Option<ReplacementEmailContent>,
    #[serde(default)]
    replacement_headers: Vec<MessageHeader>,
}

/// The content that a mail has of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReplacementEmailContent {
    replacement_template: Option<ReplacementTemplate>,
}

/// The data that a mail has of its own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReplacementTemplate {
    replacement_template_data: Option<String>,
}

/// The mails to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendBulkEmailRequest {
    from_email_address: Option<String>,
    from_email_address_identity_arn: Option<String>,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    feedback_forwarding_email_address: Option<String>,
    feedback_forwarding_email_address_identity_arn: Option<String>,
    #[serde(default)]
    default_email_tags: Vec<MessageTag>,
    default_content: BulkEmailContent,
    bulk_email_entries: Vec<BulkEmailEntry>,
    configuration_set_name: Option<String>,
    endpoint_id: Option<String>,
    tenant_name: Option<String>,
    configuration_overrides: Option<ConfigurationOverrides>,
}

/// What became of each mail, in the order of the entries.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendBulkEmailResponse {
    bulk_email_entry_results: Vec<BulkEmailEntryResult>,
}

/// What became of a mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BulkEmailEntryResult {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
}

/// Accepts one mail for each entry, each by itself: an entry that is refused says why, and the others go out.
///
/// # Errors
/// What concerns all of them: no sender, no template, no entries or too many.
pub(super) async fn send_bulk_email(
    services: &Services,
    caller: &Caller,
    input: SendBulkEmailRequest,
) -> Result<SendBulkEmailResponse, SesV2Error> {
    let overrides = input.configuration_overrides.as_ref();
    check_sending(input.tenant_name.as_deref(), input.endpoint_id.as_deref(), overrides)?;
    let entries = input.bulk_email_entries;
    if entries.is_empty() || entries.len() > BULK_MAX {
        return Err(SesV2Error::BadRequest(format!("The number of entries must be between 1 and {BULK_MAX}.")));
    }
    let template = input.default_content.template;
    let template = template.ok_or_else(|| SesV2Error::BadRequest("DefaultContent has no Template.".to_owned()))?;
    let from = input.from_email_address.as_deref().ok_or(message::Error::NoFrom)?;
    let bulk_address = |text: &str| Mailbox::parse(text).map_err(|_| SesV2Error::BadRequest(invalid_address(text)));
    // SES looks at the addresses before it looks for the template.
    let (from, reply_to) = (bulk_address(from)?, mailboxes(&input.reply_to_addresses)?);
    let return_path = input.feedback_forwarding_email_address.as_deref().map(bulk_address).transpose()?;
    let common = Common {
        from,
        reply_to,
        return_path: return_path.map(|mailbox| mailbox.address),
        tags: pairs(input.default_email_tags),
        configuration_set: input.configuration_set_name,
        grants: Grants {
            action: "ses:SendBulkTemplatedEmail",
            source: input.from_email_address_identity_arn,
            from: None,
            return_path: input.feedback_forwarding_email_address_identity_arn,
        },
    };
    let (mail, sender) = (template.mail(services, caller, common).await?, caller.sender());
    let send = async |n: usize, entry: BulkEmailEntry| -> Result<String, SesV2Error> {
        let replacement = entry.replacement_email_content.and_then(|content| content.replacement_template);
        let own = OwnParts {
            recipients: entry.destination.read()?,
            data: replacement.and_then(|template| template.replacement_template_data),
            tags: pairs(entry.replacement_tags),
            headers: header_pairs(entry.replacement_headers),
            nth: Some(n),
        };
        Ok(services.sending.send_templated(&services.templates, &sender, &mail, own).await?)
    };
    let sent = in_lots(entries, send).await;
    Ok(SendBulkEmailResponse { bulk_email_entry_results: sent.into_iter().map(result).collect() })
}

/// An entry's result. The unexpected is told blandly, and logged here.
fn result(sent: Result<String, SesV2Error>) -> BulkEmailEntryResult {
    let error = match sent {
        Ok(id) => return BulkEmailEntryResult { status: "SUCCESS", error: None, message_id: Some(id) },
        Err(error) => error,
    };
    let status = match &error {
        SesV2Error::MessageRejected(_) => "MESSAGE_REJECTED",
        SesV2Error::NotFound(_) => "CONFIGURATION_SET_NOT_FOUND",
        SesV2Error::SendingPaused(text) if text.contains("configuration set") => "CONFIGURATION_SET_SENDING_PAUSED",
        SesV2Error::SendingPaused(_) => "ACCOUNT_SENDING_PAUSED",
        SesV2Error::TooManyRequests(QUOTA_EXCEEDED) => "ACCOUNT_DAILY_QUOTA_EXCEEDED",
        SesV2Error::TooManyRequests(_) => "ACCOUNT_THROTTLED",
        SesV2Error::Internal(_) | SesV2Error::Unexpected(_) => {
            tracing::error!(%error, "an entry of a bulk send failed");
            let error = Some(BULK_FAILED.to_owned());
            return BulkEmailEntryResult { status: "TRANSIENT_FAILURE", error, message_id: None };
        }
        _ => "INVALID_PARAMETER",
    };
    BulkEmailEntryResult { status, error: Some(error.to_string()), message_id: None }
}
