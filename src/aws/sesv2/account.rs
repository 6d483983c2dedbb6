//! The account: what it may send, what it tells of itself, and its switch.
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::account::SendQuota;
use crate::aws::sesv2::error::SesV2Error;
use crate::base::EmailAddress;
use crate::store;
use crate::store::account_settings::{AccountDetails, AccountSettings};
use crate::store::suppressed::Reason;

/// What the account may send.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetAccountResponse {
    dedicated_ip_auto_warmup_enabled: bool,
    enforcement_status: &'static str,
    production_access_enabled: bool,
    send_quota: SendQuota,
    sending_enabled: bool,
    suppression_attributes: SuppressionAttributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
    vdm_attributes: VdmAttributes,
}

/// Virtual Deliverability Manager: there is none here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VdmAttributes {
    vdm_enabled: &'static str,
}

/// Which reasons suppress.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SuppressionAttributes {
    suppressed_reasons: Vec<Reason>,
}

/// Tells how the account stands. It has no dedicated addresses, and nobody enforces anything but its owner.
///
/// # Errors
/// When the store fails.
pub(super) async fn get_account(
    services: &Services,
    caller: &Caller,
    _: NoMembers,
) -> Result<GetAccountResponse, SesV2Error> {
    let quota = services.sending.quota(&caller.account, &caller.region).await?;
    let settings = services.sending.settings(&caller.account, &caller.region).await?;
    Ok(GetAccountResponse {
        dedicated_ip_auto_warmup_enabled: false,
        enforcement_status: "HEALTHY",
        production_access_enabled: quota.account.production_access,
        send_quota: SendQuota::of(&quota),
        sending_enabled: quota.account.sending_enabled,
        details: details(&settings)?,
        vdm_attributes: VdmAttributes { vdm_enabled: "DISABLED" },
        suppression_attributes: SuppressionAttributes { suppressed_reasons: settings.suppressed_reasons },
    })
}

/// What the account told of itself, with how far its request is. There are no cases to name.
fn details(settings: &AccountSettings) -> Result<Option<Value>, store::Error> {
    let Some(details) = &settings.details else { return Ok(None) };
    let mut details = json!(details.read()?);
    if let (Some(members), Some(review)) = (details.as_object_mut(), settings.review) {
        members.insert("ReviewDetails".to_owned(), json!({ "Status": review }));
    }
    Ok(Some(details))
}

/// What the account tells of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutAccountDetailsRequest {
    mail_type: String,
    #[serde(rename = "WebsiteURL")]
    website_url: String,
    contact_language: Option<String>,
    use_case_description: Option<String>,
    #[serde(default)]
    additional_contact_email_addresses: Vec<String>,
    production_access_enabled: Option<bool>,
}

impl From<PutAccountDetailsRequest> for AccountDetails {
    fn from(told: PutAccountDetailsRequest) -> Self {
        Self {
            mail_type: told.mail_type,
            website_url: told.website_url,
            contact_language: told.contact_language,
            use_case_description: told.use_case_description,
            additional_contact_email_addresses: told.additional_contact_email_addresses,
        }
    }
}

/// Keeps what the account tells of itself. With `ProductionAccessEnabled` it asks to leave the sandbox: an operator
/// decides (`postrider admin`).
///
/// # Errors
/// Members outside of AWS's limits; a request that waits already.
pub(super) async fn put_account_details(
    services: &Services,
    caller: &Caller,
    input: PutAccountDetailsRequest,
) -> Result<NoMembers, SesV2Error> {
    let known = |text: &str, words: &[&str]| words.contains(&text);
    let addresses = &input.additional_contact_email_addresses;
    let wrong = [
        ("MailType", !known(&input.mail_type, &["MARKETING", "TRANSACTIONAL"])),
        ("WebsiteURL", !is_url(&input.website_url)),
        ("ContactLanguage", !input.contact_language.as_deref().is_none_or(|word| known(word, &["EN", "JA"]))),
        ("UseCaseDescription", input.use_case_description.as_deref().is_some_and(|text| text.chars().count() > 5000)),
        (
            "AdditionalContactEmailAddresses",
            addresses.len() > 4 || !addresses.iter().all(|text| text.parse::<EmailAddress>().is_ok()),
        ),
    ];
    if let Some((name, _)) = wrong.iter().find(|(_, wrong)| *wrong) {
        return Err(SesV2Error::BadRequest(format!("{name} is invalid.")));
    }
    let asks = input.production_access_enabled.unwrap_or(false);
    services.sending.put_details(&caller.account, &caller.region, input.into(), asks).await?;
    Ok(NoMembers {})
}

/// AWS's pattern: `http` or `https`, and 1,000 characters at most.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control()))
        && text.chars().count() <= 1000
}

/// Whether the account is to send.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutAccountSendingAttributesRequest {
    #[serde(default)]
    sending_enabled: bool,
}

/// Switches the account's sending on or off.
///
/// # Errors
/// When the store fails.
pub(super) async fn put_account_sending_attributes(
    services: &Services,
    caller: &Caller,
    input: PutAccountSendingAttributesRequest,
) -> Result<NoMembers, SesV2Error> {
    services.sending.set_enabled(&caller.account, &caller.region, input.sending_enabled).await?;
    Ok(NoMembers {})
}
