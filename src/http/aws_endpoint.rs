//! The AWS endpoint: reads and limits the body, has the request answered, writes one line to the log.
use std::net::{IpAddr, Ipv4Addr};

use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::aws::answer::{Answer, answer, refuse};
use crate::aws::error::{ErrorShape, Failure};
use crate::aws::protocol::reply::Reply;
use crate::aws::{Gate, Request, Services};
use crate::base::{Clock, Timestamp, ids};
use crate::http::body::{self, BodyError};
use crate::http::listener::Peer;
use crate::http::meters::Meters;

/// Operations that programs call thousands of times a second. Where they succeed, the metrics tell enough: a line for
/// each would cost more than the message itself.
const BY_THE_THOUSAND: [&str; 7] = [
    "SendMessage",
    "SendMessageBatch",
    "ReceiveMessage",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
];

/// A request that was read whole.
pub(super) struct Received {
    request: Request,
    began: Timestamp,
}

/// Bodies of more bytes are not copied.
const COPIED_MAX: usize = 4_096;

/// Copies what the request has of the buffer in which it came, which would stay as long as any of it does.
fn detach(request: &mut Request) {
    if request.body.len() > COPIED_MAX {
        return;
    }
    request.body = Bytes::copy_from_slice(&request.body);
    let mut whole = BytesMut::with_capacity(request.headers.values().map(HeaderValue::len).sum());
    request.headers.values().for_each(|value| whole.extend_from_slice(value.as_bytes()));
    let mut rest = whole.freeze();
    for value in request.headers.values_mut() {
        let own = rest.split_to(value.len());
        if let Ok(own) = HeaderValue::from_maybe_shared(own) {
            *value = own;
        }
    }
}

/// Everything that an AWS client may ask.
pub struct AwsEndpoint {
    services: Services,
    gate: Gate,
    clock: Clock,
    meters: Meters,
}

impl AwsEndpoint {
    /// Answers with `services` to those whom `gate` lets in.
    pub fn new(services: Services, gate: Gate, clock: Clock) -> Self {
        Self { services, gate, clock, meters: Meters::default() }
    }

    /// Serves one request.
    pub(super) async fn serve(&self, incoming: Incoming) -> Response {
        match self.receive(incoming).await {
            Ok(received) => self.answer(received).await,
            Err(refused) => refused,
        }
    }

    /// Reads a request whole; or gives the answer to one that is not to be read.
    pub(super) async fn receive(&self, incoming: Incoming) -> Result<Received, Response> {
        let began = self.clock.now();
        let (head, body) = incoming.into_parts();
        let peer = head.extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        let mut request = Request {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body: Bytes::new(),
            peer,
            id: ids::uuid(),
        };
        let allowance = match self.gate.allowance(&request).await {
            Ok(allowance) => allowance,
            Err(error) => return Err(self.finish(&request, began, refuse(&request, error.into()))),
        };
        match body::read(&request.headers, body, allowance.max, &self.clock).await {
            Ok(body) => {
                request.body = body;
                detach(&mut request);
                Ok(Received { request, began })
            }
            Err(error) => Err(self.finish(&request, began, refuse(&request, body_failure(error, allowance.otherwise)))),
        }
    }

    /// Answers a request that was read.
    pub(super) async fn answer(&self, Received { request, began }: Received) -> Response {
        let answered = answer(&self.services, &self.gate, &request).await;
        self.finish(&request, began, answered)
    }

    fn finish(&self, request: &Request, began: Timestamp, answered: Answer) -> Response {
        self.log(request, began, &answered);
        let Reply { status, headers, body, .. } = answered.reply;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let out = response.headers_mut();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                out.insert(HeaderName::from_static(name), value);
            }
        }
        if let Ok(id) = HeaderValue::from_str(&request.id) {
            out.insert("x-amzn-requestid", id.clone());
            out.insert("x-amz-request-id", id);
        }
        response
    }

    /// One line per request, at the level debug for those that come by the thousand; the cause of an internal error stands only here.
    fn log(&self, request: &Request, began: Timestamp, answered: &Answer) {
        let took = self.clock.now().since(began);
        let status = answered.reply.status;
        let service = answered.service.unwrap_or("none");
        let operation = answered.operation.unwrap_or("none");
        self.meters.count((service, operation, status), took);
        let account = answered.caller.as_ref().map_or("none", |(account, _)| account.as_str());
        let failure = answered.reply.failure.as_ref();
        let error = failure.map_or("none", |failure| failure.shape.query_code);
        macro_rules! line {
            ($level:expr, $($more:tt)*) => {
                tracing::event!($level, request.id = %request.id, service, operation, account, peer = %request.peer,
                    status, error, duration_ms = took.as_millis() as u64, bytes_in = request.body.len(),
                    bytes_out = answered.reply.body.len(), $($more)*)
            };
        }
        match failure.and_then(|failure| failure.cause.as_deref()) {
            Some(cause) => line!(tracing::Level::ERROR, cause, "request failed"),
            None if failure.is_none() && BY_THE_THOUSAND.contains(&operation) => {
                line!(tracing::Level::DEBUG, "request");
            }
            None => line!(tracing::Level::INFO, "request"),
        }
    }
}

fn body_failure(error: BodyError, too_large: Failure) -> Failure {
    match error {
        BodyError::TooLarge => too_large,
        BodyError::TooSlow => {
            let text = "The request body did not arrive in time.";
            Failure::new(
                ErrorShape::sender("com.amazon.coral.service#RequestTimeout", 408).query("RequestTimeout", 408),
                text,
            )
        }
        BodyError::Broken => {
            let text = "The request body could not be read.";
            Failure::new(
                ErrorShape::sender("com.amazon.coral.service#IncompleteBody", 400).query("IncompleteBody", 400),
                text,
            )
        }
    }
}
