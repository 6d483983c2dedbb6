//! What did not answer lately: names that rest, each time longer, so that nobody waits for them again and again.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{Clock, Instant};

/// How long a name rests the first time; then twice as long each time.
const FIRST: Duration = Duration::from_secs(60);
/// The longest rest: what works again is seen soon after.
const LONGEST: Duration = Duration::from_secs(240);
/// How long one who asks after a rest has the name for himself.
const PROBE: Duration = Duration::from_secs(30);
/// Silence that is so long ago counts for nothing.
const FORGOTTEN: Duration = Duration::from_secs(3_600);
/// How many names are remembered. Beyond it some are forgotten, which costs whoever asks them next a wait.
const NAMES_MAX: usize = 10_000;

/// Names beyond this length, in octets, are not remembered: strangers choose them.
const NAME_MAX: usize = 512;

/// Names that do not answer: zones of the DNS, endpoints, buckets. Kept in memory, for this process. Cheap to clone; clones
/// share what they know.
#[derive(Clone, Debug)]
pub struct Silence {
    clock: Clock,
    rests: Arc<Mutex<HashMap<String, Rest>>>,
}

#[derive(Clone, Copy, Debug)]
struct Rest {
    /// How often in a row it was silent.
    times: u32,
    until: Instant,
    /// Its rest was over, and somebody asks it now.
    probed: bool,
}

impl Silence {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, rests: Arc::default() }
    }

    /// Whether `name` rests, so that it is not to be asked. After a rest one caller is told that it may be asked; the others
    /// hear so once that one has said what came of it, or half a minute later.
    pub fn rests(&self, name: &str) -> bool {
        let now = self.clock.instant();
        let mut rests = self.locked();
        let Some(rest) = rests.get_mut(name) else { return false };
        if now < rest.until {
            return true;
        }
        (rest.probed, rest.until) = (true, now + PROBE);
        false
    }

    /// `name` did not answer: it rests for a minute, and twice as long each time up to four. Those who asked at the same time
    /// say nothing new.
    pub fn silent(&self, name: &str) {
        if name.len() > NAME_MAX {
            return;
        }
        let now = self.clock.instant();
        let mut rests = self.locked();
        let known = rests.get(name).copied().filter(|rest| now.since(rest.until) < FORGOTTEN);
        let times = match known {
            Some(rest) if now < rest.until && !rest.probed => return,
            Some(rest) => rest.times.saturating_add(1),
            None => 1,
        };
        make_room(&mut rests, now);
        let wait = FIRST.saturating_mul(1 << (times - 1).min(8)).min(LONGEST);
        rests.insert(name.to_owned(), Rest { times, until: now + wait, probed: false });
    }

    /// `name` answered, whatever it said.
    pub fn answered(&self, name: &str) {
        self.locked().remove(name);
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<String, Rest>> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets what rests no more where there are too many names; where that is not enough, each second one.
fn make_room(rests: &mut HashMap<String, Rest>, now: Instant) {
    if rests.len() < NAMES_MAX {
        return;
    }
    rests.retain(|_, rest| now < rest.until);
    if rests.len() >= NAMES_MAX / 2 {
        let mut kept = false;
        rests.retain(|_, _| {
            kept = !kept;
            kept
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    fn silence() -> (Silence, Clock) {
        let clock = Clock::manual(Timestamp::from_secs(1_800_000_000));
        (Silence::new(clock.clone()), clock)
    }

    #[test]
    fn a_name_rests_longer_each_time_and_one_asks_after_the_rest() {
        let (silence, clock) = silence();
        assert!(!silence.rests("dead.example"), "nothing is known of it");
        for rest in [60, 120, 240, 240] {
            for _ in 0..3 {
                silence.silent("dead.example");
            }
            clock.advance(Duration::from_secs(rest - 1));
            assert!(silence.rests("dead.example"), "{rest}");
            clock.advance(Duration::from_secs(1));
            assert!(!silence.rests("dead.example"), "the first may ask");
            assert!(silence.rests("dead.example"), "the others wait for what it finds");
        }
        clock.advance(PROBE);
        assert!(!silence.rests("dead.example"), "who asked was never heard of again");
        silence.answered("dead.example");
        assert!(!silence.rests("dead.example") && !silence.rests("dead.example"));
        silence.silent("dead.example");
        clock.advance(FIRST + FORGOTTEN);
        silence.silent("dead.example");
        clock.advance(FIRST);
        assert!(!silence.rests("dead.example"), "what was long ago does not count");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (silence, clock) = silence();
        for n in 0..3 * NAMES_MAX {
            silence.silent(&n.to_string());
            assert!(silence.locked().len() <= NAMES_MAX);
        }
        assert!(silence.rests(&(3 * NAMES_MAX - 1).to_string()));
        let long = "x".repeat(NAME_MAX + 1);
        silence.silent(&long);
        assert!(!silence.rests(&long));
        clock.advance(LONGEST);
        for n in 0..=NAMES_MAX {
            silence.silent(&format!("other {n}"));
        }
        assert!(silence.locked().keys().all(|name| name.starts_with("other")), "those that rest no more went first");
    }
}
