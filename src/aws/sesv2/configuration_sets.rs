//! Configuration sets in the second API.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::call::Caller;
use crate::aws::protocol::Time;
use crate::aws::service::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::page::Page;
use crate::aws::sesv2::tags::Tag;
use crate::base::Timestamp;
use crate::store::configuration_sets::ConfigurationSet;

/// SES: how long a mail is tried, in seconds.
const TRIED_FOR: std::ops::RangeInclusive<i64> = 300..=50_400;

/// How mails are delivered.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeliveryOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_policy: Option<String>,
    #[serde(skip_serializing)]
    sending_pool_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delivery_seconds: Option<i64>,
}

/// Whether mails may be sent.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendingOptions {
    #[serde(default)]
    sending_enabled: bool,
}

/// Whether figures are kept.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReputationOptions {
    #[serde(default)]
    reputation_metrics_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fresh_start: Option<Time>,
}

/// The set to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateConfigurationSetRequest {
    configuration_set_name: String,
    delivery_options: Option<DeliveryOptions>,
    reputation_options: Option<ReputationOptions>,
    sending_options: Option<SendingOptions>,
    #[serde(default)]
    tags: Vec<Tag>,
    tracking_options: Option<Value>,
    suppression_options: Option<Value>,
    vdm_options: Option<Value>,
    archiving_options: Option<Value>,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct CreateConfigurationSetResponse {}

/// The options that have no column of their own in the store.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Kept {
    tags: Vec<(String, String)>,
    reputation_metrics: bool,
}

/// Makes a configuration set.
///
/// # Errors
/// A name that is none or exists; options that this server does not have.
pub async fn create_configuration_set(
    services: &Services,
    caller: &Caller,
    input: CreateConfigurationSetRequest,
) -> Result<CreateConfigurationSetResponse, SesV2Error> {
    let delivery = input.delivery_options.unwrap_or_default();
    let lacking = [
        ("TrackingOptions", input.tracking_options.is_some()),
        ("SuppressionOptions", input.suppression_options.is_some()),
        ("VdmOptions", input.vdm_options.is_some()),
        ("ArchivingOptions", input.archiving_options.is_some()),
        ("SendingPoolName", delivery.sending_pool_name.is_some()),
    ];
    if let Some((name, _)) = lacking.iter().find(|(_, given)| *given) {
        return Err(SesV2Error::BadRequest(format!("{name} is not supported.")));
    }
    if let Some(policy) = delivery.tls_policy.as_deref().filter(|p| !["REQUIRE", "OPTIONAL"].contains(p)) {
        return Err(SesV2Error::BadRequest(format!("TlsPolicy is REQUIRE or OPTIONAL, not {policy:?}.")));
    }
    if delivery.max_delivery_seconds.is_some_and(|seconds| !TRIED_FOR.contains(&seconds)) {
        return Err(SesV2Error::BadRequest("MaxDeliverySeconds is 300 to 50400.".to_owned()));
    }
    let kept = Kept {
        tags: Tag::pairs(input.tags)?,
        reputation_metrics: input.reputation_options.is_some_and(|r| r.reputation_metrics_enabled),
    };
    let set = ConfigurationSet {
        account: caller.account.clone(),
        region: caller.region.clone(),
        name: input.configuration_set_name,
        sending_enabled: input.sending_options.is_none_or(|s| s.sending_enabled),
        tls_policy: delivery.tls_policy,
        max_delivery_seconds: delivery.max_delivery_seconds,
        options: serde_json::to_string(&kept).unwrap_or_default(),
        created_at: services.clock.now(),
    };
    services.configuration_sets.create(set).await?;
    Ok(CreateConfigurationSetResponse {})
}

/// The set to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetConfigurationSetRequest {
    configuration_set_name: String,
}

/// A set with its options.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetConfigurationSetResponse {
    configuration_set_name: String,
    delivery_options: DeliveryOptions,
    reputation_options: ReputationOptions,
    sending_options: SendingOptions,
    tags: Vec<Tag>,
}

/// Tells a set's options.
///
/// # Errors
/// One that does not exist.
pub async fn get_configuration_set(
    services: &Services,
    caller: &Caller,
    input: GetConfigurationSetRequest,
) -> Result<GetConfigurationSetResponse, SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    let set = services.configuration_sets.get(account, region, &input.configuration_set_name).await?;
    let kept: Kept = serde_json::from_str(&set.options).unwrap_or_default();
    let tags = serde_json::to_string(&kept.tags).unwrap_or_default();
    Ok(GetConfigurationSetResponse {
        configuration_set_name: set.name,
        delivery_options: DeliveryOptions {
            tls_policy: Some(set.tls_policy.unwrap_or_else(|| "OPTIONAL".to_owned())),
            sending_pool_name: None,
            max_delivery_seconds: set.max_delivery_seconds,
        },
        reputation_options: ReputationOptions {
            reputation_metrics_enabled: kept.reputation_metrics,
            last_fresh_start: None::<Timestamp>.map(Time),
        },
        sending_options: SendingOptions { sending_enabled: set.sending_enabled },
        tags: Tag::list(&tags),
    })
}

/// Which page of sets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListConfigurationSetsRequest {
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A page of names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListConfigurationSetsResponse {
    configuration_sets: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's sets in the order of names.
///
/// # Errors
/// A token or page size that cannot be.
pub async fn list_configuration_sets(
    services: &Services,
    caller: &Caller,
    input: ListConfigurationSetsRequest,
) -> Result<ListConfigurationSetsResponse, SesV2Error> {
    let page = Page::read(input.next_token.as_deref(), input.page_size)?;
    let (account, region) = (&caller.account, &caller.region);
    let mut names = services.configuration_sets.list(account, region, &page.after, page.limit()).await?;
    let next_token = page.cut(&mut names, |name| name);
    Ok(ListConfigurationSetsResponse { configuration_sets: names, next_token })
}

/// The set to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteConfigurationSetRequest {
    configuration_set_name: String,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct DeleteConfigurationSetResponse {}

/// Removes a set with its destinations.
///
/// # Errors
/// One that does not exist.
pub async fn delete_configuration_set(
    services: &Services,
    caller: &Caller,
    input: DeleteConfigurationSetRequest,
) -> Result<DeleteConfigurationSetResponse, SesV2Error> {
    services.configuration_sets.delete(&caller.account, &caller.region, &input.configuration_set_name).await?;
    Ok(DeleteConfigurationSetResponse {})
}
