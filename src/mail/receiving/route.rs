//! Who receives mail for an address: asked by SMTP for each RCPT, before anything is accepted.
use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::receiving::rules::Rule;
use crate::mail::receiving::{Error, Receiving, matching, rule_sets};
use crate::store;
use crate::store::receipt_rules;

/// How many levels of a domain are looked up: the recipient's own and those above it, nearest first.
const MAX_LEVELS: usize = 10;

/// The account and region that receive an address's mail.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Receiving {
    /// Finds who receives mail for `recipient`: an account and region where the recipient's domain, or one above it, is
    /// a verified identity, and whose active rule set has an enabled rule for it. `None`: nobody, and SMTP refuses.
    ///
    /// The nearest domain wins over one above it. Of several accounts and regions that have verified the same domain
    /// and have a rule for the recipient, the one that verified it first wins, so that nobody can take another's mail by
    /// verifying later; the others receive nothing.
    ///
    /// Rules with TlsPolicy `Require` do not count when `tls` is false. `postmaster` is an address like any other: it
    /// follows the rules too. One query per level of the domain.
    pub async fn route(&self, recipient: &EmailAddress, tls: bool) -> Result<Option<Route>, Error> {
        let recipient = recipient.clone();
        let domain = recipient.domain();
        let levels: Vec<String> = domain.and_parents().take(MAX_LEVELS).map(str::to_owned).collect();
        self.store()
            .read(move |tx| {
                Box::pin(async move {
                    for level in levels {
                        for candidate in receipt_rules::candidates(tx, &level).await? {
                            let rules: Vec<Rule> = rule_sets::read_rules(&candidate.rules)?;
                            if rules.iter().any(|rule| matching::matches(rule, &recipient, tls)) {
                                return Ok(Some(Route { account: candidate.account, region: candidate.region }));
                            }
                        }
                    }
                    Ok::<_, store::Error>(None)
                })
            })
            .await
            .map_err(Error::from)
    }
}
