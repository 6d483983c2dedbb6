//! Who else may use a queue: its policy, permissions by label, and what topics of other accounts may do.
use std::sync::Arc;

use serde_json::{Value, json};

use crate::access::policy::{Decision, Policy, Principal, Request, STATEMENTS_MAX};
use crate::base::{AccountId, Arn, Clock, Scope};
use crate::queues::cache::find;
use crate::queues::send::insert;
use crate::queues::{Error, Outgoing, Queue, Queues, Sent, arn, protection};
use crate::store::{self, Tx, queues};

/// The most actions of a statement that AddPermission makes (SQS API reference, AddPermission).
const ACTIONS_MAX: usize = 7;
const LABEL_MAX: usize = 80;
/// What another account can be allowed; the rest is the owner's (SQS developer guide, "Amazon SQS API permissions").
const GRANTABLE: [&str; 9] = [
    "*",
    "ChangeMessageVisibility",
    "DeleteMessage",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListDeadLetterSourceQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
];
/// What is the owner's alone.
const OWNERS: [&str; 15] = [
    "AddPermission",
    "CancelMessageMoveTask",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessageBatch",
    "DeleteQueue",
    "ListMessageMoveTasks",
    "ListQueueTags",
    "ListQueues",
    "RemovePermission",
    "SendMessageBatch",
    "SetQueueAttributes",
    "StartMessageMoveTask",
    "TagQueue",
    "UntagQueue",
];
impl Queues {
    fn policy_of(&self, queue: &Queue) -> Result<Option<Arc<Policy>>, Error> {
        let Some(text) = protection::policy(&queue.settings)? else { return Ok(None) };
        let read = || Policy::read(&text).map(Arc::new).map_err(store::Error::corrupt);
        Ok(Some(self.policies.get_or_make(text.as_str(), read)?))
    }

    /// The policy of a queue; `None` when it has none or is not there.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn policy(&self, scope: &Scope, name: &str) -> Result<Option<Arc<Policy>>, Error> {
        match self.queue(scope, name).await {
            Ok(queue) => self.policy_of(&queue),
            Err(Error::QueueMissing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lets accounts use a queue, in a statement with this label.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]; [`Error::Parameter`] for a label, account or action; [`Error::TooMany`].
    pub async fn add_permission(
        &self,
        scope: &Scope,
        name: &str,
        label: &str,
        accounts: Vec<String>,
        actions: Vec<String>,
    ) -> Result<(), Error> {
        check_permission(label, &accounts, &actions)?;
        let label = label.to_owned();
        self.change_policy(scope, name, move |queue, statements| {
            if statements.iter().any(|statement| has_label(statement, &label)) {
                return Err(Error::Parameter { name: "Label", value: label, reason: "Already exists." });
            }
            if statements.len() >= STATEMENTS_MAX {
                return Err(Error::TooMany { what: "Statements", count: statements.len() + 1, max: STATEMENTS_MAX });
            }
            let principals = accounts.iter().map(|id| json!(format!("arn:aws:iam::{id}:root"))).collect();
            let actions = actions.iter().map(|action| json!(format!("SQS:{action}"))).collect();
            statements.push(json!({
                "Sid": label,
                "Effect": "Allow",
                "Principal": {"AWS": one_or_all(principals)},
                "Action": one_or_all(actions),
                "Resource": arn(queue).to_string(),
            }));
            Ok(())
        })
        .await
    }

    /// Takes the statement with this label away.
    ///
    /// # Errors
    /// [`Error::QueueMissing`]; [`Error::Parameter`] when no statement has the label.
    pub async fn remove_permission(&self, scope: &Scope, name: &str, label: &str) -> Result<(), Error> {
        let label = label.to_owned();
        self.change_policy(scope, name, move |_, statements| {
            let before = statements.len();
            statements.retain(|statement| !has_label(statement, &label));
            if statements.len() == before {
                let (value, reason) = (label.chars().take(256).collect(), "can't find label.");
                return Err(Error::Parameter { name: "Label", value, reason });
            }
            Ok(())
        })
        .await
    }

    async fn change_policy(
        &self,
        scope: &Scope,
        name: &str,
        change: impl FnOnce(&Queue, &mut Vec<Value>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (scope, name) = (scope.clone(), name.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    queues::hold(tx, &scope.account, &scope.region, &name).await?;
                    let mut queue = find(tx, &scope, &name).await?;
                    let mut document = match protection::policy(&queue.settings)? {
                        Some(text) => serde_json::from_str(&text).map_err(store::Error::corrupt)?,
                        None => json!({"Version": "2008-10-17", "Id": format!("{}/SQSDefaultPolicy", arn(&queue))}),
                    };
                    let mut statements = match document.get_mut("Statement").map(Value::take) {
                        Some(Value::Array(list)) => list,
                        Some(one) => vec![one],
                        None => vec![],
                    };
                    change(&queue, &mut statements)?;
                    let text = if statements.is_empty() {
                        String::new()
                    } else {
                        if let Some(document) = document.as_object_mut() {
                            document.insert("Statement".to_owned(), Value::Array(statements));
                        }
                        document.to_string()
                    };
                    protection::set_policy(&mut queue.settings, &text)?;
                    queues::update(tx, queue.id, &queue.settings).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Adds one message for a topic inside the caller's transaction. A queue of the topic's own account takes it unless
    /// its policy denies it; a queue of another account only if its policy allows it.
    ///
    /// # Errors
    /// [`Error::Denied`], and those of [`Queues::deliver`]. The transaction can go on.
    pub async fn deliver_for(&self, tx: &mut Tx, topic: &Arn, to: &Arn, message: Outgoing) -> Result<Sent, Error> {
        let scope = Scope { account: to.account.clone(), region: to.region.clone() };
        let queue = find(tx, &scope, &to.resource).await?;
        if !self.lets(&queue, topic, to)? {
            return Err(Error::Denied(to.to_string()));
        }
        if message.group_id.is_some() {
            self.note_groups(&queue);
        }
        let sent = insert(tx, &queue, vec![message]).await?;
        sent.into_iter().next().unwrap_or(Err(Error::BodyMissing))
    }

    /// Whether a queue takes messages of a topic; one that is not there takes none.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn takes_from(&self, tx: &mut Tx, topic: &Arn, queue: &Arn) -> Result<bool, Error> {
        match queues::find(tx, &queue.account, &queue.region, &queue.resource).await? {
            Some(found) => self.lets(&found, topic, queue),
            None => Ok(false),
        }
    }

    pub(super) fn lets(&self, found: &Queue, topic: &Arn, queue: &Arn) -> Result<bool, Error> {
        let own = queue.account == topic.account;
        let Some(policy) = self.policy_of(found)? else { return Ok(own) };
        let decision = policy.decide(&asked_by_topic(topic, queue, &self.clock));
        Ok(decision == Decision::Allow || (own && decision == Decision::Silent))
    }
}

fn asked_by_topic(topic: &Arn, queue: &Arn, clock: &Clock) -> Request {
    Request {
        principal: Principal::Service { name: "sns.amazonaws.com", source: topic.clone() },
        action: "sqs:SendMessage".to_owned(),
        resource: queue.to_string(),
        source_ip: None,
        // It does not leave this server.
        secure: true,
        region: queue.region.clone(),
        at: clock.now(),
        more: Vec::new(),
    }
}

fn check_permission(label: &str, accounts: &[String], actions: &[String]) -> Result<(), Error> {
    let refused =
        |name, value: &str, reason| Err(Error::Parameter { name, value: value.chars().take(256).collect(), reason });
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=LABEL_MAX).contains(&label.len()) || !label.bytes().all(fine) {
        let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
        return refused("Label", label, reason);
    }
    if accounts.is_empty() {
        return refused("PrincipalId", "[]", "Unable to verify.");
    }
    if let Some(bad) = accounts.iter().find(|id| id.parse::<AccountId>().is_err()) {
        return refused("PrincipalId", bad, "Unable to verify.");
    }
    if actions.len() > ACTIONS_MAX {
        return Err(Error::TooMany { what: "Actions", count: actions.len(), max: ACTIONS_MAX });
    }
    let Some(bad) = actions.iter().find(|action| !GRANTABLE.contains(&action.as_str())) else { return Ok(()) };
    let reason = if OWNERS.contains(&bad.as_str()) {
        "Only the queue owner is allowed to invoke this action."
    } else {
        "Please refer to the appropriate WSDL for a list of valid actions."
    };
    refused("ActionName", &format!("SQS:{bad}"), reason)
}

fn has_label(statement: &Value, label: &str) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(label)
}

fn one_or_all(mut texts: Vec<Value>) -> Value {
    match texts.len() {
        1 => texts.remove(0),
        _ => Value::Array(texts),
    }
}
