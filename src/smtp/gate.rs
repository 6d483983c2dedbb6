//! Counts what all sessions of a listener take together: sessions, sessions and new connections of one peer, and message
//! data in memory.
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::Instant;
use crate::smtp::limits::Limits;

/// How long connections are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How many peers are counted in that time; whoever comes then is not counted, so that the count stays small.
const COUNTED_MAX: usize = 100_000;

#[derive(Debug, Default)]
struct Taken {
    sessions: usize,
    peers: HashMap<IpAddr, usize>,
    held: usize,
    /// New connections of each peer since then.
    recent: HashMap<IpAddr, u32>,
    since: Option<Instant>,
}

/// Why a client is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// There are too many sessions, of all or of this one.
    Sessions,
    /// It connects too often.
    Rate,
}

/// The door of a listener.
#[derive(Debug)]
pub(super) struct Gate {
    limits: Limits,
    taken: Mutex<Taken>,
}

/// A session's place. Dropping it gives everything back.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    peer: IpAddr,
    held: usize,
}

impl Gate {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// A place for a session of `peer`, if there is one.
    pub fn enter(self: &Arc<Self>, peer: IpAddr, now: Instant) -> Result<Place, Full> {
        let hurried = !self.limits.is_unhurried(peer);
        let peer = network(peer);
        let mut taken = self.taken();
        if hurried && taken.count(peer, now) > self.limits.connections_per_minute {
            return Err(Full::Rate);
        }
        let of_peer = taken.peers.get(&peer).copied().unwrap_or(0);
        if taken.sessions >= self.limits.sessions || of_peer >= self.limits.sessions_per_peer {
            return Err(Full::Sessions);
        }
        taken.sessions += 1;
        taken.peers.insert(peer, of_peer + 1);
        Ok(Place { gate: Arc::clone(self), peer, held: 0 })
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.taken().sessions
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Counts a new connection of `peer`; how many it has made in this minute.
    fn count(&mut self, peer: IpAddr, now: Instant) -> u32 {
        if self.since.is_none_or(|since| now.since(since) >= WINDOW) {
            self.since = Some(now);
            self.recent = HashMap::new();
        }
        if self.recent.len() >= COUNTED_MAX && !self.recent.contains_key(&peer) {
            return 0;
        }
        let count = self.recent.entry(peer).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

impl Place {
    /// Says how many octets of message data the session holds now. False when that is too much for all together; then
    /// it counts as holding what it held before.
    pub fn hold(&mut self, octets: usize) -> bool {
        if octets == self.held {
            return true;
        }
        let mut taken = self.gate.taken();
        let total = taken.held.saturating_sub(self.held).saturating_add(octets);
        if octets > self.held && total > self.gate.limits.data_in_flight {
            return false;
        }
        taken.held = total;
        self.held = octets;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.gate.taken();
        taken.sessions = taken.sessions.saturating_sub(1);
        taken.held = taken.held.saturating_sub(self.held);
        let left = taken.peers.get(&self.peer).map_or(0, |n| n.saturating_sub(1));
        if left == 0 {
            taken.peers.remove(&self.peer);
        } else {
            taken.peers.insert(self.peer, left);
        }
    }
}

/// The address that counts: of IPv6 the /64, which one customer has for himself.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::BEGINNING;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn sessions_are_counted_in_total_and_per_peer_and_given_back() {
        let gate = Gate::new(Limits { sessions: 3, sessions_per_peer: 2, ..Limits::default() });
        let a = gate.enter(ip("2001:db8::1"), NOW).expect("a first place");
        let _b = gate.enter(ip("2001:db8::2:2"), NOW).expect("a second place");
        assert!(gate.enter(ip("2001:db8::3"), NOW).is_err(), "the same /64");
        let _c = gate.enter(ip("192.0.2.1"), NOW).expect("a third place");
        assert!(gate.enter(ip("192.0.2.2"), NOW).is_err(), "too many in total");
        drop(a);
        assert_eq!(gate.sessions(), 2);
        assert!(gate.enter(ip("2001:db8::3"), NOW).is_ok());
    }

    #[test]
    fn message_data_is_bounded_for_all_together() {
        let gate = Gate::new(Limits { data_in_flight: 100, ..Limits::default() });
        let mut a = gate.enter(ip("192.0.2.1"), NOW).expect("a place");
        let mut b = gate.enter(ip("192.0.2.2"), NOW).expect("a place");
        assert!(a.hold(60) && b.hold(40) && !b.hold(41));
        assert!(a.hold(10) && b.hold(90));
        drop(b);
        assert!(a.hold(100));
    }

    #[test]
    fn who_connects_too_often_waits_for_the_next_minute() {
        let gate = Gate::new(Limits { connections_per_minute: 2, ..Limits::default() });
        for _ in 0..2 {
            gate.enter(ip("192.0.2.1"), NOW).expect("a place");
        }
        assert_eq!(gate.enter(ip("192.0.2.1"), NOW).err(), Some(Full::Rate));
        gate.enter(ip("192.0.2.2"), NOW).expect("another one's place");
        for _ in 0..10 {
            gate.enter(ip("127.0.0.1"), NOW).expect("our own machine's place");
        }
        assert_eq!(gate.enter(ip("192.0.2.1"), NOW + Duration::from_secs(59)).err(), Some(Full::Rate));
        gate.enter(ip("192.0.2.1"), NOW + Duration::from_secs(60)).expect("a place in the next minute");
    }
}
