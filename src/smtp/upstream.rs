//! What the SMTP server asks of the floors below, and no more.
use std::future::Future;
use std::net::IpAddr;

use bytes::Bytes;

use crate::base::EmailAddress;
use crate::smtp::auth::{Login, Principal};
use crate::smtp::reply::{Answer, Reply};

/// A no from below.
#[derive(Debug)]
pub enum Refusal {
    /// The client's fault or a limit: it gets this answer.
    Answer(Answer),
    /// Our fault: the client gets a bland 4xx with an id, the log gets the cause under that id.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

impl From<&'static Reply> for Refusal {
    fn from(row: &'static Reply) -> Self {
        Self::Answer(Answer::from(row))
    }
}

/// Mail for our own recipients.
#[derive(Debug)]
pub struct InboundMessage<R> {
    /// The session's name for it, also in the log.
    pub id: String,
    /// Envelope sender; `None` is the null reverse path.
    pub source: Option<EmailAddress>,
    /// Envelope recipients with their routes, at least one.
    pub recipients: Vec<(EmailAddress, R)>,
    /// What the client called itself.
    pub helo: String,
    /// Where it connected from.
    pub peer: IpAddr,
    /// Whether it came under TLS.
    pub tls: bool,
    /// The message as it was sent, lines ending with CRLF, no field of ours.
    pub data: Bytes,
}

/// Mail that one of our users sends.
#[derive(Debug)]
pub struct SubmittedMessage {
    /// The session's name for it, also in its trace field and in the log.
    pub id: String,
    /// Who sends.
    pub principal: Principal,
    /// Envelope sender.
    pub source: EmailAddress,
    /// Envelope recipients, at least one.
    pub recipients: Vec<EmailAddress>,
    /// Where the user connected from.
    pub peer: IpAddr,
    /// Our trace field and the message, lines ending with CRLF.
    pub data: Bytes,
    /// How many of these lines are ours.
    pub own_lines: usize,
}

/// The floors below, as a session sees them.
pub trait Upstream: Send + Sync + 'static {
    /// What is known about a recipient once it was accepted.
    type Route: Send + 'static;

    /// Where mail for `to` from `peer` goes. `NO_SUCH_MAILBOX` where we take none: there is no open relay.
    fn route(
        &self,
        to: &EmailAddress,
        peer: IpAddr,
        tls: bool,
    ) -> impl Future<Output = Result<Self::Route, Refusal>> + Send;

    /// Whose password this is; `None` when it is nobody's.
    fn authenticate(&self, login: &Login) -> impl Future<Output = Result<Option<Principal>, Refusal>> + Send;

    /// Takes mail in. Returns its id once it is durable.
    fn receive(&self, mail: InboundMessage<Self::Route>) -> impl Future<Output = Result<String, Refusal>> + Send;

    /// Takes mail to send. Returns SES's message id once it is durable.
    fn submit(&self, mail: SubmittedMessage) -> impl Future<Output = Result<String, Refusal>> + Send;
}
