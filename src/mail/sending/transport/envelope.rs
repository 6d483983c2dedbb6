//! One mail to one recipient, as the transport is given it: envelope, content, time limits.
use std::time::Duration;

use crate::base::EmailAddress;
use crate::mail::message::fields;

/// How long each step of a conversation may take (RFC 5321, 4.5.3.2, gives the lower bounds that we stay near to; the
/// connection and the greeting are shorter, so that a dead host does not hold up the live one behind it).
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// TCP connection.
    pub connect: Duration,
    /// Banner and answer to EHLO; also the TLS handshake and AUTH.
    pub greeting: Duration,
    /// Answer to MAIL, RCPT, DATA or RSET.
    pub command: Duration,
    /// Sending the content and the answer to its end; a large mail has a second more for each 32 KiB.
    pub content: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self { connect: Duration::from_secs(30), greeting: minutes(1), command: minutes(5), content: minutes(10) }
    }
}

impl Limits {
    /// The limit for content of `size` octets.
    pub(super) fn content_of(&self, size: usize) -> Duration {
        self.content + Duration::from_secs(size as u64 / (32 * 1024))
    }
}

/// Who sends to whom, for one transaction.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The reverse path; `None` for the null sender `<>`.
    pub sender: Option<EmailAddress>,
    /// The forward path.
    pub recipient: EmailAddress,
    /// Deliver over TLS or not at all (`TlsPolicy` REQUIRE of SES). Any certificate will do.
    pub require_tls: bool,
}

/// What is sent: header fields that delivery adds, and the message. CRLF line ends only.
#[derive(Debug, Clone, Copy)]
pub struct Content<'a> {
    /// Stands before the message.
    pub prefix: &'a [u8],
    /// The message as it was accepted.
    pub message: &'a [u8],
}

impl<'a> From<&'a [u8]> for Content<'a> {
    fn from(message: &'a [u8]) -> Self {
        Self { prefix: &[], message }
    }
}

impl Content<'_> {
    /// Octets, without what the transfer adds.
    pub fn len(&self) -> usize {
        self.prefix.len() + self.message.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether all of it is ASCII.
    pub(super) fn is_ascii(&self) -> bool {
        self.prefix.is_ascii() && self.message.is_ascii()
    }

    /// Whether its header is: what is not needs SMTPUTF8 (RFC 6532).
    pub(super) fn has_ascii_header(&self) -> bool {
        self.message.get(..self.header_end()).is_some_and(<[u8]>::is_ascii)
    }

    /// Whether its body is: what is not needs 8BITMIME (RFC 6152).
    pub(super) fn has_ascii_body(&self) -> bool {
        self.message.get(self.header_end()..).is_some_and(<[u8]>::is_ascii)
    }

    fn header_end(&self) -> usize {
        fields::section(self.message).len()
    }

    /// Its octets as they go over the line (RFC 5321, 4.5.2): a dot at the start of a line is doubled, and a line with a
    /// dot ends it. In pieces of some 64 KiB.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        Pieces { parts: [self.prefix, self.message], last: b'\n', ended: false }
    }
}

const PIECE: usize = 64 * 1024;

struct Pieces<'a> {
    parts: [&'a [u8]; 2],
    last: u8,
    ended: bool,
}

impl Iterator for Pieces<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.ended {
            return None;
        }
        let left = self.parts.iter().map(|part| part.len()).sum::<usize>();
        let mut piece = Vec::with_capacity(PIECE.min(left) + 256);
        for part in &mut self.parts {
            let (now, later) = part.split_at(part.len().min(PIECE.saturating_sub(piece.len())));
            *part = later;
            for run in now.split_inclusive(|octet| *octet == b'\n') {
                if self.last == b'\n' && run.first() == Some(&b'.') {
                    piece.push(b'.');
                }
                piece.extend_from_slice(run);
                self.last = run.last().copied().unwrap_or(self.last);
            }
        }
        if self.parts.iter().all(|part| part.is_empty()) {
            self.ended = true;
            piece.extend_from_slice(if self.last == b'\n' { b".\r\n" } else { b"\r\n.\r\n" });
        }
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    fn sent(prefix: &str, message: &str) -> String {
        let content = Content { prefix: prefix.as_bytes(), message: message.as_bytes() };
        String::from_utf8(content.pieces().flatten().collect()).expect("text")
    }

    #[test]
    fn dots_are_doubled_and_the_end_is_marked() {
        for (prefix, message, octets) in [
            ("", "", ".\r\n"),
            ("", "a\r\n", "a\r\n.\r\n"),
            ("", "a", "a\r\n.\r\n"),
            ("A: b\r\n", ".\r\n..\r\n.x\r\n", "A: b\r\n..\r\n...\r\n..x\r\n.\r\n"),
            ("", "a.b\r\n\r\n", "a.b\r\n\r\n.\r\n"),
        ] {
            assert_eq!(sent(prefix, message), octets);
        }
    }

    proptest! {
        #[test]
        fn the_receiver_reads_what_was_sent(lines in proptest::collection::vec("[.a]{0,4}", 0..20), big in 0..3usize) {
            let mut message = "x".repeat(big * 50_000);
            message.extend(lines.iter().map(|line| format!("{line}\r\n")));
            let sent = sent("P: q\r\n", &message);
            let body = sent.strip_suffix(".\r\n").expect("the end");
            let read: String =
                body.split_inclusive("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line)).collect();
            let whole = format!("P: q\r\n{message}");
            prop_assert_eq!(read.trim_end(), whole.trim_end());
        }
    }
}
