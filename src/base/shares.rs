//! Fair shares of something that there is only so much of: places, octets. No holder can take all of it.
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A total that many holders share. Cheap to clone; clones share the same total.
///
/// A holder may take more while what it would then hold is at most `generosity` times what is free before. So a holder that
/// is alone stops at about `generosity / (generosity + 1)` of the total (beyond it by a part of the last amount), and there is
/// something left for who comes next; with `k` greedy holders each stops at about `generosity / (k * generosity + 1)`. (The rule is known from the buffers of
/// network switches: Choudhury and Hahne, "Dynamic queue length thresholds", 1998.)
pub struct Shares<K: Clone + Eq + Hash>(Arc<Inner<K>>);

struct Inner<K: Clone + Eq + Hash> {
    total: u64,
    generosity: u64,
    waiting_max: usize,
    state: Mutex<State<K>>,
}

struct State<K: Clone + Eq + Hash> {
    used: u64,
    holders: HashMap<K, Holder<K>>,
    /// The holders that wait for something; whose turn it is stands first.
    turns: VecDeque<K>,
}

struct Holder<K: Clone + Eq + Hash> {
    held: u64,
    waiting: VecDeque<(u64, oneshot::Sender<Share<K>>)>,
}

/// What a holder has taken. Dropping it gives it back.
pub struct Share<K: Clone + Eq + Hash> {
    shares: Shares<K>,
    whose: K,
    amount: u64,
}

impl<K: Clone + Eq + Hash> Clone for Shares<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Clone + Eq + Hash> Shares<K> {
    /// `total` to share. `generosity` 1 leaves half of it to others when one holder takes all it may, 3 a quarter.
    pub fn new(total: u64, generosity: u64) -> Self {
        let state = State { used: 0, holders: HashMap::new(), turns: VecDeque::new() };
        Self(Arc::new(Inner {
            total,
            generosity: generosity.max(1),
            waiting_max: usize::MAX,
            state: Mutex::new(state),
        }))
    }

    /// The same, where at most `max` callers of one holder may wait at a time. Call before it is shared.
    #[must_use]
    pub fn with_waiting_max(self, max: usize) -> Self {
        let Inner { total, generosity, .. } = *self.0;
        let state = State { used: 0, holders: HashMap::new(), turns: VecDeque::new() };
        Self(Arc::new(Inner { total, generosity, waiting_max: max, state: Mutex::new(state) }))
    }

    /// What there is in all.
    pub fn total(&self) -> u64 {
        self.0.total
    }

    /// What all holders have taken.
    pub fn used(&self) -> u64 {
        self.state().used
    }

    /// What `whose` has taken.
    pub fn held(&self, whose: &K) -> u64 {
        self.state().holders.get(whose).map_or(0, |holder| holder.held)
    }

    /// The holder that has taken most, with what it has.
    pub fn largest(&self) -> Option<(K, u64)> {
        let state = self.state();
        state.holders.iter().max_by_key(|(_, holder)| holder.held).map(|(whose, holder)| (whose.clone(), holder.held))
    }

    /// The holders that may not take `more` now.
    pub fn holders_without(&self, more: u64) -> Vec<K> {
        let state = self.state();
        let free = self.0.total.saturating_sub(state.used);
        let most = free.saturating_mul(self.0.generosity);
        let full = state.holders.iter().filter(|(_, holder)| more > free || holder.held.saturating_add(more) > most);
        full.map(|(whose, _)| whose.clone()).collect()
    }

    /// Takes `amount` for `whose` now, or nothing. Who waits for the same holder goes first.
    pub fn take(&self, whose: &K, amount: u64) -> Option<Share<K>> {
        let mut state = self.state();
        if state.holders.get(whose).is_some_and(|holder| !holder.waiting.is_empty()) {
            return None;
        }
        self.grant(&mut state, whose, amount).then(|| self.share(whose, amount))
    }

    /// Takes `amount` for `whose` as soon as it may have it; holders that wait take turns. `None` when as many callers of
    /// this holder wait as may, or when the holder could never have so much.
    pub async fn wait(&self, whose: &K, amount: u64) -> Option<Share<K>> {
        let granted = {
            let mut state = self.state();
            let waits = state.holders.get(whose).map_or(0, |holder| holder.waiting.len());
            if waits == 0 && self.grant(&mut state, whose, amount) {
                return Some(self.share(whose, amount));
            }
            if waits >= self.0.waiting_max || amount > self.0.total {
                return None;
            }
            let (sender, granted) = oneshot::channel();
            let holder = state.holders.entry(whose.clone()).or_insert_with(Holder::new);
            holder.waiting.push_back((amount, sender));
            if waits == 0 {
                state.turns.push_back(whose.clone());
            }
            granted
        };
        // Who leaves without a share leaves no trace.
        let mut leaving = Leaving { shares: self, whose, granted };
        (&mut leaving.granted).await.ok()
    }

    /// Forgets the callers of `whose` that are gone.
    fn forget_gone(&self, whose: &K) {
        let mut state = self.state();
        let Some(holder) = state.holders.get_mut(whose) else { return };
        holder.waiting.retain(|(_, sender)| !sender.is_closed());
        if holder.waiting.is_empty() {
            if holder.held == 0 {
                state.holders.remove(whose);
            }
            state.turns.retain(|waits| waits != whose);
        }
    }

    /// Whether `amount` more may be had by `whose`; counts it if so.
    fn grant(&self, state: &mut State<K>, whose: &K, amount: u64) -> bool {
        let free = self.0.total.saturating_sub(state.used);
        let held = state.holders.get(whose).map_or(0, |holder| holder.held);
        let fits = amount <= free && held.saturating_add(amount) <= free.saturating_mul(self.0.generosity);
        if fits {
            state.used += amount;
            state.holders.entry(whose.clone()).or_insert_with(Holder::new).held += amount;
        }
        fits
    }

    fn share(&self, whose: &K, amount: u64) -> Share<K> {
        Share { shares: self.clone(), whose: whose.clone(), amount }
    }

    fn give_back(&self, whose: &K, amount: u64) {
        let mut granted = Vec::new();
        {
            let mut state = self.state();
            state.used = state.used.saturating_sub(amount);
            if let Some(holder) = state.holders.get_mut(whose) {
                holder.held = holder.held.saturating_sub(amount);
                if holder.held == 0 && holder.waiting.is_empty() {
                    state.holders.remove(whose);
                }
            }
            self.serve_waiting(&mut state, &mut granted);
        }
        // Outside of the lock: who is gone drops the share, which comes back here.
        for (share, sender) in granted {
            drop(sender.send(share));
        }
    }

    /// Serves those who wait, holder by holder, until a whole round finds nobody who may have something.
    fn serve_waiting(&self, state: &mut State<K>, granted: &mut Vec<(Share<K>, oneshot::Sender<Share<K>>)>) {
        let mut passed = 0;
        while passed < state.turns.len() && state.used < self.0.total {
            let Some(whose) = state.turns.pop_front() else { return };
            let Some(holder) = state.holders.get_mut(&whose) else { continue };
            let Some(amount) = holder.waiting.front().map(|(amount, _)| *amount) else { continue };
            if self.grant(state, &whose, amount) {
                passed = 0;
                let holder = state.holders.entry(whose.clone()).or_insert_with(Holder::new);
                if let Some((_, sender)) = holder.waiting.pop_front() {
                    granted.push((self.share(&whose, amount), sender));
                }
            } else {
                passed += 1;
            }
            if state.holders.get(&whose).is_some_and(|holder| !holder.waiting.is_empty()) {
                state.turns.push_back(whose);
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller that waits. What was granted to it and not taken is given back.
struct Leaving<'a, K: Clone + Eq + Hash> {
    shares: &'a Shares<K>,
    whose: &'a K,
    granted: oneshot::Receiver<Share<K>>,
}

impl<K: Clone + Eq + Hash> Drop for Leaving<'_, K> {
    fn drop(&mut self) {
        if self.granted.is_terminated() {
            return;
        }
        self.granted.close();
        // A share that lies in the channel goes back with it.
        drop(self.granted.try_recv());
        self.shares.forget_gone(self.whose);
    }
}

impl<K: Clone + Eq + Hash> Holder<K> {
    fn new() -> Self {
        Self { held: 0, waiting: VecDeque::new() }
    }
}

impl<K: Clone + Eq + Hash> Share<K> {
    /// How much it is.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Takes `more` beside what it is already; false, and no change, where the holder may not have it.
    pub fn grow(&mut self, more: u64) -> bool {
        let grown = self.shares.grant(&mut self.shares.state(), &self.whose, more);
        if grown {
            self.amount += more;
        }
        grown
    }

    /// Gives `less` of it back.
    pub fn shrink(&mut self, less: u64) {
        let less = less.min(self.amount);
        self.amount -= less;
        self.shares.give_back(&self.whose, less);
    }
}

impl<K: Clone + Eq + Hash> Drop for Share<K> {
    fn drop(&mut self) {
        self.shares.give_back(&self.whose, self.amount);
    }
}

impl<K: Clone + Eq + Hash + fmt::Debug> fmt::Debug for Share<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share").field("whose", &self.whose).field("amount", &self.amount).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use proptest::prelude::*;

    #[test]
    fn one_holder_never_has_all_and_gives_back_what_it_drops() {
        let shares = Shares::new(10, 1);
        let taken: Vec<_> = std::iter::from_fn(|| shares.take(&"greedy", 1)).collect();
        assert_eq!(taken.len(), 5, "half of it");
        assert_eq!(shares.holders_without(1), ["greedy"]);
        let others: Vec<_> = std::iter::from_fn(|| shares.take(&"other", 1)).collect();
        assert_eq!(others.len(), 3, "half of what is left, rounded up");
        drop((taken, others));
        assert_eq!((shares.used(), shares.held(&"greedy")), (0, 0));
        assert_eq!(Shares::new(8, 3).take(&(), 6).map(|share| share.amount()), Some(6), "three quarters");
        assert!(Shares::new(8, 3).take(&(), 9).is_none(), "more than there is");
    }

    #[test]
    fn who_waits_takes_turns_and_who_left_is_passed_over() {
        let shares = Shares::new(2, 1);
        let first = shares.take(&"a", 1).expect("free");
        let mut a = Box::pin(shares.wait(&"a", 1));
        assert!((&mut a).now_or_never().is_none(), "it has its share");
        let mut gone = Box::pin(shares.wait(&"a", 1));
        let b = shares.wait(&"b", 1).now_or_never().flatten().expect("a place for another");
        let mut c = Box::pin(shares.wait(&"c", 1));
        assert!((&mut c).now_or_never().is_none(), "all are taken");
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        drop(b);
        let c = (&mut c).now_or_never().flatten().expect("its turn has come");
        drop((first, c));
        assert!((&mut a).now_or_never().flatten().is_some());
        assert_eq!(shares.used(), 0);
        assert!(shares.state().holders.is_empty() && shares.state().turns.is_empty(), "all are forgotten");
    }

    #[test]
    fn too_many_may_not_wait() {
        let shares = Shares::new(1, 1).with_waiting_max(1);
        let _held = shares.take(&"a", 1).expect("free");
        let mut waits = Box::pin(shares.wait(&"a", 1));
        assert!((&mut waits).now_or_never().is_none());
        assert!(matches!(shares.wait(&"a", 1).now_or_never(), Some(None)));
        assert!(matches!(shares.wait(&"b", 2).now_or_never(), Some(None)), "more than there ever is");
    }

    proptest! {
        /// Whatever is taken, grown and dropped: the sum is right, never more than the total, and none has more than its share.
        #[test]
        fn the_sum_holds(steps in proptest::collection::vec((0_u8..4, 0_u8..3, 1_u64..6), 1..80)) {
            let shares = Shares::new(20, 2);
            let mut held: Vec<Share<u8>> = Vec::new();
            for (what, whose, amount) in steps {
                match what {
                    0 | 1 => held.extend(shares.take(&whose, amount)),
                    2 => if let Some(share) = held.first_mut() {
                        share.grow(amount);
                    },
                    _ => if !held.is_empty() {
                        held.remove(usize::from(whose) % held.len());
                    },
                }
                prop_assert_eq!(shares.used(), held.iter().map(Share::amount).sum::<u64>());
                prop_assert!(shares.used() <= 20);
                for whose in 0..3 {
                    let of_one: u64 = held.iter().filter(|share| share.whose == whose).map(Share::amount).sum();
                    prop_assert_eq!(shares.held(&whose), of_one);
                    prop_assert!(of_one <= 2 * (20 + 5) / 3);
                }
            }
        }
    }
}
