//! Message groups that take turns: no group waits for the backlog of another, and a group may have a limit.
//!
//! A group that has messages has a row, and its turn comes at the row's `ready_at`. After a turn the row goes to the
//! back: `ready_at` becomes the time of that turn, or, when nothing more is visible, the time when something will be.
//! So a claim costs the same however many messages or groups wait.
//!
//! Locks, where there are other writers. Who makes a message visible only keeps the group's row
//! ([`Engine::keep_row`](crate::store::engine::dialect::Engine::keep_row)), so that senders do not wait for each other. Who
//! sets `ready_at` into the future because nothing is visible, or takes the row away, needs the row alone, and looks
//! again once it has it: the message of a sender who was quicker is then committed, and seen.
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::batch::{Batch, Statement, in_list, parts};
use crate::store::engine::dialect::Engine;
use crate::store::engine::rows::{Table, insert, placeholders, with_names};
use crate::store::queue::claimed::Claimed;
use crate::store::queue::claims::{Claim, NEXT as FIRST, Pace};
use crate::store::{Error, Row, Tx, args};

/// Groups in one statement. Few sizes of statements stay prepared, and a receive takes ten messages at the most.
pub(in crate::store) const AT_ONCE: usize = 10;
/// Claims look for ready groups that often, so that groups found empty cannot hold one up for long.
const ROUNDS_MAX: usize = 50;
/// How long a group at its limit rests, unless one of its messages is settled before: then it has a turn again.
const REST: Duration = Duration::from_secs(5);

pub(in crate::store) fn ids(rows: &[Row]) -> Result<Vec<String>, Error> {
    rows.iter().map(|row| row.text("group_id")).collect()
}

/// Sees to it that each group has a turn at its time or before. Call after its messages are written.
pub(in crate::store) async fn open(
    tx: &mut Tx,
    queue_id: i64,
    groups: &BTreeMap<String, Timestamp>,
) -> Result<(), Error> {
    if groups.is_empty() {
        return Ok(());
    }
    let statement = open_statement(tx.engine(), tx.now(), queue_id, groups)?;
    tx.execute(statement).await.map(drop)
}

/// The row of a group.
static TABLE: Table = Table { name: "message_groups", columns: &["queue_id", "group_id", "ready_at"] };

/// The same as a statement, to be run with that which writes the messages, or after it. There is at least one group.
pub(in crate::store) fn open_statement(
    engine: Engine,
    now: Timestamp,
    queue_id: i64,
    groups: &BTreeMap<String, Timestamp>,
) -> Result<Statement, Error> {
    const SOONER: &str = " ON CONFLICT (queue_id, group_id) DO UPDATE SET ready_at = excluded.ready_at \
         WHERE excluded.ready_at < message_groups.ready_at";
    if engine.has_other_writers() {
        // Rows that are there are kept first, in their order, whether they need a change or not: who changes one while it
        // waits for another could meet who goes the other way.
        let sql = format!(
            "WITH ?, kept AS (SELECT group_id, ready_at FROM message_groups WHERE queue_id = ? AND group_id IN ? \
             ORDER BY group_id {}) INSERT INTO message_groups (queue_id, group_id, ready_at) \
             SELECT CAST(? AS BIGINT), g.group_id, g.at FROM g WHERE NOT EXISTS (SELECT 1 FROM kept \
             WHERE kept.group_id = g.group_id AND kept.ready_at <= ?) ORDER BY g.group_id{SOONER}",
            engine.keep_row()
        );
        let rows = Batch::of("g", &["group_id", "at"], groups.iter().map(|(group, at)| args![group, *at]));
        return Statement::of(engine, &sql, parts![rows, queue_id, in_list(groups.keys()), queue_id, now]);
    }
    let mut statement = insert(engine, &TABLE, groups.iter().map(|(group, at)| args![queue_id, group, *at]))?;
    statement.text(SOONER);
    Ok(statement)
}

/// How many messages of one group workers may hold.
pub(in crate::store) struct Most<'a> {
    /// Of each group.
    pub(in crate::store) per_group_max: Option<u32>,
    /// Of some fewer.
    pub(in crate::store) pace: &'a (dyn Fn(&str) -> Pace + Sync),
}

impl Most<'_> {
    fn of(&self, group: &str) -> Option<usize> {
        let max = self.per_group_max.map(|max| max as usize);
        if (self.pace)(group) == Pace::Single { Some(1) } else { max }
    }

    /// Sets groups aside that rest: the turn of them all comes when the first one's rest is over. Gives the others.
    async fn awake(&self, tx: &mut Tx, queue_id: i64, groups: Vec<String>) -> Result<Vec<String>, Error> {
        let (mut awake, mut resting, mut soonest) = (Vec::with_capacity(groups.len()), vec![], Duration::MAX);
        for group in groups {
            match (self.pace)(&group) {
                Pace::Rests(left) => {
                    soonest = soonest.min(left);
                    resting.push(group);
                }
                Pace::Free | Pace::Single => awake.push(group),
            }
        }
        if !resting.is_empty() {
            let at = tx.now() + soonest;
            go_on(tx, queue_id, &resting, at).await?;
        }
        Ok(awake)
    }
}

/// Claims up to `limit` messages of the groups whose turn has come, each its share. Those of a group that workers hold are
/// never more than `most` says.
pub(in crate::store) async fn claim(
    tx: &mut Tx,
    claim: &Claim<'_>,
    limit: usize,
    most: &Most<'_>,
) -> Result<Vec<Claimed>, Error> {
    let mut taken = Vec::new();
    for _ in 0..ROUNDS_MAX {
        let left = limit.saturating_sub(taken.len());
        if left == 0 {
            break;
        }
        let asked = left.min(AT_ONCE);
        let picked = pick(tx, claim.queue_id, asked).await?;
        let all_given = picked.len() < asked;
        let groups = most.awake(tx, claim.queue_id, picked).await?;
        if groups.is_empty() {
            if all_given {
                break;
            }
            continue;
        }
        let max: HashMap<&String, usize> = groups.iter().filter_map(|group| Some((group, most.of(group)?))).collect();
        let held = if max.is_empty() { HashMap::new() } else { held(tx, claim.queue_id, &groups).await? };
        let room = |group: &String, more: usize| {
            let held = held.get(group).copied().unwrap_or(0) + more;
            max.get(group).map_or(usize::MAX, |max| max.saturating_sub(held))
        };
        let share = |n: usize| left / groups.len() + usize::from(n < left % groups.len());
        let shares: Vec<usize> = groups.iter().enumerate().map(|(n, group)| share(n).min(room(group, 0))).collect();
        let claimed = take(tx, claim, &groups, &shares).await?;
        let of_group = |group: &String| claimed.iter().filter(|m| m.group_id.as_ref() == Some(group)).count();
        let mut ended = Ended::default();
        for (group, share) in groups.iter().zip(shares) {
            let claimed = of_group(group);
            match room(group, claimed) {
                0 => ended.full.push(group.clone()),
                _ if claimed == share => ended.more.push(group.clone()),
                _ => ended.less.push(group.clone()),
            }
        }
        // Nobody waits but those who are at their limit, or have nothing left.
        let last = all_given && ended.more.is_empty();
        ended.end(tx, claim.queue_id).await?;
        taken.extend(claimed);
        // Messages that stay visible would be claimed again.
        if last || claim.hidden_until <= tx.now() && !taken.is_empty() {
            break;
        }
    }
    Ok(taken)
}

/// The groups whose turn is next. Index: message_groups_by_turn.
async fn pick(tx: &mut Tx, queue_id: i64, limit: usize) -> Result<Vec<String>, Error> {
    let now = tx.now();
    let sql = format!(
        "SELECT group_id FROM message_groups WHERE queue_id = $1 AND ready_at <= $2 \
         ORDER BY ready_at, served, group_id LIMIT CAST($3 AS BIGINT) {}",
        tx.engine().skip_locked_for_turn()
    );
    ids(&tx.all(AssertSqlSafe(sql), args![queue_id, now, limit as i64]).await?)
}

/// How many messages of each group workers hold. Index: messages_held.
async fn held(tx: &mut Tx, queue_id: i64, groups: &[String]) -> Result<HashMap<String, usize>, Error> {
    let now = tx.now();
    let sql = format!(
        "SELECT group_id, COUNT(*) AS held FROM messages WHERE queue_id = $1 AND visible_at > $2 AND holder IS NOT NULL \
         AND group_id IN ({}) GROUP BY group_id",
        placeholders(3, groups.len())
    );
    let rows = tx.all(AssertSqlSafe(sql), with_names(args![queue_id, now], groups)).await?;
    rows.iter().map(|row| Ok((row.text("group_id")?, row.count("held")? as usize))).collect()
}

/// Claims from each group its share. Index: messages_of_group.
async fn take(tx: &mut Tx, claim: &Claim<'_>, groups: &[String], shares: &[usize]) -> Result<Vec<Claimed>, Error> {
    let now = tx.now();
    let arm = |n: usize| {
        format!(
            "SELECT id FROM (SELECT id FROM messages WHERE queue_id = ${FIRST} AND group_id = ${} AND grouped = 1 \
             AND visible_at <= $4 ORDER BY visible_at, id LIMIT CAST(${} AS BIGINT) {}) AS g{n}",
            FIRST + 2 * n + 1,
            FIRST + 2 * n + 2,
            tx.engine().skip_locked()
        )
    };
    let arms: Vec<String> = (0..groups.len()).map(arm).collect();
    let sql = format!("{} WHERE id IN ({}) {}", claim.take(), arms.join(" UNION ALL "), Claim::GIVE);
    let mut values = claim.take_args(now);
    values.extend(args![claim.queue_id]);
    groups.iter().zip(shares).for_each(|(group, share)| values.extend(args![group, *share as i64]));
    let rows = tx.all(AssertSqlSafe(sql), values).await?;
    rows.iter().map(Claimed::taken).collect()
}

/// The earliest visible message of a group in `message_groups`.
const NEXT: &str = "(SELECT m.visible_at FROM messages m WHERE m.queue_id = message_groups.queue_id \
    AND m.group_id = message_groups.group_id AND m.grouped = 1 ORDER BY m.visible_at LIMIT 1)";

/// Groups whose turn ends.
#[derive(Default)]
struct Ended {
    /// Those of which workers hold as many messages as they may.
    full: Vec<String>,
    /// Those that gave their whole share: they may have more.
    more: Vec<String>,
    /// Those that gave less than their share.
    less: Vec<String>,
}

impl Ended {
    async fn end(mut self, tx: &mut Tx, queue_id: i64) -> Result<(), Error> {
        let now = tx.now();
        go_on(tx, queue_id, &self.full, now + REST).await?;
        if tx.engine().has_other_writers() {
            // To look whether they are empty takes two statements more. The claim that finds one so looks.
            go_on(tx, queue_id, &self.more, now).await?;
        } else {
            self.less.append(&mut self.more);
        }
        pass_on(tx, queue_id, &self.less).await
    }
}

/// Sets when the next turn of groups is that a claim holds.
async fn go_on(tx: &mut Tx, queue_id: i64, groups: &[String], at: Timestamp) -> Result<(), Error> {
    if groups.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE message_groups SET ready_at = $2, served = served + 1 WHERE queue_id = $1 AND group_id IN ({})",
        placeholders(3, groups.len())
    );
    tx.run(AssertSqlSafe(sql), with_names(args![queue_id, at], groups)).await.map(drop)
}

/// Ends the turn of groups that may have nothing left.
async fn pass_on(tx: &mut Tx, queue_id: i64, groups: &[String]) -> Result<(), Error> {
    if groups.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let mut alone = groups.to_vec();
    if tx.engine().has_other_writers() {
        alone = lock(tx, queue_id, groups, tx.engine().skip_locked()).await?;
        let busy: Vec<String> = groups.iter().filter(|group| !alone.contains(group)).cloned().collect();
        go_on(tx, queue_id, &busy, now).await?;
    }
    if alone.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE message_groups SET served = served + 1, \
         ready_at = COALESCE(CASE WHEN {NEXT} <= $2 THEN $2 ELSE {NEXT} END, -1) \
         WHERE queue_id = $1 AND group_id IN ({}) RETURNING group_id, ready_at",
        placeholders(3, alone.len())
    );
    let rows = tx.all(AssertSqlSafe(sql), with_names(args![queue_id, now], &alone)).await?;
    let mut any_empty = false;
    for row in &rows {
        any_empty |= row.int("ready_at")? < 0;
    }
    if any_empty {
        let sql = format!(
            "DELETE FROM message_groups WHERE queue_id = $1 AND ready_at < 0 AND group_id IN ({})",
            placeholders(2, alone.len())
        );
        tx.run(AssertSqlSafe(sql), with_names(args![queue_id], &alone)).await?;
    }
    Ok(())
}

/// Takes the rows of these groups for this transaction alone, and says which it has.
pub(in crate::store) async fn lock(
    tx: &mut Tx,
    queue_id: i64,
    groups: &[String],
    how: &str,
) -> Result<Vec<String>, Error> {
    let sql = format!(
        "SELECT group_id FROM message_groups WHERE queue_id = $1 AND group_id IN ({}) ORDER BY group_id {how}",
        placeholders(2, groups.len())
    );
    ids(&tx.all(AssertSqlSafe(sql), with_names(args![queue_id], groups)).await?)
}

/// Lets one group rest until `until`. A message that is added to it, or let go, may give it a turn before.
pub async fn rest_until(tx: &mut Tx, queue_id: i64, group: &str, until: Timestamp) -> Result<(), Error> {
    let sql = "UPDATE message_groups SET ready_at = $2 WHERE queue_id = $1 AND ready_at < $2 AND group_id = $3";
    tx.run(sql, args![queue_id, until, group]).await.map(drop)
}

/// A worker let go of a message of this group: a group that rests has a turn again.
pub async fn let_go(tx: &mut Tx, queue_id: i64, group: &str) -> Result<(), Error> {
    let now = tx.now();
    let woken = tx
        .run(
            "UPDATE message_groups SET ready_at = $1 WHERE queue_id = $2 AND group_id = $3 AND ready_at > $1",
            args![now, queue_id, group],
        )
        .await?;
    if woken > 0 {
        tx.ring(queue_id, 1);
    }
    Ok(())
}

/// Workers are done with messages of these groups: those that have no message left go, and those that rest although one
/// is visible have a turn.
pub(in crate::store) async fn settled(tx: &mut Tx, queue_id: i64, groups: &[String]) -> Result<(), Error> {
    let now = tx.now();
    for chunk in groups.chunks(AT_ONCE) {
        let (mut chunk, mut any_empty, mut any_resting) = (chunk.to_vec(), true, true);
        if tx.engine().has_other_writers() {
            // Only what is held is changed: a later statement sees more, and would hold it in any order.
            let sql = format!(
                "SELECT group_id, CASE WHEN {NEXT} IS NULL THEN 1 ELSE 0 END AS empty FROM message_groups \
                 WHERE queue_id = $1 AND group_id IN ({}) AND (ready_at > $2 OR {NEXT} IS NULL) ORDER BY group_id {}",
                placeholders(3, chunk.len()),
                tx.engine().for_update()
            );
            let rows = tx.all(AssertSqlSafe(sql), with_names(args![queue_id, now], &chunk)).await?;
            chunk = ids(&rows)?;
            let empty = rows.iter().map(|row| row.flag("empty")).collect::<Result<Vec<_>, _>>()?;
            (any_empty, any_resting) = (empty.contains(&true), empty.contains(&false));
        }
        let named = |from| format!("queue_id = $1 AND group_id IN ({})", placeholders(from, chunk.len()));
        if any_empty {
            let sql = format!("DELETE FROM message_groups WHERE {} AND {NEXT} IS NULL", named(2));
            let gone = tx.run(AssertSqlSafe(sql), with_names(args![queue_id], &chunk)).await?;
            // Who was waited for may have left a message.
            any_resting = gone < chunk.len() as u64;
        }
        if any_resting {
            // The `+` keeps the column from SQLite's planner: by the index of turns it would go through every group of the queue that
            // rests, where the key finds these few.
            let sql = format!(
                "UPDATE message_groups SET ready_at = $2 WHERE {} AND +ready_at > $2 AND {NEXT} <= $2",
                named(3)
            );
            let woken = tx.run(AssertSqlSafe(sql), with_names(args![queue_id, now], &chunk)).await?;
            tx.ring(queue_id, usize::from(woken > 0));
        }
    }
    Ok(())
}

/// Takes the rows of groups away that have no message left.
pub async fn close_empty(tx: &mut Tx, queue_id: i64, groups: &[String]) -> Result<(), Error> {
    for chunk in groups.chunks(AT_ONCE) {
        let empty = |count| format!("queue_id = $1 AND group_id IN ({}) AND {NEXT} IS NULL", placeholders(2, count));
        let mut alone = chunk.to_vec();
        if tx.engine().has_other_writers() {
            let sql = format!("SELECT group_id FROM message_groups WHERE {}", empty(chunk.len()));
            alone = ids(&tx.all(AssertSqlSafe(sql), with_names(args![queue_id], chunk)).await?)?;
            if !alone.is_empty() {
                // Who is in the way is a sender, or a claim that will find the group empty itself.
                alone = lock(tx, queue_id, &alone, tx.engine().skip_locked()).await?;
            }
        }
        if !alone.is_empty() {
            let sql = format!("DELETE FROM message_groups WHERE {}", empty(alone.len()));
            tx.run(AssertSqlSafe(sql), with_names(args![queue_id], &alone)).await?;
        }
    }
    Ok(())
}

/// Takes up to `limit` rows of a deleted queue's groups away. Gives how many.
pub async fn delete_all(tx: &mut Tx, queue_id: i64, limit: u32) -> Result<u64, Error> {
    let sql = format!(
        "DELETE FROM message_groups WHERE queue_id = $1 AND group_id IN \
         (SELECT group_id FROM message_groups WHERE queue_id = $1 LIMIT $2 {})",
        tx.engine().skip_locked()
    );
    tx.run(AssertSqlSafe(sql), args![queue_id, limit]).await
}
