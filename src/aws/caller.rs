//! Who calls an operation.
use std::net::IpAddr;

use crate::access::KeyInUse;
use crate::base::{AccountId, LongWait, Region, Scope};
use crate::mail::sending::{Idempotency, Sender};

/// Who calls an operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account whose resources the call is about.
    pub account: AccountId,
    /// The region, from the signature's credential scope.
    pub region: Region,
    /// The access key that signed; empty for an anonymous call.
    pub access_key: String,
    /// The same key, for calls that wait; `None` where keys do not count.
    pub key: Option<KeyInUse>,
    /// Scheme and host as the caller named them: `http://localhost:4566`.
    pub endpoint: String,
    /// What queue URLs begin with: the public URL where one is set, else `endpoint`.
    pub queues_at: String,
    /// The request's id, for the reply and the log.
    pub request_id: String,
    /// Who is at the other end of the connection.
    pub source_ip: IpAddr,
    /// The call's `Idempotency-Key`, for the sends of SES.
    pub once: Option<Idempotency>,
    /// The call's `X-Amzn-Trace-Id`, for the messages of SQS and SNS that are sent with it.
    pub trace_header: Option<String>,
    /// Where an operation says that it waits for seconds, so that its connection takes little memory meanwhile.
    pub long_wait: LongWait,
}

impl Caller {
    /// Whose things the call is about.
    pub fn scope(&self) -> Scope {
        Scope::new(self.account.clone(), self.region.clone())
    }

    /// The caller as the one who sends mails.
    pub fn sender(&self) -> Sender {
        Sender {
            scope: self.scope(),
            access_key: self.access_key.clone(),
            source_ip: self.source_ip,
            once: self.once.clone(),
        }
    }
}
