//! Counts recipients against the limits that the floor above names, for many mails at once.
//!
//! The time is the database's where it has a clock: the nodes that share it count alike, whatever their own clocks say.
//! Nothing is summed up as long as what was counted since the last sum is below the limit: the cost does not grow with what
//! an account has sent.
use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::AssertSqlSafe;

use crate::base::{AccountId, Region, Timestamp};
use crate::store::dialect::Engine;
use crate::store::rows::Statement;
use crate::store::{Error, Tx, args, mails};

const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);
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
pub(super) async fn charge(tx: &mut Tx, charges: &[Option<&Charge>]) -> Result<(Vec<Charged>, Vec<Statement>), Error> {
    let mut accounts: BTreeMap<(&AccountId, &Region), Vec<(usize, &Charge)>> = BTreeMap::new();
    for (n, charge) in charges.iter().enumerate() {
        if let Some(charge) = charge {
            accounts.entry((&charge.account, &charge.region)).or_default().push((n, charge));
        }
    }
    let mut answers = vec![Charged::Fits; charges.len()];
    let mut statements = vec![];
    for ((account, region), charges) in accounts {
        let mut used = hold(tx, account, region).await?;
        for (n, charge) in charges {
            if let Some(answer) = answers.get_mut(n) {
                *answer = used.charge(tx, charge).await?;
            }
        }
        statements.push(put(tx.engine(), account, region, &used));
    }
    Ok((answers, statements))
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
        let after = self.now - span;
        let sent = mails::recipients_since(tx, charge.account.as_str(), charge.region.as_str(), after).await?;
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

fn put(engine: Engine, account: &AccountId, region: &Region, used: &Use) -> Statement {
    let sql = match engine {
        Engine::Sqlite => "UPDATE sending_use SET last_day = ?, last_second = ? WHERE account = ? AND region = ?",
        Engine::Postgres => "UPDATE sending_use SET last_day = $1, last_second = $2 WHERE account = $3 AND region = $4",
    };
    (sql.to_owned(), args![used.day, used.second, account, region])
}

/// Charges one mail that the caller writes in the same transaction.
pub async fn charge_one(tx: &mut Tx, one: &Charge) -> Result<Charged, Error> {
    let (answers, statements) = charge(tx, &[Some(one)]).await?;
    for (sql, values) in statements {
        tx.run(AssertSqlSafe(sql), values).await?;
    }
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
