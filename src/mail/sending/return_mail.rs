//! SES's SendBounce: a received mail goes back to who sent it, as a delivery status notification (RFC 3464).
use std::time::Duration;

use crate::base::{AccountId, EmailAddress, Region, Timestamp};
use crate::mail::identity::IdentityName;
use crate::mail::message::parse;
use crate::mail::message::report::Report;
use crate::mail::sending::system::{SystemMail, SystemMailError, send_in};
use crate::mail::sending::{SendError, Sending};
use crate::store::{Tx, identities, inbound_mails};

/// SES: how long after its receipt a mail can go back.
const WITHIN: Duration = Duration::from_secs(24 * 3600);

/// What goes back.
#[derive(Clone, Debug)]
pub struct ReturnedMail {
    /// The received mail's id, as notifications tell it.
    pub original: String,
    /// Who it comes from: a verified identity.
    pub sender: EmailAddress,
    /// A text for people.
    pub explanation: Option<String>,
    /// `dns; HOST`: who reports it. `None`: this server.
    pub reporting_mta: Option<String>,
    /// When the mail arrived. `None`: as we know it.
    pub arrival: Option<Timestamp>,
    /// The recipients that did not get it.
    pub recipients: Vec<ReturnedRecipient>,
}

/// A recipient that did not get a mail (RFC 3464, 2.3).
#[derive(Clone, Debug)]
pub struct ReturnedRecipient {
    /// The address.
    pub address: EmailAddress,
    /// `failed`, `delayed`, ...
    pub action: String,
    /// The enhanced status code.
    pub status: String,
    /// `smtp; ...`.
    pub diagnostic: Option<String>,
    /// `dns; HOST`.
    pub remote_mta: Option<String>,
}

/// Why a mail does not go back.
#[derive(Debug, thiserror::Error)]
pub enum ReturnError {
    /// The account received no such mail, or not in the last 24 hours.
    #[error("mail {0} was not received in the last 24 hours")]
    NotReceived(String),
    /// The mail was not for this address.
    #[error("the mail was not for {0}")]
    NotRecipient(String),
    /// The mail has the null reverse path, or a program sent it: it is never answered (RFC 5321, 6.1; RFC 3834, 2).
    #[error("the mail is not to be answered")]
    NotAnswered,
    /// The usual.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl From<crate::store::Error> for ReturnError {
    fn from(error: crate::store::Error) -> Self {
        Self::Send(SendError::Internal(error))
    }
}

impl Sending {
    /// Sends a received mail back and gives the id of the notification.
    ///
    /// # Errors
    /// See [`ReturnError`]; a sender that is not verified.
    pub async fn send_back(
        &self,
        account: &AccountId,
        region: &Region,
        back: ReturnedMail,
    ) -> Result<String, ReturnError> {
        let (account, region, hostname) = (account.clone(), region.clone(), self.hostname().to_owned());
        self.store.write(move |tx| Box::pin(async move { send_back(tx, account, region, back, hostname).await })).await
    }
}

async fn send_back(
    tx: &mut Tx,
    account: AccountId,
    region: Region,
    back: ReturnedMail,
    hostname: String,
) -> Result<String, ReturnError> {
    verified(tx, &account, &region, &back.sender).await?;
    let missing = || ReturnError::NotReceived(back.original.chars().take(100).collect());
    let mail = inbound_mails::find(tx, &back.original).await?;
    let mail = mail.filter(|mail| mail.account == account && mail.region == region).ok_or_else(missing)?;
    if tx.now().since(mail.received_at) > WITHIN {
        return Err(missing());
    }
    let theirs: Vec<EmailAddress> = serde_json::from_str(&mail.recipients).unwrap_or_default();
    let known = |address: &EmailAddress| theirs.iter().any(|their| their.folded() == address.folded());
    if let Some(other) = back.recipients.iter().find(|to| !known(&to.address)) {
        return Err(ReturnError::NotRecipient(other.address.to_string()));
    }
    let raw = inbound_mails::raw(tx, &mail.raw_id).await?.ok_or_else(missing)?;
    let to: EmailAddress =
        mail.source.as_deref().and_then(|source| source.parse().ok()).ok_or(ReturnError::NotAnswered)?;
    if parse::is_auto_submitted(&raw) {
        return Err(ReturnError::NotAnswered);
    }
    let fields = parse::header_fields(&raw).into_iter().map(|field| (field.name, field.value)).collect();
    let message = write(&back, &to, fields, mail.received_at, &hostname)?;
    let source = back.sender.clone();
    let sent = send_in(tx, SystemMail { account, region, source, recipient: to, raw: message, hostname }).await;
    sent.map_err(|error| match error {
        SystemMailError::Message(error) => ReturnError::Send(error.into()),
        SystemMailError::Internal(error) => error.into(),
    })
}

fn write(
    back: &ReturnedMail,
    to: &EmailAddress,
    returned: Vec<(String, String)>,
    received_at: Timestamp,
    hostname: &str,
) -> Result<Vec<u8>, SendError> {
    let mut text = "Your message was not delivered to:\r\n\r\n".to_owned();
    let reporter = back.reporting_mta.clone().unwrap_or_else(|| format!("dns; {hostname}"));
    let arrival = back.arrival.unwrap_or(received_at).rfc2822();
    let mut groups = vec![vec![("Reporting-MTA".to_owned(), reporter), ("Arrival-Date".to_owned(), arrival)]];
    for recipient in &back.recipients {
        text.push_str(&format!("    {}\r\n", recipient.address));
        let mut group = vec![
            ("Final-Recipient".to_owned(), format!("rfc822; {}", recipient.address)),
            ("Action".to_owned(), recipient.action.clone()),
            ("Status".to_owned(), recipient.status.clone()),
        ];
        group.extend(recipient.remote_mta.clone().map(|mta| ("Remote-MTA".to_owned(), mta)));
        group.extend(recipient.diagnostic.clone().map(|code| ("Diagnostic-Code".to_owned(), code)));
        groups.push(group);
    }
    if let Some(explanation) = &back.explanation {
        text.push_str(&format!("\r\n{explanation}\r\n"));
    }
    let report = Report {
        from: ("Mail Delivery System", &back.sender),
        to,
        subject: "Delivery Status Notification (Failure)",
        text: &text,
        kind: "delivery-status",
        groups,
        returned,
    };
    Ok(report.write()?)
}

/// The sender must be one of the account's verified identities.
async fn verified(tx: &mut Tx, account: &AccountId, region: &Region, sender: &EmailAddress) -> Result<(), ReturnError> {
    for name in IdentityName::covering(sender) {
        let found = identities::find(tx, account, region, &name).await?;
        if found.is_some_and(|identity| identity.status == "SUCCESS") {
            return Ok(());
        }
    }
    let identities = vec![sender.to_string()];
    Err(SendError::NotVerified { identities, region: region.clone() }.into())
}
