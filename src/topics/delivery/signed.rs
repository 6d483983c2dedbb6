//! Signed webhooks: one POST, what its answer means, and when it is tried again. Receipt rules and event buses use it.
use std::time::Duration;

use reqwest::Url;

use crate::base::{Clock, Timestamp};
use crate::outlets::barred::REFUSAL;
use crate::outlets::signature;
use crate::topics::delivery::post::{Posted, Poster};
use crate::workers::{Reason, backoff};

/// How often it is tried: over about nine hours.
const ATTEMPTS_MAX: u32 = 25;
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_secs(30 * 60);

/// How an attempt ended. The text is for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The receiver has it.
    Done,
    /// It is to be tried again.
    Later(Reason, String),
    /// It is not.
    Never(Reason, String),
}

/// When the attempt after this one (1 for the first) is made; `None` when there is none.
pub fn again(attempt: u32, clock: &Clock) -> Option<Timestamp> {
    let delay = || backoff::jitter(backoff::doubling(attempt, FIRST_RETRY, LAST_RETRY));
    (attempt < ATTEMPTS_MAX).then(|| clock.now() + delay())
}

/// Posts `body` as JSON, signed with `key`. Gives the status of the answer too, where there was one.
pub async fn post(
    poster: &Poster,
    clock: &Clock,
    (url, key): (Url, &[u8]),
    id: &str,
    body: &str,
) -> (Ended, Option<u16>) {
    let Some(headers) = signature::headers(key, id, clock.now(), body) else {
        return (Ended::Never(Reason::Unreadable, "the webhook's id or secret cannot be used".to_owned()), None);
    };
    match poster.post(url, headers, body.to_owned()).await {
        Posted::Answer(status @ 200..=299, _) => (Ended::Done, Some(status)),
        // The receiver says that it is gone for good.
        Posted::Answer(410, text) => (Ended::Never(Reason::Refused, format!("answered 410: {text}")), Some(410)),
        Posted::Answer(status, text) => {
            (Ended::Later(Reason::Deferred, format!("answered {status}: {text}")), Some(status))
        }
        Posted::Silent => (Ended::Later(Reason::Unreachable, "no answer in time".to_owned()), None),
        Posted::Unreachable(text) => (Ended::Later(Reason::Unreachable, text), None),
        Posted::Forbidden => (Ended::Never(Reason::Forbidden, REFUSAL.to_owned()), None),
    }
}
