//! Event destinations: where the events of a configuration set's mails go.
use serde::{Deserialize, Serialize};

use crate::base::{AccountId, Arn, Region};
use crate::mail::content::configuration_set::{ConfigurationSets, Error, check_name, find};
use crate::store;
use crate::store::Tx;
use crate::store::configuration_sets::{self, Destination};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};

/// SES: destinations of a set.
const DESTINATIONS_MAX: usize = 10;
/// SES: dimensions of a destination, and the length of their names and values.
const DIMENSIONS_MAX: usize = 10;
const DIMENSION_LENGTH: usize = 256;
/// What SES publishes to a topic when it becomes a destination.
const VALIDATED: &str = "Successfully validated SNS topic for Amazon SES event publishing.";
/// The types of events (SESv2 model, EventType).
pub const EVENT_TYPES: &[&str] = &[
    "SEND",
    "REJECT",
    "BOUNCE",
    "COMPLAINT",
    "DELIVERY",
    "OPEN",
    "CLICK",
    "RENDERING_FAILURE",
    "DELIVERY_DELAY",
    "SUBSCRIPTION",
];

/// Of these there are no events yet: nothing is tracked, and there are no contact lists.
const NEVER_PUBLISHED: &[&str] = &["OPEN", "CLICK", "SUBSCRIPTION"];

/// What a caller says of an event destination.
#[derive(Clone, Debug)]
pub struct NewDestination {
    /// Its name.
    pub name: String,
    /// Whether it gets events.
    pub enabled: bool,
    /// Which events: names of [`EVENT_TYPES`].
    pub event_types: Vec<String>,
    /// What it is.
    pub target: Target,
}

/// The kinds of destinations. Each is stored under the word that it says here, whatever the variant is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Target {
    /// An SNS topic of the same account and region.
    #[serde(rename = "Topic")]
    Topic(String),
    /// A delivery stream of the same account and region, which the settings give a bucket.
    #[serde(rename = "Stream")]
    Stream {
        /// Its ARN.
        stream_arn: String,
        /// The role that AWS would write with. It is kept and given back; there are no roles here.
        role_arn: String,
    },
    /// An event bus of the same account and region, which the settings give a URL.
    #[serde(rename = "Bus")]
    Bus(String),
    /// SES's CloudWatch: counters of the events, labelled by these dimensions. Ours are at `/metrics`.
    #[serde(rename = "Metrics")]
    Metrics(Vec<Dimension>),
}

/// A label of the counters, and where a mail says its value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Dimension {
    /// The label.
    pub name: String,
    /// Where the value comes from.
    pub source: DimensionSource,
    /// The value of mails that do not say one.
    pub default: String,
}

/// Where a mail says a dimension's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum DimensionSource {
    /// A tag of the mail.
    #[serde(rename = "MessageTag")]
    MessageTag,
    /// A header of the mail.
    #[serde(rename = "EmailHeader")]
    EmailHeader,
    /// A tag of the link that was clicked. There is no click tracking here, so the default counts.
    #[serde(rename = "LinkTag")]
    LinkTag,
}

/// The one destination of those of all kinds that may be given.
///
/// # Errors
/// [`Error::NoTarget`], [`Error::ManyTargets`].
pub fn exactly_one<T, const N: usize>(given: [Option<T>; N]) -> Result<T, Error> {
    let mut given = given.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Error::NoTarget),
        (Some(_), Some(_)) => Err(Error::ManyTargets),
    }
}

impl Target {
    /// What a stored destination is.
    ///
    /// # Errors
    /// [`store::Error::Corrupt`] where what is stored cannot be read.
    pub fn of(destination: &Destination) -> Result<Self, store::Error> {
        match &destination.details {
            Some(json) => serde_json::from_str(json).map_err(store::Error::corrupt),
            None => Ok(Self::Topic(destination.topic_arn.clone())),
        }
    }
}

impl ConfigurationSets {
    /// Adds an event destination to a set, or changes one that is there (`change`). As SES does, it publishes a line to a
    /// topic to see that it works.
    ///
    /// # Errors
    /// A set that does not exist; a destination that exists (or, to be changed, does not); a bad name, event type,
    /// dimension or topic.
    pub async fn put_destination(
        &self,
        account: &AccountId,
        region: &Region,
        set: &str,
        new: NewDestination,
        change: bool,
    ) -> Result<(), Error> {
        check_name(set).map_err(Error::Name)?;
        check(&new)?;
        let (account, region, set) = (account.clone(), region.clone(), set.to_owned());
        let (topics, now) = (self.topics.clone(), self.clock().now());
        if let Target::Stream { stream_arn, .. } = &new.target {
            let arn = own(stream_arn, "firehose", &account, &region).filter(|arn| self.has_stream(arn));
            arn.ok_or_else(|| Error::Stream(stream_arn.chars().take(512).collect()))?;
        }
        if let Target::Bus(bus) = &new.target {
            let arn = own(bus, "events", &account, &region).filter(|arn| self.topics.has_bus(arn));
            arn.ok_or_else(|| Error::Bus(bus.chars().take(512).collect()))?;
        }
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    find(tx, &account, &region, &set).await?;
                    let there = configuration_sets::destinations(tx, &account, &region, &set).await?;
                    let known = there.iter().any(|d| d.name == new.name);
                    if !change && known {
                        return Err(Error::DestinationExists { set, name: new.name });
                    }
                    if change && !known {
                        return Err(Error::DestinationMissing { set, name: new.name });
                    }
                    if !change && there.len() >= DESTINATIONS_MAX {
                        return Err(Error::TooMany(DESTINATIONS_MAX as i64));
                    }
                    if let Target::Topic(topic) = &new.target {
                        validate_topic(tx, &topics, &account, &region, topic).await?;
                    }
                    let row = row(new, now);
                    if change {
                        configuration_sets::update_destination(tx, &account, &region, &set, &row).await?;
                        return Ok(());
                    }
                    let inserted = configuration_sets::insert_destination(tx, &account, &region, &set, &row).await;
                    inserted.map_err(|error| match error.is_unique_violation() {
                        true => Error::DestinationExists { set, name: row.name },
                        false => Error::Internal(error),
                    })
                })
            })
            .await
    }

    /// The destinations of a set, in the order of names.
    pub async fn destinations(
        &self,
        account: &AccountId,
        region: &Region,
        set: &str,
    ) -> Result<Vec<Destination>, Error> {
        check_name(set).map_err(Error::Name)?;
        let (account, region, set) = (account.clone(), region.clone(), set.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    find(tx, &account, &region, &set).await?;
                    Ok(configuration_sets::destinations(tx, &account, &region, &set).await?)
                })
            })
            .await
    }

    /// Removes a destination.
    pub async fn delete_destination(
        &self,
        account: &AccountId,
        region: &Region,
        set: &str,
        name: &str,
    ) -> Result<(), Error> {
        check_name(set).map_err(Error::Name)?;
        check_name(name).map_err(Error::DestinationName)?;
        let (account, region) = (account.clone(), region.clone());
        let (set, name) = (set.to_owned(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    find(tx, &account, &region, &set).await?;
                    let gone = configuration_sets::delete_destination(tx, &account, &region, &set, &name).await?;
                    if gone { Ok(()) } else { Err(Error::DestinationMissing { set, name }) }
                })
            })
            .await
    }
}

fn check(new: &NewDestination) -> Result<(), Error> {
    check_name(&new.name).map_err(Error::DestinationName)?;
    let unknown = new.event_types.iter().find(|t| !EVENT_TYPES.contains(&t.as_str()));
    if let Some(unknown) = unknown.cloned().or_else(|| new.event_types.is_empty().then(String::new)) {
        return Err(Error::EventType(unknown.chars().take(64).collect()));
    }
    // Who names all types gets those that there are. Who waits for nothing else is told that nothing will come.
    let (never, others): (Vec<&String>, Vec<&String>) =
        new.event_types.iter().partition(|kind| NEVER_PUBLISHED.contains(&kind.as_str()));
    match (never.first(), others.is_empty()) {
        (Some(kind), true) => return Err(Error::NeverPublished((*kind).clone())),
        (Some(_), false) => {
            tracing::warn!(destination.name = %new.name, event.types = ?never, "there are no such events here")
        }
        (None, _) => {}
    }
    let Target::Metrics(dimensions) = &new.target else { return Ok(()) };
    if dimensions.is_empty() {
        return Err(Error::NoDimension);
    }
    if dimensions.len() > DIMENSIONS_MAX {
        return Err(Error::Dimension(format!("{} of them", dimensions.len())));
    }
    let fine = |text: &str, more: &str| {
        (1..=DIMENSION_LENGTH).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    let wrong = dimensions.iter().find(|d| !fine(&d.name, "_-:") || !fine(&d.default, "_-@."));
    wrong.map_or(Ok(()), |d| Err(Error::Dimension(d.name.chars().take(DIMENSION_LENGTH).collect())))
}

fn row(new: NewDestination, now: crate::base::Timestamp) -> Destination {
    let mut event_types = new.event_types;
    event_types.sort();
    event_types.dedup();
    let (topic_arn, details) = match new.target {
        Target::Topic(arn) => (arn, None),
        other => (String::new(), serde_json::to_string(&other).ok()),
    };
    Destination { name: new.name, enabled: new.enabled, event_types, topic_arn, details, created_at: now }
}

/// The topic must be one of the same account and region: nothing of another account is reached from here.
async fn validate_topic(
    tx: &mut Tx,
    topics: &Topics,
    account: &AccountId,
    region: &Region,
    topic: &str,
) -> Result<(), Error> {
    let refused = || Error::Topic(topic.chars().take(512).collect());
    let arn = own(topic, "sns", account, region).ok_or_else(refused)?;
    let publication = Publication { message: VALIDATED.to_owned(), ..Publication::default() };
    match topics.publish_in(tx, &arn, &publication).await {
        Ok(_) => Ok(()),
        Err(TopicError::Internal(error)) => Err(Error::Internal(error)),
        Err(_) => Err(refused()),
    }
}

/// An ARN of this service, account and region.
fn own(arn: &str, service: &str, account: &AccountId, region: &Region) -> Option<Arn> {
    let arn: Arn = arn.parse().ok()?;
    (arn.service == service && arn.account == *account && arn.region == *region).then_some(arn)
}
