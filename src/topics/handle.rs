//! The door to topics: what every operation needs, in one handle that is cheap to clone.
use std::fmt;
use std::sync::Arc;

use crate::access::policy::Policy;
use crate::base::{Clock, Kept};
use crate::queues::Queues;
use crate::store::Store;
use crate::topics::Ways;
use crate::topics::endpoint::Protocol;
use crate::topics::limits::{Limits, Room};
use crate::topics::protection::Policy as Protection;
use crate::topics::signing::Signer;
use crate::workers::Compute;

/// Policies of each kind that are kept read.
const POLICIES_KEPT: usize = 1_000;

/// All operations on topics and subscriptions. Cheap to clone; the operations stand in the rooms of this floor.
#[derive(Clone)]
pub struct Topics(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    queues: Queues,
    signer: Signer,
    /// Policies that were read, by their text, so that not every message costs a reading.
    policies: Arc<Kept<String, Arc<Policy>>>,
    /// The same of those that protect data.
    protections: Arc<Kept<String, Arc<Protection>>>,
    public_url: Option<String>,
    bound_url: String,
    room: Arc<Room>,
    /// Whether links to endpoints start with what the caller named this server.
    follows_callers: bool,
    ways: Ways,
    compute: Compute,
}

impl Inner {
    fn anew(&self) -> Self {
        Self {
            store: self.store.clone(),
            clock: self.clock.clone(),
            queues: self.queues.clone(),
            signer: self.signer.clone(),
            policies: self.policies.clone(),
            protections: self.protections.clone(),
            public_url: self.public_url.clone(),
            bound_url: self.bound_url.clone(),
            room: self.room.clone(),
            follows_callers: self.follows_callers,
            ways: self.ways.clone(),
            compute: self.compute.clone(),
        }
    }
}

impl Topics {
    /// Makes the handle. Links in messages start with `public_url` (`scheme://host[:port]`) where it is configured, else
    /// with `bound_url`, the address that HTTP is bound to: links hold tokens, and what a caller names could be anybody's.
    pub fn new(
        store: Store,
        clock: Clock,
        queues: Queues,
        public_url: Option<String>,
        bound_url: impl Into<String>,
    ) -> Self {
        let signer = Signer::new(store.clone(), clock.clone());
        let public_url = public_url.map(|url| url.trim_end_matches('/').to_owned());
        Self(Arc::new(Inner {
            store,
            clock,
            queues,
            signer,
            policies: Arc::new(Kept::new(POLICIES_KEPT)),
            protections: Arc::new(Kept::new(POLICIES_KEPT)),
            public_url,
            bound_url: bound_url.into(),
            room: Arc::default(),
            follows_callers: false,
            ways: Ways::default(),
            compute: Compute::default(),
        }))
    }

    /// The same topics, whose filter policies are judged by `compute`. Call before [`Topics::with_ways`] and before the handle
    /// is shared.
    #[must_use]
    pub fn with_compute(mut self, compute: Compute) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.compute = compute;
        }
        self
    }

    /// The same topics with the ways out of `ways`, and certificates under `signing_url` (`scheme://host`) where it is
    /// given. Without, messages go to queues and HTTP endpoints only.
    #[must_use]
    pub fn with_ways(&self, ways: Ways, signing_url: Option<&str>) -> Self {
        let signer = self.0.signer.at_home(signing_url);
        Self(Arc::new(Inner { ways, signer, ..self.0.anew() }))
    }

    /// The same topics on a developer's machine, where links to endpoints that are no mailboxes start with what the caller
    /// named this server, unless that is configured: containers know it by another name than the developer.
    #[must_use]
    pub fn following_callers(&self) -> Self {
        Self(Arc::new(Inner { follows_callers: true, ..self.0.anew() }))
    }

    /// The same topics within other limits than SNS's.
    #[must_use]
    pub fn with_limits(&self, limits: Limits) -> Self {
        Self(Arc::new(Inner { room: Arc::new(Room::within(limits)), ..self.0.anew() }))
    }

    /// Signs messages, and knows the certificates.
    pub fn signer(&self) -> &Signer {
        &self.0.signer
    }

    pub(in crate::topics) fn room(&self) -> &Room {
        &self.0.room
    }

    pub(in crate::topics) fn protections(&self) -> &Kept<String, Arc<Protection>> {
        &self.0.protections
    }

    pub(in crate::topics) fn compute(&self) -> &Compute {
        &self.0.compute
    }

    pub(in crate::topics) fn ways(&self) -> &Ways {
        &self.0.ways
    }

    pub(in crate::topics) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(in crate::topics) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(in crate::topics) fn policies(&self) -> &Kept<String, Arc<Policy>> {
        &self.0.policies
    }

    pub(in crate::topics) fn queues(&self) -> &Queues {
        &self.0.queues
    }

    /// Where links to endpoints on the web start, for a caller who named this server `named`.
    pub(in crate::topics) fn base_url(&self, named: Option<&str>) -> String {
        let named = named.filter(|_| self.0.follows_callers && self.0.public_url.is_none());
        named.map_or(self.own_url(), |named| named.trim_end_matches('/')).to_owned()
    }

    /// Where links in mails start: what the settings say, whoever calls.
    pub(in crate::topics) fn own_url(&self) -> &str {
        self.0.public_url.as_deref().unwrap_or(&self.0.bound_url).trim_end_matches('/')
    }

    /// Where the links of a question to an endpoint start.
    pub(in crate::topics) fn base_for(&self, protocol: Protocol, named: Option<&str>) -> String {
        if protocol.is_mail() { self.own_url().to_owned() } else { self.base_url(named) }
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Topics")
    }
}
