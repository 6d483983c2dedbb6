//! Every bound that a client can run into, in one place.
use std::time::Duration;

use crate::mail::receiving::MAX_HOPS;

/// What a session, and all sessions of a listener together, may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Octets of a command line without its CRLF. Default 2048: RFC 5321, 4.5.3.1.4 wants 512, and MAIL and RCPT
    /// parameters more; longer lines are refused.
    pub command_line: usize,
    /// Octets of a line of message data without its CRLF. Default 65536: RFC 5321, 4.5.3.1.6 allows 998, and mail in the
    /// wild has more; beyond this the message is refused.
    pub data_line: usize,
    /// Octets of a message as sent. Default 40 MiB, SES's limit for SMTP.
    pub message_size: usize,
    /// Recipients of one message that comes in. Default 100 (RFC 5321, 4.5.3.1.8).
    pub recipients_inbound: usize,
    /// Recipients of one message that is handed over. Default 50, SES's limit.
    pub recipients_submission: usize,
    /// Messages in one session. Default 10,000: a busy sender keeps its session, and `session` ends it in time.
    pub messages: u32,
    /// Errors that a client may make in one session; the next one ends it. Default 10.
    pub errors: u32,
    /// Refused recipients in one session; the next one ends it: who guesses addresses. Default 100.
    pub refused_recipients: u32,
    /// Failed log-ins in one session; the last one ends it. Default 3.
    pub failed_logins: u32,
    /// Commands in a row that bring no mail (NOOP, RSET, VRFY, ...); each one more counts as an error. Default 100.
    pub idle_commands: u32,
    /// `Received` fields in a message, beyond which it is going in circles. Default 100 (RFC 5321, 6.3).
    pub hops: usize,
    /// Sessions at one time on one listener. Default 1000.
    pub sessions: usize,
    /// Sessions at one time from one address (IPv6: from one /64). Default 50.
    pub sessions_per_peer: usize,
    /// Octets of message data that all sessions of a listener hold at one time. Default 512 MiB; beyond it a message is
    /// put off with a temporary refusal.
    pub data_in_flight: usize,
    /// How long to wait for the next command. Default 5 minutes (RFC 5321, 4.5.3.2.7).
    pub command_wait: Duration,
    /// How long to wait for more message data. Default 3 minutes (RFC 5321, 4.5.3.2.5).
    pub data_wait: Duration,
    /// How long a TLS handshake may take. Default 30 seconds.
    pub handshake_wait: Duration,
    /// How long a session may last; who is in the middle of a message is cut off too. Default 30 minutes.
    pub session: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 2048,
            data_line: 64 * 1024,
            message_size: 40 * 1024 * 1024,
            recipients_inbound: 100,
            recipients_submission: 50,
            messages: 10_000,
            errors: 10,
            refused_recipients: 100,
            failed_logins: 3,
            idle_commands: 100,
            hops: MAX_HOPS,
            sessions: 1000,
            sessions_per_peer: 50,
            data_in_flight: 512 * 1024 * 1024,
            command_wait: Duration::from_secs(5 * 60),
            data_wait: Duration::from_secs(3 * 60),
            handshake_wait: Duration::from_secs(30),
            session: Duration::from_secs(30 * 60),
        }
    }
}
