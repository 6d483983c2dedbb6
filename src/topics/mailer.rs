//! What topics need of mail, which stands on a floor above: something that composes and queues a mail of our own.
use futures::future::BoxFuture;

use crate::base::{AccountId, EmailAddress, Region};
use crate::store;
use crate::store::Tx;
use crate::workers::Record;

/// A mail to a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Who owns the topic.
    pub account: AccountId,
    /// Where the topic lives.
    pub region: Region,
    /// Who gets it.
    pub to: EmailAddress,
    /// The name beside the sender's address, where the topic has one.
    pub display_name: Option<String>,
    /// The subject; no control characters.
    pub subject: String,
    /// What it says.
    pub content: MailContent,
}

/// What a mail to a subscriber says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailContent {
    /// That somebody wants this address subscribed, and how to confirm it.
    Confirm {
        /// The topic's ARN.
        topic: String,
        /// Where to confirm.
        link: String,
    },
    /// That the subscription has ended, and how to get it back.
    Ended {
        /// The topic's ARN.
        topic: String,
        /// Where to come back.
        link: String,
    },
    /// A message, and how to end the subscription.
    Message {
        /// The message.
        text: String,
        /// Where to unsubscribe.
        link: String,
    },
    /// A text as it is: the JSON envelope, or a captured text message.
    Plain(String),
}

/// Sends mails to subscribers.
pub trait Mailer: Send + Sync + 'static {
    /// Composes a mail. What comes back queues it, in the transaction that it is given.
    ///
    /// # Errors
    /// Why the mail cannot be written, for the log.
    fn compose(&self, notice: &Notice) -> Result<Record, String>;

    /// Whether an address may be asked once more to confirm something. Counts the question.
    fn may_ask<'t>(&'t self, tx: &'t mut Tx, to: &'t EmailAddress) -> BoxFuture<'t, Result<bool, store::Error>>;
}
