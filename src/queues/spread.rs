//! One message for each of many queues, inside the caller's transaction and in few statements: the fan-out of a topic.
use std::collections::HashMap;

use crate::base::Arn;
use crate::queues::send::{check, row};
use crate::queues::{Error, Outgoing, Queue, Queues, arn, fifo};
use crate::store::{self, Tx, messages, queues};

impl Queues {
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
    ) -> Result<Vec<Option<Error>>, store::Error> {
        let name = |(to, _): &(Arn, Outgoing)| (to.account.clone(), to.region.clone(), to.resource.clone());
        let names: Vec<_> = messages.iter().map(name).collect();
        let found = queues::find_each(tx, &names).await?;
        let found: HashMap<String, Queue> = found.into_iter().map(|queue| (arn(&queue).to_string(), queue)).collect();
        let (mut rows, mut in_order, mut answers) = (Vec::new(), Vec::new(), Vec::with_capacity(messages.len()));
        for (n, (to, message)) in messages.into_iter().enumerate() {
            let queue = match found.get(&to.to_string()) {
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
                    row(tx, queue, message).map(|(row, _)| rows.push((queue.id, row))).err()
                }
            };
            answers.push(own(refused)?);
        }
        messages::insert_each(tx, &rows).await?;
        in_order.sort_by_key(|(queue, _, _)| queue.id);
        for (queue, n, message) in in_order {
            let refused = match fifo::insert(tx, queue, vec![message]).await {
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
