//! The DNS, as a mail server asks it: mail hosts of a domain, addresses of a host, TXT records of a name.
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver, system_conf};
use rand::seq::SliceRandom;

use crate::base::Domain;
use crate::mail::resolver::{LookupFailed, RecordLookup};
use crate::topics::delivery::Lookup as AddressLookup;

/// The most mail hosts that one delivery looks at; a domain with more is served by its best ones.
const MAX_MAIL_HOSTS: usize = 16;
/// The most addresses of one host that are tried.
pub const MAX_ADDRESSES: usize = 8;
/// How long one question may wait for its answer, and how often it is asked again.
const ASK: (Duration, usize) = (Duration::from_secs(5), 2);
/// An answer is not believed for longer than this, so that a domain's repair is seen within the hour.
const LONGEST_TTL: Duration = Duration::from_secs(3600);

/// Why the DNS did not say what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// NXDOMAIN: there is no such name (RFC 2308, 2.1).
    #[error("domain does not exist")]
    NoDomain,
    /// The name is there but has no record of this kind.
    #[error("no such record")]
    NoRecord,
    /// The domain says that it takes no mail: one MX record with the root as its host (RFC 7505).
    #[error("domain accepts no mail (null MX)")]
    NullMx,
    /// No answer, or none that could be used: SERVFAIL, REFUSED, a time-out. Ask again later.
    #[error("dns look-up failed: {0}")]
    Temporary(String),
}

/// The resolver's settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the dns resolver: {0}")]
pub struct SetupError(String);

/// Asks the configured name servers. Cheap to clone; clones share one cache.
#[derive(Clone, Debug)]
pub struct Dns {
    cached: TokioResolver,
    /// One that remembers nothing, not even on the way along a CNAME.
    fresh: TokioResolver,
}

impl Dns {
    /// A resolver that asks `servers`, or those of the system when the list is empty. With servers of its own it does
    /// not read `/etc/hosts`.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, SetupError> {
        let (config, mut options) = if servers.is_empty() {
            system_conf::read_system_conf().map_err(|error| SetupError(error.to_string()))?
        } else {
            let mut options = ResolverOpts::default();
            options.use_hosts_file = ResolveHosts::Never;
            let servers = servers.iter().map(|server| name_server(*server)).collect();
            (ResolverConfig::from_name_servers(servers), options)
        };
        (options.timeout, options.attempts) = ASK;
        options.positive_max_ttl = Some(LONGEST_TTL);
        options.negative_max_ttl = Some(Duration::from_secs(300));
        // We ask in the clear. Without this the library reads the machine's certificate store and fails where there is
        // none, as in a small container image.
        let tls = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| SetupError(error.to_string()))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let resolver = |options: ResolverOpts| {
            let mut builder = Resolver::builder_with_config(config.clone(), TokioRuntimeProvider::default());
            *builder.options_mut() = options;
            builder.with_tls_config(tls.clone()).build().map_err(|error| SetupError(error.to_string()))
        };
        let mut forgetful = options.clone();
        forgetful.cache_size = 0;
        Ok(Self { cached: resolver(options)?, fresh: resolver(forgetful)? })
    }

    /// The hosts that take mail for `domain`, best first; hosts of one preference in random order (RFC 5321, 5.1).
    /// A domain without MX records is its own mail host. At most `MAX_MAIL_HOSTS`.
    pub async fn mail_hosts(&self, domain: &Domain) -> Result<Vec<String>, LookupError> {
        // An address literal is its own host (RFC 5321, 4.1.3).
        if domain.as_str().starts_with('[') {
            return Ok(vec![domain.to_string()]);
        }
        let lookup = match self.ask(domain.as_str(), RecordType::MX).await {
            Ok(lookup) => lookup,
            Err(LookupError::NoRecord) => return Ok(vec![ascii(&absolute(domain.as_str())?)]),
            Err(error) => return Err(error),
        };
        let mut hosts: Vec<(u16, String)> = lookup
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::MX(mx) => Some((mx.preference, ascii(&mx.exchange))),
                _ => None,
            })
            .collect();
        let had_any = !hosts.is_empty();
        hosts.retain(|(_, host)| !host.is_empty());
        if hosts.is_empty() {
            return if had_any { Err(LookupError::NullMx) } else { Ok(vec![ascii(&absolute(domain.as_str())?)]) };
        }
        hosts.shuffle(&mut rand::rng());
        hosts.sort_by_key(|(preference, _)| *preference);
        hosts.truncate(MAX_MAIL_HOSTS);
        Ok(hosts.into_iter().map(|(_, host)| host).collect())
    }

    /// The addresses of a host: IPv4 first, then IPv6; at most [`MAX_ADDRESSES`]. An IP address is its own address.
    pub async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.strip_prefix("ipv6:").unwrap_or(bare).parse::<IpAddr>() {
            return Ok(vec![address]);
        }
        let (v4, v6) = futures::future::join(self.ask(host, RecordType::A), self.ask(host, RecordType::AAAA)).await;
        let mut found = Vec::new();
        for lookup in [&v4, &v6].into_iter().flatten() {
            found.extend(lookup.answers().iter().filter_map(|record| record.data.ip_addr()));
        }
        if !found.is_empty() {
            found.truncate(MAX_ADDRESSES);
            return Ok(found);
        }
        // Nothing found: a look-up that failed may have hidden an address, so it counts for more than an empty answer.
        match (v4, v6) {
            (Err(error @ LookupError::Temporary(_)), _) | (_, Err(error @ LookupError::Temporary(_))) => Err(error),
            (Err(error), _) => Err(error),
            _ => Err(LookupError::NoRecord),
        }
    }

    /// The TXT records of a name.
    pub async fn texts(&self, name: &str) -> Result<Vec<String>, LookupError> {
        Ok(texts(&self.ask(name, RecordType::TXT).await?))
    }

    /// The resolver itself, for libraries that ask questions of their own (SPF, DKIM, DMARC).
    pub fn resolver(&self) -> &TokioResolver {
        &self.cached
    }

    /// The resolver that remembers nothing.
    pub fn fresh(&self) -> &TokioResolver {
        &self.fresh
    }

    /// The records of a name now, of a kind such as `MX`: as a zone file has them, but with texts joined from their strings and
    /// without quotes, and names in lower case without the dot at their end. Never answered from what was told before.
    pub async fn published(&self, name: &str, kind: &str) -> Result<Vec<String>, LookupFailed> {
        let kind = RecordType::from_str(kind).map_err(|error| LookupFailed::Unavailable(error.to_string()))?;
        let lookup = look_up(&self.fresh, name, kind).await.map_err(failed)?;
        let plain = |name: &Name| ascii(name).to_ascii_lowercase();
        let values = lookup.answers().iter().filter(|record| record.record_type() == kind);
        let values = values.map(|record| match &record.data {
            RData::TXT(txt) => String::from_utf8_lossy(&txt.txt_data.concat()).into_owned(),
            RData::MX(mx) => format!("{} {}", mx.preference, plain(&mx.exchange)),
            RData::CNAME(name) => plain(name),
            RData::PTR(name) => plain(name),
            other => other.to_string(),
        });
        some(values.collect())
    }

    async fn ask(&self, name: &str, kind: RecordType) -> Result<Lookup, LookupError> {
        look_up(&self.cached, name, kind).await
    }
}

async fn look_up(resolver: &TokioResolver, name: &str, kind: RecordType) -> Result<Lookup, LookupError> {
    match resolver.lookup(absolute(name)?, kind).await {
        Ok(lookup) => Ok(lookup),
        Err(NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. }))) => Err(match response_code {
            ResponseCode::NXDomain => LookupError::NoDomain,
            ResponseCode::NoError => LookupError::NoRecord,
            other => LookupError::Temporary(other.to_string()),
        }),
        Err(NetError::Dns(DnsError::ResponseCode(ResponseCode::NXDomain))) => Err(LookupError::NoDomain),
        Err(error) => Err(LookupError::Temporary(error.to_string())),
    }
}

/// The texts of TXT records, each joined from its parts (RFC 7208, 3.3, and RFC 6376, 3.6.2.2 join them alike).
fn texts(lookup: &Lookup) -> Vec<String> {
    let texts = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::TXT(txt) => Some(String::from_utf8_lossy(&txt.txt_data.concat()).into_owned()),
        _ => None,
    });
    texts.collect()
}

/// Whoever waits for a verification has just set the record: an answer from before does not count.
impl RecordLookup for Dns {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFailed>> {
        Box::pin(async move {
            let lookup = look_up(&self.fresh, name, RecordType::TXT).await.map_err(failed)?;
            some(texts(&lookup))
        })
    }

    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFailed>> {
        Box::pin(async move {
            let lookup = look_up(&self.fresh, name, RecordType::MX).await.map_err(failed)?;
            let hosts = lookup.answers().iter().filter_map(|record| match &record.data {
                RData::MX(mx) => Some(ascii(&mx.exchange).to_ascii_lowercase()),
                _ => None,
            });
            some(hosts.collect())
        })
    }
}

/// A name may be there, and lead to another that has no such record.
fn some(found: Vec<String>) -> Result<Vec<String>, LookupFailed> {
    if found.is_empty() { Err(LookupFailed::NoRecord) } else { Ok(found) }
}

fn failed(error: LookupError) -> LookupFailed {
    match error {
        LookupError::Temporary(why) => LookupFailed::Unavailable(why),
        LookupError::NoDomain => LookupFailed::NoName,
        LookupError::NoRecord | LookupError::NullMx => LookupFailed::NoRecord,
    }
}

/// Webhooks ask the same name servers as mail.
impl AddressLookup for Dns {
    fn addresses<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, String>> {
        Box::pin(async move { Dns::addresses(self, host).await.map_err(|error| error.to_string()) })
    }
}

fn name_server(server: SocketAddr) -> NameServerConfig {
    let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
    udp.port = server.port();
    tcp.port = server.port();
    NameServerConfig::new(server.ip(), true, vec![udp, tcp])
}

/// The name as the DNS knows it: absolute (no search list), non-ASCII labels in their A-label form (RFC 5890).
fn absolute(name: &str) -> Result<Name, LookupError> {
    let mut name = Name::from_utf8(name).map_err(|_| LookupError::NoDomain)?;
    name.set_fqdn(true);
    Ok(name)
}

/// The name in ASCII without the dot at its end; empty for the root.
fn ascii(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

/// The ASCII form of a domain (RFC 5891), for a server that does not know SMTPUTF8; `None` where it has none.
pub fn ascii_domain(domain: &Domain) -> Option<String> {
    absolute(domain.as_str()).ok().map(|name| ascii(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_outside_ascii_is_asked_for_in_its_a_label_form() {
        let domain: Domain = "bücher.example".parse().expect("a domain");
        assert_eq!(ascii_domain(&domain).as_deref(), Some("xn--bcher-kva.example"));
    }
}
