//! A request on its way to an operation: who called, which service and operation it means.
use std::net::IpAddr;

use crate::access::KeyInUse;
use crate::aws::error::{ErrorShape, Failure};
use crate::aws::operation::Operation;
use crate::aws::protocol::form::Form;
use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::reply::{Reply, Writer};
use crate::aws::protocol::rest_json::Labels;
use crate::aws::request::Request;
use crate::aws::service::{Api, Protocol, Services, find_by_action, find_by_head, find_by_target};
use crate::base::{AccountId, Region};
use crate::mail::sending::Idempotency;

/// Who calls an operation.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The account whose resources the call is about.
    pub account: AccountId,
    /// The region, from the signature's credential scope.
    pub region: Region,
    /// The access key that signed; empty for an anonymous call.
    pub access_key: String,
    /// The same key, for calls that wait; `None` where keys do not count.
    pub key: Option<KeyInUse>,
    /// Scheme and host as the caller named them: `http://localhost:4566`. Queue URLs start with it.
    /// Scheme and host as the caller named them: `http://localhost:4566`.
    pub endpoint: String,
    /// What queue URLs begin with: the public URL where one is set, else `endpoint`.
    pub queues_at: String,
    /// The request's id, for the reply and the log.
    pub request_id: String,
    /// Who is at the other end of the connection.
    pub source_ip: IpAddr,
    /// The call's `Idempotency-Key`, for the sends of SES.
    pub once: Option<Idempotency>,
    /// The call's `X-Amzn-Trace-Id`, for the messages of SQS and SNS that are sent with it.
    pub trace_header: Option<String>,
}

/// The service and protocol that a request means.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The service.
    pub api: &'static Api,
    /// The protocol.
    pub protocol: Protocol,
}

impl Target {
    /// Finds the service that a request means. Only an unsigned Query request has to be decoded for it.
    ///
    /// # Errors
    /// The failure for a request that means none of ours, and the protocol to write it in.
    pub fn find(request: &Request) -> Result<Self, (Protocol, Failure)> {
        // Curl says of any body that it is a form; one of JSON is none.
        let is_json = request.is_form() && request.body.trim_ascii_start().starts_with(b"{");
        let named = request.header("x-amz-target").filter(|_| is_json).and_then(find_by_target);
        if let Some(api) = named {
            return Ok(Self { api, protocol: Protocol::Json });
        }
        if let Some((api, protocol)) = find_by_head(request) {
            return Ok(Self { api, protocol });
        }
        if request.json_target().is_some() {
            return Err((Protocol::Json, unknown_operation(400)));
        }
        if request.path.starts_with("/v2/") {
            return Err((Protocol::RestJson, unknown_operation(404)));
        }
        let found = query_form(request).map_err(|refusal| malformed(&refusal)).and_then(|form| {
            let Some(action) = form.get("Action") else {
                return if is_a_queues(&request.path) { Ok(&crate::aws::sqs::API) } else { Err(missing_action()) };
            };
            find_by_action(form.get("Version"), action).ok_or_else(|| invalid_action(action))
        });
        match found {
            Ok(api) => Ok(Self { api, protocol: Protocol::Query }),
            Err(failure) => Err((Protocol::Query, failure)),
        }
    }

    /// What writes the replies to `request`.
    pub fn writer<'a>(&self, request: &'a Request) -> Writer<'a> {
        writer(Some(self.api), self.protocol, request)
    }

    /// Whether the request names an operation that needs no signature.
    pub fn is_anonymous(&self, request: &Request) -> bool {
        if self.api.anonymous.is_empty() || self.protocol != Protocol::Query {
            return false;
        }
        query_form(request).is_ok_and(|form| form.get("Action").is_some_and(|a| self.api.anonymous.contains(&a)))
    }
}

/// A request whose operation is known.
#[derive(Debug)]
pub struct Call {
    /// The service.
    pub api: &'static Api,
    /// The protocol.
    pub protocol: Protocol,
    /// The operation.
    pub operation: &'static Operation,
    /// The request, until it is decoded.
    pub request: Box<Request>,
    /// The members that the path holds.
    pub labels: Labels,
}

impl Call {
    /// Finds the operation of a request to `target`, and the members that the path holds.
    ///
    /// # Errors
    /// AWS's `UnknownOperationException`, `MissingAction` and so on.
    pub fn find(target: Target, request: &Request) -> Result<(&'static Operation, Labels), Failure> {
        let Target { api, protocol } = target;
        Ok(match protocol {
            Protocol::Json => {
                let name = request.header("x-amz-target").and_then(|t| t.split_once('.')).map_or("", |(_, name)| name);
                (api.operation(name).ok_or_else(|| unknown_operation(400))?, Labels::new())
            }
            Protocol::RestJson => best_route(api, request).ok_or_else(|| unknown_operation(404))?,
            Protocol::Query => {
                let form = query_form(request).map_err(|refusal| malformed(&refusal))?;
                let missing = || if api.path_member.is_empty() { missing_action() } else { unknown_operation_bare() };
                let action = form.get("Action").ok_or_else(missing)?;
                // What is asked at the address of one thing cannot be about all of them.
                if request.path.len() > 1 && api.not_at_a_path.contains(&action) {
                    return Err(invalid_action(action));
                }
                (api.operation(action).ok_or_else(|| invalid_action(action))?, Labels::new())
            }
        })
    }

    /// Decodes the request, runs the operation and encodes its answer.
    pub async fn run(self, services: &Services, caller: &Caller) -> Reply {
        (self.operation.run)(services, caller, self).await
    }

    /// What writes this call's reply, also when the request is gone.
    pub fn writer<'a>(&self, caller: &'a Caller) -> Writer<'a> {
        Writer { request_id: &caller.request_id, ..writer(Some(self.api), self.protocol, &self.request) }
    }
}

/// What writes replies to `request`.
pub fn writer<'a>(api: Option<&'static Api>, protocol: Protocol, request: &'a Request) -> Writer<'a> {
    let query_mode = request.header("x-amzn-query-mode") == Some("true");
    // Only this very value, and only a GET: clients that take anything want XML.
    let wants_json = request.method == "GET"
        && api.is_some_and(|api| api.query_compatible)
        && request.header("accept") == Some("application/json");
    Writer { api, protocol, query_mode, wants_json, request_id: &request.id }
}

/// The form pairs of a Query request: those of the query string, and of the body.
pub(crate) fn query_form(request: &Request) -> Result<Form<'_>, Refusal> {
    let mut form = Form::parse(request.query.as_bytes())?;
    form.add(&request.body)?;
    Ok(form)
}

fn best_route(api: &'static Api, request: &Request) -> Option<(&'static Operation, Labels)> {
    let routes = api.operations.iter().flat_map(|operation| operation.routes.iter().map(move |r| (operation, r)));
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
