//! Publishing what happened to a mail: to the event destinations of its configuration set, and as its identity wants.
use tracing::{error, warn};

use crate::base::Arn;
use crate::mail::content::bridge;
use crate::mail::content::event::Event;
use crate::mail::content::feedback;
use crate::mail::content::metrics;
use crate::outlets::Streams;
use crate::store::Error;
use crate::store::Tx;
use crate::store::event_destinations::{self, Destination, Dimension, Target};
use crate::store::event_types::EventType;
use crate::store::identity_notifications::NotificationKind;
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
        Ok(match destination.target()? {
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
///
/// What cannot be read, of the mail or of who wants to be told, is skipped with an error in the log: what happened is written down
/// all the same, and others are told of it.
///
/// # Errors
/// When the store fails.
pub async fn publish_event(tx: &mut Tx, topics: &Topics, mail: &Mail, event: &Event) -> Result<(), Error> {
    if mail.kind != Kind::User {
        return Ok(());
    }
    unless_unreadable(feedback::tell(tx, topics, mail, event).await, mail, event, "a topic of the identity")?;
    unless_unreadable(feedback::forward(tx, mail, event).await, mail, event, "a mail to the sender")?;
    let Some(set) = mail.configuration_set.as_deref() else { return Ok(()) };
    let destinations = event_destinations::list(tx, &mail.account, &mail.region, set).await?;
    let mut record = None;
    for destination in &destinations {
        let published = publish_to(tx, topics, (mail, set, event), destination, &mut record).await;
        unless_unreadable(published, mail, event, &destination.name)?;
    }
    Ok(())
}

/// Passes on what went wrong, but for what cannot be read, which the log tells.
fn unless_unreadable(done: Result<(), Error>, mail: &Mail, event: &Event, to: &str) -> Result<(), Error> {
    match done {
        Err(error) if error.is_corrupt() => {
            let (set, event) = (mail.configuration_set.as_deref(), event.kind().record_name());
            error!(mail.id = %mail.id, configuration_set = set, destination = %to, event, %error,
                "event not published: what is stored cannot be read");
            Ok(())
        }
        done => done,
    }
}

/// Publishes `event` to one destination, if that wants it. `record` keeps the event as it is written, once it was.
async fn publish_to(
    tx: &mut Tx,
    topics: &Topics,
    (mail, set, event): (&Mail, &str, &Event),
    destination: &Destination,
    record: &mut Option<String>,
) -> Result<(), Error> {
    if !destination.wants(event.kind())? {
        return Ok(());
    }
    let place = Place::of(destination)?;
    if let Place::Metrics(dimensions) = &place {
        return metrics::count(mail, event.kind().record_name(), dimensions);
    }
    let message = match record {
        Some(record) => record,
        None => record.insert(event.record(mail)?),
    };
    let topic = match place {
        Place::Topic(topic) => topic,
        Place::Stream(stream) => return Streams::put(tx, &stream, message).await,
        Place::Bus(bus) => {
            let (id, body) = bridge::envelope(mail, set, event, message, tx.now())?;
            return Topics::put_event_in(tx, &bus, id, body).await;
        }
        Place::Metrics(_) => return Ok(()),
    };
    let (subject, message) = (Some(SUBJECT.to_owned()), message.clone());
    match topics.publish_in(tx, &topic, &Publication { subject, message, ..Publication::default() }).await {
        Ok(_) => {}
        Err(TopicError::Internal(error)) => return Err(error),
        Err(error) => warn!(mail.id = %mail.id, topic = %topic, %error, "event not published"),
    }
    Ok(())
}

/// Whether a delivery of this mail is told to anybody: what [`publish_event`] would find.
pub async fn tells_delivery(tx: &mut Tx, mail: &Mail) -> Result<bool, Error> {
    if mail.kind != Kind::User {
        return Ok(false);
    }
    // Of what cannot be read the event itself is to complain.
    match feedback::tells(tx, mail, NotificationKind::Delivery).await {
        Ok(false) => {}
        Err(error) if !error.is_corrupt() => return Err(error),
        Ok(true) | Err(_) => return Ok(true),
    }
    let Some(set) = mail.configuration_set.as_deref() else { return Ok(false) };
    let destinations = event_destinations::list(tx, &mail.account, &mail.region, set).await?;
    Ok(destinations.iter().any(|destination| destination.wants(EventType::Delivery).unwrap_or(true)))
}
