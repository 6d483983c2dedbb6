//! The services behind the endpoint, and which of them, and which of its operations, a request means.
use crate::aws::api::{Api, Protocol};
use crate::aws::call::Call;
use crate::aws::caller::Caller;
use crate::aws::error::{ErrorShape, Failure};
use crate::aws::operation::Operation;
use crate::aws::protocol::form::Form;
use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::reply::Reply;
use crate::aws::protocol::rest_json::Labels;
use crate::aws::request::Request;
use crate::aws::services::Services;
use crate::aws::{ses, sesv2, sns, sqs, sts};
use crate::base::AccountId;

/// A service and what it offers.
#[derive(Debug)]
pub struct Service {
    /// What the wire needs to know of it.
    pub api: &'static Api,
    /// Its operations.
    pub operations: &'static [Operation],
}

/// Every service. REST-JSON is found by its paths, AWS JSON by its target, Query by scope, version and action.
pub static SERVICES: &[Service] = &[
    SQS,
    Service { api: &sns::API, operations: sns::OPERATIONS },
    Service { api: &sesv2::API, operations: sesv2::OPERATIONS },
    Service { api: &ses::API, operations: ses::OPERATIONS },
    Service { api: &sts::API, operations: sts::OPERATIONS },
];
const SQS: Service = Service { api: &sqs::API, operations: sqs::OPERATIONS };

impl Service {
    /// The operation called `name`.
    fn operation(&self, name: &str) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.name == name)
    }
}

/// The service and protocol that a request means, before its body is read: enough to know the body's limit and who must
/// have signed. `None` where only the body can tell, or nothing.
pub fn find_by_head(request: &Request) -> Option<(&'static Service, Protocol)> {
    if let Some(target) = request.json_target() {
        return Some((find_by_target(target)?, Protocol::Json));
    }
    if request.path.starts_with("/v2/email") {
        return Some((SERVICES.iter().find(|service| service.api.name == "sesv2")?, Protocol::RestJson));
    }
    let scope = request.scope_service()?;
    let queries = |api: &Api| !api.version.is_empty() && api.signing_names.contains(&scope);
    Some((SERVICES.iter().find(|service| queries(service.api))?, Protocol::Query))
}

/// The service that an `X-Amz-Target` names.
fn find_by_target(target: &str) -> Option<&'static Service> {
    let (prefix, _) = target.split_once('.')?;
    SERVICES.iter().find(|service| !service.api.target.is_empty() && service.api.target == prefix)
}

/// The service of a Query request that its head does not tell, by its version or else by the only one with the action.
fn find_by_action(version: Option<&str>, action: &str) -> Option<&'static Service> {
    let mut queries = SERVICES.iter().filter(|service| !service.api.version.is_empty());
    match version {
        Some(version) => queries.find(|service| service.api.version == version),
        None => queries.find(|service| service.operation(action).is_some()),
    }
}

/// The service and protocol that a request means, and the form of a Query request once it was read.
#[derive(Debug)]
pub struct RequestTarget {
    service: &'static Service,
    /// The protocol.
    pub protocol: Protocol,
    form: Option<Form>,
}

impl RequestTarget {
    /// Finds the service that a request means. Only an unsigned Query request has to be decoded for it.
    ///
    /// # Errors
    /// The failure for a request that means none of ours, and the protocol to write it in.
    pub fn find(request: &Request) -> Result<Self, (Protocol, Failure)> {
        // Curl says of any body that it is a form; one of JSON is none.
        let is_json = request.is_form() && request.body.trim_ascii_start().starts_with(b"{");
        let named = request.header("x-amz-target").filter(|_| is_json).and_then(find_by_target);
        if let Some(service) = named {
            return Ok(Self { service, protocol: Protocol::Json, form: None });
        }
        if let Some((service, protocol)) = find_by_head(request) {
            return Ok(Self { service, protocol, form: None });
        }
        if request.json_target().is_some() {
            return Err((Protocol::Json, unknown_operation(400)));
        }
        if request.path.starts_with("/v2/") {
            return Err((Protocol::RestJson, unknown_operation(404)));
        }
        let found = Form::of(request).map_err(|refusal| malformed(&refusal)).and_then(|form| {
            let Some(action) = form.get("Action") else {
                return if is_a_queues(&request.path) { Ok((&SQS, form)) } else { Err(missing_action()) };
            };
            let service = find_by_action(form.get("Version"), action).ok_or_else(|| invalid_action(action))?;
            Ok((service, form))
        });
        match found {
            Ok((service, form)) => Ok(Self { service, protocol: Protocol::Query, form: Some(form) }),
            Err(failure) => Err((Protocol::Query, failure)),
        }
    }

    /// The service.
    pub fn api(&self) -> &'static Api {
        self.service.api
    }

    /// Whether the request names an operation that needs no signature.
    pub fn is_anonymous(&mut self, request: &Request) -> bool {
        let anonymous = self.api().anonymous;
        if anonymous.is_empty() || self.protocol != Protocol::Query {
            return false;
        }
        self.form(request).is_ok_and(|form| form.get("Action").is_some_and(|action| anonymous.contains(&action)))
    }

    /// The form of a Query request, read once.
    fn form(&mut self, request: &Request) -> Result<&Form, Refusal> {
        let form = match self.form.take() {
            Some(form) => form,
            None => Form::of(request)?,
        };
        Ok(self.form.insert(form))
    }

    /// The operation of a request, and what was read of it.
    ///
    /// # Errors
    /// AWS's `UnknownOperationException`, `MissingAction` and so on.
    pub fn operation(mut self, request: &Request) -> Result<FoundOperation, Failure> {
        let Self { service, protocol, .. } = self;
        let api = service.api;
        let (operation, labels) = match protocol {
            Protocol::Json => {
                let name = request.header("x-amz-target").and_then(|t| t.split_once('.')).map_or("", |(_, name)| name);
                (service.operation(name).ok_or_else(|| unknown_operation(400))?, Labels::new())
            }
            Protocol::RestJson => best_route(service, request).ok_or_else(|| unknown_operation(404))?,
            Protocol::Query => {
                let form = self.form(request).map_err(|refusal| malformed(&refusal))?;
                let missing = || if api.path_member.is_empty() { missing_action() } else { unknown_operation_bare() };
                let action = form.get("Action").ok_or_else(missing)?;
                // What is asked at the address of one thing cannot be about all of them.
                if request.path.len() > 1 && api.not_at_a_path.contains(&action) {
                    return Err(invalid_action(action));
                }
                (service.operation(action).ok_or_else(|| invalid_action(action))?, Labels::new())
            }
        };
        Ok(FoundOperation { operation, api, protocol, labels, form: self.form })
    }
}

/// An operation that a request means, and what was read of the request to find it.
#[derive(Debug)]
pub struct FoundOperation {
    /// The operation.
    pub operation: &'static Operation,
    api: &'static Api,
    protocol: Protocol,
    labels: Labels,
    form: Option<Form>,
}

impl FoundOperation {
    /// Decodes the request, runs the operation and encodes its answer.
    pub async fn run(self, services: &Services, caller: &Caller, request: Box<Request>) -> Reply {
        let Self { operation, api, protocol, labels, form } = self;
        (operation.run)(services, caller, Call { api, protocol, request, labels, form }).await
    }
}

fn best_route(service: &'static Service, request: &Request) -> Option<(&'static Operation, Labels)> {
    let routes = service.operations.iter().flat_map(|operation| operation.routes.iter().map(move |r| (operation, r)));
    let matching = routes.filter_map(|(operation, route)| {
        let (spelled, labels) = route.matches(&request.method, &request.path)?;
        Some((spelled, operation, labels))
    });
    // `/import-jobs/list` is also `/import-jobs/{JobId}`: what is spelled out wins.
    let (_, operation, labels) = matching.max_by_key(|(spelled, ..)| *spelled)?;
    Some((operation, labels))
}

fn unknown_operation(status: u16) -> Failure {
    let shape = ErrorShape::sender("com.amazon.coral.service#UnknownOperationException", status);
    Failure::new(shape.query("InvalidAction", status), "The operation is not known, or this server does not have it.")
}

/// Whether a path is that of a queue's URL.
fn is_a_queues(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    matches!(parts[..], [account, _] | ["queue", _, account, _] if account.parse::<AccountId>().is_ok())
}

/// How SQS answers a Query request without an action.
fn unknown_operation_bare() -> Failure {
    let Failure { shape, message, .. } = unknown_operation(404);
    Failure::new(shape.query("UnknownOperationException", 404).query_bare(), message)
}

fn malformed(refusal: &Refusal) -> Failure {
    Failure::new(ErrorShape::sender("MalformedQueryString", 404), refusal.to_string())
}

fn missing_action() -> Failure {
    Failure::new(ErrorShape::sender("MissingAction", 400), "The request must contain the parameter Action.")
}

fn invalid_action(action: &str) -> Failure {
    // The name comes back in the error, so it must not be long.
    let shown: String = action.chars().take(100).collect();
    let shape = ErrorShape::sender("InvalidAction", 400);
    Failure::new(shape, format!("The action {shown} is not valid for this endpoint."))
}
