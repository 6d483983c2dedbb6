//! A future that begins to wait for seconds says so, and who polls it can put away meanwhile what only others need.
use std::cell::Cell;

thread_local! {
    static LONG: Cell<bool> = const { Cell::new(false) };
}

/// Says that the future that is polled now may wait for seconds from here on. Costs nothing where nobody asks.
pub fn begin() {
    LONG.set(true);
}

/// Runs `poll`, and tells whether [`begin`] was called in it.
pub fn watch<T>(poll: impl FnOnce() -> T) -> (T, bool) {
    let outer = LONG.replace(false);
    let polled = poll();
    (polled, LONG.replace(outer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_watches_hears_of_what_begins_meanwhile_and_of_nothing_else() {
        assert!(!watch(|| ()).1);
        let (inner, outer) = watch(|| {
            begin();
            watch(|| ()).1
        });
        assert_eq!((inner, outer), (false, true));
        assert!(!watch(|| ()).1);
    }
}
