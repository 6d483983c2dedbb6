//! What the checks of one mail ask the DNS. A domain that did not answer lately is not asked: the answer is at once that there
//! is none. What did not answer is told to the others.
use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::Name;
use mail_auth::common::cache::NoCache;
use mail_auth::{Error, MX, Parameters, RecordSet, ResolverCache, SpfOutput, Txt};
use tokio::sync::Notify;

use crate::base::{Clock, Silence};

/// Questions of one mail that are under way at the same time.
const AT_ONCE: usize = 8;

/// The questions of one mail. mail-auth takes it for its cache, and asks it before each look-up.
pub(super) struct Questions<'a> {
    silence: &'a Silence,
    asked: Mutex<Asked>,
    refused: Notify,
}

/// What mail-auth is called with.
type About<'q, 'a, P> =
    Parameters<'q, P, Questions<'a>, Questions<'a>, Questions<'a>, Questions<'a>, NoCache<IpAddr, RecordSet<Box<str>>>>;

#[derive(Default)]
struct Asked {
    /// The domains that were asked.
    domains: Vec<String>,
    /// Those that are not asked: they did not answer this mail, or lately.
    silent: Vec<String>,
    /// The one that was asked last; none where the last question was not put.
    last: Option<String>,
}

impl<'a> Questions<'a> {
    pub fn new(silence: &'a Silence) -> Self {
        Self { silence, asked: Mutex::default(), refused: Notify::new() }
    }

    /// Parameters for mail-auth that ask here first.
    pub fn about<P>(&self, params: P) -> About<'_, 'a, P> {
        Parameters {
            params,
            cache_txt: Some(self),
            cache_mx: Some(self),
            cache_ipv4: Some(self),
            cache_ipv6: Some(self),
            cache_ptr: None,
        }
    }

    /// Asks for the TXT records of all `names`, side by side and within `patience`, so that those who ask one after the other
    /// find the answers in the resolver's cache, or know that there is none.
    pub async fn ahead(&self, resolver: &TokioResolver, names: &[String], (clock, patience): (&Clock, Duration)) {
        let lots = u32::try_from(names.len().div_ceil(AT_ONCE)).unwrap_or(u32::MAX);
        let each = patience / lots.max(1);
        let ask = async |name: &String| {
            let Ok(absolute) = Name::from_str_relaxed(name) else { return };
            if !self.may_ask(name) {
                return;
            }
            // Several are asked at once, so none of them is the last.
            self.asked().last = None;
            let answer = clock.timeout(each, resolver.txt_lookup(absolute)).await;
            if answer.is_none_or(|answer| answer.is_err_and(|error| is_silence(&error))) {
                self.no_answer_of(domain_of(name));
            }
        };
        for some in names.chunks(AT_ONCE) {
            futures::future::join_all(some.iter().map(ask)).await;
        }
    }

    /// Does `check`, which asks one name after the other; without an end when it asks for the addresses of a domain that is
    /// not to be asked, or asks one that does not answer.
    pub async fn unless_silent(&self, check: impl Future<Output = SpfOutput>) -> Option<SpfOutput> {
        tokio::select! {
            biased;
            done = check => Some(done),
            () = self.refused.notified() => None,
        }
    }

    /// What was asked last did not answer.
    pub fn no_answer(&self) {
        let last = self.asked().last.take();
        if let Some(last) = last {
            self.no_answer_of(last);
        }
    }

    /// All that was asked has answered, but for what was said to be silent.
    pub fn end(&self) {
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
        let may = self.may_ask(&text_of(name));
        (!may).then(|| Txt::Error(Error::DnsError("its name servers did not answer lately".to_owned())))
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

/// Addresses and hosts, of which a cache cannot say that there is no answer: then the whole check ends.
macro_rules! asks_or_ends {
    ($($kind:ty),*) => { $(
        impl ResolverCache<Box<str>, RecordSet<$kind>> for Questions<'_> {
            fn get<Q>(&self, name: &Q) -> Option<RecordSet<$kind>>
            where
                Box<str>: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                if !self.may_ask(&text_of(name)) {
                    self.refused.notify_one();
                }
                None
            }

            fn remove<Q>(&self, _name: &Q) -> Option<RecordSet<$kind>>
            where
                Box<str>: Borrow<Q>,
                Q: Hash + Eq + ?Sized,
            {
                None
            }

            fn insert(&self, _name: Box<str>, _value: RecordSet<$kind>, _valid_until: Instant) {}
        }
    )* };
}

asks_or_ends!(MX, Ipv4Addr, Ipv6Addr);

#[cfg(test)]
mod tests {
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
    fn who_was_silent_is_asked_neither_by_this_mail_nor_by_the_next() {
        let silence = Silence::new(Clock::manual(Timestamp::from_secs(1_800_000_000)));
        let first = Questions::new(&silence);
        let asked = |questions: &Questions<'_>, name: &str| ResolverCache::<_, Txt>::get(questions, name).is_none();
        assert!(asked(&first, "good.example.") && asked(&first, "dead.example."));
        first.no_answer();
        assert!(asked(&first, "good.example.") && !asked(&first, "s._domainkey.dead.example."));
        first.end();
        let next = Questions::new(&silence);
        assert!(
            !asked(&next, "dead.example.") && asked(&next, "_dmarc.good.example.") && asked(&next, "x.dead.example.")
        );
        next.end();
        assert!(silence.rests("dead.example") && !silence.rests("good.example"));
    }
}
