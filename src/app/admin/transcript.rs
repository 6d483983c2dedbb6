//! What became of a sent mail.
use crate::app::admin::{Admin, AdminError};
use crate::store::mails;

impl Admin {
    /// What became of a sent mail: its recipients, and for each the attempts, with what both sides said. Kept for 30 days.
    ///
    /// # Errors
    /// When the store fails, or there is no such mail.
    pub async fn transcript(&self, message_id: &str) -> Result<Vec<String>, AdminError> {
        let tx = &mut self.store.reader().await?;
        let recipients = mails::recipients(tx, message_id).await?;
        if recipients.is_empty() {
            return Err(AdminError::NoMail(message_id.to_owned()));
        }
        let mut lines = Vec::new();
        for to in recipients {
            lines.push(format!("{} {}", to.address, to.status.as_str()));
            for attempt in mails::attempts(tx, message_id, to.n).await? {
                let took = attempt.finished_at.since(attempt.started_at).as_millis();
                let remote = attempt.remote.unwrap_or_else(|| "-".to_owned());
                let tls = attempt.tls.unwrap_or_else(|| "in the clear".to_owned());
                lines.push(format!(
                    "  attempt {} {} {took}ms {} {remote} {tls}",
                    attempt.attempt, attempt.started_at, attempt.outcome
                ));
                lines.extend(attempt.transcript.lines().map(|line| format!("    {line}")));
            }
        }
        Ok(lines)
    }
}
