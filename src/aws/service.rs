//! The services behind the endpoint: what they stand on, what they are called, and which one a request means.
use crate::aws::error::{ErrorShape, Failure, THROTTLED};
use crate::aws::operation::Operation;
use crate::aws::protocol::{Names, Refusal};
use crate::aws::request::Request;
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
    /// The operations that a Query request cannot name at such a path.
    pub not_at_a_path: &'static [&'static str],
    /// The operations that may be called without a signature, with a secret token of their own instead.
    pub anonymous: &'static [&'static str],
    /// What it offers.
    pub operations: &'static [Operation],
    /// Its row for a caller who asks for too much at once.
    pub throttled: ErrorShape,
    /// How it answers a request that cannot be decoded.
    pub refuse: fn(&Refusal) -> Failure,
}

/// Every service. REST-JSON is found by its paths, AWS JSON by its target, Query by scope, version and action.
pub static APIS: &[&Api] = &[
    &crate::aws::sqs::API,
    &crate::aws::sns::API,
    &crate::aws::sesv2::API,
    &crate::aws::ses::API,
    &crate::aws::sts::API,
];

impl Api {
    /// A service with nothing special about it, to be named and given its operations:
    /// `Api { name: "sns", operations: OPERATIONS, ..Api::PLAIN }`.
    pub const PLAIN: Self = Self {
        name: "",
        signing_names: &[],
        version: "",
        target: "",
        namespace: "",
        json_namespace: "",
        names: &Names { flat: &[], entries: &[] },
        body_max: 10 * 1024 * 1024,
        query_compatible: false,
        empty_detail: false,
        path_member: "",
        not_at_a_path: &[],
        anonymous: &[],
        operations: &[],
        throttled: THROTTLED,
        refuse: refuse_plainly,
    };

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
    if let Some(target) = request.json_target() {
        return Some((find_by_target(target)?, Protocol::Json));
    }
    if request.path.starts_with("/v2/email") {
        return Some((with(&|api| api.name == "sesv2")?, Protocol::RestJson));
    }
    let scope = request.scope_service()?;
    let queries = |api: &Api| !api.version.is_empty() && api.signing_names.contains(&scope);
    Some((with(&queries)?, Protocol::Query))
}

/// The service that an `X-Amz-Target` names.
pub fn find_by_target(target: &str) -> Option<&'static Api> {
    let (prefix, _) = target.split_once('.')?;
    APIS.iter().copied().find(|api| !api.target.is_empty() && api.target == prefix)
}

/// The service of a Query request that its head does not tell, by its version or else by the only one with the action.
pub fn find_by_action(version: Option<&str>, action: &str) -> Option<&'static Api> {
    let mut queries = APIS.iter().copied().filter(|api| !api.version.is_empty());
    match version {
        Some(version) => queries.find(|api| api.version == version),
        None => queries.find(|api| api.operation(action).is_some()),
    }
}

/// AWS's answer of most services to a request that cannot be decoded.
fn refuse_plainly(refusal: &Refusal) -> Failure {
    let shape = match refusal {
        Refusal::Malformed(_) | Refusal::WrongType { .. } => {
            ErrorShape::sender("com.amazon.coral.service#SerializationException", 400).query("MalformedInput", 400)
        }
        Refusal::TooMuch(_) | Refusal::Missing(_) | Refusal::NotInEnum { .. } => {
            ErrorShape::sender("com.amazon.coral.validate#ValidationException", 400).query("ValidationError", 400)
        }
    };
    Failure::new(shape, refusal.validation_text())
}

#[cfg(test)]
impl Services {
    /// All services over a new, empty store in a folder that lives as long as the test holds it.
    pub(crate) async fn for_test(clock: Clock) -> (Self, tempfile::TempDir) {
        use crate::mail::sending::resolver::Dns;
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
