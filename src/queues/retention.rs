//! Retention: takes messages away that are older than their queue keeps them.
use std::time::Duration;

use crate::queues::{Error, Queues};
use crate::store::{messages, queues};

/// Rows deleted in one transaction.
const BATCH: u32 = 2_000;

impl Queues {
    /// One round over all queues. Called by the ticker. A message that is too old is never given out, whether or not
    /// this has come to it; here only the space comes back.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn sweep_expired(&self) -> Result<(), Error> {
        let queues = queues::retentions(&mut self.store.reader().await?).await?;
        for (id, retention) in queues {
            let before = self.clock.now() - Duration::from_secs(u64::from(retention));
            loop {
                let gone = self
                    .store
                    .write(move |tx| Box::pin(async move { messages::expire(tx, id, before, BATCH).await }))
                    .await?;
                if gone < u64::from(BATCH) {
                    break;
                }
            }
        }
        self.sweep_deduplication().await
    }
}
