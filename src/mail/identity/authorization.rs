//! Who may send from an identity (SES guide, "sending authorization"): its owner, unless a policy of the identity forbids it,
//! and others if a policy allows it.
use std::net::IpAddr;

use crate::access::policy::{Decision, Policy, Principal, Request};
use crate::base::{AccountId, Arn, EmailAddress, Region, Timestamp};
use crate::mail::identity::IdentityName;
use crate::store::identities::{self, Identity};
use crate::store::{self, Tx, identity_policies};

/// A wish to send.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// Who sends.
    pub account: &'a AccountId,
    /// Where.
    pub region: &'a Region,
    /// What for: `ses:SendEmail`, `ses:SendRawEmail`.
    pub action: &'a str,
    /// The address in From, with or without a name before it: `ses:FromAddress` and `ses:FromDisplayName`.
    pub from: &'a EmailAddress,
    /// The name before it.
    pub display_name: Option<&'a str>,
    /// Where bounces go: `ses:FeedbackAddress`.
    pub feedback: &'a EmailAddress,
    /// Everybody who gets the mail: `ses:Recipients`.
    pub recipients: &'a [EmailAddress],
    /// Where the wish comes from.
    pub source_ip: Option<IpAddr>,
    /// When.
    pub at: Timestamp,
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send: this identity covers the address.
    Yes(Box<Identity>),
    /// No verified identity covers the address.
    NotVerified,
    /// The identity of this ARN does not let this account.
    Denied(String),
}

/// Whether mail may be sent as `address`, by the identity that `arn` names, or else by the nearest one of the account's.
pub async fn answer(
    tx: &mut Tx,
    wish: &Wish<'_>,
    address: &EmailAddress,
    arn: Option<&str>,
) -> Result<Answer, store::Error> {
    let Some(text) = arn else {
        let Some(identity) = covering(tx, wish.account, wish.region, address).await? else {
            return Ok(Answer::NotVerified);
        };
        return judge(tx, wish, identity).await;
    };
    let denied = || Ok(Answer::Denied(text.chars().take(512).collect()));
    let Some((owner, name)) = identity_named(text, wish.region) else { return denied() };
    let own = owner == *wish.account;
    let found = identities::find(tx, &owner, wish.region, &name).await?.filter(Identity::is_verified);
    let covers = IdentityName::covering(address).contains(&name);
    match found.filter(|_| covers) {
        Some(identity) => judge(tx, wish, identity).await,
        // Others do not learn whether it exists.
        None if own => Ok(Answer::NotVerified),
        None => denied(),
    }
}

/// The verified identity that covers an address: itself, its domain, or the nearest domain above.
pub async fn covering(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    address: &EmailAddress,
) -> Result<Option<Identity>, store::Error> {
    for name in IdentityName::covering(address) {
        let found = identities::find(tx, account, region, &name).await?;
        if let Some(identity) = found.filter(Identity::is_verified) {
            return Ok(Some(identity));
        }
    }
    Ok(None)
}

/// The account and name in an identity's ARN, if it is one of this region.
pub fn identity_named(text: &str, region: &Region) -> Option<(AccountId, String)> {
    let arn: Arn = text.parse().ok()?;
    let name = arn.resource.strip_prefix("identity/")?;
    (arn.service == "ses" && arn.region == *region).then(|| (arn.account, IdentityName::folded(name)))
}

/// The ARN of an identity.
pub fn arn(identity: &Identity) -> String {
    Arn::new("ses", &identity.region, &identity.account, format!("identity/{}", identity.name)).to_string()
}

async fn judge(tx: &mut Tx, wish: &Wish<'_>, identity: Identity) -> Result<Answer, store::Error> {
    let own = identity.account == *wish.account;
    let policies = identity_policies::list(tx, &identity.account, &identity.region, &identity.name).await?;
    let resource = arn(&identity);
    let mut allowed = own;
    if !policies.is_empty() {
        let request = request(wish, resource.clone());
        for policy in policies {
            // It was read when it was stored; one that cannot be read any more must not let anybody through.
            match Policy::read(&policy.policy).map(|policy| policy.decide(&request)) {
                Ok(Decision::Allow) => allowed = true,
                Ok(Decision::Silent) => {}
                Ok(Decision::Deny) | Err(_) => return Ok(Answer::Denied(resource)),
            }
        }
    }
    Ok(if allowed { Answer::Yes(Box::new(identity)) } else { Answer::Denied(resource) })
}

fn request(wish: &Wish<'_>, resource: String) -> Request {
    Request {
        principal: Principal::Account(wish.account.clone()),
        action: wish.action.to_owned(),
        resource,
        source_ip: wish.source_ip,
        // Not known at this door; `more` says so.
        secure: false,
        region: wish.region.clone(),
        at: wish.at,
        more: vec![
            ("aws:securetransport", vec![]),
            ("ses:fromaddress", vec![wish.from.to_string()]),
            ("ses:fromdisplayname", wish.display_name.map(str::to_owned).into_iter().collect()),
            ("ses:feedbackaddress", vec![wish.feedback.to_string()]),
            ("ses:recipients", wish.recipients.iter().map(ToString::to_string).collect()),
        ],
    }
}
