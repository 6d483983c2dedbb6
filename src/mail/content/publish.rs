//! Publishing what happened to a mail: to the event destinations of its configuration set, and as its identity wants.
use tracing::warn;

use crate::base::Arn;
use crate::mail::content::bridge;
use crate::mail::content::destination::Target;
use crate::mail::content::event::Event;
use crate::mail::content::feedback;
use crate::mail::content::metrics;
use crate::outlets::Streams;
use crate::store::Error;
use crate::store::Tx;
use crate::store::configuration_sets;
use crate::store::mails::{Kind, Mail};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};

/// The subject of every event notification, as SES gives it.
const SUBJECT: &str = "Amazon SES Email Event Notification";

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
        let topic_arn = match Target::of(destination) {
            Target::Topic(arn) => arn,
            Target::Stream { stream_arn, .. } => {
                if let Ok(stream) = stream_arn.parse::<Arn>() {
                    Streams::put(tx, &stream, record.get_or_insert_with(|| event.record(mail))).await?;
                }
                continue;
            }
            Target::Bus(bus) => {
                if let Ok(bus) = bus.parse::<Arn>() {
                    let record = record.get_or_insert_with(|| event.record(mail));
                    let (id, body) = bridge::envelope(mail, set, event, record, tx.now());
                    Topics::put_event_in(tx, &bus, id, body).await?;
                }
                continue;
            }
            Target::Metrics(dimensions) => {
                metrics::count(mail, event.name(), &dimensions);
                continue;
            }
        };
        let message = record.get_or_insert_with(|| event.record(mail)).clone();
        let Ok(topic) = topic_arn.parse::<Arn>() else { continue };
        let publication = Publication { subject: Some(SUBJECT.to_owned()), message, ..Publication::default() };
        match topics.publish_in(tx, &topic, &publication).await {
            Ok(_) => {}
            Err(TopicError::Internal(error)) => return Err(error),
            Err(error) => warn!(mail.id = %mail.id, topic = %topic, %error, "event not published"),
        }
    }
    Ok(())
}
