//! Rules: what they are, and how they are read from text. The built-in ones stand in TOML beside this file, the operator's in
//! a file of the settings, both in the same form. Each has a source, and examples that it must judge itself.
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use crate::mail::bounce::cause::Cause;
use crate::mail::bounce::providers;
use crate::mail::bounce::said::Stage;

/// Rules of one file.
const RULES_MAX: usize = 1_000;
/// Phrases of one rule, after its classes were put in.
const PHRASES_MAX: usize = 20_000;
/// Characters of a phrase.
const PHRASE_MAX: usize = 200;

/// The built-in rules, in the order in which they are asked.
const BUILT_IN: [(&str, &str); 8] = [
    ("providers", include_str!("rules/providers.toml")),
    ("recipient", include_str!("rules/recipient.toml")),
    ("mailbox", include_str!("rules/mailbox.toml")),
    ("sender", include_str!("rules/sender.toml")),
    ("content", include_str!("rules/content.toml")),
    ("system", include_str!("rules/system.toml")),
    ("languages", include_str!("rules/languages.toml")),
    ("weak", include_str!("rules/weak.toml")),
];

/// Why rules cannot be used. The text names the rule and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RuleError(String);

impl RuleError {
    /// With this text.
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Words that phrases name as `{name}`.
    #[serde(default)]
    classes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    rule: Vec<Rule>,
}

/// One rule. It fits when one of `words` or `marks` is there (where it has any), all its conditions hold, and none of
/// `unless` is there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rule {
    /// What it is called: letters, digits and hyphens.
    pub name: String,
    /// What it says.
    pub cause: Cause,
    /// Where that is known from.
    pub source: String,
    /// Phrases in the words of the text; ` .. ` between two parts lets up to 48 characters stand between them.
    #[serde(default)]
    pub words: Vec<String>,
    /// Pieces of the whole text in lower case, links and codes too.
    #[serde(default)]
    pub marks: Vec<String>,
    /// Phrases with which it does not fit.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Enhanced status codes: `5.1.1`, or `5.1.` for a subject.
    #[serde(default)]
    pub status: Vec<String>,
    /// Enhanced status codes with which it does not fit, in the same form.
    #[serde(default)]
    pub unless_status: Vec<String>,
    /// Reply codes.
    #[serde(default)]
    pub codes: Vec<u16>,
    /// Class of the refusal: 4 or 5. Where no code was said, it counts as 5.
    pub class: Option<u8>,
    /// Commands that were refused.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// Whose host said it.
    pub provider: Option<String>,
    /// Whether codes are asked before it.
    #[serde(default)]
    pub weak: bool,
    /// Whether it counts also where the status blames the address, although it blames a system or the network.
    #[serde(default)]
    pub firm: bool,
    /// Replies that it has to judge.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Whether it is the operator's, and so is asked before the built-in ones.
    #[serde(skip)]
    pub own: bool,
}

/// A table of rules, with its classes put in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rules {
    pub(super) rules: Arc<Vec<Rule>>,
}

static BUILT_IN_RULES: LazyLock<Result<Rules, RuleError>> = LazyLock::new(|| {
    let (mut rules, mut classes) = (Vec::new(), BTreeMap::new());
    for (name, text) in BUILT_IN {
        read(name, text, &mut classes, &mut rules)?;
    }
    Ok(Rules { rules: Arc::new(rules) })
});

impl Rules {
    /// The built-in ones.
    ///
    /// # Errors
    /// Never, as the tests show.
    pub fn built_in() -> Result<Self, RuleError> {
        BUILT_IN_RULES.clone()
    }

    /// The rules of `text`, before the built-in ones. `name` is the file's, for errors.
    ///
    /// # Errors
    /// When the text is not TOML of this form, or a rule makes no sense.
    pub fn with_own(name: &str, text: &str) -> Result<Self, RuleError> {
        let built_in = Self::built_in()?;
        let (mut rules, mut classes) = (Vec::new(), classes()?);
        read(name, text, &mut classes, &mut rules)?;
        for rule in &mut rules {
            rule.own = true;
        }
        rules.extend(built_in.rules.iter().cloned());
        Ok(Self { rules: Arc::new(rules) })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter()
    }
}

/// The classes of the built-in rules, which others may use too.
fn classes() -> Result<BTreeMap<String, Vec<String>>, RuleError> {
    let (mut rules, mut classes) = (Vec::new(), BTreeMap::new());
    for (name, text) in BUILT_IN {
        read(name, text, &mut classes, &mut rules)?;
    }
    Ok(classes)
}

fn read(
    name: &str,
    text: &str,
    classes: &mut BTreeMap<String, Vec<String>>,
    rules: &mut Vec<Rule>,
) -> Result<(), RuleError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        RuleError::new(format!("{name}, line {}: {}", before.matches('\n').count() + 1, error.message()))
    })?;
    classes.extend(file.classes);
    if file.rule.len() > RULES_MAX {
        return Err(RuleError::new(format!("{name}: more than {RULES_MAX} rules")));
    }
    let mut names: HashSet<String> = rules.iter().map(|rule| rule.name.clone()).collect();
    for mut rule in file.rule {
        let wrong = |what: String| RuleError::new(format!("{name}, rule {:?}: {what}", rule.name));
        let plain = !rule.name.is_empty() && rule.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain || rule.name.len() > 64 {
            return Err(wrong("a name has letters, digits and hyphens, 64 at the most".to_owned()));
        }
        if !names.insert(rule.name.clone()) {
            return Err(wrong("there is another one of this name".to_owned()));
        }
        check(&rule).map_err(wrong)?;
        let (words, unless) =
            (put_in(&rule.words, classes).map_err(wrong)?, put_in(&rule.unless, classes).map_err(wrong)?);
        (rule.words, rule.unless) = (words, unless);
        rules.push(rule);
    }
    Ok(())
}

fn check(rule: &Rule) -> Result<(), String> {
    if rule.source.trim().is_empty() {
        return Err("it has no source".to_owned());
    }
    let nothing = rule.words.is_empty() && rule.marks.is_empty() && rule.status.is_empty() && rule.codes.is_empty();
    if nothing {
        return Err("it has none of words, marks, status and codes".to_owned());
    }
    let phrases = || rule.words.iter().chain(&rule.marks).chain(&rule.unless);
    if let Some(phrase) = phrases().find(|phrase| phrase.chars().count() > PHRASE_MAX || phrase.trim().is_empty()) {
        return Err(format!("{phrase:?} has to have 1 to {PHRASE_MAX} characters"));
    }
    if rule.class.is_some_and(|class| !matches!(class, 4 | 5)) {
        return Err("class is 4 or 5".to_owned());
    }
    if let Some(code) = rule.codes.iter().find(|code| !(400..600).contains(*code)) {
        return Err(format!("{code} is no code of a refusal"));
    }
    let numbers = |status: &&String| {
        let fine = status.starts_with(['4', '5']) && status.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        !fine || status.matches('.').count() != 2
    };
    if let Some(status) = rule.status.iter().chain(&rule.unless_status).find(numbers) {
        return Err(format!("{status:?} is no enhanced status code, such as 5.1.1, or 5.1. for all of them"));
    }
    if let Some(provider) = rule.provider.as_ref().filter(|name| !providers::is_known(name)) {
        return Err(format!("there is no provider {provider:?}"));
    }
    Ok(())
}

/// Puts each word of a class in the place of its name: `{who} unknown`.
fn put_in(phrases: &[String], classes: &BTreeMap<String, Vec<String>>) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut open: Vec<String> = phrases.iter().rev().cloned().collect();
    while let Some(phrase) = open.pop() {
        let Some((before, rest)) = phrase.split_once('{') else {
            out.push(phrase);
            if out.len() > PHRASES_MAX {
                return Err(format!("it has more than {PHRASES_MAX} phrases"));
            }
            continue;
        };
        let (name, after) = rest.split_once('}').ok_or_else(|| format!("{phrase:?} has a {{ without a }}"))?;
        let words = classes.get(name).ok_or_else(|| format!("there is no class {name:?}"))?;
        open.extend(words.iter().rev().map(|word| format!("{before}{word}{after}")));
        if open.len() > 2 * PHRASES_MAX {
            return Err(format!("it has more than {PHRASES_MAX} phrases"));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_rules_can_be_read_and_all_have_examples() {
        let rules = Rules::built_in().expect("good rules");
        assert!(rules.iter().count() > 40);
        for rule in rules.iter() {
            assert!(!rule.examples.is_empty(), "{} has no example", rule.name);
        }
    }

    #[test]
    fn wrong_rules_are_refused_by_name() {
        let rule = |more: &str| format!("[[rule]]\nname = \"x\"\ncause = \"rate\"\nsource = \"us\"\n{more}\n");
        for (text, says) in [
            (rule(""), "none of words"),
            (rule("words = [\"{nobody} x\"]"), "no class \"nobody\""),
            (rule("words = [\"{who x\"]"), "without a }"),
            (rule("words = [\" \"]"), "1 to 200"),
            (rule("codes = [250]"), "250 is no code"),
            (rule("status = [\"2.0.0\"]"), "no enhanced status"),
            (rule("codes = [550]\nunless-status = [\"5.7\"]"), "no enhanced status"),
            (rule("codes = [550]\nprovider = \"nobody\""), "no provider"),
            (rule("codes = [550]\nclass = 3"), "class is 4 or 5"),
            (rule("codes = [550]\ncolour = 1"), "line 6: unknown field"),
            (rule("codes = [550]").repeat(2), "another one"),
            (rule("codes = [550]").replace("rate", "bad"), "line 3: unknown variant"),
            (rule("codes = [550]").replace("\"us\"", "\"\""), "no source"),
            (rule("codes = [550]").replace("\"x\"", "\"a b\""), "letters, digits"),
        ] {
            let error = Rules::with_own("own.toml", &text).expect_err(says).to_string();
            assert!(error.starts_with("own.toml") && error.contains(says), "{says}: {error}");
        }
        assert!(Rules::with_own("own.toml", &rule("codes = [550]")).is_ok());
        assert!(Rules::with_own("own.toml", "").is_ok());
    }
}
