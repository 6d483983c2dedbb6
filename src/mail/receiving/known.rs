//! Who receives mail for a domain, kept for a moment: every RCPT asks, and it seldom changes.
use std::sync::Arc;

use crate::base::Scope;
use crate::mail::receiving::candidate::Candidate;
use crate::mail::receiving::{Error, Receiving, filters};
use crate::store::receipt_rules;

impl Receiving {
    /// Who may receive for `domain` itself, in the order of verification, as it stood at most a second ago.
    pub(super) async fn candidates(&self, domain: &str) -> Result<Arc<[Candidate]>, Error> {
        self.known().get_or_load(domain, || self.read_candidates(domain)).await
    }

    async fn read_candidates(&self, domain: &str) -> Result<Arc<[Candidate]>, Error> {
        let mut reader = self.store().reader().await?;
        let mut read = vec![];
        for row in receipt_rules::candidates(&mut reader, domain).await? {
            let owner = Scope { account: row.account, region: row.region };
            let filters = filters::read(&mut reader, &owner).await?;
            let (rules, octets) = (row.rules.read(), row.rules.text().len());
            read.push(Candidate { owner, rules, filters, suspended: row.suspended, octets });
        }
        Ok(read.into())
    }
}
