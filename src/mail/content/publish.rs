//! Publishing what happened to a mail: to the event destinations of its configuration set, and as its identity wants.
use tracing::{error, warn};

use crate::base::Arn;
use crate::mail::content::bridge;
use crate::mail::content::destination::{Dimension, Target};
use crate::mail::content::event::Event;
use crate::mail::content::feedback;
use crate::mail::content::metrics;
use crate::outlets::Streams;
use crate::store::Error;
use crate::store::Tx;
use crate::store::configuration_sets::{self, Destination};
use crate::store::mails::{Kind, Mail};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};

/// The subject of every event notification, as SES gives it.
const SUBJECT: &str = "Amazon SES Email Event Notification";

/// Where an event goes.
enum Place {
    Topic(Arn),
    Stream(Arn),
    Bus(Arn),
    Metrics(Vec<Dimension>),
}

impl Place {
    /// What a stored destination says, all of it read.
    fn of(destination: &Destination) -> Result<Self, Error> {
        let read = |arn: &str| arn.parse::<Arn>().map_err(Error::corrupt);
        Ok(match Target::of(destination)? {
            Target::Topic(arn) => Self::Topic(read(&arn)?),
            Target::Stream { stream_arn, .. } => Self::Stream(read(&stream_arn)?),
            Target::Bus(arn) => Self::Bus(read(&arn)?),
            Target::Metrics(dimensions) => Self::Metrics(dimensions),
        })
    }
}

/// Publishes `event` to each enabled destination of the mail's configuration set that wants its type, in the caller's
/// transaction: the event exists exactly if what it tells of was committed. A destination whose topic is gone is
/// skipped with a warning, since the mail must go on. Our own mails and mails without a configuration set have no events.
pub async fn publish_event(tx: &mut Tx, topics: &Topics, mail: &Mail, event: &Event) -> Result<(), Error> {
    if mail.kind != Kind::User {
        return Ok(());
    }
    feedback::tell(tx, topics, mail, event).await?;
    let Some(set) = mail.configuration_set.as_deref() else { return Ok(()) };
    let destinations = configuration_sets::destinations(tx, &mail.account, &mail.region, set).await?;
    let wanted = event.matching_type();
    let wants = |types: &[String]| types.iter().any(|t| t == wanted);
    let mut record = None;
    for destination in destinations.iter().filter(|d| d.enabled && wants(&d.event_types)) {
        let topic = match Place::of(destination) {
            Ok(Place::Topic(topic)) => topic,
            Ok(Place::Stream(stream)) => {
                Streams::put(tx, &stream, record.get_or_insert_with(|| event.record(mail))).await?;
                continue;
            }
            Ok(Place::Bus(bus)) => {
                let record = record.get_or_insert_with(|| event.record(mail));
                let (id, body) = bridge::envelope(mail, set, event, record, tx.now());
                Topics::put_event_in(tx, &bus, id, body).await?;
                continue;
            }
            Ok(Place::Metrics(dimensions)) => {
                metrics::count(mail, event.name(), &dimensions);
                continue;
            }
            // The mail must go on, and so must the events of other destinations.
            Err(error) => {
                error!(mail.id = %mail.id, configuration_set = set, destination = %destination.name, event = event.name(), %error,
                    "event not published: its destination cannot be read");
                continue;
            }
        };
        let message = record.get_or_insert_with(|| event.record(mail)).clone();
        let publication = Publication { subject: Some(SUBJECT.to_owned()), message, ..Publication::default() };
        match topics.publish_in(tx, &topic, &publication).await {
            Ok(_) => {}
            Err(TopicError::Internal(error)) => return Err(error),
            Err(error) => warn!(mail.id = %mail.id, topic = %topic, %error, "event not published"),
        }
    }
    Ok(())
}

/// Whether a delivery of this mail is told to anybody: what [`publish_event`] would find.
pub async fn tells_delivery(tx: &mut Tx, mail: &Mail) -> Result<bool, Error> {
    if mail.kind != Kind::User {
        return Ok(false);
    }
    if feedback::tells(tx, mail, "Delivery").await? {
        return Ok(true);
    }
    let Some(set) = mail.configuration_set.as_deref() else { return Ok(false) };
    let destinations = configuration_sets::destinations(tx, &mail.account, &mail.region, set).await?;
    Ok(destinations.iter().any(|d| d.enabled && d.event_types.iter().any(|t| t == "DELIVERY")))
}
