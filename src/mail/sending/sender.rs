//! The caller of an API that sends mail.
use std::net::IpAddr;

use bytes::Bytes;

use crate::base::{EmailAddress, Scope};
use crate::mail::sending::{Grants, Idempotency, Submission};

/// The caller of an API, for the mails of one call.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Whose mails they are, and in which region they are sent.
    pub scope: Scope,
    /// The access key that signed: `ses:caller-identity`.
    pub access_key: String,
    /// The caller's address.
    pub source_ip: IpAddr,
    /// The call's idempotency key, where it has one.
    pub once: Option<Idempotency>,
}

impl Sender {
    /// A mail of the caller's with its envelope, without a configuration set, tags, an address for bounces, and grants.
    pub fn submission(&self, source: EmailAddress, recipients: Vec<EmailAddress>, raw: Vec<u8>) -> Submission {
        Submission {
            account: self.scope.account.clone(),
            region: self.scope.region.clone(),
            caller: self.access_key.clone(),
            source_ip: Some(self.source_ip),
            source,
            recipients,
            raw: Bytes::from(raw),
            configuration_set: None,
            tags: Vec::new(),
            return_path: None,
            grants: Grants::default(),
        }
    }
}
