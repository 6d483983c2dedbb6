//! Retention of the jobs that were given up: an operator has two weeks to look at them.
use std::time::Duration;

use crate::base::Clock;
use crate::store;
use crate::store::{Store, messages};
use crate::workers::SystemQueue;

/// The longest that SQS keeps a message.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);
/// Rows deleted in one transaction.
const AT_ONCE: u32 = 1_000;

/// One round over the dead letters of the system's queues; gives how many went. Where it is more than zero, another round
/// may find more.
///
/// # Errors
/// When the store fails.
pub async fn sweep_dead_letters(store: &Store, clock: &Clock) -> Result<u64, store::Error> {
    let before = clock.now() - KEPT;
    let mut gone = 0;
    for queue in SystemQueue::ALL {
        let id = queue.dead_letters_id();
        gone += store.write(move |tx| Box::pin(async move { messages::expire(tx, id, before, AT_ONCE).await })).await?;
    }
    Ok(gone)
}
