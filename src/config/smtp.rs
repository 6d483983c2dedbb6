//! Settings of the SMTP listeners: how much of them one client gets.
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::{Given, Problem};

/// What one client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtpClients {
    /// Sessions at one time from one address, 1 to as many as all have.
    pub sessions: usize,
    /// Connections in a minute from one address, 1 to 100,000.
    pub connections_per_minute: u32,
    /// Mistakes in a session that cost no wait, 0 to 1,000.
    pub tarpit_after: u32,
    /// How long the next reply waits for each of those beyond, 0 to 20 seconds.
    pub tarpit: Duration,
}

impl SmtpClients {
    /// What was given, and the defaults; all peers together have `sessions`. Fails with the name of what is out of its limits.
    pub(super) fn resolve(given: &Given, sessions: usize) -> Result<Self, Problem> {
        Ok(Self {
            sessions: within(
                "smtp-sessions-per-peer",
                given.smtp_sessions_per_peer,
                sessions.min(50),
                1..=sessions,
                "smtp-sessions is what all peers have together",
            )?,
            connections_per_minute: within(
                "smtp-connections-per-minute",
                given.smtp_connections_per_minute,
                120,
                1..=100_000,
                "with none nobody could connect, and more are not worth counting",
            )?,
            tarpit_after: within(
                "smtp-tarpit-after",
                given.smtp_tarpit_after,
                5,
                0..=1_000,
                "no session may have more mistakes",
            )?,
            tarpit: Duration::from_secs(within(
                "smtp-tarpit",
                given.smtp_tarpit,
                2,
                0..=20,
                "no reply waits for longer",
            )?),
        })
    }
}

/// `given` or `default`, if it is within `limits`; else a problem that says `why` these are the limits.
pub(super) fn within<N: Copy + PartialOrd + Display>(
    name: &str,
    given: Option<N>,
    default: N,
    limits: RangeInclusive<N>,
    why: &str,
) -> Result<N, Problem> {
    let value = given.unwrap_or(default);
    if limits.contains(&value) {
        return Ok(value);
    }
    Err(Problem::new(format!("{name} {value} is not from {} to {}: {why}", limits.start(), limits.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_limits() {
        let none = Given::default;
        let odd = Given { smtp_tarpit_after: Some(0), smtp_tarpit: Some(0), ..none() };
        let odd = SmtpClients::resolve(&odd, 1_000).expect("good settings");
        assert_eq!((odd.sessions, odd.connections_per_minute, odd.tarpit), (50, 120, Duration::ZERO));
        for (given, said) in [
            (Given { smtp_sessions_per_peer: Some(0), ..none() }, "smtp-sessions-per-peer 0 is not from 1 to 1000"),
            (
                Given { smtp_sessions_per_peer: Some(1_001), ..none() },
                "smtp-sessions-per-peer 1001 is not from 1 to 1000: smtp-sessions is what all peers have together",
            ),
            (Given { smtp_connections_per_minute: Some(0), ..none() }, "smtp-connections-per-minute 0"),
            (Given { smtp_tarpit_after: Some(1_001), ..none() }, "smtp-tarpit-after 1001"),
            (Given { smtp_tarpit: Some(21), ..none() }, "smtp-tarpit 21 is not from 0 to 20"),
        ] {
            let problem = SmtpClients::resolve(&given, 1_000).expect_err("out of its limits");
            assert!(problem.to_string().contains(said), "{problem}");
        }
    }
}
