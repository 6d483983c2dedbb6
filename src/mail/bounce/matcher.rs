//! Finds the phrases of all rules in a text at once. The time grows with the text alone.
use std::collections::HashMap;

use aho_corasick::AhoCorasick;

use crate::mail::bounce::plain::{Plain, phrase};
use crate::mail::bounce::rules::{Rule, RuleError};

/// Octets that may stand between two parts of a phrase.
const GAP_MAX: usize = 48;
/// Places that are kept of one text; what comes after is not looked at.
const HITS_MAX: usize = 1_000;

/// What a pattern is to its rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Fits,
    Unless,
}

struct Pattern {
    rule: usize,
    role: Role,
    /// Its parts, by their number, in order.
    parts: Vec<usize>,
}

/// Patterns over one of the two forms of a text.
struct Half {
    finder: AhoCorasick,
    patterns: Vec<Pattern>,
    /// The patterns that begin with a part.
    starting: Vec<Vec<usize>>,
}

/// Where a rule's phrase is in the words of a text, or in its marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub rule: usize,
    pub in_words: bool,
    pub start: usize,
    pub end: usize,
    /// Whether nothing else stands within it.
    pub whole: bool,
}

/// What was found in a text.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The places of phrases.
    pub places: Vec<Place>,
    /// Rules that do not fit with this text.
    pub excluded: Vec<usize>,
}

/// The phrases of a table of rules.
pub(super) struct Matcher {
    words: Half,
    marks: Half,
}

impl Matcher {
    /// Of these rules, which are known by their numbers.
    ///
    /// # Errors
    /// When there is too much of it.
    pub(super) fn new(rules: &[Rule]) -> Result<Self, RuleError> {
        let (mut words, mut marks) = (Vec::new(), Vec::new());
        for (number, rule) in rules.iter().enumerate() {
            words.extend(rule.words.iter().map(|text| (number, Role::Fits, parts(text))));
            words.extend(rule.unless.iter().map(|text| (number, Role::Unless, parts(text))));
            marks.extend(rule.marks.iter().map(|text| (number, Role::Fits, vec![text.to_lowercase()])));
        }
        Ok(Self { words: Half::new(words)?, marks: Half::new(marks)? })
    }

    /// Looks for them.
    pub(super) fn find(&self, plain: &Plain) -> Found {
        let mut found = Found::default();
        self.words.find(&plain.words, true, &mut found);
        self.marks.find(&plain.marks, false, &mut found);
        found
    }
}

/// The parts of a phrase in their plain form. One that is nothing but codes or links says nothing and is left out.
fn parts(text: &str) -> Vec<String> {
    text.split(" .. ").map(phrase).filter(|part| !part.trim().is_empty()).collect()
}

impl Half {
    fn new(phrases: Vec<(usize, Role, Vec<String>)>) -> Result<Self, RuleError> {
        let mut known: HashMap<String, usize> = HashMap::new();
        let (mut texts, mut patterns) = (Vec::new(), Vec::new());
        for (rule, role, parts) in phrases {
            let mut number = |part: String| {
                *known.entry(part).or_insert_with_key(|part| {
                    texts.push(part.clone());
                    texts.len() - 1
                })
            };
            let parts: Vec<usize> = parts.into_iter().map(&mut number).collect();
            if !parts.is_empty() {
                patterns.push(Pattern { rule, role, parts });
            }
        }
        let mut starting = vec![Vec::new(); texts.len()];
        for (at, pattern) in patterns.iter().enumerate() {
            if let Some(list) = pattern.parts.first().and_then(|first| starting.get_mut(*first)) {
                list.push(at);
            }
        }
        let finder = AhoCorasick::new(&texts).map_err(|error| RuleError::new(format!("too many phrases: {error}")))?;
        Ok(Self { finder, patterns, starting })
    }

    fn find(&self, text: &str, in_words: bool, found: &mut Found) {
        let hits = self.finder.find_overlapping_iter(text).take(HITS_MAX);
        let hits: Vec<(usize, usize, usize)> =
            hits.map(|hit| (hit.pattern().as_usize(), hit.start(), hit.end())).collect();
        for (at, (part, start, end)) in hits.iter().enumerate() {
            for pattern in self.starting.get(*part).into_iter().flatten() {
                let Some(pattern) = self.patterns.get(*pattern) else { continue };
                let rest = pattern.parts.get(1..).unwrap_or_default();
                let Some(end) = follow(rest, *end, hits.get(at + 1..).unwrap_or_default()) else { continue };
                match pattern.role {
                    Role::Fits => {
                        let whole = rest.is_empty();
                        found.places.push(Place { rule: pattern.rule, in_words, start: *start, end, whole });
                    }
                    Role::Unless => found.excluded.push(pattern.rule),
                }
            }
        }
    }
}

/// Where the last of `parts` ends, if they follow on each other from `end` on.
fn follow(parts: &[usize], end: usize, hits: &[(usize, usize, usize)]) -> Option<usize> {
    let mut end = end;
    for part in parts {
        // Hits come in the order of their ends, so the first one that begins late enough is the nearest.
        let near = |hit: &&(usize, usize, usize)| hit.0 == *part && (end..=end + GAP_MAX).contains(&hit.1);
        end = hits.iter().find(near)?.2;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::bounce::plain::plain;
    use crate::mail::bounce::rules::Rules;

    #[test]
    fn parts_stand_near_each_other_and_words_begin_where_words_begin() {
        let text = "[[rule]]\nname = \"x\"\ncause = \"rate\"\nsource = \"us\"\nwords = [\"one .. two\", \"不明\"]\nmarks = [\"a?b\"]\n\
                    unless = [\"never\"]\n";
        let rules = Rules::with_own("x", text).expect("good");
        let own: Vec<Rule> = rules.iter().filter(|rule| rule.own).cloned().collect();
        let matcher = Matcher::new(&own).expect("small");
        for (text, fits) in [
            ("one two", true),
            ("One, and then TWO!", true),
            ("two one", false),
            ("none two", false),
            (&format!("one {} two", "x ".repeat(40)), false),
            ("宛先不明です", true),
            ("http://x.example/a?b", true),
        ] {
            let found = matcher.find(&plain(text));
            assert_eq!(!found.places.is_empty(), fits, "{text}");
        }
        assert_eq!(matcher.find(&plain("one two never")).excluded, [0]);
        let many = matcher.find(&plain(&"one two ".repeat(10_000)));
        assert!(many.places.len() <= HITS_MAX);
    }
}
