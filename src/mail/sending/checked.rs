//! What the checks found for a sender, kept for a moment: a sender sends many mails, and what he may seldom changes.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{AccountId, Clock, EmailAddress, Instant, Region};
use crate::mail::sending::checks::{self, Authors, Checked};
use crate::mail::sending::quota::Limits;
use crate::mail::sending::simulator::Simulator;
use crate::mail::sending::{SendError, Submission};
use crate::store::{Store, identity_policies};

/// How long an answer is good for that another node may have changed. What this node changes counts at once.
const GOOD_FOR: Duration = Duration::from_secs(1);
/// Enough for all senders in use; when there are more, all are checked anew.
const ENTRIES_MAX: usize = 10_000;

/// Everything that the checks look at for an account that is out of the sandbox and whose identities have no policies. With
/// them, and with other accounts' identities, more counts: recipients, the time, the client. Then nothing is kept.
#[derive(PartialEq, Eq, Hash)]
struct Asked {
    account: AccountId,
    region: Region,
    source: EmailAddress,
    return_path: Option<EmailAddress>,
    authors: Vec<EmailAddress>,
    named_set: Option<String>,
}

struct Entry {
    checked: Arc<Checked>,
    generation: u64,
    until: Instant,
}

/// Senders that passed the checks.
#[derive(Default)]
pub(super) struct Passed(Mutex<HashMap<Asked, Entry>>);

/// The checks, with what they go by and what passed them lately.
pub(super) struct Checks<'a> {
    pub store: &'a Store,
    pub clock: &'a Clock,
    /// What accounts without limits of their own may send.
    pub limits: Limits,
    pub simulator: &'a Simulator,
    pub passed: &'a Passed,
}

impl Checks<'_> {
    /// Runs the checks, or says what they found within the last second. Refusals are not kept.
    pub(super) async fn checked(
        &self,
        submission: &Submission,
        authors: Authors,
        named_set: Option<String>,
    ) -> Result<Arc<Checked>, SendError> {
        let asked = Asked {
            account: submission.account.clone(),
            region: submission.region.clone(),
            source: submission.source.clone(),
            return_path: submission.return_path.clone(),
            authors: authors.list.clone(),
            named_set: named_set.clone(),
        };
        // First the generation: a change between it and the checks makes the entry stale, not wrong.
        let (generation, now) = (self.store.settings_generation(), self.clock.instant());
        if let Some(entry) = self.passed.entries().get(&asked)
            && entry.generation == generation
            && entry.until > now
            && submission.grants.are_none()
        {
            return Ok(entry.checked.clone());
        }
        let mut reader = self.store.reader().await?;
        let checked = checks::check(&mut reader, submission, &authors, named_set, self.limits, self.simulator).await?;
        let checked = Arc::new(checked);
        if checked.limits.production_access
            && submission.grants.are_none()
            && !identity_policies::are_any(&mut reader, &submission.account, &submission.region).await?
        {
            let mut entries = self.passed.entries();
            if entries.len() >= ENTRIES_MAX {
                entries.clear();
            }
            entries.insert(asked, Entry { checked: checked.clone(), generation, until: now + GOOD_FOR });
        }
        Ok(checked)
    }
}

impl Passed {
    fn entries(&self) -> MutexGuard<'_, HashMap<Asked, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
