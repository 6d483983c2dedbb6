//! Jobs that many workers are done with at once: they are taken away, with what is to be said of their mails, in a few
//! statements for all.
use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::future::BoxFuture;

use crate::base::Timestamp;
use crate::store::engine::dialect::Engine;
use crate::store::engine::jobs::{Kind, One, Waiting};
use crate::store::mail::inbound_mails::{self, State};
use crate::store::mail::mail_attempts;
use crate::store::queue::claims::Receipts;
use crate::store::queue::crowded;
use crate::store::queue::groups;
use crate::store::queue::merged_messages::{delete, rows_max};
use crate::store::{Error, Store, Tx, Value};

pub use crate::store::mail::mail_attempts::Tried;

/// What is written of the mail that a job was for, if the job is still held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A mail that came in has been through its rules.
    Inbound {
        /// Its id.
        mail: String,
        /// What there is to say, for people.
        note: String,
    },
    /// An attempt to deliver a mail to a recipient was the last one.
    Outbound(Box<Tried>),
}

impl Ended {
    fn tried(&self) -> Option<&Tried> {
        match self {
            Self::Outbound(tried) => Some(tried),
            Self::Inbound { .. } => None,
        }
    }

    /// Writes it in the caller's transaction.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn write(&self, tx: &mut Tx) -> Result<(), Error> {
        match self {
            Self::Inbound { mail, note } => inbound_mails::finish(tx, mail, State::Done, note).await.map(drop),
            Self::Outbound(tried) => mail_attempts::settle_all(tx, &[tried]).await,
        }
    }
}

/// A job that is done, or was in others' way.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Its queue.
    pub queue_id: i64,
    /// Its place in the store.
    pub id: i64,
    /// What it was claimed with.
    pub receipt: i64,
    /// What is written with it.
    pub ended: Option<Ended>,
    /// It is not done: it was in others' way, and comes again at this time, as its whole group does. This attempt does not
    /// count.
    pub crowded: Option<Timestamp>,
}

/// Settles jobs.
pub(in crate::store) struct Settles;

impl Kind for Settles {
    const GROWS: bool = false;
    type Value = Settled;
    /// Whether the job was still held.
    type Answer = bool;

    fn run<'t>(tx: &'t mut Tx, values: &'t [Settled]) -> BoxFuture<'t, Result<Vec<bool>, Error>> {
        Box::pin(async move {
            let (crowded, done): (Vec<&Settled>, Vec<&Settled>) = values.iter().partition(|job| job.crowded.is_some());
            if !crowded.is_empty() && !done.is_empty() {
                hold(tx, values).await?;
            }
            let mut gone = HashSet::new();
            let mut emptied = Groups::new();
            if !done.is_empty() {
                emptied = finish(tx, &done, &mut gone).await?;
            }
            let resting = crowded::put_off(tx, &crowded, &mut gone).await?;
            crowded::hold_groups(tx, &emptied, &resting).await?;
            for (queue_id, groups) in emptied {
                let groups: Vec<String> = groups.into_iter().collect();
                groups::settled(tx, queue_id, &groups).await?;
            }
            crowded::rest(tx, resting).await?;
            Ok(values.iter().map(|job| gone.contains(&job.id)).collect())
        })
    }

    fn is_one_statement(_: Engine, _: &[Settled]) -> bool {
        false
    }

    fn waiting(one: One<Self>) -> Waiting {
        Waiting::Settle(one)
    }
}

/// Groups of queues.
pub(in crate::store) type Groups = BTreeMap<i64, BTreeSet<String>>;

/// The places of jobs in the store, in the order in which all take them: two who take the same messages must not wait for
/// each other.
pub(in crate::store) fn places(jobs: &[&Settled]) -> Vec<[i64; 3]> {
    let mut rows: Vec<[i64; 3]> = jobs.iter().map(|job| [job.id, job.queue_id, job.receipt]).collect();
    rows.sort_unstable();
    rows
}

/// Holds the messages of jobs that two statements take.
async fn hold(tx: &mut Tx, jobs: &[Settled]) -> Result<(), Error> {
    if tx.engine().has_other_writers() {
        let mut ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
        ids.sort_unstable();
        let sql = "SELECT id FROM messages WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE";
        tx.all(sql, vec![Value::Ints(ids)]).await?;
    }
    Ok(())
}

/// Takes jobs away that are done. Notes which were held, and gives the groups that lost messages.
async fn finish(tx: &mut Tx, done: &[&Settled], gone: &mut HashSet<i64>) -> Result<Groups, Error> {
    let rows = places(done);
    let (jobs, tried): (Vec<i64>, Vec<&Tried>) =
        done.iter().filter_map(|job| Some((job.id, job.ended.as_ref()?.tried()?))).unzip();
    let at_once = tx.engine() == Engine::Postgres && !tried.is_empty() && rows.len() <= rows_max(Engine::Postgres);
    let mut messages = vec![];
    if at_once {
        messages = mail_attempts::settle_jobs(tx, &rows, (jobs, &tried)).await?;
    } else {
        for some in rows.chunks(rows_max(tx.engine())) {
            messages.extend(delete(tx, some, Receipts::Last).await?);
        }
    }
    let mut emptied = Groups::new();
    for message in messages {
        gone.insert(message.id);
        if let Some(group) = message.group {
            emptied.entry(message.queue_id).or_default().insert(group);
        }
    }
    let held = done.iter().filter(|job| gone.contains(&job.id)).filter_map(|job| job.ended.as_ref());
    let held: Vec<&Ended> = held.filter(|ended| !(at_once && ended.tried().is_some())).collect();
    write_all(tx, &held).await?;
    Ok(emptied)
}

/// Writes what is to be said of the mails, in few statements.
async fn write_all(tx: &mut Tx, ended: &[&Ended]) -> Result<(), Error> {
    let mut notes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut tried: Vec<&Tried> = vec![];
    for one in ended {
        match one {
            Ended::Inbound { mail, note } => notes.entry(note).or_default().push(mail),
            Ended::Outbound(one) => tried.push(one),
        }
    }
    for (note, mails) in notes {
        for some in mails.chunks(rows_max(tx.engine())) {
            inbound_mails::finish_all(tx, some, note).await?;
        }
    }
    for some in tried.chunks(rows_max(tx.engine())) {
        mail_attempts::settle_all(tx, some).await?;
    }
    Ok(())
}

impl Store {
    /// Takes a job away that is done, and writes what it came to. `false`, and nothing is written, when it is not held
    /// any more.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn settle(&self, job: Settled) -> Result<bool, Error> {
        self.hand_in::<Settles>(job).await
    }
}
