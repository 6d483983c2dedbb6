//! Jobs that many workers are done with at once: they are taken away, with what is written of that which they were for, in a few
//! statements for all.
use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::base::Timestamp;
use crate::store::engine::batch::Statement;
use crate::store::engine::dialect::Engine;
use crate::store::engine::merged::Kind;
use crate::store::queue::claims::Receipts;
use crate::store::queue::crowded::{self, Crowded, Groups};
use crate::store::queue::groups;
use crate::store::queue::merged_messages::{Gone, delete, delete_parts};
use crate::store::{Error, Store, Tx, Value};

/// What is written with the end of a job, of that which the job was for. The room of its noun says how, for many of them at once.
pub trait JobEnd: Any + fmt::Debug + Send + Sync {
    /// Writes ends of this type, whose jobs were held and are gone. There are no more than fit into a statement.
    fn write_all<'t>(&self, tx: &'t mut Tx, ends: Vec<&'t dyn JobEnd>) -> BoxFuture<'t, Result<(), Error>>;

    /// The parts of a WITH that write ends of this type, each with its job, as far as the jobs are among the ids of `gone`, a part
    /// of the same statement. `None` where they cannot be written so; then [`JobEnd::write_all`] does it.
    ///
    /// # Errors
    /// When they do not fit a statement.
    fn beside(&self, _tx: &Tx, _ends: &[(i64, &dyn JobEnd)]) -> Result<Option<Statement>, Error> {
        Ok(None)
    }
}

/// The ends as what they are. All are of one type where [`JobEnd`] gives them.
pub(in crate::store) fn of_type<'e, T: JobEnd>(ends: impl IntoIterator<Item = &'e dyn JobEnd>) -> Vec<&'e T> {
    ends.into_iter().filter_map(|end| (end as &dyn Any).downcast_ref()).collect()
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
    pub end: Option<Arc<dyn JobEnd>>,
    /// It is not done: it was in others' way, and comes again at this time, as its whole group does. This attempt does not
    /// count.
    pub crowded: Option<Timestamp>,
}

impl Settled {
    /// Row, queue and receipt.
    fn place(&self) -> [i64; 3] {
        [self.id, self.queue_id, self.receipt]
    }
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
            let crowded = values.iter().filter_map(|job| Some(Crowded { place: job.place(), until: job.crowded? }));
            let mut crowded: Vec<Crowded> = crowded.collect();
            let done: Vec<&Settled> = values.iter().filter(|job| job.crowded.is_none()).collect();
            if !crowded.is_empty() && !done.is_empty() {
                hold(tx, values).await?;
            }
            let mut gone = HashSet::new();
            let mut emptied = Groups::new();
            if !done.is_empty() {
                emptied = finish(tx, &done, &mut gone).await?;
            }
            let resting = crowded::put_off(tx, &mut crowded, &mut gone).await?;
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
}

/// Holds the messages of jobs that two statements take.
async fn hold(tx: &mut Tx, jobs: &[Settled]) -> Result<(), Error> {
    let mut ids: Vec<i64> = jobs.iter().map(|job| job.id).collect();
    ids.sort_unstable();
    tx.lock("SELECT id FROM messages WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE", vec![Value::Ints(ids)]).await
}

/// Takes jobs away that are done. Notes which were held, and gives the groups that lost messages.
async fn finish(tx: &mut Tx, done: &[&Settled], gone: &mut HashSet<i64>) -> Result<Groups, Error> {
    let mut rows: Vec<[i64; 3]> = done.iter().map(|job| job.place()).collect();
    // In one order for all: two who take the same messages must not wait for each other.
    rows.sort_unstable();
    let mut ends: BTreeMap<TypeId, Vec<(i64, &dyn JobEnd)>> = BTreeMap::new();
    for job in done {
        if let Some(end) = job.end.as_deref() {
            ends.entry((end as &dyn Any).type_id()).or_default().push((job.id, end));
        }
    }
    let messages = match delete_with_ends(tx, &rows, &mut ends).await? {
        Some(messages) => messages,
        None => {
            let mut messages = vec![];
            for some in rows.chunks(tx.engine().rows_at_once()) {
                messages.extend(delete(tx, some, Receipts::Last).await?);
            }
            messages
        }
    };
    let mut emptied = Groups::new();
    for message in messages {
        gone.insert(message.id);
        if let Some(group) = message.group {
            emptied.entry(message.queue_id).or_default().insert(group);
        }
    }
    for alike in ends.into_values() {
        let held: Vec<&dyn JobEnd> =
            alike.into_iter().filter(|(job, _)| gone.contains(job)).map(|(_, end)| end).collect();
        for some in held.chunks(tx.engine().rows_at_once()) {
            if let Some(first) = some.first() {
                first.write_all(tx, some.to_vec()).await?;
            }
        }
    }
    Ok(emptied)
}

/// Takes jobs away and writes the ends of one type in the same statement, where the engine and a type can do so; its ends are
/// taken out then. Gives the jobs that were there.
async fn delete_with_ends(
    tx: &mut Tx,
    rows: &[[i64; 3]],
    ends: &mut BTreeMap<TypeId, Vec<(i64, &dyn JobEnd)>>,
) -> Result<Option<Vec<Gone>>, Error> {
    let engine = tx.engine();
    if !engine.changes_in_with() || rows.len() > engine.rows_at_once() {
        return Ok(None);
    }
    for (kind, alike) in &*ends {
        let Some((_, first)) = alike.first() else { continue };
        let Some(beside) = first.beside(tx, alike)? else { continue };
        let kind = *kind;
        let (selected, delete) = delete_parts(engine, rows, Receipts::Last)?;
        let mut statement = Statement::empty(engine);
        statement.text("WITH ");
        statement.append(selected);
        statement.text(&format!(", gone AS ({delete}), "));
        statement.append(beside);
        statement.text(" SELECT id, queue_id, group_id FROM gone");
        let messages = tx.rows(statement).await?;
        ends.remove(&kind);
        return messages.iter().map(Gone::read).collect::<Result<_, _>>().map(Some);
    }
    Ok(None)
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
