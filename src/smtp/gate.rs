//! Who may have a session: how many there are of all, of a peer and of an account, and how often a peer connects.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::memory::{Charge, Memory, Whose};
use crate::base::places::{self, Seat, network};
use crate::base::{AccountId, Clock, Instant, Places, Share, Shares};
use crate::smtp::limits::Limits;

/// How long connections are counted together.
const WINDOW: Duration = Duration::from_secs(60);
/// How many peers are counted in that time; whoever comes then is not counted, so that the count stays small.
const COUNTED_MAX: usize = 100_000;

/// The connections of each peer in a minute.
#[derive(Debug, Default)]
struct Recent {
    peers: HashMap<IpAddr, u32>,
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
pub(super) struct Gate {
    limits: Limits,
    clock: Clock,
    places: Places,
    accounts: Shares<AccountId>,
    memory: Memory,
    recent: Mutex<Recent>,
}

/// A session's place. Dropping it gives everything back.
#[derive(Debug)]
pub(super) struct Place {
    gate: Arc<Gate>,
    place: places::Place,
    charge: Charge,
    of_account: Option<Share<AccountId>>,
}

impl Gate {
    pub(super) fn new(limits: Limits, memory: Memory, clock: Clock) -> Arc<Self> {
        let places = Places::new(limits.sessions, limits.sessions_per_peer, 0, clock.clone());
        // An account alone has three quarters.
        let accounts = Shares::new(u64::try_from(limits.sessions).unwrap_or(u64::MAX), 3);
        Arc::new(Self { limits, clock, places, accounts, memory, recent: Mutex::default() })
    }

    /// A place for a session of `peer`, if there is one.
    pub(super) fn enter(self: &Arc<Self>, peer: IpAddr) -> Result<Place, Full> {
        let counted = !self.limits.is_unhurried(peer);
        let most = self.limits.connections_per_minute;
        if counted && self.recent().count(network(peer), self.clock.instant()) > most {
            return Err(Full::Rate);
        }
        let place = self.places.enter(peer).ok_or(Full::Sessions)?;
        let charge = self.memory.charge(peer, Whose::Carrier);
        Ok(Place { gate: self.clone(), place, charge, of_account: None })
    }

    /// Asks some who do nothing to leave.
    pub(super) fn make_room(&self) {
        self.places.make_room();
    }

    /// How many sessions there are.
    pub(super) fn sessions(&self) -> usize {
        self.places.taken()
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("places", &self.places).finish_non_exhaustive()
    }
}

impl Recent {
    /// Counts a new connection of `peer`; how many it has made in this minute.
    fn count(&mut self, peer: IpAddr, now: Instant) -> u32 {
        if self.since.is_none_or(|since| now.since(since) >= WINDOW) {
            self.since = Some(now);
            self.peers = HashMap::new();
        }
        if self.peers.len() >= COUNTED_MAX && !self.peers.contains_key(&peer) {
            return 0;
        }
        let count = self.peers.entry(peer).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

impl Place {
    /// Where the session says what it does.
    pub(super) fn seat(&self) -> &Seat {
        self.place.seat()
    }

    /// Says how many octets of message data the session holds now. False when there is no memory for so many; then it
    /// counts as holding what it held before.
    pub(super) fn hold(&mut self, octets: usize) -> bool {
        self.charge.hold(octets).is_ok()
    }

    /// The session acts for `account` from now on. False when that has too many sessions.
    pub(super) fn act_for(&mut self, account: &AccountId) -> bool {
        self.of_account = self.gate.accounts.take(account, 1);
        self.seat().known();
        self.of_account.is_some() && self.charge.belong_to(Whose::Account(account.clone())).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn gate(limits: Limits) -> (Arc<Gate>, Clock) {
        let clock = Clock::manual(Timestamp::from_secs(1_767_323_045));
        (Gate::new(limits, Memory::new(8 * 1024 * 1024, clock.clone()), clock.clone()), clock)
    }

    #[test]
    fn sessions_are_counted_per_peer_and_given_back() {
        let (gate, _) = gate(Limits { sessions: 20, sessions_per_peer: 2, ..Limits::default() });
        let a = gate.enter(ip("2001:db8::1")).expect("a first place");
        let _b = gate.enter(ip("2001:db8::2:2")).expect("a second place");
        assert!(gate.enter(ip("2001:db8::3")).is_err(), "the same /64");
        let _c = gate.enter(ip("192.0.2.1")).expect("another's place");
        drop(a);
        assert_eq!(gate.sessions(), 2);
        assert!(gate.enter(ip("2001:db8::3")).is_ok());
    }

    #[test]
    fn an_account_has_not_all_sessions() {
        let (gate, _) = gate(Limits { sessions: 8, sessions_per_peer: 8, ..Limits::default() });
        let account = |text: &str| text.parse::<AccountId>().expect("an account");
        let acting = |n: u8, whose: &AccountId| {
            let mut place = gate.enter(IpAddr::from([192, 0, 2, n])).expect("a place");
            place.act_for(whose).then_some(place)
        };
        let (greedy, other) = (account("111111111111"), account("222222222222"));
        let all: Vec<_> = (1..8).map_while(|n| acting(n, &greedy)).collect();
        assert_eq!(all.len(), 6);
        assert!(acting(9, &other).is_some());
    }

    #[test]
    fn message_data_is_bounded_for_all_together() {
        let (gate, _) = gate(Limits::default());
        let mut a = gate.enter(ip("192.0.2.1")).expect("a place");
        let mut b = gate.enter(ip("192.0.2.2")).expect("a place");
        assert!(a.hold(2 << 20) && b.hold(1 << 20) && !b.hold(3 << 20));
        drop(a);
        assert!(b.hold(3 << 20), "what was given back");
    }

    #[test]
    fn who_connects_too_often_waits_for_the_next_minute() {
        let (gate, clock) = gate(Limits { connections_per_minute: 2, ..Limits::default() });
        for _ in 0..2 {
            gate.enter(ip("192.0.2.1")).expect("a place");
        }
        assert_eq!(gate.enter(ip("192.0.2.1")).err(), Some(Full::Rate));
        gate.enter(ip("192.0.2.2")).expect("another one's place");
        for _ in 0..10 {
            gate.enter(ip("127.0.0.1")).expect("our own machine's place");
        }
        clock.advance(Duration::from_secs(59));
        assert_eq!(gate.enter(ip("192.0.2.1")).err(), Some(Full::Rate));
        clock.advance(Duration::from_secs(1));
        gate.enter(ip("192.0.2.1")).expect("a place in the next minute");
    }
}
