//! Lists in pages of 100, as SNS gives them. The key of an entry is its number in the store.
use crate::base::Page;

/// How many entries a page has at the most.
pub(in crate::topics) const SIZE: usize = 100;
/// How many to ask the store for: one more tells whether there is another page.
pub(in crate::topics) const ASK: u32 = 101;

/// A page of SNS's lists. `next` is the number of the last entry on the page.
pub type NumberedPage<T> = Page<T, i64>;

/// Makes a page of what the store gave. Each entry comes with its number.
pub(in crate::topics) fn of<T>(rows: Vec<(i64, T)>) -> NumberedPage<T> {
    of_size(rows, SIZE)
}

/// The same with `size` entries, 1 to 100.
pub(in crate::topics) fn of_size<T>(rows: Vec<(i64, T)>, size: usize) -> NumberedPage<T> {
    Page::cut(rows, size, |(id, _)| *id).map(|(_, item)| item)
}
