//! Who else may use a topic: its policy, permissions by label, and what our own mail may publish.
use std::sync::Arc;

use serde_json::{Value as Json, json};

use crate::access::policy::{Decision, Policy, Principal, Request, STATEMENTS_MAX};
use crate::base::{AccountId, Arn};
use crate::store;
use crate::store::topics as rows;
use crate::store::topics::Topic;
use crate::topics::topic::{find, hold};
use crate::topics::{Error, Topics, attributes};

/// The most bytes of a policy document (SNS quotas: 30 KB).
pub(in crate::topics) const POLICY_BYTES_MAX: usize = 30_720;
/// What another account can be allowed (SNS developer guide, "Amazon SNS API permissions").
const GRANTABLE: [&str; 9] = [
    "GetTopicAttributes",
    "SetTopicAttributes",
    "AddPermission",
    "RemovePermission",
    "DeleteTopic",
    "Subscribe",
    "ListSubscriptionsByTopic",
    "Publish",
    "Receive",
];
const LABEL_MAX: usize = 256;

/// Checks the text of a policy for topics.
pub(in crate::topics) fn check_policy(text: &str) -> Result<(), Error> {
    let wrong = |why: &str| Error::AttributeValue("Policy", why.to_owned());
    Policy::read_up_to(text, POLICY_BYTES_MAX).map_err(|error| wrong(&error.to_string()))?;
    let document: Json = serde_json::from_str(text).map_err(|_| wrong("Error parsing Policy"))?;
    let in_scope = |action: &Json| {
        action.as_str().is_some_and(|text| text == "*" || text.to_ascii_lowercase().starts_with("sns:"))
    };
    let actions = statements(&document).into_iter().filter_map(|s| s.get("Action").or_else(|| s.get("NotAction")));
    let mut each = actions.flat_map(|actions| match actions {
        Json::Array(several) => several.iter().collect(),
        one => vec![one],
    });
    if each.all(in_scope) { Ok(()) } else { Err(Error::PolicyScope) }
}

fn statements(document: &Json) -> Vec<&Json> {
    match document.get("Statement") {
        Some(Json::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
        None => vec![],
    }
}

impl Topics {
    fn policy_of(&self, topic: &Topic) -> Result<Option<Arc<Policy>>, store::Error> {
        if !topic.attributes.contains("Policy") {
            return Ok(None);
        }
        let Some(text) = attributes::read(&topic.attributes)?.remove("Policy") else { return Ok(None) };
        let read = || Policy::read_up_to(&text, POLICY_BYTES_MAX).map(Arc::new).map_err(store::Error::corrupt);
        self.policies().get_or_make(text.as_str(), read).map(Some)
    }

    /// The policy of a topic; `None` when it has none or is not there.
    ///
    /// # Errors
    /// Only when the store fails.
    pub async fn policy(&self, topic: &Arn) -> Result<Option<Arc<Policy>>, Error> {
        let arn = topic.clone();
        match self.store().read(|tx| Box::pin(async move { find(tx, &arn).await })).await {
            Ok(topic) => Ok(self.policy_of(&topic)?),
            Err(Error::TopicMissing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether our own mail may publish to a topic: in its own account unless the policy denies it.
    pub(in crate::topics) fn check_mail(&self, row: &Topic, topic: &Arn) -> Result<(), Error> {
        let Some(policy) = self.policy_of(row)? else { return Ok(()) };
        let source = Arn::new("ses", &topic.region, &topic.account, "*");
        let request = Request {
            principal: Principal::Service { name: "ses.amazonaws.com", source },
            action: "sns:Publish".to_owned(),
            resource: topic.to_string(),
            source_ip: None,
            // It does not leave this server.
            secure: true,
            region: topic.region.clone(),
            at: self.clock().now(),
            more: Vec::new(),
        };
        if policy.decide(&request) == Decision::Deny { Err(Error::Forbidden) } else { Ok(()) }
    }

    /// Lets accounts use a topic, in a statement with this label.
    ///
    /// # Errors
    /// `TopicMissing`; `Label`, `LabelTaken`, `Account`, `PolicyScope` for what is wrong with the statement.
    pub async fn add_permission(
        &self,
        topic: &Arn,
        label: &str,
        accounts: Vec<String>,
        actions: Vec<String>,
    ) -> Result<(), Error> {
        if !(1..=LABEL_MAX).contains(&label.len()) || label.chars().any(char::is_control) {
            return Err(Error::Label);
        }
        if accounts.is_empty() || accounts.iter().any(|id| id.parse::<AccountId>().is_err()) {
            return Err(Error::Account);
        }
        if actions.is_empty() || actions.iter().any(|action| !GRANTABLE.contains(&action.as_str())) {
            return Err(Error::PolicyScope);
        }
        let principals = accounts.iter().map(|id| json!(format!("arn:aws:iam::{id}:root"))).collect();
        let actions = actions.iter().map(|action| json!(format!("SNS:{action}"))).collect();
        let statement = json!({
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": one_or_all(principals)},
            "Action": one_or_all(actions),
            "Resource": topic.to_string(),
        });
        let label = label.to_owned();
        self.change_policy(topic, move |statements| {
            if statements.iter().any(|statement| has_label(statement, &label)) {
                return Err(Error::LabelTaken);
            }
            if statements.len() >= STATEMENTS_MAX {
                return Err(Error::AttributeValue("Policy", "too many statements".to_owned()));
            }
            statements.push(statement);
            Ok(())
        })
        .await
    }

    /// Takes the statements with this label away; that there are none is no fault.
    ///
    /// # Errors
    /// `TopicMissing`.
    pub async fn remove_permission(&self, topic: &Arn, label: &str) -> Result<(), Error> {
        let label = label.to_owned();
        self.change_policy(topic, move |statements| {
            statements.retain(|statement| !has_label(statement, &label));
            Ok(())
        })
        .await
    }

    async fn change_policy(
        &self,
        topic: &Arn,
        change: impl FnOnce(&mut Vec<Json>) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let arn = topic.clone();
        self.store()
            .write(move |tx| {
                Box::pin(async move {
                    let row = hold(tx, &arn).await?;
                    let mut all = attributes::read(&row.attributes)?;
                    let text = all.remove("Policy").unwrap_or_else(|| default_policy(&arn));
                    let mut document: Json = serde_json::from_str(&text).map_err(store::Error::corrupt)?;
                    let mut list: Vec<Json> = statements(&document).into_iter().cloned().collect();
                    change(&mut list)?;
                    // A policy has a statement. Without one it is that of a new topic.
                    if let (false, Some(document)) = (list.is_empty(), document.as_object_mut()) {
                        document.insert("Statement".to_owned(), Json::Array(list));
                        let text = Json::Object(document.clone()).to_string();
                        check_policy(&text)?;
                        all.insert("Policy".to_owned(), text);
                    }
                    rows::set_attributes(tx, row.id, &attributes::write(&all)).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// The policy of a topic that was given none: its owner may do everything (SNS's own text).
pub(in crate::topics) fn default_policy(topic: &Arn) -> String {
    let actions: Vec<String> = GRANTABLE.iter().take(8).map(|action| format!("SNS:{action}")).collect();
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions,
            "Resource": topic.to_string(),
            "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account.as_str()}},
        }],
    })
    .to_string()
}

fn has_label(statement: &Json, label: &str) -> bool {
    statement.get("Sid").and_then(Json::as_str) == Some(label)
}

fn one_or_all(mut texts: Vec<Json>) -> Json {
    match texts.len() {
        1 => texts.remove(0),
        _ => Json::Array(texts),
    }
}
