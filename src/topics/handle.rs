//! The door to topics: what every operation needs, in one handle that is cheap to clone.
use std::fmt;
use std::sync::Arc;

use crate::base::Clock;
use crate::queues::Queues;
use crate::store::Store;
use crate::topics::Ways;
use crate::topics::permission::Policies;
use crate::topics::signing::Signer;
use crate::workers::Compute;

/// All operations on topics and subscriptions. Cheap to clone; the operations stand in the rooms of this floor.
#[derive(Clone)]
pub struct Topics(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    queues: Queues,
    signer: Signer,
    policies: Policies,
    public_url: Option<String>,
    bound_url: String,
    ways: Ways,
    compute: Compute,
}

impl Topics {
    /// Makes the handle. Links in messages start with `public_url` (`scheme://host[:port]`) where it is configured, else
    /// with the address that the caller named, else with `bound_url`, the address that HTTP is bound to.
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
            policies: Policies::default(),
            public_url,
            bound_url: bound_url.into(),
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
        let old = &self.0;
        Self(Arc::new(Inner {
            store: old.store.clone(),
            clock: old.clock.clone(),
            queues: old.queues.clone(),
            signer: old.signer.at_home(signing_url),
            policies: Policies::default(),
            public_url: old.public_url.clone(),
            bound_url: old.bound_url.clone(),
            ways,
            compute: old.compute.clone(),
        }))
    }

    /// Signs messages, and knows the certificates.
    pub fn signer(&self) -> &Signer {
        &self.0.signer
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

    pub(in crate::topics) fn policies(&self) -> &Policies {
        &self.0.policies
    }

    pub(in crate::topics) fn queues(&self) -> &Queues {
        &self.0.queues
    }

    /// Where links start, for a caller who named this server `named`.
    pub(in crate::topics) fn base_url(&self, named: Option<&str>) -> String {
        let url = self.0.public_url.as_deref().or(named).unwrap_or(&self.0.bound_url);
        url.trim_end_matches('/').to_owned()
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Topics")
    }
}
