//! Jobs that were in others' way, many at once: they come again later, and their groups rest until then.
use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::dialect::Engine;
use crate::store::engine::rows::repeated;
use crate::store::mail::settled::{Groups, Settled, places};
use crate::store::queue::groups;
use crate::store::queue::merged_messages::{Gone, columns, rows_max};
use crate::store::{Error, Tx, Value, args};

/// Until when groups of queues rest.
pub(in crate::store) type Rests = BTreeMap<i64, BTreeMap<String, Timestamp>>;

/// Gives jobs back. Notes which were held, and says how long their groups rest.
pub(in crate::store) async fn put_off(tx: &mut Tx, jobs: &[&Settled], held: &mut HashSet<i64>) -> Result<Rests, Error> {
    let until: HashMap<i64, Timestamp> = jobs.iter().filter_map(|job| Some((job.id, job.crowded?))).collect();
    let mut rests = Rests::new();
    for some in places(jobs).chunks(rows_max(tx.engine())) {
        for message in give_back(tx, some, &until).await? {
            held.insert(message.id);
            if let (Some(group), Some(until)) = (message.group, until.get(&message.id)) {
                let latest = rests.entry(message.queue_id).or_default().entry(group).or_insert(*until);
                *latest = (*latest).max(*until);
            }
        }
    }
    Ok(rests)
}

async fn give_back(tx: &mut Tx, rows: &[[i64; 3]], until: &HashMap<i64, Timestamp>) -> Result<Vec<Gone>, Error> {
    const SET: &str =
        "SET visible_at = w.at, holder = NULL, why = NULL, receive_count = receive_count - 1, receipt = 0";
    let at = |row: &[i64; 3]| until.get(&row[0]).map_or(0, |at| at.micros());
    let (sql, values) = if tx.engine() == Engine::Postgres {
        // Rows are locked in the order of ids, and only then changed.
        let sql = format!(
            "WITH w AS (SELECT m.id AS job, w.at FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) \
             AS w (id, queue_id, receipt, at) JOIN messages m ON m.id = w.id AND m.queue_id = w.queue_id \
             AND m.receipt = w.receipt ORDER BY m.id FOR UPDATE OF m) \
             UPDATE messages {SET} FROM w WHERE id = w.job RETURNING id, queue_id, group_id"
        );
        let mut values = columns(rows);
        values.push(Value::Ints(rows.iter().map(at).collect()));
        (sql, values)
    } else {
        let sql = repeated(
            "WITH w (job, queue, given, at) AS (VALUES ",
            "(?,?,?,?)",
            rows.len(),
            &format!(
                ") UPDATE messages {SET} FROM w WHERE id = w.job AND queue_id = w.queue AND receipt = w.given \
                 RETURNING id, queue_id, group_id"
            ),
        );
        (sql, rows.iter().flat_map(|row| args![row[0], row[1], row[2], at(row)]).collect())
    };
    tx.all(AssertSqlSafe(sql), values).await?.iter().map(Gone::read).collect()
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
