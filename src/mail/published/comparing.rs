//! Whether what the DNS answered is the record that should be there, compared as receivers read it. Pure.
use std::net::IpAddr;

use crate::mail::identity::keys::publishes;
use crate::mail::published::{DnsRecord, INSTEAD_MAX, Purpose, State};
use crate::mail::receiving::dmarc;
use crate::mail::resolver::LookupFailed;

/// The longest value that is told, in letters: strangers write them.
const VALUE_MAX: usize = 1_024;

/// The state of a record, by the values of its name and kind. SPF records are judged elsewhere: a text does not tell what they
/// say of an address.
pub(super) fn state(record: &DnsRecord, answer: Result<Vec<String>, LookupFailed>) -> State {
    let found = match answer {
        Ok(found) => found,
        Err(LookupFailed::NoName | LookupFailed::NoRecord) => return State::Missing,
        Err(LookupFailed::Unavailable(why)) => return State::Failed { why },
    };
    match record.purpose {
        Purpose::DkimKey(_) => key(&record.value, found),
        Purpose::Dmarc => policy(found),
        Purpose::MailFromMx => one_host(&record.value, found),
        Purpose::FeedbackMx => best_host(&record.value, found),
        Purpose::Address => any(found, "another address", |value| same_address(value, &record.value)),
        Purpose::DkimAlias(_) | Purpose::Reverse => any(found, "another name", |value| same_name(value, &record.value)),
        _ => any(found, "another text", |value| value.trim() == record.value),
    }
}

/// Something else stands there.
pub(super) fn wrong(instead: Vec<String>, why: impl Into<String>) -> State {
    let cut = |value: String| value.chars().take(VALUE_MAX).collect();
    State::Wrong { instead: instead.into_iter().take(INSTEAD_MAX).map(cut).collect(), why: why.into() }
}

fn any(found: Vec<String>, why: &str, fits: impl Fn(&str) -> bool) -> State {
    if found.iter().any(|value| fits(value)) { State::There } else { wrong(found, why) }
}

/// Names are compared without regard to case, and to the dot at the end.
pub(super) fn same_name(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

fn same_address(one: &str, other: &str) -> bool {
    match (one.parse::<IpAddr>(), other.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// One key (RFC 6376, 3.6.2.2: which of several counts nobody knows). Texts without `p=` are no keys.
fn key(wanted: &str, found: Vec<String>) -> State {
    let is_key = |text: &&String| tag(text, "p").is_some();
    let public = tag(wanted, "p").unwrap_or_default();
    match found.iter().filter(is_key).count() {
        0 => wrong(found, "no DKIM key"),
        1 => {
            let Some(one) = found.iter().find(is_key).filter(|one| publishes(one, &public)) else {
                let revoked = found.iter().any(|text| tag(text, "p").as_deref() == Some(""));
                return wrong(found, if revoked { "a revoked key" } else { "another key" });
            };
            match flaw(one, wanted) {
                Some(why) => wrong(found, why),
                None => State::There,
            }
        }
        _ => wrong(found, "several keys under one name"),
    }
}

/// Why receivers do not use a key although it is the right one (RFC 6376, 3.6.1).
fn flaw(record: &str, wanted: &str) -> Option<&'static str> {
    let has = |name: &str, good: &[&str]| {
        tag(record, name).is_none_or(|list| list.split(':').any(|item| good.contains(&item)))
    };
    let first = record.split(';').next().and_then(|tag| tag.split_once('=')).map(|(name, _)| name.trim());
    let kind = |text: &str| tag(text, "k").unwrap_or_else(|| "rsa".to_owned());
    if tag(record, "v").is_some_and(|version| version != "DKIM1" || first != Some("v")) {
        Some("v= is not DKIM1, or not the first tag")
    } else if kind(record) != kind(wanted) {
        Some("k= names another algorithm")
    } else if !has("h", &["sha256"]) {
        Some("h= does not allow sha256")
    } else if !has("s", &["*", "email"]) {
        Some("s= does not allow mail")
    } else {
        None
    }
}

/// The value of a tag, without white space.
fn tag(record: &str, wanted: &str) -> Option<String> {
    record.split(';').find_map(|tag| {
        let (name, value) = tag.split_once('=')?;
        (name.trim() == wanted).then(|| value.chars().filter(|c| !c.is_whitespace()).collect())
    })
}

/// One record with a policy (RFC 7489, 6.6.3). Which policy is up to the owner.
fn policy(found: Vec<String>) -> State {
    let mut records = found.iter().filter(|text| dmarc::is_record(text));
    match (records.next(), records.next()) {
        (None, _) => State::Missing,
        (Some(_), Some(_)) => wrong(found, "several DMARC records, of which none counts"),
        (Some(one), None) if dmarc::has_policy(one) => State::There,
        (Some(_), None) => wrong(found, "a DMARC record without a policy"),
    }
}

/// A value `10 host`, in its two parts.
fn host(value: &str) -> (u16, &str) {
    let (preference, host) = value.split_once(' ').unwrap_or(("", value));
    (preference.parse().unwrap_or(u16::MAX), host)
}

/// SES: a MAIL FROM domain has one MX record. The preference of the only one does not matter.
fn one_host(wanted: &str, found: Vec<String>) -> State {
    match found.as_slice() {
        [one] if same_name(host(one).1, host(wanted).1) => State::There,
        [_] => wrong(found, "another mail host"),
        _ => wrong(found, "several MX records, where SES wants one"),
    }
}

/// Mail goes to the hosts of the best preference first (RFC 5321, 5.1): all of them have to be this server.
fn best_host(wanted: &str, found: Vec<String>) -> State {
    let best = found.iter().map(|value| host(value).0).min();
    let first = || found.iter().map(|value| host(value)).filter(|(preference, _)| Some(*preference) == best);
    if first().all(|(_, name)| same_name(name, host(wanted).1)) {
        return State::There;
    }
    let among = found.iter().any(|value| same_name(host(value).1, host(wanted).1));
    wrong(found, if among { "other mail hosts are not behind this server" } else { "other mail hosts" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::published::{Need, Turn};

    fn seen(purpose: Purpose, value: &str, found: &[&str]) -> &'static str {
        let value = value.to_owned();
        let name = "x.example".to_owned();
        let record = DnsRecord { name, kind: "TXT", value, in_zone: false, purpose, need: Need::Required };
        match state(&record, Ok(found.iter().map(|&text| text.to_owned()).collect())) {
            State::There => "there",
            State::Missing => "missing",
            State::Wrong { .. } => "wrong",
            State::Failed { .. } => "failed",
        }
    }

    #[test]
    fn a_key_is_compared_by_its_tags() {
        let wanted = "v=DKIM1; k=rsa; p=AAAABBBB";
        for (found, expected) in [
            (&["v=DKIM1;k=rsa;p=AAAABBBB"][..], "there"),
            (&["k=rsa; p=AAAA BBBB ;", "some=thing"], "there"),
            (&["v=DKIM1; h=sha1:sha256; s=email; t=y; p=AAAABBBB"], "there"),
            (&["v=DKIM1; p=AAAABBBC"], "wrong"),
            (&["v=DKIM1; p="], "wrong"),
            (&["v=DKIM1; p=aaaabbbb"], "wrong"),
            (&["k=rsa; v=DKIM1; p=AAAABBBB"], "wrong"),
            (&["v=DKIM1; k=ed25519; p=AAAABBBB"], "wrong"),
            (&["v=DKIM1; h=sha1; p=AAAABBBB"], "wrong"),
            (&["v=DKIM1; s=tlsrpt; p=AAAABBBB"], "wrong"),
            (&["v=DKIM1; p=AAAABBBB", "v=DKIM1; p=CCCC"], "wrong"),
            (&["hello"], "wrong"),
        ] {
            assert_eq!(seen(Purpose::DkimKey(Turn::Current), wanted, found), expected, "{found:?}");
        }
    }

    #[test]
    fn names_and_addresses_and_hosts_are_compared_as_what_they_are() {
        let alias = Purpose::DkimAlias(Turn::Current);
        assert_eq!(seen(alias, "t.keys.op.example", &["T.keys.OP.example."]), "there");
        assert_eq!(seen(alias, "t.keys.op.example", &["t.keys.other.example"]), "wrong");
        assert_eq!(seen(Purpose::Address, "2001:db8::1", &["192.0.2.1", "2001:DB8:0::1"]), "there");
        assert_eq!(seen(Purpose::Address, "192.0.2.1", &["192.0.2.11"]), "wrong");
        let own = "10 mx.example";
        assert_eq!(seen(Purpose::MailFromMx, own, &["5 MX.example"]), "there");
        assert_eq!(seen(Purpose::MailFromMx, own, &["5 mx.example", "20 b.example"]), "wrong");
        assert_eq!(seen(Purpose::FeedbackMx, own, &["5 mx.example", "20 b.example"]), "there");
        for found in [&["5 mx.example", "5 b.example"][..], &["50 mx.example", "20 b.example"], &["0 "]] {
            assert_eq!(seen(Purpose::FeedbackMx, own, found), "wrong", "{found:?}");
        }
        let policy = |found: &[&str]| seen(Purpose::Dmarc, "v=DMARC1; p=none", found);
        assert_eq!(policy(&["v=DMARC1; p=reject; rua=mailto:a@x.example", "v=spf1 -all"]), "there");
        assert_eq!(policy(&["v=spf1 -all"]), "missing");
        assert_eq!(policy(&["v=DMARC1; p=none", "v=DMARC1; p=reject"]), "wrong");
        assert_eq!(policy(&["v=DMARC1; p=perhaps"]), "wrong");
        assert_eq!(seen(Purpose::Verification, "token", &["other", " token "]), "there");
    }

    #[test]
    fn what_strangers_write_is_told_in_part() {
        let State::Wrong { instead, .. } = wrong(vec!["é".repeat(5_000); 20], "x") else { panic!("wrong") };
        assert_eq!((instead.len(), instead[0].chars().count()), (INSTEAD_MAX, VALUE_MAX));
    }
}
