//! The receipt rules of SES v1: making, changing, moving, telling.
use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::service::Services;
use crate::aws::ses::receipt_actions::ReceiptAction;
use crate::aws::ses::receipt_error::ReceiptError;
use crate::aws::ses::receipt_rule_sets::{Nothing, owner};
use crate::mail::receiving::rules::{Rule, TlsPolicy};

/// A rule.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ReceiptRule {
    name: String,
    enabled: Option<bool>,
    tls_policy: Option<String>,
    recipients: Option<Vec<String>>,
    actions: Option<Vec<ReceiptAction>>,
    scan_enabled: Option<bool>,
}

/// CreateReceiptRule's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateReceiptRuleRequest {
    rule_set_name: String,
    after: Option<String>,
    rule: ReceiptRule,
}

/// UpdateReceiptRule's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateReceiptRuleRequest {
    rule_set_name: String,
    rule: ReceiptRule,
}

/// DescribeReceiptRule and DeleteReceiptRule have these members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RuleRequest {
    rule_set_name: String,
    rule_name: String,
}

/// SetReceiptRulePosition's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SetReceiptRulePositionRequest {
    rule_set_name: String,
    rule_name: String,
    after: Option<String>,
}

/// One rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeReceiptRuleResponse {
    rule: ReceiptRule,
}

impl TryFrom<ReceiptRule> for Rule {
    type Error = ReceiptError;

    fn try_from(rule: ReceiptRule) -> Result<Self, ReceiptError> {
        let tls = match rule.tls_policy.as_deref() {
            None | Some("" | "Optional") => TlsPolicy::Optional,
            Some("Require") => TlsPolicy::Require,
            Some(_) => {
                let text = "TlsPolicy must be Require or Optional.".to_owned();
                return Err(ReceiptError::InvalidParameterValue(text));
            }
        };
        let actions = rule.actions.unwrap_or_default().into_iter().map(TryInto::try_into);
        Ok(Self {
            name: rule.name,
            enabled: rule.enabled.unwrap_or(false),
            tls,
            recipients: rule.recipients.unwrap_or_default(),
            scan: rule.scan_enabled.unwrap_or(false),
            actions: actions.collect::<Result<_, _>>()?,
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
            name: rule.name,
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
    Rule::try_from(rule).map_err(|error| error.to_string())
}

/// The rule in the shape of `ReceiptRule`, without what is secret.
pub fn rule_to_json(rule: Rule) -> Result<String, String> {
    serde_json::to_string_pretty(&ReceiptRule::from(rule)).map_err(|error| error.to_string())
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

/// An empty name means none.
fn named(name: &Option<String>) -> Option<&str> {
    name.as_deref().filter(|name| !name.is_empty())
}

/// Makes a rule, after another or first.
pub async fn create_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: CreateReceiptRuleRequest,
) -> Result<Nothing, ReceiptError> {
    let rule = Rule::try_from(input.rule)?;
    services.receiving.create_rule(&owner(caller), &input.rule_set_name, rule, named(&input.after)).await?;
    Ok(Nothing {})
}

/// Replaces a rule.
pub async fn update_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: UpdateReceiptRuleRequest,
) -> Result<Nothing, ReceiptError> {
    let rule = Rule::try_from(input.rule)?;
    services.receiving.update_rule(&owner(caller), &input.rule_set_name, rule).await?;
    Ok(Nothing {})
}

/// Tells a rule.
pub async fn describe_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: RuleRequest,
) -> Result<DescribeReceiptRuleResponse, ReceiptError> {
    let rule = services.receiving.rule(&owner(caller), &input.rule_set_name, &input.rule_name).await?;
    Ok(DescribeReceiptRuleResponse { rule: rule.into() })
}

/// Removes a rule.
pub async fn delete_receipt_rule(
    services: &Services,
    caller: &Caller,
    input: RuleRequest,
) -> Result<Nothing, ReceiptError> {
    services.receiving.delete_rule(&owner(caller), &input.rule_set_name, &input.rule_name).await?;
    Ok(Nothing {})
}

/// Moves a rule behind another, or to the front.
pub async fn set_receipt_rule_position(
    services: &Services,
    caller: &Caller,
    input: SetReceiptRulePositionRequest,
) -> Result<Nothing, ReceiptError> {
    let (set, rule) = (&input.rule_set_name, &input.rule_name);
    services.receiving.move_rule(&owner(caller), set, rule, named(&input.after)).await?;
    Ok(Nothing {})
}
