//! The outbound worker: takes one recipient's job, signs the mail, delivers it, and records what came of it.
//!
//! The reverse path of a delivery is one of ours, so that what comes back is read here (see mail/feedback): in the identity's
//! MAIL FROM domain, where it has one that works, else in the server's domain for it. Where there is none, it is the mail's
//! return path, or its source: then what comes back goes to the sender.
//!
//! A job may be worked twice, after a crash between the peer's yes and our commit: the mail may then arrive twice.
//! A recipient that is settled is never tried again, and its record is written only while the claim holds.
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::Deserialize;
use tracing::{error, info};

use crate::base::{AccountId, Clock, EmailAddress, Timestamp};
use crate::mail::content::headers_record::HeadersRecord;
use crate::mail::feedback::ReturnPaths;
use crate::mail::identity::authorization::identity_named;
use crate::mail::identity::dkim::signing_keys;
use crate::mail::identity::{ReversePath, reverse_path};
use crate::mail::message::Mailbox;
use crate::mail::message::dkim::{self, Canonicalization, SigningKey};
use crate::mail::sending::capture;
use crate::mail::sending::record::{self, Attempted};
use crate::mail::sending::schedule::{self, Next};
use crate::mail::sending::transport::{Delivery, Envelope, Outcome as Round, Transport};
use crate::mail::sending::verdict::{self, Ending, Reply, Verdict, judge};
use crate::store::configuration_sets;
use crate::store::mails::{self, Mail, Recipient, Status};
use crate::store::{self, Store, Tx};
use crate::topics::Topics;
use crate::workers::{Claim, Finish, Outcome, Reason, SystemQueue, Work, backoff};

/// The worker of [`SystemQueue::Outbound`].
#[derive(Clone)]
pub struct Outbound {
    store: Store,
    clock: Clock,
    topics: Topics,
    transport: Arc<Transport>,
    return_paths: Option<ReturnPaths>,
}

/// A job: `{"mail": "id", "recipient": 0}`.
#[derive(Deserialize)]
struct Job {
    mail: String,
    recipient: i64,
}

/// Everything about one delivery.
struct Parcel {
    mail: Mail,
    recipient: Recipient,
    raw: Vec<u8>,
    keys: Vec<SigningKey>,
    /// The MAIL FROM domain.
    reverse: Option<String>,
    require_tls: bool,
}

impl Work for Outbound {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Outbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            let Ok(job) = serde_json::from_str::<Job>(&claim.body) else {
                return Finish::plain(Outcome::GiveUp(Reason::Unreadable));
            };
            match self.load(job).await {
                Ok(Some(parcel)) if parcel.recipient.status == Status::Pending => self.deliver(parcel).await,
                Ok(Some(_)) => Finish::plain(Outcome::Done),
                Ok(None) => Finish::plain(Outcome::GiveUp(Reason::Missing)),
                Err(error) => {
                    error!(%error, "an outbound mail cannot be read");
                    let wait = backoff::doubling(claim.attempt, Duration::from_secs(5), Duration::from_secs(300));
                    let at = self.clock.now() + backoff::jitter(wait);
                    Finish::plain(Outcome::RetryAt(at, Reason::Internal))
                }
            }
        })
    }
}

impl Outbound {
    /// A worker that delivers through `transport` and tells `topics` of the events.
    pub fn new(store: Store, clock: Clock, topics: Topics, transport: Arc<Transport>) -> Self {
        Self { store, clock, topics, transport, return_paths: None }
    }

    /// The same worker, whose mail comes back to these.
    pub fn with_return_paths(self, paths: ReturnPaths) -> Self {
        Self { return_paths: Some(paths), ..self }
    }

    async fn load(&self, job: Job) -> Result<Option<Parcel>, store::Error> {
        self.store.read(move |tx| Box::pin(async move { parcel(tx, &job).await })).await
    }

    async fn deliver(&self, mut parcel: Parcel) -> Finish {
        let started_at = self.clock.now();
        let raw = crlf_only(std::mem::take(&mut parcel.raw));
        let mut prefix = self.trace(&parcel).into_bytes();
        prefix.extend(signatures(&parcel, &raw, started_at));
        if self.transport.options().delivery == Delivery::Capture {
            let row = capture::row(&parcel.mail, &parcel.recipient, prefix, &raw);
            let round = captured();
            let attempted = self.attempted(&parcel, round, started_at);
            return self.delivered(parcel, attempted, Reply::captured().to_string(), Some(row));
        }
        let round = match envelope(&parcel, self.return_paths.as_ref()) {
            Some(envelope) => {
                prefix.extend_from_slice(&raw);
                drop(raw);
                self.transport.deliver(&envelope, &prefix).await
            }
            None => bad_address(),
        };
        let judged = judge(&round.ending);
        let reason = match round.ending {
            Ending::Refused(..) => Reason::Deferred,
            _ => Reason::Unreachable,
        };
        let attempted = self.attempted(&parcel, round, started_at);
        match judged {
            Verdict::Delivered(response) => self.delivered(parcel, attempted, response, None),
            Verdict::Failed(bounce) => self.failed(parcel, attempted, bounce),
            Verdict::Deferred(deferral) => self.deferred(parcel, attempted, deferral, reason),
        }
    }

    /// The field that complaints are tied to the mail by.
    fn trace(&self, parcel: &Parcel) -> String {
        let paths = self.return_paths.as_ref();
        paths.map_or_else(String::new, |paths| paths.trace(&parcel.mail, parcel.recipient.n))
    }

    fn attempted(&self, parcel: &Parcel, round: Round, started_at: Timestamp) -> Attempted {
        let ended_at = self.clock.now();
        Attempted {
            number: parcel.recipient.attempts + 1,
            started_at,
            ended_at,
            round,
            hostname: self.transport.options().hostname.clone(),
        }
    }

    fn delivered(
        &self,
        parcel: Parcel,
        attempted: Attempted,
        response: String,
        inbox: Option<store::captured::NewCaptured>,
    ) -> Finish {
        log(&parcel, &attempted, "delivered", &response);
        let topics = self.topics.clone();
        Finish::with(Outcome::Done, move |tx| {
            Box::pin(async move {
                if let Some(row) = &inbox {
                    capture::keep(tx, row).await?;
                }
                record::delivered(tx, &topics, &parcel.mail, &parcel.recipient, attempted, response).await
            })
        })
    }

    fn failed(&self, parcel: Parcel, attempted: Attempted, bounce: verdict::Bounce) -> Finish {
        log(&parcel, &attempted, "bounced", &bounce.diagnostic);
        let topics = self.topics.clone();
        // The job is done: that the mail was refused stands with the recipient, and the sender hears of it.
        Finish::with(Outcome::Done, move |tx| {
            Box::pin(
                async move { record::bounced(tx, &topics, &parcel.mail, &parcel.recipient, attempted, bounce).await },
            )
        })
    }

    fn deferred(&self, parcel: Parcel, attempted: Attempted, deferral: verdict::Deferral, reason: Reason) -> Finish {
        let (accepted_at, expires_at) = (parcel.mail.accepted_at, parcel.mail.expires_at);
        let tries = u32::try_from(attempted.number).unwrap_or(u32::MAX);
        let next = schedule::next(expires_at, attempted.ended_at, tries, rand::random());
        let Next::RetryAt(at) = next else {
            let bounce = verdict::expired(&deferral, expires_at.since(accepted_at));
            return self.failed(parcel, attempted, bounce);
        };
        log(&parcel, &attempted, "deferred", &deferral.diagnostic);
        let topics = self.topics.clone();
        Finish::with(Outcome::RetryAt(at, reason), move |tx| {
            Box::pin(async move {
                record::deferred(tx, &topics, &parcel.mail, &parcel.recipient, attempted, deferral).await
            })
        })
    }
}

async fn parcel(tx: &mut Tx, job: &Job) -> Result<Option<Parcel>, store::Error> {
    let Some(mail) = mails::find(tx, &job.mail).await? else { return Ok(None) };
    let Some(recipient) = mails::recipient(tx, &job.mail, job.recipient).await? else { return Ok(None) };
    let Some(raw) = mails::raw(tx, &job.mail).await? else { return Ok(None) };
    let (mut keys, mut reverse, mut require_tls) = (Vec::new(), None, false);
    if let (Ok(account), Ok(region)) = (mail.account.parse(), mail.region.parse()) {
        // Another account's identity is named by its ARN.
        let foreign = mail.identity.as_deref().and_then(|arn| identity_named(arn, &region));
        let owner = foreign.map_or_else(|| AccountId::clone(&account), |(owner, _)| owner);
        if let Ok(source) = mail.source.parse::<EmailAddress>() {
            let author = author(&mail).unwrap_or_else(|| source.clone());
            keys = signing_keys(tx, &owner, &region, &author).await?;
            // A mail that was accepted goes out, even if its identity would refuse it by now.
            if let ReversePath::Domain(domain) = reverse_path(tx, &owner, &region, &source).await? {
                reverse = Some(domain);
            }
        }
        if let Some(name) = &mail.configuration_set {
            let set = configuration_sets::find(tx, &account, &region, name).await?;
            require_tls = set.is_some_and(|set| set.tls_policy.as_deref() == Some("REQUIRE"));
        }
    }
    Ok(Some(Parcel { mail, recipient, raw, keys, reverse, require_tls }))
}

fn envelope(parcel: &Parcel, paths: Option<&ReturnPaths>) -> Option<Envelope> {
    let recipient = parcel.recipient.address.parse().ok()?;
    let mail = &parcel.mail;
    let own = paths.and_then(|paths| paths.sender(mail, parcel.recipient.n, parcel.reverse.as_deref()));
    let sender = own.or_else(|| match parcel.reverse.as_ref().filter(|_| !mail.return_path.is_empty()) {
        Some(domain) => format!("{}@{domain}", mail.id).parse().ok(),
        None => mail.return_path.parse().ok(),
    });
    Some(Envelope { sender, recipient, require_tls: parcel.require_tls })
}

/// The address in From: its domain is what receivers compare the signature's with (RFC 7489, 3.1.1).
fn author(mail: &Mail) -> Option<EmailAddress> {
    let from = HeadersRecord::read(&mail.headers).source?;
    Some(Mailbox::parse(&from).ok()?.address)
}

/// The signatures of all keys, to stand before the message.
fn signatures(parcel: &Parcel, raw: &[u8], now: Timestamp) -> Vec<u8> {
    let sign = |key| dkim::signature(key, Canonicalization::default(), raw, now);
    let mut all = String::new();
    for signature in parcel.keys.iter().map(sign) {
        match signature {
            Ok(field) => all.push_str(&field),
            // A mail without its signature may still arrive; one that waits for a broken key never does.
            Err(error) => error!(message.id = %parcel.mail.id, %error, "sending without a dkim signature"),
        }
    }
    all.into_bytes()
}

fn captured() -> Round {
    let transcript = "= kept in the inbox\n".to_owned();
    Round { ending: Ending::Accepted(Reply::captured()), remote: None, local: None, encrypted: false, transcript }
}

fn bad_address() -> Round {
    Round { ending: Ending::BadAddress, remote: None, local: None, encrypted: false, transcript: String::new() }
}

/// The message with CRLF line ends only (RFC 5321, 2.3.8): a lone LF becomes one, a lone CR a space. The accept door sees
/// to it already; here it is the guard against a line end that the receiver reads as another one than we do.
fn crlf_only(raw: Vec<u8>) -> Vec<u8> {
    let lone = |at: usize, byte: u8| match byte {
        b'\n' => at.checked_sub(1).and_then(|before| raw.get(before)) != Some(&b'\r'),
        b'\r' => raw.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    if !raw.iter().enumerate().any(|(at, byte)| lone(at, *byte)) {
        return raw;
    }
    let mut clean = Vec::with_capacity(raw.len() + raw.len() / 32);
    for (at, byte) in raw.iter().enumerate() {
        match (lone(at, *byte), byte) {
            (true, b'\n') => clean.extend_from_slice(b"\r\n"),
            (true, _) => clean.push(b' '),
            (false, byte) => clean.push(*byte),
        }
    }
    clean
}

/// One line per attempt.
fn log(parcel: &Parcel, attempted: &Attempted, outcome: &'static str, reply: &str) {
    metrics::counter!("postrider_outbound_attempts_total", "outcome" => outcome).increment(1);
    let domain = parcel.recipient.address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let took = attempted.ended_at.since(attempted.started_at).as_millis();
    info!(
        message.id = %parcel.mail.id,
        recipient.domain = domain,
        remote = attempted.round.remote.as_deref(),
        attempt = attempted.number,
        duration_ms = u64::try_from(took).unwrap_or(u64::MAX),
        outcome,
        reply,
        "delivery attempt"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_crlf_and_nothing_else() {
        for (raw, clean) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\nb", "a\r\nb"),
            ("\n.\n", "\r\n.\r\n"),
            ("a\rb\r", "a b "),
            ("a\r\r\n\n", "a \r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(crlf_only(raw.into()), clean.as_bytes(), "{raw:?}");
        }
    }
}
