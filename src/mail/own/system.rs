//! Our own mails: verification links, bounces of receipt rules, and received mail that goes on. They count in no quota and have
//! no events; what we write ourselves goes out with the null sender, so that nothing answers it (RFC 3834; RFC 5321, 4.5.5).
use crate::base::{AccountId, EmailAddress, Region, Timestamp, ids};
use crate::mail::message::headers_record::HeadersRecord;
use crate::mail::message::{self, Stamp, finish};
use crate::mail::own::jobs::{self, LIFETIME};
use crate::store::mails::{Kind, Mail};
use crate::store::{self, Json, Pairs, Tx};

/// A mail of our own.
#[derive(Clone, Debug)]
pub struct SystemMail {
    /// The account that it is about.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The address in its From.
    pub source: EmailAddress,
    /// Who gets it.
    pub recipient: EmailAddress,
    /// The complete message; Date and Message-ID are stamped here.
    pub raw: Vec<u8>,
    /// The right side of its Message-ID.
    pub hostname: String,
}

/// Why a mail of our own was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SystemMailError {
    /// The message is not one.
    #[error(transparent)]
    Message(#[from] message::Error),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// Queues a mail of our own in the caller's transaction and returns its id. Its `return_path` is empty: the null sender.
pub async fn send_in(tx: &mut Tx, mail: SystemMail) -> Result<String, SystemMailError> {
    let now = tx.now();
    let id = ids::ses_message_id(now);
    let message_id = format!("<{id}@{}>", mail.hostname);
    let finished = finish(&mail.raw, &Stamp { message_id: &message_id, date: &now.rfc2822() })?;
    let headers = HeadersRecord::new(None, vec![mail.recipient.to_string()], finished.lines);
    let row = row(&id, (&mail.account, &mail.region), &headers, finished.raw.len(), now)?;
    let row = Mail { source: mail.source.to_string(), ..row };
    jobs::insert(tx, &row, finished.raw, std::slice::from_ref(&mail.recipient)).await?;
    Ok(id)
}

/// A received mail that goes on to other addresses, as it is.
#[derive(Clone, Debug)]
pub struct Onward {
    /// The account that received it.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// The address that received it: the new reverse path.
    pub from: EmailAddress,
    /// Whether the reverse path is null, as it was.
    pub null: bool,
    /// Who gets it.
    pub to: Vec<EmailAddress>,
    /// The complete message; nothing is stamped.
    pub raw: Vec<u8>,
    /// [`Kind::Forward`] where its sender is told when it does not arrive, else [`Kind::System`].
    pub kind: Kind,
}

/// Queues it in the caller's transaction and returns its id.
pub async fn send_on_in(tx: &mut Tx, mail: Onward) -> Result<String, store::Error> {
    let now = tx.now();
    let id = ids::ses_message_id(now);
    let headers = HeadersRecord::new(None, mail.to.iter().map(ToString::to_string).collect(), Vec::new());
    let row = Mail {
        source: mail.from.to_string(),
        return_path: if mail.null { String::new() } else { mail.from.to_string() },
        recipient_count: i64::try_from(mail.to.len()).unwrap_or(i64::MAX),
        kind: mail.kind,
        ..row(&id, (&mail.account, &mail.region), &headers, mail.raw.len(), now)?
    };
    jobs::insert(tx, &row, mail.raw, &mail.to).await?;
    Ok(id)
}

/// A mail with one recipient and the null reverse path.
fn row(
    id: &str,
    (account, region): (&AccountId, &Region),
    headers: &HeadersRecord,
    size: usize,
    now: Timestamp,
) -> Result<Mail, store::Error> {
    Ok(Mail {
        id: id.to_owned(),
        account: account.clone(),
        region: region.clone(),
        caller: "postrider".to_owned(),
        source_ip: None,
        source: String::new(),
        return_path: String::new(),
        configuration_set: None,
        tags: Json::of(&Pairs::new())?,
        headers: Json::of(headers)?,
        identity: None,
        kind: Kind::System,
        size: i64::try_from(size).unwrap_or(i64::MAX),
        recipient_count: 1,
        accepted_at: now,
        expires_at: now + LIFETIME,
        require_tls: false,
    })
}
