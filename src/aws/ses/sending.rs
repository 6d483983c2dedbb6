//! SendEmail and SendRawEmail of the first API.
use std::collections::HashSet;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::Blob;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::base::EmailAddress;
use crate::mail::message::{Draft, Mailbox, rewrite};
use crate::mail::sending::{Grants, Submission, Terms, compose_soon};

/// SES: octets of a message through the first API.
const MESSAGE_MAX: usize = 10 * 1024 * 1024;

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

/// The recipients, read.
#[derive(Debug, Default)]
pub struct Recipients {
    /// The To header.
    pub to: Vec<Mailbox>,
    /// The Cc header.
    pub cc: Vec<Mailbox>,
    /// Everyone, in the order To, Cc, Bcc.
    pub all: Vec<EmailAddress>,
}

impl Destination {
    /// Reads all addresses: one that is none refuses the whole mail, as SES does.
    ///
    /// # Errors
    /// An address that is none.
    pub fn read(&self) -> Result<Recipients, crate::mail::message::Error> {
        let list = |texts: &[String]| texts.iter().map(|text| Mailbox::parse(text)).collect::<Result<Vec<_>, _>>();
        let (to, cc, bcc) = (list(&self.to_addresses)?, list(&self.cc_addresses)?, list(&self.bcc_addresses)?);
        let all = to.iter().chain(&cc).chain(&bcc).map(|mailbox| mailbox.address.clone()).collect();
        Ok(Recipients { to, cc, all })
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

/// A mail's own pairs, and those of `default` whose names it does not have.
pub fn own_and_default(mut own: Vec<(String, String)>, default: &[(String, String)]) -> Vec<(String, String)> {
    let names: HashSet<&str> = own.iter().map(|(name, _)| name.as_str()).collect();
    let more: Vec<_> = default.iter().filter(|(name, _)| !names.contains(name.as_str())).cloned().collect();
    own.extend(more);
    own
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
        reply_to: input.reply_to_addresses.iter().map(|text| Mailbox::parse(text)).collect::<Result<_, _>>()?,
        subject: input.message.subject.data,
        text: input.message.body.text.map(|content| content.data),
        html: input.message.body.html.map(|content| content.data),
        attachments: Vec::new(),
        headers: Vec::new(),
    };
    let raw = compose_soon(services.templates.compute(), &caller.account, draft).await??;
    let submission = Submission {
        return_path: return_path(input.return_path.as_deref())?,
        grants: Grants {
            action: "ses:SendEmail",
            source: input.source_arn,
            from: None,
            return_path: input.return_path_arn,
        },
        ..submission(caller, source, recipients.all, raw, pairs(input.tags), input.configuration_set_name)?
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
    let recipients = if input.destinations.is_empty() {
        rewrite::recipients(&raw)?
    } else {
        Destination { to_addresses: input.destinations, ..Destination::default() }.read()?.all
    };
    let submission = Submission {
        grants: Grants {
            action: "ses:SendRawEmail",
            source: input.source_arn,
            from: input.from_arn,
            return_path: input.return_path_arn,
        },
        ..submission(caller, source, recipients, raw, pairs(input.tags), input.configuration_set_name)?
    };
    Ok(SendRawEmailResponse { message_id: services.sending.accept_on(submission, terms(caller)).await? })
}

fn terms(caller: &Caller) -> Terms {
    Terms { once: caller.once.clone(), ..Terms::default() }
}

/// A mail as the accept door takes it.
///
/// # Errors
/// A message that is larger than this API takes.
pub fn submission(
    caller: &Caller,
    source: EmailAddress,
    recipients: Vec<EmailAddress>,
    raw: Vec<u8>,
    tags: Vec<(String, String)>,
    configuration_set: Option<String>,
) -> Result<Submission, SesError> {
    let length = raw.len();
    if length > MESSAGE_MAX {
        let text = format!("Message length is more than {MESSAGE_MAX} bytes long: '{length}'.");
        return Err(SesError::InvalidParameterValue(text));
    }
    Ok(Submission {
        account: caller.account.clone(),
        region: caller.region.clone(),
        caller: caller.access_key.clone(),
        source_ip: Some(caller.source_ip),
        source,
        recipients,
        raw: Bytes::from(raw),
        configuration_set,
        tags,
        return_path: None,
        grants: Grants::default(),
    })
}

/// The address for bounces, where one is named.
///
/// # Errors
/// An address that is none.
pub fn return_path(text: Option<&str>) -> Result<Option<EmailAddress>, crate::mail::message::Error> {
    text.map(|text| Ok(Mailbox::parse(text)?.address)).transpose()
}
