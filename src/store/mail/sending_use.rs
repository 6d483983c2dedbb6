//! Counts recipients against the limits that the floor above names, for many mails at once.
//!
//! The time is the database's where it has a clock: the nodes that share it count alike, whatever their own clocks say.
//! Nothing is summed up as long as what was counted since the last sum is below the limit: the cost does not grow with what
//! an account has sent.
use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Region, Timestamp};
use crate::store::engine::batch::{Statement, parts};
use crate::store::engine::dialect::Engine;
use crate::store::mail::mails;
use crate::store::{Error, Tx, args};

const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);
/// Room that others may take while a transaction runs.
const SPARE: i64 = 1_024;
/// So much is used before anybody has counted: more than any limit.
const NOT_COUNTED: i64 = 1 << 60;

/// Recipients that an account would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
    /// How many there are.
    pub recipients: i64,
    /// How many there may be in 24 hours.
    pub max_24_hour: Option<i64>,
    /// How many there may be in a second. One mail may go over it with its recipients, or a sandbox could never send to
    /// two: SES allows bursts.
    pub max_per_second: Option<i64>,
}

/// What became of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charged {
    /// It fits, and is counted.
    Fits,
    /// The last second was full.
    RateExceeded,
    /// It is more than may be in 24 hours.
    DayExceeded,
}

/// What became of charges, and what has to be written with the mails: the first statements before or beside them, the last
/// ones after them, each of which must change a row.
pub(in crate::store) struct Charges {
    pub(in crate::store) answers: Vec<Charged>,
    pub(in crate::store) first: Vec<Statement>,
    pub(in crate::store) last: Vec<Statement>,
}

/// What an account has used, or more.
struct Use {
    now: Timestamp,
    day: i64,
    second: i64,
    /// What was charged here, whose mails are not written yet.
    pending: i64,
    day_summed: bool,
    second_summed: bool,
}

/// Decides on charges in their order. The accounts' rows are held until the transaction ends, in one order for all. Gives
/// what has to be written with the mails. Mails of those charges that fit must be written after this, and in the same
/// transaction.
pub(in crate::store) async fn charge(tx: &mut Tx, charges: &[Option<&Charge>]) -> Result<Charges, Error> {
    let mut answers = vec![Charged::Fits; charges.len()];
    let mut first = vec![];
    for ((account, region), charges) in by_account(charges) {
        let mut used = hold(tx, account, region).await?;
        for (n, charge) in charges {
            if let Some(answer) = answers.get_mut(n) {
                *answer = used.charge(tx, charge).await?;
            }
        }
        first.push(put(tx.engine(), account, region, &used)?);
    }
    Ok(Charges { answers, first, last: vec![] })
}

type ByAccount<'c> = BTreeMap<(&'c AccountId, &'c Region), Vec<(usize, &'c Charge)>>;

fn by_account<'c>(charges: &[Option<&'c Charge>]) -> ByAccount<'c> {
    let mut accounts: ByAccount<'c> = BTreeMap::new();
    for (n, charge) in charges.iter().enumerate() {
        if let Some(charge) = charge {
            accounts.entry((&charge.account, &charge.region)).or_default().push((n, charge));
        }
    }
    accounts
}

/// Decides on charges of which all fit and leave much room, where others write too; else `None`. Nothing is held meanwhile:
/// the accounts are charged after the mails are written, so that those who send for one account do not wait for each other
/// longer than they must. Where others took the room meanwhile, the last statements change nothing. Such a mail may count from
/// a moment before its charge; near the limits, where that would matter, this gives `None`.
pub(in crate::store) async fn charge_late(tx: &mut Tx, charges: &[Option<&Charge>]) -> Result<Option<Charges>, Error> {
    if !tx.engine().has_other_writers() {
        return Ok(None);
    }
    let mut last = vec![];
    for ((account, region), charges) in by_account(charges) {
        let count: i64 = charges.iter().map(|(_, charge)| charge.recipients).sum();
        let least = |max: fn(&Charge) -> Option<i64>| charges.iter().filter_map(|(_, charge)| max(charge)).min();
        let max_day = least(|charge| charge.max_24_hour).unwrap_or(NOT_COUNTED);
        let max_second = least(|charge| charge.max_per_second).unwrap_or(NOT_COUNTED);
        let sql = "SELECT last_day, last_second FROM sending_use WHERE account = $1 AND region = $2";
        let Some(used) = tx.one(sql, args![account, region]).await? else { return Ok(None) };
        let fits = |used: i64, max: i64| max.checked_sub(used).is_some_and(|left| left > count + SPARE);
        if !fits(used.int("last_day")?, max_day) || !fits(used.int("last_second")?, max_second) {
            return Ok(None);
        }
        let sql = "UPDATE sending_use SET last_day = last_day + ?, last_second = last_second + ? \
                   WHERE account = ? AND region = ? AND last_day + ? <= ? AND last_second + ? <= ?";
        let parts = parts![count, count, account, region, count, max_day, count, max_second];
        last.push(Statement::of(tx.engine(), sql, parts)?);
    }
    Ok(Some(Charges { answers: vec![Charged::Fits; charges.len()], first: vec![], last }))
}

impl Use {
    async fn charge(&mut self, tx: &mut Tx, charge: &Charge) -> Result<Charged, Error> {
        let full = |used: &Self| charge.max_per_second.is_some_and(|max| used.second >= max);
        if full(self) && !self.second_summed {
            self.second = self.sum(tx, charge, SECOND).await?;
            self.second_summed = true;
        }
        if full(self) {
            return Ok(Charged::RateExceeded);
        }
        let over = |used: &Self| charge.max_24_hour.is_some_and(|max| used.day + charge.recipients > max);
        if over(self) && !self.day_summed {
            self.day = self.sum(tx, charge, DAY).await?;
            self.day_summed = true;
        }
        if over(self) {
            return Ok(Charged::DayExceeded);
        }
        self.day += charge.recipients;
        self.second += charge.recipients;
        self.pending += charge.recipients;
        Ok(Charged::Fits)
    }

    async fn sum(&self, tx: &mut Tx, charge: &Charge, span: Duration) -> Result<i64, Error> {
        // What lies further ahead was counted before the clock was set back.
        let span = (self.now - span, self.now + span);
        let sent = mails::recipients_since(tx, &charge.account, &charge.region, span).await?;
        Ok(self.pending + sent)
    }
}

async fn hold(tx: &mut Tx, account: &AccountId, region: &Region) -> Result<Use, Error> {
    let clock = tx.counting_clock();
    // The row is held by the time that what it returns is computed, so nobody counts by an earlier time than who held it before.
    let and_now = clock.map(|now| format!(", {now} AS counting_now")).unwrap_or_default();
    let sql = format!(
        "INSERT INTO sending_use (account, region, last_day, last_second) VALUES ($1, $2, $3, $3) \
         ON CONFLICT (account, region) DO UPDATE SET last_day = sending_use.last_day \
         RETURNING last_day, last_second{and_now}"
    );
    let row = tx.one(AssertSqlSafe(sql), args![account, region, NOT_COUNTED]).await?;
    let row = row.ok_or_else(|| Error::corrupt("no row of what an account has used"))?;
    let (day, second) = (row.int("last_day")?, row.int("last_second")?);
    let now = if clock.is_some() { row.time("counting_now")? } else { tx.now() };
    Ok(Use { now, day, second, pending: 0, day_summed: false, second_summed: false })
}

fn put(engine: Engine, account: &AccountId, region: &Region, used: &Use) -> Result<Statement, Error> {
    let sql = "UPDATE sending_use SET last_day = ?, last_second = ? WHERE account = ? AND region = ?";
    Statement::of(engine, sql, parts![used.day, used.second, account, region])
}

/// Charges one mail that the caller writes in the same transaction.
pub async fn charge_one(tx: &mut Tx, one: &Charge) -> Result<Charged, Error> {
    let Charges { answers, first, .. } = charge(tx, &[Some(one)]).await?;
    tx.run_all(first).await?;
    Ok(answers.first().copied().unwrap_or(Charged::Fits))
}

/// Forgets what was counted, of all accounts or of one: mails were sent that nobody counted.
pub async fn forget(tx: &mut Tx, of: Option<(&AccountId, &Region)>) -> Result<(), Error> {
    match of {
        Some((account, region)) => {
            tx.run("DELETE FROM sending_use WHERE account = $1 AND region = $2", args![account, region]).await
        }
        None => tx.run("DELETE FROM sending_use", args![]).await,
    }
    .map(drop)
}
