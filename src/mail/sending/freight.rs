//! How many octets of messages are held for delivery at once, so that many large mails do not fill the memory.
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// KiB for messages that are not small: six of the largest at once.
const MAX_KIB: u32 = 256 * 1024;
/// Messages up to this size, in KiB, are not counted: as many as there are workers fit beside.
const SMALL_KIB: u32 = 16;

/// What is under way.
#[derive(Clone)]
pub(super) struct Freight(Arc<Semaphore>);

impl Default for Freight {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_KIB as usize)))
    }
}

impl Freight {
    /// Room for a message of `size` octets until it is dropped; `None` when there is none now.
    pub(super) fn load(&self, size: i64) -> Option<Option<OwnedSemaphorePermit>> {
        let kib = u32::try_from(size / 1024).unwrap_or(MAX_KIB).min(MAX_KIB);
        if kib <= SMALL_KIB {
            return Some(None);
        }
        self.0.clone().try_acquire_many_owned(kib).ok().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_mails_wait_for_room_and_small_ones_do_not() {
        let freight = Freight::default();
        let large = 40 * 1024 * 1024;
        let held: Vec<_> = std::iter::from_fn(|| freight.load(large)).collect();
        assert_eq!(held.len(), 6);
        assert!(freight.load(1_000).is_some() && freight.load(i64::MAX).is_none());
        drop(held);
        assert!(freight.load(i64::MAX).is_some(), "one that is larger than all room goes alone");
    }
}
