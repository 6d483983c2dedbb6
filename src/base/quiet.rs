//! Saying what may happen thousands of times a minute once a minute, with how often it was not said.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::base::{Clock, Instant};

/// How often the same is said.
const EVERY: Duration = Duration::from_secs(60);

/// One thing that is worth a line in the log, however often it happens.
#[derive(Debug)]
pub struct Quiet {
    most: u32,
    said: Mutex<Said>,
}

#[derive(Debug)]
struct Said {
    /// When the minute began.
    since: Option<Instant>,
    times: u32,
    left_out: u64,
}

impl Default for Quiet {
    fn default() -> Self {
        Self::new()
    }
}

impl Quiet {
    /// Says it once a minute.
    pub const fn new() -> Self {
        Self::often(1)
    }

    /// Says it up to so many times a minute, where each time may have a cause of its own.
    pub const fn often(most: u32) -> Self {
        Self { most, said: Mutex::new(Said { since: None, times: 0, left_out: 0 }) }
    }

    /// Says it, if it was not said as often as it may be in this minute; `say` is told how often it was left out since it was
    /// said last. Else it counts.
    pub fn tell(&self, clock: &Clock, say: impl FnOnce(u64)) {
        let left_out = {
            let (mut said, now) = (self.said.lock().unwrap_or_else(PoisonError::into_inner), clock.instant());
            if said.since.is_none_or(|since| now.since(since) >= EVERY) {
                (said.since, said.times) = (Some(now), 0);
            }
            if said.times >= self.most {
                said.left_out = said.left_out.saturating_add(1);
                return;
            }
            said.times += 1;
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
        let clock = Clock::manual(Timestamp::from_secs(10_000));
        for most in [1, 2] {
            let (quiet, mut said) = (Quiet::often(most), vec![]);
            for _ in 0..4 {
                quiet.tell(&clock, |left_out| said.push(left_out));
            }
            clock.step(3_600_000_000);
            quiet.tell(&clock, |left_out| said.push(left_out));
            clock.step(-7_200_000_000);
            clock.advance(Duration::from_secs(60));
            quiet.tell(&clock, |left_out| said.push(left_out));
            assert_eq!(said, if most == 1 { vec![0, 4] } else { vec![0, 0, 3] });
        }
    }
}
