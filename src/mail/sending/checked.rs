//! What the checks found for a sender, kept for a moment: a sender sends many mails, and what he may seldom changes.
use std::sync::Arc;

use crate::base::{AccountId, EmailAddress, Kept, Region};
use crate::mail::sending::checks::{self, Authors, Checked};
use crate::mail::sending::quota::Limits;
use crate::mail::sending::simulator::Simulator;
use crate::mail::sending::{SendError, Submission};
use crate::store::{Store, identity_policies};

/// Senders that are known: those that sent last. An answer with its key has less than a kilobyte.
const SENDERS_KEPT: usize = 20_000;

/// Everything that the checks look at for an account that is out of the sandbox and whose identities have no policies.
/// With them, and with other accounts' identities, more counts: recipients, the time, the client. Then nothing is kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    account: AccountId,
    region: Region,
    source: EmailAddress,
    return_path: Option<EmailAddress>,
    authors: Vec<EmailAddress>,
    named_set: Option<String>,
}

/// What was found for senders that passed the checks.
pub(super) type Passed = Kept<Asked, Arc<Checked>>;

/// Keeps what is found. The checks read kept tables and nothing else, so that an answer is good until one of them
/// changes.
pub(super) fn passed(store: &Store) -> Passed {
    store.kept(SENDERS_KEPT).while_confirmed()
}

/// The checks, with what they go by and what passed them lately.
pub(super) struct Checks<'a> {
    pub store: &'a Store,
    /// What accounts without limits of their own may send.
    pub limits: Limits,
    pub simulator: &'a Simulator,
    pub passed: &'a Passed,
}

impl Checks<'_> {
    /// Runs the checks, or says what they found before. Refusals are not kept. Of those who ask at once each has its own checks:
    /// whether an answer is for others too is known only when it is there.
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
        if submission.grants.are_none()
            && let Some(checked) = self.passed.get(&asked)
        {
            return Ok(checked);
        }
        let moment = self.passed.moment();
        let mut reader = self.store.reader().await?;
        let checked = checks::check(&mut reader, submission, &authors, named_set, self.limits, self.simulator).await?;
        let checked = Arc::new(checked);
        if checked.limits.production_access
            && submission.grants.are_none()
            && !identity_policies::are_any(&mut reader, &submission.account, &submission.region).await?
        {
            self.passed.put(asked, checked.clone(), moment);
        }
        Ok(checked)
    }
}
