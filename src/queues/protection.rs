//! The attributes that protect a queue: its policy, and how its messages are encrypted.
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::access::policy::{Malformed, Policy, STATEMENTS_MAX};
use crate::queues::kept::truth;
use crate::queues::{Error, kept};
use crate::store::queues::Settings;

/// The attributes of this room.
pub(super) const NAMES: [&str; 4] = [POLICY, KMS_KEY, KMS_REUSE, MANAGED];

const POLICY: &str = "Policy";
const KMS_KEY: &str = "KmsMasterKeyId";
const KMS_REUSE: &str = "KmsDataKeyReusePeriodSeconds";
const MANAGED: &str = "SqsManagedSseEnabled";
/// Under this name encryption is kept; no attribute is called so.
const CHOSEN: &str = "Encryption";
/// The longest id of a key: an ARN with an alias of 256 bytes fits well.
const KMS_KEY_MAX: usize = 2_048;
const KMS_REUSE_DEFAULT: u32 = 300;

/// How a queue's messages are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    /// Not at all.
    None,
    /// SSE-SQS: under the master key. What a queue has unless it asks for something else, as in AWS.
    Managed,
    /// SSE-KMS: under a named key.
    Kms {
        /// Its id, alias or ARN.
        key: String,
        /// How long a data key may be used again.
        reuse: Duration,
    },
}

/// What is kept of how a queue is encrypted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Chosen {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    managed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reuse: Option<u32>,
}

impl Chosen {
    fn of(settings: &Settings) -> Result<Self, Error> {
        Ok(kept::get(settings, CHOSEN)?.unwrap_or_default())
    }
}

/// How the messages of a queue with these settings are encrypted.
pub(super) fn encryption(settings: &Settings) -> Result<Encryption, Error> {
    let chosen = Chosen::of(settings)?;
    Ok(match (chosen.key, chosen.managed) {
        (Some(key), _) => {
            let reuse = chosen.reuse.unwrap_or(KMS_REUSE_DEFAULT);
            Encryption::Kms { key, reuse: Duration::from_secs(u64::from(reuse)) }
        }
        (None, Some(false)) => Encryption::None,
        (None, _) => Encryption::Managed,
    })
}

/// The text of the queue's policy.
pub(super) fn policy(settings: &Settings) -> Result<Option<String>, Error> {
    kept::get(settings, POLICY)
}

/// Replaces the policy, or takes it away with an empty text.
///
/// # Errors
/// [`Error::AttributeValue`] for a text that is no policy; [`Error::PolicyTooLong`], [`Error::PolicyStatements`].
pub(super) fn set_policy(settings: &mut Settings, text: &str) -> Result<(), Error> {
    if !text.is_empty() {
        Policy::read(text).map_err(|wrong| match wrong {
            Malformed::TooLong => Error::PolicyTooLong,
            Malformed::TooManyStatements(count) => Error::PolicyStatements(count, STATEMENTS_MAX),
            _ => Error::AttributeValue(POLICY.to_owned(), text.to_owned()),
        })?;
    }
    kept::set(settings, POLICY, Some(text).filter(|text| !text.is_empty()).as_ref())
}

/// Sets those of `given` that belong to this room; the rest stays.
///
/// # Errors
/// [`Error::AttributeValue`]; [`Error::TwoEncryptions`].
pub(super) fn apply(settings: &mut Settings, given: &BTreeMap<String, String>) -> Result<(), Error> {
    let set = |name: &str| given.get(name).map(String::as_str);
    let wrong = |name: &str, value: &str| Error::AttributeValue(name.to_owned(), value.to_owned());
    if let Some(text) = set(POLICY) {
        set_policy(settings, text)?;
    }
    let (key, managed, reuse) = (set(KMS_KEY), set(MANAGED), set(KMS_REUSE));
    if (key, managed, reuse) == (None, None, None) {
        return Ok(());
    }
    let mut chosen = Chosen::of(settings)?;
    if let Some(text) = reuse {
        let seconds = text.parse().ok().filter(|seconds| (60..=86_400).contains(seconds));
        chosen.reuse = Some(seconds.ok_or_else(|| wrong(KMS_REUSE, text))?);
    }
    let managed = match managed {
        None => None,
        Some(text) => Some(truth(text).ok_or_else(|| wrong(MANAGED, text))?),
    };
    if managed == Some(true) && key.is_some_and(|key| !key.is_empty()) {
        return Err(Error::TwoEncryptions);
    }
    if managed.is_some() {
        chosen.managed = managed;
    }
    if managed == Some(true) {
        chosen.key = None;
    }
    match key {
        None => {}
        Some("") => chosen.key = None,
        // Whether there is such a key is asked when a message comes, as in AWS.
        Some(key) if key.len() <= KMS_KEY_MAX && key.bytes().all(|b| b.is_ascii_graphic()) => {
            (chosen.key, chosen.managed) = (Some(key.to_owned()), Some(false));
        }
        Some(key) => return Err(wrong(KMS_KEY, key)),
    }
    kept::set(settings, CHOSEN, Some(&chosen))
}

/// The attributes of this room, as GetQueueAttributes writes them.
pub(super) fn shown(settings: &Settings) -> Result<BTreeMap<&'static str, String>, Error> {
    let encryption = encryption(settings)?;
    let mut shown = BTreeMap::from([(MANAGED, (encryption == Encryption::Managed).to_string())]);
    if let Encryption::Kms { key, reuse } = encryption {
        shown.insert(KMS_KEY, key);
        shown.insert(KMS_REUSE, reuse.as_secs().to_string());
    }
    if let Some(policy) = policy(settings)? {
        shown.insert(POLICY, policy);
    }
    Ok(shown)
}

/// Whether the attribute has different values. Two texts that are the same JSON are the same policy.
pub(super) fn differs(name: &str, now: &Settings, wanted: &Settings) -> bool {
    let value = |settings: &Settings| match shown(settings) {
        Ok(mut all) => {
            all.remove(name).map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)))
        }
        Err(_) => None,
    };
    NAMES.contains(&name) && value(now) != value(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    fn text(settings: &Settings, name: &str) -> Option<String> {
        shown(settings).expect("readable").remove(name)
    }

    #[test]
    fn a_queue_has_one_encryption_at_a_time() {
        let mut queue = Settings::default();
        assert_eq!(encryption(&queue).expect("readable"), Encryption::Managed);
        for (pairs, managed, key) in [
            (vec![(MANAGED, "false")], "false", None),
            (vec![(MANAGED, "true")], "true", None),
            (vec![(KMS_KEY, "alias/aws/sqs")], "false", Some("alias/aws/sqs")),
            (vec![(KMS_REUSE, "60")], "false", Some("alias/aws/sqs")),
            (vec![(MANAGED, "false")], "false", Some("alias/aws/sqs")),
            (vec![(KMS_KEY, "")], "false", None),
            (vec![(KMS_KEY, "k"), (MANAGED, "false")], "false", Some("k")),
            (vec![(MANAGED, "true")], "true", None),
            (vec![(KMS_KEY, ""), (MANAGED, "TRUE")], "true", None),
        ] {
            apply(&mut queue, &given(&pairs)).expect("applied");
            assert_eq!(text(&queue, MANAGED).as_deref(), Some(managed), "{pairs:?}");
            assert_eq!(text(&queue, KMS_KEY).as_deref(), key, "{pairs:?}");
            assert_eq!(text(&queue, KMS_REUSE).is_some(), key.is_some(), "{pairs:?}");
        }
        let both = apply(&mut queue, &given(&[(KMS_KEY, "k"), (MANAGED, "true")]));
        assert!(matches!(both, Err(Error::TwoEncryptions)));
    }

    #[test]
    fn values_have_their_ranges() {
        for (name, value) in [
            (MANAGED, ""),
            (MANAGED, "yes"),
            (KMS_REUSE, "59"),
            (KMS_REUSE, "86401"),
            (KMS_REUSE, ""),
            (KMS_KEY, "a b"),
            (POLICY, "{}"),
            (POLICY, "not json"),
        ] {
            let refused = apply(&mut Settings::default(), &given(&[(name, value)]));
            assert!(matches!(refused, Err(Error::AttributeValue(..))), "{name} {value}");
        }
    }

    #[test]
    fn policies_are_the_same_when_their_json_is() {
        let with = |policy: &str| {
            let mut queue = Settings::default();
            apply(&mut queue, &given(&[(POLICY, policy)])).expect("applied");
            queue
        };
        let one = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}"#;
        let same = r#"{"Statement":{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}}"#;
        let other = one.replace("Allow", "Deny");
        assert!(!differs(POLICY, &with(one), &with(same)) && differs(POLICY, &with(one), &with(&other)));
        assert!(
            differs(POLICY, &with(one), &Settings::default()) && !differs("DelaySeconds", &with(one), &with(&other))
        );
        assert_eq!(text(&with(one), POLICY).as_deref(), Some(one), "as it was given");
    }
}
