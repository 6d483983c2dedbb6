//! SPF, DKIM, DMARC and ARC of received mail, in SES's words. SES tells the verdicts and acts on none of them.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::system_conf::read_system_conf;
use mail_auth::common::verify::VerifySignature;
use mail_auth::{ArcOutput, AuthenticatedMessage, MessageAuthenticator};

use crate::base::{Clock, Silence};
use crate::config::{Mode, Settings};
use crate::mail::message::fields::fields_only;
use crate::mail::message::{decoding, parse};
use crate::mail::receiving::dmarc::{self, Dmarc, Found, Vouchers};
use crate::mail::receiving::questions::Questions;
use crate::mail::receiving::results::Findings;
use crate::mail::receiving::scan::{Disabled, Scanned, Scanner};
use crate::mail::receiving::signatures::{self, Judged};
use crate::mail::receiving::spf;
use crate::mail::receiving::verdicts::{unchecked, verdicts};
use crate::workers::Compute;

pub use crate::mail::receiving::envelope::Envelope;
pub use crate::mail::receiving::verdicts::{Verdict, Verdicts};

/// The longest header section that is read for signatures and authors, in octets. The library keeps some 20 octets for each
/// of a hostile one, and no mail server's own is longer (Exim's limit is 1 MiB, Postfix's 100 KiB).
pub(super) const MAX_HEADER_BYTES: usize = 256 * 1024;
/// How many sets of ARC fields are looked at; a longer chain is not told of.
const MAX_ARC_SETS: usize = 20;

/// A message beyond this size, in octets, is hashed where nobody waits for the thread: 40 MiB take a tenth of a second.
const LARGE: usize = 256 * 1024;
/// A message as the library reads it, and what is known of its signatures before any key is.
type Read<'x> = Option<(AuthenticatedMessage<'x>, Vec<Judged>)>;
/// The scanner's name among what does not answer.
const SCANNER: &str = "scanner";

/// How to check.
#[derive(Clone, Debug)]
pub struct CheckSettings {
    /// DNS servers; empty for the system's.
    pub servers: Vec<SocketAddr>,
    /// This server's name, for the header fields (RFC 8601, 2.5).
    pub hostname: String,
    /// How long all checks of one mail may take.
    pub deadline: Duration,
}

impl CheckSettings {
    /// What the settings say. On a developer's machine a DNS that does not answer is not waited for.
    pub fn from_settings(settings: &Settings) -> Self {
        let seconds = if settings.mode == Mode::Dev { 2 } else { 20 };
        Self {
            servers: settings.dns.clone(),
            hostname: settings.hostname.to_string(),
            deadline: Duration::from_secs(seconds),
        }
    }
}

/// Checks mail against the DNS. Cheap to clone; clones share the resolver and its cache.
#[derive(Clone)]
pub struct Checks {
    authenticator: MessageAuthenticator,
    scanner: Arc<dyn Scanner>,
    settings: CheckSettings,
    clock: Clock,
    /// Domains whose name servers do not answer.
    silence: Silence,
    /// Whether the scanner does.
    scanning: Silence,
    compute: Compute,
}

impl Checks {
    /// Makes the resolver. Fails when the system's resolver configuration cannot be read.
    pub fn new(settings: CheckSettings, clock: Clock) -> Result<Self, String> {
        let (config, mut options) = if settings.servers.is_empty() {
            read_system_conf().map_err(|error| error.to_string())?
        } else {
            let servers = settings.servers.iter().map(name_server).collect();
            (ResolverConfig::from_parts(None, Vec::new(), servers), ResolverOpts::default())
        };
        options.timeout = Duration::from_secs(3);
        options.attempts = 2;
        let authenticator = MessageAuthenticator::new(config, options).map_err(|error| error.to_string())?;
        let (silence, scanning) = (Silence::new(clock.clone()), Silence::new(clock.clone()));
        let (scanner, compute) = (Arc::new(Disabled), Compute::default());
        Ok(Self { authenticator, scanner, settings, clock, silence, scanning, compute })
    }

    /// The same checks, where `compute` hashes large mail.
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// The same checks, with this scanner.
    pub fn with_scanner(self, scanner: Arc<dyn Scanner>) -> Self {
        Self { scanner, ..self }
    }

    /// Checks one mail. `scan`: whether a rule that is for it asks for the scanner (ScanEnabled). Never fails: what cannot
    /// be checked says so.
    pub async fn check(&self, envelope: Envelope<'_>, raw: &[u8], scan: bool) -> Verdicts {
        let deadline = self.settings.deadline;
        let questions = Questions::new(&self.silence, self.authenticator.resolver());
        let authenticated = self.clock.timeout(deadline, self.run(envelope, raw, &questions));
        let scanned = async { if scan { self.scan(envelope, raw).await } else { Scanned::DISABLED } };
        let (authenticated, Scanned { spam, virus, temporary }) = futures::join!(authenticated, scanned);
        let verdicts = authenticated.unwrap_or_else(|| {
            questions.no_answer();
            let dmarc = Dmarc::nothing(Found::TempError);
            let spf = mail_auth::SpfResult::TempError;
            let findings = Findings { spf, dkim: &[], dkim_failed: true, dmarc: &dmarc, arc: None };
            verdicts(envelope, &self.settings.hostname, &findings)
        });
        questions.end();
        Verdicts { spam, virus, temporary: verdicts.temporary || temporary, ..verdicts }
    }

    async fn scan(&self, envelope: Envelope<'_>, raw: &[u8]) -> Scanned {
        if self.scanning.rests(SCANNER) {
            return Scanned::FAILED;
        }
        let Some(scanned) = self.clock.timeout(self.settings.deadline, self.scanner.scan(envelope, raw)).await else {
            self.scanning.silent(SCANNER);
            return Scanned::FAILED;
        };
        self.scanning.answered(SCANNER);
        scanned
    }

    async fn run(&self, envelope: Envelope<'_>, raw: &[u8], questions: &Questions<'_>) -> Verdicts {
        let hostname = self.settings.hostname.as_str();
        let Envelope { peer, helo, source } = envelope;
        let source_domain = source.rsplit_once('@').map_or(helo, |(_, domain)| domain).to_lowercase();
        let section = parse::header_section(raw);
        let hostile = decoding::is_littered(section) || signatures::are_too_many(section);
        let short = section.len() < MAX_HEADER_BYTES && !hostile;
        // The library ends a header at a line without a colon: an author behind it would be one to readers alone. No signature
        // names such lines.
        let raw = fields_only(raw);
        let Some(read) = self.read(&source_domain, &raw, short).await else { return unchecked(true) };
        let names = names(&source_domain, read.as_ref().map(|(message, _)| message));
        questions.ahead(&names, (&self.clock, self.settings.deadline / 2)).await;
        let postmaster = format!("postmaster@{helo}");
        let sender = if source.is_empty() { &postmaster } else { source };
        let spf = spf::Check::new(questions, peer, helo, sender).run(&source_domain).await;
        let Some((message, ignored)) = read else {
            // No header field at all: there is neither a signature nor a From to check. Too many: nobody can say.
            let dmarc = Dmarc::nothing(if short { Found::None } else { Found::TempError });
            let findings = Findings { spf, dkim: &[], dkim_failed: !short, dmarc: &dmarc, arc: None };
            // A header that is too long stays so: only DNS is worth another look.
            let temporary = spf == mail_auth::SpfResult::TempError;
            return Verdicts { temporary, ..verdicts(envelope, hostname, &findings) };
        };
        let checked = self.authenticator.verify_dkim(questions.about(&message)).await;
        let dkim: Vec<Judged> = checked.iter().map(signatures::judge).chain(ignored).collect();
        let arc = self.arc(&message, questions).await;
        let vouchers = Vouchers { spf, source: &source_domain, dkim: &dkim };
        let dmarc = dmarc::judge(questions, message.froms(), &vouchers).await;
        let findings = Findings { spf, dkim: &dkim, dkim_failed: false, dmarc: &dmarc, arc: arc.as_ref() };
        verdicts(envelope, hostname, &findings)
    }

    /// The message as the library reads it, if it has a header of a size that is read, and the signatures that count for
    /// nothing. `None`: there is no place for it.
    async fn read<'x>(&self, source_domain: &str, raw: &'x [u8], short: bool) -> Option<Read<'x>> {
        let read = || {
            let message = short.then(|| AuthenticatedMessage::parse_with_opts(raw, false)).flatten();
            message.map(|mut message| {
                let ignored = signatures::prepare(&mut message);
                (message, ignored)
            })
        };
        if raw.len() <= LARGE { Some(read()) } else { self.compute.in_place(source_domain, read).await.ok() }
    }

    /// The chain of those who passed the mail on (RFC 8617), where there is one. It is told and changes no verdict.
    async fn arc<'x>(
        &self,
        message: &'x AuthenticatedMessage<'x>,
        questions: &'x Questions<'_>,
    ) -> Option<ArcOutput<'x>> {
        let sets = message.as_headers.len();
        let looked_at = sets > 0 && sets <= MAX_ARC_SETS;
        if looked_at { Some(self.authenticator.verify_arc(questions.about(message)).await) } else { None }
    }
}

/// The names that the checks will ask for, as far as they are known before.
fn names(source_domain: &str, message: Option<&AuthenticatedMessage<'_>>) -> Vec<String> {
    let mut names = vec![format!("{source_domain}.")];
    if let Some(message) = message {
        let signatures = message.dkim_headers.iter().filter_map(|header| header.header.as_ref().ok());
        names.extend(signatures.map(VerifySignature::domain_key));
        names.extend(message.from().rsplit_once('@').map(|(_, domain)| format!("_dmarc.{domain}.")));
        if message.as_headers.len() <= MAX_ARC_SETS {
            let seals = message.as_headers.iter().filter_map(|header| header.header.as_ref().ok());
            names.extend(seals.map(VerifySignature::domain_key));
            // Of the signatures the last one alone is verified.
            let last = message.ams_headers.last().and_then(|header| header.header.as_ref().ok());
            names.extend(last.map(VerifySignature::domain_key));
        }
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())])
}
