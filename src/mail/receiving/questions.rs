//! What the checks of one mail ask the DNS. A domain that did not answer lately is not asked: the answer is at once that there
//! is none. What did not answer is told to the others.
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use mail_auth::common::cache::NoCache;
use mail_auth::{Error, MX, Parameters, RecordSet, ResolverCache, Txt};

use crate::base::{Clock, Silence};
use crate::mail::receiving::signatures;

/// Questions of one mail that are under way at the same time.
const AT_ONCE: usize = 8;

/// The questions of one mail. mail-auth takes it for its cache, and asks it before each look-up.
pub(super) struct Questions<'a> {
    silence: &'a Silence,
    resolver: &'a TokioResolver,
    asked: Mutex<Asked>,
}

/// Which addresses of a host are wanted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Addresses {
    V4,
    V6,
}

/// The DNS did not answer, or is not asked since it did not answer lately.
#[derive(Debug)]
pub(super) struct NoAnswer;

/// What mail-auth is called with.
type About<'q, 'a, P> = Parameters<
    'q,
    P,
    Questions<'a>,
    NoCache<Box<str>, RecordSet<MX>>,
    NoCache<Box<str>, RecordSet<Ipv4Addr>>,
    NoCache<Box<str>, RecordSet<Ipv6Addr>>,
    NoCache<IpAddr, RecordSet<Box<str>>>,
>;

#[derive(Default)]
struct Asked {
    /// The domains that were asked.
    domains: Vec<String>,
    /// Those that are not asked: they did not answer this mail, or lately.
    silent: Vec<String>,
    /// The one that was asked last; none where the last question was not put.
    last: Option<String>,
    /// The TXT records that were found, by name.
    texts: HashMap<String, Arc<[Vec<u8>]>>,
}

impl<'a> Questions<'a> {
    pub(super) fn new(silence: &'a Silence, resolver: &'a TokioResolver) -> Self {
        Self { silence, resolver, asked: Mutex::default() }
    }

    /// Parameters for mail-auth that ask here first. It looks for keys alone.
    pub(super) fn about<P>(&self, params: P) -> About<'_, 'a, P> {
        Parameters {
            params,
            cache_txt: Some(self),
            cache_mx: None,
            cache_ipv4: None,
            cache_ipv6: None,
            cache_ptr: None,
        }
    }

    /// Asks for the TXT records of all `names`, side by side and within `patience`, so that those who ask one after the other
    /// find the answers here, or know that there is none.
    pub(super) async fn ahead(&self, names: &[String], (clock, patience): (&Clock, Duration)) {
        let lots = u32::try_from(names.len().div_ceil(AT_ONCE)).unwrap_or(u32::MAX);
        let each = patience / lots.max(1);
        let ask = async |name: &String| {
            if clock.timeout(each, self.texts(name)).await.is_none() {
                self.no_answer_of(domain_of(name));
            }
        };
        for some in names.chunks(AT_ONCE) {
            futures::future::join_all(some.iter().map(ask)).await;
            // Several were asked at once, so none of them is the last.
            self.asked().last = None;
        }
    }

    /// The TXT records of a name, each joined from its parts (RFC 7208, 3.3, and RFC 6376, 3.6.2.2 join them alike); none where
    /// there is no such name. What is known for this mail is not asked again.
    pub(super) async fn texts(&self, name: &str) -> Result<Arc<[Vec<u8>]>, NoAnswer> {
        let known = self.asked().texts.get(&key_of(name)).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let lookup = self.look_up(name, RecordType::TXT).await?;
        let texts = lookup.iter().flat_map(|lookup| lookup.answers()).filter_map(|record| match &record.data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        });
        let texts: Arc<[Vec<u8>]> = texts.collect();
        self.asked().texts.insert(key_of(name), texts.clone());
        Ok(texts)
    }

    /// The addresses of a host, of one kind.
    pub(super) async fn addresses(&self, host: &str, kind: Addresses) -> Result<Vec<IpAddr>, NoAnswer> {
        let kind = match kind {
            Addresses::V4 => RecordType::A,
            Addresses::V6 => RecordType::AAAA,
        };
        let lookup = self.look_up(host, kind).await?;
        let records = lookup.iter().flat_map(|lookup| lookup.answers()).filter(|record| record.record_type() == kind);
        Ok(records.filter_map(|record| record.data.ip_addr()).collect())
    }

    /// The mail hosts of a domain, in the order of their preference.
    pub(super) async fn mail_hosts(&self, domain: &str) -> Result<Vec<String>, NoAnswer> {
        let lookup = self.look_up(domain, RecordType::MX).await?;
        let records = lookup.iter().flat_map(|lookup| lookup.answers());
        let mut hosts: Vec<(u16, String)> = records
            .filter_map(|record| match &record.data {
                RData::MX(mx) => Some((mx.preference, plain(&mx.exchange))),
                _ => None,
            })
            .collect();
        hosts.sort();
        Ok(hosts.into_iter().map(|(_, host)| host).collect())
    }

    /// The names that an address says it has; none where nobody answers.
    pub(super) async fn names_of(&self, address: IpAddr) -> Vec<String> {
        let Ok(lookup) = self.resolver.reverse_lookup(address).await else { return Vec::new() };
        let names = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::PTR(name) => Some(plain(name)),
            _ => None,
        });
        names.collect()
    }

    /// `None` for an answer that there is no such record.
    async fn look_up(&self, name: &str, kind: RecordType) -> Result<Option<Lookup>, NoAnswer> {
        // A name that cannot be asked for has no records.
        let Some(absolute) = absolute(name) else { return Ok(None) };
        if !self.may_ask(name) {
            return Err(NoAnswer);
        }
        match self.resolver.lookup(absolute, kind).await {
            Ok(lookup) => Ok(Some(lookup)),
            Err(error) if is_silence(&error) => {
                self.no_answer_of(domain_of(name));
                Err(NoAnswer)
            }
            Err(_) => Ok(None),
        }
    }

    /// What was asked last did not answer.
    pub(super) fn no_answer(&self) {
        let last = self.asked().last.take();
        if let Some(last) = last {
            self.no_answer_of(last);
        }
    }

    /// All that was asked has answered, but for what was said to be silent.
    pub(super) fn end(&self) {
        let Asked { domains, silent, .. } = std::mem::take(&mut *self.asked());
        for domain in domains.iter().filter(|domain| !silent.contains(domain)) {
            self.silence.answered(domain);
        }
    }

    fn no_answer_of(&self, domain: String) {
        let mut asked = self.asked();
        if !asked.silent.contains(&domain) {
            self.silence.silent(&domain);
            asked.silent.push(domain);
        }
    }

    fn may_ask(&self, name: &str) -> bool {
        let domain = domain_of(name);
        let mut asked = self.asked();
        let known = asked.domains.contains(&domain);
        // Who may ask after a rest is told so once, and goes on.
        let silent = asked.silent.contains(&domain) || (!known && self.silence.rests(&domain));
        if silent {
            asked.last = None;
            if !asked.silent.contains(&domain) {
                asked.silent.push(domain);
            }
            return false;
        }
        if !known {
            asked.domains.push(domain.clone());
        }
        asked.last = Some(domain);
        true
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The name as the DNS knows it: absolute (no search list), non-ASCII labels in their A-label form (RFC 5890).
fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_str_relaxed(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The name in lower case, without the dot at its end.
fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn key_of(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether there was no answer; SERVFAIL is what a resolver says of a domain whose servers do not answer it.
fn is_silence(error: &NetError) -> bool {
    let said = |code: &ResponseCode| matches!(code, ResponseCode::NXDomain | ResponseCode::NoError);
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => !said(response_code),
        NetError::Dns(DnsError::ResponseCode(code)) => !said(code),
        _ => true,
    }
}

/// The domain whose servers are asked for a name, as well as the name tells: what follows its last label with an underscore,
/// in lower case. Not the registered domain: a part of it may be dead while the rest is well, and a stranger can name any part.
pub(super) fn domain_of(name: &str) -> String {
    let name = name.trim_end_matches('.');
    let behind = name.rfind('_').and_then(|at| name.get(at..)).and_then(|rest| rest.split_once('.'));
    behind.map_or(name, |(_, domain)| domain).to_ascii_lowercase()
}

/// Reads what is hashed: the caches' names come as something that hashes as a `str` does, and as nothing else.
#[derive(Default)]
struct Heard(Vec<u8>);

impl Hasher for Heard {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

fn text_of<Q: Hash + ?Sized>(name: &Q) -> String {
    let mut heard = Heard::default();
    name.hash(&mut heard);
    // A text's hash ends with an octet that is in no text.
    let text = heard.0.strip_suffix(&[0xff]).unwrap_or(&heard.0);
    String::from_utf8_lossy(text).into_owned()
}

impl ResolverCache<Box<str>, Txt> for Questions<'_> {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let name = text_of(name);
        let no_answer = || Txt::Error(Error::DnsError("its name servers did not answer lately".to_owned()));
        if name.contains("._domainkey.") {
            // Never mail-auth's own look-up: what it takes for a key is not what counts here. All keys were asked for ahead.
            let known = self.asked().texts.get(&key_of(&name)).cloned();
            let read = |texts: Arc<[Vec<u8>]>| {
                signatures::key(&texts).map_or_else(Txt::Error, |key| Txt::DomainKey(Arc::new(key)))
            };
            return Some(known.map_or_else(no_answer, read));
        }
        let may = self.may_ask(&name);
        (!may).then(no_answer)
    }

    fn remove<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    /// Nothing is kept beside the resolver's own cache.
    fn insert(&self, _name: Box<str>, _value: Txt, _valid_until: Instant) {}
}

#[cfg(test)]
mod tests {
    use hickory_resolver::config::ResolverConfig;
    use hickory_resolver::net::runtime::TokioRuntimeProvider;

    use super::*;
    use crate::base::Timestamp;

    #[test]
    fn a_name_is_asked_of_the_domain_behind_its_underscores() {
        for (name, domain) in [
            ("there.example.", "there.example"),
            ("s1._domainkey.There.example.", "there.example"),
            ("_dmarc.a.there.example", "a.there.example"),
            ("a._spf.mx.there.example", "mx.there.example"),
            ("a_b.there.example", "there.example"),
            ("_dmarc", "_dmarc"),
            ("", ""),
        ] {
            assert_eq!(domain_of(name), domain, "{name}");
        }
        assert_eq!(text_of("There.example"), "There.example");
        assert_eq!(text_of(&Box::<str>::from("x.example.")), "x.example.");
    }

    #[test]
    fn a_key_is_never_looked_up_past_the_checks_of_keys() {
        let silence = Silence::new(Clock::manual(Timestamp::from_secs(1_800_000_000)));
        let (config, runtime) = (ResolverConfig::default(), TokioRuntimeProvider::default());
        let resolver = TokioResolver::builder_with_config(config, runtime).build().expect("a resolver");
        let questions = Questions::new(&silence, &resolver);
        let p = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        for (name, record) in [("_s", "s=tlsrpt; "), ("_good", "")] {
            let texts = Arc::new([format!("{record}k=ed25519; {p}").into_bytes()]);
            questions.asked().texts.insert(key_of(&format!("{name}._domainkey.there.example")), texts);
        }
        let get =
            |name: &str| ResolverCache::<_, Txt>::get(&questions, &format!("{name}._domainkey.There.example.")[..]);
        assert!(matches!(get("_s"), Some(Txt::Error(Error::InvalidRecordType))));
        assert!(matches!(get("_good"), Some(Txt::DomainKey(_))));
        assert!(matches!(get("nobody-asked"), Some(Txt::Error(Error::DnsError(_)))));
    }

    #[test]
    fn who_was_silent_is_asked_neither_by_this_mail_nor_by_the_next() {
        let silence = Silence::new(Clock::manual(Timestamp::from_secs(1_800_000_000)));
        let (config, runtime) = (ResolverConfig::default(), TokioRuntimeProvider::default());
        let resolver = TokioResolver::builder_with_config(config, runtime).build().expect("a resolver");
        let first = Questions::new(&silence, &resolver);
        let asked = |questions: &Questions<'_>, name: &str| ResolverCache::<_, Txt>::get(questions, name).is_none();
        assert!(asked(&first, "good.example.") && asked(&first, "dead.example."));
        first.no_answer();
        assert!(asked(&first, "good.example.") && !asked(&first, "s._domainkey.dead.example."));
        first.end();
        let next = Questions::new(&silence, &resolver);
        assert!(
            !asked(&next, "dead.example.") && asked(&next, "_dmarc.good.example.") && asked(&next, "x.dead.example.")
        );
        next.end();
        assert!(silence.rests("dead.example") && !silence.rests("good.example"));
    }
}
