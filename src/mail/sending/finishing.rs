//! How an outbound job ends: what is decided, told, written and logged.
use std::time::Duration;

use tracing::{error, info};

use crate::base::{EmailAddress, Timestamp};
use crate::mail::sending::capture;
use crate::mail::sending::ending::{Ending, Reply};
use crate::mail::sending::local::{self, Fate};
use crate::mail::sending::outbound::{Fault, Outbound};
use crate::mail::sending::parcel::{Parcel, envelope};
use crate::mail::sending::record::{self, Attempted};
use crate::mail::sending::schedule::{self, Next};
use crate::mail::sending::traffic::NoPlace;
use crate::mail::sending::transport::Outcome as Round;
use crate::mail::sending::verdict::{self, Verdict, judge, judge_by};
use crate::store::captured::NewCaptured;
use crate::workers::{Claim, Finish, Outcome, Reason, backoff};

impl Outbound {
    /// What went wrong is nothing that the mail or its receiver could help.
    pub(super) fn own_fault(&self, claim: &Claim, error: &Fault) -> Finish {
        error!(%error, "an outbound mail cannot be worked");
        let wait = backoff::doubling(claim.attempt, Duration::from_secs(5), Duration::from_secs(300));
        let at = self.clock.now() + backoff::jitter(wait);
        Finish::plain(Outcome::RetryAt(at, Reason::Internal))
    }

    /// The mail ends on this machine.
    pub(super) fn ends_here(&self, parcel: Parcel, fate: Fate) -> Finish {
        info!(message.id = %parcel.mail.id, ?fate, "mail ends here");
        let (topics, hostname) = (self.topics.clone(), self.transport.options().hostname.clone());
        Finish::with(Outcome::Done, move |tx| {
            Box::pin(async move { local::end(tx, &topics, &parcel.mail, &parcel.recipient, fate, &hostname).await })
        })
    }

    /// The message does not fit into the memory that is left for such.
    pub(super) fn no_room(&self) -> Finish {
        Finish::plain(Outcome::PutOff(self.clock.now() + backoff::jitter(Duration::from_secs(5))))
    }

    /// The stored recipient is no address.
    pub(super) fn no_address(&self, parcel: Parcel, started_at: Timestamp) -> Finish {
        self.finish(parcel, Round::without_call(Ending::BadAddress, ""), started_at)
    }

    /// The mail is kept for the inbox, and counts as delivered. `prefix` is what stands before the message.
    pub(super) fn captured(&self, parcel: Parcel, prefix: Vec<u8>, message: &[u8], started_at: Timestamp) -> Finish {
        let row = capture::row(&parcel.mail, &parcel.recipient, prefix, message);
        let round = Round::without_call(Ending::Accepted(Reply::captured()), "= kept in the inbox\n");
        let attempted = self.attempted(&parcel, round, started_at);
        self.delivered(parcel, attempted, Reply::captured().to_string(), Some(row))
    }

    /// An attempt has ended: the verdict, and what is written of it.
    pub(super) fn finish(&self, parcel: Parcel, round: Round, started_at: Timestamp) -> Finish {
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
    pub(super) fn put_off(&self, parcel: Parcel, no_place: NoPlace) -> Finish {
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

    fn delivered(&self, parcel: Parcel, attempted: Attempted, response: String, inbox: Option<NewCaptured>) -> Finish {
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
