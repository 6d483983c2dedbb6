//! What is written when something came back for a recipient: that it was told, the recipient's state, the suppression list,
//! and the event, all in one transaction. Each is told once for a recipient, however often the report comes.
use crate::base::{Timestamp, ids};
use crate::mail::bounce::{self, Classifier};
use crate::mail::content::event;
use crate::mail::content::{BouncedRecipient, Complaint, DelayedRecipient, DeliveryDelay, Event, publish_event};
use crate::mail::feedback::complaint;
use crate::mail::feedback::judged;
use crate::mail::feedback::report::Fate;
use crate::mail::sending::suppression;
use crate::store::feedback::{self, Told};
use crate::store::mail_figures::{self, Counted};
use crate::store::mails::{self, Kind, Mail, Recipient, Status};
use crate::store::suppressed::Reason;
use crate::store::{Error, Tx};
use crate::topics::Topics;

/// Whom it is about, and when it came.
pub(super) struct About {
    /// The mail.
    pub mail: Mail,
    /// The recipient. Events name this address and not the one in the report, which may be where its mail goes on to, or
    /// anybody's.
    pub to: Recipient,
    /// When the report came in.
    pub at: Timestamp,
    /// Who reports it.
    pub reporting_mta: String,
}

/// It does not arrive, although the other side had taken it.
pub(super) async fn bounced(
    tx: &mut Tx,
    topics: &Topics,
    classifier: &Classifier,
    about: &About,
    fate: &Fate,
) -> Result<bool, Error> {
    let (mail, to) = (&about.mail, &about.to);
    let feedback_id = ids::ses_message_id(about.at);
    let text = fate.diagnostic.clone().unwrap_or_default();
    // What bounced while it was sent was told then.
    let known = matches!(to.status, Status::Bounced | Status::Suppressed | Status::Rejected);
    if known || !feedback::tell_once(tx, &mail.id, to.n, Told::Bounce, &feedback_id).await? {
        return Ok(false);
    }
    mails::bounce_later(tx, &mail.id, to.n, &text).await?;
    count(tx, mail, Counted::Bounce).await?;
    let status = fate.status.clone().or_else(|| bounce::enhanced(&text).map(str::to_owned));
    let found = judged::judge(classifier, fate, &about.reporting_mta);
    let (kind, sub_type) = found.cause.kind();
    tracing::info!(mail.id = %mail.id, rule = found.rule, blame = found.cause.blame().as_str(), "a report was judged");
    if found.cause.suppresses() {
        suppression::suppress(tx, mail, &to.address, Reason::Bounce, &feedback_id).await?;
    }
    let recipient = BouncedRecipient {
        email_address: to.address.clone(),
        action: Some("failed".to_owned()),
        status,
        diagnostic_code: fate.diagnostic.clone(),
    };
    let event = Event::Bounce(event::Bounce {
        at: about.at,
        kind,
        sub_type,
        recipients: vec![recipient],
        feedback_id,
        reporting_mta: Some(about.reporting_mta.clone()),
        remote_ip: None,
    });
    publish_event(tx, topics, mail, &event).await?;
    Ok(true)
}

/// It is delayed at the other side, which will go on trying.
pub(super) async fn delayed(
    tx: &mut Tx,
    topics: &Topics,
    classifier: &Classifier,
    about: &About,
    fate: &Fate,
) -> Result<bool, Error> {
    let (mail, to) = (&about.mail, &about.to);
    let id = ids::ses_message_id(about.at);
    let first = to.delayed_at.is_none() && feedback::tell_once(tx, &mail.id, to.n, Told::DeliveryDelay, &id).await?;
    if !first || to.status == Status::Bounced {
        return Ok(false);
    }
    let diagnostic_code = fate.diagnostic.clone().unwrap_or_default();
    let status = fate.status.clone().unwrap_or_else(|| "4.0.0".to_owned());
    let event = Event::DeliveryDelay(DeliveryDelay {
        at: about.at,
        delay_type: judged::delay_type(classifier, fate, &about.reporting_mta),
        expires_at: mail.expires_at,
        recipients: vec![DelayedRecipient { email_address: to.address.clone(), status, diagnostic_code }],
        reporting_mta: Some(about.reporting_mta.clone()),
    });
    publish_event(tx, topics, mail, &event).await?;
    Ok(true)
}

/// The recipient complains.
pub(super) async fn complained(
    tx: &mut Tx,
    topics: &Topics,
    about: &About,
    complaint: &complaint::Complaint,
) -> Result<bool, Error> {
    let (mail, to) = (&about.mail, &about.to);
    let feedback_id = ids::ses_message_id(about.at);
    // Who says that it is no spam may complain later, and that must not count as told.
    let what = match complaint.feedback_type.as_deref() {
        Some("not-spam") => Told::NotSpam,
        Some("auth-failure") => Told::AuthFailure,
        _ => Told::Complaint,
    };
    if !feedback::tell_once(tx, &mail.id, to.n, what, &feedback_id).await? {
        return Ok(false);
    }
    if complaint.is_unwanted() {
        suppression::suppress(tx, mail, &to.address, Reason::Complaint, &feedback_id).await?;
    }
    count(tx, mail, Counted::Complaint).await?;
    let event = Event::Complaint(Complaint {
        at: about.at,
        recipients: vec![to.address.clone()],
        feedback_id,
        sub_type: None,
        user_agent: complaint.user_agent.clone(),
        feedback_type: complaint.feedback_type.clone(),
        arrival: complaint.arrival,
    });
    publish_event(tx, topics, mail, &event).await?;
    Ok(true)
}

async fn count(tx: &mut Tx, mail: &Mail, what: Counted) -> Result<(), Error> {
    if mail.kind == Kind::User { mail_figures::count(tx, mail, what, 1).await } else { Ok(()) }
}
