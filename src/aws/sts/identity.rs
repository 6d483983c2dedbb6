//! GetCallerIdentity.
use serde::Serialize;

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::sts::error::StsError;

/// Who signed the request.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetCallerIdentityResponse {
    user_id: String,
    account: String,
    arn: String,
}

/// Says which account the caller's key belongs to. Every key of ours acts as its account's root.
///
/// # Errors
/// None.
pub(super) async fn get_caller_identity(
    _: &Services,
    caller: &Caller,
    _: NoMembers,
) -> Result<GetCallerIdentityResponse, StsError> {
    let account = caller.account.to_string();
    let arn = format!("arn:aws:iam::{account}:root");
    Ok(GetCallerIdentityResponse { user_id: account.clone(), account, arn })
}
