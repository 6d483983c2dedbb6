//! The receipt rule sets of SES v1: making, cloning, listing, activating, ordering.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::ses::constraint::{Violated, Violations};
use crate::aws::ses::receipt_error::ReceiptError;
use crate::aws::ses::receipt_rules::ReceiptRule;
use crate::mail::receiving::RuleSet;
use crate::mail::receiving::rules::one_line;

/// CreateReceiptRuleSet, DescribeReceiptRuleSet and DeleteReceiptRuleSet have only a name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RuleSetRequest {
    rule_set_name: String,
}

/// SetActiveReceiptRuleSet's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetActiveReceiptRuleSetRequest {
    rule_set_name: Option<String>,
}

/// CloneReceiptRuleSet's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CloneReceiptRuleSetRequest {
    rule_set_name: String,
    original_rule_set_name: String,
}

/// ReorderReceiptRuleSet's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReorderReceiptRuleSetRequest {
    rule_set_name: String,
    rule_names: Vec<String>,
}

/// ListReceiptRuleSets's members.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReceiptRuleSetsRequest {
    next_token: Option<String>,
}

/// A rule set's name and age.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiptRuleSetMetadata {
    name: String,
    created_timestamp: Time,
}

/// A rule set with its rules; without members where none is active.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeReceiptRuleSetResponse {
    metadata: Option<ReceiptRuleSetMetadata>,
    rules: Option<Vec<ReceiptRule>>,
}

/// All rule sets: there are never more than one page of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListReceiptRuleSetsResponse {
    rule_sets: Vec<ReceiptRuleSetMetadata>,
}

fn metadata(set: &RuleSet) -> ReceiptRuleSetMetadata {
    ReceiptRuleSetMetadata { name: set.name.clone(), created_timestamp: Time(set.created_at) }
}

fn described(set: RuleSet) -> DescribeReceiptRuleSetResponse {
    let metadata = Some(metadata(&set));
    DescribeReceiptRuleSetResponse { metadata, rules: Some(set.rules.into_iter().map(ReceiptRule::from).collect()) }
}

/// Checks the names of rule sets against the model's constraints: all together, as SES tells them.
fn check(names: &[(&str, &str)]) -> Result<(), Violated> {
    let mut found = Violations::default();
    names.iter().for_each(|(path, name)| found.rule_name(path, name));
    found.finish()
}

/// Makes an empty rule set.
pub(super) async fn create_receipt_rule_set(
    services: &Services,
    caller: &Caller,
    input: RuleSetRequest,
) -> Result<NoMembers, ReceiptError> {
    check(&[("ruleSetName", &input.rule_set_name)])?;
    services.receiving.create_rule_set(&caller.scope(), &input.rule_set_name).await?;
    Ok(NoMembers {})
}

/// Makes a rule set with the rules of another.
pub(super) async fn clone_receipt_rule_set(
    services: &Services,
    caller: &Caller,
    input: CloneReceiptRuleSetRequest,
) -> Result<NoMembers, ReceiptError> {
    let original = input.original_rule_set_name;
    // SES's order.
    check(&[("originalRuleSetName", &original), ("ruleSetName", &input.rule_set_name)])?;
    services.receiving.clone_rule_set(&caller.scope(), &input.rule_set_name, &original).await?;
    Ok(NoMembers {})
}

/// Tells a rule set with its rules.
pub(super) async fn describe_receipt_rule_set(
    services: &Services,
    caller: &Caller,
    input: RuleSetRequest,
) -> Result<DescribeReceiptRuleSetResponse, ReceiptError> {
    check(&[("ruleSetName", &input.rule_set_name)])?;
    Ok(described(services.receiving.rule_set(&caller.scope(), &input.rule_set_name).await?))
}

/// Tells the active rule set; nothing where none is active.
pub(super) async fn describe_active_receipt_rule_set(
    services: &Services,
    caller: &Caller,
    _: NoMembers,
) -> Result<DescribeReceiptRuleSetResponse, ReceiptError> {
    let active = services.receiving.active_rule_set(&caller.scope()).await?;
    Ok(active.map_or(DescribeReceiptRuleSetResponse { metadata: None, rules: None }, described))
}

/// Lists the rule sets. No page token is ever given, so none is taken.
pub(super) async fn list_receipt_rule_sets(
    services: &Services,
    caller: &Caller,
    input: ListReceiptRuleSetsRequest,
) -> Result<ListReceiptRuleSetsResponse, ReceiptError> {
    if let Some(token) = input.next_token.filter(|token| !token.is_empty()) {
        return Err(ReceiptError::InvalidParameterValue(format!("Invalid token: {}", one_line(&token))));
    }
    let sets = services.receiving.rule_sets(&caller.scope()).await?;
    Ok(ListReceiptRuleSetsResponse { rule_sets: sets.iter().map(metadata).collect() })
}

/// Removes a rule set.
pub(super) async fn delete_receipt_rule_set(
    services: &Services,
    caller: &Caller,
    input: RuleSetRequest,
) -> Result<NoMembers, ReceiptError> {
    check(&[("ruleSetName", &input.rule_set_name)])?;
    services.receiving.delete_rule_set(&caller.scope(), &input.rule_set_name).await?;
    Ok(NoMembers {})
}

/// Chooses the active rule set; without a name, none is active.
pub(super) async fn set_active_receipt_rule_set(
    services: &Services,
    caller: &Caller,
    input: SetActiveReceiptRuleSetRequest,
) -> Result<NoMembers, ReceiptError> {
    let name = input.rule_set_name.filter(|name| !name.is_empty());
    name.as_deref().map_or(Ok(()), |name| check(&[("ruleSetName", name)]))?;
    services.receiving.set_active_rule_set(&caller.scope(), name.as_deref()).await?;
    Ok(NoMembers {})
}

/// Orders the rules of a set.
pub(super) async fn reorder_receipt_rule_set(
    services: &Services,
    caller: &Caller,
    input: ReorderReceiptRuleSetRequest,
) -> Result<NoMembers, ReceiptError> {
    let mut found = Violations::default();
    found.rule_name("ruleSetName", &input.rule_set_name);
    found.rule_names("ruleNames", &input.rule_names);
    found.finish()?;
    services.receiving.reorder_rules(&caller.scope(), &input.rule_set_name, input.rule_names).await?;
    Ok(NoMembers {})
}
