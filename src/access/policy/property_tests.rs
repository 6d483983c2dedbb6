//! What must hold for every policy.
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::access::policy::pattern::fits;
use crate::access::policy::{Decision, Policy, Principal, Request};
use crate::base::{Region, Timestamp};

const ACTIONS: [&str; 4] = ["sqs:SendMessage", "sqs:ReceiveMessage", "sqs:*", "*"];
const ACCOUNTS: [&str; 3] = ["111111111111", "222222222222", "333333333333"];
const RESOURCES: [&str; 3] = ["*", "arn:aws:sqs:*:111111111111:jobs", "arn:aws:sqs:us-east-1:111111111111:other"];

fn request(account: &str, action: &str) -> Request {
    Request {
        principal: Principal::Account(account.parse().expect("an account")),
        action: action.to_owned(),
        resource: "arn:aws:sqs:us-east-1:111111111111:jobs".to_owned(),
        source_ip: Some([192, 0, 2, 7].into()),
        secure: true,
        region: Region::default_region(),
        at: Timestamp::from_secs(1_800_000_000),
        more: Vec::new(),
    }
}

fn statement() -> impl Strategy<Value = Value> {
    let conditions = prop_oneof![
        Just(json!({})),
        Just(json!({"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})),
        Just(json!({"StringEquals": {"aws:PrincipalAccount": "222222222222"}})),
        Just(json!({"StringNotEquals": {"aws:PrincipalAccount": "222222222222"}})),
    ];
    let principals = prop_oneof![
        Just(json!("*")),
        proptest::sample::subsequence(&ACCOUNTS[..], 1..=3).prop_map(|ids| json!({"AWS": ids})),
        Just(json!({"Service": "sns.amazonaws.com"})),
    ];
    let effect = prop_oneof![3 => Just("Allow"), 1 => Just("Deny")];
    let one = (effect, principals, 0..ACTIONS.len(), 0..RESOURCES.len(), conditions);
    one.prop_map(|(effect, principal, action, resource, condition)| {
        json!({
            "Effect": effect, "Principal": principal, "Action": ACTIONS[action], "Resource": RESOURCES[resource],
            "Condition": condition,
        })
    })
}

fn read(statements: &[Value]) -> Policy {
    Policy::read(&json!({"Statement": statements}).to_string()).expect("a policy")
}

/// The slow way to fit: tries every length for a star.
fn fits_slowly(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|n| fits_slowly(rest, &text[n..])),
        Some((c, rest)) => {
            text.split_first().is_some_and(|(t, others)| (*c == b'?' || c == t) && fits_slowly(rest, others))
        }
    }
}

proptest! {
    #[test]
    fn a_policy_decides_as_its_statements_alone_and_deny_wins(
        statements in prop::collection::vec(statement(), 1..6),
        account in 0..ACCOUNTS.len(),
        action in 0..2_usize,
    ) {
        let request = request(ACCOUNTS[account], ACTIONS[action]);
        let alone: Vec<Decision> = statements.iter().map(|s| read(std::slice::from_ref(s)).decide(&request)).collect();
        let expected = if alone.contains(&Decision::Deny) {
            Decision::Deny
        } else if alone.contains(&Decision::Allow) {
            Decision::Allow
        } else {
            Decision::Silent
        };
        prop_assert_eq!(read(&statements).decide(&request), expected);
        let mut reversed = statements.clone();
        reversed.reverse();
        prop_assert_eq!(read(&reversed).decide(&request), expected);
        let mut closed = statements;
        closed.push(json!({"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}));
        prop_assert_eq!(read(&closed).decide(&request), Decision::Deny);
    }

    #[test]
    fn wildcards_fit_what_they_fit_when_every_length_is_tried(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
        prop_assert_eq!(fits(&pattern, &text), fits_slowly(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn no_text_makes_the_reader_fail_in_another_way_than_refusing(text in ".{0,200}") {
        let _ = Policy::read(&text);
    }
}
