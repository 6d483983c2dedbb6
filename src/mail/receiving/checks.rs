//! SPF, DKIM, DMARC and ARC of received mail, in SES's words. SES tells the verdicts and acts on none of them.
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::system_conf::read_system_conf;
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::common::verify::VerifySignature;
use mail_auth::dkim::Canonicalization;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::dmarc::{Dmarc, Policy};
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{ArcOutput, AuthenticatedMessage, AuthenticationResults, DmarcOutput};
use mail_auth::{MessageAuthenticator, ReceivedSpf, SpfOutput, SpfResult};

use crate::base::{Clock, Silence};
use crate::config::{Mode, Settings};
use crate::mail::message::parse;
use crate::mail::receiving::questions::Questions;
use crate::mail::receiving::scan::{Disabled, Scanned, Scanner};
use crate::mail::receiving::verdicts::{dkim_verdict, dmarc_verdict, policy, spf_verdict, unchecked};
use crate::workers::Compute;

pub use crate::mail::receiving::verdicts::{Verdict, Verdicts};

/// How many DKIM signatures of one mail are looked at; each can cost a DNS query.
const MAX_SIGNATURES: usize = 10;
/// The longest header section that is read for signatures and authors, in octets. The library keeps some 20 octets for each
/// of a hostile one, and no mail server's own is longer (Exim's limit is 1 MiB, Postfix's 100 KiB).
pub(super) const MAX_HEADER_BYTES: usize = 256 * 1024;
/// How many sets of ARC fields are looked at; a longer chain is not told of.
const MAX_ARC_SETS: usize = 20;

/// A message beyond this size, in octets, is hashed where nobody waits for the thread: 40 MiB take a tenth of a second.
const LARGE: usize = 256 * 1024;
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

/// What is checked.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The client's address.
    pub peer: IpAddr,
    /// What the client called itself.
    pub helo: &'a str,
    /// The reverse path; empty for the null one.
    pub source: &'a str,
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
        let questions = Questions::new(&self.silence);
        let authenticated = self.clock.timeout(deadline, self.run(envelope, raw, &questions));
        let scanned = async { if scan { self.scan(envelope, raw).await } else { Scanned::DISABLED } };
        let (authenticated, Scanned { spam, virus, temporary }) = futures::join!(authenticated, scanned);
        let verdicts = authenticated.unwrap_or_else(|| {
            questions.no_answer();
            unchecked(true)
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
        let short = parse::header_section(raw).len() < MAX_HEADER_BYTES;
        let Some((message, second)) = self.readings(&source_domain, raw, short).await else { return unchecked(true) };
        let names = names(&source_domain, message.as_ref());
        let patience = (&self.clock, self.settings.deadline / 2);
        questions.ahead(self.authenticator.resolver(), &names, patience).await;
        let spf = self.spf(envelope, &source_domain, questions).await;
        let received_spf = ReceivedSpf::new(&spf, peer, helo, source, hostname).to_header();
        let Some(message) = message else {
            // No header field at all: there is neither a signature nor a From to check. Too many: nobody can say.
            let temporary = spf.result() == SpfResult::TempError;
            let others = unchecked(!short);
            return Verdicts { spf: spf_verdict(&spf), headers: received_spf, temporary, ..others };
        };
        let mut dkim = self.authenticator.verify_dkim(questions.about(&message)).await;
        if let Some(second) = second.as_ref().filter(|_| dkim_verdict(&dkim) != Verdict::Pass) {
            let again = self.authenticator.verify_dkim(questions.about(second)).await;
            if dkim_verdict(&again) == Verdict::Pass {
                dkim = again;
            }
        }
        let arc = self.arc(&message, questions).await;
        let parameters = DmarcParameters::new(&message, &dkim, &source_domain, &spf)
            .with_domain_suffix_fn(|domain| psl::domain_str(domain).unwrap_or(domain));
        let dmarc = self.authenticator.verify_dmarc(questions.about(parameters)).await;
        let verdict = dmarc_verdict(&dmarc);
        if verdict == Verdict::ProcessingFailed {
            questions.no_answer();
        }
        let results = AuthenticationResults::new(hostname);
        let results = if source.is_empty() {
            results.with_spf_ehlo_result(&spf, peer, helo)
        } else {
            results.with_spf_mailfrom_result(&spf, peer, source, helo)
        };
        let results = results.with_dkim_results(&dkim, message.from()).with_dmarc_result(&dmarc);
        let results = arc.iter().fold(results, |results, arc| results.with_arc_result(arc, peer));
        Verdicts {
            spf: spf_verdict(&spf),
            dkim: dkim_verdict(&dkim),
            dmarc: verdict,
            dmarc_policy: if verdict == Verdict::Fail { Some(self.policy(&dmarc, questions).await) } else { None },
            headers: received_spf + &results.to_header(),
            temporary: spf.result() == SpfResult::TempError
                || dkim_verdict(&dkim) == Verdict::ProcessingFailed
                || verdict == Verdict::ProcessingFailed,
            ..unchecked(false)
        }
    }

    /// The message as the library reads it, if it has a header of a size that is read, and its second reading. `None`: there
    /// is no place for it.
    async fn readings<'x>(
        &self,
        source_domain: &str,
        raw: &'x [u8],
        short: bool,
    ) -> Option<(Option<AuthenticatedMessage<'x>>, Option<AuthenticatedMessage<'x>>)> {
        let read = || {
            let message = short.then(|| AuthenticatedMessage::parse(raw)).flatten().map(|mut message| {
                prepare(&mut message);
                message
            });
            let second = message.as_ref().and_then(|message| second_reading(message, raw, without_blank_end(raw)));
            (message, second)
        };
        if raw.len() <= LARGE { Some(read()) } else { self.compute.in_place(source_domain, read).await.ok() }
    }

    async fn spf(&self, envelope: Envelope<'_>, domain: &str, questions: &Questions<'_>) -> SpfOutput {
        let Envelope { peer, helo, source } = envelope;
        let hostname = self.settings.hostname.as_str();
        let parameters = if source.is_empty() {
            SpfParameters::verify_ehlo(peer, helo, hostname)
        } else {
            SpfParameters::verify_mail_from(peer, helo, hostname, source)
        };
        let checked = questions.unless_silent(self.authenticator.verify_spf(questions.about(parameters))).await;
        let spf = checked.unwrap_or_else(|| SpfOutput::new(domain.to_owned()).with_result(SpfResult::TempError));
        if spf.result() == SpfResult::TempError {
            questions.no_answer();
        }
        spf
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

    /// What the domain asks for: `sp` for a subdomain that has no record of its own (RFC 7489, 6.3). mail-auth 0.10 always
    /// tells `p` of a mail that fails.
    async fn policy(&self, dmarc: &DmarcOutput, questions: &Questions<'_>) -> &'static str {
        let Some(record) = dmarc.dmarc_record() else { return policy(dmarc.policy()) };
        let domain = dmarc.domain();
        let above = psl::domain_str(domain).is_some_and(|organization| organization != domain);
        if above && record.sp != Policy::Unspecified {
            let own = format!("_dmarc.{domain}.");
            if self.authenticator.txt_lookup::<Dmarc>(own, Some(questions)).await.is_err() {
                return policy(record.sp);
            }
        }
        policy(record.p)
    }
}

/// Bounds the signatures, and takes out those that count for nothing: SHA-1 (RFC 8301, 3.1). Keys below 1024 bits are
/// refused where they are used (3.2).
fn prepare(message: &mut AuthenticatedMessage<'_>) {
    message.dkim_headers.truncate(MAX_SIGNATURES);
    for header in &mut message.dkim_headers {
        if header.header.as_ref().is_ok_and(|signature| signature.a == Algorithm::RsaSha1) {
            header.header = Err(mail_auth::Error::UnsupportedAlgorithm);
        }
    }
}

/// The message without white space at its end, for the relaxed signatures alone, to which it is the same message: mail-auth
/// 0.10 keeps lines of spaces there, which others rightly drop (see `without_blank_end`).
fn second_reading<'x>(
    message: &AuthenticatedMessage<'_>,
    raw: &[u8],
    stripped: &'x [u8],
) -> Option<AuthenticatedMessage<'x>> {
    let odd_end = raw.get(stripped.len()..).is_some_and(|end| end.iter().any(|byte| matches!(byte, b' ' | b'\t')));
    if message.dkim_headers.is_empty() || !odd_end {
        return None;
    }
    let mut second = AuthenticatedMessage::parse(stripped)?;
    prepare(&mut second);
    second.dkim_headers.retain(|header| {
        header.header.as_ref().is_ok_and(|signature| signature.cb == Canonicalization::Relaxed && signature.l == 0)
    });
    Some(second)
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

/// The message up to the last octet of its body that is not white space. To relaxed canonicalization (RFC 6376, 3.4.4) it
/// is the same message.
fn without_blank_end(message: &[u8]) -> &[u8] {
    let body = message.windows(4).position(|end| end == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
    let kept = message.iter().rposition(|b| !b" \t\r\n".contains(b)).map_or(0, |at| at + 1);
    message.get(..kept.max(body)).unwrap_or(message)
}
