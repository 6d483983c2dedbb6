//! What an outbound job carries, but for the message: the mail, its recipient, who signs it, and its envelope.
use std::sync::Arc;

use crate::base::EmailAddress;
use crate::mail::marks::ReturnPaths;
use crate::mail::sending::terms::Terms;
use crate::mail::sending::transport::Envelope;
use crate::store::mails::{Mail, Recipient};
use crate::store::outgoing::Outgoing;
use crate::store::suppressed::Reason as SuppressionReason;

/// Everything about one delivery.
pub(super) struct Parcel {
    pub(super) mail: Mail,
    pub(super) recipient: Recipient,
    /// The message, if it is a small one.
    pub(super) raw: Option<Vec<u8>>,
    pub(super) terms: Arc<Terms>,
    /// The return path that is ours.
    own_path: Option<EmailAddress>,
    /// The header field with its mark, with CRLF; empty where the mail has none.
    pub(super) trace: String,
    /// Why the recipient gets nothing of this account.
    pub(super) suppressed: Option<SuppressionReason>,
}

impl Parcel {
    pub(super) fn new(found: Outgoing, terms: Arc<Terms>, suppressed: Option<SuppressionReason>) -> Self {
        let Outgoing { mail, recipient, raw, .. } = found;
        Self { mail, recipient, raw, terms, own_path: None, trace: String::new(), suppressed }
    }

    /// Marked, so that what comes back is known.
    pub(super) fn marked(mut self, paths: &ReturnPaths) -> Self {
        self.own_path = paths.sender(&self.mail, self.recipient.n, self.terms.reverse.as_deref());
        self.trace = paths.trace(&self.mail, self.recipient.n);
        self
    }
}

/// The envelope; `None` where the stored recipient is no address.
pub(super) fn envelope(parcel: &Parcel) -> Option<Envelope> {
    let recipient = EmailAddress::lenient(&parcel.recipient.address).ok()?;
    let mail = &parcel.mail;
    let sender = parcel.own_path.clone().or_else(|| {
        match parcel.terms.reverse.as_ref().filter(|_| !mail.return_path.is_empty()) {
            Some(domain) => format!("{}@{domain}", mail.id).parse().ok(),
            None => EmailAddress::lenient(&mail.return_path).ok(),
        }
    });
    Some(Envelope { sender, recipient, require_tls: mail.require_tls || parcel.terms.require_tls })
}
