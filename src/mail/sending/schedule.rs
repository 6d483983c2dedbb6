//! When a deferred mail is tried again, when its sender hears of the delay, and when we give up. Pure.
use std::time::Duration;

use crate::base::Timestamp;

/// A delay shorter than this is not reported: greylisting and short restarts pass without a DeliveryDelay event. AWS
/// publishes no such time; the event that its developer guide shows comes ten minutes after the mail was accepted.
pub const REPORTED_DELAY: Duration = Duration::from_secs(10 * 60);
/// The wait after the 1st, 2nd, ... failed attempt, in minutes; the last one repeats.
const WAITS: [u64; 9] = [1, 2, 5, 10, 20, 40, 60, 90, 120];
/// Each wait is shortened or lengthened by up to this many percent, so that mails deferred together do not return together.
const JITTER_PERCENT: f64 = 20.0;

/// What follows on a deferral.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again at this time.
    RetryAt(Timestamp),
    /// The mail's lifetime ends before another attempt could be made: bounce it.
    Expired,
}

/// The attempt after the `attempts`-th one (1 for the first), which ended at `now`, of a mail whose lifetime ends at `end`.
/// `random` is in 0..1 and places the time within the jitter. The last attempt is made right at the end of the lifetime.
pub fn next(end: Timestamp, now: Timestamp, attempts: u32, random: f64) -> Next {
    if now >= end {
        return Next::Expired;
    }
    let place = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX).min(WAITS.len() - 1);
    let minutes = WAITS.get(place).copied().unwrap_or(120);
    let factor = 1.0 + (random.clamp(0.0, 1.0) * 2.0 - 1.0) * JITTER_PERCENT / 100.0;
    let wait = Duration::from_secs(minutes * 60).mul_f64(factor);
    Next::RetryAt((now + wait).min(end))
}

/// Whether a deferral at `now` is reported as a DeliveryDelay: once per recipient, when the delay has lasted
/// [`REPORTED_DELAY`]. `reported` says when it was reported before.
pub fn reports_delay(accepted: Timestamp, now: Timestamp, reported: Option<Timestamp>) -> bool {
    reported.is_none() && now.since(accepted) >= REPORTED_DELAY
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::mail::own::jobs::LIFETIME;

    #[test]
    fn waits_grow_from_a_minute_to_two_hours() {
        let t = Timestamp::from_secs(1_000_000);
        let wait = |attempts| match next(t + LIFETIME, t, attempts, 0.5) {
            Next::RetryAt(at) => at.since(t).as_secs() / 60,
            Next::Expired => 0,
        };
        let waits: Vec<u64> = (1..=11).map(wait).collect();
        assert_eq!(waits, [1, 2, 5, 10, 20, 40, 60, 90, 120, 120, 120]);
    }

    #[test]
    fn the_last_attempt_is_at_the_end_of_the_lifetime_and_none_is_after_it() {
        let t = Timestamp::from_secs(1_000_000);
        let end = t + LIFETIME;
        assert_eq!(next(end, end - Duration::from_secs(1), 12, 0.5), Next::RetryAt(end));
        assert_eq!(next(end, end, 13, 0.5), Next::Expired);
    }

    #[test]
    fn a_delay_is_reported_once_and_only_when_it_lasts() {
        let t = Timestamp::from_secs(1_000_000);
        let late = t + REPORTED_DELAY;
        assert!(!reports_delay(t, late - Duration::from_micros(1), None));
        assert!(reports_delay(t, late, None));
        assert!(!reports_delay(t, late, Some(t)));
    }

    proptest! {
        #[test]
        fn every_schedule_moves_on_and_ends(random in 0.0..1.0f64) {
            let accepted = Timestamp::from_secs(0);
            let (mut now, mut attempts) = (accepted, 0);
            loop {
                attempts += 1;
                prop_assert!(attempts < 40);
                match next(accepted + LIFETIME, now, attempts, random) {
                    Next::RetryAt(at) => { prop_assert!(at > now); now = at; }
                    Next::Expired => break,
                }
            }
            prop_assert_eq!(now, accepted + LIFETIME);
        }
    }
}
