//! What a look at the DNS found of each record, and what the log says of it: why something waits, once and not at every look.
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::base::Timestamp;
use crate::mail::identity::standing::Finding;
use crate::mail::resolver::LookupFailed;
use crate::store::identities::{Identity, Standing};

/// How many identities are remembered for which the log has said what is lacking. Beyond it all are forgotten, and told of
/// once more.
const TOLD_MAX: usize = 10_000;
/// How many values are told that stand instead of a record, and how many letters of each: strangers write them.
const INSTEAD: (usize, usize) = (4, 200);

/// What was found where a record should be.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    name: String,
    kind: &'static str,
    /// What it means.
    pub finding: Finding,
    /// What stands there instead, or what the DNS said.
    instead: Vec<String>,
}

impl Seen {
    /// What an answer means, when `fits` says whether it is the right one.
    pub(super) fn of(
        name: &str,
        kind: &'static str,
        answer: Result<Vec<String>, LookupFailed>,
        fits: impl Fn(&[String]) -> bool,
    ) -> Self {
        let told = match &answer {
            Ok(records) => records.as_slice(),
            Err(LookupFailed::Unavailable(why)) => std::slice::from_ref(why),
            Err(LookupFailed::NoName | LookupFailed::NoRecord) => &[],
        };
        let cut = |text: &String| text.chars().take(INSTEAD.1).collect();
        let instead = told.iter().take(INSTEAD.0).map(cut).collect();
        let name = name.trim_end_matches('.').to_owned();
        Self { name, kind, finding: Finding::of(answer, fits), instead }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, kind, instead, .. } = self;
        match self.finding {
            Finding::Published => write!(f, "{kind} {name}: there"),
            Finding::NoName => write!(f, "{kind} {name}: no such name"),
            Finding::NoRecord => write!(f, "{kind} {name}: no such record"),
            Finding::NoAnswer => write!(f, "{kind} {name}: the DNS did not answer ({})", instead.join(", ")),
            // Escaped: it comes from a stranger.
            Finding::Other => write!(f, "{kind} {name}: wrong, instead stands {instead:?}"),
        }
    }
}

/// What the log has said of identities that lack something. Kept in memory, for this process.
#[derive(Default)]
pub(super) struct Told(Mutex<HashMap<String, u64>>);

impl Told {
    /// Logs what a look has changed, and what is lacking unless that was said before.
    pub(super) fn tell(&self, before: &Identity, now: &Identity, seen: &[Seen]) {
        let lacking: Vec<&Seen> = seen.iter().filter(|seen| seen.finding != Finding::Published).collect();
        let changed = statuses(before) != statuses(now);
        let new = self.is_new(now, &lacking);
        if !changed && (!new || lacking.is_empty()) {
            return;
        }
        let lacking: Vec<String> = lacking.iter().map(ToString::to_string).collect();
        let [status, dkim, mail_from] = statuses(now).map(|status| status.map_or("", Standing::as_str));
        let (account, name, lacking) = (&now.account, &now.name, lacking.join("; "));
        let next_look = now.next_check_at.map(Timestamp::iso_millis).unwrap_or_default();
        let said = what_happened(before, now);
        if said == CHECKED {
            info!(%account, identity.name = %name, status, dkim, mail_from, lacking, next_look, "{said}");
        } else {
            warn!(%account, identity.name = %name, status, dkim, mail_from, lacking, next_look, "{said}");
        }
    }

    /// Whether something else is lacking than what was told of the identity.
    fn is_new(&self, identity: &Identity, lacking: &[&Seen]) -> bool {
        let key = format!("{} {} {}", identity.account, identity.region, identity.name);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lacking.is_empty() {
            return told.remove(&key).is_some();
        }
        let mut hasher = DefaultHasher::new();
        lacking.hash(&mut hasher);
        let hash = hasher.finish();
        if told.len() >= TOLD_MAX && !told.contains_key(&key) {
            told.clear();
        }
        told.insert(key, hash) != Some(hash)
    }
}

fn statuses(identity: &Identity) -> [Option<Standing>; 3] {
    [Some(identity.status), Some(identity.dkim.status), identity.mail_from.as_ref().map(|mail_from| mail_from.status)]
}

/// What the log says of a look, where nothing bad has happened.
const CHECKED: &str = "identity checked";

/// The worst that a look has changed, in the words of the log.
fn what_happened(before: &Identity, now: &Identity) -> &'static str {
    let changes: Vec<_> = statuses(before).into_iter().zip(statuses(now)).collect();
    let (failed, success) = (Some(Standing::Failed), Some(Standing::Success));
    if changes.iter().any(|(before, now)| *before != failed && *now == failed) {
        "an identity has failed: its records were not found for 72 hours"
    } else if changes.iter().any(|(before, now)| *before == success && *now != success) {
        "an identity has lost a record"
    } else {
        CHECKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_instead_is_said_and_escaped_and_cut() {
        let answer = Ok(vec!["v=spf1\u{1b}[2J".to_owned(), "x".repeat(5_000)]);
        let said = Seen::of("a.example.", "TXT", answer, |_| false).to_string();
        assert!(said.starts_with(r#"TXT a.example: wrong, instead stands ["v=spf1\u{1b}[2J", "xxx"#), "{said}");
        assert!(said.len() < 300, "{said}");
        let said = |failed| Seen::of("a.example.", "MX", Err(failed), |_| false).to_string();
        assert_eq!(said(LookupFailed::NoName), "MX a.example: no such name");
        assert_eq!(
            said(LookupFailed::Unavailable("SERVFAIL".to_owned())),
            "MX a.example: the DNS did not answer (SERVFAIL)"
        );
    }
}
