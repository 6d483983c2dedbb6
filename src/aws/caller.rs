//! Who calls an operation.
use std::net::IpAddr;

use crate::access::KeyInUse;
use crate::base::{AccountId, Region};
use crate::mail::sending::Idempotency;

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
}
