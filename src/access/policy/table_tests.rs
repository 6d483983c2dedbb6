//! Policies as AWS's guides write them, and what they decide.
use crate::access::policy::{Decision, Malformed, Policy, Principal, Request};
use crate::base::{Region, Timestamp};
use serde_json::{Value, json};

const QUEUE: &str = "arn:aws:sqs:us-east-1:111111111111:jobs";

fn account(id: &str) -> Request {
    Request {
        principal: Principal::Account(id.parse().expect("an account")),
        action: "sqs:SendMessage".to_owned(),
        resource: QUEUE.to_owned(),
        source_ip: Some([192, 0, 2, 7].into()),
        secure: false,
        region: Region::default_region(),
        at: Timestamp::from_secs(1_800_000_000),
        more: Vec::new(),
    }
}

fn topic() -> Request {
    let source = "arn:aws:sns:us-east-1:222222222222:orders".parse().expect("an ARN");
    let principal = Principal::Service { name: "sns.amazonaws.com", source };
    Request { principal, source_ip: None, ..account("222222222222") }
}

/// A policy of one statement: allows SendMessage on the queue to all, but for what `changes` say. Null takes away.
fn policy(changes: Value) -> Result<Policy, Malformed> {
    let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": QUEUE});
    let (Some(statement), Value::Object(changes)) = (statement.as_object_mut(), changes) else { panic!("objects") };
    for (name, value) in changes {
        if value.is_null() { drop(statement.remove(&name)) } else { drop(statement.insert(name, value)) }
    }
    Policy::read(&json!({"Version": "2012-10-17", "Statement": [statement]}).to_string())
}

fn allows(changes: Value, request: &Request) -> bool {
    policy(changes.clone()).unwrap_or_else(|e| panic!("{changes}: {e}")).decide(request) == Decision::Allow
}

#[test]
fn principals_are_accounts_services_or_everybody() {
    let (them, topic) = (account("222222222222"), topic());
    for (principal, account_allowed, topic_allowed) in [
        (json!("*"), true, true),
        (json!({"AWS": "*"}), true, true),
        (json!({"AWS": "222222222222"}), true, false),
        (json!({"AWS": ["111111111111", "arn:aws:iam::222222222222:root"]}), true, false),
        (json!({"AWS": "333333333333"}), false, false),
        (json!({"AWS": "arn:aws:iam::222222222222:user/eve"}), false, false),
        (json!({"AWS": "arn:aws:sts::222222222222:assumed-role/a/b"}), false, false),
        (json!({"Service": "sns.amazonaws.com"}), false, true),
        (json!({"Service": ["s3.amazonaws.com", "events.amazonaws.com"]}), false, false),
        (json!({"AWS": "222222222222", "Service": "sns.amazonaws.com"}), true, true),
        (json!({"Federated": "cognito-identity.amazonaws.com"}), false, false),
    ] {
        let changes = json!({"Principal": principal});
        assert_eq!(allows(changes.clone(), &them), account_allowed, "{changes}");
        assert_eq!(allows(changes.clone(), &topic), topic_allowed, "{changes}");
    }
    let but = |id: &str| json!({"Principal": null, "NotPrincipal": {"AWS": id}});
    assert!(allows(but("111111111111"), &them) && !allows(but("222222222222"), &them));
}

#[test]
fn actions_and_resources_may_have_wildcards_and_actions_any_case() {
    let them = account("222222222222");
    for (action, allowed) in [
        (json!("*"), true),
        (json!("sqs:*"), true),
        (json!("SQS:sendmessage"), true),
        (json!("sqs:Send*"), true),
        (json!(["sqs:ReceiveMessage", "sqs:SendMessag?"]), true),
        (json!("sqs:ReceiveMessage"), false),
        (json!("sns:*"), false),
        (json!("sqs:Send"), false),
    ] {
        assert_eq!(allows(json!({"Action": action}), &them), allowed, "{action}");
        assert_eq!(allows(json!({"Action": null, "NotAction": action}), &them), !allowed, "{action}");
    }
    for (resource, allowed) in [
        (json!("*"), true),
        (json!("arn:aws:sqs:*:111111111111:*"), true),
        (json!([QUEUE, "arn:aws:sqs:us-east-1:111111111111:other"]), true),
        (json!("arn:aws:sqs:us-east-1:111111111111:job"), false),
        (json!("arn:aws:sqs:us-east-1:222222222222:jobs"), false),
    ] {
        assert_eq!(allows(json!({"Resource": resource}), &them), allowed, "{resource}");
        assert_eq!(allows(json!({"Resource": null, "NotResource": resource}), &them), !allowed, "{resource}");
    }
}

#[test]
fn conditions_compare_as_the_guides_say() {
    let (them, topic) = (account("222222222222"), topic());
    let arn = "arn:aws:sns:us-east-1:222222222222:orders";
    for (request, condition, passes) in [
        (&topic, json!({"ArnEquals": {"aws:SourceArn": arn}}), true),
        (&topic, json!({"ArnLike": {"AWS:SOURCEARN": "arn:aws:sns:*:*:orders"}}), true),
        (&topic, json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:others"}}), false),
        (&topic, json!({"ArnNotLike": {"aws:SourceArn": "arn:aws:sns:*:*:others"}}), true),
        (&topic, json!({"ArnNotEquals": {"aws:SourceArn": [arn, "arn:aws:sns:*:*:others"]}}), false),
        (&topic, json!({"ArnEquals": {"aws:SourceArn": "'$sns_topic_arn'"}}), false),
        (&topic, json!({"ArnNotEquals": {"aws:SourceArn": "'$sns_topic_arn'"}}), true),
        (&topic, json!({"StringEquals": {"aws:SourceAccount": ["1", "222222222222"]}}), true),
        (&topic, json!({"StringEquals": {"aws:SourceAccount": "222222222222", "aws:SourceArn": "x"}}), false),
        (&topic, json!({"Bool": {"aws:PrincipalIsAWSService": true}}), true),
        (&topic, json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), false),
        (&topic, json!({"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}), true),
        (&them, json!({"ArnEquals": {"aws:SourceArn": arn}}), false),
        (&them, json!({"ArnNotEquals": {"aws:SourceArn": arn}}), true),
        (&them, json!({"ArnEquals": {"aws:PrincipalArn": "arn:aws:iam::222222222222:root"}}), true),
        (&them, json!({"StringLike": {"aws:PrincipalArn": "arn:aws:iam::2*"}}), true),
        (&them, json!({"StringNotLike": {"aws:PrincipalArn": "arn:aws:iam::2*"}}), false),
        (&them, json!({"StringNotEquals": {"aws:PrincipalAccount": ["222222222222", "1"]}}), false),
        (&them, json!({"StringEqualsIgnoreCase": {"aws:RequestedRegion": "US-EAST-1"}}), true),
        (&them, json!({"StringEquals": {"aws:RequestedRegion": "US-EAST-1"}}), false),
        (&them, json!({"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "192.0.2.0/24"]}}), true),
        (&them, json!({"IpAddress": {"aws:SourceIp": "192.0.2.7"}}), true),
        (&them, json!({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}), false),
        (&them, json!({"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), false),
        (&them, json!({"Bool": {"aws:SecureTransport": "false"}}), true),
        (&them, json!({"Bool": {"aws:SecureTransport": "true"}}), false),
        (&them, json!({"Null": {"aws:SourceArn": "true"}}), true),
        (&them, json!({"Null": {"aws:SourceIp": "true"}}), false),
        (&them, json!({"StringEquals": {"aws:username": "eve"}}), false),
        (&them, json!({"DateGreaterThan": {"aws:CurrentTime": "2027-01-15T00:00:00Z"}}), true),
        (&them, json!({"DateLessThan": {"aws:CurrentTime": "2027-01-15"}}), false),
        (&them, json!({"NumericLessThanEquals": {"aws:EpochTime": 1_800_000_000}}), true),
        (&them, json!({"NumericNotEquals": {"aws:EpochTime": "1800000000"}}), false),
    ] {
        assert_eq!(allows(json!({"Condition": condition}), request), passes, "{condition}");
    }
}

#[test]
fn a_key_that_is_not_known_voids_a_permission_and_is_absent_for_a_prohibition() {
    let them = account("222222222222");
    for operator in ["StringEquals", "StringNotEquals", "StringEqualsIfExists"] {
        let condition = json!({operator: {"aws:PrincipalOrgID": "o-1"}});
        assert!(!allows(json!({"Condition": condition}), &them), "{operator}");
        let denied = policy(json!({"Effect": "Deny", "Condition": condition})).expect("a policy").decide(&them);
        let expected = if operator == "StringEquals" { Decision::Silent } else { Decision::Deny };
        assert_eq!(denied, expected, "{operator}");
    }
}

#[test]
fn what_is_no_policy_is_refused() {
    for (n, changes) in [
        json!({"Effect": "Maybe"}),
        json!({"Effect": null}),
        json!({"Principal": null}),
        json!({"Principal": {}}),
        json!({"Principal": "222222222222"}),
        json!({"Principal": {"AWS": "arn:aws:iam::222222222222:user/*"}}),
        json!({"Principal": {"AWS": "eve"}}),
        json!({"Principal": {"AWS": []}}),
        json!({"Principal": {"Someone": "*"}}),
        json!({"NotPrincipal": "*"}),
        json!({"Action": null}),
        json!({"Action": "SendMessage"}),
        json!({"Action": []}),
        json!({"NotAction": "sqs:*"}),
        json!({"Resource": null}),
        json!({"Sid": 7}),
        json!({"Colour": "red"}),
        json!({"Condition": []}),
        json!({"Condition": {"StringEquals": "x"}}),
        json!({"Condition": {"StringMatches": {"aws:SourceArn": "x"}}}),
        json!({"Condition": {"ForSomeValues:StringEquals": {"aws:SourceArn": "x"}}}),
        json!({"Condition": {"IpAddress": {"aws:SourceIp": "here"}}}),
        json!({"Condition": {"Bool": {"aws:SecureTransport": "perhaps"}}}),
        json!({"Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}}),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(policy(changes.clone()).is_err(), "{n}: {changes}");
    }
    for text in ["", "[]", "{}", "null", r#"{"Statement": []}"#, r#"{"Version": "2020-01-01", "Statement": [{}]}"#] {
        assert!(Policy::read(text).is_err(), "{text}");
    }
}

#[test]
fn limits_are_those_of_sqs() {
    let statement =
        |n: usize| json!({"Sid": n.to_string(), "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"});
    let of = |n: usize| Policy::read(&json!({"Statement": (0..n).map(statement).collect::<Vec<_>>()}).to_string());
    assert!(of(20).is_ok());
    assert_eq!(of(21), Err(Malformed::TooManyStatements(21)));
    let principals = |n: usize| policy(json!({"Principal": {"AWS": vec!["222222222222"; n]}}));
    assert!(principals(50).is_ok());
    assert_eq!(principals(51), Err(Malformed::TooMany("principals")));
    let keys = |n: usize| {
        let keys: serde_json::Map<_, _> = (0..n).map(|n| (format!("aws:k{n}"), json!("v"))).collect();
        policy(json!({"Condition": {"StringEquals": keys}}))
    };
    assert!(keys(10).is_ok());
    assert_eq!(keys(11), Err(Malformed::TooMany("conditions")));
    let long = json!({"Id": "x".repeat(8_192), "Statement": statement(1)}).to_string();
    assert_eq!(Policy::read(&long), Err(Malformed::TooLong));
    let twice = json!({"Statement": [statement(1), statement(1)]}).to_string();
    assert_eq!(Policy::read(&twice), Err(Malformed::Shape("Sid")));
}
