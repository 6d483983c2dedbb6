//! Who has how many connections: none may take them all, or one client would shut everybody else out.
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The connections of each peer.
#[derive(Debug)]
pub(super) struct Places {
    per_peer: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    peer: IpAddr,
}

impl Places {
    /// At most `per_peer` for each peer; of IPv6 each /64 is one, since one customer has it for himself.
    pub fn new(per_peer: usize) -> Arc<Self> {
        Arc::new(Self { per_peer, taken: Mutex::default() })
    }

    /// A place for one more connection of `peer`, if it may have one.
    pub fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let peer = network(peer);
        let mut taken = self.taken();
        let count = taken.entry(peer).or_default();
        if *count >= self.per_peer {
            return None;
        }
        *count += 1;
        Some(Place { places: Arc::clone(self), peer })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        let left = taken.get(&self.peer).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            taken.remove(&self.peer);
        } else {
            taken.insert(self.peer, left);
        }
    }
}

fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_peer_has_more_than_its_share_and_places_come_back() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let places = Places::new(2);
        let first = places.enter(ip("2001:db8::1")).expect("a place");
        let _second = places.enter(ip("2001:db8::2:1")).expect("a place");
        assert!(places.enter(ip("2001:db8::3")).is_none(), "the same /64");
        let other = places.enter(ip("192.0.2.1")).expect("another peer's place");
        drop(first);
        assert!(places.enter(ip("2001:db8::3")).is_some());
        drop(other);
        assert_eq!(places.taken().len(), 1, "who has none is forgotten");
    }
}
