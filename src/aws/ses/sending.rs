//! SendEmail and SendRawEmail of the first API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::Blob;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::mail::message::recipients::{address, mailboxes};
use crate::mail::message::{self, Draft, Mailbox, Recipients, rewrite};
use crate::mail::sending::{Grants, Submission, Terms, compose_soon};

/// SES: octets of a message through the first API.
pub(super) const MESSAGE_MAX: usize = 10 * 1024 * 1024;

/// The recipients of a mail. Both APIs have this structure.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Destination {
    /// The To header.
    #[serde(default)]
    pub to_addresses: Vec<String>,
    /// The Cc header.
    #[serde(default)]
    pub cc_addresses: Vec<String>,
    /// In the envelope only.
    #[serde(default)]
    pub bcc_addresses: Vec<String>,
}

impl Destination {
    /// Reads all addresses: one that is none refuses the whole mail, as SES does.
    ///
    /// # Errors
    /// An address that is none.
    pub fn read(&self) -> Result<Recipients, message::Error> {
        Recipients::read(&self.to_addresses, &self.cc_addresses, &self.bcc_addresses)
    }
}

/// A text with the character set that it should be sent in. It is sent as UTF-8, whatever is named here: the characters
/// are the same, and every mail program reads it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Content {
    /// The text.
    pub data: String,
}

/// The body in one or two forms.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Body {
    /// Plain text.
    pub text: Option<Content>,
    /// HTML.
    pub html: Option<Content>,
}

/// A tag of a mail. Both APIs have this structure.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageTag {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// The tags as the accept door takes them.
pub fn pairs(tags: Vec<MessageTag>) -> Vec<(String, String)> {
    tags.into_iter().map(|tag| (tag.name, tag.value)).collect()
}

/// Subject and body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    subject: Content,
    body: Body,
}

/// A mail in its parts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendEmailRequest {
    source: String,
    destination: Destination,
    message: Message,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    return_path: Option<String>,
    source_arn: Option<String>,
    return_path_arn: Option<String>,
    #[serde(default)]
    tags: Vec<MessageTag>,
    configuration_set_name: Option<String>,
}

/// The id of the accepted mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendEmailResponse {
    /// The id.
    pub message_id: String,
}

/// Composes a mail and accepts it.
///
/// # Errors
/// Those of [`Sending::accept`](crate::mail::sending::Sending::accept), and broken addresses.
pub async fn send_email(
    services: &Services,
    caller: &Caller,
    input: SendEmailRequest,
) -> Result<SendEmailResponse, SesError> {
    let from = Mailbox::parse(&input.source)?;
    let recipients = input.destination.read()?;
    let source = from.address.clone();
    let draft = Draft {
        from,
        to: recipients.to,
        cc: recipients.cc,
        reply_to: mailboxes(&input.reply_to_addresses)?,
        subject: input.message.subject.data,
        text: input.message.body.text.map(|content| content.data),
        html: input.message.body.html.map(|content| content.data),
        attachments: Vec::new(),
        headers: Vec::new(),
    };
    let raw = compose_soon(services.templates.compute(), &caller.account, draft).await??;
    let submission = Submission {
        configuration_set: input.configuration_set_name,
        tags: pairs(input.tags),
        return_path: address(input.return_path.as_deref())?,
        grants: Grants {
            action: "ses:SendEmail",
            source: input.source_arn,
            from: None,
            return_path: input.return_path_arn,
        },
        ..caller.sender().submission(source, recipients.all, raw)
    };
    Ok(SendEmailResponse { message_id: services.sending.accept_on(submission, terms(caller)).await? })
}

/// A complete message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RawMessage {
    /// Its bytes.
    pub data: Blob,
}

/// A complete message with its envelope.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendRawEmailRequest {
    source: Option<String>,
    #[serde(default)]
    destinations: Vec<String>,
    raw_message: RawMessage,
    from_arn: Option<String>,
    source_arn: Option<String>,
    return_path_arn: Option<String>,
    #[serde(default)]
    tags: Vec<MessageTag>,
    configuration_set_name: Option<String>,
}

/// The id of the accepted mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendRawEmailResponse {
    message_id: String,
}

/// Accepts a complete message. Without destinations, its To, Cc and Bcc name the recipients.
///
/// # Errors
/// Those of [`Sending::accept`](crate::mail::sending::Sending::accept), and a header that is broken.
pub async fn send_raw_email(
    services: &Services,
    caller: &Caller,
    input: SendRawEmailRequest,
) -> Result<SendRawEmailResponse, SesError> {
    let raw = input.raw_message.data.0;
    let source = match &input.source {
        Some(source) => Mailbox::parse(source)?.address,
        None => rewrite::author(&raw)?,
    };
    let recipients = match input.destinations.is_empty() {
        true => rewrite::recipients(&raw)?,
        false => Recipients::read(&input.destinations, &[], &[])?.all,
    };
    let submission = Submission {
        configuration_set: input.configuration_set_name,
        tags: pairs(input.tags),
        grants: Grants {
            action: "ses:SendRawEmail",
            source: input.source_arn,
            from: input.from_arn,
            return_path: input.return_path_arn,
        },
        ..caller.sender().submission(source, recipients, raw)
    };
    Ok(SendRawEmailResponse { message_id: services.sending.accept_on(submission, terms(caller)).await? })
}

fn terms(caller: &Caller) -> Terms {
    Terms { once: caller.once.clone(), octets_max: Some(MESSAGE_MAX), ..Terms::default() }
}
