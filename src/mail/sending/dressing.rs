//! The dressing room: what one recipient of a mail gets, made once, before it is signed. A message is accepted and stored once
//! for all its recipients; what is one recipient's own is put on here, for delivery and for the inbox alike.
//!
//! Signatures cover what is put on, with one exception: the field with the recipient's mark (`X-Postrider-Id`), where the mail
//! has several recipients. All else is the same for them, so that they share a signature. The field is a trace for us alone,
//! and signers leave out trace fields (RFC 6376, 5.4.1): its mark has a MAC of its own, which is all that is looked at when it
//! comes back. To cover it would cost a signature for each of up to 50 recipients.
use bytes::Bytes;

use crate::mail::message::dkim::{Canonicalization, Signable};
use crate::mail::message::line_ends::crlf_only;
use crate::mail::message::recode::{self, Unwanted};
use crate::mail::sending::parcel::Parcel;

/// A mail as one recipient gets it, but for its signatures. Cheap to clone.
#[derive(Clone)]
pub(super) struct Dressed {
    /// Header fields that signatures cover, each with its CRLF.
    headers: String,
    /// Header fields that no signature covers, each with its CRLF.
    uncovered: String,
    /// The message, with CRLF line ends only.
    pub(super) message: Bytes,
    /// Whether the mail's other recipients get the same, but for what no signature covers.
    pub(super) is_alike: bool,
    /// What was encoded anew in the message that was accepted, if anything was.
    pub(super) recoded: Option<Unwanted>,
}

/// Dresses a mail for its recipient. Each step puts something on; one that gives a recipient covered fields or a message of its
/// own says that the octets are not alike any more, and comes before the trace.
pub(super) fn dress(parcel: &Parcel, raw: Vec<u8>) -> Dressed {
    let mut dressed = Dressed {
        headers: String::new(),
        uncovered: String::new(),
        message: crlf_only(raw).into(),
        is_alike: parcel.mail.recipient_count > 1,
        recoded: None,
    };
    trace(parcel, &mut dressed);
    dressed
}

/// The field with the recipient's mark.
fn trace(parcel: &Parcel, dressed: &mut Dressed) {
    let fields = if dressed.is_alike { &mut dressed.uncovered } else { &mut dressed.headers };
    fields.push_str(&parcel.trace);
}

impl Dressed {
    /// The same with the message's parts encoded anew, so that there is nothing `unwanted` in it; `None` where that cannot be.
    pub(super) fn without(&self, unwanted: Unwanted) -> Option<Self> {
        let message = recode::without(&self.message, unwanted)?.into();
        Some(Self { message, recoded: Some(unwanted), ..self.clone() })
    }

    /// What signatures cover.
    pub(super) fn signable(&self, forms: Canonicalization) -> Signable {
        Signable::of(self.headers.as_bytes(), &self.message, forms)
    }

    /// What stands before the message: the signatures and the fields.
    pub(super) fn prefix(&self, signatures: &str) -> Vec<u8> {
        [signatures, &self.uncovered, &self.headers].concat().into_bytes()
    }
}
