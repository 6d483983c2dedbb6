//! How much an account may send: recipients in 24 hours and per second, counted from the accepted mails.
use std::time::Duration;

use crate::base::{AccountId, Region};
use crate::mail::sending::SendError;
use crate::store::sending_accounts::{self, SendingAccount};
use crate::store::{self, Tx, mails};

const DAY: Duration = Duration::from_secs(24 * 3600);
const SECOND: Duration = Duration::from_secs(1);
/// SES's word for no limit.
const UNLIMITED: i64 = -1;

/// What accounts without a row of their own may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limits {
    /// No sandbox, no limits: a developer's machine.
    Unlimited,
    /// SES's sandbox: 200 recipients in 24 hours, one per second, verified recipients only.
    Sandbox,
}

impl Limits {
    /// The row that an account without one counts as having.
    pub fn account(self) -> SendingAccount {
        let sandbox = self == Limits::Sandbox;
        SendingAccount {
            sending_enabled: true,
            production_access: !sandbox,
            max_24_hour: if sandbox { 200 } else { UNLIMITED },
            max_per_second: if sandbox { 1 } else { UNLIMITED },
        }
    }
}

/// An account's limits and what it has used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The limits.
    pub account: SendingAccount,
    /// Recipients in the last 24 hours.
    pub sent_last_24_hours: i64,
}

/// The account's limits.
pub async fn limits(tx: &mut Tx, a: &AccountId, r: &Region, default: Limits) -> Result<SendingAccount, store::Error> {
    Ok(sending_accounts::find(tx, a, r).await?.unwrap_or(default.account()))
}

/// The account's limits and use.
pub async fn quota(tx: &mut Tx, a: &AccountId, r: &Region, default: Limits) -> Result<Quota, store::Error> {
    let account = limits(tx, a, r, default).await?;
    let now = tx.now();
    let sent_last_24_hours = mails::recipients_since(tx, a.as_str(), r.as_str(), now - DAY).await?;
    Ok(Quota { account, sent_last_24_hours })
}

/// Makes sure that `recipients` more fit. A limited account's row stays locked until the transaction ends, so that what
/// other nodes accept at the same time is counted. An unlimited account has no row that everyone writes.
pub async fn charge(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    default: Limits,
    recipients: i64,
) -> Result<(), SendError> {
    let limits = limits(tx, account, region, default).await?;
    if limits.max_24_hour == UNLIMITED && limits.max_per_second == UNLIMITED {
        return Ok(());
    }
    let limits = sending_accounts::lock(tx, account, region, limits).await?;
    let now = tx.now();
    let mut used = async |span| mails::recipients_since(tx, account.as_str(), region.as_str(), now - span).await;
    // One message may go over the rate with its recipients, or a sandbox could never send to two: SES allows bursts.
    if limits.max_per_second != UNLIMITED && used(SECOND).await? >= limits.max_per_second {
        return Err(SendError::RateExceeded);
    }
    if limits.max_24_hour != UNLIMITED && used(DAY).await? + recipients > limits.max_24_hour {
        return Err(SendError::DailyQuotaExceeded);
    }
    Ok(())
}
