//! Calling a host: connection, banner, EHLO, STARTTLS, AUTH. What comes of it is a session that takes mails.
use std::future::Future;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::{TcpSocket, TcpStream};

use crate::base::Clock;
use crate::mail::sending::ending::{Ending, Reply, Stage};
use crate::mail::sending::transport::delivery::Login;
use crate::mail::sending::transport::envelope::Limits;
use crate::mail::sending::transport::offers::Offers;
use crate::mail::sending::transport::session::Session;
use crate::mail::sending::transport::step::within;
use crate::mail::sending::transport::tls::{Handshakes, Tls};
use crate::mail::sending::transport::transcript::Transcript;
use crate::mail::sending::transport::wire::{Answer, Broken, Wire};

/// Challenges of one AUTH exchange; LOGIN has two.
const MAX_CHALLENGES: usize = 4;

/// Whom to call, and how.
pub(super) struct Dial<'a> {
    pub(super) clock: &'a Clock,
    pub(super) limits: &'a Limits,
    pub(super) hello: &'a ClientId,
    pub(super) host: &'a str,
    pub(super) address: SocketAddr,
    /// Our addresses, of which that of the peer's IP version counts.
    pub(super) sources: &'a [IpAddr],
    pub(super) tls: Tls,
    pub(super) handshakes: &'a Handshakes,
    pub(super) login: Option<&'a Login>,
}

impl Dial<'_> {
    /// Connects and gets as far as MAIL.
    pub(super) async fn open(&self, log: &mut Transcript) -> Result<Session, Ending> {
        let remote = format!("{} [{}]:{}", self.host, self.address.ip(), self.address.port());
        log.step(&format!("connect {remote}"));
        let socket = match self.clock.timeout(self.limits.connect, self.connect()).await {
            Some(Ok(socket)) => socket,
            Some(Err(error)) => return Err(unreachable(&error.to_string(), log)),
            None => return Err(unreachable("no answer in time", log)),
        };
        let local = socket.local_addr().ok().map(|address| address.ip());
        let mut wire = Wire::plain(socket);
        let banner = self.within(Stage::Greeting, wire.answer(), log).await?;
        positive(Stage::Greeting, &banner, log)?;
        let mut offers = self.greet(&mut wire, log).await?;
        if self.tls != Tls::Off && offers.starttls {
            (wire, offers) = self.encrypt(wire, log).await?;
        } else if matches!(self.tls, Tls::Required | Tls::Verified) {
            log.step("TLS is required, and not offered");
            return Err(Ending::TlsNotOffered);
        }
        self.log_in(&mut wire, &offers, log).await?;
        Ok(Session::new(wire, offers, remote, local, self.address.ip()))
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.sources.iter().find(|source| source.is_ipv4() == self.address.is_ipv4()) {
            socket.bind(SocketAddr::new(*source, 0))?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// EHLO, and HELO where the peer does not know that (RFC 5321, 3.2).
    async fn greet(&self, wire: &mut Wire, log: &mut Transcript) -> Result<Offers, Ending> {
        let answer = self.command(wire, Stage::Greeting, &format!("EHLO {}", self.hello), log).await?;
        if (500..=599).contains(&answer.code) {
            let answer = self.command(wire, Stage::Greeting, &format!("HELO {}", self.hello), log).await?;
            positive(Stage::Greeting, &answer, log)?;
            return Ok(Offers::default());
        }
        positive(Stage::Greeting, &answer, log)?;
        Ok(Offers::read(&answer.lines))
    }

    /// STARTTLS, and EHLO once more (RFC 3207, 4.2). A peer may refuse us after the handshake without a word, so what
    /// goes wrong there counts as the handshake's.
    async fn encrypt(&self, mut wire: Wire, log: &mut Transcript) -> Result<(Wire, Offers), Ending> {
        let no_tls = |why: String, log: &mut Transcript| {
            log.step(&format!("no TLS: {why}"));
            Ending::NoTls(why)
        };
        let answer = match self.command(&mut wire, Stage::Tls, "STARTTLS", log).await {
            Ok(answer) => answer,
            Err(Ending::Lost(_, why)) => return Err(no_tls(why, log)),
            Err(ending) => return Err(ending),
        };
        if answer.code != 220 {
            return Err(no_tls(answer.reply().to_string(), log));
        }
        let Some(socket) = wire.into_plain() else {
            return Err(no_tls("data came before the handshake".to_owned(), log));
        };
        let handshake = self.handshakes.begin(socket, self.host, self.tls);
        let mut wire = match self.clock.timeout(self.limits.greeting, handshake).await {
            Some(Ok(stream)) => Wire::tls(stream),
            Some(Err(error)) => return Err(no_tls(error.to_string(), log)),
            None => return Err(Ending::TimedOut(Stage::Tls)),
        };
        log.step(&format!("encrypted: {}", wire.cipher().unwrap_or_default()));
        let offers = match self.greet(&mut wire, log).await {
            Err(Ending::Lost(_, why)) => return Err(no_tls(why, log)),
            other => other?,
        };
        Ok((wire, offers))
    }

    async fn log_in(&self, wire: &mut Wire, offers: &Offers, log: &mut Transcript) -> Result<(), Ending> {
        let Some(login) = self.login else { return Ok(()) };
        let Some(mechanism) = [Mechanism::Plain, Mechanism::Login].into_iter().find(|known| offers.knows(*known))
        else {
            log.step("no AUTH mechanism in common");
            return Err(Ending::NoLogin);
        };
        let credentials = Credentials::new(login.user.clone(), login.password.reveal().to_owned());
        let lost = |why: &str| Ending::Lost(Stage::Login, why.to_owned());
        let mut line = format!("AUTH {mechanism}");
        if mechanism.supports_initial_response() {
            let first = mechanism.response(&credentials, None).map_err(|error| lost(&error.to_string()))?;
            line = format!("{line} {}", STANDARD.encode(first));
        }
        log.said("AUTH ***");
        for _ in 0..MAX_CHALLENGES {
            let answer = self.exchange(wire, Stage::Login, &line, log).await?;
            let reply = answer.reply();
            log.heard(&reply.to_string());
            if reply.code() != 334 {
                return positive_reply(Stage::Login, reply);
            }
            let challenge = STANDARD.decode(answer.lines.concat().trim()).unwrap_or_default();
            let said = mechanism.response(&credentials, Some(&String::from_utf8_lossy(&challenge)));
            line = STANDARD.encode(said.map_err(|error| lost(&error.to_string()))?);
        }
        Err(lost("too many challenges"))
    }

    async fn command(&self, wire: &mut Wire, stage: Stage, line: &str, log: &mut Transcript) -> Result<Answer, Ending> {
        log.said(line);
        self.exchange(wire, stage, line, log).await
    }

    async fn exchange(
        &self,
        wire: &mut Wire,
        stage: Stage,
        line: &str,
        log: &mut Transcript,
    ) -> Result<Answer, Ending> {
        let both = async {
            wire.write(format!("{line}\r\n").as_bytes()).await?;
            wire.flush().await?;
            wire.answer().await
        };
        self.within(stage, both, log).await
    }

    async fn within<T>(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<T, Broken>>,
        log: &mut Transcript,
    ) -> Result<T, Ending> {
        within(self.clock, self.limits.greeting, stage, work, log).await
    }
}

fn positive(stage: Stage, answer: &Answer, log: &mut Transcript) -> Result<(), Ending> {
    // The lines of EHLO tell more than the reply on one line.
    for line in answer.lines.iter().take(30) {
        log.heard(&format!("{} {line}", answer.code));
    }
    positive_reply(stage, answer.reply())
}

fn positive_reply(stage: Stage, reply: Reply) -> Result<(), Ending> {
    match reply.code() {
        200..=299 => Ok(()),
        400..=599 => Err(Ending::Refused(stage, reply)),
        _ => Err(Ending::Lost(stage, format!("not an answer to {stage}: {reply}"))),
    }
}

fn unreachable(why: &str, log: &mut Transcript) -> Ending {
    log.step(why);
    Ending::Unreachable(why.to_owned())
}
