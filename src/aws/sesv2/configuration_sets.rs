//! Configuration sets in the second API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::sesv2::configuration_set_options::{
    ArchivingOptions, DeliveryOptions, ReputationOptions, SendingOptions, SuppressionOptions, TrackingOptions,
    VdmOptions,
};
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::filter::set_name_part;
use crate::aws::sesv2::lacking::MessageSecurityOptions;
use crate::aws::sesv2::page::{self, SETS};
use crate::aws::sesv2::tags::Tag;
use crate::base::Timestamp;
use crate::mail::content::SetOptions;
use crate::store::Json;
use crate::store::configuration_sets::{ConfigurationSet, SetTlsPolicy};

/// Where SES finds the reasons of a new set.
const REASONS: &str = "suppressionOptions.suppressedReasons";

/// The set to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateConfigurationSetRequest {
    configuration_set_name: String,
    delivery_options: Option<DeliveryOptions>,
    reputation_options: Option<ReputationOptions>,
    sending_options: Option<SendingOptions>,
    #[serde(default)]
    tags: Vec<Tag>,
    tracking_options: Option<TrackingOptions>,
    suppression_options: Option<SuppressionOptions>,
    vdm_options: Option<VdmOptions>,
    archiving_options: Option<ArchivingOptions>,
    message_security_options: Option<MessageSecurityOptions>,
}

/// Makes a configuration set.
///
/// # Errors
/// A name that is none or exists; options that this server does not have.
pub(super) async fn create_configuration_set(
    services: &Services,
    caller: &Caller,
    input: CreateConfigurationSetRequest,
) -> Result<NoMembers, SesV2Error> {
    let suppressed_reasons = input.suppression_options.map(|s| s.read(Some(REASONS))).transpose()?;
    let delivery = input.delivery_options.unwrap_or_default();
    let tls_policy = delivery.check("deliveryOptions.")?;
    input.tracking_options.unwrap_or_default().check(services, caller, "trackingOptions.").await?;
    input.vdm_options.unwrap_or_default().check()?;
    input.archiving_options.unwrap_or_default().check()?;
    input.message_security_options.unwrap_or_default().check()?;
    let options = SetOptions {
        tags: Tag::pairs(input.tags)?,
        reputation_metrics: input.reputation_options.is_some_and(|r| r.reputation_metrics_enabled),
        suppressed_reasons,
        ..SetOptions::default()
    };
    let set = ConfigurationSet {
        account: caller.account.clone(),
        region: caller.region.clone(),
        name: input.configuration_set_name,
        sending_enabled: input.sending_options.is_none_or(|s| s.sending_enabled),
        tls_policy,
        max_delivery_seconds: delivery.max_delivery_seconds,
        options: Json::of(&options)?,
        created_at: services.clock.now(),
    };
    services.configuration_sets.create(set).await?;
    Ok(NoMembers {})
}

/// The set to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetConfigurationSetRequest {
    configuration_set_name: String,
}

/// A set with its options.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetConfigurationSetResponse {
    configuration_set_name: String,
    delivery_options: DeliveryOptions,
    reputation_options: ReputationOptions,
    sending_options: SendingOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppression_options: Option<SuppressionOptions>,
    tags: Vec<Tag>,
}

/// Tells a set's options.
///
/// # Errors
/// One that does not exist.
pub(super) async fn get_configuration_set(
    services: &Services,
    caller: &Caller,
    input: GetConfigurationSetRequest,
) -> Result<GetConfigurationSetResponse, SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    let set = services.configuration_sets.get(account, region, &input.configuration_set_name).await?;
    let options = set.options.read()?;
    Ok(GetConfigurationSetResponse {
        configuration_set_name: set.name,
        delivery_options: DeliveryOptions {
            tls_policy: Some(set.tls_policy.unwrap_or(SetTlsPolicy::Optional).to_string()),
            sending_pool_name: None,
            shared_pool_delivery_mode: None,
            max_delivery_seconds: set.max_delivery_seconds,
        },
        reputation_options: ReputationOptions {
            reputation_metrics_enabled: options.reputation_metrics,
            last_fresh_start: options.fresh_start.map(|micros| Time(Timestamp::from_micros(micros))),
        },
        sending_options: SendingOptions { sending_enabled: set.sending_enabled },
        suppression_options: options.suppressed_reasons.map(SuppressionOptions::write),
        tags: Tag::list(options.tags),
    })
}

/// Which page of sets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListConfigurationSetsRequest {
    #[serde(default)]
    filter: BTreeMap<String, String>,
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A page of names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListConfigurationSetsResponse {
    configuration_sets: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's sets in the order of names.
///
/// # Errors
/// A token, a page size or a filter that cannot be.
pub(super) async fn list_configuration_sets(
    services: &Services,
    caller: &Caller,
    input: ListConfigurationSetsRequest,
) -> Result<ListConfigurationSetsResponse, SesV2Error> {
    let asked = page::read(&SETS, input.next_token.as_deref(), input.page_size)?;
    let (account, region) = (&caller.account, &caller.region);
    let part = set_name_part(input.filter)?;
    let lot = SETS.lot(&asked, part.is_some());
    let read = |after: String| async move { services.configuration_sets.list(account, region, &after, lot).await };
    let fits = |name: &String| part.as_ref().is_none_or(|part| name.to_ascii_lowercase().contains(part.as_str()));
    let (configuration_sets, next_token) = paging::shown(asked.gather(lot, read, fits, |name| name).await?);
    Ok(ListConfigurationSetsResponse { configuration_sets, next_token })
}

/// The set to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteConfigurationSetRequest {
    configuration_set_name: String,
}

/// Removes a set with its destinations.
///
/// # Errors
/// One that does not exist.
pub(super) async fn delete_configuration_set(
    services: &Services,
    caller: &Caller,
    input: DeleteConfigurationSetRequest,
) -> Result<NoMembers, SesV2Error> {
    services.configuration_sets.delete(&caller.account, &caller.region, &input.configuration_set_name).await?;
    Ok(NoMembers {})
}
