//! What the checks of received mail found, in SES's words.
use mail_auth::dmarc::Policy;
use mail_auth::{DkimOutput, DkimResult, DmarcOutput, DmarcResult, SpfOutput, SpfResult};
use serde::Serialize;

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

/// SES tells FAIL for a plain fail only; a soft fail and a neutral policy say nothing for sure.
pub(super) fn spf_verdict(spf: &SpfOutput) -> Verdict {
    match spf.result() {
        SpfResult::Pass => Verdict::Pass,
        SpfResult::Fail => Verdict::Fail,
        SpfResult::SoftFail | SpfResult::Neutral | SpfResult::None => Verdict::Gray,
        SpfResult::TempError | SpfResult::PermError => Verdict::ProcessingFailed,
    }
}

/// One good signature is enough (RFC 6376, 6.1).
pub(super) fn dkim_verdict(dkim: &[DkimOutput<'_>]) -> Verdict {
    let any = |wanted: fn(&DkimResult) -> bool| dkim.iter().any(|output| wanted(output.result()));
    if any(|result| matches!(result, DkimResult::Pass)) {
        Verdict::Pass
    } else if any(|result| matches!(result, DkimResult::TempError(_))) {
        Verdict::ProcessingFailed
    } else if any(|result| !matches!(result, DkimResult::None)) {
        Verdict::Fail
    } else {
        Verdict::Gray
    }
}

pub(super) fn dmarc_verdict(dmarc: &DmarcOutput) -> Verdict {
    let results = [dmarc.spf_result(), dmarc.dkim_result()];
    if results.contains(&&DmarcResult::Pass) {
        Verdict::Pass
    } else if results.iter().any(|result| matches!(result, DmarcResult::TempError(_))) {
        Verdict::ProcessingFailed
    } else if dmarc.dmarc_record().is_some() {
        Verdict::Fail
    } else {
        Verdict::Gray
    }
}

pub(super) fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Quarantine => "quarantine",
        Policy::Reject => "reject",
        Policy::None | Policy::Unspecified => "none",
    }
}
