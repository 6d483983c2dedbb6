//! What becomes of a text: denied, changed, or passed on as it is.
use std::collections::BTreeSet;

use crate::topics::protection::policy::{Operation, Statement};
use crate::topics::protection::{Findings, FoundAt, Identifier};

/// What was judged of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Whether a statement denies it, or all of it would have to go.
    pub denied: bool,
    /// The text without what was found, where that differs.
    pub changed: Option<String>,
}

/// The kinds of data that statements look for, each once.
pub(crate) fn wanted<'a>(statements: impl IntoIterator<Item = &'a Statement>) -> BTreeSet<Identifier> {
    statements.into_iter().flat_map(|of| of.identifiers.iter().copied()).collect()
}

/// Judges a text, in which this was found, by statements. The time is that of the text's length and of the findings' number.
pub(crate) fn judge(text: &str, findings: &Findings, statements: &[Statement]) -> Judged {
    let found = |of: &Statement| of.identifiers.iter().any(|identifier| findings.contains_key(identifier));
    let mut denied = statements.iter().any(|of| of.operation == Operation::Deny && found(of));
    let mut spans: Vec<(FoundAt, Option<char>)> = Vec::new();
    let mut taken = BTreeSet::new();
    for of in statements {
        let instead = match of.operation {
            Operation::Mask(mask) => Some(mask),
            Operation::Redact => None,
            Operation::Audit(_) | Operation::Deny => continue,
        };
        // Of two statements about one kind of data the first counts.
        for identifier in of.identifiers.iter().filter(|identifier| taken.insert(**identifier)) {
            let those = findings.get(identifier).into_iter().flatten();
            spans.extend(those.map(|place| (*place, instead)));
        }
    }
    if spans.is_empty() {
        return Judged { denied, changed: None };
    }
    // Of those that begin together the first counts: the sort keeps their order.
    spans.sort_by_key(|(place, _)| place.start);
    let (changed, rest) = without(text, &spans);
    // "When the entire message is sensitive" its publisher is refused.
    denied |= !rest;
    Judged { denied, changed: (changed != text).then_some(changed) }
}

/// The text without what stands at these places, and whether anything else is in it.
fn without(text: &str, spans: &[(FoundAt, Option<char>)]) -> (String, bool) {
    let (mut changed, mut rest, mut at) = (String::with_capacity(text.len()), false, 0);
    for (FoundAt { start, end, bare }, instead) in spans {
        let start = (*start).max(at);
        if start >= *end {
            continue;
        }
        let between = text.get(at..start).unwrap_or_default();
        changed.push_str(between);
        rest |= !between.trim().is_empty();
        let quote = bare.map_or_else(String::new, quote);
        changed.push_str(&quote);
        if let Some(mask) = instead {
            // The quotes take the place of characters.
            let count = text.get(start..*end).unwrap_or_default().chars().count();
            let count = if bare.is_some() { count.saturating_sub(2 * quote.len()).max(1) } else { count };
            changed.extend(std::iter::repeat_n(*mask, count));
        }
        changed.push_str(&quote);
        at = *end;
    }
    let behind = text.get(at..).unwrap_or_default();
    changed.push_str(behind);
    (changed, rest || !behind.trim().is_empty())
}

/// What begins and ends a string that stands in so many others, each of which escapes it once more.
fn quote(depth: usize) -> String {
    (0..depth).fold("\"".to_owned(), |quote, _| quote.replace('\\', "\\\\").replace('"', "\\\""))
}
