//! The door to receiving: one handle for SMTP and for the receipt rule operations, cheap to clone.
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Arn, Clock, Domain, Kept, Reach, Scope};
use crate::mail::marks::ReturnPaths;
use crate::mail::receiving::Error;
use crate::mail::receiving::candidate::Candidate;
use crate::outlets::Functions;
use crate::store::inbound_mails::State;
use crate::store::{Store, inbound_mails};

/// How many old mails one sweep removes of each kind, so that it does not hold the store for long.
const SWEEP_MAX: i64 = 500;
/// Domains of which it is known who receives for them: those that were asked for last. Strangers can name any number of others.
const DOMAINS_KEPT: usize = 10_000;
/// Octets of their rules, as JSON, that are kept: an account may have thousands of domains, each with all its rules.
const OCTETS_MAX: usize = 32 * 1024 * 1024;

/// Who receives mail to this server's own `postmaster`.
#[derive(Clone, Debug)]
pub(in crate::mail::receiving) struct House {
    pub hostname: Domain,
    pub owner: Scope,
}

/// Decides who receives, accepts mail, and keeps the receipt rules. The operations stand in the rooms of this part.
#[derive(Clone)]
pub struct Receiving {
    store: Store,
    clock: Clock,
    /// Who receives for a domain.
    known: Arc<Kept<String, Arc<[Candidate]>>>,
    house: Option<House>,
    functions: Option<Functions>,
    sandboxed: bool,
    return_paths: Option<ReturnPaths>,
    reach: Reach,
}

impl Receiving {
    /// Makes the handle.
    pub fn new(store: Store, clock: Clock) -> Self {
        let weight = |candidates: &Arc<[Candidate]>| candidates.iter().map(|candidate| candidate.octets).sum();
        let known = Arc::new(store.kept(DOMAINS_KEPT).weighed(OCTETS_MAX, weight));
        let (house, functions, reach) = (None, None, Reach::default());
        Self { store, clock, known, house, functions, sandboxed: false, return_paths: None, reach }
    }

    /// Knows where webhooks may go, and tells the operator of rules that name another place.
    pub fn with_reach(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    /// Takes mail to `postmaster` of this server's own name too, for `owner`.
    pub fn with_house(self, hostname: Domain, owner: Scope) -> Self {
        Self { house: Some(House { hostname, owner }), ..self }
    }

    /// Lets rules name these functions.
    pub fn with_functions(self, functions: Functions) -> Self {
        Self { functions: Some(functions), ..self }
    }

    /// Whether accounts begin in the sandbox, where mail goes to verified addresses only.
    pub fn with_sandbox(self, sandboxed: bool) -> Self {
        Self { sandboxed, ..self }
    }

    /// Takes what comes back to these return paths.
    pub fn with_return_paths(self, paths: ReturnPaths) -> Self {
        Self { return_paths: Some(paths), ..self }
    }

    pub(in crate::mail::receiving) fn return_paths(&self) -> Option<&ReturnPaths> {
        self.return_paths.as_ref()
    }

    pub(in crate::mail::receiving) fn knows(&self, function: &Arn) -> bool {
        self.functions.as_ref().is_some_and(|functions| functions.knows(function))
    }

    pub(in crate::mail::receiving) fn reach(&self) -> &Reach {
        &self.reach
    }

    pub(in crate::mail::receiving) fn sandboxed(&self) -> bool {
        self.sandboxed
    }

    /// Removes old mails: those whose rules ran after three days, those that failed after 14, as long as SQS keeps a
    /// message at most. One round of the ticker; gives how many were removed.
    pub async fn sweep(&self) -> Result<usize, Error> {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        let now = self.clock.now();
        let removed = self
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let done = inbound_mails::expire(tx, State::Done, now - DAY * 3, SWEEP_MAX).await?;
                    Ok::<_, Error>(done + inbound_mails::expire(tx, State::Failed, now - DAY * 14, SWEEP_MAX).await?)
                })
            })
            .await?;
        Ok(removed)
    }

    pub(in crate::mail::receiving) fn store(&self) -> &Store {
        &self.store
    }

    pub(in crate::mail::receiving) fn known(&self) -> &Kept<String, Arc<[Candidate]>> {
        &self.known
    }

    pub(in crate::mail::receiving) fn house(&self) -> Option<&House> {
        self.house.as_ref()
    }

    pub(in crate::mail::receiving) fn clock(&self) -> &Clock {
        &self.clock
    }
}
