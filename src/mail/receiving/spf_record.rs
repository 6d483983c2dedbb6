//! SPF records (RFC 7208, section 12): read as a whole or not at all, and their macros (section 7).
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mail_auth::SpfResult;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What a macro with a large letter writes with `%` (RFC 7208, 7.3): all but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One record. Modifiers other than `redirect` change nothing that is told here, and are only read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub directives: Vec<(SpfResult, Mechanism)>,
    pub redirect: Option<String>,
}

/// What a directive asks. Domains are kept with their macros; `None` is the domain that is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    All,
    Include(String),
    A(Option<String>, Bits),
    Mx(Option<String>, Bits),
    Ptr(Option<String>),
    Ip(IpAddr, u8),
    Exists(String),
}

/// How many bits of an IPv4 and of an IPv6 address count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bits(pub u8, pub u8);

/// Whether this text is an SPF record of version 1 (RFC 7208, 4.5).
pub(crate) fn is_record(text: &[u8]) -> bool {
    let (version, rest) = text.split_at(text.len().min(6));
    version.eq_ignore_ascii_case(b"v=spf1") && matches!(rest.first(), None | Some(b' '))
}

impl Record {
    /// Reads a record. `None` for one with any error of syntax (RFC 7208, 4.6: permerror, and nothing of it counts).
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let terms = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?.get(6..)?;
        let (mut record, mut explained) = (Self { directives: Vec::new(), redirect: None }, false);
        for term in terms.split(' ').filter(|term| !term.is_empty()) {
            match modifier(term) {
                Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                    if record.redirect.replace(domain(value)?).is_some() {
                        return None;
                    }
                }
                Some((name, value)) if name.eq_ignore_ascii_case("exp") => {
                    domain(value)?;
                    if std::mem::replace(&mut explained, true) {
                        return None;
                    }
                }
                Some((_, value)) => drop(expand(value, None)?),
                None => record.directives.push(directive(term)?),
            }
        }
        Some(record)
    }
}

/// `name=value`, where the name is one of a modifier.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(inner)).then_some((name, value))
}

fn directive(term: &str) -> Option<(SpfResult, Mechanism)> {
    let (result, term) = match term.split_at_checked(1)? {
        ("+", rest) => (SpfResult::Pass, rest),
        ("-", rest) => (SpfResult::Fail, rest),
        ("~", rest) => (SpfResult::SoftFail, rest),
        ("?", rest) => (SpfResult::Neutral, rest),
        _ => (SpfResult::Pass, term),
    };
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    let value = rest.strip_prefix(':');
    let mechanism = match (name.to_ascii_lowercase().as_str(), value) {
        ("all", None) if rest.is_empty() => Mechanism::All,
        ("include", Some(value)) => Mechanism::Include(domain(value)?),
        ("exists", Some(value)) => Mechanism::Exists(domain(value)?),
        ("ptr", None) if rest.is_empty() => Mechanism::Ptr(None),
        ("ptr", Some(value)) => Mechanism::Ptr(Some(domain(value)?)),
        ("a", _) => {
            let (domain, bits) = host(rest)?;
            Mechanism::A(domain, bits)
        }
        ("mx", _) => {
            let (domain, bits) = host(rest)?;
            Mechanism::Mx(domain, bits)
        }
        ("ip4", Some(value)) => {
            let (address, bits) = network(value, 32)?;
            Mechanism::Ip(address.parse::<Ipv4Addr>().ok()?.into(), bits)
        }
        ("ip6", Some(value)) => {
            let (address, bits) = network(value, 128)?;
            Mechanism::Ip(address.parse::<Ipv6Addr>().ok()?.into(), bits)
        }
        _ => return None,
    };
    Some((result, mechanism))
}

fn network(value: &str, most: u8) -> Option<(&str, u8)> {
    match value.split_once('/') {
        Some((address, length)) => Some((address, bits(length, most)?)),
        None => Some((value, most)),
    }
}

/// `[":" domain] ["/" bits] ["//" bits]`.
fn host(rest: &str) -> Option<(Option<String>, Bits)> {
    let (rest, v6) = match rest.rsplit_once("//") {
        Some((before, length)) if is_number(length) => (before, bits(length, 128)?),
        _ => (rest, 128),
    };
    let (rest, v4) = match rest.rsplit_once('/') {
        Some((before, length)) if is_number(length) => (before, bits(length, 32)?),
        _ => (rest, 32),
    };
    let named = match rest.strip_prefix(':') {
        Some(value) => Some(domain(value)?),
        None if rest.is_empty() => None,
        None => return None,
    };
    Some((named, Bits(v4, v6)))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A prefix length without leading zeros.
fn bits(text: &str, most: u8) -> Option<u8> {
    let plain = is_number(text) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|bits| plain && *bits <= most)
}

/// A domain with macros: it ends in a macro, or in a top label after a dot.
fn domain(text: &str) -> Option<String> {
    expand(text, None)?;
    let literal = text.rfind('%').map_or(text, |at| {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("%{") {
            rest.split_once('}').map_or("", |(_, after)| after)
        } else {
            rest.get(2..).unwrap_or("")
        }
    });
    let ends_in_macro = literal.is_empty() && text.contains('%');
    let top = literal.strip_suffix('.').unwrap_or(literal).rsplit_once('.').map(|(_, top)| top);
    let is_top = |top: &str| {
        !top.is_empty()
            && top.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !top.starts_with('-')
            && !top.ends_with('-')
            && !top.bytes().all(|byte| byte.is_ascii_digit())
    };
    (ends_in_macro || top.is_some_and(is_top)).then(|| text.to_owned())
}

/// What macros stand for (RFC 7208, 7.2).
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    pub sender: &'a str,
    pub domain: &'a str,
    pub helo: &'a str,
    pub peer: IpAddr,
    /// The validated name of the client, or `unknown`.
    pub client: &'a str,
}

impl Values<'_> {
    fn of(&self, letter: char) -> Option<String> {
        let (local, domain) = self.sender.rsplit_once('@').unwrap_or(("postmaster", self.sender));
        Some(match letter {
            's' => self.sender.to_owned(),
            'l' => local.to_owned(),
            'o' => domain.to_owned(),
            'd' => self.domain.to_owned(),
            'i' => dotted(self.peer),
            'p' => self.client.to_owned(),
            'v' => if self.peer.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            'h' => self.helo.to_owned(),
            _ => return None,
        })
    }
}

/// An IPv6 address is told nibble by nibble.
fn dotted(peer: IpAddr) -> String {
    match peer {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

/// The text with its macros put in; without `values` it is only read. `None` for an error of syntax.
pub(crate) fn expand(text: &str, values: Option<&Values<'_>>) -> Option<String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find('%') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let (what, after) = after.split_at_checked(2)?;
        rest = after;
        match what {
            "%%" => out.push('%'),
            "%_" => out.push(' '),
            "%-" => out.push_str("%20"),
            "%{" => {
                let (inside, after) = after.split_once('}')?;
                rest = after;
                out.push_str(&one(inside, values)?);
            }
            _ => return None,
        }
    }
    out.push_str(rest);
    // What stands between macros is visible ASCII.
    text.bytes().all(|byte| byte.is_ascii_graphic()).then_some(out)
}

/// One macro: letter, how many parts from the right, whether they are turned round, and where the text is cut.
fn one(inside: &str, values: Option<&Values<'_>>) -> Option<String> {
    let letter = inside.chars().next().filter(|letter| "slodipvhSLODIPVH".contains(*letter))?;
    let rest = inside.get(1..)?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (count, rest) = rest.split_at(digits);
    let count = match count {
        "" => usize::MAX,
        digits => digits.parse::<usize>().ok().filter(|count| *count > 0)?,
    };
    let (turned, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
        return None;
    }
    let Some(values) = values else { return Some(String::new()) };
    let value = values.of(letter.to_ascii_lowercase())?;
    let cuts = |c: char| if delimiters.is_empty() { c == '.' } else { delimiters.contains(c) };
    let mut parts: Vec<&str> = value.split(cuts).collect();
    if turned {
        parts.reverse();
    }
    let kept = parts.split_off(parts.len().saturating_sub(count)).join(".");
    Some(if letter.is_ascii_uppercase() { utf8_percent_encode(&kept, ESCAPED).to_string() } else { kept })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_a_whole_or_not_at_all() {
        for good in [
            "v=spf1",
            "V=SPF1  ",
            "v=spf1 +a mx/24 -ALL",
            "v=spf1 a:b.example/24//64 mx:%{d} ptr ptr:x.example exists:%{ir}.%{v}._spf.%{d2} ?all",
            "v=spf1 ip4:192.0.2.0/0 ip6:2001:db8::/32 ip6:::1 redirect=_spf.x.example exp=why.x.example",
            "v=spf1 ip4=192.0.2.1 moo=%{s} a//64 include:a/1.example -all",
        ] {
            assert!(is_record(good.as_bytes()) && Record::parse(good.as_bytes()).is_some(), "{good}");
        }
        for bad in [
            "v=spf1 foo -all",
            "v=spf1 foo:bar",
            "v=spf1 all:x",
            "v=spf1 -all/8",
            "v=spf1 ip4:192.0.2",
            "v=spf1 ip4:192.0.2.256",
            "v=spf1 ip4:192.0.2.1/33",
            "v=spf1 ip4:192.0.2.1/08",
            "v=spf1 ip4",
            "v=spf1 ip6:2001:db8:::1",
            "v=spf1 ip6:::1/129",
            "v=spf1 a: -all",
            "v=spf1 a:/24",
            "v=spf1 a/",
            "v=spf1 mx:a.example/33",
            "v=spf1 include",
            "v=spf1 include:",
            "v=spf1 include:localhost",
            "v=spf1 include:a.123",
            "v=spf1 exists:%{x}",
            "v=spf1 exists:%{d0}",
            "v=spf1 exists:%(d)",
            "v=spf1 exists:%",
            "v=spf1 redirect=a.example redirect=b.example",
            "v=spf1 redirect=",
            "v=spf1 exp=a.example exp=b.example",
            "v=spf1 =x",
            "v=spf1 ipv4:192.0.2.1 -all",
            "v=spf1 a:b\u{e9}.example",
            "v=spf1\ta",
            "v=spf1 -all,mx",
        ] {
            assert_eq!(Record::parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(!is_record(b"v=spf10 all") && !is_record(b"v=spf2.0/pra") && !is_record(b""));
    }

    /// The examples of RFC 7208, 7.4.
    #[test]
    fn macros_come_out_as_the_rfc_has_them() {
        let values = Values {
            sender: "strong-bad@email.example.com",
            domain: "email.example.com",
            helo: "mx.example.org",
            peer: "192.0.2.3".parse().expect("an address"),
            client: "unknown",
        };
        for (text, out) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{L}%%%_%-", "strong-bad% %20"),
        ] {
            assert_eq!(expand(text, Some(&values)).as_deref(), Some(out), "{text}");
        }
        let values = Values { peer: "2001:db8::cb01".parse().expect("an address"), ..values };
        let long = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6";
        assert_eq!(expand("%{ir}.%{v}", Some(&values)).as_deref(), Some(long));
    }
}
