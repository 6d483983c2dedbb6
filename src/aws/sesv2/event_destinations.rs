//! Event destinations in the second API: SNS topics, delivery streams, event buses and counters.
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::dimensions::{CloudWatchDestination, SourceWords};
use crate::aws::sesv2::error::SesV2Error;
use crate::mail::content::{NewDestination, exactly_one};
use crate::store::event_destinations::{Destination, DimensionSource, Target};
use crate::store::event_types::EventType;

/// An SNS topic.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SnsDestination {
    topic_arn: String,
}

/// A delivery stream.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct KinesisFirehoseDestination {
    iam_role_arn: String,
    delivery_stream_arn: String,
}

/// An event bus.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventBridgeDestination {
    event_bus_arn: String,
}

/// SES's words for where a label's value comes from.
const SOURCES: SourceWords = [
    ("MESSAGE_TAG", DimensionSource::MessageTag),
    ("EMAIL_HEADER", DimensionSource::EmailHeader),
    ("LINK_TAG", DimensionSource::LinkTag),
];

/// What events go where.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventDestinationDefinition {
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    matching_event_types: Vec<String>,
    sns_destination: Option<SnsDestination>,
    cloud_watch_destination: Option<CloudWatchDestination>,
    kinesis_firehose_destination: Option<KinesisFirehoseDestination>,
    event_bridge_destination: Option<EventBridgeDestination>,
    pinpoint_destination: Option<Value>,
}

impl EventDestinationDefinition {
    fn read(self, name: String) -> Result<NewDestination, SesV2Error> {
        if self.pinpoint_destination.is_some() {
            let text = "PinpointDestination is not supported: use SnsDestination, KinesisFirehoseDestination, \
                        EventBridgeDestination or CloudWatchDestination.";
            return Err(SesV2Error::BadRequest(text.to_owned()));
        }
        let stream = |to: KinesisFirehoseDestination| Target::Stream {
            stream_arn: to.delivery_stream_arn,
            role_arn: to.iam_role_arn,
        };
        let metrics = |to: CloudWatchDestination| {
            to.read(&SOURCES).map_err(|_| SesV2Error::BadRequest("Invalid DimensionValueSource.".to_owned()))
        };
        let target = exactly_one([
            self.sns_destination.map(|to| Target::Topic(to.topic_arn)),
            self.kinesis_firehose_destination.map(stream),
            self.event_bridge_destination.map(|to| Target::Bus(to.event_bus_arn)),
            self.cloud_watch_destination.map(metrics).transpose()?,
        ])?;
        Ok(NewDestination { name, enabled: self.enabled, event_types: self.matching_event_types, target })
    }
}

/// The destination to add.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateConfigurationSetEventDestinationRequest {
    configuration_set_name: String,
    event_destination_name: String,
    event_destination: EventDestinationDefinition,
}

/// Adds an event destination to a set.
///
/// # Errors
/// A set that does not exist; a name that is taken; a topic that does not exist; a destination that is no topic.
pub(super) async fn create_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: CreateConfigurationSetEventDestinationRequest,
) -> Result<NoMembers, SesV2Error> {
    let new = input.event_destination.read(input.event_destination_name)?;
    let (account, region) = (&caller.account, &caller.region);
    services.configuration_sets.put_destination(account, region, &input.configuration_set_name, new, false).await?;
    Ok(NoMembers {})
}

/// The destination to change.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateConfigurationSetEventDestinationRequest {
    configuration_set_name: String,
    event_destination_name: String,
    event_destination: EventDestinationDefinition,
}

/// Changes an event destination: what is said here replaces what was said before.
///
/// # Errors
/// A set or a destination that does not exist; a topic that does not exist; a destination of a kind that is not here.
pub(super) async fn update_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: UpdateConfigurationSetEventDestinationRequest,
) -> Result<NoMembers, SesV2Error> {
    let new = input.event_destination.read(input.event_destination_name)?;
    let (account, region) = (&caller.account, &caller.region);
    services.configuration_sets.put_destination(account, region, &input.configuration_set_name, new, true).await?;
    Ok(NoMembers {})
}

/// The set to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetConfigurationSetEventDestinationsRequest {
    configuration_set_name: String,
}

/// Its destinations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetConfigurationSetEventDestinationsResponse {
    event_destinations: Vec<EventDestination>,
}

/// A destination.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventDestination {
    name: String,
    enabled: bool,
    matching_event_types: Vec<EventType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sns_destination: Option<SnsDestination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_watch_destination: Option<CloudWatchDestination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kinesis_firehose_destination: Option<KinesisFirehoseDestination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_bridge_destination: Option<EventBridgeDestination>,
}

/// Lists the destinations of a set.
///
/// # Errors
/// A set that does not exist.
pub(super) async fn get_configuration_set_event_destinations(
    services: &Services,
    caller: &Caller,
    input: GetConfigurationSetEventDestinationsRequest,
) -> Result<GetConfigurationSetEventDestinationsResponse, SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    let list = services.configuration_sets.destinations(account, region, &input.configuration_set_name).await?;
    let shown = |d: Destination| {
        let target = d.target()?;
        let mut shown = EventDestination {
            name: d.name,
            enabled: d.enabled,
            matching_event_types: d.event_types.read()?,
            sns_destination: None,
            cloud_watch_destination: None,
            kinesis_firehose_destination: None,
            event_bridge_destination: None,
        };
        match target {
            Target::Topic(topic_arn) => shown.sns_destination = Some(SnsDestination { topic_arn }),
            Target::Bus(event_bus_arn) => {
                shown.event_bridge_destination = Some(EventBridgeDestination { event_bus_arn });
            }
            Target::Metrics(dimensions) => {
                shown.cloud_watch_destination = Some(CloudWatchDestination::write(dimensions, &SOURCES));
            }
            Target::Stream { stream_arn, role_arn } => {
                let stream = KinesisFirehoseDestination { iam_role_arn: role_arn, delivery_stream_arn: stream_arn };
                shown.kinesis_firehose_destination = Some(stream);
            }
        }
        Ok::<_, SesV2Error>(shown)
    };
    let event_destinations = list.into_iter().map(shown).collect::<Result<_, _>>()?;
    Ok(GetConfigurationSetEventDestinationsResponse { event_destinations })
}

/// The destination to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteConfigurationSetEventDestinationRequest {
    configuration_set_name: String,
    event_destination_name: String,
}

/// Removes a destination.
///
/// # Errors
/// A set or a destination that does not exist.
pub(super) async fn delete_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: DeleteConfigurationSetEventDestinationRequest,
) -> Result<NoMembers, SesV2Error> {
    let (set, name) = (&input.configuration_set_name, &input.event_destination_name);
    services.configuration_sets.delete_destination(&caller.account, &caller.region, set, name).await?;
    Ok(NoMembers {})
}
