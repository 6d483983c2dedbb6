//! What an outbound job carries, but for the message: the mail, its recipient, who signs it, and its envelope.
use serde::Deserialize;
use tracing::error;

use crate::base::{AccountId, EmailAddress, Timestamp};
use crate::mail::content::headers_record::HeadersRecord;
use crate::mail::feedback::ReturnPaths;
use crate::mail::identity::authorization::identity_named;
use crate::mail::identity::dkim::signing_keys;
use crate::mail::identity::{ReversePath, reverse_path};
use crate::mail::message::Mailbox;
use crate::mail::message::dkim::{self, Canonicalization, SigningKey};
use crate::mail::sending::suppression;
use crate::mail::sending::transport::Envelope;
use crate::store;
use crate::store::Tx;
use crate::store::configuration_sets;
use crate::store::mails::{self, Kind, Mail, Recipient};
use crate::store::suppressed::Reason as SuppressionReason;

/// A job: `{"mail": "id", "recipient": 0}`.
#[derive(Deserialize)]
pub(super) struct Job {
    mail: String,
    recipient: i64,
}

/// Everything about one delivery but the message.
pub(super) struct Parcel {
    pub(super) mail: Mail,
    pub(super) recipient: Recipient,
    keys: Vec<SigningKey>,
    /// The MAIL FROM domain.
    reverse: Option<String>,
    require_tls: bool,
    /// The return path that is ours, and the header field with its mark.
    own_path: Option<EmailAddress>,
    trace: String,
    /// Why the recipient gets nothing of this account.
    pub(super) suppressed: Option<SuppressionReason>,
}

/// Reads it; `None` when the mail or its recipient is gone.
pub(super) async fn parcel(tx: &mut Tx, job: &Job) -> Result<Option<Parcel>, store::Error> {
    let Some(mail) = mails::find(tx, &job.mail).await? else { return Ok(None) };
    let Some(recipient) = mails::recipient(tx, &job.mail, job.recipient).await? else { return Ok(None) };
    let (mut keys, mut reverse, mut require_tls) = (Vec::new(), None, false);
    if let (Ok(account), Ok(region)) = (mail.account.parse(), mail.region.parse()) {
        // Another account's identity is named by its ARN.
        let foreign = mail.identity.as_deref().and_then(|arn| identity_named(arn, &region));
        let owner = foreign.map_or_else(|| AccountId::clone(&account), |(owner, _)| owner);
        if let Ok(source) = mail.source.parse::<EmailAddress>() {
            let author = author(&mail).unwrap_or_else(|| source.clone());
            keys = signing_keys(tx, &owner, &region, &author).await?;
            // A mail that was accepted goes out, even if its identity would refuse it by now.
            if let ReversePath::Domain(domain) = reverse_path(tx, &owner, &region, &source).await? {
                reverse = Some(domain);
            }
        }
        if let Some(name) = &mail.configuration_set {
            let set = configuration_sets::find(tx, &account, &region, name).await?;
            require_tls = set.is_some_and(|set| set.tls_policy.as_deref() == Some("REQUIRE"));
        }
    }
    // Our own mails, such as the link that verifies an address, go to whoever they must.
    let suppressed = match mail.kind {
        Kind::User => suppression::suppressing(tx, &mail, &recipient.address).await?,
        Kind::System | Kind::Forward => None,
    };
    let (own_path, trace) = (None, String::new());
    Ok(Some(Parcel { mail, recipient, keys, reverse, require_tls, own_path, trace, suppressed }))
}

impl Parcel {
    /// Marked, so that what comes back is known.
    pub(super) fn marked(mut self, paths: &ReturnPaths) -> Self {
        self.own_path = paths.sender(&self.mail, self.recipient.n, self.reverse.as_deref());
        self.trace = paths.trace(&self.mail, self.recipient.n);
        self
    }
}

/// The envelope; `None` where the stored recipient is no address.
pub(super) fn envelope(parcel: &Parcel) -> Option<Envelope> {
    let recipient = parcel.recipient.address.parse().ok()?;
    let mail = &parcel.mail;
    let sender =
        parcel.own_path.clone().or_else(|| match parcel.reverse.as_ref().filter(|_| !mail.return_path.is_empty()) {
            Some(domain) => format!("{}@{domain}", mail.id).parse().ok(),
            None => mail.return_path.parse().ok(),
        });
    Some(Envelope { sender, recipient, require_tls: parcel.require_tls })
}

/// The address in From: its domain is what receivers compare the signature's with (RFC 7489, 3.1.1).
fn author(mail: &Mail) -> Option<EmailAddress> {
    let from = HeadersRecord::read(&mail.headers).source?;
    Some(Mailbox::parse(&from).ok()?.address)
}

/// What stands before the message: the field with the mark, and the signatures of all keys.
pub(super) fn signatures(parcel: &Parcel, forms: Canonicalization, raw: &[u8], now: Timestamp) -> Vec<u8> {
    let sign = |key| dkim::signature(key, forms, raw, now);
    let mut all = parcel.trace.clone();
    for signature in parcel.keys.iter().map(sign) {
        match signature {
            Ok(field) => all.push_str(&field),
            // A mail without its signature may still arrive; one that waits for a broken key never does.
            Err(error) => error!(message.id = %parcel.mail.id, %error, "sending without a dkim signature"),
        }
    }
    all.into_bytes()
}
