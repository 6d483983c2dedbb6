//! How much an account may send: recipients in 24 hours and per second, counted from the accepted mails.
use std::time::Duration;

use crate::base::{AccountId, Region};
use crate::mail::sending::SendError;
use crate::store::sending_accounts::{self, SendingAccount};
use crate::store::sending_use::{Charge, Charged};
use crate::store::{self, Tx, mails};

const DAY: Duration = Duration::from_secs(24 * 3600);
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
    let now = tx.counting_now().await?;
    let sent_last_24_hours = mails::recipients_since(tx, a, r, (now - DAY, now + DAY)).await?;
    Ok(Quota { account, sent_last_24_hours })
}

/// What has to be counted when an account with these limits sends to so many; nothing for an unlimited one, which so
/// has no row that everyone writes.
pub fn charge(account: &AccountId, region: &Region, limits: SendingAccount, recipients: i64) -> Option<Charge> {
    let limit = |max: i64| (max != UNLIMITED).then_some(max);
    let (max_24_hour, max_per_second) = (limit(limits.max_24_hour), limit(limits.max_per_second));
    (max_24_hour.is_some() || max_per_second.is_some()).then(|| Charge {
        account: account.clone(),
        region: region.clone(),
        recipients,
        max_24_hour,
        max_per_second,
    })
}

/// What the caller is told of a charge.
pub fn judge(charged: Charged) -> Result<(), SendError> {
    match charged {
        Charged::Fits => Ok(()),
        Charged::RateExceeded => Err(SendError::RateExceeded),
        Charged::DayExceeded => Err(SendError::DailyQuotaExceeded),
    }
}
