//! Saying what may happen thousands of times a minute once a minute, with how often it was not said.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::{Clock, Instant};

/// How often the same is said.
const EVERY: Duration = Duration::from_secs(60);

/// One thing that is worth a line in the log, however often it happens.
#[derive(Debug, Default)]
pub struct Quiet(Mutex<Said>);

#[derive(Debug, Default)]
struct Said {
    at: Option<Instant>,
    left_out: u64,
}

impl Quiet {
    /// Nothing was said yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Said { at: None, left_out: 0 }))
    }

    /// Says it, if it was not said within the last minute; `say` is told how often it was left out since. Else it counts.
    pub fn tell(&self, clock: &Clock, say: impl FnOnce(u64)) {
        let left_out = {
            let (mut said, now) = (self.0.lock().unwrap_or_else(PoisonError::into_inner), clock.instant());
            if said.at.is_some_and(|at| now.since(at) < EVERY) {
                said.left_out = said.left_out.saturating_add(1);
                return;
            }
            said.at = Some(now);
            std::mem::take(&mut said.left_out)
        };
        say(left_out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Timestamp;

    #[test]
    fn a_thing_is_said_once_a_minute_with_how_often_it_was_not_also_when_the_wall_clock_is_set() {
        let (clock, quiet, mut said) = (Clock::manual(Timestamp::from_secs(10_000)), Quiet::new(), vec![]);
        for _ in 0..3 {
            quiet.tell(&clock, |left_out| said.push(left_out));
        }
        clock.step(3_600_000_000);
        quiet.tell(&clock, |left_out| said.push(left_out));
        clock.step(-7_200_000_000);
        clock.advance(Duration::from_secs(60));
        quiet.tell(&clock, |left_out| said.push(left_out));
        assert_eq!(said, [0, 3]);
    }
}
