//! Event destinations in the second API: SNS topics.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::call::Caller;
use crate::aws::service::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::mail::content::EventDestination as NewDestination;

/// An SNS topic.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SnsDestination {
    topic_arn: String,
}

/// What events go where.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventDestinationDefinition {
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    matching_event_types: Vec<String>,
    sns_destination: Option<SnsDestination>,
    kinesis_firehose_destination: Option<Value>,
    cloud_watch_destination: Option<Value>,
    event_bridge_destination: Option<Value>,
    pinpoint_destination: Option<Value>,
}

/// The destination to add.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateConfigurationSetEventDestinationRequest {
    configuration_set_name: String,
    event_destination_name: String,
    event_destination: EventDestinationDefinition,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct CreateConfigurationSetEventDestinationResponse {}

/// Adds an event destination to a set.
///
/// # Errors
/// A set that does not exist; a name that is taken; a topic that does not exist; a destination that is no topic.
pub async fn create_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: CreateConfigurationSetEventDestinationRequest,
) -> Result<CreateConfigurationSetEventDestinationResponse, SesV2Error> {
    let wanted = input.event_destination;
    let lacking = [
        ("KinesisFirehoseDestination", wanted.kinesis_firehose_destination.is_some()),
        ("CloudWatchDestination", wanted.cloud_watch_destination.is_some()),
        ("EventBridgeDestination", wanted.event_bridge_destination.is_some()),
        ("PinpointDestination", wanted.pinpoint_destination.is_some()),
    ];
    if let Some((name, _)) = lacking.iter().find(|(_, given)| *given) {
        return Err(SesV2Error::BadRequest(format!("{name} is not supported: use an SnsDestination.")));
    }
    let Some(topic) = wanted.sns_destination else {
        return Err(SesV2Error::BadRequest("An event destination is required.".to_owned()));
    };
    let new = NewDestination {
        name: input.event_destination_name,
        enabled: wanted.enabled,
        event_types: wanted.matching_event_types,
        topic_arn: topic.topic_arn,
    };
    let (account, region) = (&caller.account, &caller.region);
    services.configuration_sets.add_destination(account, region, &input.configuration_set_name, new).await?;
    Ok(CreateConfigurationSetEventDestinationResponse {})
}

/// The set to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetConfigurationSetEventDestinationsRequest {
    configuration_set_name: String,
}

/// Its destinations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetConfigurationSetEventDestinationsResponse {
    event_destinations: Vec<EventDestination>,
}

/// A destination.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct EventDestination {
    name: String,
    enabled: bool,
    matching_event_types: Vec<String>,
    sns_destination: SnsDestination,
}

/// Lists the destinations of a set.
///
/// # Errors
/// A set that does not exist.
pub async fn get_configuration_set_event_destinations(
    services: &Services,
    caller: &Caller,
    input: GetConfigurationSetEventDestinationsRequest,
) -> Result<GetConfigurationSetEventDestinationsResponse, SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    let list = services.configuration_sets.destinations(account, region, &input.configuration_set_name).await?;
    let shown = |d: crate::store::configuration_sets::Destination| EventDestination {
        name: d.name,
        enabled: d.enabled,
        matching_event_types: d.event_types,
        sns_destination: SnsDestination { topic_arn: d.topic_arn },
    };
    Ok(GetConfigurationSetEventDestinationsResponse { event_destinations: list.into_iter().map(shown).collect() })
}

/// The destination to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteConfigurationSetEventDestinationRequest {
    configuration_set_name: String,
    event_destination_name: String,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct DeleteConfigurationSetEventDestinationResponse {}

/// Removes a destination.
///
/// # Errors
/// A set or a destination that does not exist.
pub async fn delete_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: DeleteConfigurationSetEventDestinationRequest,
) -> Result<DeleteConfigurationSetEventDestinationResponse, SesV2Error> {
    let (set, name) = (&input.configuration_set_name, &input.event_destination_name);
    services.configuration_sets.delete_destination(&caller.account, &caller.region, set, name).await?;
    Ok(DeleteConfigurationSetEventDestinationResponse {})
}
