//! SPF (RFC 7208): may this client send for that domain? mail-auth 0.10 takes the first of two records, reads what it can of one
//! with errors, and ends all includes when an inner one matches; the RFC wants permerror, permerror, and one level.
use std::net::IpAddr;

use futures::future::BoxFuture;
use mail_auth::SpfResult;

use crate::base::{Clock, Silence};
use crate::mail::receiving::questions::{Addresses, NoAnswer, Questions};
use crate::mail::receiving::spf_record::{Bits, Mechanism, Record, Values, expand, is_record};
use crate::mail::resolver::Dns;

/// Terms that ask the DNS, in all records of one check (RFC 7208, 4.6.4).
const MAX_TERMS: usize = 10;
/// Questions of terms that found nothing (4.6.4).
const MAX_VOID: usize = 2;
/// Hosts of one `mx`, and names of a client, that are looked at (4.6.4).
const MAX_HOSTS: usize = 10;
/// The longest name that is asked for, in octets; longer ones lose labels on the left (7.3).
const NAME_MAX: usize = 253;

/// Who is checked.
pub(super) struct Check<'a, 'q> {
    pub questions: &'a Questions<'q>,
    pub peer: IpAddr,
    pub helo: &'a str,
    /// The reverse path, or postmaster at the client's name.
    pub sender: &'a str,
    terms: usize,
    void: usize,
    client: Option<String>,
}

/// What the SPF records of `domain` say of mail from `peer`, which calls itself `helo`. Nothing is answered from what was told
/// before.
pub(crate) async fn spf_verdict(dns: &Dns, clock: &Clock, peer: IpAddr, helo: &str, domain: &str) -> SpfResult {
    let silence = Silence::new(clock.clone());
    let questions = Questions::new(&silence, dns.fresh());
    Check::new(&questions, peer, helo, &format!("postmaster@{domain}")).run(domain).await
}

/// A check that ends with this.
struct Ends(SpfResult);

impl From<NoAnswer> for Ends {
    fn from(_: NoAnswer) -> Self {
        Self(SpfResult::TempError)
    }
}

const PERMANENT: Ends = Ends(SpfResult::PermError);

impl<'a, 'q> Check<'a, 'q> {
    pub(super) fn new(questions: &'a Questions<'q>, peer: IpAddr, helo: &'a str, sender: &'a str) -> Self {
        Self { questions, peer: peer.to_canonical(), helo, sender, terms: 0, void: 0, client: None }
    }

    /// What the records of `domain` say.
    pub(super) async fn run(&mut self, domain: &str) -> SpfResult {
        self.check_host(domain).await.unwrap_or_else(|Ends(result)| result)
    }

    /// Boxed, since records include records; the count of terms ends it.
    fn check_host<'b>(&'b mut self, domain: &'b str) -> BoxFuture<'b, Result<SpfResult, Ends>> {
        Box::pin(async move {
            if !is_name(domain) {
                return Ok(SpfResult::None);
            }
            let texts = self.questions.texts(domain).await?;
            let mut records = texts.iter().filter(|text| is_record(text));
            let record = match (records.next(), records.next()) {
                (None, _) => return Ok(SpfResult::None),
                (Some(record), None) => Record::parse(record).ok_or(PERMANENT)?,
                // 4.5: which of two counts, nobody can know.
                (Some(_), Some(_)) => return Err(PERMANENT),
            };
            for (result, mechanism) in &record.directives {
                if self.matches(mechanism, domain).await? {
                    return Ok(*result);
                }
            }
            let Some(redirect) = &record.redirect else { return Ok(SpfResult::Neutral) };
            self.term()?;
            let target = self.name(redirect, domain).await?;
            match self.check_host(&target).await? {
                SpfResult::None => Err(PERMANENT),
                result => Ok(result),
            }
        })
    }

    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Ends> {
        if !matches!(mechanism, Mechanism::All | Mechanism::Ip(..)) {
            self.term()?;
        }
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip(network, bits) => Ok(within(self.peer, *network, *bits)),
            Mechanism::Include(target) => {
                let target = self.name(target, domain).await?;
                match self.check_host(&target).await? {
                    SpfResult::Pass => Ok(true),
                    SpfResult::None => Err(PERMANENT),
                    _ => Ok(false),
                }
            }
            Mechanism::A(target, bits) => {
                let target = self.target(target.as_deref(), domain).await?;
                let found = self.addresses(&target).await?;
                self.found(!found.is_empty())?;
                Ok(self.any_within(&found, *bits))
            }
            Mechanism::Mx(target, bits) => {
                let target = self.target(target.as_deref(), domain).await?;
                let hosts = self.questions.mail_hosts(&target).await?;
                self.found(!hosts.is_empty())?;
                if hosts.len() > MAX_HOSTS {
                    return Err(PERMANENT);
                }
                for host in hosts {
                    let found = self.addresses(&host).await?;
                    if self.any_within(&found, *bits) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Mechanism::Exists(target) => {
                let target = self.name(target, domain).await?;
                let found = self.questions.addresses(&target, Addresses::V4).await?;
                self.found(!found.is_empty())?;
                Ok(!found.is_empty())
            }
            Mechanism::Ptr(target) => {
                let target = self.target(target.as_deref(), domain).await?.to_lowercase();
                let below = format!(".{target}");
                let names = self.client_names().await;
                self.found(!names.is_empty())?;
                Ok(names.iter().any(|name| *name == target || name.ends_with(&below)))
            }
        }
    }

    fn term(&mut self) -> Result<(), Ends> {
        self.terms += 1;
        if self.terms > MAX_TERMS { Err(PERMANENT) } else { Ok(()) }
    }

    fn found(&mut self, any: bool) -> Result<(), Ends> {
        self.void += usize::from(!any);
        if self.void > MAX_VOID { Err(PERMANENT) } else { Ok(()) }
    }

    async fn target(&mut self, target: Option<&str>, domain: &str) -> Result<String, Ends> {
        match target {
            Some(target) => self.name(target, domain).await,
            None => Ok(domain.to_owned()),
        }
    }

    /// The name that a domain with macros stands for.
    async fn name(&mut self, text: &str, domain: &str) -> Result<String, Ends> {
        if self.client.is_none() && (text.contains("%{p") || text.contains("%{P")) {
            let names = self.client_names().await;
            let best = names.iter().find(|name| *name == domain).or(names.first());
            self.client = Some(best.map_or("unknown", String::as_str).to_owned());
        }
        let client = self.client.as_deref().unwrap_or("unknown");
        let values = Values { sender: self.sender, domain, helo: self.helo, peer: self.peer, client };
        let name = expand(text, Some(&values)).ok_or(PERMANENT)?;
        let mut name = name.strip_suffix('.').unwrap_or(&name);
        while name.len() > NAME_MAX {
            name = name.split_once('.').map_or("", |(_, rest)| rest);
        }
        Ok(name.to_owned())
    }

    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        let kind = if self.peer.is_ipv4() { Addresses::V4 } else { Addresses::V6 };
        self.questions.addresses(host, kind).await
    }

    fn any_within(&self, found: &[IpAddr], Bits(v4, v6): Bits) -> bool {
        found.iter().any(|address| within(self.peer, *address, if address.is_ipv4() { v4 } else { v6 }))
    }

    /// The client's names that have its address (5.5). What does not answer is no name.
    async fn client_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        for name in self.questions.names_of(self.peer).await.into_iter().take(MAX_HOSTS) {
            if self.addresses(&name).await.is_ok_and(|found| found.contains(&self.peer)) {
                names.push(name);
            }
        }
        names
    }
}

/// Whether a domain can have a record at all (4.3): two labels or more, each of 1 to 63 octets.
fn is_name(domain: &str) -> bool {
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.contains(|c: char| c.is_control() || c.is_whitespace() || "[]()<>@".contains(c))
    };
    domain.len() <= NAME_MAX && domain.contains('.') && domain.split('.').all(label)
}

fn within(peer: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (peer, network) {
        (IpAddr::V4(peer), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            u32::from(peer) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(peer), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            u128::from(peer) & mask == u128::from(network) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_what_they_should() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert!(within(ip("192.0.2.7"), ip("192.0.2.0"), 24) && !within(ip("192.0.3.7"), ip("192.0.2.0"), 24));
        assert!(within(ip("192.0.3.7"), ip("10.0.0.0"), 0) && !within(ip("192.0.2.6"), ip("192.0.2.7"), 32));
        assert!(within(ip("2001:db8::1"), ip("2001:db8::"), 64) && within(ip("::1"), ip("2001:db8::"), 0));
        assert!(!within(ip("::1"), ip("192.0.2.7"), 0));
        assert!(
            is_name("a.b") && is_name("a.b.") && !is_name("localhost") && !is_name("[192.0.2.1]") && !is_name("a..b")
        );
    }
}
