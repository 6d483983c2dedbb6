//! No policy and no message breaks the matching, and it ends: the first line is the policy, the rest the message.
#![no_main]
use libfuzzer_sys::fuzz_target;
use postrider::base::Budget;
use postrider::topics::filter_policy::{Facts, FilterPolicy, PolicyScope};

fuzz_target!(|text: &str| {
    let (policy, message) = text.split_once('\n').unwrap_or((text, "{}"));
    for scope in [PolicyScope::Attributes, PolicyScope::Body] {
        if let (Ok(policy), Some(facts)) = (FilterPolicy::parse(policy, scope), Facts::of_body(message)) {
            let matches = || policy.matches(&facts, &mut Budget::new(1_000_000));
            assert_eq!(matches(), matches());
        }
    }
});
