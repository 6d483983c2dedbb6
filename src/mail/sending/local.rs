//! Mails that end on this machine: to suppressed addresses, and to the mailbox simulator. Both have the events of real
//! ones; the records' texts are those that SES gives.
use crate::base::{Timestamp, ids};
use crate::mail::bounce::{BounceSubType, BounceType, ComplaintSubType};
use crate::mail::content::{Bounce, BouncedRecipient, Complaint, Delivery, Event, publish_event};
use crate::mail::sending::simulator::Simulated;
use crate::store::mail_figures::{self, Counted};
use crate::store::mails::{self, Mail, Recipient, Status};
use crate::store::suppressed::Reason;
use crate::store::{Error, Tx};
use crate::topics::Topics;

/// Who reports a suppressed mail.
const SES: &str = "dns; amazonses.com";
const ON_LIST: &str = "Amazon SES did not send the message to this address because it is on the suppression list for your \
    account. For more information about removing addresses from the suppression list, see the Amazon SES Developer Guide \
    at https://docs.aws.amazon.com/ses/latest/DeveloperGuide/sending-email-suppression-list.html";
const SUPPRESSED: &str = "Amazon SES has suppressed sending to this address because it has a recent history of bouncing \
    as an invalid address. For more information about how to remove an address from the suppression list, see the Amazon \
    SES Developer Guide: http://docs.aws.amazon.com/ses/latest/DeveloperGuide/remove-from-suppressionlist.html";
const NO_USER: &str = "smtp; 550 5.1.1 user unknown";
const TAKEN: &str = "250 2.6.0 Message received";
const USER_AGENT: &str = "Amazon SES Mailbox Simulator";

/// How a mail ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The recipient is on the account's suppression list.
    Suppressed(Reason),
    /// The recipient is the simulator's.
    Simulated(Simulated),
}

impl Fate {
    /// What becomes of the recipient, and the text that stands with it.
    fn status(self) -> (Status, &'static str) {
        match self {
            Self::Suppressed(_) => (Status::Suppressed, ON_LIST),
            Self::Simulated(Simulated::Suppressed) => (Status::Suppressed, SUPPRESSED),
            Self::Simulated(Simulated::Bounce) => (Status::Bounced, NO_USER),
            Self::Simulated(_) => (Status::Delivered, TAKEN),
        }
    }

    /// What the statistics have of it. SES leaves the simulator out of its rates, not out of these.
    fn counted(self) -> &'static [Counted] {
        match self {
            Self::Suppressed(_) => &[Counted::Unsent],
            Self::Simulated(Simulated::Suppressed) => &[],
            Self::Simulated(Simulated::Success | Simulated::OutOfOffice) => &[Counted::Simulated],
            Self::Simulated(Simulated::Bounce) => &[Counted::Simulated, Counted::Bounce],
            Self::Simulated(Simulated::Complaint) => &[Counted::Simulated, Counted::Complaint],
        }
    }

    /// What is told of it, in order.
    fn events(self, to: &str, now: Timestamp, hostname: &str) -> Vec<Event> {
        let delivery = || {
            Event::Delivery(Delivery {
                at: now,
                recipients: vec![to.to_owned()],
                smtp_response: TAKEN.to_owned(),
                reporting_mta: hostname.to_owned(),
                outgoing_ip: None,
                remote_ip: None,
            })
        };
        match self {
            Self::Suppressed(Reason::Bounce) => {
                vec![bounce(to, now, BounceSubType::OnAccountSuppressionList, ON_LIST, SES)]
            }
            Self::Suppressed(Reason::Complaint) => {
                vec![complaint(to, now, Some(ComplaintSubType::OnAccountSuppressionList))]
            }
            Self::Simulated(Simulated::Success) => vec![delivery()],
            Self::Simulated(Simulated::Bounce) => {
                vec![bounce(to, now, BounceSubType::General, NO_USER, &format!("dns; {hostname}"))]
            }
            Self::Simulated(Simulated::Suppressed) => vec![bounce(to, now, BounceSubType::Suppressed, SUPPRESSED, SES)],
            Self::Simulated(Simulated::OutOfOffice) => vec![delivery(), automatic_answer(to, now)],
            Self::Simulated(Simulated::Complaint) => vec![delivery(), complaint(to, now, None)],
        }
    }
}

/// Settles the recipient and publishes the events; nothing when it was settled before.
pub(super) async fn end(
    tx: &mut Tx,
    topics: &Topics,
    mail: &Mail,
    to: &Recipient,
    fate: Fate,
    hostname: &str,
) -> Result<(), Error> {
    let (status, text) = fate.status();
    if !mails::settle(tx, &to.mail_id, to.n, status, to.attempts, Some(text)).await? {
        return Ok(());
    }
    for what in fate.counted() {
        mail_figures::count(tx, mail, *what, 1).await?;
    }
    let now = tx.now();
    for event in fate.events(&to.address, now, hostname) {
        publish_event(tx, topics, mail, &event).await?;
    }
    Ok(())
}

fn bounce(to: &str, now: Timestamp, sub_type: BounceSubType, diagnostic: &str, reporter: &str) -> Event {
    Event::Bounce(Bounce {
        at: now,
        kind: BounceType::Permanent,
        sub_type,
        recipients: vec![BouncedRecipient {
            email_address: to.to_owned(),
            action: Some("failed".to_owned()),
            status: Some("5.1.1".to_owned()),
            diagnostic_code: Some(diagnostic.to_owned()),
        }],
        feedback_id: ids::ses_message_id(now),
        reporting_mta: Some(reporter.to_owned()),
        remote_ip: None,
    })
}

/// SES tells of an automatic answer as of a transient bounce, and says nothing more of the recipient.
fn automatic_answer(to: &str, now: Timestamp) -> Event {
    let recipient =
        BouncedRecipient { email_address: to.to_owned(), action: None, status: None, diagnostic_code: None };
    Event::Bounce(Bounce {
        at: now,
        kind: BounceType::Transient,
        sub_type: BounceSubType::General,
        recipients: vec![recipient],
        feedback_id: ids::ses_message_id(now),
        reporting_mta: None,
        remote_ip: None,
    })
}

fn complaint(to: &str, now: Timestamp, sub_type: Option<ComplaintSubType>) -> Event {
    let reported = sub_type.is_none();
    Event::Complaint(Complaint {
        at: now,
        recipients: vec![to.to_owned()],
        feedback_id: ids::ses_message_id(now),
        sub_type,
        user_agent: reported.then(|| USER_AGENT.to_owned()),
        feedback_type: reported.then(|| "abuse".to_owned()),
        arrival: reported.then_some(now),
    })
}
