//! The forward action, one of our own: sends the mail on, unchanged below its trace fields, so that the author's DKIM
//! signature holds.
//!
//! The reverse path becomes the address that received the mail, whose domain is ours to send from, so that SPF holds; what
//! came with the null reverse path goes on with it, so that a bounce never makes another. `Delivered-To` on top tells
//! who had it: a mail that comes back to where it was is not sent on again (RFC 9228 describes the field). What becomes of
//! mail that does not arrive stands in `sending/undelivered.rs`.
use crate::base::{Arn, EmailAddress};
use crate::mail::message::parse;
use crate::mail::receiving::actions::{Effect, Forward, Run, bounce};
use crate::mail::receiving::checks::Verdict;
use crate::mail::receiving::notification::ActionTaken;

/// Sends the mail on for the first of the recipients, in whose name it goes.
pub fn run(run: &mut Run<'_>, recipients: &[&EmailAddress], to: &[EmailAddress], topic: Option<&Arn>) {
    let Some(from) = recipients.first() else { return };
    if had_it_before(run.raw, from) {
        tracing::warn!(message.id = %run.facts.message_id, recipient = %from, "not forwarded: the mail was here before");
        let words =
            bounce::Words { reply_code: "554", status: Some("5.4.6"), message: "Mail forwarding loop detected" };
        return bounce::send(run, recipients, words, from);
    }
    let mut message = format!("Delivered-To: {from}\r\n").into_bytes();
    // Only the last server writes Return-Path (RFC 5321, 4.4), and this one is not the last.
    message.extend_from_slice(without_return_path(&run.fields).as_bytes());
    message.extend_from_slice(run.raw);
    let null = run.facts.source.is_empty();
    let forward = Forward { from: (*from).clone(), null, to: to.to_vec(), told: told(run), message };
    run.effects.push(Effect::Forward(Box::new(forward)));
    if let Some(topic) = topic {
        run.tell(topic, recipients, &ActionTaken::forward(topic, to));
    }
}

/// The mail's sender, unless it is not to be answered, or is not who it says: then a stranger would be told.
fn told(run: &Run<'_>) -> Option<EmailAddress> {
    let forged = run.facts.verdicts.spf == Verdict::Fail;
    if forged || parse::is_auto_submitted(run.raw) { None } else { EmailAddress::lenient(&run.facts.source).ok() }
}

fn had_it_before(raw: &[u8], address: &EmailAddress) -> bool {
    parse::header_fields(raw).iter().any(|field| {
        field.name.eq_ignore_ascii_case("delivered-to") && field.value.trim().eq_ignore_ascii_case(address.as_str())
    })
}

/// Our own field is one line, the first.
fn without_return_path(fields: &str) -> &str {
    match fields.split_once("\r\n") {
        Some((first, rest)) if first.starts_with("Return-Path:") => rest,
        _ => fields,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_had_the_mail_is_told_by_the_header_alone() {
        let bob: EmailAddress = "bob@here.example".parse().expect("an address");
        assert!(had_it_before(b"Subject: x\r\nDelivered-To: Bob@HERE.example\r\n\r\n", &bob));
        assert!(!had_it_before(b"Delivered-To: eve@here.example\r\n\r\nDelivered-To: bob@here.example\r\n", &bob));
        assert_eq!(without_return_path("Return-Path: <a@b>\r\nReceived: x\r\n"), "Received: x\r\n");
        assert_eq!(without_return_path("Received: x\r\n"), "Received: x\r\n");
    }
}
