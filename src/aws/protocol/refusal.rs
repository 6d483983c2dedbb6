//! Why a request could not be decoded, before any service has seen it.
use std::fmt::Display;

use serde::de;

/// What is wrong with a request's form. Paths name members as they stand on the wire, outermost first:
/// `Destination.ToAddresses`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is not JSON or not a form at all.
    #[error("{0}")]
    Malformed(String),
    /// A required member is absent.
    #[error("member {0} is missing")]
    Missing(String),
    /// A member has a value of the wrong type.
    #[error("{message}")]
    WrongType {
        /// The member.
        path: String,
        /// What does not fit, in AWS's manner.
        message: String,
    },
    /// A member's value is none of its enumeration's.
    #[error("value {value} at {path} is none of {allowed}")]
    NotInEnum {
        /// The member.
        path: String,
        /// What was sent.
        value: String,
        /// What may be sent, comma-separated.
        allowed: String,
    },
    /// The request nests deeper or holds more values than any real one.
    #[error("{0}")]
    TooMuch(&'static str),
}

impl Refusal {
    /// The same refusal, seen from the structure that holds `member`.
    #[must_use]
    pub fn within(mut self, member: &str) -> Self {
        match &mut self {
            Self::Missing(path) | Self::WrongType { path, .. } | Self::NotInEnum { path, .. } => {
                *path = if path.is_empty() { member.to_owned() } else { format!("{member}.{path}") };
            }
            Self::Malformed(_) | Self::TooMuch(_) => {}
        }
        self
    }

    /// PostgreSQL keeps no text with U+0000, and no service takes one.
    pub fn nul() -> Self {
        Self::Malformed("a text holds the character U+0000".to_owned())
    }

    /// A value of the wrong type at a member that the callers up the stack will name.
    pub fn wrong_type(message: impl Into<String>) -> Self {
        Self::WrongType { path: String::new(), message: message.into() }
    }

    /// The text in which AWS's validation speaks of this refusal: members start with a small letter there.
    pub fn validation_text(&self) -> String {
        match self {
            Self::Missing(path) => format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                lower_first(path)
            ),
            Self::NotInEnum { path, value, allowed } => format!(
                "1 validation error detected: Value '{value}' at '{}' failed to satisfy constraint: Member must satisfy \
                 enum value set: [{allowed}]",
                lower_first(path)
            ),
            other => other.to_string(),
        }
    }
}

/// `Destination.ToAddresses` to `destination.toAddresses`: a path as AWS's validation writes it.
pub fn lower_first(path: &str) -> String {
    let mut at_start = true;
    path.chars()
        .map(|c| {
            let out = if at_start { c.to_ascii_lowercase() } else { c };
            at_start = c == '.';
            out
        })
        .collect()
}

impl de::Error for Refusal {
    fn custom<T: Display>(message: T) -> Self {
        Self::wrong_type(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::Missing(field.to_owned())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        // Bounded: the value comes back to the caller and into the log.
        let value = variant.chars().take(100).collect();
        Self::NotInEnum { path: String::new(), value, allowed: expected.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_grow_outwards_and_read_as_aws_writes_them() {
        let refusal = <Refusal as de::Error>::missing_field("Data").within("Subject").within("Content");
        assert_eq!(refusal, Refusal::Missing("Content.Subject.Data".into()));
        assert_eq!(
            refusal.validation_text(),
            "1 validation error detected: Value null at 'content.subject.data' failed to satisfy constraint: Member \
             must not be null"
        );
    }
}
