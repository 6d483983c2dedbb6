//! One message for each of many queues, inside the caller's transaction and in few statements: the fan-out of a topic.
use std::collections::HashMap;
use std::sync::Arc;

use crate::base::{Arn, Scope};
use crate::queues::checking::check;
use crate::queues::outgoing::row;
use crate::queues::{Error, Outgoing, Queue, Queues, arn, deduplicating};
use crate::store::{self, Tx, messages, queues};

/// Queues that were looked up, by their ARNs.
#[derive(Default)]
pub struct Targets(HashMap<String, Arc<Queue>>);

impl Queues {
    /// Looks queues up outside of any transaction, as senders do: what is known of them may be a second old.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn targets(&self, arns: Vec<Arn>) -> Result<Targets, store::Error> {
        let mut targets = HashMap::with_capacity(arns.len());
        for arn in arns {
            let scope = Scope { account: arn.account.clone(), region: arn.region.clone() };
            match self.queue(&scope, &arn.resource).await {
                Ok(queue) => drop(targets.insert(arn.to_string(), queue)),
                Err(Error::Internal(error)) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(Targets(targets))
    }

    /// Looks queues up inside a transaction.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn targets_in(&self, tx: &mut Tx, arns: Vec<Arn>) -> Result<Targets, store::Error> {
        let names: Vec<_> = arns.into_iter().map(|to| (to.account, to.region, to.resource)).collect();
        let found = queues::find_each(tx, &names).await?;
        Ok(Targets(found.into_iter().map(|queue| (arn(&queue).to_string(), Arc::new(queue))).collect()))
    }

    /// Adds messages for a topic, each to its queue, by the rules of [`Queues::deliver_for`]. Gives for each, in the same
    /// order, why its queue did not take it. FIFO queues are gone through in the order of their ids, and only one group of
    /// each is held, so that fan-outs do not wait for each other in a circle.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn deliver_each(
        &self,
        tx: &mut Tx,
        topic: &Arn,
        messages: Vec<(Arn, Outgoing)>,
        targets: &Targets,
    ) -> Result<Vec<Option<Error>>, store::Error> {
        let (mut rows, mut in_order, mut answers) = (Vec::new(), Vec::new(), Vec::with_capacity(messages.len()));
        for (n, (to, message)) in messages.into_iter().enumerate() {
            let queue = match targets.0.get(&to.to_string()) {
                Some(queue) => queue,
                None => {
                    answers.push(Some(Error::QueueMissing(to.resource)));
                    continue;
                }
            };
            let refused = match self.accepts(queue, topic, &to, &message) {
                Err(error) => Some(error),
                Ok(()) if queue.settings.fifo.is_some() => {
                    in_order.push((queue, n, message));
                    None
                }
                Ok(()) => {
                    if message.group_id.is_some() {
                        self.note_groups(queue);
                    }
                    row(tx.vault(), tx.now(), queue, message).map(|(row, _)| rows.push((queue.id, row))).err()
                }
            };
            answers.push(own(refused)?);
        }
        messages::insert_each(tx, &rows).await?;
        in_order.sort_by_key(|(queue, _, _)| queue.id);
        for (queue, n, message) in in_order {
            let refused = match deduplicating::insert(tx, queue, vec![message]).await {
                Ok(mut sent) => sent.pop().and_then(Result::err),
                Err(error) => Some(error),
            };
            if let (Some(answer), Some(error)) = (answers.get_mut(n), own(refused)?) {
                *answer = Some(error);
            }
        }
        Ok(answers)
    }

    fn accepts(&self, queue: &Queue, topic: &Arn, to: &Arn, message: &Outgoing) -> Result<(), Error> {
        if !self.lets(queue, topic, to)? {
            return Err(Error::Denied(to.to_string()));
        }
        check(queue, message)
    }
}

/// Our own failure ends the transaction; a queue's refusal is only that queue's.
fn own(refused: Option<Error>) -> Result<Option<Error>, store::Error> {
    match refused {
        Some(Error::Internal(error)) => Err(error),
        refused => Ok(refused),
    }
}
