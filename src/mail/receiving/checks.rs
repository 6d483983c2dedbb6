//! SPF, DKIM, DMARC and ARC of received mail, in SES's words. SES tells the verdicts and acts on none of them.
use std::borrow::Borrow;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use mail_auth::common::crypto::Algorithm;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::Canonicalization;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::dmarc::{Dmarc, Policy};
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DmarcOutput, DmarcResult,
};
use mail_auth::{MessageAuthenticator, ReceivedSpf, ResolverCache, SpfOutput, SpfResult, Txt};
use serde::Serialize;

use crate::base::Clock;
use crate::config::{Mode, Settings};
use crate::mail::message::parse;
use crate::mail::receiving::scan::{Disabled, Scanned, Scanner};

/// How many DKIM signatures of one mail are looked at; each can cost a DNS query.
const MAX_SIGNATURES: usize = 10;
/// The longest header section that is read for signatures and authors, in octets. The library keeps some 20 octets for each
/// of a hostile one, and no mail server's own is longer (Exim's limit is 1 MiB, Postfix's 100 KiB).
const MAX_HEADER_BYTES: usize = 256 * 1024;
/// How many sets of ARC fields are looked at; a longer chain is not told of.
const MAX_ARC_SETS: usize = 20;

/// What a check found (SES developer guide, "Contents of notifications").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// The check passed.
    Pass,
    /// The check failed.
    Fail,
    /// There was nothing to check: no policy, no signature.
    Gray,
    /// The check could not be made, such as when DNS did not answer.
    ProcessingFailed,
    /// Nobody looked.
    Disabled,
}

impl Verdict {
    /// The word that SES uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Gray => "GRAY",
            Verdict::ProcessingFailed => "PROCESSING_FAILED",
            Verdict::Disabled => "DISABLED",
        }
    }
}

/// What all checks of one mail found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// What the scanner says; `Disabled` where no rule asked for it.
    pub spam: Verdict,
    /// What the scanner says; `Disabled` where no rule asked for it.
    pub virus: Verdict,
    /// RFC 7208, for the reverse path's domain, or the client's name for the null one.
    pub spf: Verdict,
    /// RFC 6376.
    pub dkim: Verdict,
    /// RFC 7489, for the domain of `From`.
    pub dmarc: Verdict,
    /// What the domain asks for when DMARC fails: `none`, `quarantine` or `reject`.
    pub dmarc_policy: Option<&'static str>,
    /// The header fields that tell it: `Received-SPF` and `Authentication-Results`, each ending in CRLF.
    pub headers: String,
    /// DNS or the scanner failed for now: later the verdicts may be others.
    pub temporary: bool,
}

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
}

impl Checks {
    /// Makes the resolver. Fails when the system's resolver configuration cannot be read.
    pub fn new(settings: CheckSettings, clock: Clock) -> Result<Self, String> {
        let mut options = ResolverOpts::default();
        options.timeout = Duration::from_secs(3);
        options.attempts = 2;
        let authenticator = if settings.servers.is_empty() {
            MessageAuthenticator::new_system_conf()
        } else {
            let servers = settings.servers.iter().map(name_server).collect();
            MessageAuthenticator::new(ResolverConfig::from_parts(None, Vec::new(), servers), options)
        }
        .map_err(|error| error.to_string())?;
        Ok(Self { authenticator, scanner: Arc::new(Disabled), settings, clock })
    }

    /// The same checks, with this scanner.
    pub fn with_scanner(self, scanner: Arc<dyn Scanner>) -> Self {
        Self { scanner, ..self }
    }

    /// Checks one mail. `scan`: whether a rule that is for it asks for the scanner (ScanEnabled). Never fails: what cannot
    /// be checked says so.
    pub async fn check(&self, envelope: Envelope<'_>, raw: &[u8], scan: bool) -> Verdicts {
        let deadline = self.settings.deadline;
        let scanned = async {
            if !scan {
                return Scanned::DISABLED;
            }
            self.clock.timeout(deadline, self.scanner.scan(envelope, raw)).await.unwrap_or(Scanned::FAILED)
        };
        let authenticated = self.clock.timeout(deadline, self.run(envelope, raw));
        let (authenticated, Scanned { spam, virus, temporary }) = futures::join!(authenticated, scanned);
        let verdicts = authenticated.unwrap_or_else(|| unchecked(true));
        Verdicts { spam, virus, temporary: verdicts.temporary || temporary, ..verdicts }
    }

    async fn run(&self, envelope: Envelope<'_>, raw: &[u8]) -> Verdicts {
        let hostname = self.settings.hostname.as_str();
        let Envelope { peer, helo, source } = envelope;
        let spf_parameters = if source.is_empty() {
            SpfParameters::verify_ehlo(peer, helo, hostname)
        } else {
            SpfParameters::verify_mail_from(peer, helo, hostname, source)
        };
        let spf = self.authenticator.verify_spf(spf_parameters).await;
        let received_spf = ReceivedSpf::new(&spf, peer, helo, source, hostname).to_header();
        let short = parse::header_section(raw).len() < MAX_HEADER_BYTES;
        let Some(mut message) = short.then(|| AuthenticatedMessage::parse(raw)).flatten() else {
            // No header field at all: there is neither a signature nor a From to check. Too many: nobody can say.
            let temporary = spf.result() == SpfResult::TempError;
            let others = unchecked(!short);
            return Verdicts { spf: spf_verdict(&spf), headers: received_spf, temporary, ..others };
        };
        prepare(&mut message);
        let stripped = without_blank_end(raw);
        let mut second = second_reading(&message, raw, stripped);
        let mut dkim = self.authenticator.verify_dkim(&message).await;
        if let Some(second) = second.as_mut().filter(|_| dkim_verdict(&dkim) != Verdict::Pass) {
            let again = self.authenticator.verify_dkim(&*second).await;
            if dkim_verdict(&again) == Verdict::Pass {
                dkim = again;
            }
        }
        let arc = self.arc(&message).await;
        let source_domain = source.rsplit_once('@').map_or(helo, |(_, domain)| domain).to_lowercase();
        let parameters = DmarcParameters::new(&message, &dkim, &source_domain, &spf)
            .with_domain_suffix_fn(|domain| psl::domain_str(domain).unwrap_or(domain));
        let dmarc = self.authenticator.verify_dmarc(parameters).await;
        let results = AuthenticationResults::new(hostname);
        let results = if source.is_empty() {
            results.with_spf_ehlo_result(&spf, peer, helo)
        } else {
            results.with_spf_mailfrom_result(&spf, peer, source, helo)
        };
        let results = results.with_dkim_results(&dkim, message.from()).with_dmarc_result(&dmarc);
        let results = arc.iter().fold(results, |results, arc| results.with_arc_result(arc, peer));
        let verdict = dmarc_verdict(&dmarc);
        Verdicts {
            spf: spf_verdict(&spf),
            dkim: dkim_verdict(&dkim),
            dmarc: verdict,
            dmarc_policy: if verdict == Verdict::Fail { Some(self.policy(&dmarc).await) } else { None },
            headers: received_spf + &results.to_header(),
            temporary: spf.result() == SpfResult::TempError
                || dkim_verdict(&dkim) == Verdict::ProcessingFailed
                || verdict == Verdict::ProcessingFailed,
            ..unchecked(false)
        }
    }

    /// The chain of those who passed the mail on (RFC 8617), where there is one. It is told and changes no verdict.
    async fn arc<'x>(&self, message: &'x AuthenticatedMessage<'x>) -> Option<ArcOutput<'x>> {
        let sets = message.as_headers.len();
        if sets == 0 || sets > MAX_ARC_SETS { None } else { Some(self.authenticator.verify_arc(message).await) }
    }

    /// What the domain asks for: `sp` for a subdomain that has no record of its own (RFC 7489, 6.3). mail-auth 0.10 always
    /// tells `p` of a mail that fails.
    async fn policy(&self, dmarc: &DmarcOutput) -> &'static str {
        let Some(record) = dmarc.dmarc_record() else { return policy(dmarc.policy()) };
        let domain = dmarc.domain();
        let above = psl::domain_str(domain).is_some_and(|organization| organization != domain);
        if above && record.sp != Policy::Unspecified {
            let own = format!("_dmarc.{domain}.");
            if self.authenticator.txt_lookup::<Dmarc>(own, None::<&NoCache>).await.is_err() {
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

/// Nothing is kept beside the resolver's own cache.
struct NoCache;

impl ResolverCache<Box<str>, Txt> for NoCache {
    fn get<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn remove<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _name: Box<str>, _value: Txt, _valid_until: Instant) {}
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())])
}

/// What is told when nothing could be looked up, or there was nothing to look up.
pub(in crate::mail::receiving) fn unchecked(failed: bool) -> Verdicts {
    let verdict = if failed { Verdict::ProcessingFailed } else { Verdict::Gray };
    Verdicts {
        spam: Verdict::Disabled,
        virus: Verdict::Disabled,
        spf: verdict,
        dkim: verdict,
        dmarc: verdict,
        dmarc_policy: None,
        headers: String::new(),
        temporary: failed,
    }
}

/// SES tells FAIL for a plain fail only; a soft fail and a neutral policy say nothing for sure.
fn spf_verdict(spf: &SpfOutput) -> Verdict {
    match spf.result() {
        SpfResult::Pass => Verdict::Pass,
        SpfResult::Fail => Verdict::Fail,
        SpfResult::SoftFail | SpfResult::Neutral | SpfResult::None => Verdict::Gray,
        SpfResult::TempError | SpfResult::PermError => Verdict::ProcessingFailed,
    }
}

/// One good signature is enough (RFC 6376, 6.1).
fn dkim_verdict(dkim: &[DkimOutput<'_>]) -> Verdict {
    let any = |wanted: fn(&DkimResult) -> bool| dkim.iter().any(|output| wanted(output.result()));
    if any(|result| matches!(result, DkimResult::Pass)) {
        Verdict::Pass
    } else if any(|result| matches!(result, DkimResult::TempError(_))) {
        Verdict::ProcessingFailed
    } else if any(|result| !matches!(result, DkimResult::None)) {
        Verdict::Fail
    } else {
        Verdict::Gray
    }
}

fn dmarc_verdict(dmarc: &DmarcOutput) -> Verdict {
    let results = [dmarc.spf_result(), dmarc.dkim_result()];
    if results.contains(&&DmarcResult::Pass) {
        Verdict::Pass
    } else if results.iter().any(|result| matches!(result, DmarcResult::TempError(_))) {
        Verdict::ProcessingFailed
    } else if dmarc.dmarc_record().is_some() {
        Verdict::Fail
    } else {
        Verdict::Gray
    }
}

fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Quarantine => "quarantine",
        Policy::Reject => "reject",
        Policy::None | Policy::Unspecified => "none",
    }
}
/// The message up to the last octet of its body that is not white space. To relaxed canonicalization (RFC 6376, 3.4.4) it
/// is the same message.
fn without_blank_end(message: &[u8]) -> &[u8] {
    let body = message.windows(4).position(|end| end == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
    let kept = message.iter().rposition(|b| !b" \t\r\n".contains(b)).map_or(0, |at| at + 1);
    message.get(..kept.max(body)).unwrap_or(message)
}
