//! Every bound that a client can run into, in one place.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ipnet::IpNet;

use crate::mail::receiving::MAX_HOPS;

/// The longest that a reply waits for the sake of its client's mistakes.
pub const TARPIT_MAX: Duration = Duration::from_secs(20);

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
    /// Sessions at one time from one address (IPv6: from one /64). Default 50; fewer where places are few.
    pub sessions_per_peer: usize,
    /// Connections from one address (IPv6: from one /64) in a minute; beyond it they are sent away. Default 120.
    pub connections_per_minute: u32,
    /// Who may connect as often as he likes. Default loopback: the operator's own programs.
    pub unhurried: Vec<IpNet>,
    /// Errors and refused recipients that cost nothing but themselves; each one more makes the next reply wait. Default 5.
    pub tarpit_after: u32,
    /// How long one of those makes it wait; all that came in one piece at most [`TARPIT_MAX`]. Default 2 seconds.
    pub tarpit: Duration,
    /// How long a client has for its next command, the first octet and the last. Default 5 minutes (RFC 5321,
    /// 4.5.3.2.7).
    pub command_wait: Duration,
    /// How long to wait for more message data. Default 3 minutes (RFC 5321, 4.5.3.2.5).
    pub data_wait: Duration,
    /// How long all data of one message, or one chunk of BDAT, may take. Default 15 minutes.
    pub data_total: Duration,
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
            connections_per_minute: 120,
            unhurried: loopback(),
            tarpit_after: 5,
            tarpit: Duration::from_secs(2),
            command_wait: Duration::from_secs(5 * 60),
            data_wait: Duration::from_secs(3 * 60),
            data_total: Duration::from_secs(15 * 60),
            handshake_wait: Duration::from_secs(30),
            session: Duration::from_secs(30 * 60),
        }
    }
}

impl Limits {
    /// Whether a client at this address may connect as often as it likes.
    pub fn is_unhurried(&self, peer: IpAddr) -> bool {
        self.unhurried.iter().any(|network| network.contains(&peer.to_canonical()))
    }

    /// How long the next reply waits when the count of mistakes rose from `before` to `now`.
    pub fn penalty(&self, before: u32, now: u32) -> Duration {
        let over = now.saturating_sub(before.max(self.tarpit_after));
        self.tarpit.saturating_mul(over).min(TARPIT_MAX)
    }
}

fn loopback() -> Vec<IpNet> {
    let v4 = ipnet::Ipv4Net::new(Ipv4Addr::LOCALHOST, 8).map(|net| IpNet::V4(net.trunc()));
    v4.into_iter().chain([IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_mistakes_are_free_and_the_wait_has_an_end() {
        let limits = Limits { tarpit_after: 2, tarpit: Duration::from_secs(3), ..Limits::default() };
        for (before, now, seconds) in [(0, 0, 0), (0, 2, 0), (0, 3, 3), (2, 4, 6), (4, 4, 0), (4, 5, 3), (0, 1000, 20)]
        {
            assert_eq!(limits.penalty(before, now), Duration::from_secs(seconds), "{before} {now}");
        }
    }

    #[test]
    fn our_own_machine_is_unhurried() {
        let limits = Limits::default();
        for (peer, unhurried) in [("127.0.0.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("192.0.2.1", false)]
        {
            assert_eq!(limits.is_unhurried(peer.parse().expect("an address")), unhurried, "{peer}");
        }
    }
}
