//! SNS as clients see it on the wire: replies and AWS's error codes and texts.
use std::net::IpAddr;

use crate::aws::caller::Caller;
use crate::aws::protocol::reply::Reply;
use crate::aws::registry::RequestTarget;
use crate::aws::request::sample::request;
use crate::aws::services::Services;
use crate::base::{AccountId, Clock, LongWait, Region};

const SNS: &str = "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/sns/aws4_request, SignedHeaders=host, Signature=0";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

async fn ask(services: &Services, access_key: &str, pairs: &[(&str, &str)]) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let asked = request("POST", "/", &[("authorization", SNS)], &body);
    let caller = Caller {
        account: AccountId::development(),
        region: Region::default_region(),
        access_key: access_key.to_owned(),
        key: None,
        endpoint: "http://caller.example".to_owned(),
        queues_at: "http://caller.example".to_owned(),
        request_id: "id-1".to_owned(),
        source_ip: IpAddr::from([127, 0, 0, 1]),
        once: None,
        trace_header: None,
        long_wait: LongWait::default(),
    };
    let target = RequestTarget::find(&asked).expect("a service");
    let found = target.operation(&asked).expect("an operation");
    found.run(services, &caller, Box::new(asked)).await
}

/// The text of the first element of this name.
fn element<'a>(reply: &'a Reply, name: &str) -> &'a str {
    let after = reply.body.split_once(&format!("<{name}>")).map_or("", |(_, after)| after);
    after.split_once(&format!("</{name}>")).map_or("", |(text, _)| text)
}

#[tokio::test]
async fn a_topic_is_made_published_to_and_deleted() {
    let (services, _dir) = Services::for_test(Clock::system()).await;
    let made = ask(&services, "AK", &[("Action", "CreateTopic"), ("Name", "t")]).await;
    assert_eq!(
        (made.status, made.body.as_str()),
        (
            200,
            "<CreateTopicResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><CreateTopicResult>\
             <TopicArn>arn:aws:sns:us-east-1:000000000000:t</TopicArn></CreateTopicResult><ResponseMetadata>\
             <RequestId>id-1</RequestId></ResponseMetadata></CreateTopicResponse>"
        )
    );
    let published = ask(
        &services,
        "AK",
        &[
            ("Action", "Publish"),
            ("TopicArn", TOPIC),
            ("Message", "hello"),
            ("MessageAttributes.entry.1.Name", "colour"),
            ("MessageAttributes.entry.1.Value.DataType", "String"),
            ("MessageAttributes.entry.1.Value.StringValue", "blue"),
        ],
    )
    .await;
    assert_eq!((published.status, element(&published, "MessageId").len()), (200, 36), "{published:?}");
    let batch = ask(
        &services,
        "AK",
        &[
            ("Action", "PublishBatch"),
            ("TopicArn", TOPIC),
            ("PublishBatchRequestEntries.member.1.Id", "a"),
            ("PublishBatchRequestEntries.member.1.Message", "one"),
        ],
    )
    .await;
    assert!(batch.status == 200 && batch.body.contains("<Failed></Failed>"), "{batch:?}");
    assert_eq!(ask(&services, "AK", &[("Action", "DeleteTopic"), ("TopicArn", TOPIC)]).await.status, 200);
    let gone = ask(&services, "AK", &[("Action", "GetTopicAttributes"), ("TopicArn", TOPIC)]).await;
    assert_eq!((gone.status, element(&gone, "Message")), (404, "Topic does not exist"));
}

#[tokio::test]
async fn subscriptions_wait_for_their_endpoint_and_lists_say_so() {
    let (services, _dir) = Services::for_test(Clock::system()).await;
    ask(&services, "AK", &[("Action", "CreateTopic"), ("Name", "t")]).await;
    let wish = [("TopicArn", TOPIC), ("Protocol", "https"), ("Endpoint", "https://example.com/hook")];
    let subscribe = [&[("Action", "Subscribe")], wish.as_slice()].concat();
    let plain = ask(&services, "AK", &subscribe).await;
    assert_eq!(element(&plain, "SubscriptionArn"), "pending confirmation");
    let with_arn = [subscribe.as_slice(), &[("ReturnSubscriptionArn", "true")]].concat();
    let told = ask(&services, "AK", &with_arn).await;
    let arn = element(&told, "SubscriptionArn").to_owned();
    assert!(arn.starts_with(TOPIC) && arn.len() > TOPIC.len(), "{arn}");
    for action in ["ListSubscriptions", "ListSubscriptionsByTopic"] {
        let listed = ask(&services, "AK", &[("Action", action), ("TopicArn", TOPIC)]).await;
        assert_eq!(element(&listed, "SubscriptionArn"), "PendingConfirmation");
    }
    // Whoever has no key may show a token, but not claim to be the owner.
    let confirm = [("Action", "ConfirmSubscription"), ("TopicArn", TOPIC), ("Token", "x")];
    assert_eq!(element(&ask(&services, "", &confirm).await, "Message"), "Invalid parameter: Token");
    let owner = [confirm.as_slice(), &[("AuthenticateOnUnsubscribe", "true")]].concat();
    assert_eq!(ask(&services, "", &owner).await.status, 403);
    let foreign = arn.replace("000000000000", "111111111111");
    let unsubscribe = [("Action", "Unsubscribe"), ("SubscriptionArn", foreign.as_str())];
    assert_eq!(element(&ask(&services, "AK", &unsubscribe).await, "Code"), "AuthorizationError");
}

#[tokio::test]
async fn what_aws_refuses_is_refused_in_its_words() {
    let (services, _dir) = Services::for_test(Clock::system()).await;
    ask(&services, "AK", &[("Action", "CreateTopic"), ("Name", "t")]).await;
    let other = TOPIC.replace("us-east-1", "eu-west-1");
    let publish = |more: &[(&'static str, &'static str)]| {
        [&[("Action", "Publish"), ("TopicArn", TOPIC), ("Message", "m")], more].concat()
    };
    for (pairs, code, message) in [
        (vec![("Action", "CreateTopic"), ("Name", "a b")], "InvalidParameter", "Invalid parameter: Topic Name"),
        (
            vec![("Action", "DeleteTopic"), ("TopicArn", "t")],
            "InvalidParameter",
            "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1",
        ),
        (
            vec![("Action", "DeleteTopic"), ("TopicArn", other.as_str())],
            "InvalidParameter",
            "Invalid parameter: TopicArn",
        ),
        (publish(&[("Subject", "")]), "InvalidParameter", "Invalid parameter: Subject"),
        (
            publish(&[("MessageStructure", "json")]),
            "InvalidParameter",
            "Invalid parameter: Message Structure - JSON message body failed to parse",
        ),
        (
            vec![("Action", "Subscribe"), ("TopicArn", TOPIC), ("Protocol", "fax"), ("Endpoint", "1")],
            "InvalidParameter",
            "Invalid parameter: Amazon SNS does not support this protocol string: fax",
        ),
        (
            vec![
                ("Action", "Subscribe"),
                ("TopicArn", TOPIC),
                ("Protocol", "http"),
                ("Endpoint", "http://example.com"),
                ("Attributes.entry.1.key", "FilterPolicy"),
                ("Attributes.entry.1.value", "{\"a\":\"b\"}"),
            ],
            "InvalidParameter",
            "Invalid parameter: Attributes Reason: FilterPolicy: &quot;a&quot; must be an object or an array",
        ),
        (
            vec![("Action", "SetTopicAttributes"), ("TopicArn", TOPIC), ("AttributeName", "Owner")],
            "InvalidParameter",
            "Invalid parameter: AttributeName",
        ),
        (
            vec![("Action", "TagResource"), ("ResourceArn", "arn:aws:sns:us-east-1:000000000000:x")],
            "ValidationError",
            "1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null",
        ),
    ] {
        let reply = ask(&services, "AK", &pairs).await;
        assert_eq!((element(&reply, "Code"), element(&reply, "Message")), (code, message), "{pairs:?}");
    }
}
