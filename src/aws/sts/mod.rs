//! AWS Security Token Service: who am I.
mod error;
mod identity;

use crate::aws::api::Api;
use crate::aws::operation::{Operation, operations};

/// The service on the wire.
pub static API: Api = Api {
    name: "sts",
    signing_names: &["sts"],
    version: "2011-06-15",
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    body_max: 64 * 1024,
    ..Api::PLAIN
};

/// Its operations.
pub static OPERATIONS: &[Operation] = operations! {
    GetCallerIdentity => identity::get_caller_identity,
};
