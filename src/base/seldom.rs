//! What may happen a thousand times a second is said once a minute, with how often it happened.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::Instant;

/// How long it is quiet after it was said.
const QUIET: Duration = Duration::from_secs(60);

/// Counts what happens, and says when it is time to tell of it.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    said: Option<Instant>,
    since: u64,
}

impl Seldom {
    /// Counts one more at `now`. Gives how many there were since it was last told, once a minute at the most.
    pub fn count(&self, now: Instant) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.since += 1;
        if counted.said.is_some_and(|said| now.since(said) < QUIET) {
            return None;
        }
        counted.said = Some(now);
        Some(std::mem::take(&mut counted.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock, Timestamp};

    #[test]
    fn it_is_told_at_once_and_then_once_a_minute() {
        let (clock, seldom) = (Clock::manual(Timestamp::from_secs(0)), Seldom::default());
        assert_eq!(seldom.count(clock.instant()), Some(1));
        for _ in 0..3 {
            clock.advance(Duration::from_secs(19));
            assert_eq!(seldom.count(clock.instant()), None);
        }
        clock.advance(Duration::from_secs(3));
        assert_eq!(seldom.count(clock.instant()), Some(4));
    }
}
