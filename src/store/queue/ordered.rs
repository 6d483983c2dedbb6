//! Messages that keep the order of their group (FIFO): a group gives its messages from the first on, up to the first that
//! is in flight or delayed.
//!
//! The row of a group says when it may be received from, `ready_at`: when its first message is visible. Everything that
//! changes a group or its messages first takes that row for itself; so row ids grow within a group in the order of the
//! commits, also when several nodes send. Messages that were received are always among the first ten of their group.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::base::Timestamp;
use crate::store::engine::rows::{placeholders, with_names};
use crate::store::queue::claimed::Claimed;
use crate::store::queue::claims::{Claim, NEXT};
use crate::store::queue::groups::{AT_ONCE, ids, lock};
use crate::store::{Error, Row, Tx, args};

/// So many messages of a group are received at once at the most.
const HEADS: usize = 10;
/// See [`groups::claim`](crate::store::groups).
const ROUNDS_MAX: usize = 50;

/// Takes the groups for this transaction, and makes the rows of those that have none. Call before the messages get
/// their ids.
pub(in crate::store) async fn open(
    tx: &mut Tx,
    queue_id: i64,
    groups: &BTreeMap<String, Timestamp>,
) -> Result<(), Error> {
    let groups: Vec<(&String, Timestamp)> = groups.iter().map(|(group, at)| (group, *at)).collect();
    for chunk in groups.chunks(AT_ONCE) {
        let rows: Vec<String> = (0..chunk.len()).map(|n| format!("($1, ${}, ${})", 2 * n + 2, 2 * n + 3)).collect();
        // The update changes nothing: it locks the row.
        let sql = format!(
            "INSERT INTO message_groups (queue_id, group_id, ready_at) VALUES {} ON CONFLICT (queue_id, group_id) \
             DO UPDATE SET ready_at = message_groups.ready_at",
            rows.join(", ")
        );
        let mut values = args![queue_id];
        chunk.iter().for_each(|(group, at)| values.extend(args![*group, *at]));
        tx.run(AssertSqlSafe(sql), values).await?;
    }
    Ok(())
}

/// Takes groups that have messages for this transaction, waiting for whoever has them.
pub(in crate::store) async fn hold(tx: &mut Tx, queue_id: i64, groups: &BTreeSet<String>) -> Result<(), Error> {
    if tx.engine().has_other_writers() && !groups.is_empty() {
        let groups: Vec<String> = groups.iter().cloned().collect();
        for chunk in groups.chunks(AT_ONCE) {
            lock(tx, queue_id, chunk, tx.engine().for_update()).await?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
struct Head {
    id: i64,
    visible_at: Timestamp,
}

/// The first messages of each group, in order. Index: messages_in_order.
///
/// `ORDER BY id + 0`, as that index has it: for the bare id it would have to be sorted, or the primary key would offer itself and walk
/// over the messages of other groups until it has met ten of this one.
async fn heads(tx: &mut Tx, queue_id: i64, groups: &[String]) -> Result<HashMap<String, Vec<Head>>, Error> {
    let arm = |n: usize| {
        format!(
            "SELECT * FROM (SELECT id, group_id, visible_at FROM messages WHERE queue_id = $1 \
             AND group_id = ${} AND grouped = 2 ORDER BY id + 0 LIMIT {HEADS}) AS g{n}",
            n + 2
        )
    };
    let arms: Vec<String> = (0..groups.len()).map(arm).collect();
    let mut heads: HashMap<String, Vec<Head>> = HashMap::new();
    for row in tx.all(AssertSqlSafe(arms.join(" UNION ALL ")), with_names(args![queue_id], groups)).await? {
        let head = Head { id: row.int("id")?, visible_at: row.time("visible_at")? };
        heads.entry(row.text("group_id")?).or_default().push(head);
    }
    heads.values_mut().for_each(|heads| heads.sort_by_key(|head| head.id));
    Ok(heads)
}

/// Claims messages of the groups that may be received from: of each as many as fit, in order, and group by group.
pub(in crate::store) async fn claim(tx: &mut Tx, claim: &Claim<'_>) -> Result<Vec<Claimed>, Error> {
    let now = tx.now();
    let limit = claim.limit as usize;
    let mut taken = Vec::new();
    for round in 0..ROUNDS_MAX {
        let picked = if taken.len() < limit { pick(tx, claim, round == 0).await? } else { vec![] };
        if picked.is_empty() {
            break;
        }
        let names: Vec<String> = picked.iter().map(|turn| turn.group.clone()).collect();
        let heads = heads(tx, claim.queue_id, &names).await?;
        let first = |group: &String| heads.get(group).and_then(|heads| heads.first()).map(|head| head.id);
        let mut turns: Vec<_> =
            picked.into_iter().map(|turn| (turn.at, turn.served, first(&turn.group), turn.group)).collect();
        turns.sort_unstable();
        let (mut wanted, mut busy, mut other) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (_, _, _, group) in turns {
            let left = limit.saturating_sub(taken.len() + wanted.len());
            let visible: Vec<i64> = heads
                .get(&group)
                .map(|heads| heads.iter().take_while(|head| head.visible_at <= now).map(|head| head.id).collect())
                .unwrap_or_default();
            if visible.is_empty() {
                other.insert(group);
            } else if left > 0 {
                wanted.extend(visible.into_iter().take(left));
                busy.push(group);
            }
        }
        taken.extend(take(tx, claim, &wanted, &busy).await?);
        refresh(tx, claim.queue_id, &other).await?;
        // Messages that stay visible would be claimed again.
        if claim.hidden_until <= now && !taken.is_empty() {
            break;
        }
    }
    Ok(taken)
}

/// A group whose turn it is.
struct Turn {
    group: String,
    at: Timestamp,
    served: i64,
}

/// The groups whose turn is next. Index: message_groups_by_turn.
async fn pick(tx: &mut Tx, claim: &Claim<'_>, first: bool) -> Result<Vec<Turn>, Error> {
    let now = tx.now();
    let limit = i64::from(claim.limit).min(AT_ONCE as i64);
    let sql = |lock: &str| {
        AssertSqlSafe(format!(
            "SELECT group_id, ready_at, served FROM message_groups WHERE queue_id = $1 AND ready_at <= $2 \
             ORDER BY ready_at, served, group_id LIMIT CAST($3 AS BIGINT) {lock}"
        ))
    };
    let read =
        |row: &Row| Ok(Turn { group: row.text("group_id")?, at: row.time("ready_at")?, served: row.int("served")? });
    let turns = |rows: Vec<Row>| rows.iter().map(read).collect::<Result<Vec<_>, Error>>();
    let free = turns(tx.all(sql(tx.engine().skip_locked()), args![claim.queue_id, now, limit]).await?)?;
    if !free.is_empty() || !first || !tx.engine().has_other_writers() {
        return Ok(free);
    }
    // A group that others send to all the time is never free; so wait for one, before holding any. By its name: a
    // search that waits would keep each row that it finds changed, and wait for the next one.
    let next = ids(&tx.all(sql(""), args![claim.queue_id, now, 1]).await?)?;
    if next.is_empty() {
        return Ok(vec![]);
    }
    lock(tx, claim.queue_id, &next, tx.engine().for_update()).await?;
    turns(tx.all(sql(tx.engine().skip_locked()), args![claim.queue_id, now, limit]).await?)
}

async fn take(tx: &mut Tx, claim: &Claim<'_>, wanted: &[i64], groups: &[String]) -> Result<Vec<Claimed>, Error> {
    if wanted.is_empty() {
        return Ok(vec![]);
    }
    let sql = format!("{} WHERE id IN ({}) {}", claim.take(), placeholders(NEXT, wanted.len()), Claim::GIVE);
    let mut values = claim.take_args(tx.now());
    wanted.iter().for_each(|id| values.extend(args![*id]));
    let rows = tx.all(AssertSqlSafe(sql), values).await?;
    let sql = format!(
        "UPDATE message_groups SET ready_at = $2, served = served + 1 WHERE queue_id = $1 AND group_id IN ({})",
        placeholders(3, groups.len())
    );
    tx.run(AssertSqlSafe(sql), with_names(args![claim.queue_id, claim.hidden_until], groups)).await?;
    let mut taken = rows.iter().map(Claimed::taken).collect::<Result<Vec<_>, Error>>()?;
    taken.sort_by_key(|message| wanted.iter().position(|id| *id == message.id));
    Ok(taken)
}

/// Finds out anew when each group may be received from, and takes the rows of empty ones away. The groups are held.
pub(in crate::store) async fn refresh(tx: &mut Tx, queue_id: i64, groups: &BTreeSet<String>) -> Result<(), Error> {
    let now = tx.now();
    let groups: Vec<String> = groups.iter().cloned().collect();
    for chunk in groups.chunks(AT_ONCE) {
        let heads = heads(tx, queue_id, chunk).await?;
        let empty: Vec<String> = chunk.iter().filter(|group| !heads.contains_key(*group)).cloned().collect();
        if !empty.is_empty() {
            let sql = format!(
                "DELETE FROM message_groups WHERE queue_id = $1 AND group_id IN ({})",
                placeholders(2, empty.len())
            );
            tx.run(AssertSqlSafe(sql), with_names(args![queue_id], &empty)).await?;
        }
        let mut ready: BTreeMap<Timestamp, Vec<String>> = BTreeMap::new();
        for (group, heads) in heads {
            let first = heads.first().map_or(now, |head| head.visible_at);
            ready.entry(first.max(now)).or_default().push(group);
        }
        for (at, groups) in ready {
            let sql = format!(
                "UPDATE message_groups SET ready_at = $1 WHERE queue_id = $2 AND group_id IN ({})",
                placeholders(3, groups.len())
            );
            tx.run(AssertSqlSafe(sql), with_names(args![at, queue_id], &groups)).await?;
        }
    }
    tx.ring(queue_id, groups.len());
    Ok(())
}

/// Takes the groups of these messages for this transaction, all in one order, so that two who change several messages
/// do not wait for each other. Does nothing where there are no other writers.
pub async fn hold_groups_of(tx: &mut Tx, queue_id: i64, messages: &[i64]) -> Result<(), Error> {
    if !tx.engine().has_other_writers() || messages.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT DISTINCT group_id FROM messages WHERE queue_id = $1 AND grouped > 0 AND id IN ({})",
        placeholders(2, messages.len())
    );
    let mut values = args![queue_id];
    messages.iter().for_each(|id| values.extend(args![*id]));
    let groups = ids(&tx.all(AssertSqlSafe(sql), values).await?)?;
    hold(tx, queue_id, &groups.into_iter().collect()).await
}

/// The group of a message that keeps the order of its group. `None` for other messages, and for one that is gone.
pub(in crate::store) async fn group_of(tx: &mut Tx, queue_id: i64, id: i64) -> Result<Option<String>, Error> {
    let row = tx
        .one("SELECT group_id FROM messages WHERE id = $1 AND queue_id = $2 AND grouped = 2", args![id, queue_id])
        .await?;
    row.map(|row| row.text("group_id")).transpose()
}

/// Moves messages to a dead-letter queue that keeps order. Each becomes a new row there: the last of its group, sent now.
/// They were claimed to be taken away: [`Claimed::spent`].
pub async fn move_to(
    tx: &mut Tx,
    messages: &[Claimed],
    queue_id: i64,
    target: i64,
    source: &str,
    why: &str,
) -> Result<(), Error> {
    let now = tx.now();
    let groups: BTreeSet<String> = messages.iter().filter_map(|message| message.group_id.clone()).collect();
    // All at once, so that everybody takes them in one order.
    open(tx, target, &groups.iter().map(|group| (group.clone(), now)).collect()).await?;
    for message in messages {
        tx.run(
            "INSERT INTO messages (queue_id, visible_at, sent_at, message_id, group_id, deduplication_id, grouped, \
             sender, attributes, trace_header, body, receive_count, receives_before, first_received_at, \
             dead_letter_source, why) \
             SELECT $1, $2, $2, message_id, group_id, message_id, grouped, sender, attributes, trace_header, body, \
             receive_count, receive_count, first_received_at, $3, $4 FROM messages WHERE id = $5 AND receipt = $6",
            args![target, now, source, why, message.id, message.receipt],
        )
        .await?;
    }
    remove(tx, queue_id, messages).await?;
    tx.ring(target, messages.len());
    Ok(())
}

/// Takes messages away that this transaction has claimed.
pub async fn remove(tx: &mut Tx, queue_id: i64, messages: &[Claimed]) -> Result<(), Error> {
    for message in messages {
        tx.run("DELETE FROM messages WHERE id = $1 AND receipt = $2", args![message.id, message.receipt]).await?;
    }
    refresh(tx, queue_id, &messages.iter().filter_map(|message| message.group_id.clone()).collect()).await
}

/// Takes those of the groups for this transaction that nobody has just now. A group that has no row is nobody's.
pub async fn hold_free(tx: &mut Tx, queue_id: i64, groups: BTreeSet<String>) -> Result<BTreeSet<String>, Error> {
    if !tx.engine().has_other_writers() {
        return Ok(groups);
    }
    let mut free = BTreeSet::new();
    let groups: Vec<String> = groups.into_iter().collect();
    for chunk in groups.chunks(AT_ONCE) {
        let held = lock(tx, queue_id, chunk, tx.engine().skip_locked()).await?;
        // Afterwards: one that came in between is somebody's.
        let there = lock(tx, queue_id, chunk, "").await?;
        free.extend(chunk.iter().filter(|group| held.contains(group) || !there.contains(group)).cloned());
    }
    Ok(free)
}

/// Gives the messages that nobody has received yet another delay, counted from when they were sent. Those that were sent
/// before `since` are visible either way. Index: messages_grouped_by_age.
pub async fn redelay(tx: &mut Tx, queue_id: i64, since: Timestamp, delay: Duration) -> Result<(), Error> {
    // `grouped > 0`, although the next condition says more: an index serves only where its own condition stands in the query, and this
    // one has the messages by when they were sent. Without it SQLite would go through all of the queue.
    const WAITING: &str =
        "queue_id = $1 AND grouped > 0 AND grouped = 2 AND sent_at >= $2 AND receive_count = 0 AND receipt = 0";
    let sql = format!("SELECT DISTINCT group_id FROM messages WHERE {WAITING}");
    let groups: BTreeSet<String> =
        ids(&tx.all(AssertSqlSafe(sql), args![queue_id, since]).await?)?.into_iter().collect();
    hold(tx, queue_id, &groups).await?;
    let micros = i64::try_from(delay.as_micros()).unwrap_or(i64::MAX);
    let sql = format!("UPDATE messages SET visible_at = sent_at + $3 WHERE {WAITING}");
    tx.run(AssertSqlSafe(sql), args![queue_id, since, micros]).await?;
    refresh(tx, queue_id, &groups).await
}
