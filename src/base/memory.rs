//! Memory for what comes in and goes out: one budget of octets for all listeners, shared fairly by peers and accounts.
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::places::network;
use crate::base::quiet::Quiet;
use crate::base::{AccountId, Clock, Share, Shares};

/// The default total, and the most that a machine's memory makes it.
const TOTAL: u64 = 1024 * 1024 * 1024;
/// Octets that each connection has free: so what is small, which is most, takes no share and no lock.
pub const FREE: usize = 16 * 1024;
/// Shares are taken and given back in such steps.
const STEP: u64 = 64 * 1024;
/// A holder alone stops at three quarters of what there is.
const GENEROSITY: u64 = 3;

/// On whose share, beside the peer's, memory is taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Nobody's that is known. All of them together have an eighth, and a peer half of that.
    Stranger,
    /// A mail server's that brings mail. All of them together have half.
    Carrier,
    /// Somebody's who names this access key, which there is, and whose signature is not verified yet. All of them
    /// together have three quarters.
    Claimed(String),
    /// An account's.
    Account(AccountId),
}

/// Why there is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// All together have too much.
    House,
    /// Who asks has most of it.
    Holder,
}

/// The budget. Cheap to clone; clones share it.
#[derive(Clone)]
pub struct Memory(Arc<Inner>);

struct Inner {
    peers: Shares<Holder>,
    strangers: Shares<Holder>,
    carriers: Shares<Holder>,
    claimed: Shares<Holder>,
    accounts: Shares<Holder>,
    refusals: Quiet,
    clock: Clock,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    Peer(IpAddr),
    Key(String),
    Account(AccountId),
}

impl Memory {
    /// A budget of so many octets.
    pub fn new(total: u64, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            peers: Shares::new(total, GENEROSITY),
            strangers: Shares::new(total / 8, 1),
            carriers: Shares::new(total / 2, GENEROSITY),
            claimed: Shares::new(total / 4 * 3, GENEROSITY),
            accounts: Shares::new(total, GENEROSITY),
            refusals: Quiet::default(),
            clock,
        }))
    }

    /// The largest thing that a single one of `Whose::Claimed`, who has least of those that may send much, can hold.
    pub fn largest(total: u64) -> u64 {
        total / 4 * 3 / 4 * 3
    }

    /// What there is in all, in octets.
    pub fn total(&self) -> u64 {
        self.0.peers.total()
    }

    /// What is taken, in octets.
    pub fn used(&self) -> u64 {
        self.0.peers.used()
    }

    /// A charge of nothing yet, for `peer` and `whose`.
    pub fn charge(&self, peer: IpAddr, whose: Whose) -> Charge {
        Charge { memory: self.clone(), peer, whose, held: None }
    }

    fn pool(&self, whose: &Whose, peer: IpAddr) -> (&Shares<Holder>, Holder) {
        match whose {
            Whose::Stranger => (&self.0.strangers, Holder::Peer(peer)),
            Whose::Carrier => (&self.0.carriers, Holder::Peer(peer)),
            Whose::Claimed(key) => (&self.0.claimed, Holder::Key(key.clone())),
            Whose::Account(account) => (&self.0.accounts, Holder::Account(account.clone())),
        }
    }

    /// What a refusal of `shares` to `holder` is, after which the log hears of it.
    fn refuse(&self, shares: &Shares<Holder>, holder: &Holder) -> Full {
        let (held, used, total) = (shares.held(holder), shares.used(), shares.total());
        self.0.refusals.tell(&self.0.clock, |left_out| {
            let largest = self.0.peers.largest().map(|(holder, held)| format!("{holder:?} holds {held}"));
            let (of_all, largest) = (self.used(), largest.unwrap_or_default());
            tracing::warn!(left_out, ?holder, held, used, total, of_all, largest, "no memory for what comes in");
        });
        if held > 0 && held.saturating_mul(2) >= used { Full::Holder } else { Full::House }
    }
}

impl Default for Memory {
    /// A gibibyte.
    fn default() -> Self {
        Self::new(TOTAL, Clock::system())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("total", &self.total()).field("used", &self.used()).finish_non_exhaustive()
    }
}

/// What is held of the budget. Dropping it gives it back.
#[derive(Debug)]
pub struct Charge {
    memory: Memory,
    peer: IpAddr,
    whose: Whose,
    held: Option<Held>,
}

/// What a charge holds once it holds something.
#[derive(Debug)]
pub struct Held(Box<(Share<Holder>, Share<Holder>)>);

impl Charge {
    /// Holds `octets` from now on, whatever it held before. What is no more than [`FREE`] is not counted.
    ///
    /// # Errors
    /// [`Full`], when there are not so many; then it holds what it held before.
    pub fn hold(&mut self, octets: usize) -> Result<(), Full> {
        if octets <= FREE {
            self.held = None;
            return Ok(());
        }
        let wanted = u64::try_from(octets).unwrap_or(u64::MAX).checked_next_multiple_of(STEP).unwrap_or(u64::MAX);
        let held = self.held();
        if wanted <= held {
            if let Some(Held(shares)) = &mut self.held {
                let less = held.saturating_sub(wanted);
                if less > 0 {
                    shares.0.shrink(less);
                    shares.1.shrink(less);
                }
            }
            return Ok(());
        }
        let (pool, holder) = self.memory.pool(&self.whose, network(self.peer));
        let peer = Holder::Peer(network(self.peer));
        match &mut self.held {
            Some(Held(shares)) => {
                let more = wanted - held;
                if !shares.0.grow(more) {
                    return Err(self.memory.refuse(&self.memory.0.peers, &peer));
                }
                if !shares.1.grow(more) {
                    shares.0.shrink(more);
                    return Err(self.memory.refuse(pool, &holder));
                }
            }
            None => {
                let of_peer = self.memory.0.peers.take(&peer, wanted);
                let of_peer = of_peer.ok_or_else(|| self.memory.refuse(&self.memory.0.peers, &peer))?;
                let of_whose = pool.take(&holder, wanted).ok_or_else(|| self.memory.refuse(pool, &holder))?;
                self.held = Some(Held(Box::new((of_peer, of_whose))));
            }
        }
        Ok(())
    }

    /// Makes it `whose`, who has turned out to be behind it.
    ///
    /// # Errors
    /// [`Full`], when they may not have so much.
    pub fn belong_to(&mut self, whose: Whose) -> Result<(), Full> {
        if self.whose == whose {
            return Ok(());
        }
        if let Some(Held(shares)) = &mut self.held {
            let (pool, holder) = self.memory.pool(&whose, network(self.peer));
            let share = pool.take(&holder, shares.1.amount());
            shares.1 = share.ok_or_else(|| self.memory.refuse(pool, &holder))?;
        }
        self.whose = whose;
        Ok(())
    }

    /// How many octets it holds.
    pub fn held(&self) -> u64 {
        self.held.as_ref().map_or(0, |Held(shares)| shares.0.amount())
    }

    /// The budget that it is of.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// What it holds, without the rest of it: nothing, for what is small.
    pub fn keep(self) -> Option<Held> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    const MIB: usize = 1024 * 1024;

    fn memory(mib: u64) -> Memory {
        Memory::new(mib * 1024 * 1024, Clock::manual(Timestamp::from_secs(0)))
    }

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn what_is_small_is_free_and_the_rest_is_given_back() {
        let memory = memory(16);
        let mut charge = memory.charge(ip(1), Whose::Stranger);
        assert_eq!((charge.hold(FREE), memory.used()), (Ok(()), 0));
        assert_eq!((charge.hold(FREE + 1), memory.used()), (Ok(()), 65_536));
        assert_eq!((charge.hold(65_537), memory.used()), (Ok(()), 131_072));
        assert_eq!((charge.hold(20_000), memory.used()), (Ok(()), 65_536));
        assert_eq!((charge.hold(1), memory.used()), (Ok(()), 0));
        assert_eq!(charge.hold(usize::MAX), Err(Full::House));
        assert_eq!(charge.hold(MIB), Ok(()));
        let kept = charge.keep();
        assert_eq!(memory.used(), 1024 * 1024);
        drop(kept);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn strangers_leave_room_for_accounts_and_an_account_for_others() {
        let memory = memory(16);
        let take = |n: u8, whose: &Whose, octets: usize| {
            let mut charge = memory.charge(ip(n), whose.clone());
            charge.hold(octets).map(|()| charge)
        };
        let strangers: Vec<_> = (1..100).map_while(|n| take(n, &Whose::Stranger, 256 * 1024).ok()).collect();
        assert!(memory.used() <= 2 * 1024 * 1024, "an eighth: {}", memory.used());
        let account = |text: &str| Whose::Account(text.parse().expect("an account"));
        let (greedy, other) = (account("111111111111"), account("222222222222"));
        let all: Vec<_> = (100..200).map_while(|n| take(n, &greedy, MIB).ok()).collect();
        assert!(all.len() >= 10, "{}", all.len());
        assert_eq!(take(201, &greedy, MIB).err(), Some(Full::Holder));
        assert!(take(202, &other, MIB).is_ok());
        drop((strangers, all));
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_claim_becomes_an_accounts() {
        let memory = memory(16);
        let mut charge = memory.charge(ip(1), Whose::Claimed("AKIA".to_owned()));
        charge.hold(4 * MIB).expect("room");
        let account = Whose::Account("111111111111".parse().expect("an account"));
        charge.belong_to(account).expect("room");
        assert_eq!((memory.0.claimed.used(), memory.0.accounts.used()), (0, 4 * 1024 * 1024));
        assert_eq!(memory.used(), 4 * 1024 * 1024);
    }
}
