//! Looking records up: each is there, missing, wrong, or the DNS did not say. Never answered from what was told before.
use std::net::IpAddr;
use std::time::Duration;

use crate::base::Clock;
use crate::mail::published::comparing::state;
use crate::mail::published::spf::Senders;
use crate::mail::published::{CheckedRecord, DnsRecord, Purpose, Server, State};
use crate::mail::resolver::LookupFailed;
use crate::mail::resolver::{Dns, MAX_ADDRESSES};

/// Records that are looked up at the same time.
const AT_ONCE: usize = 8;
/// How long one record may take; an SPF record asks for others.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most records of one check. An identity has ten keys at the most, each with a record in two zones.
const RECORDS_MAX: usize = 64;

/// Looks up records, in their order. `server` says from where mail goes out: SPF records have to let it.
pub async fn check(dns: &Dns, clock: &Clock, server: &Server, records: Vec<DnsRecord>) -> Vec<CheckedRecord> {
    let senders = senders(dns, server).await;
    let one = async |record: &DnsRecord| {
        let look = look(dns, clock, &senders, record, &records);
        let state = clock.timeout(PATIENCE, look).await;
        let state = state.unwrap_or_else(|| State::Failed { why: "no answer in time".to_owned() });
        CheckedRecord { record: record.clone(), state }
    };
    let mut checked = Vec::new();
    let limit = records.len().min(RECORDS_MAX);
    for some in records.get(..limit).unwrap_or_default().chunks(AT_ONCE) {
        checked.extend(futures::future::join_all(some.iter().map(one)).await);
    }
    checked
}

/// Where mail goes out from: the addresses of the settings, or else those of the server's name.
async fn senders(dns: &Dns, server: &Server) -> Senders {
    let addresses = match server.addresses.as_slice() {
        [] if server.direct => addresses_of(dns, &server.hostname).await,
        known => Ok(known.to_vec()),
    };
    Senders { hostname: server.hostname.clone(), direct: server.direct, addresses }
}

/// The addresses that a name has now.
///
/// # Errors
/// What the DNS said, where it did not say whether there are any.
pub(super) async fn addresses_of(dns: &Dns, host: &str) -> Result<Vec<IpAddr>, String> {
    let mut addresses = Vec::new();
    for kind in ["A", "AAAA"] {
        match dns.published(host, kind).await {
            Ok(found) => addresses.extend(found.iter().filter_map(|text| text.parse::<IpAddr>().ok())),
            Err(LookupFailed::Unavailable(why)) => return Err(why),
            Err(LookupFailed::NoName | LookupFailed::NoRecord) => {}
        }
    }
    addresses.truncate(MAX_ADDRESSES);
    Ok(addresses)
}

async fn look(dns: &Dns, clock: &Clock, senders: &Senders, record: &DnsRecord, all: &[DnsRecord]) -> State {
    match record.purpose {
        Purpose::MailFromSpf | Purpose::Spf | Purpose::FeedbackSpf | Purpose::HeloSpf => {
            senders.judge(dns, clock, &record.name).await
        }
        Purpose::DkimAlias(_) => alias(dns, record, all).await,
        Purpose::Dmarc => policy(dns, record).await,
        _ => state(record, dns.published(&record.name, record.kind).await),
    }
}

/// A CNAME that leads to the key on another way, and the key itself in its place, serve receivers as well.
async fn alias(dns: &Dns, record: &DnsRecord, all: &[DnsRecord]) -> State {
    let alias = state(record, dns.published(&record.name, record.kind).await);
    let key = all.iter().find(|key| key.in_zone && key.name == record.value);
    match key.filter(|_| alias != State::There) {
        Some(key) if state(key, dns.published(&record.name, key.kind).await) == State::There => State::There,
        _ => alias,
    }
}

/// The policy of the domain, or else of the registered domain above it (RFC 7489, 6.6.3).
async fn policy(dns: &Dns, record: &DnsRecord) -> State {
    let own = state(record, dns.published(&record.name, record.kind).await);
    let domain = record.name.strip_prefix("_dmarc.").unwrap_or(&record.name);
    match psl::domain_str(domain).filter(|top| own == State::Missing && *top != domain) {
        Some(top) => state(record, dns.published(&format!("_dmarc.{top}"), record.kind).await),
        None => own,
    }
}
