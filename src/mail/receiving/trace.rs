//! The header fields that a received mail gets on top, as SES writes them: where it came from and what the checks said.
use std::fmt::Write;

use crate::base::EmailAddress;
use crate::mail::receiving::checks::Verdicts;
use crate::store::inbound_mails::InboundMail;

/// Writes the fields, each ending in CRLF. `Received` names the recipient only when there is one, so that no recipient
/// learns of another (RFC 5321, 7.2).
pub fn fields(mail: &InboundMail, recipients: &[EmailAddress], verdicts: &Verdicts, hostname: &str) -> String {
    let source = mail.source.as_deref().unwrap_or_default();
    let protocol = if mail.tls { "ESMTPS" } else { "ESMTP" };
    let helo = word(&mail.helo);
    // An address literal of RFC 5321, 4.1.3.
    let peer = if mail.peer.contains(':') { format!("IPv6:{}", mail.peer) } else { mail.peer.clone() };
    let mut out = format!("Return-Path: <{source}>\r\n");
    let _ = write!(out, "Received: from {helo} ([{peer}])\r\n by {hostname} with {protocol} id {}", mail.id);
    if let [only] = recipients {
        let _ = write!(out, "\r\n for {only}");
    }
    let _ = write!(out, ";\r\n {}\r\n", mail.received_at.rfc2822());
    let _ = write!(out, "X-SES-Spam-Verdict: {}\r\n", verdicts.spam.as_str());
    let _ = write!(out, "X-SES-Virus-Verdict: {}\r\n", verdicts.virus.as_str());
    out.push_str(&verdicts.headers);
    out
}

/// The client's name as one word without anything that means something in a header.
fn word(helo: &str) -> String {
    let word: String = helo.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_:[]".contains(*c)).take(255).collect();
    if word.is_empty() { "unknown".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AccountId, Region, Timestamp};
    use crate::mail::receiving::checks;
    use crate::store::inbound_mails::State;

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
        let text = fields(&mail, &recipients, &checks::unchecked(true), "mx.host.example");
        assert_eq!(
            text,
            "Return-Path: <>\r\nReceived: from evilBcc:x ([192.0.2.1])\r\n by mx.host.example with ESMTPS id id1\r\n \
             for bob@x.example;\r\n Fri, 02 Jan 2026 03:04:05 +0000\r\nX-SES-Spam-Verdict: DISABLED\r\n\
             X-SES-Virus-Verdict: DISABLED\r\n"
        );
    }
}
