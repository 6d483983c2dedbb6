//! What became of a sent mail, as values: whoever shows it writes them down.
use crate::base::{EmailAddress, Timestamp};
use crate::mail::message::mailbox::decode_words;
use crate::mail::message::parse::header_fields;
use crate::mail::own::OutboundJob;
use crate::mail::sending::suppression::folded;
use crate::store::accounts::{self, State};
use crate::store::mails::{self, Attempt, Mail, Recipient, Status};
use crate::store::suppressed::{self, Suppressed};
use crate::store::{Error, Tx, backlog, lineage};
use crate::workers::SystemQueue;

/// A sent mail, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The mail as it was accepted.
    pub mail: Mail,
    /// Its author as From has it, else the sender of its envelope.
    pub from: String,
    /// Its subject, decoded; `None` where it has none, or its message was never made.
    pub subject: Option<String>,
    /// Its recipients, in order.
    pub recipients: Vec<RecipientHistory>,
}

/// What became of a mail for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecipientHistory {
    /// The recipient, and how it stands.
    pub recipient: Recipient,
    /// What it waits for, while it is pending.
    pub next: Option<Next>,
    /// The entry of the account's suppression list that keeps mails from it, if it is there still.
    pub suppressed: Option<Suppressed>,
    /// The attempts to deliver, in order.
    pub attempts: Vec<Attempt>,
}

/// What a recipient that is pending waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: a worker has it.
    UnderWay,
    /// The next attempt, which does not begin before this time.
    From(Timestamp),
    /// The end of its account's suspension.
    Resumed,
    /// `postrider admin release`: nothing leaves the server, for this reason.
    Released(String),
    /// Nothing any more: its job was given up, for this reason.
    GivenUp(String),
}

/// The SES message id that a text means: the id, or the field Message-ID with it, as in `<ID@mail.example.com>`.
pub fn message_id(text: &str) -> &str {
    let text = text.trim();
    let bare = text.strip_prefix('<').unwrap_or(text);
    let bare = bare.strip_suffix('>').unwrap_or(bare);
    bare.split_once('@').map_or(bare, |(id, _)| id)
}

/// What became of the mail with this id; `None` when there is no such mail, or no more.
///
/// # Errors
/// When the store fails, or what it has of the mail cannot be read.
pub async fn history(tx: &mut Tx, id: &str) -> Result<Option<History>, Error> {
    let Some(mail) = mails::find(tx, id).await? else { return Ok(None) };
    let known = mail.headers.read()?;
    let subject = match known.subject() {
        Some(subject) => Some(subject),
        None => mails::raw(tx, id).await?.and_then(|raw| subject_of(&raw)),
    };
    let from = known.source.map_or_else(|| mail.source.clone(), |from| decode_words(&from));
    let mut recipients = Vec::new();
    for recipient in mails::recipients(tx, id).await? {
        let attempts = mails::attempts(tx, id, recipient.n).await?;
        let (mut next, mut on_list) = (None, None);
        match recipient.status {
            Status::Pending => next = waits_for(tx, &mail, &recipient).await?,
            Status::Suppressed => {
                on_list = suppressed::find(tx, &mail.account, &mail.region, &folded(&recipient.address)).await?;
            }
            Status::Delivered | Status::Bounced | Status::Rejected => {}
        }
        recipients.push(RecipientHistory { recipient, next, suppressed: on_list, attempts });
    }
    Ok(Some(History { mail, from, subject, recipients }))
}

fn subject_of(raw: &[u8]) -> Option<String> {
    let fields = header_fields(raw);
    let subject = fields.iter().find(|field| field.name.eq_ignore_ascii_case("Subject"))?;
    Some(decode_words(subject.value.trim()))
}

/// Looks for the recipient's job: among those that wait, then among those that were given up.
async fn waits_for(tx: &mut Tx, mail: &Mail, to: &Recipient) -> Result<Option<Next>, Error> {
    let Ok(address) = EmailAddress::lenient(&to.address) else { return Ok(None) };
    let (group, body) = (address.domain().to_string(), OutboundJob::body(&to.mail_id, to.n));
    let (queue, now) = (SystemQueue::Outbound, tx.now());
    if let Some(job) = backlog::find(tx, queue.id(), &group, &body).await? {
        // A claim that has ended, as of a node that is gone, holds it no more.
        let held = job.held && job.visible_at > now;
        if held {
            return Ok(Some(Next::UnderWay));
        }
        // The job comes up again and again meanwhile, and nothing is tried.
        if let Some(why) = lineage::read(tx).await?.and_then(|said| said.held) {
            return Ok(Some(Next::Released(why)));
        }
        let suspended = accounts::state(tx, &mail.account).await? == State::Suspended;
        return Ok(Some(if suspended { Next::Resumed } else { Next::From(job.visible_at.max(now)) }));
    }
    let given_up = backlog::find(tx, queue.dead_letters_id(), &group, &body).await?;
    Ok(given_up.map(|job| Next::GivenUp(job.why.unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_message_id_means_the_id_in_it() {
        let id = "0100018c-6d2f-000000";
        for text in [id, &format!("<{id}@email.amazonses.com>"), &format!("{id}@mx.example"), &format!(" <{id}> ")] {
            assert_eq!(message_id(text), id, "{text}");
        }
    }
}
