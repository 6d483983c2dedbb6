//! SendTemplatedEmail and SendBulkTemplatedEmail of the first API.
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::error::{SesError, set_name};
use crate::aws::ses::sending::{
    Destination, MessageTag, SendEmailResponse, own_and_default, pairs, return_path, submission,
};
use crate::base::{Arn, EmailAddress};
use crate::mail::content::{self, Data, Prepared, templates};
use crate::mail::message::{Draft, Mailbox};
use crate::mail::sending::{Grants, Submission, Terms, compose_from};
use crate::store;

/// SES: mails of a bulk send.
pub const BULK_MAX: usize = 50;
/// How many of them are accepted at once: they share commits, and not too many messages are held at once.
pub const IN_PARALLEL: usize = 8;

/// The mail to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendTemplatedEmailRequest {
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

/// What the mails of a call have in common.
struct Letter {
    template: Prepared,
    from: Mailbox,
    reply_to: Vec<Mailbox>,
    return_path: Option<EmailAddress>,
    configuration_set: Option<String>,
    grants: Grants,
}

impl Letter {
    async fn write(
        &self,
        services: &Services,
        caller: &Caller,
        to: &Destination,
        data: Data,
        tags: Vec<(String, String)>,
    ) -> Result<(Submission, Terms), SesError> {
        let recipients = to.read()?;
        let draft = Draft {
            from: self.from.clone(),
            to: recipients.to,
            cc: recipients.cc,
            reply_to: self.reply_to.clone(),
            subject: String::new(),
            text: None,
            html: None,
            attachments: Vec::new(),
            headers: Vec::new(),
        };
        let (raw, unrendered) =
            compose_from::<SesError>(&services.templates, &caller.account, &self.template, data, draft).await?;
        let (source, set) = (self.from.address.clone(), self.configuration_set.clone());
        let submission = submission(caller, source, recipients.all, raw, tags, set)?;
        let (return_path, grants) = (self.return_path.clone(), self.grants.clone());
        Ok((
            Submission { return_path, grants, ..submission },
            Terms { once: caller.once.clone(), unrendered, ..Terms::default() },
        ))
    }
}

/// Makes a mail from a template and accepts it. What cannot be rendered is accepted too, and told of in an event.
///
/// # Errors
/// Those of [`Sending::accept`](crate::mail::sending::Sending::accept); broken addresses; a template that does not exist;
/// data that is none.
pub async fn send_templated_email(
    services: &Services,
    caller: &Caller,
    input: SendTemplatedEmailRequest,
) -> Result<SendEmailResponse, SesError> {
    // SES looks at the addresses before it looks for the template.
    input.destination.read()?;
    let set = input.configuration_set_name.as_deref();
    let letter = Letter {
        from: Mailbox::parse(&input.source)?,
        reply_to: input.reply_to_addresses.iter().map(|text| Mailbox::parse(text)).collect::<Result<_, _>>()?,
        return_path: return_path(input.return_path.as_deref())?,
        template: template(services, caller, &input.template, input.template_arn.as_deref(), set).await?,
        configuration_set: input.configuration_set_name,
        grants: Grants {
            action: "ses:SendTemplatedEmail",
            source: input.source_arn,
            from: None,
            return_path: input.return_path_arn,
        },
    };
    let data = Data::of(&input.template_data);
    let written = letter.write(services, caller, &input.destination, data, pairs(input.tags));
    let (submission, terms) = written.await?;
    Ok(SendEmailResponse { message_id: services.sending.accept_on(submission, terms).await? })
}

/// One mail of many.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct BulkEmailDestination {
    destination: Destination,
    #[serde(default)]
    replacement_tags: Vec<MessageTag>,
    replacement_template_data: Option<String>,
}

/// The mails to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendBulkTemplatedEmailRequest {
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
pub struct SendBulkTemplatedEmailResponse {
    status: Vec<BulkEmailDestinationStatus>,
}

/// What became of a mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BulkEmailDestinationStatus {
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
pub async fn send_bulk_templated_email(
    services: &Services,
    caller: &Caller,
    input: SendBulkTemplatedEmailRequest,
) -> Result<SendBulkTemplatedEmailResponse, SesError> {
    if input.destinations.is_empty() || input.destinations.len() > BULK_MAX {
        let text = format!("The number of destinations must be between 1 and {BULK_MAX}.");
        return Err(SesError::InvalidParameterValue(text));
    }
    let set = input.configuration_set_name.as_deref();
    let letter = Letter {
        from: bulk_address(&input.source).map_err(SesError::InvalidParameterValue)?,
        reply_to: input.reply_to_addresses.iter().map(|text| Mailbox::parse(text)).collect::<Result<_, _>>()?,
        return_path: match input.return_path.as_deref() {
            Some(text) => Some(bulk_address(text).map_err(SesError::InvalidParameterValue)?.address),
            None => None,
        },
        template: template(services, caller, &input.template, input.template_arn.as_deref(), set).await?,
        configuration_set: input.configuration_set_name,
        grants: Grants {
            action: "ses:SendBulkTemplatedEmail",
            source: input.source_arn,
            from: None,
            return_path: input.return_path_arn,
        },
    };
    let default_tags = pairs(input.default_tags);
    let (default, tags) = (Arc::from(input.default_template_data), &default_tags);
    let send = async |n: usize, to: BulkEmailDestination| -> Result<String, SesError> {
        let data = Data::own_or(to.replacement_template_data, Some(&default));
        let own = own_and_default(pairs(to.replacement_tags), tags);
        let (submission, terms) = letter.write(services, caller, &to.destination, data, own).await?;
        let once = terms.once.as_ref().map(|once| once.nth(n));
        Ok(services.sending.accept_on(submission, Terms { once, ..terms }).await?)
    };
    let mut status = Vec::with_capacity(input.destinations.len());
    let mut destinations = input.destinations.into_iter().enumerate().peekable();
    while destinations.peek().is_some() {
        let some: Vec<_> = destinations.by_ref().take(IN_PARALLEL).collect();
        let sent = futures::future::join_all(some.into_iter().map(|(n, to)| send(n, to))).await;
        status.extend(sent.into_iter().map(result));
    }
    Ok(SendBulkTemplatedEmailResponse { status })
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
        SesError::Throttling(crate::aws::ses::error::QUOTA_EXCEEDED) => "AccountDailyQuotaExceeded",
        SesError::Throttling(_) => "AccountThrottled",
        SesError::Internal(_) | SesError::Unexpected(_) => {
            tracing::error!(%error, "an entry of a bulk send failed");
            let text = "The service failed; try again.".to_owned();
            return BulkEmailDestinationStatus { status: "TransientFailure", error: Some(text), message_id: None };
        }
        _ => "InvalidParameterValue",
    };
    BulkEmailDestinationStatus { status, error: Some(error.to_string()), message_id: None }
}

/// An address that all mails of a bulk send share; both APIs have the text.
///
/// # Errors
/// The text for one that is none.
pub fn bulk_address(text: &str) -> Result<Mailbox, String> {
    Mailbox::parse(text).map_err(|_| format!("Invalid email address<{}>.", text.chars().take(320).collect::<String>()))
}

async fn template(
    services: &Services,
    caller: &Caller,
    name: &str,
    arn: Option<&str>,
    set: Option<&str>,
) -> Result<Prepared, SesError> {
    let name = match arn {
        Some(arn) => {
            let missing = || templates::Error::Missing(arn.chars().take(512).collect());
            name_of(caller, arn).ok_or_else(missing)?
        }
        None => name.to_owned(),
    };
    match services.templates.prepared(&caller.account, &caller.region, &name).await {
        // SES tells of the configuration set first.
        Err(missing @ templates::Error::Missing(_)) => match missing_set(services, caller, set).await? {
            Some(content::Error::Missing(name)) => Err(SesError::ConfigurationSetDoesNotExist(name)),
            Some(content::Error::Name(fault)) => Err(SesError::InvalidParameterValue(set_name(&fault))),
            _ => Err(missing.into()),
        },
        done => Ok(done?),
    }
}

/// What is wrong with the configuration set that a call names.
///
/// # Errors
/// When the store fails.
pub async fn missing_set(
    services: &Services,
    caller: &Caller,
    set: Option<&str>,
) -> Result<Option<content::Error>, store::Error> {
    let Some(set) = set else { return Ok(None) };
    match services.configuration_sets.get(&caller.account, &caller.region, set).await {
        Err(content::Error::Internal(error)) => Err(error),
        found => Ok(found.err()),
    }
}

/// The name in a template's ARN, where it is one of the caller's account and region.
pub fn name_of(caller: &Caller, arn: &str) -> Option<String> {
    let arn: Arn = arn.parse().ok()?;
    let own = arn.service == "ses" && arn.account == caller.account && arn.region == caller.region;
    arn.resource.strip_prefix("template/").filter(|_| own).map(str::to_owned)
}
