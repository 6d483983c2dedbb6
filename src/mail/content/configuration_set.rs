//! Configuration sets: rules for the mails that name them, and where the events of these mails go.
use crate::base::{AccountId, Arn, Clock, Region};
use crate::store::configuration_sets::{self, ConfigurationSet, Destination};
use crate::store::{self, Store, Tx};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};

/// SES: sets of an account in a region, and destinations of a set.
const SETS_MAX: i64 = 10_000;
const DESTINATIONS_MAX: usize = 10;
/// SES: letters, digits, `_` and `-`, at most 64.
const NAME_LENGTH: usize = 64;
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

/// What can go wrong with configuration sets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name that is not 1 to 64 letters, digits, `_` or `-`.
    #[error("{0:?} is not a name for a configuration set or an event destination")]
    Name(String),
    /// There is one of this name.
    #[error("configuration set {0} exists already")]
    Exists(String),
    /// There is none of this name.
    #[error("configuration set {0} does not exist")]
    Missing(String),
    /// The set has a destination of this name.
    #[error("event destination {0} exists already")]
    DestinationExists(String),
    /// The set has no destination of this name.
    #[error("event destination {0} does not exist")]
    DestinationMissing(String),
    /// As many as there may be.
    #[error("there may be {0} of them")]
    TooMany(i64),
    /// No event types, or one that SES does not have.
    #[error("{0:?} is not an event type")]
    EventType(String),
    /// Not a topic of this account in this region, or one that does not exist.
    #[error("topic {0} cannot be used")]
    Topic(String),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// What a caller says of a new event destination.
#[derive(Clone, Debug)]
pub struct EventDestination {
    /// Its name.
    pub name: String,
    /// Whether it gets events at once.
    pub enabled: bool,
    /// Which events: names of [`EVENT_TYPES`].
    pub event_types: Vec<String>,
    /// The SNS topic.
    pub topic_arn: String,
}

/// The configuration sets of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct ConfigurationSets {
    pub(super) store: Store,
    clock: Clock,
    topics: Topics,
}

impl ConfigurationSets {
    /// The sets in `store`; new destinations are tried out with `topics`.
    pub fn new(store: Store, clock: Clock, topics: Topics) -> Self {
        Self { store, clock, topics }
    }

    /// The time now, for new sets.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes a set.
    pub async fn create(&self, set: ConfigurationSet) -> Result<(), Error> {
        check_name(&set.name)?;
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if configuration_sets::find(tx, &set.account, &set.region, &set.name).await?.is_some() {
                        return Err(Error::Exists(set.name));
                    }
                    if configuration_sets::count(tx, &set.account, &set.region).await? >= SETS_MAX {
                        return Err(Error::TooMany(SETS_MAX));
                    }
                    let inserted = configuration_sets::insert(tx, &set).await;
                    inserted.map_err(|error| match error.is_unique_violation() {
                        true => Error::Exists(set.name),
                        false => Error::Internal(error),
                    })
                })
            })
            .await
    }

    /// The set of this name.
    pub async fn get(&self, account: &AccountId, region: &Region, name: &str) -> Result<ConfigurationSet, Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store.read(move |tx| Box::pin(async move { find(tx, &account, &region, &name).await })).await
    }

    /// Up to `limit` names after the name `after`, in order.
    pub async fn list(
        &self,
        account: &AccountId,
        region: &Region,
        after: &str,
        limit: i64,
    ) -> Result<Vec<String>, Error> {
        let (account, region, after) = (account.clone(), region.clone(), after.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(async move { Ok(configuration_sets::names(tx, &account, &region, &after, limit).await?) })
            })
            .await
    }

    /// Removes a set with its destinations.
    pub async fn delete(&self, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let gone = configuration_sets::delete(tx, &account, &region, &name).await?;
                    if gone { Ok(()) } else { Err(Error::Missing(name)) }
                })
            })
            .await
    }

    /// Adds an event destination to a set. As SES does, it publishes a line to the topic to see that it works.
    pub async fn add_destination(
        &self,
        account: &AccountId,
        region: &Region,
        set: &str,
        new: EventDestination,
    ) -> Result<(), Error> {
        check_name(&new.name)?;
        let unknown = new.event_types.iter().find(|t| !EVENT_TYPES.contains(&t.as_str()));
        if let Some(unknown) = unknown.cloned().or_else(|| new.event_types.is_empty().then(String::new)) {
            return Err(Error::EventType(unknown));
        }
        let (account, region, set) = (account.clone(), region.clone(), set.to_owned());
        let (topics, now) = (self.topics.clone(), self.clock.now());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    find(tx, &account, &region, &set).await?;
                    let there = configuration_sets::destinations(tx, account.as_str(), region.as_str(), &set).await?;
                    if there.iter().any(|d| d.name == new.name) {
                        return Err(Error::DestinationExists(new.name));
                    }
                    if there.len() >= DESTINATIONS_MAX {
                        return Err(Error::TooMany(DESTINATIONS_MAX as i64));
                    }
                    validate_topic(tx, &topics, &account, &region, &new.topic_arn).await?;
                    let mut event_types = new.event_types;
                    event_types.sort();
                    event_types.dedup();
                    let destination = Destination {
                        name: new.name,
                        enabled: new.enabled,
                        event_types,
                        topic_arn: new.topic_arn,
                        created_at: now,
                    };
                    let inserted =
                        configuration_sets::insert_destination(tx, &account, &region, &set, &destination).await;
                    inserted.map_err(|error| match error.is_unique_violation() {
                        true => Error::DestinationExists(destination.name),
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
        let (account, region, set) = (account.clone(), region.clone(), set.to_owned());
        self.store
            .read(move |tx| {
                Box::pin(async move {
                    find(tx, &account, &region, &set).await?;
                    Ok(configuration_sets::destinations(tx, account.as_str(), region.as_str(), &set).await?)
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
        let (account, region) = (account.clone(), region.clone());
        let (set, name) = (set.to_owned(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    find(tx, &account, &region, &set).await?;
                    let gone = configuration_sets::delete_destination(tx, &account, &region, &set, &name).await?;
                    if gone { Ok(()) } else { Err(Error::DestinationMissing(name)) }
                })
            })
            .await
    }
}

async fn find(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<ConfigurationSet, Error> {
    let set = configuration_sets::find(tx, account, region, name).await?;
    set.ok_or_else(|| Error::Missing(name.to_owned()))
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
    let arn: Arn = topic.parse().map_err(|_| refused())?;
    if arn.service != "sns" || arn.account != *account || arn.region != *region {
        return Err(refused());
    }
    let publication = Publication { message: VALIDATED.to_owned(), ..Publication::default() };
    match topics.publish_in(tx, &arn, &publication).await {
        Ok(_) => Ok(()),
        Err(TopicError::Internal(error)) => Err(Error::Internal(error)),
        Err(_) => Err(refused()),
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fine = (1..=NAME_LENGTH).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fine { Ok(()) } else { Err(Error::Name(name.chars().take(NAME_LENGTH).collect())) }
}
