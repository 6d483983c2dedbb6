//! Digits in a text, and what they are when they stand together: the ground that cards, phones and national numbers share.

/// The most groups, and so the most digits, that are looked at together.
const GROUPS_MAX: usize = 20;

/// Digits that stand together without anything between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Where the first digit stands.
    pub start: usize,
    /// Where the last one ends.
    pub end: usize,
}

impl Group {
    pub(super) fn len(self) -> usize {
        self.end - self.start
    }
}

/// A text with its groups of digits.
pub(super) struct Numbers<'a> {
    pub text: &'a str,
    pub groups: Vec<Group>,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (at, octet) in text.bytes().enumerate() {
            if !octet.is_ascii_digit() {
                continue;
            }
            match groups.last_mut() {
                Some(last) if last.end == at => last.end = at + 1,
                _ => groups.push(Group { start: at, end: at + 1 }),
            }
        }
        Self { text, groups }
    }

    /// Goes through the groups. From each on, the longest row of groups whose separators `joins` lets pass, and then shorter
    /// ones, until `is_one` says that a row is what it looks for; the search goes on behind it. A row that is part of a longer
    /// word is none.
    pub(super) fn rows(&self, joins: impl Fn(&str) -> bool, is_one: impl Fn(&Row<'_>) -> bool) -> Vec<(usize, usize)> {
        let (mut found, mut at) = (Vec::new(), 0);
        while let Some(first) = self.groups.get(at) {
            let mut count = 1;
            if begins_here(self.text, first.start) {
                while count < GROUPS_MAX {
                    let (Some(last), Some(next)) = (self.groups.get(at + count - 1), self.groups.get(at + count))
                    else {
                        break;
                    };
                    if !self.text.get(last.end..next.start).is_some_and(&joins) {
                        break;
                    }
                    count += 1;
                }
                let longest = (1..=count).rev().find_map(|count| {
                    let row = Row { text: self.text, groups: self.groups.get(at..at + count)? };
                    (ends_here(self.text, row.end()) && is_one(&row)).then_some((row, count))
                });
                if let Some((row, of)) = longest {
                    found.push((row.start(), row.end()));
                    at += of;
                    continue;
                }
            }
            at += 1;
        }
        found
    }
}

/// Some groups that stand in a row.
pub(super) struct Row<'a> {
    pub text: &'a str,
    pub groups: &'a [Group],
}

impl Row<'_> {
    pub(super) fn start(&self) -> usize {
        self.groups.first().map_or(0, |group| group.start)
    }

    pub(super) fn end(&self) -> usize {
        self.groups.last().map_or(0, |group| group.end)
    }

    /// How many digits there are.
    pub(super) fn count(&self) -> usize {
        self.groups.iter().map(|group| group.len()).sum()
    }

    /// All digits, as numbers.
    pub(super) fn digits(&self) -> Vec<u8> {
        let octets =
            self.groups.iter().flat_map(|group| self.text.get(group.start..group.end).unwrap_or_default().bytes());
        octets.map(|octet| octet - b'0').collect()
    }

    /// Whether the groups have these lengths.
    pub(super) fn has_shape(&self, lengths: &[usize]) -> bool {
        self.groups.iter().map(|group| group.len()).eq(lengths.iter().copied())
    }
}

/// Luhn's check, of the digits of cards and Canadian numbers.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| {
            let doubled = u32::from(*digit) * if n % 2 == 1 { 2 } else { 1 };
            doubled / 10 + doubled % 10
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether something may begin here: no letter or digit stands before, nor a mark that joins it to a digit.
pub(super) fn begins_here(text: &str, at: usize) -> bool {
    let mut before = text.get(..at).unwrap_or_default().chars().rev();
    match before.next() {
        Some(c) if c.is_alphanumeric() => false,
        Some('-' | '.' | '/' | '_') => !before.next().is_some_and(|c| c.is_ascii_digit()),
        _ => true,
    }
}

/// Whether something may end here.
pub(super) fn ends_here(text: &str, at: usize) -> bool {
    let mut after = text.get(at..).unwrap_or_default().chars();
    match after.next() {
        Some(c) if c.is_alphanumeric() => false,
        Some('-' | '.' | '/' | '_') => !after.next().is_some_and(|c| c.is_ascii_digit()),
        _ => true,
    }
}
