//! DMARC (RFC 7489): whether who is shown as the author is who sent, and what his domain asks for if not.
use mail_auth::SpfResult;

use crate::mail::receiving::questions::{NoAnswer, Questions};
use crate::mail::receiving::signatures::{Judged, Word};

/// How many domains of authors are looked at. A mail of more fails as if one of them asked for that, without a question: who
/// hides an author behind so many others means no good (RFC 7489, 6.6.1).
const MAX_AUTHORS: usize = 10;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Found {
    Pass,
    /// The domain has no policy, or there is no domain.
    None,
    TempError,
    /// Neither SPF nor DKIM vouches for the domain, which asks for this.
    Fail(Policy),
}

/// What a domain asks for, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Policy {
    None,
    Quarantine,
    Reject,
}

impl Policy {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Policy::None => "none",
            Policy::Quarantine => "quarantine",
            Policy::Reject => "reject",
        }
    }

    fn read(text: &str) -> Option<Self> {
        [Self::None, Self::Quarantine, Self::Reject]
            .into_iter()
            .find(|policy| policy.as_str().eq_ignore_ascii_case(text))
    }
}

/// What is told of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dmarc {
    pub found: Found,
    /// The author's domain that decided; empty where there is none.
    pub domain: String,
    /// What it asks for; `None` without a policy.
    pub policy: Option<Policy>,
}

impl Dmarc {
    pub(super) fn nothing(found: Found) -> Self {
        Self { found, domain: String::new(), policy: None }
    }
}

/// A record, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    policy: Policy,
    for_subdomains: Policy,
    strict_spf: bool,
    strict_dkim: bool,
}

impl Record {
    /// Reads a record (RFC 7489, 6.3 and 6.6.3). `None` where it asks for nothing that could be done. Tags that cannot be
    /// read count as if they were not there.
    fn parse(text: &str) -> Option<Self> {
        let tags = || {
            text.split(';')
                .skip(1)
                .filter_map(|tag| tag.split_once('='))
                .map(|(name, value)| (name.trim(), value.trim()))
        };
        let get = |wanted: &str| tags().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value);
        let reported = get("rua").is_some_and(|to| to.to_ascii_lowercase().contains("mailto:"));
        let sub = get("sp").map(Policy::read);
        let policy = match (get("p").and_then(Policy::read), sub) {
            (Some(policy), None | Some(Some(_))) => policy,
            _ if reported => Policy::None,
            _ => return None,
        };
        let strict = |name| get(name).is_some_and(|value| value.eq_ignore_ascii_case("s"));
        let for_subdomains = sub.flatten().unwrap_or(policy);
        Some(Self { policy, for_subdomains, strict_spf: strict("aspf"), strict_dkim: strict("adkim") })
    }
}

/// Whether a text begins as a record must: `v=DMARC1`, before all else.
pub(crate) fn is_record(text: &str) -> bool {
    let first = text.split(';').next().unwrap_or_default();
    first.split_once('=').is_some_and(|(name, value)| name.trim().eq_ignore_ascii_case("v") && value.trim() == "DMARC1")
}

/// Whether a record asks for something that could be done.
pub(crate) fn has_policy(text: &str) -> bool {
    Record::parse(text).is_some()
}

/// The part of a domain that its owner registered.
fn registered(domain: &str) -> &str {
    psl::domain_str(domain).unwrap_or(domain)
}

/// The policy of an author's domain and its record: its own, or else that of the registered domain. What lies between is not
/// asked (RFC 7489, 6.6.3).
async fn record(questions: &Questions<'_>, domain: &str) -> Result<Option<(Policy, Record)>, NoAnswer> {
    let top = registered(domain);
    for at in std::iter::once(domain).chain(Some(top).filter(|top| *top != domain)) {
        let texts = questions.texts(&format!("_dmarc.{at}")).await?;
        let texts = texts.iter().map(|text| String::from_utf8_lossy(text));
        let found: Vec<_> = texts.filter(|text| is_record(text)).collect();
        match found.as_slice() {
            [] => {}
            [one] => {
                let record = Record::parse(one);
                let policy = |record: Record| if at == domain { record.policy } else { record.for_subdomains };
                return Ok(record.map(|record| (policy(record), record)));
            }
            // 6.6.3: of several none counts.
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// What vouches for the sender.
pub(super) struct Vouchers<'a> {
    pub spf: SpfResult,
    /// The domain that SPF was asked about.
    pub source: &'a str,
    pub dkim: &'a [Judged],
}

impl Vouchers<'_> {
    fn vouch_for(&self, domain: &str, record: Record) -> bool {
        let aligned = |other: &str, strict: bool| {
            let other = other.trim_end_matches('.');
            other.eq_ignore_ascii_case(domain)
                || (!strict && registered(&other.to_ascii_lowercase()).eq_ignore_ascii_case(registered(domain)))
        };
        let passed = self.dkim.iter().filter(|signature| signature.word == Word::Pass);
        (self.spf == SpfResult::Pass && aligned(self.source, record.strict_spf))
            || passed.into_iter().any(|signature| aligned(&signature.domain, record.strict_dkim))
    }
}

/// Judges a mail of these authors. Where several domains are named the strictest finding counts: readers may be shown any of
/// them.
pub(super) async fn judge(questions: &Questions<'_>, authors: &[String], vouchers: &Vouchers<'_>) -> Dmarc {
    let mut domains: Vec<String> =
        authors.iter().filter_map(|author| author.rsplit_once('@')).map(|(_, of)| plain(of)).collect();
    domains.retain(|domain| domain.contains('.'));
    domains.sort_unstable();
    domains.dedup();
    if domains.len() > MAX_AUTHORS {
        return Dmarc::nothing(Found::Fail(Policy::Reject));
    }
    let mut worst: Option<Dmarc> = None;
    for domain in domains {
        let (found, policy) = match record(questions, &domain).await {
            Err(NoAnswer) => (Found::TempError, None),
            Ok(None) => (Found::None, None),
            Ok(Some((policy, record))) if vouchers.vouch_for(&domain, record) => (Found::Pass, Some(policy)),
            Ok(Some((policy, _))) => (Found::Fail(policy), Some(policy)),
        };
        if worst.as_ref().is_none_or(|worst| found > worst.found) {
            worst = Some(Dmarc { found, domain, policy });
        }
    }
    worst.unwrap_or(Dmarc::nothing(Found::None))
}

fn plain(domain: &str) -> String {
    domain.trim_end_matches('.').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_the_rfc_wants_it() {
        let read =
            |text: &str| is_record(text).then(|| Record::parse(text)).flatten().map(|r| (r.policy, r.for_subdomains));
        use Policy::{None as Nothing, Quarantine, Reject};
        for (text, found) in [
            ("v=DMARC1; p=reject", Some((Reject, Reject))),
            ("v = DMARC1 ;p = Reject; sp=none;", Some((Reject, Nothing))),
            ("v=DMARC1; p=quarantine; adkim=x; pct=a", Some((Quarantine, Quarantine))),
            ("v=DMARC1; p=nothing; rua=mailto:a@b.example", Some((Nothing, Nothing))),
            ("v=DMARC1; rua=mailto:a@b.example", Some((Nothing, Nothing))),
            ("v=DMARC1; p=reject; sp=nothing; rua=mailto:a@b.example", Some((Nothing, Nothing))),
            ("v=DMARC1; p=nothing", None),
            ("v=DMARC1", None),
            ("p=reject; v=DMARC1", None),
            ("v=DMARC2; p=reject", None),
            ("v=dmarc1; p=reject", None),
            ("", None),
        ] {
            assert_eq!(read(text), found, "{text}");
        }
    }
}
