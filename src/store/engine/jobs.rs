//! What callers hand to a lane: a change of any kind as a closure, or a value of a kind that many callers bring.
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::store::engine::dialect::Engine;
use crate::store::mail::accepted::Accepts;
use crate::store::mail::settled::Settles;
use crate::store::queue::merged_claims::Claims;
use crate::store::queue::merged_messages::{Deletes, Inserts};
use crate::store::{Error, Tx};

/// A change to make in a transaction, and those who wait for its answer.
pub(in crate::store) trait Job: Send {
    /// Makes the change. `false` when it must be undone.
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool>;
    /// Replaces what the change itself said: it was undone for this reason.
    fn fail(&mut self, why: Error);
    /// Whether it can run again after it was undone.
    fn is_repeatable(&self) -> bool;
    /// Whether it adds to what is stored: it is not tried again on a full disk.
    fn grows(&self) -> bool;
    /// Whether it is one statement.
    fn is_one_statement(&self, engine: Engine) -> bool;
    /// What to try alone after this was undone: a job for each of those who share it. Itself, where there is nothing to
    /// try any more.
    fn apart(self: Box<Self>) -> Result<Vec<Box<dyn Job>>, Box<dyn Job>>;
    /// Answers, once the transaction's end is known.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

/// The usual job: a closure over the transaction.
pub(in crate::store) struct Change<F, T, E> {
    pub(in crate::store) work: Option<F>,
    pub(in crate::store) result: Option<Result<T, E>>,
    pub(in crate::store) reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Change<F, T, E>
where
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let result = match self.work.take() {
                Some(work) => work(tx).await,
                None => Err(Error::Closed.into()),
            };
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn fail(&mut self, why: Error) {
        if !matches!(self.result, Some(Err(_))) {
            self.result = Some(Err(why.into()));
        }
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    fn grows(&self) -> bool {
        true
    }

    fn is_one_statement(&self, _: Engine) -> bool {
        false
    }

    fn apart(self: Box<Self>) -> Result<Vec<Box<dyn Job>>, Box<dyn Job>> {
        Err(self)
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let result = match (self.result, committed) {
            (Some(Ok(_)), Err(error)) => Err(error.into()),
            (Some(result), _) => result,
            (None, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(Error::Closed.into()),
        };
        // Nobody waits any more when the caller went away; the change stands all the same.
        let _ = self.reply.send(result);
    }
}

/// A kind of change that takes any number of callers' values in few statements.
pub(in crate::store) trait Kind: Sized + Send + 'static {
    /// Whether it adds to what is stored.
    const GROWS: bool;
    /// What one caller brings.
    type Value: Send + Sync + 'static;
    /// What one caller is told.
    type Answer: Send + 'static;

    /// Makes the change for all values, and gives an answer for each, in their order. Strangers share the transaction:
    /// it may wait for others' locks only before it holds any.
    fn run<'t>(tx: &'t mut Tx, values: &'t [Self::Value]) -> BoxFuture<'t, Result<Vec<Self::Answer>, Error>>;
    /// Whether [`Kind::run`] is one statement for these values.
    fn is_one_statement(engine: Engine, values: &[Self::Value]) -> bool;
    /// How it waits for a lane.
    fn waiting(one: One<Self>) -> Waiting;
}

/// One caller's value.
pub(in crate::store) struct One<K: Kind> {
    pub(in crate::store) value: K::Value,
    pub(in crate::store) reply: oneshot::Sender<Result<K::Answer, Error>>,
}

/// What waits for a lane.
pub(in crate::store) enum Waiting {
    Change(Box<dyn Job>),
    /// A change for which no caller waits.
    Behind(Box<dyn Job>),
    Accept(One<Accepts>),
    Settle(One<Settles>),
    Delete(One<Deletes>),
    Insert(One<Inserts>),
    Claim(One<Claims>),
}

/// The jobs of one transaction: values of one kind become one job. Messages that are sent now can be claimed at once.
pub(in crate::store) fn jobs(waiting: impl IntoIterator<Item = Waiting>) -> Vec<Box<dyn Job>> {
    let mut jobs = vec![];
    let (mut accepts, mut settles) = (Merged::default(), Merged::default());
    let (mut deletes, mut inserts, mut claims) = (Merged::default(), Merged::default(), Merged::default());
    for one in waiting {
        match one {
            Waiting::Change(job) | Waiting::Behind(job) => jobs.push(job),
            Waiting::Accept(one) => accepts.add(one),
            Waiting::Settle(one) => settles.add(one),
            Waiting::Delete(one) => deletes.add(one),
            Waiting::Insert(one) => inserts.add(one),
            // Nobody would get the messages, and they would be hidden.
            Waiting::Claim(one) if one.reply.is_closed() => {}
            Waiting::Claim(one) => claims.add(one),
        }
    }
    jobs.extend([settles.job(), accepts.job(), deletes.job(), inserts.job(), claims.job()].into_iter().flatten());
    jobs
}

/// The values of several callers, as one job.
struct Merged<K: Kind> {
    values: Vec<K::Value>,
    replies: Vec<oneshot::Sender<Result<K::Answer, Error>>>,
    result: Option<Result<Vec<K::Answer>, Error>>,
}

impl<K: Kind> Default for Merged<K> {
    fn default() -> Self {
        Self { values: vec![], replies: vec![], result: None }
    }
}

impl<K: Kind> Merged<K> {
    fn add(&mut self, one: One<K>) {
        self.values.push(one.value);
        self.replies.push(one.reply);
    }

    fn job(self) -> Option<Box<dyn Job>> {
        if self.values.is_empty() { None } else { Some(Box::new(self)) }
    }
}

impl<K: Kind> Job for Merged<K> {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let result = K::run(tx, &self.values).await;
            let keep = result.is_ok();
            self.result = Some(result);
            keep
        })
    }

    fn fail(&mut self, why: Error) {
        self.result = Some(Err(why));
    }

    fn is_repeatable(&self) -> bool {
        true
    }

    fn grows(&self) -> bool {
        K::GROWS
    }

    fn is_one_statement(&self, engine: Engine) -> bool {
        K::is_one_statement(engine, &self.values)
    }

    fn apart(self: Box<Self>) -> Result<Vec<Box<dyn Job>>, Box<dyn Job>> {
        // Alone it has failed by itself; or it was undone because of another.
        if self.values.len() < 2 && matches!(self.result, Some(Err(_))) {
            return Err(self);
        }
        let alone = |(value, reply)| -> Box<dyn Job> {
            Box::new(Merged::<K> { values: vec![value], replies: vec![reply], result: None })
        };
        Ok(self.values.into_iter().zip(self.replies).map(alone).collect())
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let answers = match (self.result, committed) {
            (Some(Ok(answers)), Ok(())) => answers,
            (Some(Err(error)), _) | (_, Err(error)) => {
                self.replies.into_iter().for_each(|reply| drop(reply.send(Err(error.clone()))));
                return;
            }
            (None, Ok(())) => vec![],
        };
        // A caller for whom there is no answer sees its reply dropped: the store is closed.
        self.replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(Ok(answer))));
    }
}
