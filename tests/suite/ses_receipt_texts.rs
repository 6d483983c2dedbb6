//! What SES says to receipt rules, rule sets and filters that cannot be: its words, and in which order it looks.
use crate::both_engines;
use crate::ses_wire::{SesWire, violated};

const SET: (&str, &str) = ("RuleSetName", "set");
const PATTERN: &str = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_.-]+$";
const SHORT: &str = "Member must have length greater than or equal to 1";
const NULL: &str = "Member must not be null";

fn validation(what: &[(&str, &str)]) -> String {
    format!("ValidationError: {}", violated(what))
}

async fn wire(engine: crate::engine::Engine) -> SesWire {
    let wire = SesWire::new(engine).await;
    wire.done_v1("CreateReceiptRuleSet", &[SET]).await;
    wire
}

/// What CreateReceiptRule says to one action, or to two.
async fn no_action(wire: &SesWire, members: &[(&str, &str)]) -> String {
    let named: Vec<(String, &str)> =
        members.iter().map(|(name, value)| (format!("Rule.Actions.member.{name}"), *value)).collect();
    let mut all = vec![SET, ("Rule.Name", "r")];
    all.extend(named.iter().map(|(name, value)| (name.as_str(), *value)));
    wire.no_v1("CreateReceiptRule", &all).await
}

both_engines! {
    async fn names_are_judged_by_pattern_and_then_by_form(engine: Engine) {
        let wire = wire(engine).await;
        for action in ["CreateReceiptRuleSet", "DescribeReceiptRuleSet", "DeleteReceiptRuleSet", "SetActiveReceiptRuleSet"] {
            let no = wire.no_v1(action, &[("RuleSetName", "a b")]).await;
            assert_eq!(no, validation(&[("ruleSetName", PATTERN)]), "{action}");
            for name in ["-bad", "bad-", "a".repeat(65).as_str()] {
                let no = wire.no_v1(action, &[("RuleSetName", name)]).await;
                assert_eq!(no, format!("InvalidParameterValue: Not a valid ruleSetName: {name}"), "{action}");
            }
        }
        let no = wire.no_v1("CreateReceiptRuleSet", &[("RuleSetName", "")]).await;
        assert_eq!(no, validation(&[("ruleSetName", SHORT), ("ruleSetName", PATTERN)]));
        assert_eq!(wire.no_v1("CreateReceiptRuleSet", &[]).await, validation(&[("ruleSetName", NULL)]));
        wire.done_v1("CreateReceiptRuleSet", &[("RuleSetName", "with.dots")]).await;
        for action in ["DescribeReceiptRule", "DeleteReceiptRule", "SetReceiptRulePosition"] {
            let no = wire.no_v1(action, &[SET, ("RuleName", "a b")]).await;
            assert_eq!(no, validation(&[("ruleName", PATTERN)]), "{action}");
            let no = wire.no_v1(action, &[SET, ("RuleName", "_a")]).await;
            assert_eq!(no, "InvalidParameterValue: Not a valid ruleName: _a", "{action}");
        }
        let both = [SET, ("RuleName", "a b"), ("After", "")];
        let no = wire.no_v1("SetReceiptRulePosition", &both).await;
        assert_eq!(no, validation(&[("ruleName", PATTERN), ("after", SHORT), ("after", PATTERN)]));
        let originals = [("RuleSetName", "a b"), ("OriginalRuleSetName", "c d")];
        let no = wire.no_v1("CloneReceiptRuleSet", &originals).await;
        assert_eq!(no, validation(&[("originalRuleSetName", PATTERN), ("ruleSetName", PATTERN)]));
        let taken = [SET, ("OriginalRuleSetName", "none")];
        assert_eq!(wire.no_v1("CloneReceiptRuleSet", &taken).await, "AlreadyExists: Rule set already exists: set");
        let no = wire.no_v1("ListReceiptRuleSets", &[("NextToken", "x")]).await;
        assert_eq!(no, "InvalidParameterValue: Invalid token: x");
    }

    async fn rules_are_judged_before_their_set_and_actions_after_it(engine: Engine) {
        let wire = wire(engine).await;
        let rule = async |members: &[(&str, &str)]| wire.no_v1("CreateReceiptRule", members).await;
        assert_eq!(rule(&[SET]).await, validation(&[("rule", NULL)]));
        assert_eq!(rule(&[SET, ("Rule.Enabled", "true")]).await, validation(&[("rule.name", NULL)]));
        let several = [SET, ("After", "a b"), ("Rule.Name", "c d"), ("Rule.TlsPolicy", "None"), ("Rule.Actions.member.1.StopAction.Scope", "Rule")];
        let policies = "Member must satisfy enum value set: [Optional, Require]";
        assert_eq!(
            rule(&several).await,
            validation(&[
                ("after", PATTERN), ("rule.name", PATTERN), ("rule.tlsPolicy", policies),
                ("rule.actions.1.member.stopAction.scope", "Member must satisfy enum value set: [RuleSet]"),
            ])
        );
        let absent = ("RuleSetName", "none");
        let bad_topic = ("Rule.Actions.member.1.SNSAction.TopicArn", "t");
        assert_eq!(rule(&[absent, ("Rule.Name", "-a")]).await, "InvalidParameterValue: Not a valid ruleName: -a");
        let no = rule(&[absent, ("Rule.Name", "a"), bad_topic]).await;
        assert_eq!(no, "RuleSetDoesNotExist: Rule set does not exist: none");
        wire.done_v1("CreateReceiptRule", &[SET, ("Rule.Name", "a")]).await;
        let no = rule(&[SET, ("Rule.Name", "a"), ("After", "none")]).await;
        assert_eq!(no, "AlreadyExists: Rule already exists: a");
        let no = rule(&[SET, ("Rule.Name", "b"), ("After", "none")]).await;
        assert_eq!(no, "RuleDoesNotExist: Rule does not exist: none");
        for recipient in ["", "not valid", "example..com", "foo.-example.com"] {
            let no = rule(&[SET, ("Rule.Name", "b"), ("Rule.Recipients.member.1", recipient)]).await;
            assert_eq!(no, format!("InvalidParameterValue: Invalid recipient: {recipient}"));
        }
        let recipients = [
            SET, ("Rule.Name", "b"), ("Rule.Recipients.member.1", "Z@X.example"), ("Rule.Recipients.member.2", "x.example"),
            ("Rule.Recipients.member.3", "z@x.example"), ("Rule.Recipients.member.4", ".x.example"),
        ];
        wire.done_v1("CreateReceiptRule", &recipients).await;
        let told = wire.done_v1("DescribeReceiptRule", &[SET, ("RuleName", "b")]).await;
        let list = "<member>.x.example</member><member>x.example</member><member>z@x.example</member>";
        assert!(told.contains(list), "{told}");

        let names = |list: &[&'static str]| -> Vec<(String, &'static str)> {
            list.iter().enumerate().map(|(n, name)| (format!("RuleNames.member.{}", n + 1), *name)).collect()
        };
        for (list, no) in [
            (&["a", "a"][..], "InvalidParameterValue: Multiple positions found for rule: a"),
            (&["x", "y"], "InvalidParameterValue: Positions for rules not found: b, a"),
            (&["a", "b", "y"], "RuleDoesNotExist: Rule does not exist: y"),
        ] {
            let names = names(list);
            let mut members = vec![SET];
            members.extend(names.iter().map(|(name, value)| (name.as_str(), *value)));
            assert_eq!(wire.no_v1("ReorderReceiptRuleSet", &members).await, no);
        }
        let each = format!("Member must satisfy constraint: [Member must have length less than or equal to 100, {SHORT}, {PATTERN}]");
        let no = wire.no_v1("ReorderReceiptRuleSet", &[SET, ("RuleNames.member.1", "a b")]).await;
        assert_eq!(no, validation(&[("ruleNames", &each)]));
    }

    async fn actions_are_judged_in_sess_words(engine: Engine) {
        let wire = wire(engine).await;
        let path = |member: &str| format!("rule.actions.1.member.{member}");
        let no = no_action(&wire, &[("1.BounceAction.StatusCode", "5.1.1")]).await;
        let (code, sender, message) =
            (path("bounceAction.smtpReplyCode"), path("bounceAction.sender"), path("bounceAction.message"));
        assert_eq!(no, validation(&[(&code, NULL), (&sender, NULL), (&message, NULL)]));
        let no = no_action(&wire, &[("1.SNSAction.Encoding", "x")]).await;
        let (encoding, topic) = (path("sNSAction.encoding"), path("sNSAction.topicArn"));
        assert_eq!(no, validation(&[(&encoding, "Member must satisfy enum value set: [Base64, UTF-8]"), (&topic, NULL)]));
        let no = no_action(&wire, &[("1.LambdaAction.InvocationType", "x")]).await;
        let (function, kind) = (path("lambdaAction.functionArn"), path("lambdaAction.invocationType"));
        let kinds = "Member must satisfy enum value set: [RequestResponse, Event]";
        assert_eq!(no, validation(&[(&function, NULL), (&kind, kinds)]));
        let absent = "arn:aws:sns:us-east-1:000000000000:none";
        let unknown = "arn:aws:lambda:us-east-1:000000000000:function:none";
        let bounce = |code: &'static str, message: &'static str| [
            ("1.BounceAction.SmtpReplyCode", code), ("1.BounceAction.Message", message),
            ("1.BounceAction.Sender", "a@nowhere.example"),
        ];
        let stop = [("1.StopAction.Scope", "RuleSet"), ("2.StopAction.Scope", "RuleSet")];
        let two = [("1.StopAction.Scope", "RuleSet"), ("1.S3Action.BucketName", "b-1")];
        let header = |name: &'static str, value: &'static str| [
            ("1.AddHeaderAction.HeaderName", name), ("1.AddHeaderAction.HeaderValue", value),
        ];
        for (members, no) in [
            (&[("1.SNSAction.TopicArn", "none")][..], "InvalidSnsTopic: Invalid SNS topic: none".to_owned()),
            (&[("1.SNSAction.TopicArn", absent)], format!("InvalidSnsTopic: Could not publish to SNS topic: {absent}")),
            (&[("1.S3Action.BucketName", "")], "InvalidParameterValue: Bucket name must not be empty".to_owned()),
            (&[("1.S3Action.BucketName", "No Bucket")], "InvalidS3Configuration: No such bucket: No Bucket".to_owned()),
            (&[("1.LambdaAction.FunctionArn", "")], "InvalidParameterValue: Lambda function ARN must not be empty".to_owned()),
            (&[("1.LambdaAction.FunctionArn", "f")], "InvalidLambdaFunction: Invalid Lambda function: f".to_owned()),
            (&[("1.LambdaAction.FunctionArn", unknown)], format!("InvalidLambdaFunction: Could not invoke Lambda function: {unknown}")),
            (&bounce("", "no"), "InvalidParameterValue: Invalid SMTP reply code: ".to_owned()),
            (&bounce("550", ""), "InvalidParameterValue: Invalid SMTP response message: ".to_owned()),
            (&bounce("550", "no"), "InvalidParameterValue: Identity is not verified: a@nowhere.example".to_owned()),
            (&stop, "InvalidParameterValue: Stop action, if any, must be placed at the end of the actions list".to_owned()),
            (&two, "InvalidParameterValue: Exactly one action type must be specified for each ReceiptAction".to_owned()),
            (&header("X bad", "v"), "InvalidParameterValue: Invalid header name: X bad".to_owned()),
            (&header("X-Test", "a\nb"), "InvalidParameterValue: Invalid header value: a0x000ab".to_owned()),
        ] {
            assert_eq!(no_action(&wire, members).await, no, "{members:?}");
        }
        let headers: Vec<(String, &str)> = (1..=11)
            .flat_map(|n| [(format!("{n}.AddHeaderAction.HeaderName"), "X-A"), (format!("{n}.AddHeaderAction.HeaderValue"), "v")])
            .collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(no_action(&wire, &headers).await, "LimitExceeded: Too many actions");
    }

    async fn filters_are_judged_in_sess_words(engine: Engine) {
        let wire = wire(engine).await;
        let no = async |members: &[(&str, &str)]| wire.no_v1("CreateReceiptFilter", members).await;
        let filter = |name: &'static str, policy: &'static str, cidr: &'static str| {
            [("Filter.Name", name), ("Filter.IpFilter.Policy", policy), ("Filter.IpFilter.Cidr", cidr)]
        };
        assert_eq!(no(&[]).await, validation(&[("filter", NULL)]));
        assert_eq!(no(&[("Filter.Name", "f")]).await, validation(&[("filter.ipFilter", NULL)]));
        let policies = "Member must satisfy enum value set: [Allow, Block]";
        let two = [("Filter.Name", "f"), ("Filter.IpFilter.Policy", "x")];
        let expected = validation(&[("filter.ipFilter.policy", policies), ("filter.ipFilter.cidr", NULL)]);
        assert_eq!(no(&two).await, expected);
        let empty = "InvalidParameterValue: filterName must not be empty";
        assert_eq!(no(&filter("", "Block", "10.0.0.1")).await, empty);
        for name in ["-a", "a b"] {
            let expected = format!("InvalidParameterValue: Not a valid filterName: {name}");
            assert_eq!(no(&filter(name, "Block", "10.0.0.1")).await, expected);
        }
        let expected = "InvalidParameterValue: Invalid CIDR block: 10.0.0";
        assert_eq!(no(&filter("f", "Block", "10.0.0")).await, expected);
        wire.done_v1("CreateReceiptFilter", &filter("f", "Block", "10.0.0.0/8")).await;
        assert_eq!(no(&filter("f", "Block", "10.0.0.0/8")).await, "AlreadyExists: Filter already exists: f");
        assert_eq!(wire.no_v1("DeleteReceiptFilter", &[]).await, validation(&[("filterName", NULL)]));
    }
}
