//! The receipt rules of SES v1: making, changing, moving, telling.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::constraint::{Violated, Violations};
use crate::aws::ses::receipt_actions::ReceiptAction;
use crate::aws::ses::receipt_error::ReceiptError;
use crate::mail::receiving::rules::{Rule, TlsPolicy, check_name};

/// A rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReceiptRule {
    name: Option<String>,
    enabled: Option<bool>,
    tls_policy: Option<String>,
    recipients: Option<Vec<String>>,
    actions: Option<Vec<ReceiptAction>>,
    scan_enabled: Option<bool>,
}

/// CreateReceiptRule's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateReceiptRuleRequest {
    rule_set_name: String,
    after: Option<String>,
    rule: ReceiptRule,
}

/// UpdateReceiptRule's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateReceiptRuleRequest {
    rule_set_name: String,
    rule: ReceiptRule,
}

/// DescribeReceiptRule and DeleteReceiptRule have these members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RuleRequest {
    rule_set_name: String,
    rule_name: String,
}

/// SetReceiptRulePosition's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetReceiptRulePositionRequest {
    rule_set_name: String,
    rule_name: String,
    after: Option<String>,
}

/// One rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeReceiptRuleResponse {
    rule: ReceiptRule,
}

impl ReceiptRule {
    /// Notes what breaks the model's constraints, in SES's order.
    fn check(&self, found: &mut Violations) {
        found.present("rule.name", self.name.as_ref());
        if let Some(name) = &self.name {
            found.rule_name("rule.name", name);
        }
        found.one_of("rule.tlsPolicy", self.tls_policy.as_deref(), &["Optional", "Require"]);
        for (n, action) in self.actions.iter().flatten().enumerate() {
            action.check(&format!("rule.actions.{}.member.", n + 1), found);
        }
    }
}

/// Of a rule that [`ReceiptRule::check`] has nothing against.
impl TryFrom<ReceiptRule> for Rule {
    type Error = ReceiptError;

    fn try_from(rule: ReceiptRule) -> Result<Self, ReceiptError> {
        // SES keeps recipients in small letters, each once and in order.
        let mut recipients = rule.recipients.unwrap_or_default();
        recipients.iter_mut().for_each(|recipient| recipient.make_ascii_lowercase());
        recipients.sort();
        recipients.dedup();
        Ok(Self {
            name: rule.name.unwrap_or_default(),
            enabled: rule.enabled.unwrap_or(false),
            tls: if rule.tls_policy.as_deref() == Some("Require") { TlsPolicy::Require } else { TlsPolicy::Optional },
            recipients,
            scan: rule.scan_enabled.unwrap_or(false),
            actions: rule.actions.unwrap_or_default().into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }
}

impl From<Rule> for ReceiptRule {
    fn from(rule: Rule) -> Self {
        let tls = match rule.tls {
            TlsPolicy::Require => "Require",
            TlsPolicy::Optional => "Optional",
        };
        Self {
            name: Some(rule.name),
            enabled: Some(rule.enabled),
            tls_policy: Some(tls.to_owned()),
            recipients: Some(rule.recipients),
            actions: Some(rule.actions.into_iter().map(ReceiptAction::from).collect()),
            scan_enabled: Some(rule.scan),
        }
    }
}

/// Reads a rule from JSON in the shape of `ReceiptRule`. Fails with one line for the operator.
pub fn rule_from_json(json: &str) -> Result<Rule, String> {
    let value: serde_json::Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let rule: ReceiptRule = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    let known = serde_json::to_value(&rule).map_err(|error| error.to_string())?;
    unknown(&value, &known).map_or(Ok(()), |name| Err(format!("unknown member {name}")))?;
    let mut found = Violations::default();
    rule.check(&mut found);
    found.finish().map_err(|error| error.to_string())?;
    Rule::try_from(rule).map_err(|error| error.to_string())
}

/// The rule in the shape of `ReceiptRule`, with the members that it has, and without what is secret.
pub fn rule_to_json(rule: Rule) -> Result<String, String> {
    let whole = serde_json::to_value(ReceiptRule::from(rule)).map_err(|error| error.to_string())?;
    serde_json::to_string_pretty(&without_nulls(whole)).map_err(|error| error.to_string())
}

/// What is there. A member that is null is not.
fn without_nulls(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let there = members.into_iter().filter(|(_, value)| !value.is_null());
            there.map(|(name, value)| (name, without_nulls(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// A member of what was given that was not read. A secret is read and never told.
fn unknown(given: &serde_json::Value, known: &serde_json::Value) -> Option<String> {
    use serde_json::Value;
    match (given, known) {
        (Value::Object(given), Value::Object(known)) => given.iter().find_map(|(name, value)| match known.get(name) {
            None if name == "Secret" => None,
            None => Some(name.clone()),
            Some(read) => unknown(value, read),
        }),
        (Value::Array(given), Value::Array(known)) => given.iter().zip(known).find_map(|(a, b)| unknown(a, b)),
        _ => None,
    }
}

/// Checks what a request names against the model's constraints: all together, as SES tells them.
fn check(set: &str, name: Option<&str>, after: Option<&str>, rule: Option<&ReceiptRule>) -> Result<(), Violated> {
    let mut found = Violations::default();
    for (path, name) in [("ruleSetName", Some(set)), ("ruleName", name), ("after", after)] {
        if let Some(name) = name {
            found.rule_name(path, name);
        }
    }
    if let Some(rule) = rule {
        rule.check(&mut found);
    }
    found.finish()
}

/// The core's rule. What is wrong with an action is told after the set's name, the rule's name and a set that is missing.
async fn read(services: &Services, caller: &Caller, set: &str, rule: ReceiptRule) -> Result<Rule, ReceiptError> {
    check_name("ruleSetName", set)?;
    check_name("ruleName", rule.name.as_deref().unwrap_or_default())?;
    match Rule::try_from(rule) {
        Ok(rule) => Ok(rule),
        Err(wrong) => {
            services.receiving.rule_set(&caller.scope(), set).await.map_or_else(|e| Err(e.into()), |_| Err(wrong))
        }
    }
}

/// Makes a rule, after another or first.
pub(super) async fn create_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: CreateReceiptRuleRequest,
) -> Result<NoMembers, ReceiptError> {
    let (set, after) = (&input.rule_set_name, input.after.as_deref());
    check(set, None, after, Some(&input.rule))?;
    let rule = read(services, caller, set, input.rule).await?;
    services.receiving.create_rule(&caller.scope(), set, rule, after).await?;
    Ok(NoMembers {})
}

/// Replaces a rule.
pub(super) async fn update_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: UpdateReceiptRuleRequest,
) -> Result<NoMembers, ReceiptError> {
    let set = &input.rule_set_name;
    check(set, None, None, Some(&input.rule))?;
    let rule = read(services, caller, set, input.rule).await?;
    services.receiving.update_rule(&caller.scope(), set, rule).await?;
    Ok(NoMembers {})
}

/// Tells a rule.
pub(super) async fn describe_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: RuleRequest,
) -> Result<DescribeReceiptRuleResponse, ReceiptError> {
    check(&input.rule_set_name, Some(&input.rule_name), None, None)?;
    let rule = services.receiving.rule(&caller.scope(), &input.rule_set_name, &input.rule_name).await?;
    Ok(DescribeReceiptRuleResponse { rule: rule.into() })
}

/// Removes a rule.
pub(super) async fn delete_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: RuleRequest,
) -> Result<NoMembers, ReceiptError> {
    check(&input.rule_set_name, Some(&input.rule_name), None, None)?;
    services.receiving.delete_rule(&caller.scope(), &input.rule_set_name, &input.rule_name).await?;
    Ok(NoMembers {})
}

/// Moves a rule behind another, or to the front.
pub(super) async fn set_receipt_rule_position(
    services: &Services,
    caller: &Caller,
    input: SetReceiptRulePositionRequest,
) -> Result<NoMembers, ReceiptError> {
    let (set, rule, after) = (&input.rule_set_name, &input.rule_name, input.after.as_deref());
    check(set, Some(rule), after, None)?;
    services.receiving.move_rule(&caller.scope(), set, rule, after).await?;
    Ok(NoMembers {})
}
