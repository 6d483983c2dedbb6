//! How many looks at the DNS are under way, whose they are, and who did not answer.
use crate::base::{Clock, Shares, Silence};
use crate::mail::identity::seen::Told;
use crate::mail::resolver::LookupFailed;

/// Looks that are under way at once.
pub const LOOKS_AT_ONCE: usize = 128;

/// The looks that are under way, and who did not answer. One account has half of the places, and so has one zone.
pub(super) struct Looks {
    pub accounts: Shares<String>,
    pub zones: Shares<String>,
    silence: Silence,
    /// What the log was told.
    pub told: Told,
}

impl Looks {
    pub(super) fn new(clock: Clock) -> Self {
        let places = u64::try_from(LOOKS_AT_ONCE).unwrap_or(u64::MAX);
        Self {
            accounts: Shares::new(places, 1),
            zones: Shares::new(places, 1),
            silence: Silence::new(clock),
            told: Told::default(),
        }
    }

    /// What the DNS says to a question about a domain, unless it did not answer lately.
    pub(super) async fn ask(
        &self,
        domain: &str,
        question: impl Future<Output = Result<Vec<String>, LookupFailed>>,
    ) -> Result<Vec<String>, LookupFailed> {
        if self.silence.rests(domain) {
            return Err(LookupFailed::Unavailable("it did not answer lately".to_owned()));
        }
        let answer = question.await;
        match &answer {
            Err(LookupFailed::Unavailable(_)) => self.silence.silent(domain),
            _ => self.silence.answered(domain),
        }
        answer
    }
}
