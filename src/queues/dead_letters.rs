//! Dead-letter queues: which queue may be one for which (RedrivePolicy, RedriveAllowPolicy), and who uses one.
use serde::{Deserialize, Serialize};

use crate::base::{Arn, Page, PageRequest, Scope};
use crate::queues::cache::find;
use crate::queues::{Error, Queues, arn, kept};
use crate::store::queues::Settings;
use crate::store::{Tx, queues};

/// The attribute's name, and its key among the kept ones.
pub(super) const ALLOW: &str = "RedriveAllowPolicy";
/// AWS was seen to end it with two dots.
pub(super) const OTHER_TYPE: &str = "Dead-letter queue must be same type of queue as the source..";
/// SetQueueAttributes in the SQS API reference: byQueue names up to ten.
const SOURCES_MAX: usize = 10;

/// Which queues may name this one as their dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AllowPolicy {
    redrive_permission: Permission,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source_queue_arns: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Permission {
    #[serde(rename = "allowAll")]
    AllowAll,
    #[serde(rename = "denyAll")]
    DenyAll,
    #[serde(rename = "byQueue")]
    ByQueue,
}

/// Sets the RedriveAllowPolicy from its JSON; an empty text takes it away.
pub(super) fn set_allow_policy(settings: &mut Settings, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return kept::set::<AllowPolicy>(settings, ALLOW, None);
    }
    let policy: AllowPolicy = serde_json::from_str(value).map_err(|_| {
        let reason = "Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format.";
        Error::AttributeRefused(ALLOW, reason)
    })?;
    let wrong = |reason| Err(Error::Parameter { name: ALLOW, value: value.chars().take(2_048).collect(), reason });
    let sources = policy.source_queue_arns.as_deref().map_or(0, <[String]>::len);
    match policy.redrive_permission {
        Permission::ByQueue if sources == 0 => wrong(
            "Amazon SQS can't create the redrive allow policy. When you specify the byQueue permission type, you must \
             also specify one or more sourceQueueArns values.",
        ),
        Permission::ByQueue if sources > SOURCES_MAX => wrong(
            "Amazon SQS can't create the redrive allow policy. The maximum number of source queue ARNs you can specify \
             is 10.",
        ),
        Permission::AllowAll | Permission::DenyAll if policy.source_queue_arns.is_some() => wrong(
            "Amazon SQS can't create the redrive allow policy. To specify one or more source queue ARNs, you must set \
             redrivePermission to byQueue.",
        ),
        _ => kept::set(settings, ALLOW, Some(&policy)),
    }
}

/// The RedriveAllowPolicy as GetQueueAttributes writes it, if one was set.
pub(super) fn allow_policy(settings: &Settings) -> Result<Option<String>, Error> {
    let policy: Option<AllowPolicy> = kept::get(settings, ALLOW)?;
    policy.map(|policy| Ok(serde_json::to_string(&policy).map_err(crate::store::Error::corrupt)?)).transpose()
}

/// The error for a RedrivePolicy that cannot be had.
pub(super) fn refused(policy: &str, reason: impl Into<String>) -> Error {
    Error::RedrivePolicy { value: policy.chars().take(2_048).collect(), reason: reason.into() }
}

/// Whether the queue called `own` may have the dead-letter queue that its new settings name, by the policy that was given: it
/// is there, of the same type, and lets it.
///
/// # Errors
/// [`Error::RedrivePolicy`] with AWS's reasons.
pub(super) async fn check_target(tx: &mut Tx, settings: &Settings, own: &Arn, given: &str) -> Result<(), Error> {
    let Some(text) = settings.dead_letter_queue.clone() else { return Ok(()) };
    let wrong = |reason: &str| refused(given, reason);
    let missing = "Dead letter target does not exist.";
    let target: Arn = text.parse().map_err(|_| wrong(missing))?;
    if is_fifo(&own.resource) != is_fifo(&target.resource) {
        return Err(wrong(OTHER_TYPE));
    }
    let queue = queues::find(tx, &target.account, &target.region, &target.resource).await?;
    let queue = queue.ok_or_else(|| wrong(missing))?;
    let policy: Option<AllowPolicy> = kept::get(&queue.settings, ALLOW)?;
    let allowed = policy.is_none_or(|policy| match policy.redrive_permission {
        Permission::AllowAll => true,
        Permission::DenyAll => false,
        Permission::ByQueue => policy.source_queue_arns.iter().flatten().any(|source| *source == own.to_string()),
    });
    if allowed {
        Ok(())
    } else {
        Err(wrong("The redrive allow policy of the dead-letter queue does not allow this queue as its source."))
    }
}

/// The type of a queue stands in its name (CreateQueue in the SQS API reference).
pub(super) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

impl Queues {
    /// A page of the names of the queues whose dead-letter queue this is.
    ///
    /// # Errors
    /// [`Error::QueueMissing`].
    pub async fn dead_letter_sources(
        &self,
        scope: &Scope,
        name: &str,
        asked: &PageRequest,
    ) -> Result<Page<String>, Error> {
        let tx = &mut self.store.reader().await?;
        let queue = find(tx, scope, name).await?;
        let names = queues::dead_letter_sources(tx, &arn(&queue).to_string(), &asked.after, asked.limit()).await?;
        Ok(asked.cut(names, |name| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(value: &str) -> Result<Option<String>, Error> {
        let mut settings = Settings::default();
        set_allow_policy(&mut settings, value)?;
        allow_policy(&settings)
    }

    #[test]
    fn an_allow_policy_is_one_of_three_kinds_and_names_queues_in_one_of_them() {
        let arns = |n: usize| serde_json::json!(vec!["arn:aws:sqs:us-east-1:000000000000:a"; n]);
        let by_queue = |n| format!(r#"{{"redrivePermission":"byQueue","sourceQueueArns":{}}}"#, arns(n));
        for good in
            [r#"{"redrivePermission":"allowAll"}"#, r#"{"redrivePermission":"denyAll"}"#, &by_queue(1), &by_queue(10)]
        {
            assert_eq!(set(good).expect("a good policy").as_deref(), Some(good));
        }
        assert_eq!(set("").expect("takes it away"), None);
        for bad in
            [by_queue(0), by_queue(11), format!(r#"{{"redrivePermission":"denyAll","sourceQueueArns":{}}}"#, arns(1))]
        {
            assert!(matches!(set(&bad), Err(Error::Parameter { .. })), "{bad}");
        }
        for bad in ["x", "{}", "[]", r#"{"redrivePermission":"some"}"#, r#"{"redrivePermission":"denyAll","more":1}"#] {
            assert!(matches!(set(bad), Err(Error::AttributeRefused(..))), "{bad}");
        }
    }
}
