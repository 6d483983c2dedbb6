//! The DNS records that the owner of a domain sets.
//!
//! Without a zone of the operator's the owner publishes the keys as TXT records under the tokens. With a zone, the owner sets
//! a CNAME for each token once, and the operator publishes the keys in the zone: then keys change without the owner.
use crate::mail::identity::Found;
use crate::mail::identity::keys::record_value;
use crate::mail::published::{DnsRecord, Need, Purpose, Turn};
use crate::store::dkim_keys::{DkimKey, KeyState};
use crate::store::identities::KeyOrigin;

/// The records that verify a domain, that receivers check its signatures with, and that its MAIL FROM domain needs, those
/// that verify it first. `hostname` is the name under which this server takes mail.
pub fn dns_records(found: &Found, zone: Option<&str>, hostname: &str) -> Vec<DnsRecord> {
    let domain = &found.identity.name;
    let mut records = Vec::new();
    if let Some(token) = &found.identity.txt_token {
        // One proof of two is enough.
        let need = if found.rsa_keys().next().is_none() { Need::Required } else { Need::Recommended };
        let token = record(format!("_amazonses.{domain}"), "TXT", token.clone(), Purpose::Verification);
        records.push(DnsRecord { need, ..token });
    }
    let ours = found.identity.dkim.origin == KeyOrigin::AwsSes;
    for key in &found.keys {
        let name = format!("{}._domainkey.{domain}", key.selector);
        match zone.filter(|_| ours) {
            Some(zone) => {
                let target = format!("{}.{zone}", key.selector);
                records.push(record(name, "CNAME", target.clone(), Purpose::DkimAlias(turn(key))));
                if is_published(key) {
                    records.push(DnsRecord { in_zone: true, ..key_record(target, key) });
                }
            }
            None if is_published(key) => records.push(key_record(name, key)),
            None => {}
        }
    }
    if let Some(mail_from) = &found.identity.mail_from {
        let name = || mail_from.domain.clone();
        records.push(record(name(), "MX", format!("10 {hostname}"), Purpose::MailFromMx));
        records.push(record(name(), "TXT", spf(hostname), Purpose::MailFromSpf));
    }
    records
}

/// What SES does not ask for, and receivers like to see.
pub fn recommended_records(found: &Found, hostname: &str) -> Vec<DnsRecord> {
    let domain = &found.identity.name;
    let records = [
        record(domain.clone(), "TXT", spf(hostname), Purpose::Spf),
        record(format!("_dmarc.{domain}"), "TXT", "v=DMARC1; p=none".to_owned(), Purpose::Dmarc),
    ];
    records.map(|record| DnsRecord { need: Need::Recommended, ..record }).to_vec()
}

fn record(name: String, kind: &'static str, value: String, purpose: Purpose) -> DnsRecord {
    DnsRecord { name, kind, value, in_zone: false, purpose, need: Need::Required }
}

fn key_record(name: String, key: &DkimKey) -> DnsRecord {
    let need = if turn(key) == Turn::Old { Need::Recommended } else { Need::Required };
    DnsRecord { need, ..record(name, "TXT", record_value(key), Purpose::DkimKey(turn(key))) }
}

fn spf(hostname: &str) -> String {
    format!("v=spf1 a:{hostname} ~all")
}

fn turn(key: &DkimKey) -> Turn {
    match key.state {
        KeyState::Current => Turn::Current,
        KeyState::Next => Turn::Next,
        KeyState::Retired => Turn::Old,
        KeyState::Spare => Turn::Spare,
    }
}

fn is_published(key: &DkimKey) -> bool {
    turn(key) != Turn::Spare
}
