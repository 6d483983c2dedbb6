//! Pages of the lists of all services: the tokens that lead to the next page, how many entries a page has, and what is said of
//! what cannot be. A token is the key of the last entry of the page before, in base64.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::{Page, PageRequest};

/// Characters of a token that is read: no key of a list is as long.
const TOKEN_MAX: usize = 2_048;
/// Characters of a token that an error shows.
const SHOWN_MAX: usize = 256;

/// The token of the page after the entry of this name.
pub fn token(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

/// The name in a token; `None` for what is no token.
pub fn name(token: &str) -> Option<String> {
    let name = String::from_utf8(octets(token)?).ok()?;
    (!name.contains('\0')).then_some(name)
}

/// The token of the page after the entry of this number.
pub fn number_token(number: i64) -> String {
    URL_SAFE_NO_PAD.encode(number.to_be_bytes())
}

/// The number in a token; `None` for what is no token.
pub fn number(token: &str) -> Option<i64> {
    octets(token)?.try_into().ok().map(i64::from_be_bytes)
}

/// What an answer shows of a page: the entries, and the token of the next page where there is one.
pub fn shown<T>(page: Page<T>) -> (Vec<T>, Option<String>) {
    (page.items, page.next.as_deref().map(token))
}

/// The same for a list whose entries have numbers.
pub fn shown_by_number<T>(page: Page<T, i64>) -> (Vec<T>, Option<String>) {
    (page.items, page.next.map(number_token))
}

fn octets(token: &str) -> Option<Vec<u8>> {
    if token.len() > TOKEN_MAX {
        return None;
    }
    URL_SAFE_NO_PAD.decode(token).ok()
}

/// How many entries a page of a list has, and what the service says of a number or a token that cannot be.
pub struct PageRules {
    /// Entries of a page where none are asked for.
    pub usual: i32,
    /// Entries of a page at most.
    pub largest: i32,
    /// What becomes of another number.
    pub out_of_range: OutOfRange,
    /// What is said of a token that no list gave, by the token's first 256 characters.
    pub bad_token: fn(&str) -> String,
}

/// What becomes of a number of entries that is out of range.
pub enum OutOfRange {
    /// So many are taken.
    Take(i32),
    /// It is an error of this text.
    Refuse(fn(i32) -> String),
}

impl PageRules {
    /// Reads which page is asked for. An empty token is none.
    ///
    /// # Errors
    /// The service's text for a number or a token that cannot be; the number is looked at first.
    pub fn read(&self, token: Option<&str>, size: Option<i32>) -> Result<PageRequest, String> {
        let size = match (size.unwrap_or(self.usual), &self.out_of_range) {
            (size, _) if (1..=self.largest).contains(&size) => size,
            (_, OutOfRange::Take(otherwise)) => *otherwise,
            (size, OutOfRange::Refuse(text)) => return Err(text(size)),
        };
        let after = match token {
            None | Some("") => String::new(),
            Some(token) => {
                let shown = || token.chars().take(SHOWN_MAX).collect::<String>();
                name(token).ok_or_else(|| (self.bad_token)(&shown()))?
            }
        };
        Ok(PageRequest { after, size: usize::try_from(size).unwrap_or(1) })
    }

    /// How many entries to read at once of a list that is filtered or not: as many as are wanted, but more where the filter may pass
    /// over most of the entries.
    pub fn lot(&self, asked: &PageRequest, is_filtered: bool) -> i64 {
        if is_filtered { i64::from(self.largest) } else { asked.limit() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_holds_a_name_or_a_number_and_nothing_else_is_one() {
        for text in ["", "a.example", "\u{e4}@b.example"] {
            assert_eq!(name(&token(text)).as_deref(), Some(text));
        }
        for n in [0, 100, i64::MAX, -1] {
            assert_eq!(number(&number_token(n)), Some(n));
        }
        for bad in ["what?", "YQ==", &token("\0"), &"A".repeat(TOKEN_MAX + 1), "_w"] {
            assert_eq!(name(bad), None, "{bad}");
        }
        for bad in ["what", &token("a.example"), ""] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_page_is_read_by_the_rules_of_its_list() {
        let taken = PageRules { usual: 10, largest: 100, out_of_range: OutOfRange::Take(50), bad_token: str::to_owned };
        for (asked, size) in [(None, 10), (Some(100), 100), (Some(0), 50), (Some(101), 50), (Some(-1), 50)] {
            let page = taken.read(Some(&token("a")), asked).expect("a page");
            assert_eq!((page.after.as_str(), page.size), ("a", size));
        }
        let refused = PageRules { out_of_range: OutOfRange::Refuse(|size| format!("not {size}")), ..taken };
        assert_eq!(refused.read(None, Some(101)), Err("not 101".to_owned()));
        assert_eq!(refused.read(Some(&"?".repeat(300)), None), Err("?".repeat(256)));
        let page = refused.read(Some(""), Some(1)).expect("a page");
        assert_eq!((page.after.as_str(), refused.lot(&page, false), refused.lot(&page, true)), ("", 2, 100));
    }
}
