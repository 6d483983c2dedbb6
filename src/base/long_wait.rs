//! A request that begins to wait for seconds says so. Whoever serves the connection can put away meanwhile what only a request
//! in motion needs.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a request waits for seconds: one value for the request and for the connection that serves the request. Cheap to clone;
/// 24 octets for each request.
#[derive(Clone, Debug, Default)]
pub struct LongWait(Arc<AtomicBool>);

impl LongWait {
    /// Says that the request may wait for seconds from here on.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the request has said so. Both sides are parts of one task, so no order of memory is needed.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_side_hears_of_it_and_no_other_request_does() {
        let (request, other) = (LongWait::default(), LongWait::default());
        let connection = request.clone();
        assert!(!connection.has_begun());
        request.begin();
        assert!(connection.has_begun() && !other.has_begun());
    }
}
