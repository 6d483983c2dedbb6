//! Work that comes round by time: retention, expiry, verification.
use std::fmt::Display;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;

use crate::base::{Clock, Quiet};
use crate::workers::Stop;

/// Runs `round` on `state` every `period`, the first time at once, until the stop begins. A round that fails is logged; the next
/// one comes all the same.
pub fn tick<S, F, R, T, E>(stop: &Stop, clock: &Clock, name: &'static str, period: Duration, state: S, round: F)
where
    S: Clone + Send + 'static,
    F: Fn(S) -> R + Send + 'static,
    R: Future<Output = Result<T, E>> + Send,
    E: Display,
{
    let (clock, soft) = (clock.clone(), stop.soft().clone());
    stop.spawn(name, async move {
        let quiet = Quiet::new();
        loop {
            tokio::select! {
                biased;
                () = soft.cancelled() => return,
                // A panic costs this round: one bad row must not end the work for good.
                done = AssertUnwindSafe(round(state.clone())).catch_unwind() => {
                    let failed = match done {
                        Ok(Ok(_)) => None,
                        Ok(Err(error)) => Some(error.to_string()),
                        Err(_) => Some("it panicked".to_owned()),
                    };
                    if let Some(error) = failed {
                        quiet.tell(&clock, |left_out| {
                            tracing::error!(round = name, error, left_out, "a round of regular work failed");
                        });
                    }
                }
            }
            tokio::select! {
                biased;
                () = soft.cancelled() => return,
                () = clock.sleep(period) => {}
            }
        }
    });
}
