//! The session's state, the loop over what was read, and the answers to what it asked.
use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Buf, BytesMut};

use crate::base::{Clock, EmailAddress};
use crate::smtp::auth::{Login, Principal};
use crate::smtp::command;
use crate::smtp::data::{Body, DataReader};
use crate::smtp::limits::Limits;
use crate::smtp::line::{Found, LineReader};
use crate::smtp::reply;
use crate::smtp::reply::Answer;
use crate::smtp::upstream::{InboundMessage, SubmittedMessage};

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Mail for our own domains, from anyone.
    Inbound,
    /// Mail to anyone, from our own users, after TLS and AUTH.
    Submission,
    /// Mail to anyone from anyone, which is kept and goes nowhere; AUTH is taken, and not asked for.
    Capture,
}

/// What all sessions of a listener share.
#[derive(Debug, Clone)]
pub struct Site {
    /// What the listener is for.
    pub mode: Mode,
    /// Our name in the greeting and in trace fields.
    pub hostname: String,
    /// The bounds.
    pub limits: Limits,
    /// Whether STARTTLS can be had.
    pub starttls: bool,
    /// For the date in trace fields.
    pub clock: Clock,
}

/// What a session wants next. After each of the middle four, give the answer before asking on.
#[derive(Debug)]
pub enum Event<R> {
    /// More bytes; send [`Session::take_output`] first.
    Read,
    /// Where mail for this address goes: [`Session::route_answer`].
    Route(EmailAddress),
    /// Whose password this is: [`Session::login_answer`].
    Authenticate(Login),
    /// Mail for our recipients: [`Session::message_answer`].
    Receive(InboundMessage<R>),
    /// Mail from our user: [`Session::message_answer`].
    Submit(SubmittedMessage),
    /// Send the output, shake hands, and say [`Session::tls_started`].
    StartTls,
    /// Send the output and close.
    Close,
}

/// What the next bytes will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// A command, or an answer of AUTH.
    Command,
    /// Message data: a stop of the server waits for its end.
    Data,
}

pub(super) struct Hello {
    pub host: String,
    pub extended: bool,
}

/// A mail transaction: from MAIL to the end of the data.
pub(super) struct Envelope<R> {
    pub from: Option<EmailAddress>,
    pub smtputf8: bool,
    pub recipients: Vec<EmailAddress>,
    /// The recipients' routes in the same order; none in submission.
    pub routes: Vec<R>,
    pub refused: u32,
    pub body: Option<Body>,
}

pub(super) enum Phase {
    Command,
    PlainMessage,
    LoginUser,
    LoginPassword(String),
    Data(DataReader),
    Chunk { size: u64, left: u64, last: bool, refusal: Option<Answer> },
    AskedRoute(EmailAddress),
    AskedLogin,
    AskedMessage,
    Handshake,
    Closed,
}

/// One session. `R` is what the floors below know about an accepted recipient.
pub struct Session<R> {
    pub(super) site: Arc<Site>,
    pub(super) peer: IpAddr,
    pub(super) id: String,
    pub(super) input: BytesMut,
    pub(super) output: Vec<u8>,
    pub(super) lines: LineReader,
    pub(super) phase: Phase,
    pub(super) tls: bool,
    pub(super) hello: Option<Hello>,
    pub(super) principal: Option<Principal>,
    pub(super) envelope: Option<Envelope<R>>,
    pub(super) messages: u32,
    pub(super) errors: u32,
    pub(super) refused: u32,
    pub(super) failed_logins: u32,
    pub(super) idle: u32,
    pub(super) lines_taken: u64,
}

impl<R> Session<R> {
    /// A session that greets. `id` names it in the log and its messages in their trace fields; `tls` when the connection
    /// began with a handshake.
    pub fn new(site: Arc<Site>, peer: IpAddr, id: String, tls: bool) -> Self {
        let mut output = Vec::new();
        reply::GREETING.with(site.hostname.clone()).write(&mut output);
        Self {
            site,
            peer,
            id,
            input: BytesMut::new(),
            output,
            lines: LineReader::default(),
            phase: Phase::Command,
            tls,
            hello: None,
            principal: None,
            envelope: None,
            messages: 0,
            errors: 0,
            refused: 0,
            failed_logins: 0,
            idle: 0,
            lines_taken: 0,
        }
    }

    /// Takes what was read. Only after [`Event::Read`].
    pub fn feed(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Where what is read goes, with room for `octets` more. Only after [`Event::Read`].
    pub fn input(&mut self, octets: usize) -> &mut BytesMut {
        self.input.reserve(octets);
        &mut self.input
    }

    /// What has to happen next.
    pub fn next_event(&mut self) -> Event<R> {
        loop {
            let event = match &self.phase {
                Phase::Data(_) => self.read_data(),
                Phase::Chunk { .. } => self.read_chunk(),
                Phase::Command | Phase::PlainMessage | Phase::LoginUser | Phase::LoginPassword(_) => self.read_line(),
                // Asking on without an answer is a fault of the caller; nothing is ever accepted that way.
                Phase::AskedRoute(_) | Phase::AskedLogin | Phase::AskedMessage | Phase::Handshake | Phase::Closed => {
                    Some(Event::Close)
                }
            };
            if let Some(event) = event {
                return event;
            }
        }
    }

    /// The replies to send, emptied.
    pub fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    /// How many octets of replies wait to be sent.
    pub fn waiting_output(&self) -> usize {
        self.output.len()
    }

    /// Whether the session is under TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// What the next bytes will be.
    pub fn wants(&self) -> Wants {
        let begun = self.envelope.as_ref().is_some_and(|envelope| envelope.body.is_some());
        if begun { Wants::Data } else { Wants::Command }
    }

    /// How many messages were accepted.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    /// How many lines the session has taken: when it rises, the client has done what it was waited for.
    pub fn progress(&self) -> u64 {
        self.lines_taken
    }

    /// How many errors and refused recipients there were.
    pub fn mistakes(&self) -> u32 {
        self.errors.saturating_add(self.refused)
    }

    /// Octets of message data that the session holds, with those of a copy, which whoever takes it makes.
    pub fn held(&self) -> usize {
        self.envelope
            .as_ref()
            .and_then(|envelope| envelope.body.as_ref())
            .map_or(0, |body| body.held() + body.sent().len())
    }

    /// Whether the client has shown what it is here for: it has a right password, or has brought mail.
    pub fn is_known(&self) -> bool {
        self.messages > 0 || self.principal.is_some()
    }

    /// Lets go of the message that is coming in: it will be put off when it ends.
    pub fn shed(&mut self) {
        if let Some(body) = self.envelope.as_mut().and_then(|envelope| envelope.body.as_mut()) {
            body.fail(&reply::NO_ROOM);
        }
    }

    /// Says `answer` and ends the session, whatever it was doing.
    pub fn close(&mut self, answer: impl Into<Answer>) {
        self.say(answer);
        self.phase = Phase::Closed;
        self.envelope = None;
        self.input = BytesMut::new();
    }

    /// Ends the session because the server stops.
    pub fn shut_down(&mut self) {
        self.close(reply::SHUTTING_DOWN.with(self.site.hostname.clone()));
    }

    /// The answer to [`Event::Route`].
    pub fn route_answer(&mut self, answer: Result<R, Answer>) {
        let Phase::AskedRoute(address) = std::mem::replace(&mut self.phase, Phase::Command) else { return };
        let Some(envelope) = &mut self.envelope else { return };
        match answer {
            Ok(route) => {
                envelope.recipients.push(address);
                envelope.routes.push(route);
                self.say(&reply::RECIPIENT_OK);
            }
            Err(answer) => {
                envelope.refused += 1;
                self.refused += u32::from(answer.row.code >= 500);
                if self.refused > self.site.limits.refused_recipients {
                    self.close(&reply::TOO_MANY_ERRORS);
                } else {
                    self.say(answer);
                }
            }
        }
    }

    /// The answer to [`Event::Authenticate`]; `Ok(None)` when the claim is wrong.
    pub fn login_answer(&mut self, answer: Result<Option<Principal>, Answer>) {
        self.phase = Phase::Command;
        match answer {
            Ok(Some(principal)) => {
                self.principal = Some(principal);
                self.say(&reply::AUTHENTICATED);
            }
            Ok(None) => {
                self.failed_logins += 1;
                self.refuse(&reply::BAD_CREDENTIALS);
                if self.failed_logins >= self.site.limits.failed_logins && !matches!(self.phase, Phase::Closed) {
                    self.close(&reply::TOO_MANY_ERRORS);
                }
            }
            Err(answer) => self.say(answer),
        }
    }

    /// The answer to [`Event::Receive`] and [`Event::Submit`]: the id of the durable message.
    pub fn message_answer(&mut self, answer: Result<String, Answer>) {
        self.phase = Phase::Command;
        match answer {
            Ok(id) => {
                self.messages += 1;
                self.idle = 0;
                let row = match self.site.mode {
                    Mode::Inbound | Mode::Capture => &reply::MESSAGE_ACCEPTED,
                    Mode::Submission => &reply::MESSAGE_SENT,
                };
                self.say(row.with(id));
            }
            Err(answer) => self.say(answer),
        }
    }

    /// TLS is on: everything known is forgotten, everything read in clear is thrown away (RFC 3207, 4.2).
    pub fn tls_started(&mut self) {
        self.phase = Phase::Command;
        self.tls = true;
        self.input = BytesMut::new();
        self.lines = LineReader::default();
        (self.hello, self.envelope, self.principal) = (None, None, None);
    }

    pub(super) fn say(&mut self, answer: impl Into<Answer>) {
        answer.into().write(&mut self.output);
    }

    /// Answers a client's mistake; one too many ends the session.
    pub(super) fn refuse(&mut self, answer: impl Into<Answer>) {
        self.errors += 1;
        if self.errors > self.site.limits.errors {
            self.close(&reply::TOO_MANY_ERRORS);
        } else {
            self.say(answer);
        }
    }

    /// Answers a command that brings no mail. Endless ones are a mistake too.
    pub(super) fn humour(&mut self, answer: impl Into<Answer>) {
        self.idle += 1;
        if self.idle > self.site.limits.idle_commands {
            self.refuse(answer);
        } else {
            self.say(answer);
        }
    }

    fn read_line(&mut self) -> Option<Event<R>> {
        let (used, found) = self.lines.next(&self.input, self.site.limits.command_line);
        let mut line = self.input.split_to(used.min(self.input.len()));
        match found {
            Found::Nothing => {
                if self.input.is_empty() {
                    self.input = BytesMut::new();
                }
                return Some(Event::Read);
            }
            Found::Spoiled(row) => {
                self.phase = Phase::Command;
                // Before its last octet, which spoiled it, the line holds no line end; what was passed over does.
                let passed = line.get(..line.len().saturating_sub(1)).and_then(|line| memchr::memrchr(b'\n', line));
                let start = passed.map_or(0, |at| at + 1);
                if command::is_chunk(line.get(start..).unwrap_or_default()) {
                    // What follows cannot be told from commands.
                    self.close(row);
                } else {
                    self.refuse(row);
                }
            }
            Found::Line(length) => {
                self.lines_taken += 1;
                line.advance(used.saturating_sub(length + 2));
                line.truncate(length);
                return self.take_line(&line);
            }
        }
        None
    }

    fn take_line(&mut self, line: &[u8]) -> Option<Event<R>> {
        if !matches!(self.phase, Phase::Command) {
            return self.login_line(line);
        }
        match command::parse(line) {
            Ok(command) => self.run(command),
            Err(answer) => {
                self.refuse(answer);
                None
            }
        }
    }
}
