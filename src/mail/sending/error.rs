//! Why a mail is not accepted for sending.
use crate::base::{AccountId, Region};
use crate::mail::content::NameFault;
use crate::mail::message;
use crate::mail::sending::message_tags::TagFault;
use crate::store;
use crate::workers::NotDone;

/// A refusal of the accept door. The API and SMTP each have their own words for it.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Sending is switched off for the account.
    #[error("sending is paused for the account")]
    AccountPaused,
    /// Sending is switched off for the configuration set.
    #[error("sending is paused for configuration set {0}")]
    ConfigurationSetPaused(String),
    /// What was named cannot be a configuration set.
    #[error("configuration set: {0}")]
    ConfigurationSetName(NameFault),
    /// The configuration set that was named does not exist.
    #[error("configuration set {0} does not exist")]
    ConfigurationSetMissing(String),
    /// Senders, or recipients in the sandbox, that are not verified.
    #[error("not verified: {}", identities.join(", "))]
    NotVerified {
        /// The addresses.
        identities: Vec<String>,
        /// Where they were looked for.
        region: Region,
    },
    /// The identity of this ARN does not let the account send.
    #[error("account {account} may not {action} on {resource}")]
    Denied {
        /// Who wanted to.
        account: AccountId,
        /// `ses:SendEmail` or the like.
        action: &'static str,
        /// The ARN, as it was named.
        resource: String,
    },
    /// The identity's MAIL FROM domain does not work, and it wants no mail to go out then.
    #[error("mail from domain {0} is not verified")]
    MailFromNotVerified(String),
    /// More recipients in this second than the account may have.
    #[error("maximum sending rate exceeded")]
    RateExceeded,
    /// More recipients in 24 hours than the account may have.
    #[error("daily message quota exceeded")]
    DailyQuotaExceeded,
    /// Nobody to send to.
    #[error("no recipients")]
    NoRecipients,
    /// More recipients than a message may have.
    #[error("{0} recipients are more than {max}", max = crate::mail::sending::submission::RECIPIENTS_MAX)]
    TooManyRecipients(usize),
    /// A message larger than this many octets.
    #[error("the message is longer than {0} octets")]
    TooLarge(usize),
    /// A message larger than the API takes that it came by.
    #[error("the message has {length} octets, and the API takes {max}")]
    TooLargeForApi {
        /// The octets that the API takes.
        max: usize,
        /// The message's octets.
        length: usize,
    },
    /// A tag whose name or value is not allowed.
    #[error(transparent)]
    BadTag(#[from] TagFault),
    /// A contact list. There are none here, and a mail to one must not pass for a mail to nobody's list.
    #[error("contact list {0} does not exist")]
    ContactListMissing(String),
    /// A tenant. There are none here.
    #[error("tenant {0} does not exist")]
    TenantMissing(String),
    /// An idempotency key that was used for another call.
    #[error("the idempotency key was used for another call")]
    KeyReused,
    /// The account's request for production access waits for its answer.
    #[error("a request for production access is under review")]
    UnderReview,
    /// The message itself is not acceptable.
    #[error(transparent)]
    Message(#[from] message::Error),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

impl From<NotDone> for SendError {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Crowded => Self::RateExceeded,
            NotDone::Broken => Self::Internal(store::Error::corrupt(error)),
        }
    }
}
