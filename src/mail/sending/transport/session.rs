//! One SMTP conversation as the client: connect, STARTTLS, AUTH, and then one transaction per mail.
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, CertificateStore, TlsParameters};
use lettre::transport::smtp::extension::{ClientId, Extension};
use lettre::transport::smtp::response::Response;
use tokio::net::{TcpSocket, TcpStream};

use crate::base::{Clock, EmailAddress, Timestamp};
use crate::mail::sending::resolver::ascii_domain;
use crate::mail::sending::transport::delivery::Login;
use crate::mail::sending::transport::socket::GuardedSocket;
use crate::mail::sending::transport::transcript::Transcript;
use crate::mail::sending::verdict::{Ending, Reply, Stage};

/// Octets that are handed over at once.
const CHUNK: usize = 64 * 1024;

/// How long each step of a conversation may take (RFC 5321, 4.5.3.2, gives the lower bounds that we stay near to; the
/// connection and the greeting are shorter, so that a dead host does not hold up the live one behind it).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// TCP connection.
    pub connect: Duration,
    /// Banner and answer to EHLO; also the TLS handshake and AUTH.
    pub greeting: Duration,
    /// Answer to MAIL, RCPT, DATA or RSET.
    pub command: Duration,
    /// Sending the content and the answer to its end.
    pub content: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self { connect: Duration::from_secs(30), greeting: minutes(1), command: minutes(5), content: minutes(10) }
    }
}

/// Who sends to whom, for one transaction.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The reverse path; `None` for the null sender `<>`.
    pub sender: Option<EmailAddress>,
    /// The forward path.
    pub recipient: EmailAddress,
    /// Deliver over TLS or not at all (`TlsPolicy` REQUIRE of SES). Any certificate will do.
    pub require_tls: bool,
}

/// What to do about TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tls {
    /// Use it where it is offered; any certificate will do.
    Opportunistic,
    /// Do not, because the handshake failed before.
    Off,
    /// Only with it; any certificate will do.
    Required,
    /// Only with it, and with a certificate that verifies.
    Verified,
}

/// Whom to call, and how.
pub(super) struct Dial<'a> {
    pub(super) clock: &'a Clock,
    pub(super) limits: &'a Limits,
    pub(super) hello: &'a ClientId,
    pub(super) host: &'a str,
    pub(super) address: SocketAddr,
    pub(super) source: Option<IpAddr>,
    pub(super) tls: Tls,
    pub(super) login: Option<&'a Login>,
}

/// An open conversation.
pub(super) struct Session {
    connection: AsyncSmtpConnection,
    /// Name and address of the other side.
    pub(super) remote: String,
    /// Our address on this connection.
    pub(super) local: Option<IpAddr>,
    /// Transactions so far.
    pub(super) used: u32,
    /// Since when it waits for the next mail.
    pub(super) idle_since: Timestamp,
    unfinished: bool,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("remote", &self.remote).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Dial<'_> {
    /// Connects and gets as far as MAIL.
    pub(super) async fn open(&self, log: &mut Transcript) -> Result<Session, Ending> {
        let remote = format!("{} [{}]:{}", self.host, self.address.ip(), self.address.port());
        log.step(&format!("connect {remote}"));
        let socket = self.clock.timeout(self.limits.connect, self.connect()).await;
        let socket = match socket {
            Some(Ok(socket)) => socket,
            Some(Err(error)) => return Err(unreachable(&error.to_string(), log)),
            None => return Err(unreachable("no answer in time", log)),
        };
        let local = socket.local_addr().ok().map(|address| address.ip());
        let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(GuardedSocket::new(socket)), self.hello);
        log.said(&format!("EHLO {}", self.hello));
        let mut connection = self.within(self.limits.greeting, Stage::Greeting, greeting, log).await?;
        log.heard(&connection.server_info().to_string());
        self.secure(&mut connection, log).await?;
        self.log_in(&mut connection, log).await?;
        Ok(Session { connection, remote, local, used: 0, idle_since: self.clock.now(), unfinished: false })
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = if self.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = self.source.filter(|source| source.is_ipv4() == self.address.is_ipv4()) {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn secure(&self, connection: &mut AsyncSmtpConnection, log: &mut Transcript) -> Result<(), Ending> {
        let (required, verified) = (matches!(self.tls, Tls::Required | Tls::Verified), self.tls == Tls::Verified);
        if self.tls == Tls::Off || !connection.can_starttls() {
            return if required { Err(Ending::NoTls("STARTTLS is not offered".to_owned())) } else { Ok(()) };
        }
        let roots = if verified { CertificateStore::Default } else { CertificateStore::None };
        let parameters = TlsParameters::builder(self.host.to_owned())
            .certificate_store(roots)
            .dangerous_accept_invalid_certs(!verified)
            .dangerous_accept_invalid_hostnames(!verified)
            .build()
            .map_err(|error| Ending::NoTls(error.to_string()))?;
        log.said("STARTTLS");
        let upgrade = connection.starttls(parameters, self.hello);
        match self.clock.timeout(self.limits.greeting, upgrade).await {
            Some(Ok(())) => {
                log.heard(&format!("(encrypted) {}", connection.server_info()));
                Ok(())
            }
            Some(Err(error)) => {
                log.heard(&error.to_string());
                Err(Ending::NoTls(error.to_string()))
            }
            None => Err(Ending::TimedOut(Stage::Tls)),
        }
    }

    async fn log_in(&self, connection: &mut AsyncSmtpConnection, log: &mut Transcript) -> Result<(), Ending> {
        let Some(login) = self.login else { return Ok(()) };
        let known = [Mechanism::Plain, Mechanism::Login];
        if connection.server_info().get_auth_mechanism(&known).is_none() {
            log.step("no AUTH mechanism in common");
            return Err(Ending::NoLogin);
        }
        log.said("AUTH ***");
        let credentials = Credentials::new(login.user.clone(), login.password.reveal().to_owned());
        let auth = connection.auth(&known, &credentials);
        let response = self.within(self.limits.greeting, Stage::Login, auth, log).await?;
        log.heard(&reply(&response).to_string());
        Ok(())
    }

    async fn within<T>(
        &self,
        limit: Duration,
        stage: Stage,
        work: impl Future<Output = Result<T, SmtpError>>,
        log: &mut Transcript,
    ) -> Result<T, Ending> {
        within(self.clock, limit, stage, work, log).await
    }
}

impl Session {
    /// Whether this connection is encrypted.
    pub(super) fn encrypted(&self) -> bool {
        self.connection.is_encrypted()
    }

    /// One mail to one recipient. `content` has CRLF line ends only.
    pub(super) async fn send(
        &mut self,
        clock: &Clock,
        limits: &Limits,
        envelope: &Envelope,
        content: &[u8],
        log: &mut Transcript,
    ) -> Ending {
        match self.transaction(clock, limits, envelope, content, log).await {
            Ok(ending) | Err(ending) => ending,
        }
    }

    async fn transaction(
        &mut self,
        clock: &Clock,
        limits: &Limits,
        envelope: &Envelope,
        content: &[u8],
        log: &mut Transcript,
    ) -> Result<Ending, Ending> {
        self.used += 1;
        if std::mem::replace(&mut self.unfinished, true) {
            self.command(clock, limits, Stage::Sender, "RSET", log).await?;
        }
        let (mail, rcpt) = self.envelope_commands(envelope, content)?;
        self.command(clock, limits, Stage::Sender, &mail, log).await?;
        self.command(clock, limits, Stage::Recipient, &rcpt, log).await?;
        let go_on = self.command(clock, limits, Stage::Data, "DATA", log).await?;
        if go_on.code() != 354 {
            return Err(Ending::Lost(Stage::Data, format!("not an answer to DATA: {go_on}")));
        }
        log.said(&format!("({} octets)", content.len()));
        // lettre ends the content with CRLF and the dot whatever it ends with; without this the mail would grow a line.
        let body = content.strip_suffix(b"\r\n").unwrap_or(content);
        let send = self.connection.message_iter(body.chunks(CHUNK));
        let response = within(clock, limits.content, Stage::Content, send, log).await?;
        let reply = reply(&response);
        log.heard(&reply.to_string());
        self.unfinished = false;
        Ok(match reply.code() {
            200..=299 => Ending::Accepted(reply),
            _ => Ending::Lost(Stage::Content, format!("not an answer to the content: {reply}")),
        })
    }

    /// `MAIL FROM` and `RCPT TO`. Content that is not ASCII is announced as 8BITMIME where that is offered and sent all
    /// the same where it is not: every server of today passes it, and converting it would break signatures.
    fn envelope_commands(&self, envelope: &Envelope, content: &[u8]) -> Result<(String, String), Ending> {
        let offers = |extension| self.connection.server_info().supports_feature(extension);
        let ascii = |address: &EmailAddress| {
            let domain = ascii_domain(&address.domain())?;
            address.local_part().is_ascii().then(|| format!("{}@{domain}", address.local_part()))
        };
        let sender = envelope.sender.as_ref().map_or(Some(String::new()), ascii);
        let recipient = ascii(&envelope.recipient);
        let (sender, recipient, utf8) = match (sender, recipient) {
            (Some(sender), Some(recipient)) => (sender, recipient, ""),
            _ if offers(Extension::SmtpUtfEight) => {
                let sender = envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
                (sender, envelope.recipient.to_string(), " SMTPUTF8")
            }
            _ => return Err(Ending::NoSmtpUtf8),
        };
        let body = if !content.is_ascii() && offers(Extension::EightBitMime) { " BODY=8BITMIME" } else { "" };
        Ok((format!("MAIL FROM:<{sender}>{body}{utf8}"), format!("RCPT TO:<{recipient}>")))
    }

    async fn command(
        &mut self,
        clock: &Clock,
        limits: &Limits,
        stage: Stage,
        line: &str,
        log: &mut Transcript,
    ) -> Result<Reply, Ending> {
        log.said(line);
        let command = self.connection.command(format!("{line}\r\n"));
        let response = within(clock, limits.command, stage, command, log).await?;
        let reply = reply(&response);
        log.heard(&reply.to_string());
        Ok(reply)
    }

    /// Says goodbye and closes; does not wait for a peer that says nothing.
    pub(super) async fn quit(mut self, clock: &Clock) {
        let _ = clock.timeout(Duration::from_secs(5), self.connection.quit()).await;
    }
}

async fn within<T>(
    clock: &Clock,
    limit: Duration,
    stage: Stage,
    work: impl Future<Output = Result<T, SmtpError>>,
    log: &mut Transcript,
) -> Result<T, Ending> {
    let error = match clock.timeout(limit, work).await {
        Some(Ok(done)) => return Ok(done),
        Some(Err(error)) => error,
        None => {
            log.step(&format!("no answer to {stage} in {} s", limit.as_secs()));
            return Err(Ending::TimedOut(stage));
        }
    };
    let text = std::error::Error::source(&error).map(ToString::to_string);
    Err(match error.status() {
        Some(code) => {
            let reply = Reply::new(u16::from(code), &text.unwrap_or_default());
            log.heard(&reply.to_string());
            Ending::Refused(stage, reply)
        }
        None => {
            log.step(&error.to_string());
            Ending::Lost(stage, text.unwrap_or_else(|| error.to_string()))
        }
    })
}

fn reply(response: &Response) -> Reply {
    let lines: Vec<&str> = response.message().collect();
    Reply::new(u16::from(response.code()), &lines.join(" "))
}

fn unreachable(why: &str, log: &mut Transcript) -> Ending {
    log.step(why);
    Ending::Unreachable(why.to_owned())
}
