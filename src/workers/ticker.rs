//! Work that comes round by time: retention, expiry, verification.
use std::future::Future;
use std::time::Duration;

use crate::base::Clock;
use crate::workers::Stop;

/// Runs `round` every `period`, the first time at once, until the stop begins. A round that fails logs it itself; the next comes all the same.
pub fn tick<F, R>(stop: &Stop, clock: &Clock, name: &'static str, period: Duration, mut round: F)
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output = ()> + Send,
{
    let (clock, soft) = (clock.clone(), stop.soft().clone());
    stop.spawn(name, async move {
        loop {
            tokio::select! {
                biased;
                () = soft.cancelled() => return,
                () = round() => {}
            }
            tokio::select! {
                biased;
                () = soft.cancelled() => return,
                () = clock.sleep(period) => {}
            }
        }
    });
}
