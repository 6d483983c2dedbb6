//! One round for one recipient: which hosts to call, in which order, until one of them decides.
use std::net::{IpAddr, SocketAddr};

use lettre::transport::smtp::extension::ClientId;

use crate::base::{Clock, Domain};
use crate::mail::sending::resolver::{Dns, LookupError};
use crate::mail::sending::transport::delivery::{Delivery, Login, Relay};
use crate::mail::sending::transport::pool::Pool;
use crate::mail::sending::transport::session::{Dial, Envelope, Limits, Session, Tls};
use crate::mail::sending::transport::transcript::Transcript;
use crate::mail::sending::verdict::{Ending, Stage};

/// The most connections that one round tries.
const MAX_CALLS: usize = 10;
/// The most mails over one connection; receivers dislike endless ones.
const MAX_USES: u32 = 100;

/// How to deliver.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// Where to. With [`Delivery::Capture`] nothing is ever sent and the transport is not asked.
    pub delivery: Delivery,
    /// The port of mail hosts: 25, another one for tests.
    pub mx_port: u16,
    /// Our name, for EHLO.
    pub hostname: String,
    /// The address to send from; the system's choice when none is set. Used for peers of the same IP version.
    pub source: Option<IpAddr>,
    /// Time limits.
    pub limits: Limits,
}

/// Delivers mail. One for the process; it holds the waiting connections.
#[derive(Debug)]
pub struct Transport {
    options: TransportOptions,
    hello: ClientId,
    dns: Dns,
    clock: Clock,
    pool: Pool,
}

/// How a round ended.
#[derive(Debug)]
pub struct Outcome {
    /// What decided.
    pub ending: Ending,
    /// Name and address of the host that decided.
    pub remote: Option<String>,
    /// The address that it went out from.
    pub local: Option<IpAddr>,
    /// Whether the conversation that decided was encrypted.
    pub encrypted: bool,
    /// What was said in the whole round.
    pub transcript: String,
}

/// The state of a round.
#[derive(Default)]
struct Round {
    log: Transcript,
    calls: usize,
    remote: Option<String>,
    local: Option<IpAddr>,
    encrypted: bool,
    ending: Option<Ending>,
}

impl Round {
    /// Keeps an ending. A host that could not even be found does not hide that another one was only down.
    fn note(&mut self, ending: Ending) {
        let settled = |e: &Ending| matches!(e, Ending::NoRoute(error) if !matches!(error, LookupError::Temporary(_)));
        if !settled(&ending) || self.ending.as_ref().is_none_or(settled) {
            self.ending = Some(ending);
        }
    }

    fn is_over(&self) -> bool {
        self.calls >= MAX_CALLS || self.ending.as_ref().is_some_and(|ending| !ending.tries_next_host())
    }

    fn outcome(self) -> Outcome {
        Outcome {
            ending: self.ending.unwrap_or(Ending::NoRoute(LookupError::NoRecord)),
            remote: self.remote,
            local: self.local,
            encrypted: self.encrypted,
            transcript: self.log.into_text(),
        }
    }
}

/// One host of a round.
struct Host<'a> {
    name: &'a str,
    port: u16,
    login: Option<&'a Login>,
}

impl Transport {
    /// A transport that asks `dns` and keeps its limits by `clock`.
    pub fn new(options: TransportOptions, dns: Dns, clock: Clock) -> Self {
        let hello = ClientId::Domain(options.hostname.clone());
        Self { hello, dns, pool: Pool::new(clock.clone()), clock, options }
    }

    /// What the transport was made with.
    pub fn options(&self) -> &TransportOptions {
        &self.options
    }

    /// Drops connections that have waited too long for another mail.
    pub fn close_idle(&self) {
        self.pool.close_idle();
    }

    /// Delivers `content` (CRLF line ends only) to one recipient, or finds out why not.
    pub async fn deliver(&self, envelope: &Envelope, content: &[u8]) -> Outcome {
        let mut round = Round::default();
        match &self.options.delivery {
            Delivery::Relay(relay) => self.to_relay(relay, envelope, content, &mut round).await,
            Delivery::Mx | Delivery::Capture => {
                self.to_mail_hosts(&envelope.recipient.domain(), envelope, content, &mut round).await;
            }
        }
        round.outcome()
    }

    async fn to_mail_hosts(&self, domain: &Domain, envelope: &Envelope, content: &[u8], round: &mut Round) {
        let hosts = match self.dns.mail_hosts(domain).await {
            Ok(hosts) => hosts,
            Err(error) => {
                round.log.step(&format!("look up {domain}: {error}"));
                round.note(Ending::NoRoute(error));
                return;
            }
        };
        round.log.step(&format!("mail hosts of {domain}: {}", hosts.join(", ")));
        for name in &hosts {
            let addresses = match self.dns.addresses(name).await {
                Ok(addresses) => addresses,
                Err(error) => {
                    round.log.step(&format!("look up {name}: {error}"));
                    // The domain is there; that one of its hosts is not is another matter.
                    let error = if error == LookupError::NoDomain { LookupError::NoRecord } else { error };
                    round.note(Ending::NoRoute(error));
                    continue;
                }
            };
            let host = Host { name, port: self.options.mx_port, login: None };
            self.to_host(&host, addresses, envelope, content, round).await;
            if round.is_over() {
                return;
            }
        }
    }

    /// The smart host's name is the operator's own, so the system looks it up: `/etc/hosts`, a container network.
    async fn to_relay(&self, relay: &Relay, envelope: &Envelope, content: &[u8], round: &mut Round) {
        let look_up = tokio::net::lookup_host((relay.host.as_str(), relay.port));
        let found = self.clock.timeout(self.options.limits.connect, look_up).await;
        let addresses: Vec<IpAddr> = match found.unwrap_or_else(|| Err(std::io::ErrorKind::TimedOut.into())) {
            Ok(found) => found.map(|address| address.ip()).take(MAX_CALLS).collect(),
            Err(error) => {
                round.log.step(&format!("look up {}: {error}", relay.host));
                round.note(Ending::NoRoute(LookupError::Temporary(error.to_string())));
                return;
            }
        };
        let host = Host { name: &relay.host, port: relay.port, login: relay.login.as_ref() };
        self.to_host(&host, addresses, envelope, content, round).await;
    }

    async fn to_host(
        &self,
        host: &Host<'_>,
        addresses: Vec<IpAddr>,
        envelope: &Envelope,
        content: &[u8],
        round: &mut Round,
    ) {
        let key = format!("{}:{}{}", host.name, host.port, if envelope.require_tls { " (TLS)" } else { "" });
        if let Some(session) = self.pool.take(&key) {
            round.log.step(&format!("reuse {}", session.remote));
            let ending = self.over(session, &key, envelope, content, round).await;
            // The peer may have closed while the connection waited: that says nothing, so call again.
            let stale = match &ending {
                Ending::Lost(stage, _) | Ending::TimedOut(stage) => *stage == Stage::Sender,
                Ending::Refused(stage, reply) => *stage == Stage::Sender && reply.code() == 421,
                _ => false,
            };
            if !stale {
                return round.note(ending);
            }
        }
        for address in addresses {
            if round.calls >= MAX_CALLS {
                return;
            }
            round.calls += 1;
            let address = SocketAddr::new(address, host.port);
            match self.call(host, address, envelope.require_tls, round).await {
                Ok(session) => {
                    let ending = self.over(session, &key, envelope, content, round).await;
                    return round.note(ending);
                }
                Err(ending) => {
                    round.remote = Some(format!("{} [{}]:{}", host.name, address.ip(), address.port()));
                    (round.local, round.encrypted) = (None, false);
                    let shut_out = matches!(ending, Ending::Refused(Stage::Login, _) | Ending::NoLogin);
                    round.note(ending);
                    if shut_out {
                        return;
                    }
                }
            }
        }
    }

    async fn call(
        &self,
        host: &Host<'_>,
        address: SocketAddr,
        require_tls: bool,
        round: &mut Round,
    ) -> Result<Session, Ending> {
        let tls = match (host.login.is_some() && !address.ip().is_loopback(), require_tls) {
            (true, _) => Tls::Verified,
            (false, true) => Tls::Required,
            (false, false) => Tls::Opportunistic,
        };
        let dial = |tls| Dial {
            clock: &self.clock,
            limits: &self.options.limits,
            hello: &self.hello,
            host: host.name,
            address,
            source: self.options.source,
            tls,
            login: host.login,
        };
        match dial(tls).open(&mut round.log).await {
            // Opportunistic means: rather in the clear than not at all (RFC 7435, 3).
            Err(Ending::NoTls(_) | Ending::TimedOut(Stage::Tls)) if tls == Tls::Opportunistic => {
                dial(Tls::Off).open(&mut round.log).await
            }
            other => other,
        }
    }

    async fn over(
        &self,
        mut session: Session,
        key: &str,
        envelope: &Envelope,
        content: &[u8],
        round: &mut Round,
    ) -> Ending {
        round.remote = Some(session.remote.clone());
        (round.local, round.encrypted) = (session.local, session.encrypted());
        let ending = session.send(&self.clock, &self.options.limits, envelope, content, &mut round.log).await;
        if !ending.keeps_connection() {
            return ending;
        }
        if session.used < MAX_USES {
            self.pool.put(key, session);
        } else {
            session.quit(&self.clock).await;
        }
        ending
    }
}
