//! Pages of lists: which one is asked for, and what stands on it.
use std::future::Future;

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K = String> {
    /// What stands on it, in the order of the list.
    pub items: Vec<T>,
    /// The key after which the next page begins; `None` on the last page.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// Cuts what was read of a list to a page of `size` entries. One entry more than that tells that there is another page. `key`
    /// gives the key of an entry.
    pub fn cut(mut rows: Vec<T>, size: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > size;
        rows.truncate(size);
        let next = rows.last().filter(|_| more).map(key);
        Self { items: rows, next }
    }

    /// The page with other entries in the place of these.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U, K> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next }
    }
}

impl<T, K> Default for Page<T, K> {
    /// The only page of an empty list.
    fn default() -> Self {
        Self { items: vec![], next: None }
    }
}

/// Which page of a list whose entries have names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The name of the last entry of the page before; empty for the first page.
    pub after: String,
    /// How many entries the page has at most; at least 1.
    pub size: usize,
}

impl PageRequest {
    /// How many entries to read: one more than the page holds, to see whether there is another page.
    pub fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// Cuts what was read to the page. `name` gives the name of an entry.
    pub fn cut<T>(&self, rows: Vec<T>, name: impl Fn(&T) -> &str) -> Page<T> {
        Page::cut(rows, self.size, |row| name(row).to_owned())
    }

    /// The page of a list of which a filter may pass over most entries. `read` gives at most `lot` entries after a name; it is
    /// called until the page is full or the list is over.
    ///
    /// # Errors
    /// Those of `read`.
    pub async fn gather<T, E, F>(
        &self,
        lot: i64,
        mut read: impl FnMut(String) -> F,
        fits: impl Fn(&T) -> bool,
        name: impl Fn(&T) -> &str,
    ) -> Result<Page<T>, E>
    where
        F: Future<Output = Result<Vec<T>, E>>,
    {
        let (mut rows, mut next) = (vec![], Some(self.after.clone()));
        while let Some(after) = next {
            let some = read(after).await?;
            let may_go_on = i64::try_from(some.len()).is_ok_and(|count| count >= lot);
            let last = some.last().map(|row| name(row).to_owned());
            rows.extend(some.into_iter().filter(|row| fits(row)));
            next = last.filter(|_| may_go_on && rows.len() <= self.size);
        }
        Ok(self.cut(rows, name))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn there_is_a_next_page_only_when_more_was_read_than_the_page_holds() {
        let page = Page::cut((1..=101).collect(), 100, |n| *n);
        assert_eq!((page.items.len(), page.next), (100, Some(100)));
        assert_eq!(Page::cut((1..=100).collect(), 100, |n| *n).next, None);
        assert_eq!(Page::cut(Vec::<i64>::new(), 100, |n| *n), Page::default());
        let shown = Page::cut(vec![1, 2], 1, |n| *n).map(|n| n.to_string());
        assert_eq!(shown, Page { items: vec!["1".to_owned()], next: Some(1) });
    }

    #[tokio::test]
    async fn a_filtered_list_is_read_until_the_page_is_full_or_the_list_is_over() {
        let all: Vec<String> = (0..100).map(|n| format!("{n:02}")).collect();
        for (ends, size, wanted, next) in [("0", 3, vec!["00", "10", "20"], Some("20")), ("9", 100, vec![], None)] {
            let asked = PageRequest { after: String::new(), size };
            let read = |after: String| {
                let some: Vec<String> = all.iter().filter(|name| **name > after).take(7).cloned().collect();
                std::future::ready(Ok::<_, Infallible>(some))
            };
            let page = asked.gather(7, read, |name| name.ends_with(ends), |name| name).await;
            let page = page.unwrap_or_else(|never| match never {});
            assert_eq!(page.next.as_deref(), next);
            match wanted.is_empty() {
                true => assert_eq!(page.items.len(), 10),
                false => assert_eq!(page.items, wanted),
            }
        }
    }
}
