//! The door to topics: what every operation needs, in one handle that is cheap to clone.
use std::sync::Arc;

use crate::base::Clock;
use crate::queues::Queues;
use crate::store::Store;
use crate::topics::signing::Signer;

/// All operations on topics and subscriptions. Cheap to clone; the operations stand in the rooms of this floor.
#[derive(Clone)]
pub struct Topics(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Clock,
    queues: Queues,
    signer: Signer,
    public_url: String,
}

impl Topics {
    /// Makes the handle. `public_url` (`scheme://host[:port]`, no slash at its end) is where endpoints outside can reach
    /// this server: links and certificate addresses start with it where no caller named another.
    pub fn new(store: Store, clock: Clock, queues: Queues, public_url: impl Into<String>) -> Self {
        let signer = Signer::new(store.clone(), clock.clone());
        let public_url = public_url.into().trim_end_matches('/').to_owned();
        Self(Arc::new(Inner { store, clock, queues, signer, public_url }))
    }

    /// Signs messages, and knows the certificates.
    pub fn signer(&self) -> &Signer {
        &self.0.signer
    }

    pub(in crate::topics) fn store(&self) -> &Store {
        &self.0.store
    }

    pub(in crate::topics) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(in crate::topics) fn queues(&self) -> &Queues {
        &self.0.queues
    }

    /// Where links start: what the caller named, or the configured address.
    pub(in crate::topics) fn base_url(&self, named: Option<&str>) -> String {
        named.unwrap_or(&self.0.public_url).trim_end_matches('/').to_owned()
    }
}
