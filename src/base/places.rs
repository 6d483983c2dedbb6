//! Places for connections: a total that no peer has all of, and in which there is always one for who comes next, since
//! when few are left those who do nothing must go.
use std::collections::{BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::base::quiet::Quiet;
use crate::base::{Clock, Instant};

/// A peer may take more while it has at most so many times what is free; alone it stops at three quarters.
const GENEROSITY: usize = 3;
/// The part of all places that any peer may have, however full it is.
const LEAST_PART: usize = 64;
/// That part of the reserve is asked to leave at once, beside as many as are needed.
const RESERVE_PART: usize = 8;
/// Who has begun to send something may be silent for so long before it counts as doing nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// Waits of those who do nothing, where more than nine tenths of the places are taken.
pub const SHORT_WAIT: Duration = Duration::from_secs(5);

/// What a connection waits for while it does nothing for anybody. Those in front go first when places are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Waiting {
    /// For somebody of whom nothing is known: no right signature, no password, no mail that was taken.
    Stranger = 0,
    /// For the next request or command of somebody who has shown who he is.
    Known = 1,
    /// For an answer, as a long poll.
    Answer = 2,
}

/// Works for its peer, and is left alone.
const WORKS: u64 = 0xff;
/// Added while it sends: it is left alone until it has been silent for a while.
const SENDS: u64 = 0x80;

/// The places. Cheap to clone; clones share them.
#[derive(Clone, Debug)]
pub struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    total: usize,
    per_peer: usize,
    reserve: usize,
    clock: Clock,
    began: Instant,
    taken: AtomicUsize,
    state: Mutex<State>,
    put_out: Quiet,
}

#[derive(Debug, Default)]
struct State {
    ordinary: Row,
    reserve: Row,
    /// How many ordinary places each peer has.
    peers: HashMap<IpAddr, usize>,
}

/// Seats that are looked through together.
#[derive(Debug, Default)]
struct Row {
    seats: Vec<Option<Seat>>,
    vacant: Vec<usize>,
    /// Those that were asked to leave and have not.
    leaving: usize,
    /// How many newcomers go by before those are looked through again among whom nobody did nothing.
    passing: usize,
}

/// Where a connection says what it does. Cheap to clone; clones are the same connection's.
#[derive(Clone, Debug)]
pub struct Seat(Arc<Sitting>);

#[derive(Debug)]
struct Sitting {
    places: Arc<Inner>,
    peer: IpAddr,
    in_reserve: bool,
    /// What it does, and since when: milliseconds shifted by eight.
    doing: AtomicU64,
    known: AtomicBool,
    asked: AtomicBool,
    leave: Notify,
}

/// A connection's place. Dropping it gives it back.
#[derive(Debug)]
pub struct Place {
    seat: Seat,
    at: usize,
}

impl Places {
    /// `total` places, of which a peer has at most `per_peer`, and `reserve` more for who finds all taken, to hear that, and
    /// to ask how the server does.
    pub fn new(total: usize, per_peer: usize, reserve: usize, clock: Clock) -> Self {
        let began = clock.instant();
        let (taken, state, put_out) = (AtomicUsize::new(0), Mutex::default(), Quiet::default());
        Self(Arc::new(Inner { total, per_peer, reserve, clock, began, taken, state, put_out }))
    }

    /// A place for one more connection of `peer`; of IPv6 each /64 is one peer. Where nine tenths are taken, somebody who
    /// does nothing is asked to leave. One of the reserve where the peer may have none, or all are taken. `None` when that
    /// is used up too, by connections that are at work.
    pub fn enter(&self, peer: IpAddr) -> Option<Place> {
        let peer = network(peer);
        let mut state = self.0.state();
        let taken = self.0.taken.load(Ordering::Relaxed);
        if taken.saturating_add(1).saturating_mul(10) > self.0.total.saturating_mul(9) {
            let over = taken.saturating_add(1).saturating_sub(self.0.total.saturating_mul(9) / 10);
            let over = over.saturating_sub(state.ordinary.leaving);
            if over > 0 {
                // A few more than needed, so that not each newcomer looks through all.
                self.0.put_out(&mut state.ordinary, over + self.0.total / LEAST_PART);
            }
        }
        let free = self.0.total.saturating_sub(taken);
        let of_peer = state.peers.get(&peer).copied().unwrap_or(0);
        let may = free.saturating_mul(GENEROSITY).max(self.0.total / LEAST_PART).max(1).min(self.0.per_peer);
        let in_reserve = free == 0 || of_peer >= may;
        if in_reserve {
            let row = &mut state.reserve;
            let over = (row.taken() + 1).saturating_sub(self.0.reserve).saturating_sub(row.leaving);
            if over > 0 {
                self.0.put_out(row, over + self.0.reserve / RESERVE_PART);
            }
            // Those that were asked to leave are there for a moment yet.
            if row.taken() >= self.0.reserve.saturating_mul(2) {
                return None;
            }
        } else {
            self.0.taken.fetch_add(1, Ordering::Relaxed);
            *state.peers.entry(peer).or_default() += 1;
        }
        Some(self.0.sit(&mut state, peer, in_reserve))
    }

    /// Asks some who do nothing to leave, where the machine gives no more connections.
    pub fn make_room(&self) {
        let mut state = self.0.state();
        self.0.put_out(&mut state.ordinary, 1 + self.0.total / LEAST_PART);
    }

    /// How many places are taken, the reserve's not counted.
    pub fn taken(&self) -> usize {
        self.0.taken.load(Ordering::Relaxed)
    }
}

impl State {
    fn row(&mut self, in_reserve: bool) -> &mut Row {
        if in_reserve { &mut self.reserve } else { &mut self.ordinary }
    }
}

impl Row {
    fn taken(&self) -> usize {
        self.seats.len() - self.vacant.len()
    }

    /// Takes a seat. Gives where that is.
    fn sit(&mut self, seat: Seat) -> usize {
        match self.vacant.pop() {
            Some(at) => {
                if let Some(vacant) = self.seats.get_mut(at) {
                    *vacant = Some(seat);
                }
                at
            }
            None => {
                self.seats.push(Some(seat));
                self.seats.len() - 1
            }
        }
    }

    fn leave(&mut self, at: usize, was_asked: bool) {
        if let Some(seat) = self.seats.get_mut(at) {
            *seat = None;
        }
        self.vacant.push(at);
        self.leaving = self.leaving.saturating_sub(usize::from(was_asked));
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.clock.instant().since(self.began).as_millis()).unwrap_or(u64::MAX) & (u64::MAX >> 8)
    }

    fn sit(self: &Arc<Self>, state: &mut State, peer: IpAddr, in_reserve: bool) -> Place {
        let seat = Seat(Arc::new(Sitting {
            places: self.clone(),
            peer,
            in_reserve,
            doing: AtomicU64::new(self.millis() << 8),
            known: AtomicBool::new(false),
            asked: AtomicBool::new(false),
            leave: Notify::new(),
        }));
        let at = state.row(in_reserve).sit(seat.clone());
        Place { seat, at }
    }

    /// Asks `count` of those who do nothing to leave: strangers first, of the peer that has most of them, the one that has
    /// done nothing for longest.
    fn put_out(&self, row: &mut Row, count: usize) {
        // A look goes through all seats: where many come again and again, it would be all that is done.
        if row.passing > 0 {
            row.passing -= 1;
            return;
        }
        let now = self.millis();
        let patience = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let mut asked = 0;
        for rank in [Waiting::Stranger, Waiting::Known, Waiting::Answer] {
            if asked >= count {
                break;
            }
            let mut idle: HashMap<IpAddr, Vec<(u64, &Seat)>> = HashMap::new();
            for seat in row.seats.iter().flatten() {
                let doing = seat.0.doing.load(Ordering::Relaxed);
                let (what, since) = (doing & 0xff, doing >> 8);
                let silent = what & SENDS == 0 || now.saturating_sub(since) >= patience;
                let stays = !seat.0.asked.load(Ordering::Relaxed);
                if stays && what != WORKS && what & !SENDS == rank as u64 && silent {
                    idle.entry(seat.0.peer).or_default().push((since, seat));
                }
            }
            idle.values_mut().for_each(|seats| seats.sort_unstable_by_key(|(since, _)| std::cmp::Reverse(*since)));
            // The most first; of those that have as many, who waits longest.
            let order = |peer: IpAddr, seats: &[(u64, &Seat)]| {
                (seats.len(), std::cmp::Reverse(seats.last().map_or(0, |(since, _)| *since)), peer)
            };
            let mut peers: BinaryHeap<_> = idle.iter().map(|(peer, seats)| order(*peer, seats)).collect();
            while asked < count
                && let Some((_, _, peer)) = peers.pop()
            {
                let Some(seats) = idle.get_mut(&peer) else { continue };
                let Some((_, seat)) = seats.pop() else { continue };
                seat.0.asked.store(true, Ordering::Relaxed);
                seat.0.leave.notify_one();
                asked += 1;
                if !seats.is_empty() {
                    peers.push(order(peer, seats));
                }
            }
        }
        row.leaving += asked;
        if asked == 0 {
            // By and by as many come as a part of those that were looked at.
            row.passing = row.seats.len() / LEAST_PART;
        } else {
            self.put_out.tell(&self.clock, |left_out| {
                let (taken, total) = (self.taken.load(Ordering::Relaxed), self.total);
                tracing::warn!(left_out, taken, total, "few places are left: connections that do nothing are closed");
            });
        }
    }
}

impl Place {
    /// Where the connection says what it does.
    pub fn seat(&self) -> &Seat {
        &self.seat
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Sitting { places, peer, in_reserve, asked, .. } = &*self.seat.0;
        let mut state = places.state();
        state.row(*in_reserve).leave(self.at, asked.load(Ordering::Relaxed));
        if *in_reserve {
            return;
        }
        places.taken.fetch_sub(1, Ordering::Relaxed);
        let left = state.peers.get(peer).map_or(0, |count| count.saturating_sub(1));
        if left == 0 {
            state.peers.remove(peer);
        } else {
            state.peers.insert(*peer, left);
        }
    }
}

impl Seat {
    fn set(&self, what: u64) {
        self.0.doing.store((self.0.places.millis() << 8) | what, Ordering::Relaxed);
    }

    /// It works for its peer from now on: it is not asked to leave.
    pub fn works(&self) {
        self.set(WORKS);
    }

    fn rank(&self) -> u64 {
        let known = self.0.known.load(Ordering::Relaxed);
        (if known { Waiting::Known } else { Waiting::Stranger }) as u64
    }

    /// Its peer has shown who it is.
    pub fn known(&self) {
        self.0.known.store(true, Ordering::Relaxed);
    }

    /// It does nothing from now on but wait for its peer.
    pub fn rests(&self) {
        self.set(self.rank());
    }

    /// Its peer has sent or taken a piece of something just now, and there is more to come.
    pub fn sends(&self) {
        self.set(self.rank() | SENDS);
    }

    /// It waits for an answer from now on, as a long poll.
    pub fn waits_for_answer(&self) {
        self.set(Waiting::Answer as u64);
    }

    /// Whether it is one of the reserve: it may say what is the matter, and little more.
    pub fn in_reserve(&self) -> bool {
        self.0.in_reserve
    }

    /// Whether more than nine tenths of the places are taken: waits are short then.
    pub fn is_crowded(&self) -> bool {
        let Inner { total, taken, .. } = &*self.0.places;
        taken.load(Ordering::Relaxed).saturating_mul(10) > total.saturating_mul(9)
    }

    /// `wait`, or less where it is crowded or the place is one of the reserve.
    pub fn patience(&self, wait: Duration) -> Duration {
        if self.in_reserve() || self.is_crowded() { wait.min(SHORT_WAIT) } else { wait }
    }

    /// Returns when it is to leave. What it is at then it should end; it is not asked while it works, but may have begun
    /// to work meanwhile.
    pub async fn asked_to_leave(&self) {
        self.0.leave.notified().await;
    }

    /// Whether it works.
    pub fn is_at_work(&self) -> bool {
        self.0.doing.load(Ordering::Relaxed) & 0xff == WORKS
    }

    /// It was asked to leave while it had begun to work, and stays: somebody else may be asked.
    pub fn stays(&self) {
        if self.0.asked.swap(false, Ordering::Relaxed) {
            let mut state = self.0.places.state();
            let row = state.row(self.0.in_reserve);
            row.leaving = row.leaving.saturating_sub(1);
        }
    }
}

/// The address that counts: of IPv6 the /64, which one customer has for himself.
pub fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
