//! What the actions of a mail leave to be committed with the end of its job: notifications, messages, bounces, mails that
//! go on, and work for later jobs.
use crate::base::{Arn, Scope};
use crate::mail::own::system::{Onward, SystemMail, SystemMailError, send_in, send_on_in};
use crate::mail::receiving::accept::{InboundJob, RuleName};
use crate::mail::receiving::actions::{Bounce, Forward};
use crate::mail::receiving::actions::{Effect, Failure};
use crate::mail::receiving::handed::Task;
use crate::mail::receiving::notification::SUBJECT;
use crate::queues::{Error as QueueError, Outgoing, Queues};
use crate::store::forwards::Forwarded;
use crate::store::mails::Kind;
use crate::store::{Error, Tx, forwards, queues, topics};
use crate::topics::Error as TopicError;
use crate::topics::{Publication, Topics};
use crate::workers;
use crate::workers::{Job, Reason, SystemQueue};

/// What effects are done with.
#[derive(Clone)]
pub(super) struct Targets {
    pub topics: Topics,
    pub queues: Queues,
}

/// Parts the effects into those that can be done and the failures of those whose topic or queue does not exist any more, or
/// does not take so large a message.
pub(super) async fn part(tx: &mut Tx, effects: Vec<Effect>) -> Result<(Vec<Effect>, Vec<Failure>), Error> {
    let (mut good, mut missing) = (Vec::with_capacity(effects.len()), Vec::new());
    for effect in effects {
        match &effect {
            Effect::Publish { topic, .. } if !exists(tx, topic).await? => missing.push(Failure {
                reason: Reason::Missing,
                text: format!("topic {topic} does not exist any more"),
                temporary: false,
            }),
            Effect::Send { queue, message, .. } => match refusal(tx, queue, message).await? {
                Some(failure) => missing.push(failure),
                None => good.push(effect),
            },
            _ => good.push(effect),
        }
    }
    Ok((good, missing))
}

async fn exists(tx: &mut Tx, topic: &Arn) -> Result<bool, Error> {
    Ok(topics::find(tx, &topic.account, &topic.region, &topic.resource).await?.is_some())
}

/// Why the queue would not take the message.
async fn refusal(tx: &mut Tx, queue: &Arn, message: &str) -> Result<Option<Failure>, Error> {
    let (reason, text) = match queues::find(tx, &queue.account, &queue.region, &queue.resource).await? {
        None => (Reason::Missing, format!("queue {queue} does not exist any more")),
        Some(found) if u32::try_from(message.len()).map_or(true, |size| size > found.settings.message_size_max) => {
            (Reason::Refused, format!("the mail is larger than queue {queue} takes"))
        }
        Some(_) => return Ok(None),
    };
    Ok(Some(Failure { reason, text, temporary: false }))
}

/// Does the effects of the mail `id` in the caller's transaction. A topic or queue that vanished since [`part`] looked is
/// logged and passed over.
pub(super) async fn commit(
    tx: &mut Tx,
    targets: &Targets,
    owner: &Scope,
    id: &str,
    effects: Vec<Effect>,
) -> Result<(), Error> {
    for effect in effects {
        match effect {
            Effect::Publish { topic, message } => publish(tx, &targets.topics, &topic, message).await?,
            Effect::Bounce(bounce) => enqueue_bounce(tx, owner, *bounce).await?,
            Effect::Send { queue, message, group, id } => {
                send(tx, &targets.queues, &queue, message, (group, id)).await?;
            }
            Effect::Hand(task, rule) => hand(tx, owner, id, (task, rule)).await?,
            Effect::Forward(forward) => enqueue_forward(tx, owner, id, *forward).await?,
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
async fn enqueue_bounce(tx: &mut Tx, owner: &Scope, bounce: Bounce) -> Result<(), Error> {
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

/// A FIFO queue keeps the order of each recipient's mail.
async fn send(
    tx: &mut Tx,
    queues: &Queues,
    queue: &Arn,
    body: String,
    (group, id): (String, String),
) -> Result<(), Error> {
    let fifo = queue.resource.ends_with(".fifo");
    let message = Outgoing {
        body,
        group_id: fifo.then(|| group.chars().filter(char::is_ascii_graphic).take(128).collect()),
        deduplication_id: fifo.then_some(id),
        ..Outgoing::default()
    };
    match queues.deliver(tx, queue, message).await {
        Ok(_) => Ok(()),
        Err(QueueError::Internal(error)) => Err(error),
        Err(error) => {
            tracing::error!(queue = %queue, %error, "a received mail was not sent to its queue");
            Ok(())
        }
    }
}

async fn hand(tx: &mut Tx, owner: &Scope, mail: &str, (task, rule): (Task, RuleName)) -> Result<(), Error> {
    let (group, Scope { account, region }) = (Some(task.group()), owner.clone());
    let (task, account, region, rule) = (Some(task), Some(account), Some(region), Some(rule));
    let job = InboundJob { mail: mail.to_owned(), task, account, region, rule };
    let body = serde_json::to_string(&job).map_err(Error::corrupt)?;
    let visible_at = tx.now();
    workers::enqueue(tx, SystemQueue::Inbound, &[Job { body, group, visible_at }]).await
}

async fn enqueue_forward(tx: &mut Tx, owner: &Scope, inbound_id: &str, forward: Forward) -> Result<(), Error> {
    let Forward { from, null, to, told, message } = forward;
    let (account, region, received_by) = (owner.account.clone(), owner.region.clone(), from.to_string());
    let onward = Onward { account, region, from, null, to, raw: message, kind: Kind::Forward };
    let mail_id = send_on_in(tx, onward).await?;
    tracing::info!(message.id = inbound_id, mail.id = %mail_id, "received mail goes on");
    let reverse_path = told.map(|address| address.to_string()).unwrap_or_default();
    let inbound_id = inbound_id.to_owned();
    forwards::insert(tx, &Forwarded { mail_id, inbound_id, received_by, reverse_path }).await
}
