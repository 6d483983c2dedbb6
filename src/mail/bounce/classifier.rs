//! Says what a refusal means. The order: the operator's rules; then the words of the text, where whatever blames the sender or
//! the content wins over what blames the address; then the enhanced status; then words that say little; then the reply code.
//! Before the recipient is named, and where it may go well later, nothing is said of the address.
use std::sync::{Arc, LazyLock};

use crate::mail::bounce::cause::{Blame, Cause};
use crate::mail::bounce::codes::{by_code, by_status, says_little};
use crate::mail::bounce::matcher::{Found, Matcher, Place};
use crate::mail::bounce::plain::plain_with;
use crate::mail::bounce::providers::{host_of, provider};
use crate::mail::bounce::rules::{Rule, RuleError, Rules};
use crate::mail::bounce::said::{Said, Stage};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Why it was refused.
    pub cause: Cause,
    /// The rule that says so: its name, or `status 5.1.1`, `code 550`, `nothing`.
    pub rule: String,
    /// Where that is known from.
    pub source: String,
    /// Whether words said so, and not only a code.
    pub by_words: bool,
}

impl Finding {
    fn of_rule(rule: &Rule) -> Self {
        Self { cause: rule.cause, rule: rule.name.clone(), source: rule.source.clone(), by_words: !rule.weak }
    }

    fn of_code(cause: Cause, rule: String, source: &str) -> Self {
        Self { cause, rule, source: source.to_owned(), by_words: false }
    }
}

/// Judges refusals by a table of rules. Cheap to clone.
#[derive(Clone)]
pub struct Classifier {
    table: Arc<Table>,
}

struct Table {
    rules: Rules,
    matcher: Option<Matcher>,
}

static BUILT_IN: LazyLock<Classifier> = LazyLock::new(|| {
    // The tests show that they can be read. Were it not so, codes alone would be judged.
    let rules = Rules::built_in().unwrap_or(Rules { rules: Arc::default() });
    let matcher = Matcher::new(&rules.rules).ok();
    Classifier { table: Arc::new(Table { rules, matcher }) }
});

impl Default for Classifier {
    /// With the built-in rules.
    fn default() -> Self {
        BUILT_IN.clone()
    }
}

impl Classifier {
    /// With the operator's rules of this text before the built-in ones. `name` is the file's, for errors.
    ///
    /// # Errors
    /// When a rule is wrong, or does not judge one of its examples.
    pub fn with_own(name: &str, text: &str) -> Result<Self, RuleError> {
        let rules = Rules::with_own(name, text)?;
        let matcher = Matcher::new(&rules.rules)?;
        let classifier = Self { table: Arc::new(Table { rules, matcher: Some(matcher) }) };
        for rule in classifier.table.rules.iter().filter(|rule| rule.own) {
            for example in &rule.examples {
                let found = classifier.judge(&example_of(rule, example));
                if found.rule != rule.name {
                    let what = format!("its example {example:?} is judged by {:?}", found.rule);
                    return Err(RuleError::new(format!("{name}, rule {:?}: {what}", rule.name)));
                }
            }
        }
        Ok(classifier)
    }

    /// Its rules, in their order.
    pub fn rules(&self) -> &Rules {
        &self.table.rules
    }

    /// Judges a refusal.
    pub fn judge(&self, said: &Said<'_>) -> Finding {
        let plain = plain_with(said.text, said.sender);
        let found = self.table.matcher.as_ref().map_or_else(Found::default, |matcher| matcher.find(&plain));
        let fitting = self.fitting(&found, said);
        let own = fitting.iter().filter(|fit| fit.rule.own).min_by_key(|fit| fit.number);
        if let Some(own) = own {
            return Finding { by_words: true, ..Finding::of_rule(own.rule) };
        }
        let found = by_built_in(&fitting, said, &plain.words);
        Finding { cause: of_address(found.cause, said), ..found }
    }

    /// The rules that fit, with the places where.
    fn fitting(&self, found: &Found, said: &Said<'_>) -> Vec<Fit<'_>> {
        let holds = Conditions::of(said);
        let mut fitting = Vec::new();
        for (number, rule) in self.table.rules.iter().enumerate() {
            let mut places = found.places.iter().filter(|place| place.rule == number).peekable();
            let asks = !rule.words.is_empty() || !rule.marks.is_empty();
            let there = !asks || places.peek().is_some();
            if there && !found.excluded.contains(&number) && holds.all(rule) {
                fitting.push(Fit { number, rule, places: places.copied().collect() });
            }
        }
        fitting
    }
}

/// What the built-in rules and the codes say. `words`: the text in its plain form.
fn by_built_in(fitting: &[Fit<'_>], said: &Said<'_>, words: &str) -> Finding {
    let strong = fitting.iter().filter(|fit| !fit.rule.weak && !is_within_better(fit, fitting));
    let strong = strong.min_by_key(|fit| (order(fit.rule, said), fit.number));
    if let Some(strong) = strong.filter(|strong| !is_overruled(strong.rule, said)) {
        return Finding::of_rule(strong.rule);
    }
    let status = said.own_status().unwrap_or_default();
    let by_status = by_status(status).filter(|cause| *cause != Cause::Unclear);
    if let Some(cause) = by_status {
        // A policy that is named after the content was seen is about the content.
        let seen = cause == Cause::Policy && said.own_stage() == Some(Stage::Data);
        let cause = if seen { Cause::Spam } else { cause };
        let source = "RFC 3463 and IANA's registry of enhanced status codes";
        return Finding::of_code(cause, format!("status {status}"), source);
    }
    if let Some(weak) = fitting.iter().filter(|fit| fit.rule.weak).min_by_key(|fit| fit.number) {
        return Finding::of_rule(weak.rule);
    }
    let code = said.own_code();
    if let Some((cause, code)) =
        code.and_then(|code| Some((by_code(code, said.own_stage(), says_little(words))?, code)))
    {
        return Finding::of_code(cause, format!("code {code}"), "RFC 5321, 4.2.3");
    }
    if said.class() == Some(4) {
        return Finding::of_code(Cause::System, "class 4".to_owned(), "RFC 3463, 2");
    }
    Finding::of_code(Cause::Unclear, "nothing".to_owned(), "none")
}

/// What a cause may say of the address. Before RCPT nobody has named the recipient, and class 4 may go well later (RFC 5321,
/// 4.2.1): neither makes an address a bad one.
fn of_address(cause: Cause, said: &Said<'_>) -> Cause {
    match (cause.suppresses(), said.own_stage(), said.class()) {
        (false, ..) => cause,
        (_, Some(Stage::Mail), _) => Cause::SenderAddress,
        (_, Some(Stage::Connect | Stage::Ehlo), _) => Cause::Policy,
        (.., Some(4)) if cause == Cause::NoSuchHost => Cause::Network,
        (.., Some(4)) => Cause::System,
        _ => cause,
    }
}

/// A rule that fits.
struct Fit<'a> {
    number: usize,
    rule: &'a Rule,
    places: Vec<Place>,
}

/// Whether the other side's own status says of the address what these words, which blame a system, only seem to deny.
fn is_overruled(rule: &Rule, said: &Said<'_>) -> bool {
    let vague = matches!(rule.cause, Cause::Network | Cause::System) && !rule.firm;
    let of_address = |status: &str| status.starts_with('5') && by_status(status).is_some_and(Cause::suppresses);
    vague && said.class() == Some(5) && said.text_status().is_some_and(of_address)
}

/// Where a cause stands in the order. What was tried for too long comes before a bad address where the last answer was one
/// that may change.
fn order(rule: &Rule, said: &Said<'_>) -> usize {
    match rule.cause {
        Cause::Expired if said.class() == Some(4) => Cause::TooLarge.rank(),
        cause => cause.rank(),
    }
}

/// Whether all that it found is a part of what a rule about the recipient found: "mailbox is blocked" blames nobody else.
fn is_within_better(fit: &Fit<'_>, all: &[Fit<'_>]) -> bool {
    let of_recipient = |rule: &Rule| matches!(rule.cause.blame(), Blame::Address | Blame::Mailbox);
    if of_recipient(fit.rule) || fit.places.is_empty() {
        return false;
    }
    let better: Vec<&Place> = all
        .iter()
        .filter(|other| of_recipient(other.rule))
        .flat_map(|other| &other.places)
        .filter(|place| place.whole)
        .collect();
    let within = |place: &Place| {
        let holds = |other: &&&Place| {
            let larger = other.end - other.start > place.end - place.start;
            other.in_words == place.in_words && larger && other.start <= place.start && other.end >= place.end
        };
        better.iter().any(|other| holds(&other))
    };
    fit.places.iter().all(within)
}

/// What rules ask of a refusal beside its words.
struct Conditions<'a> {
    status: Option<&'a str>,
    code: Option<u16>,
    class: Option<u8>,
    stage: Option<Stage>,
    provider: Option<&'static str>,
}

impl<'a> Conditions<'a> {
    fn of(said: &'a Said<'_>) -> Self {
        Self {
            status: said.own_status(),
            code: said.own_code(),
            class: said.class(),
            stage: said.own_stage(),
            provider: said.host.and_then(provider),
        }
    }

    fn all(&self, rule: &Rule) -> bool {
        let status = |wanted: &String| {
            self.status.is_some_and(|status| status == wanted || wanted.ends_with('.') && status.starts_with(wanted))
        };
        (rule.status.is_empty() || rule.status.iter().any(status))
            && !rule.unless_status.iter().any(status)
            && (rule.codes.is_empty() || self.code.is_some_and(|code| rule.codes.contains(&code)))
            && rule.class.is_none_or(|class| class == self.class.unwrap_or(5))
            && (rule.stages.is_empty() || self.stage.is_some_and(|stage| rule.stages.contains(&stage)))
            && (rule.provider.is_none() || rule.provider.as_deref() == self.provider)
    }
}

/// An example of a rule as a refusal that meets its conditions.
fn example_of<'a>(rule: &'a Rule, text: &'a str) -> Said<'a> {
    let host = rule.provider.as_deref().and_then(host_of);
    Said { text, host, stage: rule.stages.first().copied(), ..Said::default() }
}

#[cfg(test)]
mod tests;
