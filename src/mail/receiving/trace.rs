//! The header fields that a received mail gets on top, as SES writes them: where it came from and what the checks said.
use std::fmt::Write;

use bytes::Bytes;

use crate::base::EmailAddress;
use crate::mail::message::parse;
use crate::mail::receiving::checks::Verdicts;
use crate::store::inbound_mails::InboundMail;

/// Writes the fields, each ending in CRLF. `Received` names the recipient only when there is one, so that no recipient
/// learns of another (RFC 5321, 7.2).
pub fn fields(mail: &InboundMail, recipients: &[EmailAddress], verdicts: &Verdicts, hostname: &str) -> String {
    let source = mail.source.as_deref().unwrap_or_default();
    let mut out = format!("Return-Path: <{source}>\r\n");
    out.push_str(&received(mail, recipients, hostname));
    let _ = write!(out, "X-SES-Spam-Verdict: {}\r\n", verdicts.spam.as_str());
    let _ = write!(out, "X-SES-Virus-Verdict: {}\r\n", verdicts.virus.as_str());
    out.push_str(&verdicts.headers);
    out
}

/// The field that tells where a mail came from (RFC 5321, 4.4).
pub fn received(mail: &InboundMail, recipients: &[EmailAddress], hostname: &str) -> String {
    let protocol = if mail.tls { "ESMTPS" } else { "ESMTP" };
    let helo = word(&mail.helo);
    // An address literal of RFC 5321, 4.1.3.
    let peer = if mail.peer.contains(':') { format!("IPv6:{}", mail.peer) } else { mail.peer.clone() };
    let mut out = format!("Received: from {helo} ([{peer}])\r\n by {hostname} with {protocol} id {}", mail.id);
    if let [only] = recipients {
        let _ = write!(out, "\r\n for {only}");
    }
    let _ = write!(out, ";\r\n {}\r\n", mail.received_at.rfc2822());
    out
}

/// The client's name as one word without anything that means something in a header.
fn word(helo: &str) -> String {
    let word: String = helo.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(*c)).take(255).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

/// The message without header fields that pretend to be ours: `Authentication-Results` in our name (RFC 8601, 5) and
/// SES's scan verdicts. Most mails have none and are passed on as they are.
pub fn without_claims(raw: Bytes, hostname: &str) -> Bytes {
    let section = parse::header_section(&raw);
    let mut kept = Vec::new();
    let mut dropping = false;
    let mut dropped = false;
    for line in section.split_inclusive(|byte| *byte == b'\n') {
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            dropping = is_claim(&String::from_utf8_lossy(line), hostname);
        }
        dropped |= dropping;
        if !dropping {
            kept.extend_from_slice(line);
        }
    }
    if !dropped {
        return raw;
    }
    kept.extend_from_slice(raw.get(section.len()..).unwrap_or_default());
    kept.into()
}

fn is_claim(line: &str, hostname: &str) -> bool {
    let Some((name, value)) = line.split_once(':') else { return false };
    match name.trim_end().to_ascii_lowercase().as_str() {
        "x-ses-spam-verdict" | "x-ses-virus-verdict" => true,
        // The name may stand on the next line, or after a comment: such a field is not worth keeping either.
        "authentication-results" => {
            let id = value.trim().split([';', ' ', '\t']).next().unwrap_or_default();
            id.is_empty() || id.starts_with('(') || id.eq_ignore_ascii_case(hostname)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AccountId, Region, Timestamp};
    use crate::mail::receiving::verdicts;
    use crate::store::inbound_mails::State;

    #[test]
    fn what_only_we_may_say_is_taken_out() {
        let kept = |raw: &'static str| {
            let bytes = without_claims(Bytes::from_static(raw.as_bytes()), "mx.host.example");
            String::from_utf8(bytes.to_vec()).expect("text")
        };
        let clean = "Subject: a\r\nAuthentication-Results: other.example; spf=pass\r\n\r\nX-SES-Spam-Verdict: PASS\r\n";
        assert_eq!(kept(clean), clean);
        assert_eq!(
            kept(
                "authentication-results : MX.host.example;\r\n\tspf=pass\r\nSubject: a\r\n b\r\n\
                 Authentication-Results:\r\n mx.host.example; dkim=pass\r\nX-SES-Virus-Verdict: PASS\r\n\r\nbody\r\n"
            ),
            "Subject: a\r\n b\r\n\r\nbody\r\n"
        );
        assert_eq!(kept("X-SES-Spam-Verdict: PASS"), "");
        assert_eq!(kept("\r\nbody"), "\r\nbody");
    }

    #[test]
    fn the_client_cannot_write_into_the_header() {
        let mail = InboundMail {
            id: "id1".to_owned(),
            raw_id: "id1".to_owned(),
            account: AccountId::development(),
            region: Region::default_region(),
            source: None,
            recipients: "[]".to_owned(),
            helo: "evil\r\nBcc: (x)".to_owned(),
            peer: "192.0.2.1".to_owned(),
            tls: true,
            received_at: Timestamp::from_secs(1_767_323_045),
            state: State::Waiting,
            note: None,
        };
        let recipients = ["bob@x.example".parse().expect("an address")];
        let text = fields(&mail, &recipients, &verdicts::unchecked(true), "mx.host.example");
        assert_eq!(
            text,
            "Return-Path: <>\r\nReceived: from evilBcc:x ([192.0.2.1])\r\n by mx.host.example with ESMTPS id id1\r\n \
             for bob@x.example;\r\n Fri, 02 Jan 2026 03:04:05 +0000\r\nX-SES-Spam-Verdict: DISABLED\r\n\
             X-SES-Virus-Verdict: DISABLED\r\n"
        );
    }
}
