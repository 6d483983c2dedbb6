//! One round for one recipient: which hosts to call, in which order, until one of them decides.
use std::net::{IpAddr, SocketAddr};

use lettre::transport::smtp::extension::ClientId;

use crate::base::{Clock, Domain, Reach};
use crate::mail::resolver::{Dns, LookupError};
use crate::mail::sending::ending::{Ending, Stage};
use crate::mail::sending::transport::dead::Dead;
use crate::mail::sending::transport::delivery::{Delivery, Login, Relay};
use crate::mail::sending::transport::dial::Dial;
use crate::mail::sending::transport::envelope::{Content, Envelope, Limits};
use crate::mail::sending::transport::pool::Pool;
use crate::mail::sending::transport::round::{MAX_CALLS, Outcome, Round};
use crate::mail::sending::transport::session::{Session, Transaction};
use crate::mail::sending::transport::site;
use crate::mail::sending::transport::tls::{Handshakes, Tls};

/// The most mails over one connection; receivers dislike endless ones.
const MAX_USES: u32 = 100;

/// How to deliver.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// Where to. With [`Delivery::Capture`] nothing is ever sent and the transport is not asked.
    pub delivery: Delivery,
    /// The port of mail hosts: 25, another one for tests.
    pub mx_port: u16,
    /// Which addresses mail hosts may have. A smart host may have any.
    pub reach: Reach,
    /// Our name, for EHLO.
    pub hostname: String,
    /// The addresses to send from, one of each IP version; the system's choice where there is none.
    pub sources: Vec<IpAddr>,
    /// Time limits.
    pub limits: Limits,
}

/// Where the mail of a domain goes.
#[derive(Debug, Clone)]
pub struct Route {
    /// The domain.
    pub domain: Domain,
    /// What shares limits with other routes. Empty where there is no host.
    pub site: String,
    hosts: Result<Vec<String>, LookupError>,
}

impl Route {
    /// The error of a look-up that gave no host.
    pub fn error(&self) -> Option<&LookupError> {
        self.hosts.as_ref().err()
    }
}

/// The transport cannot be set up: TLS has no settings that work.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up tls towards mail hosts: {0}")]
pub struct NoTransport(#[from] rustls::Error);

/// Delivers mail. One for the process; it holds the waiting connections.
#[derive(Debug)]
pub struct Transport {
    options: TransportOptions,
    hello: ClientId,
    dns: Dns,
    clock: Clock,
    pool: Pool,
    dead: Dead,
    handshakes: Handshakes,
}

/// One host of a round.
struct Host<'a> {
    name: &'a str,
    port: u16,
    login: Option<&'a Login>,
}

/// What is carried.
struct Cargo<'a> {
    envelope: &'a Envelope,
    content: Content<'a>,
}

impl Transport {
    /// A transport that asks `dns` and keeps its limits by `clock`.
    pub fn new(options: TransportOptions, dns: Dns, clock: Clock) -> Result<Self, NoTransport> {
        let hello = ClientId::Domain(options.hostname.clone());
        let (pool, dead) = (Pool::new(clock.clone()), Dead::new(clock.clone()));
        Ok(Self { hello, dns, pool, dead, handshakes: Handshakes::new()?, clock, options })
    }

    /// What the transport was made with.
    pub fn options(&self) -> &TransportOptions {
        &self.options
    }

    /// Drops connections that have waited too long for another mail.
    pub fn close_idle(&self) {
        self.pool.close_idle();
    }

    /// Finds out where the mail of a domain goes.
    pub async fn route(&self, domain: Domain) -> Route {
        let hosts = match &self.options.delivery {
            Delivery::Relay(relay) => Ok(vec![format!("{}:{}", relay.host, relay.port)]),
            Delivery::Mx | Delivery::Capture => self.dns.mail_hosts(&domain).await,
        };
        let site = hosts.as_deref().map(site::of).unwrap_or_default();
        Route { domain, site, hosts }
    }

    /// Delivers content to one recipient by this route, or finds out why not.
    pub async fn deliver(&self, route: &Route, envelope: &Envelope, content: Content<'_>) -> Outcome {
        let mut round = Round::default();
        let cargo = Cargo { envelope, content };
        match (&self.options.delivery, &route.hosts) {
            (Delivery::Relay(relay), _) => self.to_relay(relay, &cargo, &mut round).await,
            (_, Ok(hosts)) => {
                round.log.step(&format!("mail hosts of {}: {}", route.domain, hosts.join(", ")));
                self.to_mail_hosts(hosts, &cargo, &mut round).await;
            }
            (_, Err(error)) => {
                round.log.step(&format!("look up {}: {error}", route.domain));
                round.note(Ending::NoRoute(error.clone()));
            }
        }
        round.outcome()
    }

    /// Hosts in order, each with its addresses; those that lately did not take a connection come after all others.
    async fn to_mail_hosts(&self, hosts: &[String], cargo: &Cargo<'_>, round: &mut Round) {
        let mut later = Vec::new();
        for name in hosts {
            let host = Host { name, port: self.options.mx_port, login: None };
            let found = match self.dns.addresses(name).await {
                Ok(found) => found,
                Err(error) => {
                    round.log.step(&format!("look up {name}: {error}"));
                    // The domain is there; that one of its hosts is not is another matter.
                    let error = if error == LookupError::NoDomain { LookupError::NoRecord } else { error };
                    round.note(Ending::NoRoute(error));
                    continue;
                }
            };
            let (allowed, private): (Vec<IpAddr>, Vec<IpAddr>) =
                found.into_iter().partition(|address| self.options.reach.allows(*address));
            for address in private {
                round.log.step(&format!("{name} has the private address {address}, where mail may not go"));
                round.note(Ending::Forbidden);
            }
            let dead = |address: &IpAddr| self.dead.has(SocketAddr::new(*address, host.port));
            let (dead, alive): (Vec<IpAddr>, Vec<IpAddr>) = allowed.into_iter().partition(dead);
            if !alive.is_empty() {
                self.to_host(&host, alive, cargo, round).await;
            }
            if round.is_over() {
                return;
            }
            if !dead.is_empty() {
                later.push((host, dead));
            }
        }
        for (host, addresses) in later {
            self.to_host(&host, addresses, cargo, round).await;
            if round.is_over() {
                return;
            }
        }
    }

    /// The smart host's name is the operator's own, so the system looks it up: `/etc/hosts`, a container network.
    async fn to_relay(&self, relay: &Relay, cargo: &Cargo<'_>, round: &mut Round) {
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
        self.to_host(&host, addresses, cargo, round).await;
    }

    async fn to_host(&self, host: &Host<'_>, addresses: Vec<IpAddr>, cargo: &Cargo<'_>, round: &mut Round) {
        let key = format!("{}:{}{}", host.name, host.port, if cargo.envelope.require_tls { " (TLS)" } else { "" });
        if let Some(session) = self.pool.take(&key) {
            round.log.step(&format!("reuse {}", session.remote));
            let ending = self.over(session, &key, cargo, round).await;
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
            match self.call(host, address, cargo.envelope.require_tls, round).await {
                Ok(session) => {
                    self.dead.remove(address);
                    let ending = self.over(session, &key, cargo, round).await;
                    return round.note(ending);
                }
                Err(ending) => {
                    if matches!(ending, Ending::Unreachable(_) | Ending::TimedOut(Stage::Greeting)) {
                        self.dead.add(address);
                    }
                    round.remote = Some(format!("{} [{}]:{}", host.name, address.ip(), address.port()));
                    round.peer = Some(address.ip());
                    (round.local, round.tls) = (None, None);
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
            sources: &self.options.sources,
            tls,
            handshakes: &self.handshakes,
            login: host.login,
        };
        match dial(tls).open(&mut round.log).await {
            // Opportunistic means: rather in the clear than not at all (RFC 7435, 3).
            Err(Ending::NoTls(_) | Ending::TimedOut(Stage::Tls)) if tls == Tls::Opportunistic => {
                round.log.step("again, in the clear");
                dial(Tls::Off).open(&mut round.log).await
            }
            other => other,
        }
    }

    async fn over(&self, mut session: Session, key: &str, cargo: &Cargo<'_>, round: &mut Round) -> Ending {
        round.remote = Some(session.remote.clone());
        round.peer = Some(session.peer);
        (round.local, round.tls) = (session.local, session.cipher());
        let mail = Transaction {
            clock: &self.clock,
            limits: &self.options.limits,
            envelope: cargo.envelope,
            content: cargo.content,
        };
        let ending = session.send(&mail, &mut round.log).await;
        if session.spent {
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
