//! The S3 action: puts the mail into a bucket under the prefix and its message id, encrypted where the rule names a key, then
//! tells the topic.
use bytes::Bytes;

use crate::base::{Arn, EmailAddress};
use crate::mail::receiving::actions::Run;
use crate::mail::receiving::notification::ActionTaken;
use crate::outlets::envelope;
use crate::outlets::object::Metadata;
use crate::outlets::objects::key;
use crate::store::vault::VaultError;
use crate::workers::Reason;

/// Where a rule says that mail goes.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// What the object's key begins with.
    pub prefix: Option<&'a str>,
    /// The KMS key that it is encrypted under.
    pub kms: Option<&'a str>,
}

/// Puts the mail. A second put of the same mail replaces the first by the same mail, so repeating it does no harm.
pub async fn run(run: &mut Run<'_>, recipients: &[&EmailAddress], place: Place<'_>, topic: Option<&Arn>) {
    let Place { bucket, prefix, kms } = place;
    let key = key(prefix, &run.facts.message_id);
    let (data, metadata) = match kms.map_or_else(|| Ok((run.message(), Metadata::new())), |kms| encrypted(run, kms)) {
        Ok(sealed) => sealed,
        // An operator may give the key back, or switch it on again: the mail waits for that as it waits for a bucket.
        Err(error) => {
            let text = format!("S3 action, bucket {bucket}, key {key}: {error}");
            return run.fail(Reason::Refused, text, true);
        }
    };
    match run.put(bucket, &key, data, &metadata).await {
        Ok(()) => {
            if let Some(topic) = topic {
                let action = ActionTaken::s3(topic, bucket, prefix, &key);
                run.tell(topic, recipients, &action);
            }
        }
        Err(failure) => failed(run, "S3", (bucket, &key), failure),
    }
}

/// The mail, encrypted. The context is the one that SES gives to KMS, so that a key's policy could tell mails apart.
fn encrypted(run: &Run<'_>, kms: &str) -> Result<(Bytes, Metadata), VaultError> {
    let context = [
        ("aws:ses:message-id", run.facts.message_id.as_str()),
        ("aws:ses:rule-name", run.rule.as_str()),
        ("aws:ses:source-account", run.account.as_str()),
    ];
    let (body, metadata) = envelope::seal(run.vault, kms, &context, &run.message())?;
    Ok((body.into(), metadata))
}

/// Keeps the failure of an action that could not store an object.
pub(super) fn failed(run: &mut Run<'_>, action: &str, (bucket, key): (&str, &str), (text, temporary): (String, bool)) {
    let reason = if temporary { Reason::Unreachable } else { Reason::Refused };
    run.fail(reason, format!("{action} action, bucket {bucket}, key {key}: {text}"), temporary);
}
