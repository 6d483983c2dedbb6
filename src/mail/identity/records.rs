//! The DNS records that the owner of a domain sets.
//!
//! Without a zone of the operator's the owner publishes the keys as TXT records under the tokens. With a zone, the owner sets
//! a CNAME for each token once, and the operator publishes the keys in the zone: then keys change without the owner.
use crate::mail::identity::Found;
use crate::mail::identity::keys::record_value;
use crate::store::dkim_keys::DkimKey;

/// A DNS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// The full name.
    pub name: String,
    /// `TXT`, `CNAME` or `MX`.
    pub kind: &'static str,
    /// The value: a text, a name, or a preference and a name.
    pub value: String,
    /// Whether it is the operator's to set, in the zone of the operator's.
    pub in_zone: bool,
}

/// The records that verify a domain, that receivers check its signatures with, and that its MAIL FROM domain needs, those
/// that verify it first. `hostname` is the name under which this server takes mail.
pub fn dns_records(found: &Found, zone: Option<&str>, hostname: &str) -> Vec<DnsRecord> {
    let domain = &found.identity.name;
    let record = |name: String, kind, value: String| DnsRecord { name, kind, value, in_zone: false };
    let mut records = Vec::new();
    if let Some(token) = &found.identity.txt_token {
        records.push(record(format!("_amazonses.{domain}"), "TXT", token.clone()));
    }
    let ours = found.identity.dkim.origin == "AWS_SES";
    for key in &found.keys {
        let name = format!("{}._domainkey.{domain}", key.selector);
        match zone.filter(|_| ours) {
            Some(zone) => {
                let target = format!("{}.{zone}", key.selector);
                records.push(record(name, "CNAME", target.clone()));
                if is_published(key) {
                    records.push(DnsRecord { in_zone: true, ..record(target, "TXT", record_value(key)) });
                }
            }
            None if is_published(key) => records.push(record(name, "TXT", record_value(key))),
            None => {}
        }
    }
    if let Some(mail_from) = &found.identity.mail_from {
        records.push(record(mail_from.domain.clone(), "MX", format!("10 {hostname}")));
        records.push(record(mail_from.domain.clone(), "TXT", format!("v=spf1 a:{hostname} ~all")));
    }
    records
}

fn is_published(key: &DkimKey) -> bool {
    key.state != "SPARE"
}
