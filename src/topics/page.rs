//! Lists in pages of 100, as SNS gives them. A page token is the number of the last thing on the page before.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::topics::Error;

/// How many a page has at the most.
pub(in crate::topics) const SIZE: usize = 100;
/// How many to ask the store for: one more tells whether there is another page.
pub(in crate::topics) const ASK: u32 = 101;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// What to ask for the next page with; `None` on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of what the store gave. Each item comes with its number.
    pub(in crate::topics) fn of(rows: Vec<(i64, T)>) -> Self {
        Self::of_size(rows, SIZE)
    }

    /// The same with `size` items, 1 to 100.
    pub(in crate::topics) fn of_size(mut rows: Vec<(i64, T)>, size: usize) -> Self {
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).map(|(id, _)| URL_SAFE_NO_PAD.encode(id.to_be_bytes()));
        Self { items: rows.into_iter().map(|(_, item)| item).collect(), next }
    }
}

/// The number after which a page starts.
pub(in crate::topics) fn after(token: Option<&str>) -> Result<i64, Error> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(0) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| Error::PageToken)?;
    bytes.try_into().map(i64::from_be_bytes).map_err(|_| Error::PageToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_to_the_next_page_and_only_when_there_is_one() {
        let page = Page::of((1..=101).map(|n| (n, n)).collect());
        assert_eq!((page.items.len(), page.items.last()), (100, Some(&100)));
        assert_eq!(after(page.next.as_deref()).expect("our token"), 100);
        assert_eq!(Page::of((1..=100).map(|n| (n, n)).collect()).next, None);
        assert!(matches!(after(Some("what")), Err(Error::PageToken)));
        assert_eq!(after(None).expect("no token"), 0);
    }
}
