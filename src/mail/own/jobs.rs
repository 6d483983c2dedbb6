//! A mail and its outbound jobs, one for each recipient: stored together, so that there is never one without the other.
use std::time::Duration;

use serde::Deserialize;

use crate::base::EmailAddress;
use crate::store::accepted::{self, Accepted, NewJob};
use crate::store::mails::Mail;
use crate::store::sending_use::Charge;
use crate::store::{self, Tx};
use crate::workers::SystemQueue;

/// How long a mail may wait for its delivery, counted from its acceptance, where nothing else is set: SES's 14 hours.
pub const LIFETIME: Duration = Duration::from_secs(14 * 3600);

/// A job of the outbound queue: `{"mail": "id", "recipient": 0}`.
#[derive(Clone, Debug, Deserialize)]
pub struct OutboundJob {
    /// The mail.
    pub mail: String,
    /// The recipient's place in its list.
    pub recipient: i64,
}

impl OutboundJob {
    /// The job of a mail's recipient, as it stands in the queue.
    pub(in crate::mail) fn body(mail: &str, recipient: impl Into<serde_json::Value>) -> String {
        serde_json::json!({ "mail": mail, "recipient": recipient.into() }).to_string()
    }
}

/// Stores a mail and its jobs in the caller's transaction. Nothing is charged for it.
///
/// # Errors
/// When the store fails.
pub(in crate::mail) async fn insert(
    tx: &mut Tx,
    mail: &Mail,
    raw: Vec<u8>,
    recipients: &[EmailAddress],
) -> Result<(), store::Error> {
    accepted::add(tx, &with_jobs(mail.clone(), raw, recipients, None)).await
}

/// A mail and its jobs as one value for the lane; `charge` is what it takes of its account's quota.
pub(in crate::mail) fn with_jobs(
    mail: Mail,
    raw: Vec<u8>,
    recipients: &[EmailAddress],
    charge: Option<Charge>,
) -> Accepted {
    let addresses: Vec<String> = recipients.iter().map(EmailAddress::to_string).collect();
    let job = |(n, address): (usize, &EmailAddress)| NewJob {
        queue_id: SystemQueue::Outbound.id(),
        group: address.domain().to_string(),
        body: OutboundJob::body(&mail.id, n),
    };
    let jobs = recipients.iter().enumerate().map(job).collect();
    Accepted::outbound(mail, raw, addresses, jobs, charge)
}
