//! Words that make a number what it is: "card" near sixteen digits. Found in one pass, whatever they are.
use aho_corasick::AhoCorasick;

/// How far a word may stand from what it explains, in octets. SNS says "in proximity".
const NEAR: usize = 100;
/// The longest that a word is in a text: its letters, and a mark between each two.
const LONGEST: usize = 128;

/// Where a text has the words of a list, in order.
pub(super) struct Keywords(Vec<(usize, usize)>);

impl Keywords {
    /// Finds the words of a list. Upper and lower case are the same; where a word has a space, the text may have none, or a
    /// hyphen or underscore ("creditCard", "credit_card").
    pub(super) fn of(text: &str, words: &[&str]) -> Self {
        let folded: Vec<String> = words.iter().map(|word| word.chars().filter(|c| !is_mark(*c)).collect()).collect();
        let Ok(finder) = AhoCorasick::builder().ascii_case_insensitive(true).build(&folded) else {
            return Self(vec![]);
        };
        let (mut letters, mut places) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
        for (place, octet) in text.bytes().enumerate() {
            if !is_mark(char::from(octet)) {
                letters.push(octet);
                places.push(place);
            }
        }
        let place = |n: usize| places.get(n).copied().unwrap_or(text.len());
        let whole = finder.find_overlapping_iter(&letters).filter_map(|found| {
            let (start, end) = (place(found.start()), place(found.end().saturating_sub(1)) + 1);
            is_whole(text, start, end).then_some((start, end))
        });
        let mut whole: Vec<(usize, usize)> = whole.collect();
        whole.sort_unstable();
        Self(whole)
    }

    /// Whether one of them stands near a place of the text, before it or after it.
    pub(super) fn near(&self, start: usize, end: usize) -> bool {
        let from = self.0.partition_point(|(begins, _)| begins + NEAR + LONGEST < start);
        let beside = |(begins, ends): &(usize, usize)| {
            (*ends <= start && start - ends <= NEAR) || (*begins >= end && begins - end <= NEAR)
        };
        self.0.iter().skip(from).take_while(|(begins, _)| *begins <= end + NEAR).any(beside)
    }
}

fn is_mark(c: char) -> bool {
    matches!(c, ' ' | '_' | '-')
}

/// Whether these letters are a word of their own: no letter follows or comes before, but a capital that begins one.
fn is_whole(text: &str, start: usize, end: usize) -> bool {
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let (before, first) = (part(0, start).chars().next_back(), part(start, text.len()).chars().next());
    let (last, after) = (part(0, end).chars().next_back(), part(end, text.len()).chars().next());
    let joined = |a: Option<char>, b: Option<char>| match (a, b) {
        (Some(a), Some(b)) => a.is_alphabetic() && b.is_alphabetic() && !(a.is_lowercase() && b.is_uppercase()),
        _ => false,
    };
    !joined(before, first) && !joined(last, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(text: &str, words: &[&str]) -> bool {
        let at = text.find('1').expect("a number");
        Keywords::of(text, words).near(at, at + 1)
    }

    #[test]
    fn words_count_in_every_spelling_and_only_whole() {
        for text in
            ["credit card 1", "CREDIT-CARD: 1", "creditCard=1", "credit_card 1", "1 (credit card)", "myCreditCard1"]
        {
            assert!(near(text, &["credit card"]), "{text}");
        }
        for text in ["discard 1", "cardinal 1", "1", "kard 1"] {
            assert!(!near(text, &["card", "pan"]), "{text}");
        }
        assert!(near("móvel 1", &["móvel"]) && near("ss# 1", &["ss#"]));
        assert!(near(&format!("card{}1", " ".repeat(100)), &["card"]));
        assert!(!near(&format!("card{}1", " ".repeat(101)), &["card"]));
    }
}
