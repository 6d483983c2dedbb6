//! The sandbox of text messages.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::page::page_after;

/// How many numbers a page has where nothing is asked.
const PAGE: i64 = 100;

/// See AWS's model. The language of the message is not ours to choose: there is one.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SandboxPhoneNumberInput {
    phone_number: String,
}

/// Adds a number and sends it a one-time password.
pub(super) async fn create_sms_sandbox_phone_number(
    services: &Services,
    caller: &Caller,
    input: SandboxPhoneNumberInput,
) -> Result<NoMembers, SnsError> {
    services.topics.sandbox_add(&caller.account, &caller.region, &input.phone_number).await?;
    Ok(NoMembers {})
}

/// Takes a number away.
pub(super) async fn delete_sms_sandbox_phone_number(
    services: &Services,
    caller: &Caller,
    input: SandboxPhoneNumberInput,
) -> Result<NoMembers, SnsError> {
    services.topics.sandbox_remove(&caller.account, &caller.region, &input.phone_number).await?;
    Ok(NoMembers {})
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifySMSSandboxPhoneNumberInput {
    phone_number: String,
    one_time_password: String,
}

/// Verifies a number with the password that it was sent.
pub(super) async fn verify_sms_sandbox_phone_number(
    services: &Services,
    caller: &Caller,
    input: VerifySMSSandboxPhoneNumberInput,
) -> Result<NoMembers, SnsError> {
    let (phone, code) = (&input.phone_number, &input.one_time_password);
    services.topics.sandbox_verify(&caller.account, &caller.region, phone, code).await?;
    Ok(NoMembers {})
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSMSSandboxPhoneNumbersInput {
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSMSSandboxPhoneNumbersResult {
    phone_numbers: Vec<SMSSandboxPhoneNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SMSSandboxPhoneNumber {
    phone_number: String,
    status: &'static str,
}

/// Lists the caller's numbers.
pub(super) async fn list_sms_sandbox_phone_numbers(
    services: &Services,
    caller: &Caller,
    input: ListSMSSandboxPhoneNumbersInput,
) -> Result<ListSMSSandboxPhoneNumbersResult, SnsError> {
    let size = input.max_results.unwrap_or(PAGE);
    let size = usize::try_from(size).ok().filter(|size| (1..=100).contains(size));
    let size = size.ok_or_else(|| SnsError::parameter("MaxResults"))?;
    let after = page_after(input.next_token.as_deref())?;
    let page = services.topics.sandbox_numbers(&caller.account, &caller.region, after, size).await?;
    let one = |listed: crate::topics::sms_sandbox::ListedNumber| SMSSandboxPhoneNumber {
        phone_number: listed.phone,
        status: if listed.verified { "Verified" } else { "Pending" },
    };
    let (phone_numbers, next_token) = paging::shown_by_number(page.map(one));
    Ok(ListSMSSandboxPhoneNumbersResult { phone_numbers, next_token })
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSMSSandboxAccountStatusResult {
    is_in_sandbox: bool,
}

/// Whether the caller is in the sandbox.
pub(super) async fn get_sms_sandbox_account_status(
    services: &Services,
    _: &Caller,
    _: NoMembers,
) -> Result<GetSMSSandboxAccountStatusResult, SnsError> {
    Ok(GetSMSSandboxAccountStatusResult { is_in_sandbox: services.topics.in_sms_sandbox() })
}
