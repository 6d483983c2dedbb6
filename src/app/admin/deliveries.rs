//! What became of a topic's messages, for each subscriber.
use crate::app::admin::{Admin, AdminError};
use crate::queues::Queues;
use crate::store::publications::Attempt;
use crate::topics::Topics;

impl Admin {
    /// The newest attempts to deliver messages of topics to `to`: a subscription's ARN, a phone number, or the ARN of a device's
    /// endpoint. Newest first: time, message id, attempt, status, milliseconds, outcome, the answer's first bytes.
    ///
    /// # Errors
    /// When the store fails, or there is no such subscriber and no attempt on record.
    pub async fn deliveries(&self, to: &str, limit: u32) -> Result<Vec<String>, AdminError> {
        let queues = Queues::new(self.store.clone(), self.clock.clone());
        let topics = Topics::new(self.store.clone(), self.clock.clone(), queues, None, "");
        let failed = |error: crate::topics::Error| AdminError::Topics(error.to_string());
        let attempts = topics.deliveries(to, limit).await.map_err(failed)?;
        if attempts.is_empty() && !topics.is_subscriber(to).await.map_err(failed)? {
            let shown = to.chars().filter(|c| !c.is_control()).take(400).collect();
            return Err(AdminError::NoSubscriber(shown));
        }
        let line = |attempt: Attempt| {
            let status = attempt.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
            let answer: String =
                attempt.answer.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
            format!(
                "{} {} {} {status} {}ms {} {answer}",
                attempt.at,
                attempt.message_id,
                attempt.attempt,
                attempt.latency_micros / 1_000,
                attempt.outcome
            )
        };
        Ok(attempts.into_iter().map(line).collect())
    }
}
