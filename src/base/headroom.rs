//! Limits on how many of something there may be, without a count at each new one: a count says how many more may be made before
//! it is counted again.
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many holders are remembered; beyond, all are counted anew.
const HOLDERS_MAX: usize = 10_000;
/// Which part of what is left may be made without a count. Other nodes may make as many meanwhile, so it is a small one.
const PART: u64 = 8;

/// What may be made without a count, by holder. The nearer the limit, the more often is counted, and at the limit each time.
#[derive(Debug)]
pub struct Headroom<K>(Mutex<HashMap<K, u64>>);

impl<K> Default for Headroom<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Headroom<K> {
    /// Takes one; false where it must be counted first.
    pub fn take(&self, whose: &K) -> bool {
        let mut left = self.left();
        let Some(left) = left.get_mut(whose).filter(|left| **left > 0) else { return false };
        *left -= 1;
        true
    }

    /// Takes one after a count found `count`; false where that is `max` or more.
    pub fn counted(&self, whose: K, count: u64, max: u64) -> bool {
        let free = max.saturating_sub(count);
        let mut left = self.left();
        if left.len() >= HOLDERS_MAX {
            left.clear();
        }
        left.insert(whose, free.saturating_sub(1) / PART);
        free > 0
    }

    fn left(&self) -> MutexGuard<'_, HashMap<K, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_holds_and_few_counts_are_needed() {
        let (headroom, mut made, mut counts) = (Headroom::default(), 0, 0);
        for _ in 0..20_000 {
            if !headroom.take(&"a") {
                counts += 1;
                if !headroom.counted("a", made, 10_000) {
                    break;
                }
            }
            made += 1;
        }
        assert_eq!(made, 10_000);
        assert!(counts < 100, "{counts}");
        assert!(!headroom.take(&"b") && headroom.counted("b", 9_999, 10_000) && !headroom.take(&"b"));
    }
}
