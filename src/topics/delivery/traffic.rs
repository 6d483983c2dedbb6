//! Who has a place to deliver. Accounts share all places, and each endpoint of an account has its own limit: it grows while
//! the endpoint answers, and one that does not answer rests, longer each time. A job waits here for a moment where places
//! come free soon, and few do at once; others that have no place go back to the queue, their subscriptions rest, and no
//! attempt counts.
//!
//! Health is kept for each account by itself, so that what one account does at a host slows down nobody else there. Kept in
//! memory, for this node alone: after a restart every endpoint is unknown again, and shows what it is like.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::Rng;
use tokio::sync::Notify;

use crate::base::{AccountId, Clock, Instant, Share, Shares, Timestamp};
use crate::topics::job::Target;

/// Places of an endpoint that has not answered yet; fewer when its account holds many such places.
const FIRST: usize = 10;
/// Places that a silent endpoint keeps while it rests, where its account holds few: one account's few dead endpoints shall
/// not wait longer than SNS says.
const KEPT: usize = 4;
/// An endpoint whose attempts have all been open for so long is treated as one that does not answer.
const STUCK: Duration = Duration::from_secs(5);
/// Who takes longer to answer gets no more places.
const SLOW: Duration = Duration::from_secs(5);
/// An attempt that fails sooner held its place for a moment only: that is no reason to rest.
const BRIEF: Duration = Duration::from_secs(2);
/// How long an endpoint rests that does not answer: the first time, doubling, and at the most.
const FIRST_REST: Duration = Duration::from_secs(10);
const LONGEST_REST: Duration = Duration::from_secs(180);
/// The shortest and the longest wait of a job that finds no place.
const SOON: Duration = Duration::from_millis(50);
const LATE: Duration = Duration::from_secs(60);
/// How long a job waits here for a place at an endpoint that answers. To put it off and claim it again costs more.
const PATIENCE: Duration = Duration::from_secs(1);
/// The least that an account's line moves on, in jobs per second.
const LINE_MIN: f64 = 8.0;
/// Octets that all messages under way may have, as far as they are not small.
const OCTETS: usize = 64 * 1024 * 1024;
const SMALL: usize = 16 * 1024;
/// How long one stays away that does not fit beside them.
const CROWDED: Duration = Duration::from_secs(5);
/// How many endpoints are remembered, as far as nothing happens there, and for how long those beyond.
const ENDPOINTS_MAX: usize = 10_000;
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// The places of this node. Cheap to clone.
#[derive(Clone)]
pub(super) struct Traffic(Arc<Shared>);

struct Shared {
    clock: Clock,
    /// All places.
    all: usize,
    places: Shares<AccountId>,
    /// Those of them whose endpoint has not shown that it answers: three quarters at the most.
    doubtful: Shares<AccountId>,
    /// Jobs that wait here.
    waiting: Shares<AccountId>,
    /// Octets of large messages that are under way.
    octets: Shares<AccountId>,
    state: Mutex<EndpointState>,
}

#[derive(Default)]
struct EndpointState {
    endpoints: HashMap<Target, Endpoint>,
    /// Those of an account that wait for a place, by whether their endpoint is doubtful.
    lines: HashMap<(AccountId, bool), AccountLine>,
    /// With how many of both the old ones are looked for.
    forgets_at: usize,
}

/// An endpoint, as one account sees it.
struct Endpoint {
    held: usize,
    limit: usize,
    answers: bool,
    /// Rests in a row.
    rests: u32,
    rests_until: Instant,
    /// The last answer.
    answered_at: Instant,
    /// When it last asked for less.
    slowed_at: Instant,
    /// When an attempt last ended, or the first of those that run began.
    moved_at: Instant,
    /// Rung when a place may be free.
    freed: Arc<Notify>,
}

/// The jobs of an account that the account's share has no place for: each comes again when its turn may have come.
struct AccountLine {
    last: Instant,
    /// Places that came free since then, and how many did in a second before.
    freed: u32,
    since: Instant,
    per_second: f64,
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// An answer, whatever it says.
    Answer,
    /// The answer that there is too much.
    TooMuch,
    /// None.
    Nothing,
    /// It did not come to that.
    Unknown,
}

/// A place, held until it is dropped.
pub(super) struct EndpointPlace {
    traffic: Traffic,
    target: Target,
    began: Instant,
    _share: Share<AccountId>,
    doubtful: Option<Share<AccountId>>,
}

/// A job has no place now.
struct NoPlace {
    /// How long to stay away.
    wait: Duration,
    /// What rings when one may be free; `None` where that may take long.
    freed: Option<Arc<Notify>>,
}

impl Traffic {
    /// Traffic for a pool with so many workers. A fifth of them have no place: they say so to jobs, or wait.
    pub(super) fn new(clock: Clock, workers: usize) -> Self {
        let all = (workers * 4 / 5).max(1);
        let of = |places: usize, generosity| Shares::new(places.max(1) as u64, generosity);
        // An account whose endpoints answer may have seven eighths: its places come free soon.
        let (places, doubtful, waiting) = (of(all, 7), of(all * 3 / 4, 1), of(all / 8, 1));
        let octets = of(OCTETS, 1);
        Self(Arc::new(Shared { clock, all, places, doubtful, waiting, octets, state: Mutex::default() }))
    }

    /// A place at a target, or when to come again.
    pub(super) async fn enter(&self, target: &Target) -> Result<EndpointPlace, Timestamp> {
        let Shared { clock, waiting, .. } = &*self.0;
        let until = clock.instant() + PATIENCE;
        let mut leave = None;
        loop {
            let no_place = match self.place(target) {
                Ok(place) => return Ok(place),
                Err(no_place) => no_place,
            };
            let left = until.since(clock.instant());
            if leave.is_none() {
                leave = waiting.take(&target.account, 1);
            }
            let came = match no_place.freed {
                Some(freed) if leave.is_some() && !left.is_zero() => clock.timeout(left, freed.notified()).await,
                _ => None,
            };
            if came.is_none() {
                return Err(clock.now() + no_place.wait);
            }
        }
    }

    /// Room for a message of this size, or when to come again. Small ones need none.
    pub(super) fn hold(&self, account: &AccountId, octets: usize) -> Result<Option<Share<AccountId>>, Timestamp> {
        if octets <= SMALL {
            return Ok(None);
        }
        // The largest that there can be is not so large that it could not be had.
        let share = self.0.octets.take(account, octets.min(OCTETS / 4) as u64);
        share.map(Some).ok_or_else(|| self.0.clock.now() + spread(CROWDED))
    }

    fn place(&self, target: &Target) -> Result<EndpointPlace, NoPlace> {
        let Shared { clock, all, places, doubtful, .. } = &*self.0;
        let now = clock.instant();
        let mut state = self.locked();
        state.forget(now);
        let crowd = Crowd {
            all: *all,
            few: doubtful.held(&target.account) < (*all as u64 / 16).max(KEPT as u64),
            quarters: doubtful.used() * 4 / doubtful.total(),
        };
        let EndpointState { endpoints, lines, .. } = &mut *state;
        let (freed, doubts) = match endpoints.get(target) {
            Some(endpoint) if endpoint.held >= endpoint.room(now, crowd) => {
                return Err(NoPlace { wait: endpoint.wait(now), freed: endpoint.freed(now) });
            }
            Some(endpoint) => (endpoint.freed(now), !endpoint.answers),
            None => (None, true),
        };
        let share = places.take(&target.account, 1);
        let doubtful = if doubts { doubtful.take(&target.account, 1) } else { None };
        let (Some(share), true) = (share, !doubts || doubtful.is_some()) else {
            let line = lines.entry((target.account.clone(), doubts)).or_insert_with(|| AccountLine::new(now));
            return Err(NoPlace { wait: line.wait(now), freed });
        };
        // One that gets no place is not remembered either: there may be any number of them.
        if !endpoints.contains_key(target) {
            endpoints.insert(target.clone(), Endpoint::new(now));
        }
        if let Some(endpoint) = endpoints.get_mut(target) {
            endpoint.enter(now);
        }
        Ok(EndpointPlace { traffic: self.clone(), target: target.clone(), began: now, _share: share, doubtful })
    }

    fn locked(&self) -> MutexGuard<'_, EndpointState> {
        // Each change leaves the state whole, so a panic elsewhere does not spoil it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How full it is.
#[derive(Clone, Copy)]
struct Crowd {
    all: usize,
    /// The account holds few places at endpoints that do not answer.
    few: bool,
    /// How many quarters of the places for such endpoints are held, by all.
    quarters: u64,
}

fn spread(wait: Duration) -> Duration {
    wait.mul_f64(rand::rng().random_range(1.0..1.5))
}

impl EndpointState {
    fn forget(&mut self, now: Instant) {
        let old = |moved_at| now.since(moved_at) > FORGOTTEN_AFTER;
        if self.endpoints.len() + self.lines.len() >= self.forgets_at.max(ENDPOINTS_MAX) {
            self.endpoints.retain(|_, e| e.held > 0 || now < e.rests_until || !old(e.moved_at));
            self.lines.retain(|_, line| !old(line.last));
            // Where few could be forgotten, the next look comes late: it goes through all of them.
            self.forgets_at = 2 * (self.endpoints.len() + self.lines.len());
        }
    }
}

impl Endpoint {
    fn new(now: Instant) -> Self {
        Self {
            held: 0,
            limit: FIRST,
            answers: false,
            rests: 0,
            rests_until: now,
            answered_at: now,
            slowed_at: now,
            moved_at: now,
            freed: Arc::default(),
        }
    }

    fn enter(&mut self, now: Instant) {
        if self.held == 0 {
            self.moved_at = now;
        }
        self.held += 1;
    }

    /// How many places it may hold now.
    fn room(&self, now: Instant, crowd: Crowd) -> usize {
        let stuck = self.held > 0 && now.since(self.moved_at) > STUCK;
        if self.answers {
            return if stuck { self.limit.min(2) } else { self.limit.min(crowd.all) };
        }
        match crowd.quarters {
            _ if crowd.few && (self.rests > 0 || stuck) => KEPT,
            _ if now < self.rests_until => 0,
            _ if self.rests > 0 || stuck => 1,
            0 | 1 => FIRST.min(self.limit),
            2 => 2,
            _ => 1,
        }
    }

    /// What rings when a place is free, where one comes free soon. Who waits holds a worker: never for what may not answer.
    fn freed(&self, now: Instant) -> Option<Arc<Notify>> {
        let soon = self.answers && self.held > 0 && now.since(self.moved_at) <= PATIENCE;
        soon.then(|| self.freed.clone())
    }

    /// How long a job stays away that has no place here. The longer nothing moves, the later it is worth to come again.
    fn wait(&self, now: Instant) -> Duration {
        let rest = self.rests_until.since(now);
        if !rest.is_zero() {
            return spread(rest.max(Duration::from_secs(1)));
        }
        let first = if self.rests > 0 { STUCK } else { SOON };
        spread(now.since(self.moved_at).clamp(first, LATE))
    }

    fn ended(&mut self, came: Came, began: Instant, now: Instant, all: usize) {
        self.moved_at = now;
        let took = now.since(began);
        match came {
            Came::Answer | Came::TooMuch => {
                (self.answered_at, self.rests, self.rests_until) = (now, 0, now);
                if came == Came::Answer && took < SLOW {
                    self.answers = true;
                    // More only where what there is was used: else it would have more than it ever showed to bear.
                    if self.held * 2 > self.limit {
                        self.limit = (self.limit + 1).min(all);
                    }
                } else if began >= self.slowed_at {
                    // What was under way when it was first slow says it again; that is no news.
                    self.slowed_at = now;
                    self.limit = (self.limit / 2).max(if took < SLOW { 1 } else { FIRST });
                    self.answers &= took < SLOW || self.limit > FIRST;
                }
            }
            // Where others were served meanwhile, it was this message or this connection.
            Came::Nothing if self.answered_at <= began => {
                (self.answers, self.limit) = (false, FIRST);
                if took >= BRIEF && now >= self.rests_until {
                    let rest = FIRST_REST.saturating_mul(1 << self.rests.min(10)).min(LONGEST_REST);
                    (self.rests, self.rests_until) = (self.rests + 1, now + rest);
                }
            }
            Came::Nothing | Came::Unknown => {}
        }
    }
}

impl AccountLine {
    fn new(now: Instant) -> Self {
        Self { last: now, freed: 0, since: now, per_second: 0.0 }
    }

    /// How long the next in line waits: twice as many come again as places came free lately.
    fn wait(&mut self, now: Instant) -> Duration {
        self.count(now, 0);
        let step = Duration::from_secs_f64(1.0 / (2.0 * self.per_second).max(LINE_MIN));
        self.last = (self.last + step).max(now + SOON).min(now + LATE);
        spread(self.last.since(now))
    }

    fn count(&mut self, now: Instant, freed: u32) {
        self.freed += freed;
        let passed = now.since(self.since);
        if passed >= Duration::from_secs(1) {
            self.per_second = f64::from(self.freed) / passed.as_secs_f64();
            (self.freed, self.since) = (0, now);
        }
    }
}

impl EndpointPlace {
    /// Gives the place back with what came of it.
    pub(super) fn end(self, came: Came) {
        let now = self.traffic.0.clock.instant();
        if let Some(endpoint) = self.traffic.locked().endpoints.get_mut(&self.target) {
            endpoint.ended(came, self.began, now, self.traffic.0.all);
        }
    }
}

impl Drop for EndpointPlace {
    fn drop(&mut self) {
        let now = self.traffic.0.clock.instant();
        let mut state = self.traffic.locked();
        if let Some(endpoint) = state.endpoints.get_mut(&self.target) {
            endpoint.held = endpoint.held.saturating_sub(1);
            // With this place one more may have come, since an answer raises the limit.
            endpoint.freed.notify_one();
            endpoint.freed.notify_one();
        }
        let line = (self.target.account.clone(), self.doubtful.is_some());
        if let Some(line) = state.lines.get_mut(&line) {
            line.count(now, 1);
        }
    }
}
