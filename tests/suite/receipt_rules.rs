//! Receipt rule sets: making, changing, ordering, and what is refused.
use postrider::base::{Arn, Region, Scope};
use postrider::mail::receiving::Error;
use postrider::mail::receiving::rules::{Action, MAX_RECIPIENTS, MAX_RULE_SETS, MAX_RULES, MAX_SET_OCTETS, Rule};

use crate::both_engines;
use crate::receiving_bench::{Bench, account, address, bench, rule, sns};

impl Bench {
    async fn names(&self, set: &str) -> Vec<String> {
        let set = self.receiving.rule_set(&self.owner, set).await.expect("the set");
        set.rules.into_iter().map(|rule| rule.name).collect()
    }

    async fn add(&self, rule: Rule, after: Option<&str>) -> Result<(), Error> {
        self.receiving.create_rule(&self.owner, "set", rule, after).await
    }
}

both_engines! {
    async fn rules_keep_the_order_they_are_given(engine: Engine) {
        let b = bench(engine).await;
        let r = &b.receiving;
        r.create_rule_set(&b.owner, "set").await.expect("made");
        for (name, after) in [("a", None), ("b", None), ("c", Some("b")), ("d", Some("a"))] {
            b.add(rule(name, &[], vec![]), after).await.expect("made");
        }
        assert_eq!(b.names("set").await, ["b", "c", "a", "d"]);
        r.move_rule(&b.owner, "set", "a", None).await.expect("moved");
        r.move_rule(&b.owner, "set", "b", Some("d")).await.expect("moved");
        r.move_rule(&b.owner, "set", "c", Some("c")).await.expect("stays");
        assert_eq!(b.names("set").await, ["a", "c", "d", "b"]);
        let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        r.reorder_rules(&b.owner, "set", names(&["d", "c", "b", "a"])).await.expect("ordered");
        for wrong in [&["d", "c", "b"][..], &["d", "c", "b", "a", "a"], &["d", "c", "b", "x"]] {
            assert!(r.reorder_rules(&b.owner, "set", names(wrong)).await.is_err(), "{wrong:?}");
        }
        let moved = r.move_rule(&b.owner, "set", "a", Some("x")).await;
        assert!(matches!(moved, Err(Error::RuleMissing(name)) if name == "x"));
        assert_eq!(b.names("set").await, ["d", "c", "b", "a"], "a refusal changes nothing");
        r.update_rule(&b.owner, "set", rule("b", &["bob@here.example"], vec![])).await.expect("updated");
        assert_eq!(r.rule(&b.owner, "set", "b").await.expect("the rule").recipients, ["bob@here.example"]);
        r.delete_rule(&b.owner, "set", "c").await.expect("removed");
        r.delete_rule(&b.owner, "set", "c").await.expect("removed already");
        assert_eq!(b.names("set").await, ["d", "b", "a"]);
        r.clone_rule_set(&b.owner, "copy", "set").await.expect("cloned");
        assert_eq!(b.names("copy").await, ["d", "b", "a"]);
    }

    async fn what_does_not_exist_or_exists_already_is_refused(engine: Engine) {
        let b = bench(engine).await;
        let (r, own) = (&b.receiving, &b.owner);
        r.create_rule_set(own, "set").await.expect("made");
        assert!(matches!(r.create_rule_set(own, "set").await, Err(Error::RuleSetExists(_))));
        assert!(matches!(r.clone_rule_set(own, "set", "set").await, Err(Error::RuleSetExists(_))));
        assert!(matches!(r.clone_rule_set(own, "copy", "none").await, Err(Error::RuleSetMissing(_))));
        assert!(matches!(r.rule_set(own, "none").await, Err(Error::RuleSetMissing(_))));
        assert!(matches!(r.set_active_rule_set(own, Some("none")).await, Err(Error::RuleSetMissing(_))));
        b.add(rule("a", &[], vec![]), None).await.expect("made");
        assert!(matches!(b.add(rule("a", &[], vec![]), None).await, Err(Error::RuleExists(_))));
        assert!(matches!(b.add(rule("b", &[], vec![]), Some("none")).await, Err(Error::RuleMissing(_))));
        assert!(matches!(r.update_rule(own, "set", rule("b", &[], vec![])).await, Err(Error::RuleMissing(_))));
        assert!(matches!(r.rule(own, "set", "b").await, Err(Error::RuleMissing(_))));
        r.set_active_rule_set(own, Some("set")).await.expect("active");
        assert!(matches!(r.delete_rule_set(own, "set").await, Err(Error::RuleSetActive(_))));
        assert_eq!(r.active_rule_set(own).await.expect("reads").map(|set| set.name), Some("set".to_owned()));
        r.set_active_rule_set(own, None).await.expect("none active");
        assert_eq!(r.active_rule_set(own).await.expect("reads"), None);
        r.delete_rule_set(own, "set").await.expect("removed");
        r.delete_rule_set(own, "set").await.expect("removed already");
        assert!(r.rule_sets(own).await.expect("reads").is_empty());
    }

    async fn actions_need_topics_and_senders_of_their_own_account(engine: Engine) {
        let b = bench(engine).await;
        b.receiving.create_rule_set(&b.owner, "set").await.expect("made");
        let topic = b.topic("mail").await;
        b.add(rule("good", &[], vec![sns(&topic)]), None).await.expect("made");
        let of = |account: &Scope, region: &str, name: &str| {
            Arn::new("sns", &region.parse::<Region>().expect("a region"), &account.account, name)
        };
        for wrong in [of(&b.owner, "us-east-1", "none"), of(&b.owner, "eu-west-1", "mail"), of(&account('2'), "us-east-1", "mail")] {
            let refused = b.add(rule("bad", &[], vec![sns(&wrong)]), None).await;
            assert!(matches!(refused, Err(Error::InvalidTopic(_))), "{wrong}");
        }
        let bounce = |sender: &str| Action::Bounce {
            reply_code: "550".to_owned(),
            status: None,
            message: "no".to_owned(),
            sender: address(sender),
            topic: None,
        };
        b.add(rule("bounce", &[], vec![bounce("mailer@sub.here.example")]), None).await.expect("made");
        assert!(matches!(b.add(rule("bad", &[], vec![bounce("a@there.example")]), None).await, Err(Error::Invalid(_))));
        assert_eq!(b.names("set").await, ["bounce", "good"]);
    }

    async fn accounts_have_their_own_rule_sets_and_limits(engine: Engine) {
        let b = bench(engine).await;
        let second = account('2');
        for n in 0..MAX_RULE_SETS {
            b.receiving.create_rule_set(&b.owner, &format!("set-{n}")).await.expect("made");
        }
        let refused = b.receiving.create_rule_set(&b.owner, "one-more").await;
        assert!(matches!(refused, Err(Error::LimitExceeded(_))));
        b.receiving.create_rule_set(&second, "set-1").await.expect("made");
        assert_eq!(b.receiving.rule_sets(&second).await.expect("reads").len(), 1);
        b.receiving.delete_rule_set(&b.owner, "set-0").await.expect("removed");
        b.receiving.create_rule_set(&b.owner, "set").await.expect("made");
        for n in 0..MAX_RULES {
            b.add(rule(&format!("rule-{n}"), &[], vec![]), None).await.expect("made");
        }
        assert!(matches!(b.add(rule("one-more", &[], vec![]), None).await, Err(Error::LimitExceeded(_))));
    }

    async fn a_rule_set_has_an_end(engine: Engine) {
        let b = bench(engine).await;
        b.receiving.create_rule_set(&b.owner, "set").await.expect("made");
        let label = "x".repeat(60);
        let recipient = |n: usize| format!("{n}@{label}.{label}.{label}.example");
        let recipients: Vec<String> = (0..MAX_RECIPIENTS).map(recipient).collect();
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let size: usize = recipients.iter().map(|one| one.len() + 3).sum();
        let mut made = 0;
        let refused = loop {
            match b.add(rule(&format!("rule-{made}"), &recipients, vec![]), None).await {
                Ok(()) => made += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, Error::LimitExceeded(_)), "{refused}");
        assert!(made * size <= MAX_SET_OCTETS && (made + 2) * size > MAX_SET_OCTETS, "{made} of {size}");
        b.add(rule("small", &[], vec![]), None).await.expect("there is room for this");
    }

    async fn changes_at_the_same_time_all_count(engine: Engine) {
        let b = bench(engine).await;
        b.receiving.create_rule_set(&b.owner, "set").await.expect("made");
        let all = (0..20).map(|n| b.add(rule(&format!("rule-{n}"), &[], vec![]), None));
        futures::future::join_all(all).await.into_iter().for_each(|one| one.expect("made"));
        assert_eq!(b.names("set").await.len(), 20);
    }
}
