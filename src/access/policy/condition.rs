//! The conditions of a statement.
use serde_json::Value;

use crate::access::policy::operator::{Compare, Operator, Set};
use crate::access::policy::request::{ConditionValue, Request};
use crate::access::policy::words::{Effect, Malformed, texts};

/// The most conditions; counted for each statement (SQS developer guide, "Quotas related to policies").
const CONDITIONS_MAX: usize = 10;

/// One operator on one key: `"ArnEquals": {"aws:SourceArn": [...]}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    operator: Operator,
    key: String,
    values: Vec<String>,
}

/// Reads a statement's `Condition`.
pub(super) fn read(value: &Value) -> Result<Vec<Test>, Malformed> {
    let Value::Object(operators) = value else { return Err(Malformed::Condition) };
    let mut tests = Vec::new();
    for (name, keys) in operators {
        let operator = Operator::read(name).ok_or(Malformed::Condition)?;
        let Value::Object(keys) = keys else { return Err(Malformed::Condition) };
        for (key, values) in keys {
            let values = texts(values).map_err(|_| Malformed::Condition)?;
            if key.is_empty() || !values.iter().all(|value| operator.compare.takes(value)) {
                return Err(Malformed::Condition);
            }
            tests.push(Test { operator, key: key.clone(), values });
        }
    }
    if tests.len() > CONDITIONS_MAX { Err(Malformed::TooMany("conditions")) } else { Ok(tests) }
}

impl Test {
    /// Whether the request passes. A key that this server does not know makes a permission void, whatever the
    /// operator, since AWS might have had a value that does not pass; a prohibition takes it for absent.
    pub(super) fn passes(&self, request: &Request, effect: Effect) -> bool {
        let values = match request.value(&self.key) {
            ConditionValue::Values(values) => values,
            ConditionValue::Never if effect == Effect::Allow => return false,
            ConditionValue::Never | ConditionValue::Absent => Vec::new(),
        };
        let Operator { compare, negated, if_exists, set } = self.operator;
        if compare == Compare::Null {
            let absent = values.is_empty().to_string();
            return self.values.iter().any(|wanted| wanted.eq_ignore_ascii_case(&absent));
        }
        let holds = |value: &String| self.values.iter().any(|wanted| compare.holds(value, wanted)) != negated;
        match set {
            // What is not there is in every set, and in none (IAM user guide, "Multivalued context keys").
            Some(Set::All) => values.iter().all(holds),
            Some(Set::Any) => values.iter().any(holds),
            // What is not there is not equal to anything (IAM user guide, "Condition operators").
            None if values.is_empty() => if_exists || negated,
            None => values.iter().any(holds),
        }
    }
}
