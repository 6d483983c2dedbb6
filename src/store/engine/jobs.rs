//! What a lane runs in its transactions, and the usual job: a closure over the transaction.
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::store::engine::dialect::Engine;
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
