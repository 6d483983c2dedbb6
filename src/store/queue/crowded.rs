//! Jobs that were in others' way, many at once: they come again later, and their groups rest until then.
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::base::Timestamp;
use crate::store::engine::batch::{Batch, Statement, parts};
use crate::store::queue::groups;
use crate::store::queue::merged_messages::Gone;
use crate::store::{Error, Tx, args};

/// Groups of queues.
pub(in crate::store) type Groups = BTreeMap<i64, BTreeSet<String>>;

/// Until when groups of queues rest.
pub(in crate::store) type Rests = BTreeMap<i64, BTreeMap<String, Timestamp>>;

/// A job that comes again.
pub(in crate::store) struct Crowded {
    /// Row, queue and receipt.
    pub(in crate::store) place: [i64; 3],
    /// When it comes.
    pub(in crate::store) until: Timestamp,
}

/// Gives jobs back. Notes which were held, and says how long their groups rest.
pub(in crate::store) async fn put_off(
    tx: &mut Tx,
    jobs: &mut [Crowded],
    held: &mut HashSet<i64>,
) -> Result<Rests, Error> {
    // In one order for all: two who take the same messages must not wait for each other.
    jobs.sort_unstable_by_key(|job| job.place);
    let until: HashMap<i64, Timestamp> = jobs.iter().map(|job| (job.place[0], job.until)).collect();
    let mut rests = Rests::new();
    for some in jobs.chunks(tx.engine().rows_at_once()) {
        for message in give_back(tx, some).await? {
            held.insert(message.id);
            if let (Some(group), Some(until)) = (message.group, until.get(&message.id)) {
                let latest = rests.entry(message.queue_id).or_default().entry(group).or_insert(*until);
                *latest = (*latest).max(*until);
            }
        }
    }
    Ok(rests)
}

async fn give_back(tx: &mut Tx, jobs: &[Crowded]) -> Result<Vec<Gone>, Error> {
    let engine = tx.engine();
    let sql = format!(
        "WITH ?, held AS (SELECT m.id AS job, given.at FROM given {} messages m ON m.id = given.id \
         AND m.queue_id = given.queue_id AND m.receipt = given.receipt{}) \
         UPDATE messages SET visible_at = held.at, holder = NULL, why = NULL, receive_count = receive_count - 1, \
         receipt = 0 FROM held WHERE id = held.job RETURNING id, queue_id, group_id",
        engine.join_in_order(),
        engine.lock_by_id("m")
    );
    let rows =
        jobs.iter().map(|Crowded { place: [id, queue_id, receipt], until }| args![*id, *queue_id, *receipt, *until]);
    let given = Batch::of("given", &["id", "queue_id", "receipt", "at"], rows);
    tx.rows(Statement::of(engine, &sql, parts![given])?).await?.iter().map(Gone::read).collect()
}

/// Holds the rows of groups that are changed by several statements, all of them in one order.
pub(in crate::store) async fn hold_groups(tx: &mut Tx, emptied: &Groups, resting: &Rests) -> Result<(), Error> {
    if resting.is_empty() || !tx.engine().has_other_writers() {
        return Ok(());
    }
    let mut all = emptied.clone();
    for (queue_id, groups) in resting {
        all.entry(*queue_id).or_default().extend(groups.keys().cloned());
    }
    for (queue_id, names) in all {
        let names: Vec<String> = names.into_iter().collect();
        for some in names.chunks(groups::AT_ONCE) {
            groups::lock(tx, queue_id, some, tx.engine().for_update()).await?;
        }
    }
    Ok(())
}

/// Lets groups rest.
pub(in crate::store) async fn rest(tx: &mut Tx, rests: Rests) -> Result<(), Error> {
    for (queue_id, groups) in rests {
        // A claim takes the row of a group away that had no other message when it looked.
        groups::open(tx, queue_id, &groups).await?;
        for (group, until) in groups {
            groups::rest_until(tx, queue_id, &group, until).await?;
        }
        // Whoever waits for jobs must know when to look again.
        tx.ring(queue_id, 1);
    }
    Ok(())
}
