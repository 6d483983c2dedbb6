//! What the operations stand on: one handle per core.
use crate::base::Clock;
use crate::mail::content::{ConfigurationSets, Feedback, Templates};
use crate::mail::identity::Identities;
use crate::mail::receiving::Receiving;
use crate::mail::sending::{Imports, Sending};
use crate::queues::Queues;
use crate::topics::Topics;
use crate::workers::Compute;

/// What the operations work with: one handle per core. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The time.
    pub clock: Clock,
    /// Where large requests are read.
    pub compute: Compute,
    /// SQS's queues.
    pub queues: Queues,
    /// What queue URLs begin with, where that is set: `scheme://host[:port]`, perhaps with a path. Else they begin with what
    /// the caller named this server.
    pub public_url: Option<String>,
    /// SNS's topics and subscriptions.
    pub topics: Topics,
    /// SES's identities.
    pub identities: Identities,
    /// SES's configuration sets and event destinations.
    pub configuration_sets: ConfigurationSets,
    /// What identities have set for bounces, complaints and deliveries.
    pub feedback: Feedback,
    /// SES's templates.
    pub templates: Templates,
    /// The door for mail that is sent.
    pub sending: Sending,
    /// Jobs that fill suppression lists.
    pub imports: Imports,
    /// SES's receipt rules, and the door for mail that comes in.
    pub receiving: Receiving,
}

#[cfg(test)]
impl Services {
    /// All services over a new, empty store in a folder that lives as long as the test holds it.
    pub(crate) async fn for_test(clock: Clock) -> (Self, tempfile::TempDir) {
        use crate::mail::resolver::Dns;
        use crate::mail::{identity, sending};
        use crate::store::{Database, Store};

        let dir = tempfile::tempdir().expect("a folder");
        let database = Database::Sqlite(dir.path().join("test.db"));
        let store = Store::open(&database, clock.clone()).await.expect("a store");
        let queues = Queues::new(store.clone(), clock.clone());
        let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), None, "http://localhost");
        let hostname = "localhost".to_owned();
        let link_base = "http://localhost".to_owned();
        let settings = identity::Settings { at_once: true, link_base, hostname: hostname.clone(), dkim_zone: None };
        let dns = Dns::new(&["127.0.0.1:9".parse().expect("an address")]).expect("a resolver");
        let objects = crate::outlets::Objects::folder(dir.path().join("objects"));
        let door = sending::Settings { limits: sending::Limits::Unlimited, hostname };
        let services = Self {
            clock: clock.clone(),
            compute: Compute::default(),
            queues,
            public_url: None,
            topics: topics.clone(),
            identities: Identities::new(store.clone(), clock.clone(), settings, std::sync::Arc::new(dns)),
            configuration_sets: ConfigurationSets::new(store.clone(), clock.clone(), topics.clone()),
            feedback: Feedback::new(store.clone(), topics.clone()),
            templates: Templates::new(store.clone(), clock.clone()),
            sending: Sending::new(store.clone(), clock.clone(), topics, door),
            imports: Imports::new(store.clone(), clock.clone(), objects, sending::Limits::Unlimited),
            receiving: Receiving::new(store, clock),
        };
        (services, dir)
    }
}
