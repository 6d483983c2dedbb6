//! A mail as it comes to the door of sent mail, and how large it may be.
use std::net::IpAddr;

use bytes::Bytes;

use crate::base::{AccountId, EmailAddress, Region};

/// SES: recipients of one message, To, Cc and Bcc together.
pub const RECIPIENTS_MAX: usize = 50;
/// SES: octets of a message through SESv2 and SMTP. The v1 API has its own, lower limit.
pub const MESSAGE_MAX: usize = 40 * 1024 * 1024;

/// A mail as it comes to the door.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Whose mail it is.
    pub account: AccountId,
    /// The region that it is sent in.
    pub region: Region,
    /// The access key or user: `ses:caller-identity`.
    pub caller: String,
    /// The caller's address.
    pub source_ip: Option<IpAddr>,
    /// The sender of the envelope.
    pub source: EmailAddress,
    /// The recipients of the envelope: 1 to 50. An address that stands there twice gets one mail.
    pub recipients: Vec<EmailAddress>,
    /// The complete message, up to 40 MB.
    pub raw: Bytes,
    /// The configuration set. `None`: that of the header X-SES-CONFIGURATION-SET, or the identity's.
    pub configuration_set: Option<String>,
    /// Tags. None: those of the header X-SES-MESSAGE-TAGS.
    pub tags: Vec<(String, String)>,
    /// Where bounces go. `None`: to the address in Return-Path, or else to the source.
    pub return_path: Option<EmailAddress>,
    /// By whose leave it is sent.
    pub grants: Grants,
}

/// Identities of other accounts that let this one send (SES guide, "sending authorization"), each by its ARN.
#[derive(Clone, Debug)]
pub struct Grants {
    /// What their policies have to allow.
    pub action: &'static str,
    /// For the sender of the envelope. `None`, here and below: what the message's X-SES-…-ARN field says.
    pub source: Option<String>,
    /// For the addresses in From.
    pub from: Option<String>,
    /// For the address for bounces.
    pub return_path: Option<String>,
}

impl Grants {
    /// Whether only the account's own identities count.
    pub(super) fn are_none(&self) -> bool {
        self.source.is_none() && self.from.is_none() && self.return_path.is_none()
    }
}

impl Default for Grants {
    fn default() -> Self {
        Self { action: "ses:SendRawEmail", source: None, from: None, return_path: None }
    }
}
