//! ARNs in requests: read, and whether the caller may use what they name.
use crate::aws::caller::Caller;
use crate::aws::sns::error::SnsError;
use crate::base::Arn;

/// Reads the ARN of a topic that the caller owns, in the caller's region. `member` and `action` go into the error.
pub(super) fn own_topic(caller: &Caller, member: &str, text: &str, action: &str) -> Result<Arn, SnsError> {
    owned(caller, topic_here(caller, member, text)?, action)
}

/// Reads the ARN of a topic in the caller's region, whoever owns it.
pub(super) fn topic_here(caller: &Caller, member: &str, text: &str) -> Result<Arn, SnsError> {
    let arn = read(member, text)?;
    if arn.service != "sns" || arn.resource.contains(':') || arn.region != caller.region {
        return Err(SnsError::parameter(member));
    }
    Ok(arn)
}

/// Reads the ARN of a topic, whoever owns it: confirming needs the token only.
pub(super) fn any_topic(text: &str) -> Result<Arn, SnsError> {
    let arn = text.parse::<Arn>().ok().filter(|arn| arn.service == "sns" && !arn.resource.contains(':'));
    arn.ok_or_else(|| SnsError::parameter("Topic"))
}

/// Reads the ARN of a subscription, whoever owns it: its link works for whoever has it.
pub(super) fn any_subscription(text: &str) -> Result<Arn, SnsError> {
    if text.is_empty() {
        return Err(SnsError::parameter("SubscriptionArn Reason: no value for required parameter"));
    }
    let arn = read("SubscriptionArn", text)?;
    if arn.service != "sns" || !arn.resource.contains(':') {
        return Err(SnsError::parameter("SubscriptionId"));
    }
    Ok(arn)
}

/// Reads the ARN of a resource of another kind that the caller owns, in the caller's region: its resource starts with
/// `prefix`.
pub(super) fn own_resource(
    caller: &Caller,
    member: &str,
    text: &str,
    prefix: &str,
    action: &str,
) -> Result<Arn, SnsError> {
    let arn = read(member, text)?;
    if arn.service != "sns" || !arn.resource.starts_with(prefix) || arn.region != caller.region {
        return Err(SnsError::parameter(member));
    }
    owned(caller, arn, action)
}

fn read(member: &str, text: &str) -> Result<Arn, SnsError> {
    let parts = text.split(':').count();
    if parts < 6 {
        let why = format_args!("{member} Reason: An ARN must have at least 6 elements, not {parts}").to_string();
        return Err(SnsError::parameter(why));
    }
    text.parse().map_err(|_| SnsError::parameter(member))
}

fn owned(caller: &Caller, arn: Arn, action: &str) -> Result<Arn, SnsError> {
    if arn.account == caller.account {
        Ok(arn)
    } else {
        Err(SnsError::unauthorized(caller.account.as_str(), action, &arn.to_string()))
    }
}
