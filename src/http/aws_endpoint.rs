//! The AWS endpoint: reads and limits the body, has the request answered, writes one line to the log.
use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::aws::answer::Arrived;
use crate::aws::answer::{Answer, answer, refuse};
use crate::aws::error::{ErrorShape, Failure, THROTTLED, no_place, no_room};
use crate::aws::protocol::reply::Reply;
use crate::aws::registry::find_by_head;
use crate::aws::{Gate, Request, Services};
use crate::base::memory::Held;
use crate::base::places::Seat;
use crate::base::{Clock, Instant, Memory, Quiet, ids};
use crate::http::body::{BodyError, Reader};
use crate::http::meters::Meters;
use crate::http::peer::Peer;

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

/// How many internal errors a minute stand in the log each; the others are counted, and told at the level debug.
const FAILED_SAID: u32 = 20;

/// A request that was read whole. Boxed, since it is handed on from one future to the next.
pub(super) struct Received {
    arrived: Arrived,
    seat: Option<Seat>,
    began: Instant,
}

/// What the log says of a request.
struct Asked {
    id: String,
    peer: IpAddr,
    bytes: usize,
}

impl Asked {
    fn of(request: &Request) -> Self {
        Self { id: request.id.clone(), peer: request.peer, bytes: request.body.len() }
    }
}

/// Everything that an AWS client may ask.
pub struct AwsEndpoint {
    services: Services,
    gate: Gate,
    clock: Clock,
    memory: Memory,
    meters: Meters,
    failed: Quiet,
}

impl AwsEndpoint {
    /// Answers with `services` to those whom `gate` lets in; requests and answers take their room from `memory`.
    pub fn new(services: Services, gate: Gate, clock: Clock, memory: Memory) -> Self {
        Self { services, gate, clock, memory, meters: Meters::default(), failed: Quiet::often(FAILED_SAID) }
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
        let began = self.clock.instant();
        let (head, body) = incoming.into_parts();
        let peer = head.extensions.get::<Peer>();
        let (address, octets) = peer.map_or((IpAddr::from([0, 0, 0, 0]), 0), |peer| (peer.address, peer.head));
        let seat = peer.map(|peer| peer.seat.clone());
        let mut request = Box::new(Request {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body: Bytes::new(),
            body_hash: None,
            peer: address,
            id: ids::uuid(),
        });
        let refused =
            |request: &Request, failure: Failure| self.finish(&Asked::of(request), began, refuse(request, failure));
        if seat.as_ref().is_some_and(Seat::in_reserve) {
            return Err(refused(&request, no_place()));
        }
        let allowance =
            match self.gate.allowance(&request, find_by_head(&request).map(|(service, _)| service.api)).await {
                Ok(allowance) => allowance,
                Err(error) => return Err(refused(&request, error.into())),
            };
        let mut charge = self.memory.charge(address, allowance.whose);
        let (max, hashes, clock) = (allowance.max, self.gate.hashes(), &self.clock);
        let mut reader = Reader { max, head: octets, hashes, charge: &mut charge, seat: seat.as_ref(), clock };
        match reader.read(&request.headers, body).await {
            Ok((body, hash)) => {
                (request.body, request.body_hash) = (body, hash);
                Ok(Received { arrived: Arrived { request, standing: allowance.standing, charge }, seat, began })
            }
            Err(error) => Err(refused(&request, body_failure(error, &request, allowance.otherwise))),
        }
    }

    /// Answers a request that was read.
    pub(super) async fn answer(&self, Received { arrived, seat, began }: Received) -> Response {
        let asked = Asked::of(&arrived.request);
        let answered = answer(&self.services, &self.gate, arrived).await;
        if let (Some(seat), Some(_)) = (seat, &answered.caller) {
            seat.known();
        }
        self.finish(&asked, began, answered)
    }

    fn finish(&self, asked: &Asked, began: Instant, answered: Answer) -> Response {
        self.log(asked, began, &answered);
        let Reply { status, headers, body, .. } = answered.reply;
        let mut response = Response::new(match answered.held {
            None => Body::from(body),
            // Hyper keeps the octets until they are sent, and with them what they take of the memory.
            Some(held) => Body::from(Bytes::from_owner(Sent { body, _held: held })),
        });
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let out = response.headers_mut();
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                out.insert(HeaderName::from_static(name), value);
            }
        }
        if let Ok(id) = HeaderValue::from_str(&asked.id) {
            out.insert("x-amzn-requestid", id.clone());
            out.insert("x-amz-request-id", id);
        }
        response
    }

    /// One line per request, at the level debug for those that come by the thousand; the cause of an internal error stands only here.
    fn log(&self, asked: &Asked, began: Instant, answered: &Answer) {
        let took = self.clock.instant().since(began);
        let status = answered.reply.status;
        let service = answered.service.unwrap_or("none");
        let operation = answered.operation.unwrap_or("none");
        self.meters.count((service, operation, status), took);
        let account = answered.caller.as_ref().map_or("none", |(account, _)| account.as_str());
        let failure = answered.reply.failure.as_ref();
        let error = failure.map_or("none", |failure| failure.shape.query_code);
        macro_rules! line {
            ($level:expr, $($more:tt)*) => {
                tracing::event!($level, request.id = %asked.id, service, operation, account, peer = %asked.peer,
                    status, error, duration_ms = took.as_millis() as u64, bytes_in = asked.bytes,
                    bytes_out = answered.reply.body.len(), $($more)*)
            };
        }
        match failure.and_then(|failure| failure.cause.as_deref()) {
            Some(cause) => {
                // Where the store fails, it fails for thousands.
                let mut told = false;
                self.failed.tell(&self.clock, |left_out| {
                    told = true;
                    line!(tracing::Level::ERROR, cause, left_out, "request failed");
                });
                if !told {
                    line!(tracing::Level::DEBUG, cause, "request failed");
                }
            }
            None if failure.is_none_or(|failure| failure.shape == ErrorShape::unavailable())
                && BY_THE_THOUSAND.contains(&operation) =>
            {
                line!(tracing::Level::DEBUG, "request");
            }
            None => line!(tracing::Level::INFO, "request"),
        }
    }
}

/// A large reply on its way.
struct Sent {
    body: String,
    _held: Held,
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.body.as_bytes()
    }
}

fn body_failure(error: BodyError, request: &Request, too_large: Failure) -> Failure {
    match error {
        BodyError::TooLarge => too_large,
        BodyError::Full(full) => {
            no_room(full, find_by_head(request).map_or(THROTTLED, |(service, _)| service.api.throttled))
        }
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
