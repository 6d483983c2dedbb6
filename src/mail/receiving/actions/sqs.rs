//! The SQS action, one of our own: a message with the mail itself to a queue, as the SNS action publishes it.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::{Arn, EmailAddress};
use crate::mail::receiving::actions::{Effect, Run, bounce};
use crate::mail::receiving::notification::{ActionTaken, write};
use crate::mail::receiving::rules::Encoding;
use crate::workers::Reason;

/// The largest message that any queue takes.
const MAX_BYTES: usize = 1024 * 1024;

/// Sends the message. A mail that is too large for any queue bounces, as with the SNS action; one that is too large for
/// this queue alone is the operator's to see.
pub fn run(run: &mut Run<'_>, recipients: &[&EmailAddress], queue: &Arn, encoding: Encoding, topic: Option<&Arn>) {
    let mail = run.message();
    let content = match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(&mail).into_owned(),
        Encoding::Base64 => STANDARD.encode(&mail),
    };
    let action = ActionTaken::sqs(topic, queue, encoding);
    match write(run.facts, recipients, &action, run.clock.now(), Some(&content)) {
        Ok(text) if text.len() > MAX_BYTES => return bounce::too_large(run, recipients),
        Ok(message) => {
            let group = recipients.first().map(ToString::to_string).unwrap_or_default();
            let id = run.facts.message_id.clone();
            run.effects.push(Effect::Send { queue: queue.clone(), message, group, id });
        }
        Err(error) => return run.fail(Reason::Internal, format!("cannot write the message: {error}"), false),
    }
    if let Some(topic) = topic {
        run.tell(topic, recipients, &action);
    }
}
