//! One step of a conversation with a mail host, with its limit of time.
use std::future::Future;
use std::time::Duration;

use crate::base::Clock;
use crate::mail::sending::ending::{Ending, Stage};
use crate::mail::sending::transport::transcript::Transcript;
use crate::mail::sending::transport::wire::Broken;

/// Waits for one step of a conversation.
pub(super) async fn within<T>(
    clock: &Clock,
    limit: Duration,
    stage: Stage,
    work: impl Future<Output = Result<T, Broken>>,
    log: &mut Transcript,
) -> Result<T, Ending> {
    match clock.timeout(limit, work).await {
        Some(Ok(done)) => Ok(done),
        Some(Err(error)) => {
            log.step(&error.to_string());
            Err(Ending::Lost(stage, error.to_string()))
        }
        None => {
            log.step(&format!("no answer to {stage} in {} s", limit.as_secs()));
            Err(Ending::TimedOut(stage))
        }
    }
}
