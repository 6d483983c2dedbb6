//! Mails whose template cannot be rendered with their data. SES says yes to the call, and tells of it in a Rendering Failure
//! event; nothing is sent.
use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::content::{Event, publish_event};
use crate::mail::message::headers_record::HeadersRecord;
use crate::mail::sending::SendError;
use crate::store::accepted::{self, Accepted};
use crate::store::mail_figures::{self, Counted};
use crate::store::mails::{self, Mail, Status};
use crate::store::{Json, Tx};
use crate::topics::Topics;

/// Which template, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrendered {
    /// The template's name.
    pub template: String,
    /// Why, in SES's words.
    pub error: String,
    /// What the template names and the data does not have, where that is why.
    pub attribute: Option<String>,
}

impl Unrendered {
    /// Says so in the log, without anything of the data: its values are somebody's own.
    pub(super) fn warn(&self, (account, region): (&AccountId, &Region), id: &str) {
        let Self { template, error, attribute } = self;
        let template = if template.is_empty() { "(came with the call)" } else { template };
        tracing::warn!(
            %account, %region, message.id = id, template, attribute, error,
            "a mail is not sent: its template cannot be rendered"
        );
    }
}

/// Keeps the mail, all its recipients settled, and publishes the event. Gives its id.
pub(super) async fn keep(
    tx: &mut Tx,
    topics: &Topics,
    mail: Mail,
    recipients: &[EmailAddress],
    failure: Unrendered,
) -> Result<String, SendError> {
    let known = mail.headers.read()?;
    // The record of such an event has no headers: there is no message.
    let headers = Json::of(&HeadersRecord::new(known.source, known.destination, []))?;
    let mail = Mail { headers, size: 0, ..mail };
    let addresses: Vec<String> = recipients.iter().map(EmailAddress::to_string).collect();
    let count = addresses.len();
    accepted::add(tx, &Accepted::outbound(mail.clone(), Vec::new(), addresses, Vec::new(), None)).await?;
    for n in (0..).take(count) {
        mails::settle(tx, &mail.id, n, Status::Rejected, 0, Some(&failure.error)).await?;
    }
    mail_figures::count(tx, &mail, Counted::Reject, mail.recipient_count).await?;
    mail_figures::count(tx, &mail, Counted::Unsent, mail.recipient_count).await?;
    let event = Event::RenderingFailure { template: failure.template, error: failure.error };
    publish_event(tx, topics, &mail, &event).await?;
    Ok(mail.id)
}
