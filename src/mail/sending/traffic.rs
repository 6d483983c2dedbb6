//! How much goes to whom at once. A site is what takes the mail of one or more domains (see `transport/site.rs`). Each has its
//! own limit, which grows while it answers and halves when it asks for less; one that does not answer rests. A job waits
//! here for a moment where places come free soon, and few do at once; others that have no place go back to the queue.
//!
//! Kept in memory, for this node alone: after a restart every site is unknown again, and shows what it is like.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng;
use tokio::sync::Notify;

use crate::base::{Clock, Instant, Share, Shares, Timestamp};
use crate::mail::sending::ending::Ending;
use crate::mail::sending::pressure::{Pressure, pressure};

/// Places of one site that answers.
const SITE_MAX: usize = 20;
/// Places of a site that has not answered yet; fewer when many such sites hold places.
const FIRST: usize = 8;
/// A site whose attempts have all been open for so long is treated as one that does not answer.
const STUCK: Duration = Duration::from_secs(10);
/// How long a site rests that does not answer: the first time, doubling.
const SILENT_REST: Duration = Duration::from_secs(30);
/// How long one rests that asked for less.
const OVERLOADED_REST: Duration = Duration::from_secs(10);
/// The longest rest.
const LONGEST_REST: Duration = Duration::from_secs(15 * 60);
/// The longest rest of a smart host: all mail waits for it.
const LONGEST_REST_OF_RELAY: Duration = Duration::from_secs(60);
/// How long a job waits for a place. To put it off and claim it again costs more than most deliveries.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon a job without a place comes again at the least; where the site rested before, later: doubling with each rest.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// A site that has put off so many mails, and settled none between them, rests: it would put off the others too.
const PUT_OFF_MAX: u32 = 20;
/// How many sites are remembered, as far as nothing happens there.
const SITES_MAX: usize = 10_000;

/// The places of this node.
#[derive(Clone)]
pub struct Traffic(Arc<Shared>);

struct Shared {
    clock: Clock,
    /// All places; the pool has as many workers.
    all: usize,
    state: Mutex<State>,
    /// Look-ups under way: half of all workers may wait for the DNS, and half of those for one account's.
    asking: Shares<String>,
}

#[derive(Default)]
struct State {
    sites: HashMap<String, Site>,
    /// Places that are held.
    held: usize,
    /// Jobs that wait for a place.
    waiting: usize,
    /// Those of the held places whose site has not shown that it answers.
    doubtful: usize,
}

#[derive(Default)]
struct Site {
    relay: bool,
    held: usize,
    /// Its limit; grows up to [`SITE_MAX`].
    limit: usize,
    answers: bool,
    /// It asked for less once, so its limit grows slowly.
    careful: bool,
    /// Answers since the limit last changed.
    good: usize,
    /// Mails that it put off since it settled one.
    put_off: u32,
    /// Rests in a row.
    rests: u32,
    rests_until: Instant,
    /// Why it rests.
    why: Option<Ending>,
    /// The last answer.
    answered_at: Instant,
    /// When an attempt last ended, or the first of those that run began.
    moved_at: Instant,
    /// Rung when a place may be free.
    freed: Arc<Notify>,
}

/// A job has no place now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPlace {
    /// When to come again.
    pub until: Timestamp,
    /// Why the site rests; `None` where others merely were first.
    pub why: Option<Ending>,
    /// Whether the site does not take mail now, as far as is known: one job is enough to see when it does.
    pub doubtful: bool,
}

/// A place, held until it is dropped.
pub struct Place {
    traffic: Traffic,
    site: String,
    began: Instant,
    doubtful: bool,
}

impl Traffic {
    /// Traffic with so many places.
    pub fn new(clock: Clock, all: usize) -> Self {
        let asking = Shares::new(u64::try_from(all / 2).unwrap_or(u64::MAX).max(1), 1);
        Self(Arc::new(Shared { clock, all, state: Mutex::default(), asking }))
    }

    /// Whether a site rests; no place is taken.
    pub fn rests(&self, site: &str) -> Option<NoPlace> {
        self.locked().sites.get(site).and_then(|site| site.rest(&self.0.clock))
    }

    /// A site that is none: the look-up that failed there before works now. The next failure is a first one again.
    pub fn works_again(&self, name: &str) {
        let mut state = self.locked();
        if state.sites.get(name).is_some_and(|site| site.held == 0) {
            state.sites.remove(name);
        }
    }

    /// Leave to ask the DNS where a mail of this account goes, until it is dropped.
    pub(super) fn ask(&self, account: &str) -> Result<Share<String>, NoPlace> {
        self.0.asking.take(&account.to_owned(), 1).ok_or_else(|| self.later(Duration::from_secs(1), true))
    }

    /// A place at a site. With `relay` it is the smart host, whose places are only limited by those of all.
    pub fn enter(&self, name: &str, relay: bool) -> Result<Place, NoPlace> {
        let (now, all) = (self.0.clock.instant(), self.0.all);
        let mut state = self.locked();
        state.forget(now);
        let (held, doubtful) = (state.held, state.doubtful);
        let site = state.sites.entry(name.to_owned()).or_insert_with(|| Site {
            relay,
            limit: FIRST,
            answers: relay,
            ..Site::default()
        });
        if let Some(rest) = site.rest(&self.0.clock) {
            return Err(rest);
        }
        let doubts = !site.answers;
        if !relay && site.held >= site.room(now, held, doubtful, all) {
            // The longer nothing moves there, the later it is worth to come again.
            let least = FIRST_WAIT.saturating_mul(1 << site.rests.min(6));
            let wait = now.since(site.moved_at).clamp(least, Duration::from_secs(60));
            return Err(self.later(wait, doubts));
        }
        if doubts && doubtful >= doubtful_max(all) {
            return Err(self.later(Duration::from_secs(3), true));
        }
        if site.held == 0 {
            site.moved_at = now;
        }
        site.held += 1;
        state.held += 1;
        state.doubtful += usize::from(doubts);
        drop(state);
        Ok(Place { traffic: self.clone(), site: name.to_owned(), began: now, doubtful: doubts })
    }

    /// The same, for a job that waits a moment where other jobs hold all places of a site that answers. An eighth of all
    /// workers may wait so.
    pub(super) async fn enter_soon(&self, name: &str, relay: bool) -> Result<Place, NoPlace> {
        let until = self.0.clock.instant() + PATIENCE;
        loop {
            let no_place = match self.enter(name, relay) {
                Ok(place) => return Ok(place),
                Err(no_place) => no_place,
            };
            let left = until.since(self.0.clock.instant());
            let Some(wait) = self.wait(name).filter(|_| no_place.why.is_none() && !left.is_zero()) else {
                return Err(no_place);
            };
            let freed = wait.freed.notified();
            // From here on a rest that begins wakes this one too.
            if let Some(rest) = self.rests(name) {
                return Err(rest);
            }
            if self.0.clock.timeout(left, freed).await.is_none() {
                return Err(no_place);
            }
        }
    }

    /// Leave to wait at a site.
    fn wait(&self, name: &str) -> Option<Waiting> {
        let (mut state, now) = (self.locked(), self.0.clock.instant());
        let site = state.sites.get(name)?;
        // Who waits holds a worker. It must never be the last one, with those whose site may never answer.
        if !site.answers || site.held == 0 || now.since(site.moved_at) > PATIENCE {
            return None;
        }
        let freed = site.freed.clone();
        if state.waiting >= self.0.all / 8 {
            return None;
        }
        state.waiting += 1;
        Some(Waiting { traffic: self.clone(), freed })
    }

    /// No place, and nothing else is wrong: come again in about `wait`.
    fn later(&self, wait: Duration, doubtful: bool) -> NoPlace {
        NoPlace { until: self.0.clock.now() + spread(wait), why: None, doubtful }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        // Each change leaves the state whole, so a panic elsewhere does not spoil it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sites that have not shown that they answer hold at most three quarters of all places, so that those that do always find
/// one.
fn doubtful_max(all: usize) -> usize {
    (all * 3 / 4).max(1)
}

fn spread(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(1.0..1.5))
}

impl State {
    fn forget(&mut self, now: Instant) {
        if self.sites.len() >= SITES_MAX {
            let moves = |site: &Site| now.since(site.moved_at) < Duration::from_secs(60);
            self.sites.retain(|_, site| site.held > 0 || site.rests_until > now || moves(site));
        }
    }
}

impl Site {
    fn rest(&self, clock: &Clock) -> Option<NoPlace> {
        let left = self.rests_until.since(clock.instant());
        if left.is_zero() {
            return None;
        }
        // Not all at the same moment.
        let until = clock.now() + left.mul_f64(rand::rng().random_range(1.0..1.1));
        Some(NoPlace { until, why: self.why.clone(), doubtful: true })
    }

    /// How many places it may hold now.
    fn room(&self, now: Instant, held: usize, doubtful: usize, all: usize) -> usize {
        let stuck = self.held > 0 && now.since(self.moved_at) > STUCK;
        if !self.answers {
            let max = doubtful_max(all);
            let first = match doubtful * 4 / max {
                _ if self.rests > 0 || stuck => 1,
                0 | 1 => FIRST,
                2 => 2,
                _ => 1,
            };
            return first.min(self.limit);
        }
        // When places are few, none takes many of them.
        let share = match held * 4 / all.max(1) {
            0 | 1 => SITE_MAX,
            2 => SITE_MAX / 2,
            _ => SITE_MAX / 4,
        };
        if stuck { self.limit.min(2) } else { self.limit.min(share) }
    }

    fn ended(&mut self, ending: &Ending, began: Instant, now: Instant) {
        self.moved_at = now;
        match pressure(ending) {
            Pressure::Answers => {
                (self.answers, self.answered_at, self.put_off) = (true, now, 0);
                self.good += 1;
                if !self.careful || self.good >= self.limit {
                    self.limit = (self.limit + 1).min(SITE_MAX);
                    (self.good, self.rests) = (0, 0);
                }
            }
            Pressure::PutsOff => {
                (self.answers, self.answered_at, self.put_off) = (true, now, self.put_off.saturating_add(1));
                if self.put_off >= PUT_OFF_MAX
                    && began >= self.rests_until
                    && self.rest_for(OVERLOADED_REST, ending, now)
                {
                    (self.limit, self.good) = (1, 0);
                }
            }
            Pressure::Overloaded => {
                (self.answers, self.answered_at, self.careful) = (true, now, true);
                // What was under way when it first asked for less says it again; that is no new request.
                if began >= self.rests_until && self.rest_for(OVERLOADED_REST, ending, now) {
                    (self.limit, self.good) = ((self.limit / 2).max(1), 0);
                }
            }
            // Where others were served meanwhile, it was this mail or this connection.
            Pressure::Silent if self.answered_at <= began => {
                self.answers = self.relay;
                if self.rest_for(SILENT_REST, ending, now) {
                    (self.limit, self.good) = (1, 0);
                }
            }
            Pressure::Silent | Pressure::Unknown => {}
        }
    }

    fn rest_for(&mut self, first: Duration, why: &Ending, now: Instant) -> bool {
        if now < self.rests_until {
            return false;
        }
        let longest = if self.relay { LONGEST_REST_OF_RELAY } else { LONGEST_REST };
        let wait = first.saturating_mul(1 << self.rests.min(10)).min(longest);
        self.rests += 1;
        (self.rests_until, self.why) = (now + wait, Some(why.clone()));
        // Those who wait for a place would wait for nothing.
        self.freed.notify_waiters();
        true
    }
}

impl Place {
    /// Gives the place back with what came of it.
    pub fn end(self, ending: &Ending) {
        let now = self.traffic.0.clock.instant();
        if let Some(site) = self.traffic.locked().sites.get_mut(&self.site) {
            site.ended(ending, self.began, now);
        }
    }
}

/// A job that waits, until it is dropped.
struct Waiting {
    traffic: Traffic,
    freed: Arc<Notify>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.traffic.locked();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.traffic.locked();
        state.held = state.held.saturating_sub(1);
        state.doubtful = state.doubtful.saturating_sub(usize::from(self.doubtful));
        if let Some(site) = state.sites.get_mut(&self.site) {
            site.held = site.held.saturating_sub(1);
            // With this place one more may have come, since an answer raises the limit.
            site.freed.notify_one();
            site.freed.notify_one();
        }
    }
}
