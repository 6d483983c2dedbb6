//! Settings of the listeners together: how much memory and how many places there are, and the operator's own listener.
use std::net::SocketAddr;
use std::time::Duration;

use crate::config::octets::{Octets, of_machine};
use crate::config::smtp::within;
use crate::config::{Given, Listen, Problem};

const MIB: u64 = 1024 * 1024;
/// The most that the budget is when nothing is set.
const BUDGET_DEFAULT_MAX: u64 = 1024 * MIB;
const BUDGET_MIN: u64 = 8 * MIB;
const BUDGET_MAX: u64 = 1024 * 1024 * MIB;

/// What all listeners have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Doors {
    /// Octets of requests, mail and answers in memory at one time.
    pub memory: u64,
    /// HTTP connections at one time, 16 to 100,000.
    pub http_connections: usize,
    /// Of these from one address, 1 to all.
    pub http_connections_per_peer: usize,
    /// SMTP sessions at one time on each of the three listeners, 4 to 100,000.
    pub smtp_sessions: usize,
    /// Where health and metrics have a listener of their own.
    pub admin: Option<SocketAddr>,
    /// How long health says that the server stops before it does.
    pub drain: Duration,
}

impl Doors {
    /// What was given, and the defaults. Fails with the name of what is out of its limits.
    pub(super) fn resolve(given: &Given) -> Result<Self, Problem> {
        let default = of_machine().map_or(BUDGET_DEFAULT_MAX, |memory| memory / 4);
        let default = Octets(default.clamp(BUDGET_MIN, BUDGET_DEFAULT_MAX));
        let memory = within(
            "memory-budget",
            given.memory_budget,
            default,
            Octets(BUDGET_MIN)..=Octets(BUDGET_MAX),
            "with less no request would fit",
        )?;
        let handles = "each costs a file handle and up to 48 KiB of memory beside the budget";
        let connections = within("http-connections", given.http_connections, 4_096, 16..=100_000, handles)?;
        let per_peer = within(
            "http-connections-per-peer",
            given.http_connections_per_peer,
            connections / 2,
            1..=connections,
            "http-connections is what all peers have together",
        )?;
        Ok(Self {
            memory: memory.0,
            http_connections: connections,
            http_connections_per_peer: per_peer,
            smtp_sessions: within("smtp-sessions", given.smtp_sessions, 1_000, 4..=100_000, handles)?,
            admin: given.admin.and_then(Listen::address),
            drain: Duration::from_secs(within(
                "drain",
                given.drain,
                0,
                0..=3_600,
                "a load balancer looks every few seconds",
            )?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_limits_and_says_why() {
        let none = Given::default;
        let doors = Doors::resolve(&none()).expect("defaults are fine");
        assert!((BUDGET_MIN..=BUDGET_DEFAULT_MAX).contains(&doors.memory), "{}", doors.memory);
        assert_eq!(
            (doors.http_connections, doors.http_connections_per_peer, doors.smtp_sessions),
            (4_096, 2_048, 1_000)
        );
        let few = Given { http_connections: Some(20), memory_budget: "9MiB".parse().ok(), ..none() };
        let few = Doors::resolve(&few).expect("good settings");
        assert_eq!((few.memory, few.http_connections_per_peer), (9 * MIB, 10));
        for (given, said) in [
            (
                Given { memory_budget: "1KiB".parse().ok(), ..none() },
                "memory-budget 1KiB is not from 8MiB to 1024GiB: with less no request would fit",
            ),
            (Given { http_connections: Some(1), ..none() }, "http-connections 1 is not from 16 to 100000: each costs"),
            (
                Given { http_connections_per_peer: Some(5_000), ..none() },
                "http-connections-per-peer 5000 is not from 1 to 4096: http-connections is what all",
            ),
            (Given { drain: Some(3_601), ..none() }, "drain 3601 is not from 0 to 3600: a load balancer looks"),
            (Given { smtp_sessions: Some(0), ..none() }, "smtp-sessions 0 is not from 4 to 100000"),
        ] {
            let problem = Doors::resolve(&given).expect_err("out of its limits");
            assert!(problem.to_string().contains(said), "{problem}");
        }
    }
}
