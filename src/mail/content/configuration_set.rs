//! Configuration sets: rules for the mails that name them, and where the events of these mails go.
use crate::base::{AccountId, Arn, Clock, Region};
use crate::outlets::Streams;
use crate::store::configuration_sets::{self, ConfigurationSet, SetOptions};
use crate::store::event_types::EventType;
use crate::store::{self, Json, Store, Tx};
use crate::topics::Topics;

/// SES: sets of an account in a region.
const SETS_MAX: i64 = 10_000;
/// SES: letters, digits, `_` and `-`, at most 64.
const NAME_LENGTH: usize = 64;

/// What is wrong with the name of a configuration set or an event destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// It has no letter.
    #[error("a name is needed")]
    Empty,
    /// It has more than 64.
    #[error("the name is longer than {NAME_LENGTH} characters")]
    Long,
    /// Not only ASCII letters, digits, `_` and `-`.
    #[error("{0:?} is not a name")]
    Letters(String),
}

/// What can go wrong with configuration sets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the name of a set.
    #[error("configuration set: {0}")]
    Name(NameFault),
    /// Not the name of a destination.
    #[error("event destination: {0}")]
    DestinationName(NameFault),
    /// There is one of this name.
    #[error("configuration set {0} exists already")]
    Exists(String),
    /// There is none of this name.
    #[error("configuration set {0} does not exist")]
    Missing(String),
    /// The set has a destination of this name.
    #[error("event destination {name} of {set} exists already")]
    DestinationExists {
        /// The set.
        set: String,
        /// The destination.
        name: String,
    },
    /// The set has no destination of this name.
    #[error("event destination {name} of {set} does not exist")]
    DestinationMissing {
        /// The set.
        set: String,
        /// The destination.
        name: String,
    },
    /// As many as there may be.
    #[error("there may be {0} of them")]
    TooMany(i64),
    /// A destination that is none of the kinds.
    #[error("an event destination is needed")]
    NoTarget,
    /// A destination that is two of the kinds.
    #[error("one event destination is needed, not two")]
    ManyTargets,
    /// No event types, or one that SES does not have.
    #[error("{0:?} is not an event type")]
    EventType(String),
    /// Only event types that nothing here publishes.
    #[error("there are no events of type {0}")]
    NeverPublished(EventType),
    /// Counters without a dimension.
    #[error("a dimension is needed")]
    NoDimension,
    /// A dimension that is not one.
    #[error("{0:?} is not a dimension")]
    Dimension(String),
    /// Not a delivery stream of this account in this region, or one that the settings do not know.
    #[error("delivery stream {0} cannot be used")]
    Stream(String),
    /// Not an event bus of this account in this region, or one that the settings do not know.
    #[error("event bus {0} cannot be used")]
    Bus(String),
    /// Not a topic of this account in this region, or one that does not exist.
    #[error("topic {0} cannot be used")]
    Topic(String),
    /// The unexpected.
    #[error(transparent)]
    Internal(#[from] store::Error),
}

/// The configuration sets of all accounts. Cheap to clone.
#[derive(Clone)]
pub struct ConfigurationSets {
    pub(super) store: Store,
    clock: Clock,
    pub(super) topics: Topics,
    streams: Option<Streams>,
}

impl ConfigurationSets {
    /// The sets in `store`; new destinations are tried out with `topics`.
    pub fn new(store: Store, clock: Clock, topics: Topics) -> Self {
        Self { store, clock, topics, streams: None }
    }

    /// The same, with delivery streams for events.
    pub fn with_streams(self, streams: Streams) -> Self {
        Self { streams: Some(streams), ..self }
    }

    /// Whether the settings have a place for what comes to this stream.
    pub(super) fn has_stream(&self, stream: &Arn) -> bool {
        self.streams.as_ref().is_some_and(|streams| streams.destination(stream).is_some())
    }

    /// The time now, for new sets.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes a set.
    pub async fn create(&self, set: ConfigurationSet) -> Result<(), Error> {
        check_name(&set.name).map_err(Error::Name)?;
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
        check_name(name).map_err(Error::Name)?;
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

    /// Changes a set. What `change` does to its columns and options is written; what it refuses changes nothing.
    ///
    /// # Errors
    /// A set that does not exist, and what `change` says.
    pub async fn change(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        change: impl FnOnce(&mut ConfigurationSet, &mut SetOptions) + Send + 'static,
    ) -> Result<(), Error> {
        check_name(name).map_err(Error::Name)?;
        let (account, region, name) = (account.clone(), region.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    if !configuration_sets::hold(tx, &account, &region, &name).await? {
                        return Err(Error::Missing(name));
                    }
                    let mut set = find(tx, &account, &region, &name).await?;
                    let mut options = set.options.read()?;
                    change(&mut set, &mut options);
                    set.options = Json::of(&options)?;
                    configuration_sets::update(tx, &set).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Switches sending on or off. The figures of a set that is switched on again start anew (SES: `LastFreshStart`).
    ///
    /// # Errors
    /// A set that does not exist.
    pub async fn set_sending(
        &self,
        account: &AccountId,
        region: &Region,
        name: &str,
        enabled: bool,
    ) -> Result<(), Error> {
        let now = self.clock.now().micros();
        let change = move |set: &mut ConfigurationSet, options: &mut SetOptions| {
            if enabled && !set.sending_enabled {
                options.fresh_start = Some(now);
            }
            set.sending_enabled = enabled;
        };
        self.change(account, region, name, change).await
    }

    /// Removes a set with its destinations.
    pub async fn delete(&self, account: &AccountId, region: &Region, name: &str) -> Result<(), Error> {
        check_name(name).map_err(Error::Name)?;
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
}

pub(super) async fn find(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<ConfigurationSet, Error> {
    let set = configuration_sets::find(tx, account, region, name).await?;
    set.ok_or_else(|| Error::Missing(name.to_owned()))
}

/// Checks the name of a set or a destination, in SES's order.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), NameFault> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    match name.chars().count() {
        0 => Err(NameFault::Empty),
        1..=NAME_LENGTH if name.bytes().all(fine) => Ok(()),
        1..=NAME_LENGTH => Err(NameFault::Letters(name.to_owned())),
        _ => Err(NameFault::Long),
    }
}
