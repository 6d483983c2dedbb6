//! What became of a sent mail.
use crate::app::admin::{Admin, AdminError};
use crate::mail::sending::history::{self, History, Next, RecipientHistory};
use crate::store::mails::{Attempt, Status};

impl Admin {
    /// What became of a sent mail: whose it is, its recipients, and for each the attempts, with what both sides said, and what
    /// comes next. Kept for 30 days. The id may stand as in the field Message-ID.
    ///
    /// # Errors
    /// When the store fails, or there is no such mail.
    pub async fn transcript(&self, message_id: &str) -> Result<Vec<String>, AdminError> {
        let id = history::message_id(message_id);
        let found = history::history(&mut self.store.reader().await?, id).await?;
        found.map(|mail| lines(&mail)).ok_or_else(|| AdminError::NoMail(id.to_owned()))
    }
}

fn lines(history: &History) -> Vec<String> {
    let History { mail, from, subject, recipients } = history;
    let mut lines = vec![
        format!("message {}", mail.id),
        format!("from {}", printable(from)),
        format!("subject {}", subject.as_deref().map_or_else(|| "-".to_owned(), printable)),
        format!("account {} in {}", mail.account, mail.region),
        format!("accepted {}", mail.accepted_at),
    ];
    for to in recipients {
        lines.push(format!("{} {}", to.recipient.address, to.recipient.status.as_str()));
        for attempt in &to.attempts {
            lines.extend(attempted(attempt));
        }
        lines.extend(came_of(to, history).map(|line| format!("  {line}")));
    }
    lines
}

/// What came of it and what comes next, where the attempts do not say it.
fn came_of(to: &RecipientHistory, of: &History) -> Option<String> {
    let reason = to.recipient.last_reply.as_deref().map(printable);
    match to.recipient.status {
        Status::Pending => {
            let gives_up = format!("gives up {}", of.mail.expires_at);
            Some(match to.next.as_ref()? {
                Next::UnderWay => format!("an attempt is under way, {gives_up}"),
                Next::From(at) => format!("next attempt {at}, {gives_up}"),
                Next::Resumed => format!("waits: the account is suspended, {gives_up}"),
                Next::Released(why) => {
                    format!("waits: delivery is held (admin release), because {}, {gives_up}", printable(why))
                }
                Next::GivenUp(why) => format!("no more attempts: the job was given up ({})", printable(why)),
            })
        }
        Status::Suppressed => match &to.suppressed {
            Some(entry) => {
                let of_mail = entry.message_id.as_ref().map(|id| format!(", by mail {}", printable(id)));
                let (why, since) = (entry.reason.as_str(), entry.updated_at);
                Some(format!("on the suppression list for {why} since {since}{}", of_mail.unwrap_or_default()))
            }
            None => reason.map(|reason| format!("not on the suppression list any more; then: {reason}")),
        },
        Status::Rejected | Status::Bounced => reason.map(|reason| format!("because: {reason}")),
        Status::Delivered => None,
    }
}

fn attempted(attempt: &Attempt) -> Vec<String> {
    let took = attempt.finished_at.since(attempt.started_at).as_millis();
    let remote = attempt.remote.as_deref().unwrap_or("-");
    let tls = attempt.tls.as_deref().unwrap_or("in the clear");
    let (n, at, outcome) = (attempt.attempt, attempt.started_at, &attempt.outcome);
    let head = format!("  attempt {n} {at} {outcome} {took}ms {remote} {tls}");
    std::iter::once(head).chain(attempt.transcript.lines().map(|line| format!("    {line}"))).collect()
}

/// What others wrote, on one line and without anything that a terminal obeys.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}
