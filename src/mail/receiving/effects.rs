//! What the actions of a mail leave to be committed with the end of its job: notifications and bounces.
use crate::base::Arn;
use crate::mail::receiving::Owner;
use crate::mail::receiving::actions::bounce::Bounce;
use crate::mail::receiving::actions::{Effect, Failure};
use crate::mail::receiving::notification::SUBJECT;
use crate::mail::sending::system::{SystemMail, SystemMailError, send_in};
use crate::store::{Error, Tx, topics};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};
use crate::workers::Reason;

/// Parts the effects into those that can be done and the failures of those whose topic does not exist any more.
pub async fn part(tx: &mut Tx, effects: Vec<Effect>) -> Result<(Vec<Effect>, Vec<Failure>), Error> {
    let (mut good, mut missing) = (Vec::with_capacity(effects.len()), Vec::new());
    for effect in effects {
        match &effect {
            Effect::Publish { topic, .. } if !exists(tx, topic).await? => missing.push(Failure {
                reason: Reason::Missing,
                text: format!("topic {topic} does not exist any more"),
                temporary: false,
            }),
            _ => good.push(effect),
        }
    }
    Ok((good, missing))
}

async fn exists(tx: &mut Tx, topic: &Arn) -> Result<bool, Error> {
    Ok(topics::find(tx, &topic.account, &topic.region, &topic.resource).await?.is_some())
}

/// Does the effects in the caller's transaction. A topic that vanished since [`part`] looked is logged and passed over.
pub async fn commit(tx: &mut Tx, topics: &Topics, owner: &Owner, effects: Vec<Effect>) -> Result<(), Error> {
    for effect in effects {
        match effect {
            Effect::Publish { topic, message } => publish(tx, topics, &topic, message).await?,
            Effect::Bounce(bounce) => enqueue_bounce(tx, owner, *bounce).await?,
        }
    }
    Ok(())
}

async fn publish(tx: &mut Tx, topics: &Topics, topic: &Arn, message: String) -> Result<(), Error> {
    let publication = Publication { subject: Some(SUBJECT.to_owned()), message, ..Publication::default() };
    match topics.publish_in(tx, topic, &publication).await {
        Ok(_) => Ok(()),
        Err(TopicError::Internal(error)) => Err(error),
        Err(error) => {
            tracing::error!(topic = %topic, %error, "a receipt notification was not published");
            Ok(())
        }
    }
}

/// Queues the bounce as a mail of our own, with the null reverse path.
async fn enqueue_bounce(tx: &mut Tx, owner: &Owner, bounce: Bounce) -> Result<(), Error> {
    let mail = SystemMail {
        account: owner.account.clone(),
        region: owner.region.clone(),
        source: bounce.sender,
        recipient: bounce.recipient,
        raw: bounce.message,
        hostname: bounce.hostname,
    };
    match send_in(tx, mail).await {
        Ok(_) => Ok(()),
        Err(SystemMailError::Internal(error)) => Err(error),
        Err(error) => {
            tracing::error!(%error, "a bounce was not sent");
            Ok(())
        }
    }
}
