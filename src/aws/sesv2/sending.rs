//! SendEmail of the second API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::Blob;
use crate::aws::services::Services;
use crate::aws::ses::sending::{Body, Content, Destination, MessageTag, pairs};
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::lacking::{ConfigurationOverrides, check_sending};
use crate::aws::sesv2::message_parts::{Attachment, MessageHeader, file_parts, header_pairs};
use crate::aws::sesv2::templated::{Common, Template};
use crate::base::EmailAddress;
use crate::mail::message::recipients::{address, mailboxes};
use crate::mail::message::{self, Draft, Mailbox, Recipients, rewrite};
use crate::mail::sending::{Grants, OwnParts, SendError, Submission, Terms, compose_soon};

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
    let return_path = address(input.feedback_forwarding_email_address.as_deref())?;
    let reply_to = mailboxes(&input.reply_to_addresses)?;
    let grants = |action| Grants {
        action,
        source: input.from_email_address_identity_arn,
        from: None,
        return_path: input.feedback_forwarding_email_address_identity_arn,
    };
    let (source, recipients, raw, grants) = match (input.content.simple, input.content.raw, input.content.template) {
        (Some(simple), None, None) => {
            let from = from.ok_or(message::Error::NoFrom)?;
            let (source, all) = (from.address.clone(), recipients.all.clone());
            let draft = draft(simple, from, recipients, reply_to)?;
            let raw = compose_soon(services.templates.compute(), &caller.account, draft).await??;
            (source, all, raw, grants("ses:SendEmail"))
        }
        (None, Some(raw), None) => {
            let (source, recipients, raw) = envelope(raw.data.0, from, recipients.all)?;
            (source, recipients, raw, grants("ses:SendRawEmail"))
        }
        (None, None, Some(template)) => {
            let common = Common {
                from: from.ok_or(message::Error::NoFrom)?,
                reply_to,
                return_path,
                tags: pairs(input.email_tags),
                configuration_set: input.configuration_set_name,
                grants: grants("ses:SendTemplatedEmail"),
            };
            let mail = template.mail(services, caller, common).await?;
            let own = OwnParts { recipients, ..OwnParts::default() };
            let sent = services.sending.send_templated(&services.templates, &caller.sender(), &mail, own).await;
            return Ok(SendEmailResponse { message_id: sent? });
        }
        _ => return Err(SesV2Error::BadRequest("Content has exactly one of Simple, Raw and Template.".to_owned())),
    };
    let submission = Submission {
        configuration_set: input.configuration_set_name,
        tags: pairs(input.email_tags),
        return_path,
        grants,
        ..caller.sender().submission(source, recipients, raw)
    };
    let terms = Terms { once: caller.once.clone(), ..Terms::default() };
    Ok(SendEmailResponse { message_id: services.sending.accept_on(submission, terms).await? })
}

/// What SES has and this server does not: refused by name, never ignored.
fn refuse_lacking(input: &SendEmailRequest) -> Result<(), SesV2Error> {
    if let Some(list) = &input.list_management_options {
        return Err(SendError::ContactListMissing(list.contact_list_name.clone()).into());
    }
    check_sending(input.tenant_name.as_deref(), input.endpoint_id.as_deref(), input.configuration_overrides.as_ref())
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
        attachments: file_parts(simple.attachments)?,
        headers: header_pairs(simple.headers),
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
