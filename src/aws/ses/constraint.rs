//! What breaks a constraint of SES's model, told as its validation does: all of a request together, without the values.
use std::fmt::Display;

use crate::aws::protocol::{Refusal, lower_first};

/// The text of what was found: `2 validation errors detected: …; …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violated(String);

/// The violations of a request, in the order that SES tells them. Paths name members as its model does, each with a small
/// first letter: `rule.actions.1.member.stopAction.scope`.
#[derive(Debug, Default)]
pub struct Violations(Vec<String>);

impl Violations {
    fn add(&mut self, path: &str, constraint: impl Display) {
        self.0.push(format!("Value at '{path}' failed to satisfy constraint: {constraint}"));
    }

    /// Notes a required member that is absent.
    pub fn present<T>(&mut self, path: &str, value: Option<&T>) {
        if value.is_none() {
            self.add(path, "Member must not be null");
        }
    }

    /// Notes a text that is none of `allowed`, which stand in SES's order. An absent one is fine.
    pub fn one_of(&mut self, path: &str, value: Option<&str>, allowed: &[&str]) {
        if value.is_some_and(|value| !allowed.contains(&value)) {
            self.add(path, format_args!("Member must satisfy enum value set: [{}]", allowed.join(", ")));
        }
    }

    /// Notes a list that holds a text that is none of `allowed`.
    pub fn all_of(&mut self, path: &str, values: &[String], allowed: &[&str]) {
        if values.iter().any(|value| !allowed.contains(&value.as_str())) {
            let each = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
            self.add(path, format_args!("Member must satisfy constraint: [{each}]"));
        }
    }

    /// Notes a number out of its range.
    pub fn range(&mut self, path: &str, value: Option<i64>, range: std::ops::RangeInclusive<i64>) {
        match value {
            Some(value) if value < *range.start() => {
                self.add(path, format_args!("Member must have value greater than or equal to {}", range.start()));
            }
            Some(value) if value > *range.end() => {
                self.add(path, format_args!("Member must have value less than or equal to {}", range.end()));
            }
            _ => {}
        }
    }

    /// Notes a text of more than `max` characters.
    pub fn at_most(&mut self, path: &str, value: &str, max: usize) {
        if value.chars().count() > max {
            self.add(path, format_args!("Member must have length less than or equal to {max}"));
        }
    }

    /// Notes a text of fewer or more characters than it may have.
    pub fn length(&mut self, path: &str, value: &str, range: std::ops::RangeInclusive<usize>) {
        let least = *range.start();
        if value.chars().count() < least {
            self.add(path, format_args!("Member must have length greater than or equal to {least}"));
        }
        self.at_most(path, value, *range.end());
    }

    /// Notes the name of a rule or a rule set that is empty or holds other letters than SES's.
    pub fn rule_name(&mut self, path: &str, name: &str) {
        if name.is_empty() {
            self.add(path, "Member must have length greater than or equal to 1");
        }
        let fine = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || !name.chars().all(fine) {
            self.add(path, "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_.-]+$");
        }
    }

    /// Notes a list that holds what is no name of a rule.
    pub fn rule_names(&mut self, path: &str, names: &[String]) {
        let fine = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if names.iter().any(|name| name.is_empty() || name.len() > 100 || !name.chars().all(fine)) {
            let each = "Member must have length less than or equal to 100, Member must have length greater than or equal \
                        to 1, Member must satisfy regular expression pattern: ^[a-zA-Z0-9_.-]+$";
            self.add(path, format_args!("Member must satisfy constraint: [{each}]"));
        }
    }

    /// Nothing was found.
    ///
    /// # Errors
    /// What was found.
    pub fn finish(self) -> Result<(), Violated> {
        let errors = match self.0.len() {
            0 => return Ok(()),
            1 => "error",
            _ => "errors",
        };
        Err(Violated(format!("{} validation {errors} detected: {}", self.0.len(), self.0.join("; "))))
    }
}

/// The text of a request that cannot be decoded.
pub fn refused(refusal: &Refusal) -> String {
    let mut found = Violations::default();
    match refusal {
        Refusal::Missing(path) => found.present::<()>(&lower_first(path), None),
        Refusal::NotInEnum { path, value, allowed } => {
            found.one_of(&lower_first(path), Some(value), &allowed.split(", ").collect::<Vec<_>>());
        }
        _ => {}
    }
    found.finish().map_or_else(|violated| violated.to_string(), |()| refusal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_are_told_together_in_sess_words() {
        let mut found = Violations::default();
        found.rule_name("rule.name", "");
        found.rule_name("after", "a.b");
        found.one_of("rule.tlsPolicy", Some("None"), &["Optional", "Require"]);
        found.range("maxDeliverySeconds", Some(299), 300..=50_400);
        let text = found.finish().expect_err("violated").to_string();
        assert_eq!(
            text,
            "4 validation errors detected: Value at 'rule.name' failed to satisfy constraint: Member must have length \
             greater than or equal to 1; Value at 'rule.name' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: ^[a-zA-Z0-9_.-]+$; Value at 'rule.tlsPolicy' failed to satisfy constraint: Member must \
             satisfy enum value set: [Optional, Require]; Value at 'maxDeliverySeconds' failed to satisfy constraint: \
             Member must have value greater than or equal to 300"
        );
        assert_eq!(Violations::default().finish(), Ok(()));
        let one = refused(&Refusal::Missing("Filter".to_owned()));
        assert_eq!(
            one,
            "1 validation error detected: Value at 'filter' failed to satisfy constraint: Member must not be null"
        );
    }
}
