//! The header fields that a received mail gets on top, as SES writes them: where it came from and what the checks said.
use std::fmt::Write;

use bytes::Bytes;

use crate::base::EmailAddress;
use crate::mail::message::fields::{Field, Fields};
use crate::mail::receiving::checks::Verdicts;
use crate::store::inbound_mails::InboundMail;

/// How much of a field is read for the name in it, in octets: a host's name has at most 253, and each could be escaped.
const ID_MAX: usize = 1_000;

/// Writes the fields, each ending in CRLF. `Received` names the recipient only when there is one, so that no recipient
/// learns of another (RFC 5321, 7.2).
pub(super) fn fields(mail: &InboundMail, recipients: &[EmailAddress], verdicts: &Verdicts, hostname: &str) -> String {
    let source = mail.source.as_deref().unwrap_or_default();
    let mut out = format!("Return-Path: <{source}>\r\n");
    out.push_str(&received(mail, recipients, hostname));
    let _ = write!(out, "X-SES-Spam-Verdict: {}\r\n", verdicts.spam.as_str());
    let _ = write!(out, "X-SES-Virus-Verdict: {}\r\n", verdicts.virus.as_str());
    out.push_str(&verdicts.headers);
    out
}

/// The field that tells where a mail came from (RFC 5321, 4.4).
pub(super) fn received(mail: &InboundMail, recipients: &[EmailAddress], hostname: &str) -> String {
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
/// SES's scan verdicts. Most mails have none and are passed on as they are. A message that begins with a fold gets a name for it.
pub(super) fn without_claims(raw: Bytes, hostname: &str) -> Bytes {
    // The octets that stay, up to those that are copied.
    let (mut kept, mut copied) = (Vec::new(), 0);
    // A fold of no field would go on with the field above it, which is ours.
    let nameless = matches!(raw.first(), Some(b' ' | b'\t'));
    if nameless {
        kept.extend_from_slice(b"Comments:");
    }
    for claim in Fields::of(&raw).filter(|field| is_claim(field, hostname)).map(|field| field.range()) {
        kept.extend_from_slice(raw.get(copied..claim.start).unwrap_or_default());
        copied = claim.end;
    }
    if copied == 0 && !nameless {
        return raw;
    }
    kept.extend_from_slice(raw.get(copied..).unwrap_or_default());
    kept.into()
}

/// Whether a field is one that only we may write.
fn is_claim(field: &Field<'_>, hostname: &str) -> bool {
    field.is("X-SES-Spam-Verdict")
        || field.is("X-SES-Virus-Verdict")
        || (field.is("Authentication-Results") && is_ours(field.raw_value(), hostname))
}

/// Whether the value of `Authentication-Results` begins with our name (RFC 8601, 2.2: a word, which may stand in quotes; a
/// comment or a semicolon may follow at once). One that begins with a comment, with nothing or with a quote that has no end is
/// not worth keeping either.
fn is_ours(value: &[u8], hostname: &str) -> bool {
    let value = value.trim_ascii_start();
    let start = String::from_utf8_lossy(value.get(..ID_MAX).unwrap_or(value));
    let (mut id, mut quoted) = (String::new(), false);
    let mut letters = start.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' => id.extend(letters.next()),
            _ if quoted => id.push(letter),
            ';' | '(' | '/' | '=' => break,
            _ if letter.is_whitespace() => break,
            _ => id.push(letter),
        }
    }
    let id = id.trim().trim_end_matches('.');
    quoted || id.is_empty() || id.eq_ignore_ascii_case(hostname.trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{AccountId, Region, Timestamp};
    use crate::mail::receiving::verdicts;
    use crate::store::inbound_mails::State;

    #[test]
    fn what_only_we_may_say_is_taken_out() {
        let kept = |raw: &str| {
            let bytes = without_claims(Bytes::from(raw.to_owned()), "mx.host.example");
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
        for ours in [
            "mx.host.example(x); dkim=pass",
            "\"mx.host.example\"; dkim=pass",
            "\"mx.host\\.example\"(x); dkim=pass",
            "\r\n\t\"MX.host.example\" 1; dkim=pass",
            "mx.host.example/1; dkim=pass",
            "mx.host.example.; dkim=pass",
            "(x) mx.host.example; dkim=pass",
            "\"mx.host.example; dkim=pass",
            "mx.host.example",
            "; dkim=pass",
            "",
        ] {
            let forged = format!("Subject: a\r\nAuthentication-Results: {ours}\r\nTo: b\r\n\r\nbody\r\n");
            assert_eq!(kept(&forged), "Subject: a\r\nTo: b\r\n\r\nbody\r\n", "{ours}");
        }
        for theirs in [
            "other.example(mx.host.example); dkim=pass",
            "\r\n other.example; dkim=pass",
            "mx.host.example.org; dkim=pass",
        ] {
            let theirs = format!("Authentication-Results: {theirs}\r\n\r\nbody\r\n");
            assert_eq!(kept(&theirs), theirs);
        }
        let folded = " ;\tdkim=pass\r\n\tx\r\nSubject: a\r\n\r\nbody\r\n";
        assert_eq!(kept(folded), format!("Comments:{folded}"));
        let both = " x\r\nAuthentication-Results: mx.host.example\r\n\t; dkim=pass\r\nSubject: a\r\n\r\n";
        assert_eq!(kept(both), "Comments: x\r\nSubject: a\r\n\r\n");
        let long = "X: y\r\n".repeat(100_000);
        let forged = format!("{long}Authentication-Results: mx.host.example; dkim=pass\r\n\r\nbody\r\n");
        assert_eq!(kept(&forged), format!("{long}\r\nbody\r\n"));
        assert_eq!(kept("\r\nbody"), "\r\nbody");
    }

    fn names(raw: &[u8]) -> Vec<(Option<&str>, &[u8])> {
        Fields::of(raw).map(|field| (field.name(), field.raw())).collect()
    }

    proptest! {
        /// All but the claims stays, and no fold goes on with the field above.
        #[test]
        fn what_others_may_say_stays(pieces in prop::collection::vec(prop::sample::select(vec![
            "X-SES-Spam-Verdict", "authentication-results", "Subject", ":", " : ", "mx.host.example", "; dkim=pass", "other.example",
            "\r\n", "\r\n", "\r\n ", "\n", "\r", " ", "\0", "ü", "no field",
        ]), 0..24)) {
            let raw = pieces.concat().into_bytes();
            let kept = without_claims(Bytes::from(raw.clone()), "mx.host.example");
            let folded = matches!(raw.first(), Some(b' ' | b'\t'));
            let mut found = names(&kept);
            if folded {
                prop_assert_eq!(found.remove(0).0, Some("Comments"));
            }
            let others = Fields::of(&raw).filter(|field| !is_claim(field, "mx.host.example"));
            let others: Vec<_> = others.map(|field| (field.name(), field.raw())).skip(usize::from(folded)).collect();
            prop_assert_eq!(found, others);
        }
    }

    #[test]
    fn the_client_cannot_write_into_the_header() {
        let mail = InboundMail {
            id: "id1".to_owned(),
            raw_id: "id1".to_owned(),
            account: AccountId::development(),
            region: Region::default_region(),
            source: None,
            recipients: crate::store::Json::of(&vec![]).expect("JSON"),
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
