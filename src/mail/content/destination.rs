//! Event destinations: where the events of a configuration set's mails go.
use crate::base::{AccountId, Arn, Region, Timestamp};
use crate::mail::content::configuration_set::{ConfigurationSets, Error, check_name, find};
use crate::store::Json;
use crate::store::Tx;
use crate::store::event_destinations::{self, Destination, Target};
use crate::store::event_types::EventType;
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};

/// SES: destinations of a set.
const DESTINATIONS_MAX: usize = 10;
/// SES: dimensions of a destination, and the length of their names and values.
const DIMENSIONS_MAX: usize = 10;
const DIMENSION_LENGTH: usize = 256;
/// What SES publishes to a topic when it becomes a destination.
const VALIDATED: &str = "Successfully validated SNS topic for Amazon SES event publishing.";

/// What a caller says of an event destination.
#[derive(Clone, Debug)]
pub struct NewDestination {
    /// Its name.
    pub name: String,
    /// Whether it gets events.
    pub enabled: bool,
    /// Which events: words of [`EventType`].
    pub event_types: Vec<String>,
    /// What it is.
    pub target: Target,
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
        let event_types = check(&new)?;
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
                    let there = event_destinations::list(tx, &account, &region, &set).await?;
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
                    let row = row(new, event_types, now)?;
                    if change {
                        event_destinations::update(tx, &account, &region, &set, &row).await?;
                        return Ok(());
                    }
                    let inserted = event_destinations::insert(tx, &account, &region, &set, &row).await;
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
                    Ok(event_destinations::list(tx, &account, &region, &set).await?)
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
                    let gone = event_destinations::delete(tx, &account, &region, &set, &name).await?;
                    if gone { Ok(()) } else { Err(Error::DestinationMissing { set, name }) }
                })
            })
            .await
    }
}

/// Checks what a caller says, and gives the types of events, each once and in order.
fn check(new: &NewDestination) -> Result<Vec<EventType>, Error> {
    check_name(&new.name).map_err(Error::DestinationName)?;
    let known = |word: &String| word.parse().map_err(|_| Error::EventType(word.chars().take(64).collect()));
    let mut types: Vec<EventType> = new.event_types.iter().map(known).collect::<Result<_, _>>()?;
    if types.is_empty() {
        return Err(Error::EventType(String::new()));
    }
    // Who names all types gets those that there are. Who waits for nothing else is told that nothing will come.
    let never: Vec<EventType> = types.iter().copied().filter(|kind| !kind.is_published()).collect();
    match never.first() {
        Some(kind) if never.len() == types.len() => return Err(Error::NeverPublished(*kind)),
        Some(_) => {
            tracing::warn!(destination.name = %new.name, event.types = ?words(&never), "there are no such events here")
        }
        None => {}
    }
    check_dimensions(&new.target)?;
    types.sort();
    types.dedup();
    Ok(types)
}

fn words(types: &[EventType]) -> Vec<&'static str> {
    types.iter().map(|kind| kind.as_str()).collect()
}

fn check_dimensions(target: &Target) -> Result<(), Error> {
    let Target::Metrics(dimensions) = target else { return Ok(()) };
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

fn row(new: NewDestination, event_types: Vec<EventType>, now: Timestamp) -> Result<Destination, Error> {
    let (topic_arn, details) = match new.target {
        Target::Topic(arn) => (arn, None),
        other => (String::new(), Some(Json::of(&other)?)),
    };
    let event_types = Json::of(&event_types)?;
    Ok(Destination { name: new.name, enabled: new.enabled, event_types, topic_arn, details, created_at: now })
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
