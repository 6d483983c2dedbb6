//! When a failed delivery is tried again: SNS's delivery policy with its four phases and four backoff functions.
//! Pure. Source: SNS developer guide, "Creating an HTTP/S delivery policy".
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The most that all delays together may be (SNS: 3,600 s).
const MAX_TOTAL_SECS: u64 = 3_600;

/// A retry policy (`healthyRetryPolicy`). The default is AWS's: 3 retries, 20 seconds apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetryPolicy {
    /// The first delay of the backoff phase, and every delay of the phase before it, in seconds. 1 to `max_delay_target`.
    pub min_delay_target: u64,
    /// The last delay of the backoff phase, and every delay of the phase after it, in seconds. Up to 3,600.
    pub max_delay_target: u64,
    /// All retries. 0 to 100.
    pub num_retries: u32,
    /// Retries of the last phase, `max_delay_target` apart.
    pub num_max_delay_retries: u32,
    /// Retries at once.
    pub num_no_delay_retries: u32,
    /// Retries of the second phase, `min_delay_target` apart.
    pub num_min_delay_retries: u32,
    /// How delays grow in the backoff phase.
    pub backoff_function: Backoff,
}

/// How delays grow from the shortest to the longest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backoff {
    /// In equal steps.
    #[default]
    #[serde(rename = "linear")]
    Linear,
    /// In steps that themselves grow in equal steps: with the square of the retry's number.
    #[serde(rename = "arithmetic")]
    Arithmetic,
    /// By an equal factor.
    #[serde(rename = "geometric")]
    Geometric,
    /// Doubling, up to the longest delay.
    #[serde(rename = "exponential")]
    Exponential,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            min_delay_target: 20,
            max_delay_target: 20,
            num_retries: 3,
            num_max_delay_retries: 0,
            num_no_delay_retries: 0,
            num_min_delay_retries: 0,
            backoff_function: Backoff::Linear,
        }
    }
}

impl RetryPolicy {
    /// AWS's policy for functions and streams, which cannot be changed: 100,015 retries over 23 days.
    pub fn managed() -> Self {
        Self {
            min_delay_target: 1,
            max_delay_target: 20,
            num_retries: 100_015,
            num_max_delay_retries: 100_000,
            num_no_delay_retries: 3,
            num_min_delay_retries: 2,
            backoff_function: Backoff::Exponential,
        }
    }

    /// AWS's policy for text and push messages, which cannot be changed: 50 retries over 6 hours.
    pub fn customer() -> Self {
        Self {
            min_delay_target: 10,
            max_delay_target: 600,
            num_retries: 50,
            num_max_delay_retries: 38,
            num_no_delay_retries: 0,
            num_min_delay_retries: 2,
            backoff_function: Backoff::Exponential,
        }
    }

    /// Lambda's own for a function that failed: two more attempts, after one minute and after two.
    pub fn of_failed_function() -> Self {
        Self { min_delay_target: 60, max_delay_target: 120, num_retries: 2, ..Self::default() }
    }

    /// Checks SNS's limits; the text says which one is broken, in SNS's words where they are known. `path` is the policy's
    /// place in the document.
    pub fn check(&self, path: &str) -> Result<(), String> {
        if self.min_delay_target < 1 {
            return Err(format!("{path}.minDelayTarget must be greater than or equal to 1"));
        }
        if self.max_delay_target < self.min_delay_target {
            return Err(format!("{path}.maxDelayTarget must be greater than or equal to minDelayTarget"));
        }
        if self.max_delay_target > MAX_TOTAL_SECS {
            return Err(format!("{path}.maxDelayTarget must be less than or equal to 3600"));
        }
        if self.num_retries > 100 {
            return Err(format!("{path}.numRetries must be less than or equal to 100"));
        }
        let phases = [self.num_no_delay_retries, self.num_min_delay_retries, self.num_max_delay_retries];
        if phases.iter().map(|n| u64::from(*n)).sum::<u64>() > u64::from(self.num_retries) {
            return Err(format!(
                "{path}.numRetries must be greater than or equal to total of numMinDelayRetries, numNoDelayRetries and \
                 numMaxDelayRetries"
            ));
        }
        let total: u64 = (1..=self.num_retries).filter_map(|n| self.delay(n)).map(|delay| delay.as_secs()).sum();
        if total > MAX_TOTAL_SECS {
            return Err("the total of all retry delays must be at most 3600 seconds".to_owned());
        }
        Ok(())
    }

    /// How long to wait before retry `n` (1 for the first); `None` when there is no such retry.
    pub fn delay(&self, n: u32) -> Option<Duration> {
        if n == 0 || n > self.num_retries {
            return None;
        }
        let before = self.num_no_delay_retries.saturating_add(self.num_min_delay_retries);
        let last_phase = self.num_retries.saturating_sub(self.num_max_delay_retries);
        let secs = if n <= self.num_no_delay_retries {
            0.0
        } else if n <= before {
            self.min_delay_target as f64
        } else if n > last_phase {
            self.max_delay_target as f64
        } else {
            self.backoff(n - before - 1, last_phase.saturating_sub(before))
        };
        Some(Duration::from_secs_f64(secs))
    }

    /// The delay at `step` (from 0) of a backoff phase of `steps` retries, in seconds.
    fn backoff(&self, step: u32, steps: u32) -> f64 {
        let (min, max) = (self.min_delay_target as f64, self.max_delay_target as f64);
        let part = if steps > 1 { f64::from(step) / f64::from(steps - 1) } else { 0.0 };
        let secs = match self.backoff_function {
            Backoff::Linear => min + (max - min) * part,
            Backoff::Arithmetic => min + (max - min) * part * part,
            Backoff::Geometric => min * (max / min).powf(part),
            Backoff::Exponential => min * 2f64.powi(i32::try_from(step).unwrap_or(i32::MAX)),
        };
        secs.clamp(min, max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn secs(policy: &RetryPolicy) -> Vec<u64> {
        (1..).map_while(|n| policy.delay(n)).map(|delay| delay.as_secs()).collect()
    }

    #[test]
    fn the_default_is_three_retries_twenty_seconds_apart() {
        assert_eq!(secs(&RetryPolicy::default()), [20, 20, 20]);
        assert!(RetryPolicy::default().check("retry").is_ok());
    }

    #[test]
    fn the_four_phases_follow_each_other() {
        let policy = RetryPolicy {
            min_delay_target: 1,
            max_delay_target: 60,
            num_retries: 9,
            num_no_delay_retries: 2,
            num_min_delay_retries: 2,
            num_max_delay_retries: 2,
            backoff_function: Backoff::Exponential,
        };
        assert_eq!(secs(&policy), [0, 0, 1, 1, 1, 2, 4, 60, 60]);
        assert!(policy.check("retry").is_ok());
    }

    #[test]
    fn awss_own_policies_are_those_in_the_guide() {
        let managed = RetryPolicy::managed();
        let delays: Vec<u64> = (1..=16).filter_map(|n| managed.delay(n)).map(|delay| delay.as_secs()).collect();
        assert_eq!(delays, [0, 0, 0, 1, 1, 1, 2, 4, 8, 16, 20, 20, 20, 20, 20, 20]);
        let all: u64 = (1..).map_while(|n| managed.delay(n)).map(|delay| delay.as_secs()).sum();
        assert_eq!((all / 86_400, managed.delay(100_016)), (23, None));
        let customer = secs(&RetryPolicy::customer());
        assert_eq!((customer.len(), &customer[..5]), (50, &[10, 10, 10, 20, 40][..]));
        assert_eq!(customer.iter().sum::<u64>() / 3_600, 7, "a little more than the guide's six hours");
        assert_eq!(secs(&RetryPolicy::of_failed_function()), [60, 120]);
    }

    #[test]
    fn limits_are_checked() {
        let good = RetryPolicy::default();
        for bad in [
            RetryPolicy { min_delay_target: 0, ..good.clone() },
            RetryPolicy { min_delay_target: 21, ..good.clone() },
            RetryPolicy { max_delay_target: 3_601, ..good.clone() },
            RetryPolicy { num_retries: 101, ..good.clone() },
            RetryPolicy { num_min_delay_retries: 4, ..good.clone() },
            RetryPolicy { num_retries: 100, min_delay_target: 40, max_delay_target: 40, ..good.clone() },
        ] {
            assert!(bad.check("retry").is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn delays_never_leave_the_targets_and_never_shrink(
            min in 1u64..100, more in 0u64..1_000, retries in 0u32..=100,
            function in prop_oneof![
                Just(Backoff::Linear), Just(Backoff::Arithmetic), Just(Backoff::Geometric), Just(Backoff::Exponential)
            ],
        ) {
            let policy = RetryPolicy {
                min_delay_target: min,
                max_delay_target: min + more,
                num_retries: retries,
                backoff_function: function,
                ..RetryPolicy::default()
            };
            let delays: Vec<Duration> = (1..).map_while(|n| policy.delay(n)).collect();
            prop_assert_eq!(delays.len(), retries as usize);
            prop_assert!(delays.windows(2).all(|pair| pair[0] <= pair[1]));
            let ends = Duration::from_secs(min)..=Duration::from_secs(min + more);
            prop_assert!(delays.iter().all(|delay| ends.contains(delay)));
        }
    }
}
