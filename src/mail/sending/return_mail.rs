//! SES's SendBounce: a received mail goes back to who sent it, as a delivery status notification (RFC 3464).
use std::time::Duration;

use crate::base::{AccountId, EmailAddress, Region, Timestamp};
use crate::mail::identity::IdentityName;
use crate::mail::message::parse;
use crate::mail::message::report::{StatusOf, StatusReport};
use crate::mail::own::system::{SystemMail, SystemMailError, send_in};
use crate::mail::sending::{SendError, Sending};
use crate::store::identities::Standing;
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
    /// More fields about the mail, each a name and a value.
    pub more: Vec<(String, String)>,
    /// The recipients that did not get it.
    pub recipients: Vec<StatusOf>,
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
    let theirs = mail.recipients.read()?;
    let known = |address: &EmailAddress| theirs.iter().any(|their| their.folded() == address.folded());
    if let Some(other) = back.recipients.iter().find(|to| !known(&to.address)) {
        return Err(ReturnError::NotRecipient(other.address.to_string()));
    }
    let raw = inbound_mails::raw(tx, &mail.raw_id).await?.ok_or_else(missing)?;
    let to: EmailAddress =
        mail.source.as_deref().and_then(|source| EmailAddress::lenient(source).ok()).ok_or(ReturnError::NotAnswered)?;
    if parse::is_auto_submitted(&raw) {
        return Err(ReturnError::NotAnswered);
    }
    let ids = parse::common_headers(&raw, "").message_id;
    let report = StatusReport {
        from: &back.sender,
        to: &to,
        in_reply_to: ids.as_deref(),
        explanation: back.explanation.as_deref(),
        reporting_mta: back.reporting_mta.unwrap_or_else(|| format!("dns; {hostname}")),
        arrival: back.arrival.unwrap_or(mail.received_at),
        more: back.more,
        recipients: back.recipients,
        original: &raw,
    };
    let message = report.write().map_err(SendError::from)?;
    let source = back.sender.clone();
    let sent = send_in(tx, SystemMail { account, region, source, recipient: to, raw: message, hostname }).await;
    sent.map_err(|error| match error {
        SystemMailError::Message(error) => ReturnError::Send(error.into()),
        SystemMailError::Internal(error) => error.into(),
    })
}

/// The sender must be one of the account's verified identities.
async fn verified(tx: &mut Tx, account: &AccountId, region: &Region, sender: &EmailAddress) -> Result<(), ReturnError> {
    for name in IdentityName::covering(sender) {
        let found = identities::find(tx, account, region, &name).await?;
        if found.is_some_and(|identity| identity.status == Standing::Success) {
            return Ok(());
        }
    }
    let identities = vec![sender.to_string()];
    Err(SendError::NotVerified { identities, region: region.clone() }.into())
}
