//! Settings of text messages, and phone numbers that want none.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::page::page_after;
use crate::topics::{self, Attributes};

/// See AWS's model.
#[derive(Debug, Deserialize)]
pub(super) struct SetSMSAttributesInput {
    attributes: Attributes,
}

/// Sets the caller's settings.
pub(super) async fn set_sms_attributes(
    services: &Services,
    caller: &Caller,
    input: SetSMSAttributesInput,
) -> Result<NoMembers, SnsError> {
    let set = services.topics.set_sms_attributes(&caller.account, &caller.region, input.attributes).await;
    set.map_err(|error| match error {
        topics::Error::AttributeName(name) => SnsError::plain(format!("{name} is not a valid attribute")),
        topics::Error::AttributeValue("DefaultSMSType", _) => SnsError::plain("DefaultSMSType is invalid"),
        other => SnsError::in_attributes(other),
    })?;
    Ok(NoMembers {})
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
pub(super) struct GetSMSAttributesInput {
    #[serde(default)]
    attributes: Vec<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
pub(super) struct GetSMSAttributesResponse {
    attributes: Attributes,
}

/// The caller's settings: all that are set, or those that are asked for.
pub(super) async fn get_sms_attributes(
    services: &Services,
    caller: &Caller,
    input: GetSMSAttributesInput,
) -> Result<GetSMSAttributesResponse, SnsError> {
    let mut attributes = services.topics.sms_attributes(&caller.account, &caller.region).await?;
    attributes.retain(|name, _| input.attributes.is_empty() || input.attributes.contains(name));
    Ok(GetSMSAttributesResponse { attributes })
}

/// Names a phone number: the input of two operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneNumberInput {
    phone_number: String,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CheckIfPhoneNumberIsOptedOutResponse {
    is_opted_out: bool,
}

/// Whether a phone number wants no messages.
pub(super) async fn check_if_phone_number_is_opted_out(
    services: &Services,
    caller: &Caller,
    input: PhoneNumberInput,
) -> Result<CheckIfPhoneNumberIsOptedOutResponse, SnsError> {
    let out = services.topics.is_opted_out(&caller.account, &caller.region, &input.phone_number).await;
    let out = out.map_err(of_number)?;
    Ok(CheckIfPhoneNumberIsOptedOutResponse { is_opted_out: out })
}

/// Takes a phone number back in.
pub(super) async fn opt_in_phone_number(
    services: &Services,
    caller: &Caller,
    input: PhoneNumberInput,
) -> Result<NoMembers, SnsError> {
    services.topics.opt_in(&caller.account, &caller.region, &input.phone_number).await.map_err(of_number)?;
    Ok(NoMembers {})
}

fn of_number(error: topics::Error) -> SnsError {
    match error {
        topics::Error::Phone(_) => SnsError::parameter("PhoneNumber Reason: input incorrectly formatted"),
        other => other.into(),
    }
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListPhoneNumbersOptedOutInput {
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListPhoneNumbersOptedOutResponse {
    phone_numbers: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// The phone numbers that want no messages of the caller, 100 at a time.
pub(super) async fn list_phone_numbers_opted_out(
    services: &Services,
    caller: &Caller,
    input: ListPhoneNumbersOptedOutInput,
) -> Result<ListPhoneNumbersOptedOutResponse, SnsError> {
    let page =
        services.topics.opted_out(&caller.account, &caller.region, page_after(input.next_token.as_deref())?).await?;
    let (phone_numbers, next_token) = paging::shown_by_number(page);
    Ok(ListPhoneNumbersOptedOutResponse { phone_numbers, next_token })
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOriginationNumbersRequest {
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// See AWS's model. Origination numbers are the gateway's, which has none that this server knows of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListOriginationNumbersResult {
    phone_numbers: Vec<String>,
}

/// Lists the numbers that messages come from: none that this server knows of.
pub(super) async fn list_origination_numbers(
    _: &Services,
    _: &Caller,
    input: ListOriginationNumbersRequest,
) -> Result<ListOriginationNumbersResult, SnsError> {
    if input.max_results.is_some_and(|max| !(1..=30).contains(&max)) {
        return Err(SnsError::parameter("MaxResults"));
    }
    if input.next_token.is_some_and(|token| !token.is_empty()) {
        return Err(SnsError::parameter("NextToken"));
    }
    Ok(ListOriginationNumbersResult { phone_numbers: vec![] })
}
