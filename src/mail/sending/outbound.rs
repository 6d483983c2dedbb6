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
use tracing::{error, info};

use crate::base::{Clock, EmailAddress, Timestamp};
use crate::mail::bounce::Classifier;
use crate::mail::marks::ReturnPaths;
use crate::mail::message::dkim::Canonicalization;
use crate::mail::message::line_ends::crlf_only;
use crate::mail::own::OutboundJob;
use crate::mail::resolver::LookupError;
use crate::mail::sending::capture;
use crate::mail::sending::ending::{Ending, Reply};
use crate::mail::sending::freight::Freight;
use crate::mail::sending::loading::{Parcels, parcels};
use crate::mail::sending::local::{self, Fate};
use crate::mail::sending::parcel::{Parcel, envelope, signatures};
use crate::mail::sending::record::{self, Attempted};
use crate::mail::sending::schedule::{self, Next};
use crate::mail::sending::simulator::Simulator;
use crate::mail::sending::traffic::{NoPlace, Place, Traffic};
use crate::mail::sending::transport::{Delivery, Envelope, Outcome as Round, Route, Transport};
use crate::mail::sending::verdict::{self, Verdict, judge, judge_by};
use crate::store::mails::{self, Status};
use crate::store::{self, Gather, Store};
use crate::topics::Topics;
use crate::workers::{Claim, Compute, Finish, Outcome, Reason, SystemQueue, Work, backoff};

/// Messages up to this size, in octets, are hashed on the threads that deliver: that takes less than a millisecond.
const SIGNED_HERE_MAX: usize = 256 * 1024;

/// The worker of [`SystemQueue::Outbound`].
#[derive(Clone)]
pub struct Outbound {
    store: Store,
    pub(super) clock: Clock,
    topics: Topics,
    pub(super) transport: Arc<Transport>,
    simulator: Simulator,
    return_paths: Option<ReturnPaths>,
    pub(super) encodes_long_lines: bool,
    traffic: Traffic,
    freight: Freight,
    parcels: Arc<Gather<Parcels>>,
    forms: Canonicalization,
    classifier: Classifier,
    compute: Compute,
}

/// What a mail needs to go out.
struct Way {
    envelope: Envelope,
    route: Route,
    place: Option<Place>,
}

impl Work for Outbound {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Outbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        Box::pin(async move {
            let Ok(job) = serde_json::from_str::<OutboundJob>(&claim.body) else {
                return Finish::plain(Outcome::GiveUp(Reason::Unreadable));
            };
            let parcel = match self.load(job).await {
                Ok(Some(parcel)) if parcel.recipient.status == Status::Pending => parcel,
                Ok(Some(_)) => return Finish::plain(Outcome::Done),
                Ok(None) => return Finish::plain(Outcome::GiveUp(Reason::Missing)),
                Err(error) => return self.own_fault(claim, &error),
            };
            match self.deliver(parcel).await {
                Ok(finish) => finish,
                Err(error) => self.own_fault(claim, &error),
            }
        })
    }
}

impl Outbound {
    /// A worker that delivers through `transport` and tells `topics` of the events. `at_once` is the number of its workers.
    pub fn new(store: Store, clock: Clock, topics: Topics, transport: Arc<Transport>, at_once: usize) -> Self {
        let traffic = Traffic::new(clock.clone(), at_once);
        let (simulator, freight) = (Simulator::default(), Freight::default());
        let parcels = Arc::new(parcels(store.clone()));
        let (forms, compute) = (Canonicalization::default(), Compute::default());
        let (return_paths, encodes_long_lines, classifier) = (None, false, Classifier::default());
        Self {
            store,
            clock,
            topics,
            transport,
            simulator,
            return_paths,
            encodes_long_lines,
            traffic,
            freight,
            parcels,
            forms,
            classifier,
            compute,
        }
    }

    /// The same worker, which judges refusals by this table.
    pub fn with_classifier(self, classifier: Classifier) -> Self {
        Self { classifier, ..self }
    }

    /// The same worker, where `compute` signs large messages.
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// The same worker with a mailbox simulator of these domains.
    pub fn with_simulator(self, simulator: Simulator) -> Self {
        Self { simulator, ..self }
    }

    /// The same worker, which encodes parts with lines over 998 octets anew if `encodes`.
    pub fn with_long_lines_encoded(self, encodes: bool) -> Self {
        Self { encodes_long_lines: encodes, ..self }
    }

    /// The same worker, whose signatures are of these forms.
    pub fn with_canonicalization(self, forms: Canonicalization) -> Self {
        Self { forms, ..self }
    }

    /// The same worker, whose mail comes back to these.
    pub fn with_return_paths(self, paths: ReturnPaths) -> Self {
        Self { return_paths: Some(paths), ..self }
    }

    fn own_fault(&self, claim: &Claim, error: &store::Error) -> Finish {
        error!(%error, "an outbound mail cannot be read");
        let wait = backoff::doubling(claim.attempt, Duration::from_secs(5), Duration::from_secs(300));
        let at = self.clock.now() + backoff::jitter(wait);
        Finish::plain(Outcome::RetryAt(at, Reason::Internal))
    }

    async fn load(&self, job: OutboundJob) -> Result<Option<Parcel>, store::Error> {
        let found = self.parcels.get(job).await?;
        Ok(found.map(|parcel| match &self.return_paths {
            Some(paths) => parcel.marked(paths),
            None => parcel,
        }))
    }

    /// How a mail ends on this machine, if it does.
    fn fate(&self, parcel: &Parcel) -> Option<Fate> {
        let simulated =
            || self.simulator.of(&EmailAddress::lenient(&parcel.recipient.address).ok()?).map(Fate::Simulated);
        parcel.suppressed.map(Fate::Suppressed).or_else(simulated)
    }

    fn ends_here(&self, parcel: Parcel, fate: Fate) -> Finish {
        info!(message.id = %parcel.mail.id, ?fate, "mail ends here");
        let (topics, hostname) = (self.topics.clone(), self.transport.options().hostname.clone());
        Finish::with(Outcome::Done, move |tx| {
            Box::pin(async move { local::end(tx, &topics, &parcel.mail, &parcel.recipient, fate, &hostname).await })
        })
    }

    /// The message, where it was too large to come with the rest.
    async fn raw(&self, parcel: &mut Parcel) -> Result<Option<Vec<u8>>, store::Error> {
        if let Some(raw) = parcel.raw.take() {
            return Ok(Some(raw));
        }
        let id = parcel.mail.id.clone();
        self.store.read(move |tx| Box::pin(async move { mails::raw(tx, &id).await })).await
    }

    async fn deliver(&self, mut parcel: Parcel) -> Result<Finish, store::Error> {
        if parcel.terms.stays {
            return Ok(self.keep(parcel));
        }
        if let Some(fate) = self.fate(&parcel) {
            return Ok(self.ends_here(parcel, fate));
        }
        let started_at = self.clock.now();
        if self.transport.options().delivery == Delivery::Capture {
            return self.capture(parcel, started_at).await;
        }
        let Some(envelope) = envelope(&parcel) else {
            let round = Round::without_call(Ending::BadAddress, "");
            return Ok(self.finish(parcel, round, started_at));
        };
        let way = match self.way(parcel.mail.account.as_str(), envelope).await {
            Ok(way) => way,
            Err(no_place) => return Ok(self.put_off(parcel, no_place)),
        };
        // The place comes first: who waits holds no message.
        let Some(_weight) = self.freight.load(parcel.mail.size) else { return Ok(self.no_room()) };
        let Some(raw) = self.raw(&mut parcel).await? else {
            return Ok(Finish::plain(Outcome::GiveUp(Reason::Missing)));
        };
        let raw = crlf_only(raw);
        let round = self.carry(&parcel, (&way.route, &way.envelope), raw, started_at).await;
        if let Some(place) = way.place {
            place.end(&round.ending);
        }
        Ok(self.finish(parcel, round, started_at))
    }

    /// The route of a mail and a place on it, or when to come again. A look-up that fails is a site of its own, which rests.
    async fn way(&self, account: &str, envelope: Envelope) -> Result<Way, NoPlace> {
        let domain = envelope.recipient.domain();
        let unknown = format!("dns {domain}");
        if let Some(no_place) = self.traffic.rests(&unknown) {
            return Err(no_place);
        }
        let route = {
            let _asking = self.traffic.ask(account)?;
            self.transport.route(domain).await
        };
        if !matches!(route.error(), Some(LookupError::Temporary(_))) {
            self.traffic.works_again(&unknown);
        }
        let relay = matches!(self.transport.options().delivery, Delivery::Relay(_));
        let place = match route.error() {
            None => Some(self.traffic.enter_soon(&route.site, relay).await?),
            Some(LookupError::Temporary(_)) => Some(self.traffic.enter(&unknown, false)?),
            // Nobody will be called.
            Some(_) => None,
        };
        Ok(Way { envelope, route, place })
    }

    /// The message does not fit into the memory that is left for such.
    fn no_room(&self) -> Finish {
        Finish::plain(Outcome::PutOff(self.clock.now() + backoff::jitter(Duration::from_secs(5))))
    }

    async fn capture(&self, mut parcel: Parcel, started_at: Timestamp) -> Result<Finish, store::Error> {
        let Some(_weight) = self.freight.load(parcel.mail.size) else { return Ok(self.no_room()) };
        let Some(raw) = self.raw(&mut parcel).await? else {
            return Ok(Finish::plain(Outcome::GiveUp(Reason::Missing)));
        };
        let raw = crlf_only(raw);
        let prefix = self.sign(&parcel, &raw, started_at).await;
        let row = capture::row(&parcel.mail, &parcel.recipient, prefix, &raw);
        let round = Round::without_call(Ending::Accepted(Reply::captured()), "= kept in the inbox\n");
        let attempted = self.attempted(&parcel, round, started_at);
        Ok(self.delivered(parcel, attempted, Reply::captured().to_string(), Some(row)))
    }

    /// What stands before the message. Hashing a large one takes long: others leave the thread first.
    pub(super) async fn sign(&self, parcel: &Parcel, raw: &[u8], now: Timestamp) -> Vec<u8> {
        let sign = || signatures(parcel, self.forms, raw, now);
        if raw.len() <= SIGNED_HERE_MAX {
            return sign();
        }
        match self.compute.in_place(parcel.mail.account.as_str(), sign).await {
            Ok(prefix) => prefix,
            // The account has more such mails at work than may wait: this one is signed all the same.
            Err(_) => sign(),
        }
    }

    fn finish(&self, parcel: Parcel, round: Round, started_at: Timestamp) -> Finish {
        let sender =
            envelope(&parcel).and_then(|way| way.sender.filter(|sender| sender.domain() != way.recipient.domain()));
        let (host, sender) = (round.remote.as_deref(), sender.as_ref().map(EmailAddress::as_str));
        let judged = judge_by(&self.classifier, &round.ending, host, sender);
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

    /// The job had no place: it comes again, and this attempt does not count. Where the site rests, that is a delay like any
    /// other to the sender, and the end of the mail's lifetime ends it.
    fn put_off(&self, parcel: Parcel, no_place: NoPlace) -> Finish {
        metrics::counter!("postrider_outbound_put_off_total").increment(1);
        let now = self.clock.now();
        let until = no_place.until.min(parcel.mail.expires_at.max(now + Duration::from_millis(250)));
        let why = match no_place.why.as_ref().map(judge) {
            Some(Verdict::Deferred(deferral)) => Some(deferral),
            _ => None,
        };
        if let Some(deferral) = &why
            && now >= parcel.mail.expires_at
        {
            let bounce = verdict::expired(deferral, parcel.mail.expires_at.since(parcel.mail.accepted_at));
            let transcript = format!("= not tried, the host rests: {}\n", deferral.diagnostic);
            let round = Round::without_call(Ending::Unreachable(String::new()), &transcript);
            let attempted = self.attempted(&parcel, round, now);
            return self.failed(parcel, attempted, bounce);
        }
        let tells = schedule::reports_delay(parcel.mail.accepted_at, now, parcel.recipient.delayed_at);
        let Some(deferral) = why.filter(|_| tells) else {
            // Others of this domain would find no place either.
            return Finish::plain(if no_place.doubtful { Outcome::Resting(until) } else { Outcome::Crowded(until) });
        };
        let (topics, hostname) = (self.topics.clone(), self.transport.options().hostname.clone());
        // The senders of the others have to hear of it too.
        Finish::with(Outcome::PutOff(until), move |tx| {
            Box::pin(async move {
                record::delayed(tx, &topics, &parcel.mail, &parcel.recipient, now, deferral, hostname).await
            })
        })
    }

    pub(super) fn attempted(&self, parcel: &Parcel, round: Round, started_at: Timestamp) -> Attempted {
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
        if inbox.is_none() && !parcel.terms.tells_delivery {
            return Finish::ended(attempted.taken(&parcel.recipient, &response));
        }
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

    pub(super) fn failed(&self, parcel: Parcel, attempted: Attempted, bounce: verdict::Bounce) -> Finish {
        log(&parcel, &attempted, "bounced", &bounce.diagnostic);
        info!(message.id = %parcel.mail.id, rule = bounce.rule, "the refusal was judged");
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
