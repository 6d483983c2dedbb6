//! The S3 action: puts the mail into a bucket under the prefix and its message id, then tells the topic.
use crate::base::{Arn, EmailAddress};
use crate::mail::receiving::actions::Run;
use crate::mail::receiving::notification::ActionTaken;
use crate::outlets::objects::{ObjectError, key};
use crate::workers::Reason;

/// Puts the mail. A second put of the same mail replaces the first by the same octets, so repeating it does no harm.
pub async fn run(
    run: &mut Run<'_>,
    recipients: &[&EmailAddress],
    bucket: &str,
    prefix: Option<&str>,
    topic: Option<&Arn>,
) {
    let key = key(prefix, &run.facts.message_id);
    match run.objects.put(bucket, &key, run.message()).await {
        Ok(()) => {
            if let Some(topic) = topic {
                let action = ActionTaken::s3(topic, bucket, prefix, &key);
                run.tell(topic, recipients, &action);
            }
        }
        Err(error) => failed(run, "S3", bucket, &key, &error),
    }
}

/// Keeps the failure of an action that could not store an object.
pub(super) fn failed(run: &mut Run<'_>, action: &str, bucket: &str, key: &str, error: &ObjectError) {
    let temporary = !matches!(error, ObjectError::Bucket | ObjectError::Key);
    let reason = if temporary { Reason::Unreachable } else { Reason::Refused };
    run.fail(reason, format!("{action} action, bucket {bucket}, key {key}: {error}"), temporary);
}
