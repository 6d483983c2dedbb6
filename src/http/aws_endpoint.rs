//! The AWS endpoint: reads and limits the body, has the request answered, writes one line to the log.
use std::net::IpAddr;

use axum::body::Body;
use axum::extract::Request as Incoming;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::aws::answer::Arrived;
use crate::aws::answer::{Answered, answer, refuse};
use crate::aws::error::{ErrorShape, Failure, THROTTLED, no_place, no_room};
use crate::aws::protocol::reply::Reply;
use crate::aws::registry::find_by_head;
use crate::aws::request::scope_in;
use crate::aws::{Gate, Request, Services};
use crate::base::memory::Held;
use crate::base::places::Seat;
use crate::base::{Clock, Instant, Memory, Quiet, ids};
use crate::http::body::{BodyError, Reader};
use crate::http::meters::Meters;
use crate::http::peer::Peer;

/// Operations that programs call thousands of times a second. Where they are refused since nothing new is taken, the metrics
/// tell enough.
const BY_THE_THOUSAND: [&str; 7] = [
    "SendMessage",
    "SendMessageBatch",
    "ReceiveMessage",
    "DeleteMessage",
    "DeleteMessageBatch",
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
];

/// How many characters the log shows of an access key or a region that a request names.
const NAMED_MAX: usize = 128;

/// How many internal errors a minute stand in the log each; the others are counted, and told at the level debug.
const FAILED_SAID: u32 = 20;

/// A request that was read whole. Boxed, since it is handed on from one future to the next.
pub(super) struct WholeRequest {
    arrived: Arrived,
    seat: Option<Seat>,
    began: Instant,
}

/// What the log says of a request.
struct LoggedRequest {
    id: String,
    peer: IpAddr,
    bytes: usize,
    authorization: Option<HeaderValue>,
    query: String,
}

impl LoggedRequest {
    fn of(request: &Request) -> Self {
        let authorization = request.headers.get("authorization").cloned();
        let (id, query) = (request.id.clone(), request.query.clone());
        Self { id, peer: request.peer, bytes: request.body.len(), authorization, query }
    }

    /// The access key and the region that it names, as far as they can be shown. Nothing of it is verified.
    fn named(&self) -> Option<(String, String)> {
        let header = self.authorization.as_ref().map(|value| value.to_str().unwrap_or_default());
        let [key, _, region, _] = scope_in(header, &self.query)?;
        let shown = |text: String| text.chars().filter(char::is_ascii_graphic).take(NAMED_MAX).collect();
        Some((shown(key), shown(region)))
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
    /// Whether calls that succeed are told at the level info too.
    tells_all: bool,
}

impl AwsEndpoint {
    /// Answers with `services` to those whom `gate` lets in; requests and answers take their room from `memory`.
    pub fn new(services: Services, gate: Gate, clock: Clock, memory: Memory) -> Self {
        let (meters, failed) = (Meters::default(), Quiet::often(FAILED_SAID));
        Self { services, gate, clock, memory, meters, failed, tells_all: false }
    }

    /// The same endpoint, which tells of each call at the level info: what a developer wants to see of a program. Else only
    /// those that are refused are told so, since a line for each that succeeds would cost more than a message does.
    #[must_use]
    pub fn telling_all(self, tells_all: bool) -> Self {
        Self { tells_all, ..self }
    }

    /// Serves one request.
    pub(super) async fn serve(&self, incoming: Incoming) -> Response {
        match self.receive(incoming).await {
            Ok(received) => self.answer(received).await,
            Err(refused) => refused,
        }
    }

    /// Reads a request whole; or gives the answer to one that is not to be read.
    pub(super) async fn receive(&self, incoming: Incoming) -> Result<WholeRequest, Response> {
        let began = self.clock.instant();
        let (head, body) = incoming.into_parts();
        let peer = head.extensions.get::<Peer>();
        let (address, octets) = peer.map_or((IpAddr::from([0, 0, 0, 0]), 0), |peer| (peer.address, peer.head));
        let seat = peer.map(|peer| peer.seat.clone());
        let long_wait = peer.map(|peer| peer.long_wait.clone()).unwrap_or_default();
        let mut request = Box::new(Request {
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            headers: head.headers,
            body: Bytes::new(),
            body_hash: None,
            peer: address,
            long_wait,
            id: ids::uuid(),
        });
        let refused = |request: &Request, failure: Failure| {
            self.finish(&LoggedRequest::of(request), began, refuse(request, failure))
        };
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
                Ok(WholeRequest { arrived: Arrived { request, standing: allowance.standing, charge }, seat, began })
            }
            Err(error) => Err(refused(&request, body_failure(error, &request, allowance.otherwise))),
        }
    }

    /// Answers a request that was read.
    pub(super) async fn answer(&self, WholeRequest { arrived, seat, began }: WholeRequest) -> Response {
        let asked = LoggedRequest::of(&arrived.request);
        let answered = answer(&self.services, &self.gate, arrived).await;
        if let (Some(seat), Some(_)) = (seat, &answered.caller) {
            seat.known();
        }
        self.finish(&asked, began, answered)
    }

    fn finish(&self, asked: &LoggedRequest, began: Instant, answered: Answered) -> Response {
        self.log(asked, began, &answered);
        let Reply { status, headers, body, .. } = answered.reply;
        let mut response = Response::new(match answered.held {
            None => Body::from(body),
            // Hyper keeps the octets until they are sent, and with them what they take of the memory.
            Some(held) => Body::from(Bytes::from_owner(ReplyOctets { body, _held: held })),
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

    /// One line per request; the cause of an internal error stands only here. What was refused is told at the level info, but
    /// for guesses of paths by who names no key, which come all day from anywhere.
    fn log(&self, asked: &LoggedRequest, began: Instant, answered: &Answered) {
        let took = self.clock.instant().since(began);
        let status = answered.reply.status;
        let service = answered.service.unwrap_or("none");
        let operation = answered.operation.unwrap_or("none");
        self.meters.count((service, operation, status), took);
        macro_rules! line {
            ($level:expr, $($more:tt)*) => {
                if tracing::enabled!($level) {
                    let LoggedCaller { account, region, key, error } = LoggedCaller::of(asked, answered);
                    tracing::event!($level, request.id = %asked.id, service, operation, region, key, account,
                        peer = %asked.peer, status, error, duration_ms = took.as_millis() as u64, bytes_in = asked.bytes,
                        bytes_out = answered.reply.body.len(), $($more)*)
                }
            };
        }
        let failure = answered.reply.failure.as_ref();
        if let Some(cause) = failure.and_then(|failure| failure.cause.as_deref()) {
            // Where the store fails, it fails for thousands.
            let mut told = false;
            self.failed.tell(&self.clock, |left_out| {
                told = true;
                line!(tracing::Level::ERROR, cause, left_out, "request failed");
            });
            if !told {
                line!(tracing::Level::DEBUG, cause, "request failed");
            }
            return;
        }
        let is_told = match failure {
            None => self.tells_all,
            Some(failure) if BY_THE_THOUSAND.contains(&operation) => failure.shape != ErrorShape::unavailable(),
            Some(_) => answered.service.is_some() || asked.named().is_some(),
        };
        if is_told {
            line!(tracing::Level::INFO, "{service} {operation} {status}");
        } else {
            line!(tracing::Level::DEBUG, "{service} {operation} {status}");
        }
    }
}

/// What a line says of who called, and of what went wrong.
struct LoggedCaller<'a> {
    account: &'a str,
    region: String,
    key: String,
    error: &'a str,
}

impl<'a> LoggedCaller<'a> {
    fn of(asked: &LoggedRequest, answered: &'a Answered) -> Self {
        let none = || "none".to_owned();
        let (key, region) = asked.named().unwrap_or_else(|| (none(), none()));
        let caller = answered.caller.as_ref();
        let failure = answered.reply.failure.as_ref();
        Self {
            account: caller.map_or("none", |(account, _)| account.as_str()),
            region: caller.map_or(region, |(_, region)| region.to_string()),
            key,
            error: failure.map_or("none", |failure| failure.shape.query_code),
        }
    }
}

/// A large reply on its way.
struct ReplyOctets {
    body: String,
    _held: Held,
}

impl AsRef<[u8]> for ReplyOctets {
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
