//! Claiming messages: hides them until a time, and gives them to who claims. The queue engine turns on this.
//!
//! `LIMIT CAST($8 AS BIGINT)`, here and in the claims of groups: SQLite's planner looks at the value of a bare parameter that stands
//! as LIMIT, and so the statement would be prepared anew for each value. A cast hides it.
use sqlx::AssertSqlSafe;

use crate::store::queue::claimed::Claimed;
use crate::store::queue::claims::{Claim, Groups, Pace};
use crate::store::queue::{groups, ordered};
use crate::store::{Error, Tx, args};

/// Claims messages that are visible now: those that became visible first before others, and group by group.
pub async fn claim(tx: &mut Tx, claim: Claim<'_>) -> Result<Vec<Claimed>, Error> {
    claim_few(tx, claim, &|_| Pace::Free).await
}

/// The same, where groups that take turns have their own pace.
pub async fn claim_few(
    tx: &mut Tx,
    claim: Claim<'_>,
    pace: &(dyn Fn(&str) -> Pace + Sync),
) -> Result<Vec<Claimed>, Error> {
    let limit = claim.limit as usize;
    let mut claimed = match claim.groups {
        Groups::None => claim_ungrouped(tx, &claim, limit).await?,
        Groups::Order => ordered::claim(tx, &claim).await?,
        Groups::OnlyTurns(per_group_max) => {
            groups::claim(tx, &claim, limit, &groups::Most { per_group_max, pace }).await?
        }
        Groups::Turns(per_group_max) => {
            // Messages without a group get half, so that neither they nor the groups can wait for ever. For an odd
            // place the receipt, a random number, says whose it is.
            let half = (limit + usize::from(claim.receipt % 2 == 0)) / 2;
            let mut claimed = claim_ungrouped(tx, &claim, half).await?;
            let used_up = claimed.len() < half;
            claimed
                .extend(groups::claim(tx, &claim, limit - claimed.len(), &groups::Most { per_group_max, pace }).await?);
            if claimed.len() < limit && !used_up && (claimed.is_empty() || claim.hidden_until > tx.now()) {
                let rest = limit - claimed.len();
                claimed.extend(claim_ungrouped(tx, &claim, rest).await?);
            }
            claimed
        }
    };
    // RETURNING promises no order; the order of sending is the best one to give. Groups that keep order come one by one.
    if claim.groups != Groups::Order {
        claimed.sort_by_key(|m| m.id);
    }
    Ok(claimed)
}

/// Index: messages_by_visibility.
async fn claim_ungrouped(tx: &mut Tx, claim: &Claim<'_>, limit: usize) -> Result<Vec<Claimed>, Error> {
    if limit == 0 {
        return Ok(vec![]);
    }
    let (now, queue_id, skip_locked) = (tx.now(), claim.queue_id, tx.engine().skip_locked());
    let mut values = claim.take_args(now);
    values.extend(args![queue_id, limit as i64]);
    if !tx.engine().has_other_writers() {
        let sql = format!(
            "{} WHERE id IN (SELECT id FROM messages WHERE queue_id = $7 AND grouped = 0 AND visible_at <= $4 \
             ORDER BY visible_at, id LIMIT CAST($8 AS BIGINT)) {}",
            claim.take(),
            Claim::GIVE
        );
        return tx.all(AssertSqlSafe(sql), values).await?.iter().map(Claimed::taken).collect();
    }
    // The second part runs only where the first one gives too little.
    let part = |which: &str| {
        format!(
            "SELECT * FROM (SELECT id AS picked, visible_at AS was FROM messages WHERE queue_id = $7 AND grouped = 0 \
             AND visible_at <= $4 AND visible_at {which} $9 ORDER BY visible_at, id LIMIT CAST($8 AS BIGINT) {skip_locked}) AS p"
        )
    };
    let sql = format!(
        "{} FROM (SELECT * FROM ({} UNION ALL {}) AS all_parts LIMIT CAST($8 AS BIGINT)) AS turn WHERE id = turn.picked {}, was",
        claim.take(),
        part(">="),
        part("<"),
        Claim::GIVE
    );
    values.extend(args![tx.floors.of(queue_id, tx.instant())]);
    let rows = tx.all(AssertSqlSafe(sql), values).await?;
    let found = rows.iter().map(|row| row.time("was")).collect::<Result<Vec<_>, _>>()?;
    if let Some(first) = found.into_iter().min() {
        tx.floors.found(queue_id, first, tx.instant());
    }
    rows.iter().map(Claimed::taken).collect()
}
