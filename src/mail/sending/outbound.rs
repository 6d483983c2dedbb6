//! The outbound worker: takes one recipient's job, signs the mail, delivers it, and records what came of it.
//!
//! The reverse path of a delivery is one of ours, so that what comes back is read here (see mail/feedback): in the identity's
//! MAIL FROM domain, where it has one that works, else in the server's domain for it. Where there is none, it is the mail's
//! return path, or its source: then what comes back goes to the sender.
//!
//! A job may be worked twice, after a crash between the peer's yes and our commit: the mail may then arrive twice.
//! A recipient that is settled is never tried again, and its record is written only while the claim holds.
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::base::{Clock, EmailAddress};
use crate::mail::bounce::Classifier;
use crate::mail::marks::ReturnPaths;
use crate::mail::message::dkim::Canonicalization;
use crate::mail::own::OutboundJob;
use crate::mail::sending::dressing::dress;
use crate::mail::sending::freight::Freight;
use crate::mail::sending::loading::{Parcels, parcels};
use crate::mail::sending::local::Fate;
use crate::mail::sending::parcel::Parcel;
use crate::mail::sending::signing::Signing;
use crate::mail::sending::simulator::Simulator;
use crate::mail::sending::transport::Transport;
use crate::mail::sending::way::{Way, Ways};
use crate::store::mails::{self, Status};
use crate::store::{self, Gather, Store};
use crate::topics::Topics;
use crate::workers::{Claim, Compute, Finish, NotDone, Outcome, Reason, SystemQueue, Work};

/// The worker of [`SystemQueue::Outbound`].
#[derive(Clone)]
pub struct Outbound {
    store: Store,
    pub(super) clock: Clock,
    pub(super) topics: Topics,
    pub(super) transport: Arc<Transport>,
    simulator: Simulator,
    return_paths: Option<ReturnPaths>,
    pub(super) encodes_long_lines: bool,
    ways: Ways,
    freight: Freight,
    parcels: Arc<Gather<Parcels>>,
    pub(super) signing: Signing,
    pub(super) classifier: Classifier,
}

/// What goes wrong on our side: the mail is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The mail was not signed, and does not go out without.
    #[error("the mail cannot be signed: {0}")]
    Unsigned(#[from] NotDone),
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
                Err(error) => return self.own_fault(claim, &error.into()),
            };
            match self.deliver(parcel).await {
                Ok(finish) => finish,
                Err(fault) => self.own_fault(claim, &fault),
            }
        })
    }
}

impl Outbound {
    /// A worker that delivers through `transport` and tells `topics` of the events. `at_once` is the number of its workers.
    pub fn new(store: Store, clock: Clock, topics: Topics, transport: Arc<Transport>, at_once: usize) -> Self {
        let parcels = Arc::new(parcels(store.clone()));
        Self {
            store,
            clock: clock.clone(),
            topics,
            transport: transport.clone(),
            simulator: Simulator::default(),
            return_paths: None,
            encodes_long_lines: false,
            ways: Ways::new(transport, clock, at_once),
            freight: Freight::default(),
            parcels,
            signing: Signing::new(Canonicalization::default(), Compute::default()),
            classifier: Classifier::default(),
        }
    }

    /// The same worker, which judges refusals by this table.
    pub fn with_classifier(self, classifier: Classifier) -> Self {
        Self { classifier, ..self }
    }

    /// The same worker, whose signatures are of these forms, and where `compute` hashes large messages.
    pub fn with_signing(self, forms: Canonicalization, compute: Compute) -> Self {
        Self { signing: Signing::new(forms, compute), ..self }
    }

    /// The same worker with a mailbox simulator of these domains.
    pub fn with_simulator(self, simulator: Simulator) -> Self {
        Self { simulator, ..self }
    }

    /// The same worker, which encodes parts with lines over 998 octets anew if `encodes`.
    pub fn with_long_lines_encoded(self, encodes: bool) -> Self {
        Self { encodes_long_lines: encodes, ..self }
    }

    /// The same worker, whose mail comes back to these.
    pub fn with_return_paths(self, paths: ReturnPaths) -> Self {
        Self { return_paths: Some(paths), ..self }
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

    /// The message, where it was too large to come with the rest.
    async fn raw(&self, parcel: &mut Parcel) -> Result<Option<Vec<u8>>, store::Error> {
        if let Some(raw) = parcel.raw.take() {
            return Ok(Some(raw));
        }
        let id = parcel.mail.id.clone();
        self.store.read(move |tx| Box::pin(async move { mails::raw(tx, &id).await })).await
    }

    /// From the loaded job to its end, step by step.
    async fn deliver(&self, mut parcel: Parcel) -> Result<Finish, Fault> {
        if parcel.terms.stays {
            return Ok(self.keep(parcel));
        }
        if let Some(fate) = self.fate(&parcel) {
            return Ok(self.ends_here(parcel, fate));
        }
        let started_at = self.clock.now();
        let way = match self.ways.find(&parcel).await {
            Ok(Way::Nowhere) => return Ok(self.no_address(parcel, started_at)),
            Ok(way) => way,
            Err(no_place) => return Ok(self.put_off(parcel, no_place)),
        };
        // The place comes first: who waits holds no message.
        let Some(_weight) = self.freight.load(parcel.mail.size) else { return Ok(self.no_room()) };
        let Some(raw) = self.raw(&mut parcel).await? else {
            return Ok(Finish::plain(Outcome::GiveUp(Reason::Missing)));
        };
        let dressed = dress(&parcel, raw);
        let Way::Out(out) = way else {
            let prefix = self.signing.sign(&parcel, &dressed, started_at).await?;
            return Ok(self.captured(parcel, prefix, &dressed.message, started_at));
        };
        let round = self.carry(&parcel, &out, dressed, started_at).await?;
        if let Some(place) = out.place {
            place.end(&round.ending);
        }
        Ok(self.finish(parcel, round, started_at))
    }
}
