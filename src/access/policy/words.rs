//! The words of policies that its rooms share: effects, lists of texts, and what may be wrong with a policy.
use serde_json::Value;

/// What is wrong with a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It is longer than its service takes: [`SIZE_MAX`](super::SIZE_MAX) for SQS.
    #[error("the policy is too long")]
    TooLong,
    /// It has more statements than [`STATEMENTS_MAX`](super::STATEMENTS_MAX): so many.
    #[error("the policy has too many statements: {0}")]
    TooManyStatements(usize),
    /// It has more of something than is allowed.
    #[error("the policy has too many {0}")]
    TooMany(&'static str),
    /// It is no JSON object, or has another shape than a policy.
    #[error("the policy is not a policy document: {0}")]
    Shape(&'static str),
    /// A principal is none.
    #[error("a principal of the policy is not valid")]
    Principal,
    /// A condition has an operator or a value that is not known.
    #[error("a condition of the policy is not valid")]
    Condition,
}

/// Allow or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// A text or a list of texts; a number or a truth value is taken as its text, as in AWS.
pub(super) fn texts(value: &Value) -> Result<Vec<String>, Malformed> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => Err(Malformed::Shape("a list of texts")),
    };
    match value {
        Value::Array(list) if !list.is_empty() => list.iter().map(one).collect(),
        Value::Array(_) => Err(Malformed::Shape("a list of texts")),
        value => Ok(vec![one(value)?]),
    }
}
