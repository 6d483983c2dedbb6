//! Capture: mail that is kept for the inbox instead of going out.
use mail_parser::MessageParser;

use crate::store::captured::{self, NewCaptured};
use crate::store::mails::{Mail, Recipient};
use crate::store::{Error, Tx};

/// How many captured mails are kept; older ones go.
const KEEP: i64 = 10_000;
/// The longest subject that the list shows, in characters.
const MAX_SUBJECT: usize = 1000;

/// The row for the inbox. `prefix` is what delivery puts before `raw`.
pub fn row(mail: &Mail, recipient: &Recipient, prefix: Vec<u8>, raw: &[u8]) -> NewCaptured {
    let parsed = MessageParser::new().parse_headers(raw);
    let subject = parsed.as_ref().and_then(|message| message.subject()).unwrap_or_default();
    NewCaptured {
        mail_id: mail.id.clone(),
        n: recipient.n,
        account: mail.account.clone(),
        region: mail.region.clone(),
        source: mail.source.clone(),
        recipient: recipient.address.clone(),
        // Encoded words can hold anything, also a NUL, which PostgreSQL keeps in no text.
        subject: subject.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_SUBJECT).collect(),
        size: i64::try_from(prefix.len() + raw.len()).unwrap_or(i64::MAX),
        prefix,
    }
}

/// Puts it into the inbox, in the transaction that marks the recipient as delivered.
pub async fn keep(tx: &mut Tx, row: &NewCaptured) -> Result<(), Error> {
    captured::insert(tx, row, KEEP).await
}
