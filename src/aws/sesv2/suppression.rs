//! The suppression list of the account.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::lacking::{no_tenant, not_supported};
use crate::aws::sesv2::page::{self, USUAL};
use crate::base::{EmailAddress, Timestamp};
use crate::store::suppressed::{Reason, Suppressed, Wanted};

/// The address to suppress.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSuppressedDestinationRequest {
    email_address: String,
    reason: String,
    tenant_name: Option<String>,
}

/// Puts an address on the account's list.
///
/// # Errors
/// What is no address; a reason that SES does not have.
pub(super) async fn put_suppressed_destination(
    services: &Services,
    caller: &Caller,
    input: PutSuppressedDestinationRequest,
) -> Result<NoMembers, SesV2Error> {
    no_tenant(input.tenant_name.as_deref())?;
    let mut found = Violations::default();
    found.one_of("reason", Some(&input.reason), REASONS);
    found.finish()?;
    let reason = reasons("reason", &[input.reason])?.into_iter().next().unwrap_or(Reason::Bounce);
    let address = address(&input.email_address)?;
    services.sending.put_suppressed(&caller.account, &caller.region, &address, reason).await?;
    Ok(NoMembers {})
}

/// The address to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSuppressedDestinationRequest {
    email_address: String,
    tenant_name: Option<String>,
}

/// An entry of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSuppressedDestinationResponse {
    suppressed_destination: SuppressedDestination,
}

/// An address with the reason, and what put it there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SuppressedDestination {
    email_address: String,
    reason: Reason,
    last_update_time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<SuppressedDestinationAttributes>,
}

/// The mail and the bounce or complaint that put an address on the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SuppressedDestinationAttributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback_id: Option<String>,
}

/// Tells of one address.
///
/// # Errors
/// An address that is not on the list.
pub(super) async fn get_suppressed_destination(
    services: &Services,
    caller: &Caller,
    input: GetSuppressedDestinationRequest,
) -> Result<GetSuppressedDestinationResponse, SesV2Error> {
    no_tenant(input.tenant_name.as_deref())?;
    let found = services.sending.suppressed(&caller.account, &caller.region, &input.email_address).await?;
    let entry = found.ok_or_else(|| not_listed(&input.email_address))?;
    let automatic = entry.message_id.is_some() || entry.feedback_id.is_some();
    let attributes = SuppressedDestinationAttributes { message_id: entry.message_id, feedback_id: entry.feedback_id };
    Ok(GetSuppressedDestinationResponse {
        suppressed_destination: SuppressedDestination {
            email_address: entry.address,
            reason: entry.reason,
            last_update_time: Time(entry.updated_at),
            attributes: automatic.then_some(attributes),
        },
    })
}

/// Which page of which entries.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSuppressedDestinationsRequest {
    #[serde(default, rename = "Reason")]
    reasons: Vec<String>,
    start_date: Option<Time>,
    end_date: Option<Time>,
    tenant_name: Option<String>,
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A page of the list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSuppressedDestinationsResponse {
    suppressed_destination_summaries: Vec<SuppressedDestinationSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An address with the reason.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SuppressedDestinationSummary {
    email_address: String,
    reason: Reason,
    last_update_time: Time,
}

/// Lists the account's entries in the order of addresses.
///
/// # Errors
/// A token, a page size or a reason that cannot be.
pub(super) async fn list_suppressed_destinations(
    services: &Services,
    caller: &Caller,
    input: ListSuppressedDestinationsRequest,
) -> Result<ListSuppressedDestinationsResponse, SesV2Error> {
    no_tenant(input.tenant_name.as_deref())?;
    let asked = page::read(&USUAL, input.next_token.as_deref(), input.page_size)?;
    let mut wanted_reasons = reasons("reasons", &input.reasons)?;
    if wanted_reasons.is_empty() {
        wanted_reasons = Reason::ALL.to_vec();
    }
    let wanted = Wanted {
        reasons: wanted_reasons,
        from: input.start_date.map_or(Timestamp::from_micros(i64::MIN), |time| time.0),
        until: input.end_date.map_or(Timestamp::from_micros(i64::MAX), |time| time.0),
        after: asked.after.clone(),
        limit: asked.limit(),
    };
    let entries = services.sending.list_suppressed(&caller.account, &caller.region, wanted).await?;
    let summary = |entry: Suppressed| SuppressedDestinationSummary {
        email_address: entry.address,
        reason: entry.reason,
        last_update_time: Time(entry.updated_at),
    };
    let page = asked.cut(entries, |entry| &entry.address).map(summary);
    let (suppressed_destination_summaries, next_token) = paging::shown(page);
    Ok(ListSuppressedDestinationsResponse { suppressed_destination_summaries, next_token })
}

/// The address to take off the list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteSuppressedDestinationRequest {
    email_address: String,
    tenant_name: Option<String>,
}

/// Takes an address off the account's list.
///
/// # Errors
/// An address that is not on the list.
pub(super) async fn delete_suppressed_destination(
    services: &Services,
    caller: &Caller,
    input: DeleteSuppressedDestinationRequest,
) -> Result<NoMembers, SesV2Error> {
    no_tenant(input.tenant_name.as_deref())?;
    let gone = services.sending.delete_suppressed(&caller.account, &caller.region, &input.email_address).await?;
    if gone { Ok(NoMembers {}) } else { Err(not_listed(&input.email_address)) }
}

/// Which reasons suppress.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutAccountSuppressionAttributesRequest {
    #[serde(default)]
    suppressed_reasons: Vec<String>,
    validation_attributes: Option<serde_json::Value>,
}

/// Sets which reasons put addresses on the account's list and keep mails from them.
///
/// # Errors
/// A reason that SES does not have; the validation of addresses, which this server does not have.
pub(super) async fn put_account_suppression_attributes(
    services: &Services,
    caller: &Caller,
    input: PutAccountSuppressionAttributesRequest,
) -> Result<NoMembers, SesV2Error> {
    if input.validation_attributes.is_some() {
        return Err(not_supported("ValidationAttributes"));
    }
    let reasons = reasons("suppressedReasons", &input.suppressed_reasons)?;
    services.sending.set_suppressed_reasons(&caller.account, &caller.region, reasons).await?;
    Ok(NoMembers {})
}

/// SES's reasons, in its order.
const REASONS: &[&str] = &["BOUNCE", "COMPLAINT"];

/// Reads a list of reasons, each once. `path` is the member that has them.
///
/// # Errors
/// A reason that SES does not have.
pub(super) fn reasons(path: &str, texts: &[String]) -> Result<Vec<Reason>, SesV2Error> {
    let mut found = Violations::default();
    found.all_of(path, texts, REASONS);
    found.finish()?;
    let mut reasons: Vec<_> = texts.iter().filter_map(|text| text.parse::<Reason>().ok()).collect();
    reasons.sort();
    reasons.dedup();
    Ok(reasons)
}

fn address(text: &str) -> Result<EmailAddress, SesV2Error> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(320).collect();
        SesV2Error::BadRequest(format!("Email address <{shown}> is invalid."))
    })
}

fn not_listed(address: &str) -> SesV2Error {
    let shown: String = address.chars().take(320).collect();
    SesV2Error::NotFound(format!("Email address {shown} does not exist on your suppression list."))
}
