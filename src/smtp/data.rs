//! Message data: its end is CRLF `.` CRLF and nothing else, and the dot that hides a dot goes (RFC 5321, 4.5.2).
//!
//! What differs between servers here is how mail is smuggled, so there is one reading: a bare CR or LF never ends a line,
//! and the message that holds one is refused after its true end.
use bytes::Bytes;
use memchr::memchr2;

use crate::smtp::reply;
use crate::smtp::reply::Reply;

/// A message as it grows: our trace field if there is one, then what the client sends. Once something is wrong it holds nothing more.
#[derive(Debug)]
pub struct Body {
    octets: Vec<u8>,
    head: usize,
    max: usize,
    fault: Option<&'static Reply>,
}

impl Body {
    /// A message that begins with `head`, after which the client may send `max` octets.
    pub fn new(head: String, max: usize) -> Self {
        let octets = head.into_bytes();
        Self { head: octets.len(), octets, max, fault: None }
    }

    /// Adds what the client sent.
    pub fn push(&mut self, octets: &[u8]) {
        if self.fault.is_some() {
            return;
        }
        if octets.len() > self.room() {
            return self.fail(&reply::TOO_BIG);
        }
        self.octets.extend_from_slice(octets);
    }

    /// Octets that the client may still send.
    pub fn room(&self) -> usize {
        (self.max + self.head).saturating_sub(self.octets.len())
    }

    /// Marks the message as refused and lets go of its memory. The first reason stays.
    pub fn fail(&mut self, why: &'static Reply) {
        self.fault = self.fault.or(Some(why));
        self.octets = Vec::new();
    }

    /// Why the message must be refused, if it must.
    pub fn fault(&self) -> Option<&'static Reply> {
        self.fault
    }

    /// What the client sent so far, without our head.
    pub fn sent(&self) -> &[u8] {
        self.octets.get(self.head..).unwrap_or_default()
    }

    /// How many lines our head has.
    pub fn own_lines(&self) -> usize {
        self.octets.get(..self.head).unwrap_or_default().iter().filter(|octet| **octet == b'\n').count()
    }

    /// Memory that it holds, in octets.
    pub fn held(&self) -> usize {
        self.octets.capacity()
    }

    /// The message, or why it is refused.
    pub fn finish(self) -> Result<Bytes, &'static Reply> {
        self.fault.map_or_else(|| Ok(Bytes::from(self.octets)), Err)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// After CRLF, or at the beginning.
    LineStart,
    InLine,
    /// After a CR in a line.
    Cr,
    /// After a dot at the start of a line.
    Dot,
    /// After a dot and a CR at the start of a line.
    DotCr,
}

/// Reads what follows DATA.
#[derive(Debug)]
pub struct DataReader {
    at: At,
    line: usize,
    line_max: usize,
}

impl DataReader {
    /// A reader at the start of the data; lines may have `line_max` octets without CRLF.
    pub fn new(line_max: usize) -> Self {
        Self { at: At::LineStart, line: 0, line_max }
    }

    /// Reads from `input` into `body`. Gives how many octets are used up and whether the end was among them.
    pub fn read(&mut self, input: &[u8], body: &mut Body) -> (usize, bool) {
        let mut n = 0;
        while let Some(rest) = input.get(n..).filter(|rest| !rest.is_empty()) {
            if self.at == At::InLine {
                let plain = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                self.content(rest.get(..plain).unwrap_or_default(), body);
                n += plain;
            }
            let Some(byte) = input.get(n) else { break };
            n += 1;
            if self.step(*byte, body) {
                return (n, true);
            }
        }
        (n, false)
    }

    /// Takes one octet; whether it ended the data.
    fn step(&mut self, byte: u8, body: &mut Body) -> bool {
        match (self.at, byte) {
            (At::DotCr, b'\n') => return true,
            (At::LineStart, b'.') => self.at = At::Dot,
            (At::Dot, b'\r') => self.at = At::DotCr,
            (At::Cr, b'\n') => {
                body.push(b"\r\n");
                (self.at, self.line) = (At::LineStart, 0);
            }
            (At::Cr | At::DotCr, _) => {
                // The CR was bare. What it followed is no longer the start of a line.
                body.fail(&reply::BARE_LINE_END_IN_DATA);
                self.at = At::InLine;
                return self.step(byte, body);
            }
            (_, b'\r') => self.at = At::Cr,
            (_, b'\n') => {
                body.fail(&reply::BARE_LINE_END_IN_DATA);
                self.at = At::InLine;
            }
            _ => {
                self.at = At::InLine;
                self.content(&[byte], body);
            }
        }
        false
    }

    fn content(&mut self, octets: &[u8], body: &mut Body) {
        // Whichever bound comes first is the reason, however the bytes were cut into chunks.
        let left = self.line_max.saturating_sub(self.line);
        if octets.len() > left && left <= body.room() {
            body.fail(&reply::DATA_LINE_TOO_LONG);
        }
        self.line = self.line.saturating_add(octets.len());
        body.push(octets);
    }
}

/// Checks what came in chunks (RFC 3030, 2): without BINARYMIME, lines end with CRLF there too.
pub fn check_lines(octets: &[u8], line_max: usize) -> Option<&'static Reply> {
    let mut rest = octets;
    while let Some(at) = memchr2(b'\r', b'\n', rest) {
        if at > line_max {
            return Some(&reply::DATA_LINE_TOO_LONG);
        }
        let (_, end) = rest.split_at_checked(at)?;
        let Some(next) = end.strip_prefix(b"\r\n") else { return Some(&reply::BARE_LINE_END_IN_DATA) };
        rest = next;
    }
    (rest.len() > line_max).then_some(&reply::DATA_LINE_TOO_LONG)
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
