//! The Bounce action: a delivery status notification (RFC 3464) to the mail's sender, with the null reverse path.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::{Arn, EmailAddress, ids};
use crate::mail::message::{headers, parse};
use crate::mail::receiving::actions::{Effect, Run};
use crate::mail::receiving::notification::ActionTaken;
use crate::workers::Reason;

/// How much of the original's header section a bounce returns.
const MAX_RETURNED_BYTES: usize = 8 * 1024;

/// A bounce that is ready to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounce {
    /// Who it comes from, as its `From` says; the reverse path is null.
    pub sender: EmailAddress,
    /// Who it goes to: the reverse path of the mail that bounces.
    pub recipient: EmailAddress,
    /// The complete message; Date and Message-ID are stamped when it is queued.
    pub message: Vec<u8>,
    /// The right side of its Message-ID.
    pub hostname: String,
}

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
    let Ok(recipient) = run.facts.source.parse::<EmailAddress>() else {
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

type Written<T> = Result<T, crate::mail::message::Error>;

fn write(
    run: &Run<'_>,
    recipients: &[&EmailAddress],
    words: Words<'_>,
    sender: &EmailAddress,
    recipient: &EmailAddress,
) -> Written<Bounce> {
    let boundary = format!("=_{}", ids::token(30));
    let mut out = Vec::new();
    headers::mailboxes(&mut out, "From", [(Some("Mail Delivery System"), sender.as_str())])?;
    headers::mailboxes(&mut out, "To", [(None, recipient.as_str())])?;
    headers::unstructured(&mut out, "Subject", "Delivery Status Notification (Failure)")?;
    if let Some(original) = run.facts.common_headers.message_id.as_deref().filter(|text| is_message_id(text)) {
        headers::unstructured(&mut out, "In-Reply-To", original)?;
    }
    headers::unstructured(&mut out, "Auto-Submitted", "auto-replied")?;
    headers::unstructured(&mut out, "MIME-Version", "1.0")?;
    let parameters = [("report-type", "delivery-status"), ("boundary", boundary.as_str())];
    headers::with_parameters(&mut out, "Content-Type", "multipart/report", &parameters)?;
    let mut body = format!("\r\n--{boundary}\r\n");
    body.push_str(&text_part(recipients, words));
    body.push_str(&format!("\r\n--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n"));
    body.push_str(&status_part(run, recipients, words));
    body.push_str(&format!("\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n"));
    body.push_str(&returned_headers(run.raw));
    body.push_str(&format!("\r\n--{boundary}--\r\n"));
    out.extend_from_slice(body.as_bytes());
    let hostname = run.hostname.to_owned();
    Ok(Bounce { sender: sender.clone(), recipient: recipient.clone(), message: out, hostname })
}

/// The part for people. Base64, so that any text stands on short lines of ASCII.
fn text_part(recipients: &[&EmailAddress], words: Words<'_>) -> String {
    let mut text = "Your message was not delivered to:\r\n\r\n".to_owned();
    for recipient in recipients {
        text.push_str(&format!("    {recipient}\r\n"));
    }
    text.push_str(&format!("\r\n{}\r\n", words.message));
    let mut part = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_owned();
    let encoded = STANDARD.encode(text);
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(76));
        part.push_str(line);
        part.push_str("\r\n");
        rest = more;
    }
    part
}

/// The part for programs (RFC 3464, 2). The status follows the class of the reply code where none is named.
fn status_part(run: &Run<'_>, recipients: &[&EmailAddress], words: Words<'_>) -> String {
    let class = words.reply_code.get(..1).unwrap_or("5");
    let status = words.status.map_or_else(|| format!("{class}.0.0"), str::to_owned);
    let arrival = run.facts.received_at.rfc2822();
    let mut part = format!("Reporting-MTA: dns; {}\r\nArrival-Date: {arrival}\r\n", run.hostname);
    for recipient in recipients {
        part.push_str(&format!(
            "\r\nFinal-Recipient: rfc822; {}\r\nAction: failed\r\nStatus: {status}\r\n\
             Diagnostic-Code: smtp; {} {status} {}\r\n",
            ascii(recipient.as_str()),
            words.reply_code,
            ascii(words.message)
        ));
    }
    part
}

/// The original's header section, as far as it is ASCII on lines that mail may have (RFC 5322, 2.1.1).
fn returned_headers(raw: &[u8]) -> String {
    let section = parse::header_section(raw);
    let section = String::from_utf8_lossy(section.get(..MAX_RETURNED_BYTES).unwrap_or(section));
    let mut out = String::new();
    for line in section.split('\n') {
        let line: String = ascii(line.trim_end_matches('\r')).chars().take(900).collect();
        if !line.is_empty() {
            out.push_str(&line);
            out.push_str("\r\n");
        }
    }
    out
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() && (!c.is_control() || c == '\t') { c } else { '?' }).collect()
}

fn is_message_id(text: &str) -> bool {
    text.len() <= 500
        && text.starts_with('<')
        && text.ends_with('>')
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}
