//! The header fields that tell what the checks found (RFC 7208, 9.1, and RFC 8601), written from what the verdicts are made of.
use std::fmt::Write;
use std::net::IpAddr;

use mail_auth::common::headers::HeaderWriter;
use mail_auth::{ArcOutput, AuthenticationResults, ReceivedSpf, SpfOutput, SpfResult};

use crate::mail::receiving::dmarc::{Dmarc, Found};
use crate::mail::receiving::envelope::Envelope;
use crate::mail::receiving::signatures::Judged;

/// What was found, before it is told.
pub(super) struct Findings<'a> {
    pub spf: SpfResult,
    pub dkim: &'a [Judged],
    /// DKIM could not be looked at.
    pub dkim_failed: bool,
    pub dmarc: &'a Dmarc,
    pub arc: Option<&'a ArcOutput<'a>>,
}

/// `Received-SPF` and `Authentication-Results`, each ending in CRLF. `hostname`: who says so.
pub(super) fn fields(envelope: Envelope<'_>, hostname: &str, findings: &Findings<'_>) -> String {
    let Envelope { peer, helo, source } = envelope;
    let spf = SpfOutput::new(String::new()).with_result(findings.spf);
    let mut out = ReceivedSpf::new(&spf, peer, helo, source, hostname).to_header();
    let results = AuthenticationResults::new(hostname);
    let results = if source.is_empty() {
        results.with_spf_ehlo_result(&spf, peer, helo)
    } else {
        results.with_spf_mailfrom_result(&spf, peer, source, helo)
    };
    let _ = write!(out, "Authentication-Results: {results}");
    for signature in findings.dkim {
        add_dkim(&mut out, signature);
    }
    match (findings.dkim.is_empty(), findings.dkim_failed) {
        (true, false) => out.push_str(";\r\n\tdkim=none"),
        (true, true) => out.push_str(";\r\n\tdkim=temperror"),
        _ => {}
    }
    add_dmarc(&mut out, findings.dmarc);
    if let Some(arc) = findings.arc {
        add_arc(&mut out, arc, peer);
    }
    out.push_str("\r\n");
    out
}

fn add_dkim(out: &mut String, signature: &Judged) {
    let Judged { word, why, domain, identity, selector, start } = signature;
    let _ = write!(out, ";\r\n\tdkim={}", word.as_str());
    if !why.is_empty() {
        let _ = write!(out, " ({why})");
    }
    for (name, value) in [("d", domain), ("i", identity), ("s", selector), ("b", start)] {
        if !value.is_empty() {
            let _ = write!(out, " header.{name}={}", word_of(value));
        }
    }
}

fn add_dmarc(out: &mut String, dmarc: &Dmarc) {
    let word = match dmarc.found {
        Found::Pass => "pass",
        Found::Fail(_) => "fail",
        Found::None => "none",
        Found::TempError => "temperror",
    };
    let _ = write!(out, ";\r\n\tdmarc={word}");
    if !dmarc.domain.is_empty() {
        let _ = write!(out, " header.from={}", word_of(&dmarc.domain));
    }
    if let Some(policy) = dmarc.policy {
        let _ = write!(out, " policy.dmarc={}", policy.as_str());
    }
}

fn add_arc(out: &mut String, arc: &ArcOutput<'_>, peer: IpAddr) {
    let told = AuthenticationResults::new("").with_arc_result(arc, peer);
    let _ = write!(out, "{told}");
}

/// A value as one word (RFC 8601, 2.2), in quotes where it has more than a word may. Nothing that ends a line.
fn word_of(value: &str) -> String {
    let value: String = value.chars().filter(|c| !c.is_control()).take(500).collect();
    let plain = |c: char| c.is_alphanumeric() || "!#$%&'*+-/?^_`{|}~.@=".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value
    } else {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    }
}
