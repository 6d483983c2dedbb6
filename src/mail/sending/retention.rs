//! Retention: how long what was sent is kept.
use std::time::Duration;

use crate::mail::sending::{SendError, Sending, idempotency};
use crate::store::{idempotent_sends, mail_figures, mails};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long the raw message of a mail is kept once no recipient waits for it. Mails wait 14 hours at the most.
const RAW_DAYS: u32 = 3;
/// How long it is kept what became of a mail: recipients and attempts. The quota looks back one day.
const HISTORY_DAYS: u32 = 30;
/// Mails removed in one transaction: raw messages may be large, and nobody is to wait long for the store.
const AT_ONCE: i64 = 200;

/// Idempotency keys removed in one transaction: they are small.
const KEYS_AT_ONCE: i64 = 1000;

/// How long what became of recipients is kept for the statistics, which tell of two weeks.
const FIGURES_DAYS: u32 = 15;
/// Of these, so many go in one transaction.
const FIGURES_AT_ONCE: i64 = 1000;

impl Sending {
    /// One round over old mails; gives how many rows went. Where it is more than zero, another round may find more. A mail
    /// that a recipient still waits for stays, however old, and so does one that the inbox shows.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn sweep(&self) -> Result<u64, SendError> {
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    idempotent_sends::expire(tx, now - idempotency::KEPT_FOR, KEYS_AT_ONCE).await?;
                    let told = mail_figures::expire(tx, now - DAY * FIGURES_DAYS, FIGURES_AT_ONCE).await?;
                    let raw = mails::expire_raw(tx, now - DAY * RAW_DAYS, AT_ONCE).await?;
                    Ok(told + raw + mails::expire(tx, now - DAY * HISTORY_DAYS, AT_ONCE).await?)
                })
            })
            .await
    }
}
