//! Topics whose messages may be longer than 256 KiB (MaximumMessageSize): what they say, and who may subscribe to them. Source: SNS
//! developer guide, "Publishing large messages with Amazon SNS", and SetTopicAttributes; the words of the errors are ours.
use crate::base::Arn;
use crate::store::Tx;
use crate::store::subscriptions;
use crate::store::topics::Topic;
use crate::topics::Error;
use crate::topics::endpoint::Protocol;
use crate::topics::message::MAX_BYTES;
use crate::topics::rules::Rules;
use crate::topics::topic::{find, hold, keep};

/// The bytes that a topic may allow.
const SIZES: std::ops::RangeInclusive<usize> = 1_024..=1_048_576;
/// The most subscriptions of a topic with large messages.
const SUBSCRIPTIONS_MAX: u32 = 100;

/// Reads a MaximumMessageSize, in bytes.
pub(in crate::topics) fn size(value: &str) -> Result<usize, Error> {
    let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
    let size = if digits { value.parse().ok() } else { None };
    size.filter(|size| SIZES.contains(size)).ok_or_else(|| {
        let why = format!("must be a number between {} and {}", SIZES.start(), SIZES.end());
        Error::AttributeValue("MaximumMessageSize", why)
    })
}

/// Whether a topic with these subscriptions may allow messages of this size.
pub(in crate::topics) async fn check_topic(tx: &mut Tx, topic: &Topic, size: usize) -> Result<(), Error> {
    if size <= MAX_BYTES {
        return Ok(());
    }
    let wrong = |why: &str| Err(Error::AttributeValue("MaximumMessageSize", why.to_owned()));
    if !subscriptions::protocols(tx, topic.id).await?.iter().all(|name| Protocol::parse(name).is_some_and(takes)) {
        return wrong("above 262144 all subscriptions must be of the protocols sqs, firehose and lambda");
    }
    let count = subscriptions::count_of_topic(tx, topic.id, SUBSCRIPTIONS_MAX + 1).await?;
    if count > SUBSCRIPTIONS_MAX { wrong("above 262144 there may be 100 subscriptions") } else { Ok(()) }
}

/// Finds a topic that is to have one more subscription. Until the transaction ends nobody changes which messages it takes; and
/// where it takes large ones, nobody else adds a subscription.
pub(in crate::topics) async fn find_to_join(tx: &mut Tx, arn: &Arn) -> Result<Topic, Error> {
    if Rules::of(&find(tx, arn).await?)?.max_bytes > MAX_BYTES { hold(tx, arn).await } else { keep(tx, arn).await }
}

/// Whether one more subscription of this protocol may be made to a topic.
pub(in crate::topics) async fn check_subscription(tx: &mut Tx, topic: &Topic, protocol: Protocol) -> Result<(), Error> {
    if Rules::of(topic)?.max_bytes <= MAX_BYTES {
        return Ok(());
    }
    if !takes(protocol) {
        return Err(Error::Large(
            "topics with a MaximumMessageSize above 262144 deliver to sqs, firehose and lambda only",
        ));
    }
    if subscriptions::count_of_topic(tx, topic.id, SUBSCRIPTIONS_MAX).await? >= SUBSCRIPTIONS_MAX {
        return Err(Error::Large("topics with a MaximumMessageSize above 262144 have at most 100 subscriptions"));
    }
    Ok(())
}

/// Whether large messages go out by this protocol.
fn takes(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Sqs | Protocol::Firehose | Protocol::Lambda)
}
