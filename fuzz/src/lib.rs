//! What the targets share: an allocator that counts, so that bounded memory is an assertion and not a hope.
#![allow(unsafe_code, reason = "an allocator cannot be written without; it passes everything on")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn grown(by: usize) {
    let live = LIVE.fetch_add(by, Ordering::Relaxed) + by;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// Passes everything on to the system's allocator and only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may be there at one time.
        grown(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Does `work`, which may hold at most `limit` octets of memory at one time beyond what there was.
#[track_caller]
pub fn bounded<T>(limit: usize, work: impl FnOnce() -> T) -> T {
    let before = LIVE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let done = work();
    let held = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(held <= limit, "it took {held} octets of memory, and {limit} are allowed");
    done
}

/// Whether each CR and LF stands in a CRLF.
pub fn has_only_crlf(octets: &[u8]) -> bool {
    let mut before = 0;
    let good = octets.iter().all(|byte| {
        let fits = (before == b'\r') == (*byte == b'\n');
        before = *byte;
        fits
    });
    good && before != b'\r'
}
