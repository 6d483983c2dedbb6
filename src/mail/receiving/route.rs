//! Who receives mail for an address: asked by SMTP for each RCPT, before anything is accepted.
use crate::base::{AccountId, EmailAddress, Region};
use crate::mail::receiving::{Error, Receiving, matching};

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
    /// follows the rules too.
    pub async fn route(&self, recipient: &EmailAddress, tls: bool) -> Result<Option<Route>, Error> {
        for level in recipient.domain().and_parents().take(MAX_LEVELS) {
            for candidate in self.candidates(level).await?.iter() {
                if candidate.rules.iter().any(|rule| matching::matches(rule, recipient, tls)) {
                    let (account, region) = (candidate.account.clone(), candidate.region.clone());
                    return Ok(Some(Route { account, region }));
                }
            }
        }
        Ok(None)
    }
}
