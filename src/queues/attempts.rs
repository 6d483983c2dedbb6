//! Receives from FIFO queues that are repeated: who did not get the answer asks again under the same
//! ReceiveRequestAttemptId, and gets the same messages and handles (ReceiveMessage in the SQS API reference).
use std::time::Duration;

use crate::base::Timestamp;
use crate::queues::{Error, Queue};
use crate::store::messages::{self, Claimed};
use crate::store::receive_attempts::{self, Attempt};
use crate::store::{self, Tx};

/// How long a receive can be repeated.
const REPEATABLE_FOR: Duration = Duration::from_secs(300);

/// The messages of the earlier receive, hidden anew. `None` when there was none, or when one of its messages was hidden for
/// another time, or has become visible since.
///
/// # Errors
/// [`Error::AttemptOver`] when one of its messages is gone.
pub(super) async fn repeat(
    tx: &mut Tx,
    queue: &Queue,
    attempt_id: &str,
    hidden: Duration,
) -> Result<Option<Vec<Claimed>>, Error> {
    let Some(attempt) = receive_attempts::find(tx, queue.id, attempt_id).await? else { return Ok(None) };
    let ids: Vec<i64> = serde_json::from_str(&attempt.messages).map_err(store::Error::corrupt)?;
    messages::hold_groups_of(tx, queue.id, &ids).await?;
    let mut found = receive_attempts::untouched(tx, queue.id, &attempt, &ids).await?;
    if found.len() < ids.len() || ids.is_empty() || attempt.hidden_until <= tx.now() {
        let gone = found.len() < ids.len() && receive_attempts::count(tx, queue.id, &ids).await? < ids.len();
        return if gone { Err(Error::AttemptOver(attempt_id.to_owned())) } else { Ok(None) };
    }
    found.sort_by_key(|message| ids.iter().position(|id| *id == message.id));
    let until = tx.now() + hidden;
    for message in &found {
        messages::set_visible_at(tx, queue.id, message.id, message.receipt, until).await?;
    }
    note(tx, queue, attempt_id, until, &found).await?;
    Ok(Some(found))
}

/// Notes what a receive gave and hid until then, so that it can be repeated.
pub(super) async fn note(
    tx: &mut Tx,
    queue: &Queue,
    attempt_id: &str,
    hidden_until: Timestamp,
    given: &[Claimed],
) -> Result<(), Error> {
    let Some(receipt) = given.first().map(|message| message.receipt) else { return Ok(()) };
    // A receive that passed over dead letters may have claimed twice, under two receipts; then it cannot be repeated.
    if given.iter().any(|message| message.receipt != receipt) {
        return Ok(());
    }
    let ids: Vec<i64> = given.iter().map(|message| message.id).collect();
    let messages = serde_json::to_string(&ids).map_err(store::Error::corrupt)?;
    let now = tx.now();
    let attempt = Attempt { receipt, hidden_until, messages };
    receive_attempts::note(tx, queue.id, attempt_id, &attempt, now + REPEATABLE_FOR).await?;
    Ok(())
}
