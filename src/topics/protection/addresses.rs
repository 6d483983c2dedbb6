//! Addresses of mail and of the network.
use std::net::{IpAddr, Ipv4Addr};

use crate::topics::protection::numbers::begins_here;

/// The longest local part and the longest domain (RFC 5321).
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;
/// The longest address of IPv6, with one of IPv4 at its end.
const IP_MAX: usize = 45;

/// Addresses of mail: something, `@`, and a domain of two labels or more.
pub(super) fn mail(text: &str) -> Vec<(usize, usize)> {
    let (mut found, mut behind) = (Vec::new(), 0);
    for (at, _) in text.match_indices('@') {
        if at < behind {
            continue;
        }
        let before = text.get(behind..at).unwrap_or_default();
        let local = before.char_indices().rev().take(LOCAL_MAX).take_while(|(_, c)| in_local(*c)).last();
        let Some((start, _)) = local else { continue };
        let start = behind + start;
        let Some(length) = domain(text.get(at + 1..).unwrap_or_default()) else { continue };
        // A sentence's dot, or a quote's apostrophe, is no part of it.
        let start =
            start + before.get(start - behind..).map_or(0, |l| l.len() - l.trim_start_matches(['.', '\'']).len());
        if start < at {
            behind = at + 1 + length;
            found.push((start, behind));
        }
    }
    found
}

fn in_local(c: char) -> bool {
    // Others are allowed, but in a text they stand between addresses more often than in one.
    c.is_alphanumeric() || "._%+-'=~*!#$".contains(c)
}

/// The length of the domain that a text begins with: of those labels after which it may end.
fn domain(text: &str) -> Option<usize> {
    let reach = text.char_indices().take(DOMAIN_MAX).take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '.' | '-'));
    let end = reach.last().map(|(at, c)| at + c.len_utf8())?;
    let (mut length, mut labels, mut best) = (0, 0, None);
    for label in text.get(..end)?.split('.') {
        if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
            break;
        }
        length += label.len() + usize::from(labels > 0);
        labels += 1;
        // The last one is a name.
        if labels > 1 && label.chars().count() > 1 && label.chars().any(char::is_alphabetic) {
            best = Some(length);
        }
    }
    best
}

/// Addresses of IPv4 and IPv6.
pub(super) fn ip(text: &str) -> Vec<(usize, usize)> {
    let (mut found, octets, mut at) = (Vec::new(), text.as_bytes(), 0);
    let part = |octet: &u8| octet.is_ascii_hexdigit() || *octet == b':' || *octet == b'.';
    while at < octets.len() {
        let length = octets.iter().skip(at).take_while(|octet| part(octet)).count();
        if let Some(run) = text.get(at..at + length) {
            let whole = |(start, end): &(usize, usize)| {
                let behind = text.get(at + end..).unwrap_or_default();
                begins_here(text, at + start) && !behind.starts_with(|c: char| c.is_alphanumeric())
            };
            found.extend(in_run(run).into_iter().filter(whole).map(|(start, end)| (at + start, at + end)));
        }
        at += length.max(1);
    }
    found
}

/// The addresses in a run of hexadecimal digits, dots and colons: one of IPv6, or those of IPv4 between its colons.
fn in_run(run: &str) -> Vec<(usize, usize)> {
    // A colon before an address, and a dot behind it, belong to the sentence; two colons are the address's own.
    let start = usize::from(run.starts_with(':') && !run.starts_with("::"));
    let trimmed = run.trim_end_matches(['.', ':']).len();
    let six = |end: usize| {
        let six =
            run.get(start..end).filter(|six| six.len() <= IP_MAX && six.bytes().any(|o| o.is_ascii_hexdigit()))?;
        (six.contains(':') && six.parse::<IpAddr>().is_ok()).then_some((start, end))
    };
    if let Some(one) = six(trimmed + 2).or_else(|| six(trimmed)) {
        return vec![one];
    }
    let (mut found, mut at) = (Vec::new(), 0);
    for piece in run.split(':') {
        let four = piece.trim_end_matches('.');
        if four.parse::<Ipv4Addr>().is_ok() {
            found.push((at, at + four.len()));
        }
        at += piece.len() + 1;
    }
    found
}
