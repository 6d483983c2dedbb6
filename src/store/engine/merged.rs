//! Values of one kind that many callers bring, as one job. The rooms of nouns make the kinds; who opens the store lists them.
use std::any::{Any, TypeId};

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::store::engine::dialect::Engine;
use crate::store::engine::jobs::Job;
use crate::store::{Error, Tx};

/// A kind of change that takes any number of callers' values in few statements.
pub(in crate::store) trait Kind: Sized + Send + 'static {
    /// Whether it adds to what is stored.
    const GROWS: bool;
    /// Whether it is left out when its caller has gone away. Else it is done all the same.
    const NEEDS_CALLER: bool = false;
    /// What one caller brings.
    type Value: Send + Sync + 'static;
    /// What one caller is told.
    type Answer: Send + 'static;

    /// Makes the change for all values, and gives an answer for each, in their order. Strangers share the transaction:
    /// it may wait for others' locks only before it holds any.
    fn run<'t>(tx: &'t mut Tx, values: &'t [Self::Value]) -> BoxFuture<'t, Result<Vec<Self::Answer>, Error>>;
    /// Whether [`Kind::run`] is one statement for these values.
    fn is_one_statement(engine: Engine, values: &[Self::Value]) -> bool;
}

/// One caller's value.
pub(in crate::store) struct One<K: Kind> {
    pub(in crate::store) value: K::Value,
    pub(in crate::store) reply: oneshot::Sender<Result<K::Answer, Error>>,
}

/// A kind as the lanes know it. The order of a list of them is the order in which a commit runs those that it carries.
#[derive(Clone, Copy)]
pub(in crate::store) struct Registered {
    /// What tells it from the others.
    pub(in crate::store) id: fn() -> TypeId,
    /// A job of this kind that has no values yet.
    pub(in crate::store) merge: fn() -> Box<dyn Merge>,
}

impl Registered {
    pub(in crate::store) const fn of<K: Kind>() -> Self {
        Self { id: TypeId::of::<K>, merge: || Box::new(Merged::<K>::default()) }
    }
}

/// A job that values of one kind are added to.
pub(in crate::store) trait Merge: Send {
    /// Adds a [`One`] of its kind. Others do not come through its door.
    fn add(&mut self, one: Box<dyn Any + Send>);
    /// The job, where it has any value.
    fn job(self: Box<Self>) -> Option<Box<dyn Job>>;
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

impl<K: Kind> Merge for Merged<K> {
    fn add(&mut self, one: Box<dyn Any + Send>) {
        let Ok(one) = one.downcast::<One<K>>() else { return };
        let One { value, reply } = *one;
        if K::NEEDS_CALLER && reply.is_closed() {
            return;
        }
        self.values.push(value);
        self.replies.push(reply);
    }

    fn job(self: Box<Self>) -> Option<Box<dyn Job>> {
        if self.values.is_empty() { None } else { Some(self) }
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
