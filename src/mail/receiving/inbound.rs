//! The inbound worker: takes an accepted mail, checks it, and runs the rules of the active rule set.
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::base::{Clock, EmailAddress, Scope, Timestamp};
use crate::config::{Mode, Settings};
use crate::mail::bounce::Classifier;
use crate::mail::feedback::Returned;
use crate::mail::marks::ReturnPaths;
use crate::mail::message::parse;
use crate::mail::receiving::accept::InboundJob;
use crate::mail::receiving::actions::{Again, Effect, Failure, Run, run_rules};
use crate::mail::receiving::checks::{Checks, Envelope, Verdicts};
use crate::mail::receiving::effects::Targets;
use crate::mail::receiving::endpoints::Endpoints;
use crate::mail::receiving::handed::Hands;
use crate::mail::receiving::loading::{Active, Loaded, Mails, mails};
use crate::mail::receiving::matching::Addressed;
use crate::mail::receiving::notification::Facts;
use crate::mail::receiving::places::{Place, Places};
use crate::mail::receiving::rules::Rule;
use crate::mail::receiving::{effects, places, postmaster, trace};
use crate::outlets::Functions;
use crate::outlets::objects::Objects;
use crate::queues::Queues;
use crate::store;
use crate::store::inbound_mails::{InboundMail, Processed, State};
use crate::store::{Gather, Store, Tx, inbound_mails};
use crate::topics::Topics;
use crate::topics::delivery::{Poster, signed};
use crate::workers::{Claim, Compute, Finish, Outcome, Reason, SystemQueue, Work, backoff};

/// How often a mail is tried whose actions fail for now: about nine hours.
const MAX_ATTEMPTS: u32 = 25;
/// How long a job waits for who rests without an attempt that counts: as long as all its attempts may take.
const YOUNG: Duration = Duration::from_secs(12 * 3_600);
/// How soon, and how late, a mail looks again whether who rests may be asked. In between it is a part of its age: each look
/// does again what worked.
const FIRST_LOOK: Duration = Duration::from_secs(60);
const LAST_LOOK: Duration = Duration::from_secs(15 * 60);
const FIRST_RETRY: Duration = Duration::from_secs(10);
const LAST_RETRY: Duration = Duration::from_secs(30 * 60);
/// When a job that found no place comes again, and one whose message found no room.
const CROWDED: Duration = Duration::from_secs(1);
const NO_ROOM: Duration = Duration::from_secs(1);

/// How the worker behaves.
#[derive(Clone, Debug)]
pub struct InboundSettings {
    /// This server's name, for the header fields and the bounces.
    pub hostname: String,
    /// How often a mail waits for DNS that fails for now (six times are about ten minutes), before its verdicts say PROCESSING_FAILED.
    pub dns_retries: u32,
}

impl InboundSettings {
    /// What the settings say. On a developer's machine nothing waits for a DNS that is not there.
    pub fn from_settings(settings: &Settings) -> Self {
        let dns_retries = if settings.mode == Mode::Dev { 0 } else { 6 };
        Self { hostname: settings.hostname.to_string(), dns_retries }
    }
}

/// Works on the inbound queue.
pub struct Inbound {
    store: Store,
    clock: Clock,
    targets: Targets,
    hands: Hands,
    objects: Objects,
    checks: Checks,
    settings: InboundSettings,
    returned: Option<Returned>,
    mails: Gather<Mails>,
    places: Places,
    compute: Compute,
}

/// What the actions work with.
pub struct Outlets {
    /// Notifications go there.
    pub topics: Topics,
    /// Messages go there.
    pub queues: Queues,
    /// Objects go there.
    pub objects: Objects,
    /// What Lambda actions call.
    pub functions: Functions,
    /// Posts to webhooks.
    pub poster: Poster,
}

impl Inbound {
    /// Makes the worker.
    pub fn new(store: Store, clock: Clock, outlets: Outlets, checks: Checks, settings: InboundSettings) -> Self {
        let Outlets { topics, queues, objects, functions, poster } = outlets;
        let endpoints = Endpoints::new(clock.clone());
        let hands = Hands { store: store.clone(), clock: clock.clone(), functions, poster, endpoints };
        let (targets, mails) = (Targets { topics, queues }, mails(store.clone()));
        let places = Places::default();
        Self {
            store,
            clock,
            targets,
            hands,
            objects,
            checks,
            settings,
            returned: None,
            mails,
            places,
            compute: Compute::default(),
        }
    }

    /// The same worker, where `compute` reads large messages. Call before [`Inbound::with_return_paths`].
    pub fn with_compute(self, compute: Compute) -> Self {
        Self { compute, ..self }
    }

    /// The same worker, which also works what comes back to these return paths.
    pub fn with_return_paths(self, paths: ReturnPaths) -> Self {
        let (store, clock, topics) = (self.store.clone(), self.clock.clone(), self.targets.topics.clone());
        let returned =
            Returned::new(store, clock, topics, self.objects.clone(), paths).with_compute(self.compute.clone());
        Self { returned: Some(returned), ..self }
    }

    /// The same worker, which judges bounces by this table. Call after [`Inbound::with_return_paths`].
    pub fn with_classifier(self, classifier: Classifier) -> Self {
        let returned = self.returned.map(|returned| returned.with_classifier(classifier));
        Self { returned, ..self }
    }

    async fn process(&self, claim: &Claim) -> Finish {
        let Ok(job) = serde_json::from_str::<InboundJob>(&claim.body) else {
            tracing::error!(job.body = %claim.body, "an inbound job cannot be read");
            return Finish::plain(Outcome::GiveUp(Reason::Unreadable));
        };
        if let Some(task) = &job.task {
            let account = job.account.as_ref();
            let Some(_place) = self.places.enter_for(account, &task.group()) else { return self.crowded() };
            let again = signed::again(claim.attempt, &self.clock);
            let young = self.is_young(claim);
            return Finish::plain(self.hands.work(&job, task, (again, young)).await);
        }
        let loaded = match self.mails.get(job.mail.clone()).await {
            Ok(Some(loaded)) => loaded,
            Ok(None) => return Finish::plain(Outcome::GiveUp(Reason::Missing)),
            Err(error) => {
                tracing::error!(message.id = %job.mail, %error, "cannot load an accepted mail");
                return Finish::plain(Outcome::RetryAt(self.later(claim.attempt), Reason::Internal));
            }
        };
        if loaded.mail.state == State::Done {
            return Finish::plain(Outcome::Done);
        }
        let Loaded { mail, size, raw, rules } = loaded;
        let source = places::source_of(mail.source.as_deref(), &mail.peer);
        let network = places::network_of(&mail.peer);
        let Some((_place, for_checks)) = self.places.enter(&mail.account, (&source, &network)) else {
            return self.crowded();
        };
        let message = (mail.id.as_str(), size);
        let Some(_room) = self.places.load(message, &mail.account, &source, self.clock.instant()) else {
            let at = self.clock.now() + backoff::jitter(NO_ROOM);
            return Finish::plain(Outcome::PutOff(at));
        };
        match self.raw(&mail, raw).await {
            Ok(Some(raw)) => self.run(claim, (mail, raw), rules, for_checks).await,
            Ok(None) => Finish::plain(Outcome::GiveUp(Reason::Missing)),
            Err(error) => {
                tracing::error!(message.id = %mail.id, %error, "cannot load an accepted mail");
                Finish::plain(Outcome::RetryAt(self.later(claim.attempt), Reason::Internal))
            }
        }
    }

    /// The message, where it was too large to come with the rest.
    async fn raw(&self, mail: &InboundMail, raw: Option<Bytes>) -> Result<Option<Bytes>, store::Error> {
        match raw {
            Some(raw) => Ok(Some(raw)),
            None => {
                let mut reader = self.store.reader().await?;
                Ok(inbound_mails::raw(&mut reader, &mail.raw_id).await?.map(Bytes::from))
            }
        }
    }

    /// Others of its account, its source or its endpoint hold the places: it comes again, and this attempt does not count.
    fn crowded(&self) -> Finish {
        Finish::plain(Outcome::Crowded(self.clock.now() + backoff::jitter(CROWDED)))
    }

    async fn run(
        &self,
        claim: &Claim,
        (mail, raw): (InboundMail, Bytes),
        set: Result<Arc<Active>, store::Error>,
        for_checks: Place,
    ) -> Finish {
        let Ok(recipients) = mail.recipients.read() else {
            return self.give_up(mail, vec![], Reason::Unreadable, "the recipients cannot be read".to_owned());
        };
        if let Some(returned) = self.returned.as_ref().filter(|returned| returned.takes(&recipients, mail.received_at))
        {
            let received = trace::received(&mail, &recipients, &self.settings.hostname);
            let worked = returned.work(claim.attempt, &mail, &recipients, (&raw, received)).await;
            return worked.unwrap_or_else(|error| {
                tracing::error!(message.id = %mail.id, %error, "cannot work what came back");
                Finish::plain(Outcome::RetryAt(self.later(claim.attempt), Reason::Internal))
            });
        }
        let set = match set {
            Ok(set) => set,
            Err(error) => {
                tracing::error!(message.id = %mail.id, account = %mail.account, %error, "a rule set cannot be read: mail waits for it");
                return Finish::plain(Outcome::RetryAt(self.later(claim.attempt), Reason::Internal));
            }
        };
        let scan = scanned(&set.rules, &recipients, mail.tls);
        let verdicts = self.check(&mail, &raw, scan).await;
        drop(for_checks);
        if verdicts.temporary && claim.attempt <= self.settings.dns_retries {
            return Finish::plain(Outcome::RetryAt(self.later(claim.attempt), Reason::Unreachable));
        }
        // The checks saw the message as it was sent; the actions see it without what only we may say.
        let raw = trace::without_claims(raw, &self.settings.hostname);
        let fields = trace::fields(&mail, &recipients, &verdicts, &self.settings.hostname);
        let facts = facts(&mail, recipients, &fields, &raw, verdicts);
        let mut run = Run {
            facts: &facts,
            raw: &raw,
            fields,
            tls: mail.tls,
            account: &mail.account,
            set: &set.name,
            rule: String::new(),
            vault: self.store.vault(),
            hostname: &self.settings.hostname,
            objects: &self.objects,
            functions: &self.hands.functions,
            endpoints: &self.hands.endpoints,
            compute: &self.compute,
            last_attempt: claim.attempt >= MAX_ATTEMPTS,
            may_wait: self.is_young(claim),
            clock: &self.clock,
            effects: Vec::new(),
            failures: Vec::new(),
            rested: 0,
            matched: 0,
        };
        run_rules(&mut run, &set.rules).await;
        postmaster::keep(&mut run, &set.rules).await;
        let again = run.again();
        let (effects, mut failures, matched) = (run.effects, run.failures, run.matched);
        let (effects, missing) = match self.without_missing_topics(effects).await {
            Ok(parted) => parted,
            Err(error) => {
                tracing::error!(message.id = %mail.id, %error, "cannot look for topics");
                return Finish::plain(Outcome::RetryAt(self.later(claim.attempt), Reason::Internal));
            }
        };
        failures.extend(missing);
        for failure in &failures {
            tracing::error!(message.id = %mail.id, attempt = claim.attempt, cause = %failure.text, "a receipt action failed");
        }
        match (again, failures.first()) {
            (Again::Tried(reason), _) => Finish::plain(Outcome::RetryAt(self.later(claim.attempt), reason)),
            (Again::Waits, _) => {
                let look = (self.clock.now().since(claim.sent_at) / 4).clamp(FIRST_LOOK, LAST_LOOK);
                Finish::plain(Outcome::PutOff(self.clock.now() + backoff::jitter(look)))
            }
            (Again::No, Some(first)) => self.give_up(mail, effects, first.reason, first.text.clone()),
            (Again::No, None) => self.done(mail, effects, matched),
        }
    }

    /// Everything worked, or there was nothing to do.
    fn done(&self, mail: InboundMail, effects: Vec<Effect>, matched: usize) -> Finish {
        let note = if matched == 0 {
            tracing::warn!(message.id = %mail.id, "no rule is for this mail any more");
            "no rule matched"
        } else {
            tracing::info!(message.id = %mail.id, rules = matched, "received mail processed");
            "processed"
        };
        if effects.is_empty() {
            return Finish::ended(Processed { mail: mail.id, note: note.to_owned() });
        }
        self.finish(Outcome::Done, mail, effects, State::Done, note.to_owned())
    }

    /// Something failed for good. What worked is kept; the job goes to the dead letters, the raw message stays.
    fn give_up(&self, mail: InboundMail, effects: Vec<Effect>, reason: Reason, note: String) -> Finish {
        tracing::error!(message.id = %mail.id, cause = %note, "received mail given up; its raw message is kept");
        self.finish(Outcome::GiveUp(reason), mail, effects, State::Failed, note)
    }

    fn finish(&self, outcome: Outcome, mail: InboundMail, effects: Vec<Effect>, state: State, note: String) -> Finish {
        let targets = self.targets.clone();
        let owner = Scope { account: mail.account, region: mail.region };
        Finish::with(outcome, move |tx: &mut Tx| {
            Box::pin(async move {
                effects::commit(tx, &targets, &owner, &mail.id, effects).await?;
                inbound_mails::finish(tx, &mail.id, state, &note).await?;
                Ok(())
            })
        })
    }

    async fn check(&self, mail: &InboundMail, raw: &[u8], scan: bool) -> Verdicts {
        let peer: IpAddr = mail.peer.parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
        let source = mail.source.as_deref().unwrap_or_default();
        self.checks.check(Envelope { peer, helo: &mail.helo, source }, raw, scan).await
    }

    /// Takes out what goes to topics and queues that are gone since the rule was made: that fails for good, and the rest goes on.
    async fn without_missing_topics(&self, effects: Vec<Effect>) -> Result<(Vec<Effect>, Vec<Failure>), store::Error> {
        if effects.is_empty() {
            return Ok((effects, vec![]));
        }
        self.store.read(move |tx| Box::pin(async move { effects::part(tx, effects).await })).await
    }

    fn is_young(&self, claim: &Claim) -> bool {
        self.clock.now() < claim.sent_at + YOUNG
    }

    fn later(&self, attempt: u32) -> Timestamp {
        self.clock.now() + backoff::jitter(backoff::doubling(attempt, FIRST_RETRY, LAST_RETRY))
    }
}

impl Work for Inbound {
    fn queue(&self) -> SystemQueue {
        SystemQueue::Inbound
    }

    fn work<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Finish> {
        // Anyone can send anything here. A fault in a parser must cost this one mail an attempt, and not the worker.
        Box::pin(async move {
            let done = AssertUnwindSafe(self.process(claim)).catch_unwind().await;
            done.unwrap_or_else(|_| {
                tracing::error!(job.body = %claim.body, attempt = claim.attempt, "processing a received mail panicked");
                if claim.attempt < MAX_ATTEMPTS {
                    return Finish::plain(Outcome::RetryAt(self.later(claim.attempt), Reason::Internal));
                }
                panicked(claim)
            })
        })
    }
}

/// Whether a rule for one of the recipients wants a look for spam and viruses.
fn scanned(rules: &[Rule], recipients: &[EmailAddress], tls: bool) -> bool {
    if !rules.iter().any(|rule| rule.scan) {
        return false;
    }
    let all = Addressed::new(recipients);
    rules.iter().any(|rule| rule.scan && !all.matched(rule, tls).is_empty())
}

/// Given up after a fault of ours. A mail says so, for the operator and for the sweep; a task has no state of its own.
fn panicked(claim: &Claim) -> Finish {
    let outcome = Outcome::GiveUp(Reason::Internal);
    match serde_json::from_str::<InboundJob>(&claim.body) {
        Ok(InboundJob { mail, task: None, .. }) => Finish::with(outcome, move |tx: &mut Tx| {
            Box::pin(async move {
                inbound_mails::finish(tx, &mail, State::Failed, "processing it panicked").await.map(drop)
            })
        }),
        _ => Finish::plain(outcome),
    }
}

fn facts(mail: &InboundMail, recipients: Vec<EmailAddress>, fields: &str, raw: &[u8], verdicts: Verdicts) -> Facts {
    let source = mail.source.clone().unwrap_or_default();
    let mut all = parse::header_fields(fields.as_bytes());
    all.extend(parse::header_fields(raw));
    let (headers, headers_truncated) = parse::shown(all);
    Facts {
        message_id: mail.id.clone(),
        received_at: mail.received_at,
        common_headers: parse::common_headers(raw, &source),
        source,
        recipients,
        destination: parse::named_recipients(raw),
        headers,
        headers_truncated,
        verdicts,
    }
}
