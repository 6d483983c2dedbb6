//! Mails from templates in the second API: the template of SendEmail, and SendBulkEmail.
use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::sending::{Destination, MessageTag, Recipients, own_and_default, pairs};
use crate::aws::ses::templated::{BULK_MAX, IN_PARALLEL, bulk_address, missing_set, name_of};
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::lacking::{ConfigurationOverrides, no_tenant};
use crate::aws::sesv2::sending::{Attachment, MessageHeader};
use crate::aws::sesv2::templates::EmailTemplateContent;
use crate::mail::content::{Data, Prepared, templates};
use crate::mail::message::{self, Attachment as Part, Draft, Mailbox};
use crate::mail::sending::{Grants, Submission, Terms, Unrendered, compose_from};

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

/// A template with what belongs to it, ready to be written for one recipient after the other.
pub(super) struct Letter {
    template: Prepared,
    data: Option<Arc<str>>,
    headers: Vec<(String, String)>,
    attachments: Vec<Part>,
}

impl Template {
    /// Finds and reads the template; where it is missing, the configuration set `set` is told of first if it is too.
    ///
    /// # Errors
    /// None or several are named; one that does not exist, or that cannot be read.
    pub(super) async fn letter(
        self,
        services: &Services,
        caller: &Caller,
        set: Option<&str>,
    ) -> Result<Letter, SesV2Error> {
        let named = match &self.template_arn {
            Some(arn) => Some(name_of(caller, arn).ok_or_else(|| SesV2Error::NotFound(missing_arn(arn)))?),
            None => self.template_name.filter(|name| !name.is_empty()),
        };
        let template = match (named, self.template_content) {
            (Some(name), None) => match services.templates.prepared(&caller.account, &caller.region, &name).await {
                Err(missing @ templates::Error::Missing(_)) => {
                    missing_set(services, caller, set).await?.map_or(Ok(()), |no_set| Err(SesV2Error::from(no_set)))?;
                    return Err(missing.into());
                }
                found => found?,
            },
            (None, Some(content)) => services.templates.prepared_plain(&caller.account, content.parts()).await?,
            _ => {
                let text = "Template has exactly one of TemplateName, TemplateArn and TemplateContent.";
                return Err(SesV2Error::BadRequest(text.to_owned()));
            }
        };
        Ok(Letter {
            template,
            data: self.template_data.map(Into::into),
            headers: header_pairs(self.headers),
            attachments: self.attachments.into_iter().map(Attachment::part).collect::<Result<_, _>>()?,
        })
    }
}

impl Letter {
    /// The data of a mail: `own` where it has any, else what came with the template.
    pub(super) fn data(&self, own: Option<String>) -> Data {
        Data::own_or(own, self.data.as_ref())
    }

    /// Writes a mail, or says why it cannot be. `headers` win over those of the template that have the same name.
    ///
    /// # Errors
    /// Data that is none, and what no message may have.
    pub(super) async fn write(
        &self,
        (services, caller): (&Services, &Caller),
        data: Data,
        headers: &[(String, String)],
        from: Mailbox,
        to: Recipients,
        reply_to: Vec<Mailbox>,
    ) -> Result<(Vec<u8>, Option<Unrendered>), SesV2Error> {
        let replaced: HashSet<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let own = self.headers.iter().filter(|(name, _)| !replaced.contains(&name.to_ascii_lowercase()));
        let draft = Draft {
            from,
            to: to.to,
            cc: to.cc,
            reply_to,
            subject: String::new(),
            text: None,
            html: None,
            attachments: self.attachments.clone(),
            headers: own.chain(headers).cloned().collect(),
        };
        compose_from(&services.templates, &caller.account, &self.template, data, draft).await
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

/// What the entries share, read.
struct Bulk {
    letter: Letter,
    from: Mailbox,
    reply_to: Vec<Mailbox>,
    return_path: Option<crate::base::EmailAddress>,
    tags: Vec<(String, String)>,
    configuration_set: Option<String>,
    grants: Grants,
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
    refuse_lacking(&input)?;
    let entries = input.bulk_email_entries;
    if entries.is_empty() || entries.len() > BULK_MAX {
        return Err(SesV2Error::BadRequest(format!("The number of entries must be between 1 and {BULK_MAX}.")));
    }
    let template = input.default_content.template;
    let template = template.ok_or_else(|| SesV2Error::BadRequest("DefaultContent has no Template.".to_owned()))?;
    let from = input.from_email_address.as_deref().ok_or(message::Error::NoFrom)?;
    // SES looks at the addresses before it looks for the template.
    let bulk = Bulk {
        from: bulk_address(from).map_err(SesV2Error::BadRequest)?,
        reply_to: input.reply_to_addresses.iter().map(|text| Mailbox::parse(text)).collect::<Result<_, _>>()?,
        return_path: match input.feedback_forwarding_email_address.as_deref() {
            Some(text) => Some(bulk_address(text).map_err(SesV2Error::BadRequest)?.address),
            None => None,
        },
        letter: template.letter(services, caller, input.configuration_set_name.as_deref()).await?,
        tags: pairs(input.default_email_tags),
        configuration_set: input.configuration_set_name,
        grants: Grants {
            action: "ses:SendBulkTemplatedEmail",
            source: input.from_email_address_identity_arn,
            from: None,
            return_path: input.feedback_forwarding_email_address_identity_arn,
        },
    };
    let mut results = Vec::with_capacity(entries.len());
    let mut entries = entries.into_iter().enumerate().peekable();
    while entries.peek().is_some() {
        let some: Vec<_> = entries.by_ref().take(IN_PARALLEL).collect();
        let sends = some.into_iter().map(|(n, entry)| send_entry(services, caller, &bulk, n, entry));
        results.extend(futures::future::join_all(sends).await);
    }
    Ok(SendBulkEmailResponse { bulk_email_entry_results: results.into_iter().map(result).collect() })
}

/// What SES has and this server does not: refused by name, never ignored.
fn refuse_lacking(input: &SendBulkEmailRequest) -> Result<(), SesV2Error> {
    no_tenant(input.tenant_name.as_deref())?;
    if input.endpoint_id.is_some() {
        return Err(SesV2Error::BadRequest("Multi-region endpoints are not supported.".to_owned()));
    }
    input.configuration_overrides.as_ref().map_or(Ok(()), ConfigurationOverrides::check)
}

async fn send_entry(
    services: &Services,
    caller: &Caller,
    bulk: &Bulk,
    n: usize,
    entry: BulkEmailEntry,
) -> Result<String, SesV2Error> {
    let replacement = entry.replacement_email_content.and_then(|content| content.replacement_template);
    let own = replacement.and_then(|template| template.replacement_template_data);
    let data = bulk.letter.data(own);
    let recipients = entry.destination.read()?;
    let all = recipients.all.clone();
    let headers = header_pairs(entry.replacement_headers);
    let (from, reply_to) = (bulk.from.clone(), bulk.reply_to.clone());
    let written = bulk.letter.write((services, caller), data, &headers, from, recipients, reply_to);
    let (raw, unrendered) = written.await?;
    let tags = own_and_default(pairs(entry.replacement_tags), &bulk.tags);
    let submission = Submission {
        account: caller.account.clone(),
        region: caller.region.clone(),
        caller: caller.access_key.clone(),
        source_ip: Some(caller.source_ip),
        source: bulk.from.address.clone(),
        recipients: all,
        raw: Bytes::from(raw),
        configuration_set: bulk.configuration_set.clone(),
        tags,
        return_path: bulk.return_path.clone(),
        grants: bulk.grants.clone(),
    };
    let terms = Terms { once: caller.once.as_ref().map(|once| once.nth(n)), unrendered, ..Terms::default() };
    Ok(services.sending.accept_on(submission, terms).await?)
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
        SesV2Error::TooManyRequests(crate::aws::ses::error::QUOTA_EXCEEDED) => "ACCOUNT_DAILY_QUOTA_EXCEEDED",
        SesV2Error::TooManyRequests(_) => "ACCOUNT_THROTTLED",
        SesV2Error::Internal(_) | SesV2Error::Unexpected(_) => {
            tracing::error!(%error, "an entry of a bulk send failed");
            let text = "The service failed; try again.".to_owned();
            return BulkEmailEntryResult { status: "TRANSIENT_FAILURE", error: Some(text), message_id: None };
        }
        _ => "INVALID_PARAMETER",
    };
    BulkEmailEntryResult { status, error: Some(error.to_string()), message_id: None }
}

fn header_pairs(headers: Vec<MessageHeader>) -> Vec<(String, String)> {
    headers.into_iter().map(|header| (header.name, header.value)).collect()
}

fn missing_arn(arn: &str) -> String {
    format!("Template {} does not exist.", arn.chars().take(512).collect::<String>())
}
