//! The DNS records that the server itself needs, whatever domains it sends for.
use std::net::IpAddr;

use hickory_resolver::proto::rr::Name;

use crate::base::{Clock, Domain};
use crate::config::Settings;
use crate::mail::published::checking::{addresses_of, check};
use crate::mail::published::{CheckedRecord, DnsRecord, Need, Purpose};
use crate::mail::resolver::Dns;

/// What the server is called, and where it stands.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// What this server calls itself in mail.
    pub hostname: String,
    /// The domain of the return paths.
    pub feedback: Option<String>,
    /// The addresses that mail goes out from; empty where the settings name none.
    pub addresses: Vec<IpAddr>,
    /// Whether mail goes to mail hosts from here, not by a smart host.
    pub direct: bool,
}

impl Server {
    /// As the settings say. Addresses are those that mail goes out from, or else those where mail comes in; the rest of the
    /// world does not know private ones.
    pub fn from_settings(settings: &Settings) -> Self {
        let listeners = [settings.smtp, settings.submission, settings.submissions];
        let listening = listeners.iter().flatten().map(|listener| listener.ip());
        let sources = settings.source_address.iter().copied().filter(|address| is_known(*address));
        let mut addresses: Vec<IpAddr> = sources.collect();
        if addresses.is_empty() {
            addresses = listening.filter(|address| is_known(*address)).collect();
            addresses.sort();
            addresses.dedup();
        }
        Self {
            hostname: settings.hostname.to_string(),
            feedback: settings.feedback.domain.as_ref().map(Domain::to_string),
            addresses,
            direct: !settings.delivery.starts_with("relay:"),
        }
    }

    /// Looks up what the server needs. Addresses that no setting names are those that its name has now.
    pub async fn check(&self, dns: &Dns, clock: &Clock) -> Vec<CheckedRecord> {
        let mut server = self.clone();
        if server.addresses.is_empty() {
            server.addresses = addresses_of(dns, &server.hostname).await.unwrap_or_default();
        }
        check(dns, clock, &server, server_records(&server)).await
    }
}

/// Whether others reach this address under the same number.
fn is_known(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => !(v4.is_private() || v4.is_loopback() || v4.is_unspecified() || v4.is_link_local()),
        IpAddr::V6(v6) => {
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local())
        }
    }
}

/// The records that the server needs, those of its name first.
pub fn server_records(server: &Server) -> Vec<DnsRecord> {
    let Server { hostname, feedback, addresses, direct } = server;
    let record = |name: &str, kind, value: String, purpose, required: bool| DnsRecord {
        name: name.to_owned(),
        kind,
        value,
        in_zone: false,
        purpose,
        need: if required { Need::Required } else { Need::Recommended },
    };
    let mut records = Vec::new();
    let spf = format!("v=spf1 a:{hostname} ~all");
    if addresses.is_empty() {
        records.push(record(hostname, "A", String::new(), Purpose::Address, true));
    }
    for address in addresses {
        let kind = if address.is_ipv4() { "A" } else { "AAAA" };
        records.push(record(hostname, kind, address.to_string(), Purpose::Address, true));
    }
    for address in addresses.iter().filter(|_| *direct) {
        let name = Name::from(*address).to_ascii();
        records.push(record(name.trim_end_matches('.'), "PTR", hostname.clone(), Purpose::Reverse, true));
    }
    if let Some(feedback) = feedback {
        let own = feedback == hostname;
        // A host without MX records takes its own mail (RFC 5321, 5.1).
        records.push(record(feedback, "MX", format!("10 {hostname}"), Purpose::FeedbackMx, !own));
        records.push(record(feedback, "TXT", spf.clone(), Purpose::FeedbackSpf, true));
    }
    if feedback.as_ref() != Some(hostname) {
        records.push(record(hostname, "TXT", spf, Purpose::HeloSpf, false));
    }
    // Mail of the server's own, such as verification links, is from an address at its name.
    let policy = "v=DMARC1; p=none".to_owned();
    records.push(record(&format!("_dmarc.{hostname}"), "TXT", policy, Purpose::Dmarc, false));
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_addresses_are_their_reverse() {
        let addresses = ["192.0.2.7", "2001:db8::1"].map(|text| text.parse().expect("an address")).to_vec();
        let (hostname, feedback) = ("mx.example".to_owned(), Some("bounce.example".to_owned()));
        let server = Server { hostname, feedback, addresses, direct: true };
        let short: Vec<_> =
            server_records(&server).iter().map(|r| format!("{} {} {}", r.name, r.kind, r.value)).collect();
        let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx.example";
        assert_eq!(
            short[..4],
            ["mx.example A 192.0.2.7", "mx.example AAAA 2001:db8::1", "7.2.0.192.in-addr.arpa PTR mx.example", v6]
        );
        let relayed = Server { direct: false, ..server };
        assert!(server_records(&relayed).iter().all(|r| r.kind != "PTR"), "the smart host's addresses are not ours");
    }

    #[test]
    fn private_addresses_are_not_what_others_see() {
        for (address, known) in [
            ("10.1.2.3", false),
            ("0.0.0.0", false),
            ("::", false),
            ("fd00::1", false),
            ("192.0.2.7", true),
            ("2001:db8::1", true),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(is_known(address.parse().expect("an address")), known, "{address}");
        }
    }
}
