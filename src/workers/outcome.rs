//! How a job ended, as a value: the loop acts on it, and nothing is signalled by an error.
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::base::Timestamp;
use crate::store;
use crate::store::Tx;
use crate::store::settled::JobEnd;

/// What becomes of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done and leaves the queue.
    Done,
    /// It is tried again at this time.
    RetryAt(Timestamp, Reason),
    /// It was not its turn: it comes again at this time, and this attempt does not count.
    PutOff(Timestamp),
    /// Others of its group were in its way: it and its group come again at this time, and this attempt does not count.
    Crowded(Timestamp),
    /// Where it would go takes nothing now: it and its group come again at this time, and this attempt does not count. Until
    /// one of the group is done, they are claimed one at a time.
    Resting(Timestamp),
    /// It will not be tried again; it moves to the queue's dead letters.
    GiveUp(Reason),
    /// It goes back at once, and this attempt does not count: the worker had to stop.
    Release,
}

/// Why a job moved. Stored with the job and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The other side said: not now.
    Deferred,
    /// The other side could not be reached, or did not answer in time.
    Unreachable,
    /// The other side refused for good.
    Refused,
    /// Our own rules forbid it: an address that may not be reached.
    Forbidden,
    /// It was tried as often, or as long, as allowed.
    Exhausted,
    /// The job's text is not one that this version understands.
    Unreadable,
    /// Something that the job names is gone.
    Missing,
    /// The store, or something else of our own, failed.
    Internal,
}

impl Reason {
    /// The word that is stored and logged.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deferred => "deferred",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Forbidden => "forbidden",
            Self::Exhausted => "exhausted",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Changes that belong to the outcome: history and events. They commit with it, and only if the claim still holds.
pub type Record = Box<dyn for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), store::Error>> + Send>;

/// What is written with an outcome.
pub enum Written {
    /// Nothing.
    Nothing,
    /// Changes of its own.
    Record(Record),
    /// What became of that which the job was for, in a form that needs no closure: many of these are written together. The job is
    /// done.
    End(Arc<dyn JobEnd>),
}

/// The end of one piece of work.
pub struct Finish {
    /// What becomes of the job.
    pub outcome: Outcome,
    /// What is written with it.
    pub written: Written,
}

impl Finish {
    /// An outcome with nothing to write beside it.
    pub fn plain(outcome: Outcome) -> Self {
        Self { outcome, written: Written::Nothing }
    }

    /// An outcome with changes that commit with it.
    pub fn with<F>(outcome: Outcome, record: F) -> Self
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), store::Error>> + Send + 'static,
    {
        Self { outcome, written: Written::Record(Box::new(record)) }
    }

    /// Done, with what became of that which the job was for.
    pub fn ended(end: impl JobEnd) -> Self {
        Self { outcome: Outcome::Done, written: Written::End(Arc::new(end)) }
    }
}
