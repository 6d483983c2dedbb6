//! Configuration sets in the first API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::ses::configuration_set_error::ConfigurationSetError;
use crate::aws::ses::event_destinations::EventDestination;
use crate::aws::ses::page::SETS;
use crate::base::Timestamp;
use crate::mail::content::SetOptions;
use crate::store::Json;
use crate::store::configuration_sets::{self, SetTlsPolicy};

/// A set's name.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfigurationSet {
    name: String,
}

/// The set to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateConfigurationSetRequest {
    configuration_set: ConfigurationSet,
}

/// Makes a configuration set.
///
/// # Errors
/// A name that is none or taken; too many.
pub(super) async fn create_configuration_set(
    services: &Services,
    caller: &Caller,
    input: CreateConfigurationSetRequest,
) -> Result<NoMembers, ConfigurationSetError> {
    let set = configuration_sets::ConfigurationSet {
        account: caller.account.clone(),
        region: caller.region.clone(),
        name: input.configuration_set.name,
        sending_enabled: true,
        tls_policy: None,
        max_delivery_seconds: None,
        options: Json::of(&SetOptions::default())?,
        created_at: services.clock.now(),
    };
    services.configuration_sets.create(set).await?;
    Ok(NoMembers {})
}

/// The set to look at, and what of it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeConfigurationSetRequest {
    configuration_set_name: String,
    #[serde(default)]
    configuration_set_attribute_names: Vec<String>,
}

/// A set, with what was asked for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeConfigurationSetResponse {
    configuration_set: ConfigurationSet,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_destinations: Option<Vec<EventDestination>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery_options: Option<DeliveryOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reputation_options: Option<ReputationOptions>,
}

/// How mails are delivered.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeliveryOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_policy: Option<String>,
}

/// Whether mails may be sent and figures are kept.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReputationOptions {
    sending_enabled: bool,
    reputation_metrics_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_fresh_start: Option<Time>,
}

/// Tells of a set what was asked for.
///
/// # Errors
/// One that does not exist.
pub(super) async fn describe_configuration_set(
    services: &Services,
    caller: &Caller,
    input: DescribeConfigurationSetRequest,
) -> Result<DescribeConfigurationSetResponse, ConfigurationSetError> {
    let (account, region, name) = (&caller.account, &caller.region, &input.configuration_set_name);
    let set = services.configuration_sets.get(account, region, name).await?;
    let options = set.options.read()?;
    let wants = |what: &str| input.configuration_set_attribute_names.iter().any(|name| name == what);
    let event_destinations = match wants("eventDestinations") {
        true => {
            let found = services.configuration_sets.destinations(account, region, name).await?;
            Some(found.into_iter().map(EventDestination::write).collect::<Result<_, _>>()?)
        }
        false => None,
    };
    let delivery_options = wants("deliveryOptions").then(|| DeliveryOptions {
        tls_policy: Some(if set.tls_policy == Some(SetTlsPolicy::Require) { "Require" } else { "Optional" }.to_owned()),
    });
    let reputation_options = wants("reputationOptions").then(|| ReputationOptions {
        sending_enabled: set.sending_enabled,
        reputation_metrics_enabled: options.reputation_metrics,
        last_fresh_start: options.fresh_start.map(|micros| Time(Timestamp::from_micros(micros))),
    });
    let configuration_set = ConfigurationSet { name: set.name };
    Ok(DescribeConfigurationSetResponse { configuration_set, event_destinations, delivery_options, reputation_options })
}

/// Which page of sets.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListConfigurationSetsRequest {
    next_token: Option<String>,
    max_items: Option<i32>,
}

/// A page of sets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListConfigurationSetsResponse {
    configuration_sets: Vec<ConfigurationSet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's sets in the order of names.
///
/// # Errors
/// A token that is none.
pub(super) async fn list_configuration_sets(
    services: &Services,
    caller: &Caller,
    input: ListConfigurationSetsRequest,
) -> Result<ListConfigurationSetsResponse, ConfigurationSetError> {
    let asked = SETS.read(input.next_token.as_deref(), input.max_items);
    let asked = asked.map_err(ConfigurationSetError::InvalidParameterValue)?;
    let (account, region) = (&caller.account, &caller.region);
    let names = services.configuration_sets.list(account, region, &asked.after, asked.limit()).await?;
    let page = asked.cut(names, |name| name).map(|name| ConfigurationSet { name });
    let (configuration_sets, next_token) = paging::shown(page);
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
) -> Result<NoMembers, ConfigurationSetError> {
    services.configuration_sets.delete(&caller.account, &caller.region, &input.configuration_set_name).await?;
    Ok(NoMembers {})
}

/// A set, and its delivery options.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutConfigurationSetDeliveryOptionsRequest {
    configuration_set_name: String,
    delivery_options: Option<DeliveryOptions>,
}

/// Sets whether TLS is required.
///
/// # Errors
/// A set that does not exist; a policy that SES does not have.
pub(super) async fn put_configuration_set_delivery_options(
    services: &Services,
    caller: &Caller,
    input: PutConfigurationSetDeliveryOptionsRequest,
) -> Result<NoMembers, ConfigurationSetError> {
    let policy = match input.delivery_options.unwrap_or_default().tls_policy.as_deref() {
        None => None,
        Some("Require") => Some(SetTlsPolicy::Require),
        Some("Optional") => Some(SetTlsPolicy::Optional),
        Some(_) => return Err(ConfigurationSetError::InvalidDeliveryOptions),
    };
    let (account, region, name) = (&caller.account, &caller.region, &input.configuration_set_name);
    services.configuration_sets.change(account, region, name, move |set, _| set.tls_policy = policy).await?;
    Ok(NoMembers {})
}

/// A set, and a switch.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SwitchRequest {
    configuration_set_name: String,
    enabled: bool,
}

/// Switches figures on or off.
///
/// # Errors
/// A set that does not exist.
pub(super) async fn update_configuration_set_reputation_metrics_enabled(
    services: &Services,
    caller: &Caller,
    input: SwitchRequest,
) -> Result<(), ConfigurationSetError> {
    let (account, region, name) = (&caller.account, &caller.region, &input.configuration_set_name);
    let change = move |_: &mut configuration_sets::ConfigurationSet, kept: &mut SetOptions| {
        kept.reputation_metrics = input.enabled;
    };
    Ok(services.configuration_sets.change(account, region, name, change).await?)
}

/// Switches sending with a set on or off.
///
/// # Errors
/// A set that does not exist.
pub(super) async fn update_configuration_set_sending_enabled(
    services: &Services,
    caller: &Caller,
    input: SwitchRequest,
) -> Result<(), ConfigurationSetError> {
    let (account, region, name) = (&caller.account, &caller.region, &input.configuration_set_name);
    Ok(services.configuration_sets.set_sending(account, region, name, input.enabled).await?)
}
