//! Wakes those who wait for a message when one is committed to their queue.
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use crate::base::{Freshness, Instant};

/// Who waits on which queue. Lives in memory: a wake-up is a hint, the queue itself is in the database.
#[derive(Default)]
pub(in crate::store) struct Wakes {
    bells: Mutex<HashMap<i64, Weak<Bell>>>,
    /// Of what is kept of settings.
    pub(in crate::store) settings: Arc<Freshness>,
}

/// Nobody has looked yet.
const NEVER: i64 = i64::MIN;

/// How often it is confirmed at the most that every change of settings is known.
pub(in crate::store) const CONFIRM_EVERY: Duration = Duration::from_millis(200);

/// Rung in place of a queue's id when settings have changed. No queue has it.
pub(in crate::store) const SETTINGS_CHANGED: i64 = 0;

struct Bell {
    queue_id: i64,
    notify: Notify,
    /// When one of those who wait last looked without being rung, in microseconds of the monotonic clock; [`NEVER`].
    looked: AtomicI64,
    wakes: Weak<Wakes>,
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(wakes) = self.wakes.upgrade() {
            let mut bells = wakes.bells.lock().unwrap_or_else(PoisonError::into_inner);
            // A newer bell may have taken the place already; it stays.
            if bells.get(&self.queue_id).is_some_and(|bell| bell.strong_count() == 0) {
                bells.remove(&self.queue_id);
            }
        }
    }
}

impl Wakes {
    pub(in crate::store) fn waiter(self: &Arc<Self>, queue_id: i64) -> Waiter {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        let bell = bells.get(&queue_id).and_then(Weak::upgrade).unwrap_or_else(|| {
            let bell = Arc::new(Bell {
                queue_id,
                notify: Notify::new(),
                looked: AtomicI64::new(NEVER),
                wakes: Arc::downgrade(self),
            });
            bells.insert(queue_id, Arc::downgrade(&bell));
            bell
        });
        Waiter { bell, rung: false }
    }

    pub(in crate::store) fn ring(&self, queue_id: i64, messages: usize) {
        if queue_id == SETTINGS_CHANGED {
            self.settings.changed();
            return;
        }
        let bell = self.bells.lock().unwrap_or_else(PoisonError::into_inner).get(&queue_id).and_then(Weak::upgrade);
        if let Some(bell) = bell {
            // More waiters than the bell has are not woken: Notify keeps one permit at the most.
            for _ in 0..messages.min(Arc::strong_count(&bell)) {
                bell.notify.notify_one();
            }
        }
    }
}

/// One who waits for messages in a queue. Make it before looking into the queue, so that no message slips between.
pub struct Waiter {
    bell: Arc<Bell>,
    rung: bool,
}

impl Waiter {
    /// Returns once a message may have come. It may be gone again, or be for another: look, and wait again.
    pub async fn rung(&mut self) {
        self.bell.notify.notified().await;
        self.rung = true;
    }

    /// Whether this one is to look for what no bell told of: of all who wait on this node for the same queue one in
    /// each period. So the cost of the looks does not grow with those who wait.
    pub fn takes_turn(&self, now: Instant, period: Duration) -> bool {
        let (now, period) = (now.micros(), i64::try_from(period.as_micros()).unwrap_or(i64::MAX));
        self.bell
            .looked
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| {
                (now.saturating_sub(last) >= period).then_some(now)
            })
            .is_ok()
    }

    /// Says that this one has found what it was woken for, so the wake-up need not be passed on.
    pub fn satisfied(&mut self) {
        self.rung = false;
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Who was woken and leaves without a message passes the wake-up on: the message may become visible later,
        // and then somebody must be awake who knows when.
        if self.rung {
            self.bell.notify.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn is_rung(waiter: &mut Waiter) -> bool {
        tokio::time::timeout(Duration::from_millis(20), waiter.rung()).await.is_ok()
    }

    #[tokio::test]
    async fn one_message_wakes_one_waiter_of_its_queue() {
        let wakes = Arc::new(Wakes::default());
        let (mut a, mut b, mut other) = (wakes.waiter(1), wakes.waiter(1), wakes.waiter(2));
        wakes.ring(1, 1);
        let woken = [is_rung(&mut a).await, is_rung(&mut b).await];
        assert_eq!(woken.iter().filter(|w| **w).count(), 1);
        assert!(!is_rung(&mut other).await);
    }

    #[test]
    fn one_of_those_who_wait_looks_in_each_period() {
        let wakes = Arc::new(Wakes::default());
        let waiters: Vec<_> = (0..100).map(|_| wakes.waiter(1)).collect();
        let (start, period) = (Instant::BEGINNING + Duration::from_secs(1), Duration::from_secs(5));
        for at in [start, start + Duration::from_secs(2), start + Duration::from_secs(5)] {
            let looks = waiters.iter().filter(|waiter| waiter.takes_turn(at, period)).count();
            assert_eq!(looks, usize::from(at != start + Duration::from_secs(2)));
        }
        assert!(wakes.waiter(2).takes_turn(start, period));
    }

    #[tokio::test]
    async fn a_woken_waiter_that_leaves_passes_the_wake_up_on() {
        let wakes = Arc::new(Wakes::default());
        let (mut a, mut b) = (wakes.waiter(1), wakes.waiter(1));
        wakes.ring(1, 1);
        assert!(is_rung(&mut a).await);
        drop(a);
        assert!(is_rung(&mut b).await);
        b.satisfied();
        drop(b);
        assert!(wakes.bells.lock().expect("not poisoned").is_empty());
    }
}
