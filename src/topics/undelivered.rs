//! What a subscribed queue does not take: the history of deliveries says why, and the message goes to the dead-letter queue of
//! its subscription.
use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::base::Arn;
use crate::queues::{self, Outgoing, Queues};
use crate::store::publications::Attempt;
use crate::store::subscriptions::Subscription;
use crate::store::{self, Tx};
use crate::topics::delivery::history;
use crate::topics::rules::content_id;
use crate::topics::{Attribute, Value, attributes, subscription};
use crate::workers::Reason;

/// How much is told of why, in characters.
const WHY_MAX: usize = 1_024;

/// A message that the queue of a subscription did not take.
pub(super) struct Refused<'a> {
    /// The topic that it was published to.
    pub topic: &'a Arn,
    /// Whose queue it is.
    pub subscription: &'a Subscription,
    /// The MessageId.
    pub message: &'a str,
    /// Why the queue did not take it.
    pub why: &'a queues::Error,
}

impl Refused<'_> {
    fn reason(&self) -> Reason {
        match self.why {
            queues::Error::QueueMissing(_) => Reason::Missing,
            queues::Error::Denied(_) => Reason::Forbidden,
            _ => Reason::Refused,
        }
    }

    fn words(&self) -> String {
        self.why.to_string().chars().filter(|c| !c.is_control()).take(WHY_MAX).collect()
    }

    /// What is kept of it in the history.
    fn attempt(&self, tx: &Tx) -> Attempt {
        Attempt {
            subscription: self.subscription.uuid.clone(),
            message_id: self.message.to_owned(),
            attempt: 1,
            at: tx.now(),
            status: None,
            latency_micros: 0,
            outcome: self.reason().as_str().to_owned(),
            answer: self.words(),
        }
    }

    /// The attributes of a dead letter that is not what its subscriber would have got: why it is there. Named as those that
    /// functions' dead letters have.
    fn attributes(&self) -> BTreeMap<String, Attribute> {
        let text = |value: String| Attribute { data_type: "String".to_owned(), value: Value::Text(value) };
        BTreeMap::from([
            ("ErrorCode".to_owned(), text(self.reason().as_str().to_owned())),
            ("ErrorMessage".to_owned(), text(self.words())),
        ])
    }
}

/// Keeps why a message was refused, and hands it to the dead-letter queue. What no queue can hold as it is, raw with more than
/// ten attributes or with characters that queues do not take, goes there in its `envelope`, with the reason in attributes.
pub(super) async fn give_up(
    tx: &mut Tx,
    queues: &Queues,
    refused: &Refused<'_>,
    outgoing: Outgoing,
    envelope: impl FnOnce() -> String + Send,
) -> Result<(), store::Error> {
    let Refused { topic, subscription, message, why } = refused;
    tracing::warn!(message.id = message, endpoint = subscription.endpoint, error = %why, "a subscribed queue did not take a message");
    history::keep(tx, &refused.attempt(tx)).await?;
    let enveloped = Outgoing { body: String::new(), attributes: refused.attributes(), ..outgoing.clone() };
    let again = to_dead_letters(tx, queues, &subscription.attributes, topic, outgoing).await?;
    if again.is_some_and(|why| is_of_form(&why)) {
        let enveloped = Outgoing { body: escaped(&envelope()).into_owned(), ..enveloped };
        to_dead_letters(tx, queues, &subscription.attributes, topic, enveloped).await?;
    }
    Ok(())
}

/// Keeps that a data protection policy did not let a message out to a subscription. It is no dead letter: what the subscriber
/// may not have does not go to a queue of the subscriber's.
pub(super) async fn prohibited(
    tx: &mut Tx,
    topic: &Arn,
    subscription: &Subscription,
    message: &str,
) -> Result<(), store::Error> {
    let arn = subscription::arn(topic, &subscription.uuid);
    let attempt = Attempt {
        subscription: subscription.uuid.clone(),
        message_id: message.to_owned(),
        attempt: 1,
        at: tx.now(),
        // SNS logs such a delivery so.
        status: Some(403),
        latency_micros: 0,
        outcome: Reason::Forbidden.as_str().to_owned(),
        answer: format!("The topic's data protection policy prohibits this message from being delivered to {arn}"),
    };
    history::keep(tx, &attempt).await
}

/// Whether a message is refused for what it holds.
fn is_of_form(why: &queues::Error) -> bool {
    use queues::Error as E;
    matches!(why, E::BodyMissing | E::BodyCharacters(_) | E::MessageAttribute(_) | E::MessageTooLong(_))
}

/// JSON without the two characters that JSON takes as they are and queues do not.
fn escaped(json: &str) -> Cow<'_, str> {
    if json.contains(['\u{FFFE}', '\u{FFFF}']) {
        json.replace('\u{FFFE}', "\\ufffe").replace('\u{FFFF}', "\\uffff").into()
    } else {
        json.into()
    }
}

/// Hands a message that could not be delivered to the dead-letter queue of its subscription, when that has one. Gives why that
/// queue did not take it, if so; then the message is given up, as on AWS.
pub(in crate::topics) async fn to_dead_letters(
    tx: &mut Tx,
    queues: &Queues,
    subscription_attributes: &str,
    topic: &Arn,
    mut outgoing: Outgoing,
) -> Result<Option<queues::Error>, store::Error> {
    let attributes = attributes::read(subscription_attributes)?;
    let queue = attributes.get("RedrivePolicy").and_then(|redrive| attributes::dead_letter_queue(redrive, topic).ok());
    let Some(queue) = queue else { return Ok(None) };
    if !queue.resource.ends_with(".fifo") {
        outgoing.deduplication_id = None;
        outgoing.group_id = outgoing.group_id.filter(|_| !topic.resource.ends_with(".fifo"));
    } else if outgoing.deduplication_id.is_none() {
        outgoing.deduplication_id = Some(content_id(&outgoing.body));
    }
    match queues.deliver_for(tx, topic, &queue, outgoing).await {
        Ok(_) => Ok(None),
        Err(queues::Error::Internal(error)) => Err(error),
        Err(error) => {
            tracing::warn!(queue = %queue, %error, "a dead-letter queue did not take a message");
            Ok(Some(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_holds_every_character() {
        let message = "a\u{0}b\u{FFFE}\u{FFFF}c\u{FFFD}";
        let json = serde_json::to_string(message).expect("JSON");
        let escaped = escaped(&json);
        assert!(!escaped.contains(['\u{0}', '\u{FFFE}', '\u{FFFF}']) && escaped.contains('\u{FFFD}'));
        assert_eq!(serde_json::from_str::<String>(&escaped).expect("JSON still"), message);
    }
}
