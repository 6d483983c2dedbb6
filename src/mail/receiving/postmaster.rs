//! Mail for a `postmaster` that no rule is for goes to a bucket of its own: it is always taken (see `route.rs`), so it must be
//! somewhere.
use crate::base::EmailAddress;
use crate::mail::receiving::actions::{Run, s3};
use crate::mail::receiving::matching;
use crate::mail::receiving::route::is_postmaster;
use crate::mail::receiving::rules::Rule;

const BUCKET: &str = "postmaster";

/// Keeps the mail there, if one of its recipients is a postmaster without a rule.
pub(super) async fn keep(run: &mut Run<'_>, rules: &[Rule]) {
    let ruled = |address: &EmailAddress| rules.iter().any(|rule| matching::matches(rule, address, run.tls));
    let left: Vec<&EmailAddress> =
        run.facts.recipients.iter().filter(|address| is_postmaster(address) && !ruled(address)).collect();
    if !left.is_empty() {
        run.matched += 1;
        let place = s3::Place { bucket: BUCKET, prefix: None, kms: None };
        s3::run(run, &left, place, None).await;
    }
}
