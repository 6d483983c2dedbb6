//! Policy documents: read from JSON, checked, bounded.
use serde_json::{Map, Value};

use crate::access::policy::condition::{self, Test};
use crate::access::policy::principal::Principals;
use crate::access::policy::words::{Effect, Malformed, texts};

/// The longest policy, in bytes (SQS developer guide, "Quotas related to policies", as for the numbers below).
pub const SIZE_MAX: usize = 8_192;
/// The most statements of a policy.
pub const STATEMENTS_MAX: usize = 20;
/// The most principals; counted for each statement.
const PRINCIPALS_MAX: usize = 50;

/// Texts of which one must fit, or none: `Action` and `NotAction`, `Resource` and `NotResource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed<T> {
    pub what: T,
    pub not: bool,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    pub effect: Effect,
    pub principals: Listed<Principals>,
    pub actions: Listed<Vec<String>>,
    pub resources: Listed<Vec<String>>,
    pub tests: Vec<Test>,
}

/// A policy that can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) statements: Vec<Statement>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`Malformed`], for what AWS refuses too and for what this server does not know: it never takes a policy of which
    /// it would ignore a part.
    pub fn read(text: &str) -> Result<Self, Malformed> {
        Self::read_up_to(text, SIZE_MAX)
    }

    /// Reads a policy of a service that takes longer ones than SQS: `size_max` bytes.
    ///
    /// # Errors
    /// As [`Policy::read`].
    pub fn read_up_to(text: &str, size_max: usize) -> Result<Self, Malformed> {
        if text.len() > size_max {
            return Err(Malformed::TooLong);
        }
        let document: Value = serde_json::from_str(text).map_err(|_| Malformed::Shape("JSON"))?;
        let Value::Object(document) = document else { return Err(Malformed::Shape("an object")) };
        known(&document, &["Version", "Id", "Statement"])?;
        match document.get("Version") {
            None => {}
            Some(Value::String(version)) if version == "2012-10-17" || version == "2008-10-17" => {}
            Some(_) => return Err(Malformed::Shape("Version")),
        }
        if document.get("Id").is_some_and(|id| !id.is_string()) {
            return Err(Malformed::Shape("Id"));
        }
        let statements: Vec<&Value> = match document.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(Malformed::Shape("Statement")),
        };
        if statements.len() > STATEMENTS_MAX {
            return Err(Malformed::TooManyStatements(statements.len()));
        }
        let policy = Self { statements: statements.into_iter().map(statement).collect::<Result<_, _>>()? };
        let labels = labels(&document);
        let repeated = labels.iter().enumerate().any(|(n, label)| labels.iter().skip(n + 1).any(|l| l == label));
        if repeated { Err(Malformed::Shape("Sid")) } else { Ok(policy) }
    }
}

fn labels(document: &Map<String, Value>) -> Vec<&str> {
    let statements = document.get("Statement").and_then(Value::as_array);
    statements.into_iter().flatten().filter_map(|s| s.get("Sid")?.as_str()).filter(|s| !s.is_empty()).collect()
}

fn statement(value: &Value) -> Result<Statement, Malformed> {
    let Value::Object(given) = value else { return Err(Malformed::Shape("a statement")) };
    known(
        given,
        &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"],
    )?;
    if given.get("Sid").is_some_and(|sid| !sid.is_string()) {
        return Err(Malformed::Shape("Sid"));
    }
    let effect = match given.get("Effect").and_then(Value::as_str) {
        Some("Allow") => Effect::Allow,
        Some("Deny") => Effect::Deny,
        _ => return Err(Malformed::Shape("Effect")),
    };
    let (principals, not) = one_of(given, "Principal", "NotPrincipal")?;
    let principals = Listed { what: Principals::read(principals)?, not };
    if principals.what.count() > PRINCIPALS_MAX {
        return Err(Malformed::TooMany("principals"));
    }
    let (actions, not) = one_of(given, "Action", "NotAction")?;
    let actions = Listed { what: texts(actions)?, not };
    if !actions.what.iter().all(|action| is_action(action)) {
        return Err(Malformed::Shape("Action"));
    }
    let (resources, not) = one_of(given, "Resource", "NotResource")?;
    let resources = Listed { what: texts(resources)?, not };
    // A text that is no ARN is taken, as on AWS. It fits no resource.
    let tests = given.get("Condition").map_or(Ok(Vec::new()), condition::read)?;
    Ok(Statement { effect, principals, actions, resources, tests })
}

/// The element or its negation: exactly one of them must be there.
fn one_of<'v>(
    given: &'v Map<String, Value>,
    name: &'static str,
    negated: &'static str,
) -> Result<(&'v Value, bool), Malformed> {
    match (given.get(name), given.get(negated)) {
        (Some(value), None) => Ok((value, false)),
        (None, Some(value)) => Ok((value, true)),
        _ => Err(Malformed::Shape(name)),
    }
}

fn known(given: &Map<String, Value>, names: &[&str]) -> Result<(), Malformed> {
    if given.keys().all(|key| names.contains(&key.as_str())) {
        Ok(())
    } else {
        Err(Malformed::Shape("an unknown element"))
    }
}

/// `*`, or a service and what it does: `sqs:Send*`.
fn is_action(text: &str) -> bool {
    let name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'*' || b == b'?');
    text == "*" || text.split_once(':').is_some_and(|(service, action)| name(service) && name(action))
}
