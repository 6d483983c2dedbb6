//! Amazon SES, the first API (2010-12-01), on the Query protocol.
mod account;
pub mod error;
mod identities;
pub mod sending;

use crate::aws::operation::{Operation, operations};
use crate::aws::protocol::Names;
use crate::aws::service::Api;

/// The service on the wire.
pub static API: Api = Api {
    name: "ses",
    // Older programs sign with the host's prefix.
    signing_names: &["ses", "email"],
    version: "2010-12-01",
    target: "",
    namespace: "http://ses.amazonaws.com/doc/2010-12-01/",
    json_namespace: "",
    names: &Names { flat: &[], entries: &[] },
    // 10 MB of message in base64, percent-encoded.
    body_max: 48 * 1024 * 1024,
    query_compatible: false,
    empty_detail: false,
    path_member: "",
    operations: OPERATIONS,
    refuse: error::refuse,
};

static OPERATIONS: &[Operation] = operations! {
    SendEmail => sending::send_email,
    SendRawEmail => sending::send_raw_email,
    VerifyEmailIdentity => identities::verify_email_identity,
    ListIdentities => identities::list_identities,
    GetIdentityVerificationAttributes => identities::get_identity_verification_attributes,
    DeleteIdentity => identities::delete_identity,
    GetSendQuota => account::get_send_quota,
};
