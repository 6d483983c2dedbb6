//! Retry schedules: pure functions from the attempt to the delay.
use std::time::Duration;

use rand::Rng;

/// A delay that doubles with each attempt, from `first` for attempt 1 up to `cap`.
pub fn doubling(attempt: u32, first: Duration, cap: Duration) -> Duration {
    let factor = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    first.checked_mul(factor.max(1)).map_or(cap, |delay| delay.min(cap))
}

/// Spreads a delay by up to a tenth either way, so that jobs that failed together do not come back together.
pub fn jitter(delay: Duration) -> Duration {
    delay.mul_f64(rand::rng().random_range(0.9..=1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_cap_and_never_overflow() {
        let (first, cap) = (Duration::from_secs(5), Duration::from_secs(60));
        let delays: Vec<u64> = (1..=6).map(|n| doubling(n, first, cap).as_secs()).collect();
        assert_eq!(delays, [5, 10, 20, 40, 60, 60]);
        assert_eq!(doubling(0, first, cap), first);
        assert_eq!(doubling(u32::MAX, first, cap), cap);
    }

    #[test]
    fn jitter_stays_within_a_tenth() {
        for _ in 0..200 {
            let spread = jitter(Duration::from_secs(100)).as_secs_f64();
            assert!((90.0..=110.0).contains(&spread), "{spread}");
        }
    }
}
