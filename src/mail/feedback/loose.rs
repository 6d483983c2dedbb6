//! Bounces that do not follow RFC 3464: qmail's text, Exim's and Google's field, Domino's, Exchange's and everybody's own
//! words. Told from other mail by who writes and by the subject or well-known sentences; the reason is looked for in the text
//! before the copy of the original.
use crate::mail::bounce::{self, Classifier, Said};
use crate::mail::feedback::automatic::from_server;
use crate::mail::feedback::dsn;
use crate::mail::feedback::passage::{Passage, before_copy, is_address, passages};
use crate::mail::feedback::report::{Action, Fate, Read, Report, line};
use crate::mail::feedback::speech::{DELAYS, SENTENCES, SUBJECTS, SUCCESSES, has};

/// Lines that follow the one with a reason and belong to it.
const MORE_LINES: usize = 3;
/// Lines of a text that are looked at.
const LINES_MAX: usize = 100;
/// Lines that are looked at behind the mark of the copy.
const LINES_BEHIND: usize = 4;
/// Recipients of one report.
const RECIPIENTS_MAX: usize = 60;

/// Reads such a bounce, if the message is one.
pub fn read(message: &Read<'_>) -> Option<Report> {
    let all = message.text();
    let text = before_copy(&all);
    let named = message.field("X-Failed-Recipients");
    // A person may write any of these words; a server writes with the null sender or from a well-known name.
    let by_server = from_server(message);
    let worded = tells(message);
    if !(message.null || by_server) || !(worded || named.is_some() || by_server && is_known(text)) {
        return None;
    }
    if let Some(report) = fields_in(text) {
        return Some(report);
    }
    let subject = message.subject().to_lowercase();
    let action = action(&subject, &text.to_lowercase());
    let answers = message.field("Auto-Submitted").unwrap_or_default().trim().to_ascii_lowercase();
    // An answer of a person's program: what went well is something else.
    if action == Action::Fine && !by_server && answers.starts_with("auto-replied") {
        return None;
    }
    let passages = passages(text);
    let mut recipients: Vec<Fate> = Vec::new();
    if let Some(list) = named {
        recipients
            .extend(list.split(',').take(RECIPIENTS_MAX).map(|address| named_fate(address.trim(), &passages, action)));
    }
    if recipients.is_empty() {
        let mut told: Vec<&str> = Vec::new();
        for address in passages.iter().filter_map(|passage| passage.address.as_deref()) {
            if !told.iter().any(|known| known.eq_ignore_ascii_case(address)) {
                told.push(address);
            }
        }
        recipients.extend(told.into_iter().take(RECIPIENTS_MAX).map(|address| named_fate(address, &passages, action)));
    }
    // Some write the address in a sentence: whoever is meant, the return path tells.
    if recipients.is_empty() || recipients.iter().all(|fate| !says_something(fate)) {
        let whole = fate(&whole(text), action);
        // Some put the reason behind the mark of the copy.
        let whole = if says_something(&whole) { whole } else { fate(&behind_mark(&all, text), action) };
        if recipients.is_empty() {
            recipients.push(Fate { addresses: addresses(text), ..whole.clone() });
        }
        for fate in &mut recipients {
            let addresses = std::mem::take(&mut fate.addresses);
            *fate = Fate { addresses, near: false, ..whole.clone() };
        }
    }
    // A text may tell of the delays before: a code of class 5 is the end.
    if !has(&subject, DELAYS) {
        recipients.iter_mut().filter(|fate| fate.action == Action::Delayed && is_final(fate)).for_each(|fate| {
            fate.action = Action::Failed;
        });
    }
    // A person's mail with such a subject, and nothing in it that we know.
    let lower = text.to_lowercase();
    let sure = by_server || named.is_some() || action != Action::Failed || has(&lower, SENTENCES);
    (sure || recipients.iter().any(says_something)).then_some(Report { reporting_mta: None, recipients })
}

fn whole(text: &str) -> Passage {
    let mut passage = Passage::default();
    text.lines().take(LINES_MAX).for_each(|text| passage.add(text, LINES_MAX));
    passage
}

/// The text, and a few lines behind the mark where the copy should begin.
fn behind_mark(all: &str, text: &str) -> Passage {
    let behind = all.get(text.len()..).unwrap_or_default().lines().filter(|text| !text.trim().is_empty());
    let mut passage = whole(text);
    behind.take(LINES_BEHIND).for_each(|text| passage.add(text, LINES_MAX + LINES_BEHIND));
    passage
}

/// Whether the subject or the text has words of a bounce.
pub fn tells(message: &Read<'_>) -> bool {
    let subject = message.subject().to_lowercase();
    if has(&subject, SUBJECTS) || has(&subject, DELAYS) || has(&subject, SUCCESSES) {
        return true;
    }
    let text = message.text();
    let text = before_copy(&text).to_lowercase();
    has(&text, SENTENCES) || has(&text, DELAYS) || has(&text, SUCCESSES)
}

/// Whether the text has what a server gives as a reason: a code, or an address with words that we know below it.
pub fn gives_reason(message: &Read<'_>) -> bool {
    let text = message.text();
    let text = before_copy(&text);
    let coded = |text: &str| bounce::enhanced(text).is_some() || bounce::reply_code(text).is_some();
    text.lines().take(LINES_MAX).any(coded)
        || passages(text).iter().any(|passage| passage.address.is_some() && is_known(&passage.text()))
}

/// Fields of RFC 3464 in the text itself.
fn fields_in(text: &str) -> Option<Report> {
    let lower = text.to_ascii_lowercase();
    let at = ["\nreporting-mta:", "\nfinal-recipient:", "\noriginal-recipient:"]
        .iter()
        .filter_map(|name| lower.find(name))
        .min();
    let fields = text.get(at? + 1..)?;
    dsn::report(fields.as_bytes())
}

/// What is told, by the words alone. The subject comes first: a text may say what was, and what will be.
fn action(subject: &str, text: &str) -> Action {
    if has(subject, DELAYS) {
        return Action::Delayed;
    }
    if has(subject, SUCCESSES) || (has(text, SUCCESSES) && !has(text, SENTENCES)) {
        return Action::Fine;
    }
    if has(text, DELAYS) { Action::Delayed } else { Action::Failed }
}

/// Whether a code of class 5 says so.
fn is_final(fate: &Fate) -> bool {
    let code = fate.diagnostic.as_deref().and_then(bounce::reply_code);
    match code {
        Some(code) => code >= 500,
        None => fate.status.as_deref().is_some_and(|status| status.starts_with('5')),
    }
}

fn fate(passage: &Passage, action: Action) -> Fate {
    let diagnostic = reason(&passage.lines);
    let status = diagnostic.as_deref().and_then(bounce::enhanced).map(str::to_owned);
    let addresses = passage.address.iter().cloned().collect();
    let words = passage.text();
    Fate { addresses, action, status, diagnostic, host: None, words, near: true }
}

fn named_fate(address: &str, passages: &[Passage], action: Action) -> Fate {
    let of = |passage: &&Passage| passage.address.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(address));
    let all = |passages: &mut dyn Iterator<Item = &Passage>| -> Vec<String> {
        passages.flat_map(|passage| passage.lines.iter().cloned()).take(LINES_MAX).collect()
    };
    let own = Passage { address: Some(line(address)), lines: all(&mut passages.iter().filter(of)) };
    let said = fate(&own, action);
    if says_something(&said) {
        return said;
    }
    // One reason may stand below several addresses.
    fate(&Passage { lines: all(&mut passages.iter()), ..own }, action)
}

fn says_something(fate: &Fate) -> bool {
    fate.diagnostic.is_some() || is_known(&fate.words)
}

fn is_known(text: &str) -> bool {
    Classifier::default().judge(&Said { text, ..Said::default() }).by_words
}

/// All addresses in a text, wherever they stand.
fn addresses(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || "<>()\"',;[]".contains(c)).filter(|word| word.contains('@'));
    let words = words.map(|word| word.trim_matches([':', '.']).trim_start_matches("mailto:"));
    words.filter(|word| is_address(word)).take(RECIPIENTS_MAX).map(line).collect()
}

/// The first line with a status or a reply code, and what follows it up to an empty line; else the first line with words that we know.
fn reason(lines: &[String]) -> Option<String> {
    let coded = |line: &String| bounce::enhanced(line).is_some() || bounce::reply_code(line).is_some();
    let at = lines.iter().position(coded).or_else(|| lines.iter().position(|line| is_known(line)))?;
    let more = lines.iter().skip(at).take_while(|line| !line.is_empty()).take(1 + MORE_LINES);
    let text = more.cloned().collect::<Vec<_>>().join(" ");
    Some(format!("smtp; {}", line(&text))).filter(|text| text.len() > 6)
}

#[cfg(test)]
mod tests;
