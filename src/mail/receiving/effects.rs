//! What the actions of a mail leave to be committed with the end of its job: notifications and bounces.
use std::time::Duration;

use crate::base::Arn;
use crate::mail::receiving::Owner;
use crate::mail::receiving::actions::bounce::Bounce;
use crate::mail::receiving::actions::{Effect, Failure};
use crate::mail::receiving::notification::SUBJECT;
use crate::store::mails::{Kind, Mail};
use crate::store::{Error, Tx, mails, topics};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};
use crate::workers;
use crate::workers::{Job, Reason, SystemQueue};

/// How long a bounce is tried.
const BOUNCE_LIFETIME: Duration = Duration::from_secs(24 * 3600);

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

/// Stores the bounce as a mail of our own with the null reverse path (an empty `return_path`) and its outbound job.
async fn enqueue_bounce(tx: &mut Tx, owner: &Owner, bounce: Bounce) -> Result<(), Error> {
    let now = tx.now();
    let recipient = bounce.recipient.to_string();
    let mail = Mail {
        id: bounce.id.clone(),
        account: owner.account.to_string(),
        region: owner.region.to_string(),
        caller: "receipt-rule".to_owned(),
        source_ip: None,
        source: bounce.sender.to_string(),
        return_path: String::new(),
        configuration_set: None,
        tags: "[]".to_owned(),
        headers: "{}".to_owned(),
        identity: None,
        kind: Kind::System,
        size: i64::try_from(bounce.message.len()).unwrap_or(i64::MAX),
        recipient_count: 1,
        accepted_at: now,
        expires_at: now + BOUNCE_LIFETIME,
    };
    mails::insert(tx, &mail, bounce.message, &[recipient]).await?;
    let job = Job {
        body: serde_json::json!({ "mail": bounce.id, "recipient": 0 }).to_string(),
        group: Some(bounce.recipient.domain().to_string()),
        visible_at: now,
    };
    workers::enqueue(tx, SystemQueue::Outbound, &[job]).await
}
