//! How a look at the DNS changes how something stands: an identity, its DKIM keys, its MAIL FROM domain. Pure.
//!
//! The rules of SES: what is to be proved is looked for during 72 hours. What was proved and is gone has a temporary failure
//! for 72 hours more, in which it still counts, and has failed then. Only a DNS that says "no" makes anything fail; one
//! that does not answer leaves it waiting.
use std::time::Duration;

use crate::base::Timestamp;
use crate::mail::resolver::LookupFailed;
use crate::store::identities::{Identity, IdentityKind, ProofError, Standing};

/// SES: records are looked for during 72 hours.
pub const SEARCH_LIFE: Duration = Duration::from_secs(72 * 3600);
/// How often something young is looked up, for which somebody waits at the screen; what waits longer; what is well.
const SOON: Duration = Duration::from_secs(60);
const LATER: Duration = Duration::from_secs(15 * 60);
const WELL: Duration = Duration::from_secs(6 * 3600);
/// How long something is young.
const YOUNG: Duration = Duration::from_secs(3600);

/// What a look at the DNS found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// What should be there.
    Published,
    /// There is no such name.
    NoName,
    /// The name has no such record.
    NoRecord,
    /// A record, but another one.
    Other,
    /// The DNS did not answer.
    NoAnswer,
}

impl Finding {
    /// What an answer means, when `fits` says whether it is the right one.
    pub fn of(answer: Result<Vec<String>, LookupFailed>, fits: impl Fn(&[String]) -> bool) -> Self {
        match answer {
            Ok(records) if fits(&records) => Self::Published,
            Ok(_) => Self::Other,
            Err(LookupFailed::NoName) => Self::NoName,
            Err(LookupFailed::NoRecord) => Self::NoRecord,
            Err(LookupFailed::Unavailable(_)) => Self::NoAnswer,
        }
    }

    /// The better of two proofs of the same thing.
    pub fn or(self, other: Self) -> Self {
        let rank = |finding: Self| match finding {
            Self::Published => 0,
            Self::NoAnswer => 1,
            _ => 2,
        };
        if rank(other) < rank(self) { other } else { self }
    }

    /// What is wrong.
    pub fn error(self) -> Option<ProofError> {
        match self {
            Self::Published => None,
            Self::NoName => Some(ProofError::HostNotFound),
            Self::NoRecord => Some(ProofError::TypeNotFound),
            Self::Other => Some(ProofError::InvalidValue),
            Self::NoAnswer => Some(ProofError::DnsServerError),
        }
    }
}

/// The status after a look, and when it began to wait for a better one. What has failed, and what was never begun, stays.
pub fn after(
    status: Standing,
    since: Option<Timestamp>,
    finding: Finding,
    now: Timestamp,
) -> (Standing, Option<Timestamp>) {
    let begun = since.unwrap_or(now);
    let over = finding != Finding::NoAnswer && now.since(begun) > SEARCH_LIFE;
    match (status, finding) {
        (Standing::Failed, _) => (Standing::Failed, None),
        (Standing::NotStarted, _) => (Standing::NotStarted, None),
        (_, Finding::Published) => (Standing::Success, None),
        (Standing::Success, _) => (Standing::TemporaryFailure, Some(now)),
        _ if over => (Standing::Failed, None),
        (Standing::TemporaryFailure, _) => (Standing::TemporaryFailure, Some(begun)),
        _ => (Standing::Pending, Some(begun)),
    }
}

/// When to look at an identity next; `None` when there is nothing to look for. `next_key` says since when a key waits to
/// be found before it signs.
pub fn next_look(identity: &Identity, next_key: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let domain = identity.kind == IdentityKind::Domain;
    if domain && identity.status == Standing::Failed {
        return None;
    }
    let mut standings = Vec::new();
    if domain {
        standings.push((identity.status, identity.since));
        standings.push((identity.dkim.status, identity.dkim.since));
    }
    if let Some(mail_from) = &identity.mail_from {
        standings.push((mail_from.status, mail_from.since));
    }
    if let Some(since) = next_key {
        standings.push((Standing::Pending, Some(since)));
    }
    let wait = |(status, since): (Standing, Option<Timestamp>)| match status {
        Standing::Pending if now.since(since.unwrap_or(now)) < YOUNG => Some(SOON),
        Standing::Pending | Standing::TemporaryFailure => Some(LATER),
        Standing::Success => Some(WELL),
        Standing::Failed | Standing::NotStarted => None,
    };
    standings.into_iter().filter_map(wait).min().map(|wait| now + wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn statuses_follow_what_is_found() {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        let (young, old) = (Some(NOW), Some(Timestamp::from_secs(1_800_000_000 - 72 * 3600 - 1)));
        for (status, since, finding, expected) in [
            (Standing::Pending, young, Finding::Published, (Standing::Success, None)),
            (Standing::Pending, young, Finding::NoName, (Standing::Pending, young)),
            (Standing::Pending, old, Finding::NoName, (Standing::Failed, None)),
            (Standing::Pending, old, Finding::NoAnswer, (Standing::Pending, old)),
            (Standing::Pending, None, Finding::Other, (Standing::Pending, young)),
            (Standing::Success, None, Finding::Published, (Standing::Success, None)),
            (Standing::Success, None, Finding::NoRecord, (Standing::TemporaryFailure, young)),
            (Standing::Success, old, Finding::NoAnswer, (Standing::TemporaryFailure, young)),
            (Standing::TemporaryFailure, young, Finding::Published, (Standing::Success, None)),
            (Standing::TemporaryFailure, young, Finding::Other, (Standing::TemporaryFailure, young)),
            (Standing::TemporaryFailure, old, Finding::Other, (Standing::Failed, None)),
            (Standing::TemporaryFailure, old, Finding::NoAnswer, (Standing::TemporaryFailure, old)),
            (Standing::Failed, old, Finding::Published, (Standing::Failed, None)),
            (Standing::NotStarted, None, Finding::NoName, (Standing::NotStarted, None)),
        ] {
            assert_eq!(after(status, since, finding, NOW), expected, "{status} {finding:?}");
        }
        assert_eq!(NOW.since(old.expect("a time")), hours(72) + Duration::from_secs(1));
    }

    #[test]
    fn one_proof_of_two_is_enough() {
        assert_eq!(Finding::NoName.or(Finding::Published), Finding::Published);
        assert_eq!(Finding::Published.or(Finding::NoName), Finding::Published);
        assert_eq!(Finding::Other.or(Finding::NoAnswer), Finding::NoAnswer);
        assert_eq!(Finding::Other.or(Finding::NoName), Finding::Other);
    }
}
