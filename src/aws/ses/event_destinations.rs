//! Event destinations in the first API. It has eight of the event types, in words of its own.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::configuration_set_error::ConfigurationSetError;
use crate::aws::ses::dimensions::{CloudWatchDestination, SourceWords};
use crate::mail::content::{DimensionSource, NewDestination, Target, exactly_one};
use crate::store;
use crate::store::event_destinations::Destination;
use crate::store::event_types::EventType;

const SOURCES: SourceWords = [
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
        let stream =
            |to: KinesisFirehoseDestination| Target::Stream { stream_arn: to.stream_arn, role_arn: to.role_arn };
        let metrics =
            |to: CloudWatchDestination| to.read(&SOURCES).map_err(ConfigurationSetError::InvalidCloudWatchDestination);
        let target = exactly_one([
            self.sns_destination.map(|to| Ok(Target::Topic(to.topic_arn))),
            self.kinesis_firehose_destination.map(stream).map(Ok),
            self.cloud_watch_destination.map(metrics),
        ])??;
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
                shown.cloud_watch_destination = Some(CloudWatchDestination::write(dimensions, &SOURCES));
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

/// A set, and a destination.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EventDestinationRequest {
    configuration_set_name: String,
    event_destination: EventDestination,
}

/// Adds an event destination to a set.
///
/// # Errors
/// A set that does not exist; a name that is taken; a topic that does not exist; a destination of a kind that is not here.
pub(super) async fn create_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: EventDestinationRequest,
) -> Result<NoMembers, ConfigurationSetError> {
    let (account, region, set) = (&caller.account, &caller.region, &input.configuration_set_name);
    services.configuration_sets.put_destination(account, region, set, input.event_destination.read()?, false).await?;
    Ok(NoMembers {})
}

/// Changes an event destination: what is said here replaces what was said before.
///
/// # Errors
/// A set or a destination that does not exist; a topic that does not exist; a destination of a kind that is not here.
pub(super) async fn update_configuration_set_event_destination(
    services: &Services,
    caller: &Caller,
    input: EventDestinationRequest,
) -> Result<NoMembers, ConfigurationSetError> {
    let (account, region, set) = (&caller.account, &caller.region, &input.configuration_set_name);
    services.configuration_sets.put_destination(account, region, set, input.event_destination.read()?, true).await?;
    Ok(NoMembers {})
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
) -> Result<NoMembers, ConfigurationSetError> {
    let (set, name) = (&input.configuration_set_name, &input.event_destination_name);
    services.configuration_sets.delete_destination(&caller.account, &caller.region, set, name).await?;
    Ok(NoMembers {})
}
