//! What the checks of received mail found, in SES's words.
use mail_auth::SpfResult;
use serde::Serialize;

use crate::mail::receiving::dmarc::Found;
use crate::mail::receiving::envelope::Envelope;
use crate::mail::receiving::results::{self, Findings};
use crate::mail::receiving::signatures::Word;

/// What a check found (SES developer guide, "Contents of notifications").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// The check passed.
    Pass,
    /// The check failed.
    Fail,
    /// There was nothing to check: no policy, no signature.
    Gray,
    /// The check could not be made, such as when DNS did not answer.
    ProcessingFailed,
    /// Nobody looked.
    Disabled,
}

impl Verdict {
    /// The word that SES uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Gray => "GRAY",
            Verdict::ProcessingFailed => "PROCESSING_FAILED",
            Verdict::Disabled => "DISABLED",
        }
    }
}

/// What all checks of one mail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// What the scanner says; `Disabled` where no rule asked for it.
    pub spam: Verdict,
    /// What the scanner says; `Disabled` where no rule asked for it.
    pub virus: Verdict,
    /// RFC 7208, for the reverse path's domain, or the client's name for the null one.
    pub spf: Verdict,
    /// RFC 6376.
    pub dkim: Verdict,
    /// RFC 7489, for the domain of `From`.
    pub dmarc: Verdict,
    /// What the domain asks for when DMARC fails: `none`, `quarantine` or `reject`.
    pub dmarc_policy: Option<&'static str>,
    /// The header fields that tell it: `Received-SPF` and `Authentication-Results`, each ending in CRLF.
    pub headers: String,
    /// DNS or the scanner failed for now: later the verdicts may be others.
    pub temporary: bool,
}

/// What is told when nothing could be looked up, or there was nothing to look up.
pub(super) fn unchecked(failed: bool) -> Verdicts {
    let verdict = if failed { Verdict::ProcessingFailed } else { Verdict::Gray };
    Verdicts {
        spam: Verdict::Disabled,
        virus: Verdict::Disabled,
        spf: verdict,
        dkim: verdict,
        dmarc: verdict,
        dmarc_policy: None,
        headers: String::new(),
        temporary: failed,
    }
}

/// The verdicts and the fields that tell them, both from the same findings. Nobody has scanned.
pub(super) fn verdicts(envelope: Envelope<'_>, hostname: &str, findings: &Findings<'_>) -> Verdicts {
    let dmarc_policy = match findings.dmarc.found {
        Found::Fail(policy) => Some(policy.as_str()),
        _ => None,
    };
    let (dkim, dmarc) = (dkim_verdict(findings), dmarc_verdict(findings.dmarc.found));
    Verdicts {
        spf: spf_verdict(findings.spf),
        dkim,
        dmarc,
        dmarc_policy,
        headers: results::fields(envelope, hostname, findings),
        temporary: findings.spf == SpfResult::TempError
            || dkim == Verdict::ProcessingFailed
            || dmarc == Verdict::ProcessingFailed,
        ..unchecked(false)
    }
}

/// SES tells FAIL for a plain fail only; a soft fail and a neutral policy say nothing for sure.
fn spf_verdict(spf: SpfResult) -> Verdict {
    match spf {
        SpfResult::Pass => Verdict::Pass,
        SpfResult::Fail => Verdict::Fail,
        SpfResult::SoftFail | SpfResult::Neutral | SpfResult::None => Verdict::Gray,
        SpfResult::TempError | SpfResult::PermError => Verdict::ProcessingFailed,
    }
}

/// One good signature is enough (RFC 6376, 6.1).
fn dkim_verdict(findings: &Findings<'_>) -> Verdict {
    let any = |word| findings.dkim.iter().any(|signature| signature.word == word);
    if any(Word::Pass) {
        Verdict::Pass
    } else if any(Word::TempError) || findings.dkim_failed {
        Verdict::ProcessingFailed
    } else if findings.dkim.is_empty() {
        Verdict::Gray
    } else {
        Verdict::Fail
    }
}

fn dmarc_verdict(found: Found) -> Verdict {
    match found {
        Found::Pass => Verdict::Pass,
        Found::Fail(_) => Verdict::Fail,
        Found::None => Verdict::Gray,
        Found::TempError => Verdict::ProcessingFailed,
    }
}
