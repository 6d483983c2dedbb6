//! Whether SPF lets this server send for a domain: asked as receivers ask, for each address that mail goes out from.
use std::net::IpAddr;

use mail_auth::SpfResult;

use crate::base::Clock;
use crate::mail::published::State;
use crate::mail::published::comparing::wrong;
use crate::mail::receiving::spf::spf_verdict;
use crate::mail::receiving::spf_record::{Record, is_record};
use crate::mail::resolver::Dns;
use crate::mail::resolver::LookupFailed;

/// Where mail goes out from.
pub(super) struct Senders {
    /// What this server calls itself.
    pub hostname: String,
    /// Whether mail goes to mail hosts from here. If not, the addresses that send are a smart host's.
    pub direct: bool,
    /// The addresses, or why they are not known.
    pub addresses: Result<Vec<IpAddr>, String>,
}

impl Senders {
    /// The state of a domain's SPF record.
    pub(super) async fn judge(&self, dns: &Dns, clock: &Clock, domain: &str) -> State {
        let texts = match dns.published(domain, "TXT").await {
            Ok(texts) => texts,
            Err(LookupFailed::NoName | LookupFailed::NoRecord) => return State::Missing,
            Err(LookupFailed::Unavailable(why)) => return State::Failed { why },
        };
        let records: Vec<String> = texts.into_iter().filter(|text| is_record(text.as_bytes())).collect();
        match records.as_slice() {
            [] => return State::Missing,
            [one] if Record::parse(one.as_bytes()).is_none() => return wrong(records, "it has an error of syntax"),
            [_] => {}
            _ => return wrong(records, "several SPF records, of which none counts"),
        }
        if !self.direct {
            return State::There;
        }
        let addresses = match &self.addresses {
            Ok(addresses) if addresses.is_empty() => {
                return wrong(records, format!("{} has no address that a record could let send", self.hostname));
            }
            Ok(addresses) => addresses,
            Err(why) => return State::Failed { why: format!("addresses of {}: {why}", self.hostname) },
        };
        for address in addresses {
            match spf_verdict(dns, clock, *address, &self.hostname, domain).await {
                SpfResult::Pass => {}
                SpfResult::TempError => return State::Failed { why: "a name in the record did not answer".to_owned() },
                other => return wrong(records, format!("{} for {address}", word(other))),
            }
        }
        State::There
    }
}

/// RFC 8601's words.
fn word(result: SpfResult) -> &'static str {
    match result {
        SpfResult::Pass => "pass",
        SpfResult::Fail => "fail",
        SpfResult::SoftFail => "softfail",
        SpfResult::Neutral => "neutral",
        SpfResult::TempError => "temperror",
        SpfResult::PermError => "permerror",
        SpfResult::None => "none",
    }
}
