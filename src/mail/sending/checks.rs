//! What must be true before a mail is accepted: the account and the configuration set may send, senders are verified, and
//! in the sandbox recipients too.
use std::time::Duration;

use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::content::check_name;
use crate::mail::identity::authorization::{self, Answer, Wish, covering, identity_named};
use crate::mail::identity::{IdentityName, ReversePath, reverse_path};
use crate::mail::message::Mailbox;
use crate::mail::own::jobs::LIFETIME;
use crate::mail::sending::quota::{self, Limits};
use crate::mail::sending::simulator::Simulator;
use crate::mail::sending::{SendError, Submission};
use crate::store::Tx;
use crate::store::configuration_sets::{self, SetTlsPolicy};
use crate::store::identities::Identity;
use crate::store::sending_accounts::SendingAccount;

/// What the checks found out.
#[derive(Debug)]
pub(super) struct Checked {
    /// The name of the identity that covers the sender; of another account's the ARN.
    pub identity: String,
    /// The configuration set: the one that was named, or the identity's.
    pub configuration_set: Option<String>,
    /// How the mail is delivered.
    pub way: Way,
    /// What the account may send.
    pub limits: SendingAccount,
}

/// What a configuration set says of the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// How long the mail is tried.
    pub tried_for: Duration,
    /// Over TLS or not at all.
    pub require_tls: bool,
}

/// Who wrote a message, by its header.
pub(super) struct Authors {
    /// The addresses in From and Sender.
    pub list: Vec<EmailAddress>,
    /// From as it stands there.
    pub from: String,
}

/// Runs the checks in SES's order: account, configuration set, identities.
pub(super) async fn check(
    tx: &mut Tx,
    submission: &Submission,
    authors: &Authors,
    named_set: Option<String>,
    default: Limits,
    simulator: &Simulator,
) -> Result<Checked, SendError> {
    let (account, region) = (&submission.account, &submission.region);
    let limits = quota::limits(tx, account, region, default).await?;
    if !limits.sending_enabled {
        return Err(SendError::AccountPaused);
    }
    let mut way = Way { tried_for: LIFETIME, require_tls: false };
    if let Some(name) = &named_set {
        way = configuration_set(tx, account, region, name).await?;
    }
    let mut failed = Vec::new();
    let source = senders(tx, submission, authors, &mut failed).await?;
    let sandboxed: &[EmailAddress] = if limits.production_access { &[] } else { &submission.recipients };
    for address in sandboxed.iter().filter(|a| !simulator.has(a) && **a != submission.source) {
        let known = failed.iter().any(|f| f == address.as_str());
        if !known && covering(tx, account, region, address).await?.is_none() {
            failed.push(address.to_string());
        }
    }
    let Some(source) = source.filter(|_| failed.is_empty()) else {
        return Err(SendError::NotVerified { identities: failed, region: region.clone() });
    };
    if let ReversePath::Refused { domain } = reverse_path(tx, &source.account, region, &submission.source).await? {
        return Err(SendError::MailFromNotVerified(domain));
    }
    if source.account != *account {
        // Another account's configuration set is not this one's to use.
        return Ok(Checked { identity: authorization::arn(&source), configuration_set: named_set, way, limits });
    }
    let mut set = named_set;
    if let (None, Some(name)) = (&set, source.configuration_set) {
        way = configuration_set(tx, account, region, &name).await?;
        set = Some(name);
    }
    Ok(Checked { identity: source.name, configuration_set: set, way, limits })
}

/// The identity that covers the sender, if the sender, the authors and the address for bounces may all be used. Those that
/// are not verified are added to `failed`.
async fn senders(
    tx: &mut Tx,
    submission: &Submission,
    authors: &Authors,
    failed: &mut Vec<String>,
) -> Result<Option<Identity>, SendError> {
    let grants = &submission.grants;
    let from = Mailbox::parse(&authors.from).ok();
    let wish = Wish {
        account: &submission.account,
        region: &submission.region,
        action: grants.action,
        from: authors.list.first().unwrap_or(&submission.source),
        display_name: from.as_ref().and_then(|from| from.name.as_deref()),
        feedback: submission.return_path.as_ref().unwrap_or(&submission.source),
        recipients: &submission.recipients,
        source_ip: submission.source_ip,
        at: tx.now(),
    };
    // The identity that lets the sender in lets other addresses of its own in too (SES guide: a lone SourceArn is for all).
    let fits = |address: &EmailAddress| {
        let named = grants.source.as_deref().and_then(|arn| identity_named(arn, &submission.region));
        named.is_some_and(|(_, name)| IdentityName::covering(address).contains(&name))
    };
    let by_source = |address: &EmailAddress| grants.source.as_deref().filter(|_| fits(address));
    let mut asked = vec![(&submission.source, grants.source.as_deref())];
    asked.extend(authors.list.iter().map(|author| (author, grants.from.as_deref().or_else(|| by_source(author)))));
    if let Some(address) = &submission.return_path {
        asked.push((address, grants.return_path.as_deref().or_else(|| by_source(address))));
    }
    let mut source = None;
    for (n, (address, arn)) in asked.iter().enumerate() {
        // What was asked already has its answer.
        if asked.iter().take(n).any(|before| before == &(*address, *arn)) {
            continue;
        }
        match authorization::answer(tx, &wish, address, *arn).await? {
            Answer::Yes(identity) if n == 0 => source = Some(*identity),
            Answer::Yes(_) => {}
            Answer::NotVerified if failed.iter().any(|f| f == address.as_str()) => {}
            Answer::NotVerified => failed.push(address.to_string()),
            Answer::Denied(resource) => {
                let (account, action) = (submission.account.clone(), grants.action);
                return Err(SendError::Denied { account, action, resource });
            }
        }
    }
    Ok(source)
}

/// Whether mails may be sent with this set, and what it says of their delivery.
async fn configuration_set(tx: &mut Tx, account: &AccountId, region: &Region, name: &str) -> Result<Way, SendError> {
    let set = configuration_sets::find(tx, account, region, name).await?;
    let missing = || match check_name(name) {
        Ok(()) => SendError::ConfigurationSetMissing(name.to_owned()),
        Err(fault) => SendError::ConfigurationSetName(fault),
    };
    let set = set.ok_or_else(missing)?;
    if !set.sending_enabled {
        return Err(SendError::ConfigurationSetPaused(set.name));
    }
    let seconds = set.max_delivery_seconds.and_then(|s| u64::try_from(s).ok());
    let require_tls = set.tls_policy == Some(SetTlsPolicy::Require);
    Ok(Way { tried_for: seconds.map_or(LIFETIME, Duration::from_secs), require_tls })
}
