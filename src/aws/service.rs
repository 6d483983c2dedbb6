//! The services behind the endpoint: what they stand on, what they are called, and which one a request means.
use crate::aws::call::Request;
use crate::aws::error::Failure;
use crate::aws::operation::Operation;
use crate::aws::protocol::{Names, Refusal};
use crate::base::Clock;
use crate::mail::content::ConfigurationSets;
use crate::mail::identity::Identities;
use crate::mail::sending::Sending;
use crate::queues::Queues;

/// What the operations work with: one handle per core. Cheap to clone.
#[derive(Clone)]
pub struct Services {
    /// The time.
    pub clock: Clock,
    /// The accept door for mail.
    pub sending: Sending,
    /// The domains and addresses that accounts send from.
    pub identities: Identities,
    /// Rules for mails, and where their events go.
    pub configuration_sets: ConfigurationSets,
    /// SQS's queues.
    pub queues: Queues,
}

/// How a request and its reply are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0: everything in the body, the operation in `X-Amz-Target`.
    Json,
    /// Form pairs in, XML out; the operation in `Action`.
    Query,
    /// Method, path, query string and a JSON body.
    RestJson,
}

/// One service: what the wire needs to know of it.
#[derive(Debug)]
pub struct Api {
    /// The service in ARNs, logs and metrics: `sqs`, `sns`, `ses`, `sesv2`, `sts`.
    pub name: &'static str,
    /// What the credential scope of a signature for this service may name.
    pub signing_names: &'static [&'static str],
    /// The `Version` of its Query requests; empty for a service without Query.
    pub version: &'static str,
    /// The prefix of `X-Amz-Target`, without the dot; empty for a service without AWS JSON.
    pub target: &'static str,
    /// The XML namespace of its Query replies.
    pub namespace: &'static str,
    /// What stands before the `#` of `__type`.
    pub json_namespace: &'static str,
    /// Its names on Query.
    pub names: &'static Names,
    /// The largest body, in bytes.
    pub body_max: usize,
    /// Its JSON errors carry `x-amzn-query-error`.
    pub query_compatible: bool,
    /// Its XML errors carry an empty `<Detail/>`.
    pub empty_detail: bool,
    /// The member that a Query request may give as its path instead (`QueueUrl`); empty for most.
    pub path_member: &'static str,
    /// What it offers.
    pub operations: &'static [Operation],
    /// How it answers a request that cannot be decoded.
    pub refuse: fn(&Refusal) -> Failure,
}

/// Every service. REST-JSON is found by its paths, AWS JSON by its target, Query by scope, version and action.
pub static APIS: &[&Api] =
    &[&crate::aws::sqs::API, &crate::aws::sesv2::API, &crate::aws::ses::API, &crate::aws::sts::API];

impl Api {
    /// The operation called `name`.
    pub fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }

    /// Whether its operations are told apart by method and path.
    pub fn is_rest(&self) -> bool {
        self.version.is_empty() && self.target.is_empty()
    }
}

/// The service and protocol that a request means, before its body is read: enough to know the body's limit and who must
/// have signed. `None` where only the body can tell, or nothing.
pub fn find_by_head(request: &Request) -> Option<(&'static Api, Protocol)> {
    let with = |found: &dyn Fn(&Api) -> bool| APIS.iter().copied().find(|api| found(api));
    if let Some(target) = request.header("x-amz-target") {
        let (prefix, _) = target.split_once('.')?;
        return Some((with(&|api| !api.target.is_empty() && api.target == prefix)?, Protocol::Json));
    }
    if request.path.starts_with("/v2/email") {
        return Some((with(&|api| api.name == "sesv2")?, Protocol::RestJson));
    }
    let scope = request.scope_service()?;
    let queries = |api: &Api| !api.version.is_empty() && api.signing_names.contains(&scope);
    Some((with(&queries)?, Protocol::Query))
}

/// The service of a Query request that its head does not tell, by its version or else by the only one with the action.
pub fn find_by_action(version: Option<&str>, action: &str) -> Option<&'static Api> {
    let mut queries = APIS.iter().copied().filter(|api| !api.version.is_empty());
    match version {
        Some(version) => queries.find(|api| api.version == version),
        None => queries.find(|api| api.operation(action).is_some()),
    }
}

#[cfg(test)]
impl Services {
    /// Everything over a new SQLite file in `folder`, as on a developer's machine.
    pub(crate) async fn for_test(folder: &std::path::Path) -> Self {
        use crate::mail::identity;
        use crate::mail::sending::{Limits, Settings, resolver::Dns};
        use crate::store::{Database, Store};
        use crate::topics::Topics;

        let clock = Clock::system();
        let store = Store::open(&Database::Sqlite(folder.join("test.db")), clock.clone()).await.expect("a store");
        let queues = Queues::new(store.clone(), clock.clone());
        let topics = Topics::new(store.clone(), clock.clone(), queues.clone(), "http://localhost");
        let hostname = "localhost".to_owned();
        let settings = Settings { limits: Limits::Unlimited, hostname: hostname.clone() };
        let identity_settings =
            identity::Settings { at_once: true, link_base: "http://localhost".to_owned(), hostname };
        let dns = Dns::new(&[([127, 0, 0, 1], 1).into()]).expect("a resolver");
        let lookup = std::sync::Arc::new(dns);
        Self {
            sending: Sending::new(store.clone(), clock.clone(), topics.clone(), settings),
            identities: Identities::new(store.clone(), clock.clone(), identity_settings, lookup),
            configuration_sets: ConfigurationSets::new(store, clock.clone(), topics),
            queues,
            clock,
        }
    }
}
