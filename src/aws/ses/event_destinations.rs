//! Event destinations in the first API. It has eight of the event types, in words of its own.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::configuration_set_error::{ConfigurationSetError, MANY_DESTINATIONS, NO_DESTINATION};
use crate::mail::content::{Dimension, DimensionSource, NewDestination, Target};
use crate::store;
use crate::store::event_destinations::Destination;
use crate::store::event_types::EventType;

const SOURCES: [(&str, DimensionSource); 3] = [
    ("messageTag", DimensionSource::MessageTag),
    ("emailHeader", DimensionSource::EmailHeader),
    ("linkTag", DimensionSource::LinkTag),
];

/// A destination.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventDestination {
    name: String,
    #[serde(default)]
    enabled: bool,
    #[serde(default)]
    matching_event_types: Vec<String>,
    #[serde(rename = "SNSDestination", skip_serializing_if = "Option::is_none")]
    sns_destination: Option<SnsDestination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_watch_destination: Option<CloudWatchDestination>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kinesis_firehose_destination: Option<KinesisFirehoseDestination>,
}

/// An SNS topic.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct SnsDestination {
    #[serde(rename = "TopicARN")]
    topic_arn: String,
}

/// A delivery stream.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct KinesisFirehoseDestination {
    #[serde(rename = "IAMRoleARN")]
    role_arn: String,
    #[serde(rename = "DeliveryStreamARN")]
    stream_arn: String,
}

/// Counters of the events, with these labels.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CloudWatchDestination {
    dimension_configurations: Vec<CloudWatchDimensionConfiguration>,
}

/// A label.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CloudWatchDimensionConfiguration {
    dimension_name: String,
    dimension_value_source: String,
    default_dimension_value: String,
}

impl EventDestination {
    fn read(self) -> Result<NewDestination, ConfigurationSetError> {
        let event_type = |word: String| {
            let known = EventType::ALL.iter().find(|kind| kind.first_api() == Some(word.as_str()));
            known.map(|kind| kind.as_str().to_owned()).ok_or_else(|| {
                let shown: String = word.chars().take(64).collect();
                ConfigurationSetError::InvalidParameterValue(format!("Unknown event type <{shown}>."))
            })
        };
        let event_types = self.matching_event_types.into_iter().map(event_type).collect::<Result<_, _>>()?;
        let target = match (self.sns_destination, self.cloud_watch_destination, self.kinesis_firehose_destination) {
            (Some(topic), None, None) => Target::Topic(topic.topic_arn),
            (None, None, Some(KinesisFirehoseDestination { role_arn, stream_arn })) => {
                Target::Stream { stream_arn, role_arn }
            }
            (None, Some(metrics), None) => metrics.read()?,
            (None, None, None) => return Err(ConfigurationSetError::InvalidParameterValue(NO_DESTINATION.to_owned())),
            _ => return Err(ConfigurationSetError::InvalidParameterValue(MANY_DESTINATIONS.to_owned())),
        };
        Ok(NewDestination { name: self.name, enabled: self.enabled, event_types, target })
    }

    /// A stored destination in this API's words; of its event types those that this API has.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub(super) fn write(stored: Destination) -> Result<Self, store::Error> {
        let word = |kind: &EventType| kind.first_api().map(str::to_owned);
        let (target, types) = (stored.target()?, stored.event_types.read()?);
        let mut shown = Self {
            matching_event_types: types.iter().filter_map(word).collect(),
            name: stored.name,
            enabled: stored.enabled,
            sns_destination: None,
            cloud_watch_destination: None,
            kinesis_firehose_destination: None,
        };
        match target {
            Target::Topic(topic_arn) => shown.sns_destination = Some(SnsDestination { topic_arn }),
            Target::Metrics(dimensions) => {
                shown.cloud_watch_destination = Some(CloudWatchDestination::write(dimensions));
            }
            // This API has no word for it.
            Target::Bus(_) => {}
            Target::Stream { stream_arn, role_arn } => {
                shown.kinesis_firehose_destination = Some(KinesisFirehoseDestination { role_arn, stream_arn });
            }
        }
        Ok(shown)
    }
}

impl CloudWatchDestination {
    fn read(self) -> Result<Target, ConfigurationSetError> {
        let dimension = |d: CloudWatchDimensionConfiguration| {
            let source = SOURCES.iter().find(|(word, _)| *word == d.dimension_value_source).map(|(_, source)| *source);
            let wrong = || ConfigurationSetError::InvalidCloudWatchDestination(d.dimension_name.clone());
            let source = source.ok_or_else(wrong)?;
            Ok(Dimension { name: d.dimension_name, source, default: d.default_dimension_value })
        };
        let read = self.dimension_configurations.into_iter().map(dimension);
        Ok(Target::Metrics(read.collect::<Result<_, ConfigurationSetError>>()?))
    }

    fn write(dimensions: Vec<Dimension>) -> Self {
        let word = |source| SOURCES.iter().find(|(_, s)| *s == source).map_or("", |(word, _)| word).to_owned();
        let write = |d: Dimension| CloudWatchDimensionConfiguration {
            dimension_name: d.name,
            dimension_value_source: word(d.source),
            default_dimension_value: d.default,
        };
        Self { dimension_configurations: dimensions.into_iter().map(write).collect() }
    }
}

/// A set, and a destination.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventDestinationRequest {
    configuration_set_name: String,
    event_destination: EventDestination,
}

/// No members.
#[derive(Debug, Serialize)]
pub(super) struct EventDestinationResponse {}

/// Adds an event destination to a set.
///
/// # Errors
/// A set that does not exist; a name that is taken; a topic that does not exist; a destination of a kind that is not here.
pub(super) async fn create_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: EventDestinationRequest,
) -> Result<EventDestinationResponse, ConfigurationSetError> {
    let (account, region, set) = (&caller.account, &caller.region, &input.configuration_set_name);
    services.configuration_sets.put_destination(account, region, set, input.event_destination.read()?, false).await?;
    Ok(EventDestinationResponse {})
}

/// Changes an event destination: what is said here replaces what was said before.
///
/// # Errors
/// A set or a destination that does not exist; a topic that does not exist; a destination of a kind that is not here.
pub(super) async fn update_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: EventDestinationRequest,
) -> Result<EventDestinationResponse, ConfigurationSetError> {
    let (account, region, set) = (&caller.account, &caller.region, &input.configuration_set_name);
    services.configuration_sets.put_destination(account, region, set, input.event_destination.read()?, true).await?;
    Ok(EventDestinationResponse {})
}

/// The destination to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteConfigurationSetEventDestinationRequest {
    configuration_set_name: String,
    event_destination_name: String,
}

/// Removes an event destination.
///
/// # Errors
/// A set or a destination that does not exist.
pub(super) async fn delete_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: DeleteConfigurationSetEventDestinationRequest,
) -> Result<EventDestinationResponse, ConfigurationSetError> {
    let (set, name) = (&input.configuration_set_name, &input.event_destination_name);
    services.configuration_sets.delete_destination(&caller.account, &caller.region, set, name).await?;
    Ok(EventDestinationResponse {})
}
