//! The message itself: DATA (RFC 5321, 4.1.1.4) and BDAT (RFC 3030).
use bytes::{Buf, BytesMut};

use crate::mail::message::parse::received_count;
use crate::smtp::data;
use crate::smtp::data::{Body, DataReader};
use crate::smtp::reply;
use crate::smtp::reply::{Answer, Reply};
use crate::smtp::session::machine::{Event, Mode, Phase, Session};
use crate::smtp::trace::Hop;
use crate::smtp::upstream::{InboundMessage, SubmittedMessage};

impl<R> Session<R> {
    pub(super) fn data(&mut self) {
        let begun = self.envelope.as_ref().is_some_and(|envelope| envelope.body.is_some());
        match self.no_message_now() {
            Some(row) => self.refuse(row),
            None if begun => self.refuse(&reply::CHUNKS_BEGUN),
            None => {
                self.begin_body();
                self.phase = Phase::Data(DataReader::new(self.site.limits.data_line));
                self.say(&reply::START_DATA);
            }
        }
    }

    /// A chunk's octets follow its command whatever we think of it, so a refusal waits until they have passed.
    pub(super) fn chunk(&mut self, size: u64, last: bool) {
        let mut refusal = self.no_message_now().map(Answer::from);
        if refusal.is_none() {
            self.begin_body();
            let room = self.envelope.as_ref().and_then(|envelope| envelope.body.as_ref()).map_or(0, Body::room);
            if usize::try_from(size).map_or(true, |size| size > room) {
                refusal = Some(self.too_big());
            }
        }
        self.phase = Phase::Chunk { size, left: size, last, refusal };
    }

    /// Why no message may come now.
    fn no_message_now(&self) -> Option<&'static Reply> {
        match &self.envelope {
            None => Some(&reply::SENDER_FIRST),
            Some(envelope) if !envelope.recipients.is_empty() => None,
            Some(envelope) if envelope.refused > 0 => Some(&reply::NO_VALID_RECIPIENTS),
            Some(_) => Some(&reply::RECIPIENT_FIRST),
        }
    }

    fn message_id(&self) -> String {
        format!("{}.{}", self.id, self.messages + 1)
    }

    fn begin_body(&mut self) {
        let id = self.message_id();
        let Some(envelope) = self.envelope.as_mut().filter(|envelope| envelope.body.is_none()) else { return };
        let only = envelope.recipients.first().filter(|_| envelope.recipients.len() == 1);
        let hop = Hop {
            helo: self.hello.as_ref().map_or("", |hello| &hello.host),
            peer: self.peer,
            host: &self.site.hostname,
            smtputf8: envelope.smtputf8,
            id: &id,
            only,
            at: self.site.clock.now(),
        };
        let head = if self.site.mode == Mode::Submission { hop.field() } else { String::new() };
        envelope.body = Some(Body::new(head, self.site.limits.message_size));
    }

    pub(super) fn read_data(&mut self) -> Option<Event<R>> {
        let body = self.envelope.as_mut().and_then(|envelope| envelope.body.as_mut());
        let (Phase::Data(reader), Some(body)) = (&mut self.phase, body) else {
            self.phase = Phase::Command;
            return None;
        };
        let (used, ended) = reader.read(&self.input, body);
        self.input.advance(used.min(self.input.len()));
        if ended {
            return self.end_message();
        }
        self.input = BytesMut::new();
        Some(Event::Read)
    }

    pub(super) fn read_chunk(&mut self) -> Option<Event<R>> {
        let Phase::Chunk { size, left, last, refusal } = &mut self.phase else { return None };
        let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.input.len());
        let octets = self.input.split_to(here);
        *left = left.saturating_sub(u64::try_from(here).unwrap_or(u64::MAX));
        let body = self.envelope.as_mut().and_then(|envelope| envelope.body.as_mut());
        if let (None, Some(body)) = (&refusal, body) {
            body.push(&octets);
        }
        if *left > 0 {
            self.input = BytesMut::new();
            return Some(Event::Read);
        }
        let (size, last, refusal) = (*size, *last, refusal.take());
        self.phase = Phase::Command;
        self.end_chunk(size, last, refusal)
    }

    fn end_chunk(&mut self, size: u64, last: bool, refusal: Option<Answer>) -> Option<Event<R>> {
        let line_max = self.site.limits.data_line;
        let body = self.envelope.as_mut().and_then(|envelope| envelope.body.as_mut());
        let fault = body.as_ref().and_then(|body| body.fault());
        if let Some(answer) = refusal.or(fault.map(Answer::from)) {
            // The message is lost, and with it the transaction: RFC 3030, 2 wants RSET or MAIL next.
            self.envelope = None;
            self.refuse(answer);
            return None;
        }
        if !last {
            self.say(reply::CHUNK_OK.with(size.to_string()));
            return None;
        }
        if let Some(body) = body
            && let Some(row) = data::check_lines(body.sent(), line_max)
        {
            body.fail(row);
        }
        self.end_message()
    }

    /// Judges the whole message and passes it on.
    fn end_message(&mut self) -> Option<Event<R>> {
        self.phase = Phase::Command;
        let id = self.message_id();
        let (envelope, hello) = (self.envelope.take()?, self.hello.as_ref()?);
        let mut body = envelope.body?;
        if received_count(body.sent()) > self.site.limits.hops {
            body.fail(&reply::TOO_MANY_HOPS);
        }
        let own_lines = body.own_lines();
        let data = match body.finish() {
            Ok(data) => data,
            Err(row) => {
                let answer = if row == &reply::TOO_BIG { self.too_big() } else { Answer::from(row) };
                self.refuse(answer);
                return None;
            }
        };
        let event = match (self.site.mode, self.principal.clone(), envelope.from) {
            (Mode::Submission, Some(principal), Some(source)) => {
                let (recipients, peer) = (envelope.recipients, self.peer);
                Event::Submit(SubmittedMessage { id, principal, source, recipients, peer, data, own_lines })
            }
            (Mode::Submission, ..) => {
                self.refuse(&reply::AUTH_FIRST);
                return None;
            }
            (Mode::Inbound | Mode::Capture, _, source) => {
                let recipients = envelope.recipients.into_iter().zip(envelope.routes).collect();
                let (helo, peer, tls) = (hello.host.clone(), self.peer, self.tls);
                Event::Receive(InboundMessage { id, source, recipients, helo, peer, tls, data })
            }
        };
        self.phase = Phase::AskedMessage;
        Some(event)
    }
}
