//! SendEmail of the second API.
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::Blob;
use crate::aws::services::Services;
use crate::aws::ses::sending::{Body, Content, Destination, MessageTag, Recipients, pairs, return_path};
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::lacking::{ConfigurationOverrides, no_tenant};
use crate::aws::sesv2::templated::Template;
use crate::base::EmailAddress;
use crate::mail::message::mime::Encoding;
use crate::mail::message::{self, Attachment as Part, Disposition, Draft, Mailbox, rewrite};
use crate::mail::sending::{Grants, SendError, Submission, Terms, compose_soon};

/// A header of the caller's own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageHeader {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// A file that goes with the message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attachment {
    raw_content: Blob,
    content_disposition: Option<String>,
    file_name: String,
    content_description: Option<String>,
    content_id: Option<String>,
    content_transfer_encoding: Option<String>,
    content_type: Option<String>,
}

impl Attachment {
    /// The part of the message.
    ///
    /// # Errors
    /// A word that SES does not have.
    pub(super) fn part(self) -> Result<Part, SesV2Error> {
        let none = |what: &str, given: &str| Err(SesV2Error::BadRequest(format!("{given:?} is not a {what}.")));
        let disposition = match self.content_disposition.as_deref() {
            None | Some("ATTACHMENT") => Disposition::Attachment,
            Some("INLINE") => Disposition::Inline,
            Some(other) => return none("ContentDisposition", other),
        };
        let encoding = match self.content_transfer_encoding.as_deref() {
            None | Some("BASE64") => Encoding::Base64,
            Some("QUOTED_PRINTABLE") => Encoding::QuotedPrintable,
            Some("SEVEN_BIT") => Encoding::SevenBit,
            Some(other) => return none("ContentTransferEncoding", other),
        };
        Ok(Part {
            content: self.raw_content.0,
            content_type: self.content_type,
            file_name: self.file_name,
            disposition,
            content_id: self.content_id,
            description: self.content_description,
            encoding,
        })
    }
}

/// A message in its parts.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Message {
    subject: Content,
    body: Body,
    #[serde(default)]
    headers: Vec<MessageHeader>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

/// A complete message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RawMessage {
    data: Blob,
}

/// One of three kinds of content.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EmailContent {
    simple: Option<Message>,
    raw: Option<RawMessage>,
    template: Option<Template>,
}

/// A reference to a contact list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListManagementOptions {
    contact_list_name: String,
    #[expect(dead_code, reason = "a value of another type is an error")]
    topic_name: Option<String>,
}

/// The mail to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEmailRequest {
    from_email_address: Option<String>,
    from_email_address_identity_arn: Option<String>,
    #[serde(default)]
    destination: Destination,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    feedback_forwarding_email_address: Option<String>,
    feedback_forwarding_email_address_identity_arn: Option<String>,
    content: EmailContent,
    #[serde(default)]
    email_tags: Vec<MessageTag>,
    configuration_set_name: Option<String>,
    endpoint_id: Option<String>,
    tenant_name: Option<String>,
    list_management_options: Option<ListManagementOptions>,
    configuration_overrides: Option<ConfigurationOverrides>,
}

/// The id of the accepted mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendEmailResponse {
    message_id: String,
}

/// Accepts a mail, composed here or complete.
///
/// # Errors
/// Those of [`Sending::accept`](crate::mail::sending::Sending::accept); broken addresses; content that this server does
/// not have.
pub(super) async fn send_email(
    services: &Services,
    caller: &Caller,
    input: SendEmailRequest,
) -> Result<SendEmailResponse, SesV2Error> {
    refuse_lacking(&input)?;
    let from = input.from_email_address.as_deref().map(Mailbox::parse).transpose()?;
    let recipients = input.destination.read()?;
    let return_path = return_path(input.feedback_forwarding_email_address.as_deref())?;
    let reply_to = input.reply_to_addresses.iter().map(|text| Mailbox::parse(text)).collect::<Result<_, _>>()?;
    let action = match (&input.content.raw, &input.content.template) {
        (Some(_), _) => "ses:SendRawEmail",
        (None, Some(_)) => "ses:SendTemplatedEmail",
        (None, None) => "ses:SendEmail",
    };
    let mut unrendered = None;
    let (source, recipients, raw) = match (input.content.simple, input.content.raw, input.content.template) {
        (Some(simple), None, None) => {
            let from = from.ok_or(message::Error::NoFrom)?;
            let source = from.address.clone();
            let all = recipients.all.clone();
            let draft = draft(simple, from, recipients, reply_to)?;
            (source, all, compose_soon(services.templates.compute(), &caller.account, draft).await??)
        }
        (None, Some(raw), None) => envelope(raw.data.0, from, recipients.all)?,
        (None, None, Some(template)) => {
            let from = from.ok_or(message::Error::NoFrom)?;
            let (source, all) = (from.address.clone(), recipients.all.clone());
            let letter = template.letter(services, caller, input.configuration_set_name.as_deref()).await?;
            let written = letter.write((services, caller), letter.data(None), &[], from, recipients, reply_to);
            let (raw, failure) = written.await?;
            unrendered = failure;
            (source, all, raw)
        }
        _ => return Err(SesV2Error::BadRequest("Content has exactly one of Simple, Raw and Template.".to_owned())),
    };
    let submission = Submission {
        account: caller.account.clone(),
        region: caller.region.clone(),
        caller: caller.access_key.clone(),
        source_ip: Some(caller.source_ip),
        source,
        recipients,
        raw: Bytes::from(raw),
        configuration_set: input.configuration_set_name,
        tags: pairs(input.email_tags),
        return_path,
        grants: Grants {
            action,
            source: input.from_email_address_identity_arn,
            from: None,
            return_path: input.feedback_forwarding_email_address_identity_arn,
        },
    };
    let terms = Terms { once: caller.once.clone(), unrendered, ..Terms::default() };
    Ok(SendEmailResponse { message_id: services.sending.accept_on(submission, terms).await? })
}

/// What SES has and this server does not: refused by name, never ignored.
fn refuse_lacking(input: &SendEmailRequest) -> Result<(), SesV2Error> {
    if let Some(list) = &input.list_management_options {
        return Err(SendError::ContactListMissing(list.contact_list_name.clone()).into());
    }
    no_tenant(input.tenant_name.as_deref())?;
    if input.endpoint_id.is_some() {
        return Err(SesV2Error::BadRequest("Multi-region endpoints are not supported.".to_owned()));
    }
    input.configuration_overrides.as_ref().map_or(Ok(()), ConfigurationOverrides::check)
}

fn draft(simple: Message, from: Mailbox, to: Recipients, reply_to: Vec<Mailbox>) -> Result<Draft, SesV2Error> {
    Ok(Draft {
        from,
        to: to.to,
        cc: to.cc,
        reply_to,
        subject: simple.subject.data,
        text: simple.body.text.map(|content| content.data),
        html: simple.body.html.map(|content| content.data),
        attachments: simple.attachments.into_iter().map(Attachment::part).collect::<Result<_, _>>()?,
        headers: simple.headers.into_iter().map(|header| (header.name, header.value)).collect(),
    })
}

/// The envelope of a complete message: what the call says, or else what its header says.
fn envelope(
    raw: Vec<u8>,
    from: Option<Mailbox>,
    given: Vec<EmailAddress>,
) -> Result<(EmailAddress, Vec<EmailAddress>, Vec<u8>), SesV2Error> {
    let source = match from {
        Some(from) => from.address,
        None => rewrite::author(&raw)?,
    };
    let recipients = if given.is_empty() { rewrite::recipients(&raw)? } else { given };
    Ok((source, recipients, raw))
}
