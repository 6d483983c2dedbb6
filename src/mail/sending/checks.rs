//! What must be true before a mail is accepted: the account and the configuration set may send, senders are verified, and
//! in the sandbox recipients too.
use std::time::Duration;

use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::identity::IdentityName;
use crate::mail::sending::quota::{self, Limits};
use crate::mail::sending::{SendError, Submission};
use crate::store::identities::Identity;
use crate::store::sending_accounts::SendingAccount;
use crate::store::{self, Tx, configuration_sets, identities};

/// SES: a mail is tried for 14 hours where nothing else is set.
const TRIED_FOR: Duration = Duration::from_secs(50_400);
/// The domain of SES's mailbox simulator: anyone may send there.
const SIMULATOR: &str = "simulator.amazonses.com";
/// Tags of one message, and the length of a tag's name or value (SES guide: 256).
const TAGS_MAX: usize = 50;
const TAG_LENGTH: usize = 256;

/// What the checks found out.
#[derive(Debug)]
pub(super) struct Checked {
    /// The name of the identity that covers the sender.
    pub identity: String,
    /// The configuration set: the one that was named, or the identity's.
    pub configuration_set: Option<String>,
    /// How long the mail is tried.
    pub tried_for: Duration,
    /// What the account may send.
    pub limits: SendingAccount,
}

/// Runs the checks in SES's order: account, configuration set, identities.
pub(super) async fn check(
    tx: &mut Tx,
    submission: &Submission,
    authors: &[EmailAddress],
    named_set: Option<String>,
    default: Limits,
) -> Result<Checked, SendError> {
    let (account, region) = (&submission.account, &submission.region);
    let limits = quota::limits(tx, account, region, default).await?;
    if !limits.sending_enabled {
        return Err(SendError::AccountPaused);
    }
    let mut tried_for = TRIED_FOR;
    if let Some(name) = &named_set {
        tried_for = configuration_set(tx, account, region, name).await?;
    }
    let mut failed = Vec::new();
    let source = covering(tx, account, region, &submission.source).await?;
    if source.is_none() {
        failed.push(submission.source.to_string());
    }
    let others = authors.iter().chain(&submission.return_path);
    let sandboxed: &[EmailAddress] = if limits.production_access { &[] } else { &submission.recipients };
    for address in others.chain(sandboxed.iter().filter(|a| a.domain().as_str() != SIMULATOR)) {
        let known = *address == submission.source || failed.iter().any(|f| f == address.as_str());
        if !known && covering(tx, account, region, address).await?.is_none() {
            failed.push(address.to_string());
        }
    }
    let Some(source) = source.filter(|_| failed.is_empty()) else {
        return Err(SendError::NotVerified { identities: failed, region: region.clone() });
    };
    let mut set = named_set;
    if let (None, Some(name)) = (&set, source.configuration_set) {
        tried_for = configuration_set(tx, account, region, &name).await?;
        set = Some(name);
    }
    Ok(Checked { identity: source.name, configuration_set: set, tried_for, limits })
}

/// Whether mails may be sent with this set, and how long they are tried.
async fn configuration_set(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    name: &str,
) -> Result<Duration, SendError> {
    let set = configuration_sets::find(tx, account, region, name).await?;
    let set = set.ok_or_else(|| SendError::ConfigurationSetMissing(name.to_owned()))?;
    if !set.sending_enabled {
        return Err(SendError::ConfigurationSetPaused(set.name));
    }
    let seconds = set.max_delivery_seconds.and_then(|s| u64::try_from(s).ok());
    Ok(seconds.map_or(TRIED_FOR, Duration::from_secs))
}

/// The verified identity that covers an address: itself, its domain, or the nearest domain above.
async fn covering(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    address: &EmailAddress,
) -> Result<Option<Identity>, store::Error> {
    for name in IdentityName::covering(address) {
        let found = identities::find(tx, account, region, &name).await?;
        if let Some(identity) = found.filter(|i| i.status == "SUCCESS") {
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

/// Checks the tags: names and values of ASCII letters, digits, `_`, `-`, 1 to 256 of them (SES model, MessageTag).
pub(super) fn tags(tags: &[(String, String)]) -> Result<(), SendError> {
    if tags.len() > TAGS_MAX {
        return Err(SendError::BadTag(format!("number {}", TAGS_MAX + 1)));
    }
    let fine = |text: &str| {
        (1..=TAG_LENGTH).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    match tags.iter().find(|(name, value)| !fine(name) || !fine(value)) {
        Some((name, _)) => Err(SendError::BadTag(name.chars().take(TAG_LENGTH).collect())),
        None => Ok(()),
    }
}
