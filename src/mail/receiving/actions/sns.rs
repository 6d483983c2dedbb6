//! The SNS action: publishes a notification that holds the mail itself.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::{Arn, EmailAddress};
use crate::mail::receiving::actions::{Effect, Run, bounce};
use crate::mail::receiving::notification::{ActionTaken, write};
use crate::mail::receiving::rules::Encoding;
use crate::topics::message::MAX_BYTES;
use crate::workers::Reason;

/// The largest mail, with its header, that the SNS action takes (SES: 150 KB); a larger one bounces.
const MAX_MAIL_BYTES: usize = 150 * 1024;

/// Publishes the mail. One that is too large, or whose notification would be too large for SNS, bounces as SES says.
pub fn run(run: &mut Run<'_>, recipients: &[&EmailAddress], topic: &Arn, encoding: Encoding) {
    if run.fields.len() + run.raw.len() > MAX_MAIL_BYTES {
        return bounce::too_large(run, recipients);
    }
    let message = run.message();
    let content = match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(&message).into_owned(),
        Encoding::Base64 => STANDARD.encode(&message),
    };
    let action = ActionTaken::sns(topic, encoding);
    match write(run.facts, recipients, &action, run.clock.now(), Some(&content)) {
        Ok(text) if text.len() > MAX_BYTES => bounce::too_large(run, recipients),
        Ok(message) => run.effects.push(Effect::Publish { topic: topic.clone(), message }),
        Err(error) => run.fail(Reason::Internal, format!("cannot write the notification: {error}"), false),
    }
}
