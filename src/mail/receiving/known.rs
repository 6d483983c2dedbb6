//! Who receives mail for a domain, kept for a moment: every RCPT asks, and it seldom changes.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Instant, Scope};
use crate::mail::receiving::filters::Filter;
use crate::mail::receiving::rules::Rule;
use crate::mail::receiving::{Error, Receiving, filters};
use crate::store;
use crate::store::receipt_rules;

/// How long an answer is good for that another node may have changed. What this node changes counts at once.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Enough for all domains in use. Strangers can name any number of others; when there are more, all are read anew.
const ENTRIES_MAX: usize = 10_000;
/// Octets of rules, as JSON, that are kept: an account may have thousands of domains, each with all its rules.
const OCTETS_MAX: usize = 32 * 1024 * 1024;

/// An account and region that a domain is verified in, with the rules of its active rule set and its IP filters.
#[derive(Debug)]
pub(super) struct Candidate {
    pub owner: Scope,
    rules: Result<Vec<Rule>, store::Error>,
    pub filters: Vec<Filter>,
    /// Whether the account is suspended.
    pub suspended: bool,
}

impl Candidate {
    /// Its rules. Only who comes to them fails where they cannot be read: those who were first keep their mail.
    pub(super) fn rules(&self) -> Result<&[Rule], store::Error> {
        self.rules.as_deref().map_err(Clone::clone)
    }
}

/// What this node has read, by domain.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<String, Entry>>);

struct Entry {
    candidates: Arc<[Candidate]>,
    octets: usize,
    generation: u64,
    until: Instant,
}

impl Known {
    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything was read of one of these domains.
    pub(super) fn holds<'d>(&self, mut domains: impl Iterator<Item = &'d str>) -> bool {
        let entries = self.entries();
        domains.any(|domain| entries.contains_key(domain))
    }

    /// Forgets what was read of these domains.
    pub(super) fn forget<'d>(&self, domains: impl Iterator<Item = &'d str>) {
        let mut entries = self.entries();
        for domain in domains {
            entries.remove(domain);
        }
    }
}

impl Receiving {
    /// Who may receive for `domain` itself, in the order of verification, as it stood at most a second ago.
    pub(super) async fn candidates(&self, domain: &str) -> Result<Arc<[Candidate]>, Error> {
        // First the generation: a change between it and the read makes the entry stale, not wrong.
        let (generation, now) = (self.store().settings_generation(), self.clock().instant());
        if let Some(entry) = self.known().entries().get(domain)
            && entry.generation == generation
            && entry.until > now
        {
            return Ok(entry.candidates.clone());
        }
        let mut reader = self.store().reader().await?;
        let (mut read, mut octets) = (vec![], 0_usize);
        for row in receipt_rules::candidates(&mut reader, domain).await? {
            let owner = Scope { account: row.account, region: row.region };
            let filters = filters::read(&mut reader, &owner).await?;
            octets = octets.saturating_add(row.rules.text().len());
            let rules = row.rules.read();
            read.push(Candidate { owner, rules, filters, suspended: row.suspended });
        }
        let candidates: Arc<[Candidate]> = read.into();
        let entry = Entry { candidates: candidates.clone(), octets, generation, until: now + GOOD_FOR };
        let mut entries = self.known().entries();
        let kept = || entries.values().map(|entry| entry.octets).sum::<usize>();
        if entries.len() >= ENTRIES_MAX || kept().saturating_add(octets) > OCTETS_MAX {
            entries.clear();
        }
        entries.insert(domain.to_owned(), entry);
        Ok(candidates)
    }
}
