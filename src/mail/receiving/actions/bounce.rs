//! The Bounce action: a delivery status notification (RFC 3464) to the mail's sender, with the null reverse path.
use crate::base::{Arn, EmailAddress};
use crate::mail::message::parse;
use crate::mail::message::report::{StatusOf, StatusReport};
use crate::mail::receiving::actions::{Bounce, Effect, Run};
use crate::mail::receiving::notification::ActionTaken;
use crate::workers::Reason;

/// What the bounce says.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// Three digits (RFC 5321, 4.2).
    pub reply_code: &'a str,
    /// An enhanced status code (RFC 3463).
    pub status: Option<&'a str>,
    /// A text for people.
    pub message: &'a str,
}

/// Bounces the mail for `recipients` and tells the topic. A mail with the null reverse path, or one that a program
/// sent on its own, is never answered (RFC 5321, 6.1; RFC 3834, 2): the topic is told all the same.
pub fn run(
    run: &mut Run<'_>,
    recipients: &[&EmailAddress],
    words: Words<'_>,
    sender: &EmailAddress,
    topic: Option<&Arn>,
) {
    send(run, recipients, words, sender);
    if let Some(topic) = topic {
        let action = ActionTaken::bounce(topic, words.reply_code, words.status, words.message, sender);
        run.tell(topic, recipients, &action);
    }
}

/// Bounces a mail that is too large for the action that should have taken it.
pub fn too_large(run: &mut Run<'_>, recipients: &[&EmailAddress]) {
    let Some(first) = recipients.first() else { return };
    let Ok(sender) = format!("MAILER-DAEMON@{}", first.domain()).parse::<EmailAddress>() else { return };
    let message = "Message length exceeds the limit of the recipient's system";
    send(run, recipients, Words { reply_code: "552", status: Some("5.3.4"), message }, &sender);
}

/// Bounces the mail, if it is one that may be answered.
pub fn send(run: &mut Run<'_>, recipients: &[&EmailAddress], words: Words<'_>, sender: &EmailAddress) {
    let id = &run.facts.message_id;
    let Ok(recipient) = EmailAddress::lenient(&run.facts.source) else {
        tracing::info!(message.id = %id, "not bounced: null reverse path");
        return;
    };
    if parse::is_auto_submitted(run.raw) {
        tracing::info!(message.id = %id, "not bounced: sent by a program");
        return;
    }
    match write(run, recipients, words, sender, &recipient) {
        Ok(bounce) => run.effects.push(Effect::Bounce(Box::new(bounce))),
        Err(error) => run.fail(Reason::Internal, format!("Bounce action: {error}"), false),
    }
}

/// Writes it. The status follows the class of the reply code where none is named.
fn write(
    run: &Run<'_>,
    recipients: &[&EmailAddress],
    words: Words<'_>,
    sender: &EmailAddress,
    recipient: &EmailAddress,
) -> Result<Bounce, crate::mail::message::Error> {
    let class = words.reply_code.get(..1).unwrap_or("5");
    let status = words.status.map_or_else(|| format!("{class}.0.0"), str::to_owned);
    let of = |address: &&EmailAddress| StatusOf {
        address: (*address).clone(),
        action: "failed".to_owned(),
        status: status.clone(),
        remote_mta: None,
        diagnostic: Some(format!("smtp; {} {status} {}", words.reply_code, words.message)),
        more: vec![],
    };
    let report = StatusReport {
        from: sender,
        to: recipient,
        in_reply_to: run.facts.common_headers.message_id.as_deref(),
        explanation: Some(words.message),
        reporting_mta: format!("dns; {}", run.hostname),
        arrival: run.facts.received_at,
        more: vec![],
        recipients: recipients.iter().map(of).collect(),
        original: run.raw,
    };
    let (sender, recipient, hostname) = (sender.clone(), recipient.clone(), run.hostname.to_owned());
    Ok(Bounce { sender, recipient, message: report.write()?, hostname })
}
