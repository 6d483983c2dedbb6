//! How an attempt to deliver ended, as the transport saw it: the peer's reply, or what went wrong and how far it had come.
use std::fmt;

use crate::mail::resolver::LookupError;

/// The longest text of a peer that is kept, in characters.
pub(super) const MAX_TEXT: usize = 1000;

/// A peer's answer: the code and its text on one line, without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    text: String,
}

impl Reply {
    /// Keeps an answer: control characters become spaces, a long text is cut.
    pub fn new(code: u16, text: &str) -> Self {
        let text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect();
        Self { code, text }
    }

    /// What a captured delivery answers, as a server would have.
    pub fn captured() -> Self {
        Self::new(250, "2.0.0 captured")
    }

    /// The three digits (RFC 5321, 4.2).
    pub fn code(&self) -> u16 {
        self.code
    }

    /// What follows the code.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The enhanced status code at the start of the text, when it has the code's class (RFC 2034, 4).
    pub fn enhanced(&self) -> Option<&str> {
        let word = self.text.split_whitespace().next()?;
        let mut parts = word.split('.');
        let class: u16 = parts.next()?.parse().ok()?;
        let numbers = |part: Option<&str>| part.is_some_and(|p| p.parse::<u16>().is_ok_and(|n| n < 1000));
        (class == self.code / 100 && numbers(parts.next()) && numbers(parts.next()) && parts.next().is_none())
            .then_some(word)
    }

    /// Its RFC 3463 status; made from the code where the text names none.
    pub fn status(&self) -> String {
        self.enhanced().map_or_else(|| format!("{}.0.0", self.code / 100), str::to_owned)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// How far the conversation had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The banner and EHLO.
    Greeting,
    /// STARTTLS.
    Tls,
    /// AUTH, with a smart host.
    Login,
    /// MAIL FROM.
    Sender,
    /// RCPT TO.
    Recipient,
    /// DATA, before any content was sent.
    Data,
    /// The content and the answer to its end: the peer may have the mail although we do not know it.
    Content,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Greeting => "the greeting",
            Stage::Tls => "STARTTLS",
            Stage::Login => "AUTH",
            Stage::Sender => "MAIL FROM",
            Stage::Recipient => "RCPT TO",
            Stage::Data => "DATA",
            Stage::Content => "the end of the content",
        })
    }
}

/// How an attempt ended, as the transport saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The peer took the mail.
    Accepted(Reply),
    /// The peer answered 4xx or 5xx.
    Refused(Stage, Reply),
    /// No connection: refused, no route, no answer in time.
    Unreachable(String),
    /// Connected, but no answer within the step's limit.
    TimedOut(Stage),
    /// The connection broke, or what came was not SMTP.
    Lost(Stage, String),
    /// TLS is required, and the peer does not offer it.
    TlsNotOffered,
    /// TLS was begun and failed: no handshake, a certificate that does not verify.
    NoTls(String),
    /// A smart host that offers no AUTH that we know.
    NoLogin,
    /// The stored recipient is no address: another version of this program took it.
    BadAddress,
    /// An address with a local part outside ASCII, and a peer without SMTPUTF8 (RFC 6531, 3.2).
    NoSmtpUtf8 {
        /// Whether it is the recipient's, not the sender's.
        recipient: bool,
    },
    /// A body outside ASCII, and a peer without 8BITMIME (RFC 6152, 3). Nothing was said of the mail yet.
    NoEightBit,
    /// The peer says in its EHLO that it takes no mail this large (RFC 1870): its limit in octets.
    TooLarge(u64),
    /// The DNS did not give a host or an address.
    NoRoute(LookupError),
    /// All addresses of the mail hosts are private, and such may not be reached.
    Forbidden,
}

impl Ending {
    /// Whether another mail host may be tried in the same round. Not once the content was sent and its fate is unknown
    /// (the mail could arrive twice), and not after an answer about this mail that another host would only repeat.
    pub fn tries_next_host(&self) -> bool {
        match self {
            Ending::Accepted(_) | Ending::TimedOut(Stage::Content) | Ending::Lost(Stage::Content, _) => false,
            // RFC 5321, 3.1, lets a host say 554 to every client; the next one may well talk to us.
            Ending::Refused(stage, reply) => reply.code < 500 || *stage < Stage::Sender,
            // The mail is encoded for this one.
            Ending::NoRoute(LookupError::NullMx) | Ending::BadAddress | Ending::NoEightBit => false,
            _ => true,
        }
    }

    /// Whether the conversation can go on with another mail after this.
    pub fn keeps_connection(&self) -> bool {
        match self {
            Ending::Accepted(_) | Ending::NoSmtpUtf8 { .. } | Ending::NoEightBit | Ending::TooLarge(_) => true,
            // RFC 5321, 3.8: the server closes after 421.
            Ending::Refused(stage, reply) => *stage >= Stage::Sender && reply.code != 421,
            _ => false,
        }
    }
}

impl PartialOrd for Stage {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some((*self as u8).cmp(&(*other as u8)))
    }
}
