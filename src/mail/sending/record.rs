//! What is written when an attempt has ended: the recipient's state, the attempt, and the event. One transaction with the
//! job's outcome. Each does nothing when the recipient was settled meanwhile.
use crate::base::{Timestamp, ids};
use crate::mail::bounce::BounceType;
use crate::mail::content::event;
use crate::mail::content::{BouncedRecipient, DelayedRecipient, Delivery, DeliveryDelay, Event, publish_event};
use crate::mail::sending::schedule;
use crate::mail::sending::suppression;
use crate::mail::sending::transport::Outcome;
use crate::mail::sending::undelivered;
use crate::mail::sending::verdict::{Bounce, Deferral};
use crate::store::mail_attempts::Tried;
use crate::store::mail_figures::{self, Counted};
use crate::store::mails::{self, Attempt, AttemptOutcome, Kind, Mail, Recipient, Status};
use crate::store::suppressed::Reason;
use crate::store::{Error, Tx};
use crate::topics::Topics;

/// An attempt that has ended.
pub(super) struct Attempted {
    /// 1 for the first.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What the transport saw.
    pub round: Outcome,
    /// Our name.
    pub hostname: String,
}

impl Attempted {
    fn row(&self, outcome: AttemptOutcome, reply: &str) -> Attempt {
        Attempt {
            attempt: self.number,
            started_at: self.started_at,
            finished_at: self.ended_at,
            outcome,
            remote: self.round.remote.clone(),
            tls: self.round.tls.clone(),
            reply: Some(reply.to_owned()),
            transcript: self.round.transcript.clone(),
        }
    }

    /// The same as [`delivered`] writes where nobody is told, to be written with others.
    pub(super) fn taken(&self, to: &Recipient, response: &str) -> Tried {
        let attempt = self.row(AttemptOutcome::Delivered, response);
        Tried { mail_id: to.mail_id.clone(), n: to.n, status: Status::Delivered, attempt }
    }

    /// Keeps the attempt and the recipient's new state; false when the recipient was settled before.
    async fn keep(
        &self,
        tx: &mut Tx,
        to: &Recipient,
        status: Status,
        outcome: AttemptOutcome,
        reply: &str,
    ) -> Result<bool, Error> {
        if !mails::settle(tx, &to.mail_id, to.n, status, self.number, Some(reply)).await? {
            return Ok(false);
        }
        mails::insert_attempt(tx, &to.mail_id, to.n, &self.row(outcome, reply)).await?;
        Ok(true)
    }
}

/// It was delivered.
pub(super) async fn delivered(
    tx: &mut Tx,
    topics: &Topics,
    mail: &Mail,
    to: &Recipient,
    attempted: Attempted,
    response: String,
) -> Result<(), Error> {
    if !attempted.keep(tx, to, Status::Delivered, AttemptOutcome::Delivered, &response).await? {
        return Ok(());
    }
    let event = Event::Delivery(Delivery {
        at: attempted.ended_at,
        recipients: vec![to.address.clone()],
        smtp_response: response,
        reporting_mta: attempted.hostname,
        outgoing_ip: attempted.round.local.map(|address| address.to_string()),
        remote_ip: attempted.round.peer.map(|address| address.to_string()),
    });
    publish_event(tx, topics, mail, &event).await
}

/// It failed for good.
pub(super) async fn bounced(
    tx: &mut Tx,
    topics: &Topics,
    mail: &Mail,
    to: &Recipient,
    attempted: Attempted,
    bounce: Bounce,
) -> Result<(), Error> {
    if !attempted.keep(tx, to, Status::Bounced, AttemptOutcome::Bounced, &bounce.diagnostic).await? {
        return Ok(());
    }
    undelivered::tell(tx, mail, to, Some(&bounce.status)).await?;
    let feedback_id = ids::ses_message_id(attempted.ended_at);
    if bounce.bounce_type == BounceType::Permanent && mail.kind == Kind::User {
        suppression::suppress(tx, mail, &to.address, Reason::Bounce, &feedback_id).await?;
    }
    if mail.kind == Kind::User {
        mail_figures::count(tx, mail, Counted::Bounce, 1).await?;
    }
    let event = Event::Bounce(event::Bounce {
        at: attempted.ended_at,
        kind: bounce.bounce_type,
        sub_type: bounce.sub_type,
        recipients: vec![BouncedRecipient {
            email_address: to.address.clone(),
            action: Some("failed".to_owned()),
            status: Some(bounce.status),
            diagnostic_code: Some(bounce.diagnostic),
        }],
        feedback_id,
        reporting_mta: Some(format!("dns; {}", attempted.hostname)),
        remote_ip: attempted.round.peer.map(|address| address.to_string()),
    });
    publish_event(tx, topics, mail, &event).await
}

/// It is to be tried again.
pub(super) async fn deferred(
    tx: &mut Tx,
    topics: &Topics,
    mail: &Mail,
    to: &Recipient,
    attempted: Attempted,
    deferral: Deferral,
) -> Result<(), Error> {
    if !attempted.keep(tx, to, Status::Pending, AttemptOutcome::Delayed, &deferral.diagnostic).await? {
        return Ok(());
    }
    delayed(tx, topics, mail, to, attempted.ended_at, deferral, attempted.hostname).await
}

/// It waits, after an attempt or because its host rests. The sender hears of it once, when the delay has lasted.
pub(super) async fn delayed(
    tx: &mut Tx,
    topics: &Topics,
    mail: &Mail,
    to: &Recipient,
    at: Timestamp,
    deferral: Deferral,
    hostname: String,
) -> Result<(), Error> {
    if !schedule::reports_delay(mail.accepted_at, at, to.delayed_at) {
        return Ok(());
    }
    mails::mark_delayed(tx, &to.mail_id, to.n, at).await?;
    let event = Event::DeliveryDelay(DeliveryDelay {
        at,
        delay_type: deferral.delay_type,
        expires_at: mail.expires_at,
        recipients: vec![DelayedRecipient {
            email_address: to.address.clone(),
            status: deferral.status,
            diagnostic_code: deferral.diagnostic,
        }],
        reporting_mta: Some(hostname),
    });
    publish_event(tx, topics, mail, &event).await
}
