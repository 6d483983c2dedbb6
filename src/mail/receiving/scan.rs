//! Where a scanner for spam and viruses is connected. There is none yet: [`Disabled`] is the only one, and its verdicts are
//! SES's for a rule without ScanEnabled.
use std::fmt::Debug;

use futures::future::BoxFuture;

use crate::mail::receiving::envelope::Envelope;
use crate::mail::receiving::verdicts::Verdict;

/// What a scanner found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Whether it is spam: PASS for none, FAIL for spam, GRAY where that is not sure.
    pub spam: Verdict,
    /// Whether there is a virus in it.
    pub virus: Verdict,
    /// It could not look for now: the mail waits for it as it waits for DNS, before the verdicts count.
    pub temporary: bool,
}

impl Scanned {
    /// Nobody looked.
    pub const DISABLED: Self = Self { spam: Verdict::Disabled, virus: Verdict::Disabled, temporary: false };
    /// Somebody should have looked, and may later.
    pub const FAILED: Self =
        Self { spam: Verdict::ProcessingFailed, virus: Verdict::ProcessingFailed, temporary: true };
}

/// Looks for spam and viruses. It has the time that all checks of a mail have; then it counts as [`Scanned::FAILED`].
pub trait Scanner: Debug + Send + Sync {
    /// Scans one mail. It may run more than once for a mail, and changes nothing.
    fn scan<'a>(&'a self, envelope: Envelope<'a>, raw: &'a [u8]) -> BoxFuture<'a, Scanned>;
}

/// No scanner.
#[derive(Clone, Copy, Debug)]
pub struct Disabled;

impl Scanner for Disabled {
    fn scan<'a>(&'a self, _envelope: Envelope<'a>, _raw: &'a [u8]) -> BoxFuture<'a, Scanned> {
        Box::pin(std::future::ready(Scanned::DISABLED))
    }
}
