//! The certificate of the SMTP listeners while the server runs: taken up when its files change, and told of before it ends.
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Clock, Timestamp};
use crate::smtp::Tls;
use crate::smtp::tls::TlsError;
use crate::workers::{Stop, tick};

/// A certificate that ends so soon is warned of.
pub(super) const SOON: Duration = Duration::from_secs(14 * 24 * 3_600);
/// How soon a certificate that was replaced on the disk is used.
const REFRESHED_EVERY: Duration = Duration::from_secs(30);
/// How often its end is warned of.
const WARNED_EVERY: Duration = Duration::from_secs(24 * 3_600);
/// How often a certificate that was replaced could not be used.
const FAILURES: &str = "postrider_certificate_reload_failures_total";

/// Takes the certificate up if its files changed; whether there is a new one.
///
/// # Errors
/// When it cannot be used, which is counted; the one before stays in use.
pub(super) fn refresh(tls: &Tls) -> Result<bool, TlsError> {
    tls.refresh().inspect_err(|_| metrics::counter!(FAILURES).increment(1))
}

/// Looks after the certificate until the stop begins.
pub(super) fn watch(stop: &Stop, clock: &Clock, tls: Arc<Tls>) {
    // So that the metric is there before there is a failure.
    metrics::counter!(FAILURES).increment(0);
    tick(stop, clock, "certificates", REFRESHED_EVERY, tls.clone(), async |tls| {
        match refresh(&tls) {
            Ok(true) => tracing::info!("a new smtp certificate is in use"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(%error, "the new smtp certificate cannot be used, the one before stays");
            }
        }
        Ok::<_, TlsError>(())
    });
    tick(stop, clock, "end of the certificate", WARNED_EVERY, (tls, clock.clone()), async |(tls, clock)| {
        warn(&tls, clock.now());
        Ok::<_, TlsError>(())
    });
}

/// Warns of a certificate that ends soon, or has ended.
fn warn(tls: &Tls, now: Timestamp) {
    let file = tls.file().display();
    match tls.valid_until() {
        Some(until) if until <= now => tracing::warn!(%file, %until, "the smtp certificate has ended"),
        Some(until) if until.since(now) < SOON => tracing::warn!(%file, %until, "the smtp certificate ends soon"),
        _ => {}
    }
}
