//! Capture: mail that is kept for the inbox instead of going out.
use bytes::Bytes;

use crate::base::{AccountId, EmailAddress, Region, ids};
use crate::mail::message::parse;
use crate::store::captured::{self, NewCaptured};
use crate::store::mails::{self, Mail, Recipient};
use crate::store::{Error, Store, Tx};

/// How many captured mails are kept; older ones go.
const KEEP: i64 = 10_000;
/// The longest subject that the list shows, in characters.
const MAX_SUBJECT: usize = 1000;

/// The row for the inbox. `prefix` is what delivery puts before `raw`.
pub fn row(mail: &Mail, recipient: &Recipient, prefix: Vec<u8>, raw: &[u8]) -> NewCaptured {
    NewCaptured {
        mail_id: mail.id.clone(),
        n: recipient.n,
        account: mail.account.to_string(),
        region: mail.region.to_string(),
        source: mail.source.clone(),
        recipient: recipient.address.clone(),
        subject: subject(raw),
        size: i64::try_from(prefix.len() + raw.len()).unwrap_or(i64::MAX),
        prefix,
    }
}

/// Puts it into the inbox, in the transaction that marks the recipient as delivered.
pub async fn keep(tx: &mut Tx, row: &NewCaptured) -> Result<(), Error> {
    captured::insert(tx, row, KEEP).await
}

fn subject(raw: &[u8]) -> String {
    // Without control characters: encoded words can hold anything, also a NUL, which PostgreSQL keeps in no text.
    parse::common_headers(raw, "").subject.unwrap_or_default().chars().take(MAX_SUBJECT).collect()
}

/// A mail that somebody brought to the capture port: no account sent it, and it goes nowhere.
#[derive(Debug)]
pub struct Caught {
    /// In whose name the inbox shows it.
    pub account: AccountId,
    /// And in which region.
    pub region: Region,
    /// The envelope's sender; `None` is the null reverse path.
    pub source: Option<EmailAddress>,
    /// The envelope's recipients.
    pub recipients: Vec<EmailAddress>,
    /// The message.
    pub raw: Bytes,
}

impl Caught {
    /// Puts it into the inbox for each recipient, and gives its id once that is durable.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn keep(self, store: &Store) -> Result<String, Error> {
        store.check_room()?;
        let subject = subject(&self.raw);
        store
            .write(move |tx| {
                Box::pin(async move {
                    let id = format!("{}{}", captured::CAUGHT, ids::ses_message_id(tx.now()));
                    let source = self.source.map_or(String::new(), |source| source.to_string());
                    mails::insert_raw(tx, &id, &self.raw).await?;
                    for (n, recipient) in self.recipients.into_iter().enumerate() {
                        let row = NewCaptured {
                            mail_id: id.clone(),
                            n: i64::try_from(n).unwrap_or(i64::MAX),
                            account: self.account.to_string(),
                            region: self.region.to_string(),
                            source: source.clone(),
                            recipient: recipient.to_string(),
                            subject: subject.clone(),
                            prefix: vec![],
                            size: i64::try_from(self.raw.len()).unwrap_or(i64::MAX),
                        };
                        keep(tx, &row).await?;
                    }
                    Ok(id)
                })
            })
            .await
    }
}
