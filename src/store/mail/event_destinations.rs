//! The event destinations of configuration sets: where the events of a set's mails go.
use serde::{Deserialize, Serialize};

use crate::base::words::words;
use crate::base::{AccountId, Region, Timestamp};
use crate::store::args;
use crate::store::engine::kept_table::KeptTable;
use crate::store::mail::event_types::EventType;
use crate::store::{Error, Json, Row, Tx};

pub(in crate::store) const EVENT_DESTINATIONS: KeptTable = KeptTable::new("event_destinations");

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DimensionSource {
    /// A tag of the mail.
    MessageTag,
    /// A header of the mail.
    EmailHeader,
    /// A tag of the link that was clicked. There is no click tracking here, so the default counts.
    LinkTag,
}

words!(DimensionSource { MessageTag => "MessageTag", EmailHeader => "EmailHeader", LinkTag => "LinkTag" });

/// Where the events of a configuration set go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// Whether it gets events.
    pub enabled: bool,
    /// Which.
    pub event_types: Json<Vec<EventType>>,
    /// The SNS topic; empty for a destination of another kind.
    pub topic_arn: String,
    /// What a destination of another kind needs to know.
    pub details: Option<Json<Target>>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Destination {
    /// Whether events of this type go there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the types cannot be read.
    pub fn wants(&self, kind: EventType) -> Result<bool, Error> {
        Ok(self.enabled && self.event_types.read()?.contains(&kind))
    }

    /// What the destination is.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where what is stored cannot be read.
    pub fn target(&self) -> Result<Target, Error> {
        self.details.as_ref().map_or_else(|| Ok(Target::Topic(self.topic_arn.clone())), Json::read)
    }
}

/// Stores a new destination; breaks the unique rule when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    set: &str,
    d: &Destination,
) -> Result<(), Error> {
    tx.change(
        &EVENT_DESTINATIONS,
        "INSERT INTO event_destinations (account, region, configuration_set, name, enabled, event_types, topic_arn, \
         details, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        args![account, region, set, &d.name, d.enabled, &d.event_types, &d.topic_arn, d.details.as_ref(), d.created_at],
    )
    .await?;
    Ok(())
}

/// Writes what may change of a destination; false when there is none.
pub async fn update(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    set: &str,
    d: &Destination,
) -> Result<bool, Error> {
    let rows = tx
        .change(
            &EVENT_DESTINATIONS,
            "UPDATE event_destinations SET enabled = $1, event_types = $2, topic_arn = $3, details = $4 \
             WHERE account = $5 AND region = $6 AND configuration_set = $7 AND name = $8",
            args![d.enabled, &d.event_types, &d.topic_arn, d.details.as_ref(), account, region, set, &d.name],
        )
        .await?;
    Ok(rows > 0)
}

/// The destinations of a set, in the order of names: at most 10.
pub async fn list(tx: &mut Tx, account: &AccountId, region: &Region, set: &str) -> Result<Vec<Destination>, Error> {
    let sql = "SELECT * FROM event_destinations WHERE account = $1 AND region = $2 AND configuration_set = $3 \
               ORDER BY name LIMIT 10";
    let rows = tx.all(sql, args![account, region, set]).await?;
    rows.iter().map(destination).collect()
}

/// Removes a destination; false when there was none.
pub async fn delete(tx: &mut Tx, account: &AccountId, region: &Region, set: &str, name: &str) -> Result<bool, Error> {
    let sql =
        "DELETE FROM event_destinations WHERE account = $1 AND region = $2 AND configuration_set = $3 AND name = $4";
    Ok(tx.change(&EVENT_DESTINATIONS, sql, args![account, region, set, name]).await? > 0)
}

fn destination(row: &Row) -> Result<Destination, Error> {
    Ok(Destination {
        name: row.text("name")?,
        enabled: row.flag("enabled")?,
        event_types: row.json("event_types")?,
        topic_arn: row.text("topic_arn")?,
        details: row.opt_json("details")?,
        created_at: row.time("created_at")?,
    })
}
