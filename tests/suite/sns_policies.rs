//! Topic policies and permissions through AWS's client: what other accounts, the owner itself and mail may do.
use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use serde_json::{Value, json};

use crate::both_engines;
use crate::house::House;

fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> (String, String) {
    let error = answer.expect_err("refused");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

async fn make(sns: &Client, name: &str) -> String {
    sns.create_topic().name(name).send().await.expect("made").topic_arn.expect("an ARN")
}

async fn attribute(sns: &Client, topic: &str, name: &str) -> Option<String> {
    let got = sns.get_topic_attributes().topic_arn(topic).send().await.expect("attributes");
    got.attributes().and_then(|all| all.get(name).cloned())
}

async fn set_policy(sns: &Client, topic: &str, statement: Value) {
    let policy = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let set = sns.set_topic_attributes().topic_arn(topic).attribute_name("Policy").attribute_value(policy);
    set.send().await.expect("set");
}

both_engines! {
    async fn another_account_may_do_what_the_owner_permits(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs) = (house.sns(), house.sns_as(credentials.clone()));
        let topic = make(&ours, "news").await;
        let publish = async || theirs.publish().topic_arn(&topic).message("m").send().await;
        let (code, text) = refused(publish().await);
        assert_eq!(code, "AuthorizationError");
        assert!(text.contains("is not authorized to perform: SNS:Publish on resource: arn:aws:sns:us-east-1:000000000000:news"), "{text}");

        let add = async |label: &str, account: &str, action: &str| {
            let add = ours.add_permission().topic_arn(&topic).label(label).aws_account_id(account);
            add.action_name(action).send().await
        };
        add("friends", account.as_str(), "Publish").await.expect("permitted");
        let policy: Value = serde_json::from_str(&attribute(&ours, &topic, "Policy").await.expect("a policy")).expect("JSON");
        assert_eq!(policy["Statement"][0]["Sid"], "__default_statement_ID");
        assert_eq!(
            policy["Statement"][1],
            json!({
                "Sid": "friends", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
                "Action": "SNS:Publish", "Resource": topic,
            })
        );
        publish().await.expect("published");
        assert_eq!(refused(theirs.get_topic_attributes().topic_arn(&topic).send().await).0, "AuthorizationError");
        for (label, id, action, message) in [
            ("friends", account.as_str(), "Publish", "Invalid parameter: Statement already exists"),
            ("more", account.as_str(), "Dance", "Invalid parameter: Policy statement action out of service scope!"),
            ("more", "nobody", "Publish", "Invalid parameter: AWSAccountId"),
        ] {
            assert_eq!(refused(add(label, id, action).await), ("InvalidParameter".to_owned(), message.to_owned()));
        }
        ours.remove_permission().topic_arn(&topic).label("friends").send().await.expect("taken back");
        ours.remove_permission().topic_arn(&topic).label("friends").send().await.expect("nothing to take back");
        assert_eq!(refused(publish().await).0, "AuthorizationError");
        assert_eq!(refused(theirs.publish().topic_arn(topic.replace(":news", ":none")).message("m").send().await).0, "AuthorizationError");
    }

    async fn another_account_subscribes_its_queue_and_owns_the_subscription(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs, sqs) = (house.sns(), house.sns_as(credentials.clone()), house.sqs_as(credentials));
        let topic = make(&ours, "news").await;
        let url = sqs.create_queue().queue_name("q").send().await.expect("made").queue_url.expect("a URL");
        let queue = format!("arn:aws:sqs:us-east-1:{account}:q");
        let subscribe = async |protocol: &str, endpoint: &str| {
            let subscribe = theirs.subscribe().topic_arn(&topic).protocol(protocol).endpoint(endpoint);
            subscribe.attributes("RawMessageDelivery", "true").send().await
        };
        assert_eq!(refused(subscribe("sqs", &queue).await).0, "AuthorizationError");
        // Only queues, as the condition says.
        set_policy(&ours, &topic, json!({
            "Effect": "Allow", "Principal": {"AWS": account.as_str()}, "Action": "SNS:Subscribe", "Resource": topic,
            "Condition": {"StringEquals": {"sns:Protocol": "sqs"}, "StringLike": {"sns:Endpoint": "*:q"}},
        })).await;
        assert_eq!(refused(subscribe("http", "http://127.0.0.1/x:q").await).0, "AuthorizationError");
        let arn = subscribe("sqs", &queue).await.expect("subscribed").subscription_arn.expect("an ARN");
        let bodies = async || {
            let got = sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await.expect("received");
            got.messages.unwrap_or_default().into_iter().filter_map(|m| m.body).collect::<Vec<_>>()
        };
        // The queue's own policy has the last word.
        ours.publish().topic_arn(&topic).message("one").send().await.expect("published");
        assert!(bodies().await.is_empty());
        let allow = json!({"Statement": {
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": queue, "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }});
        let set = sqs.set_queue_attributes().queue_url(&url);
        set.attributes(aws_sdk_sqs::types::QueueAttributeName::Policy, allow.to_string()).send().await.expect("set");
        ours.publish().topic_arn(&topic).message("two").send().await.expect("published");
        assert_eq!(bodies().await, ["two"]);

        assert_eq!(theirs.list_subscriptions().send().await.expect("listed").subscriptions().len(), 1);
        assert!(ours.list_subscriptions().send().await.expect("listed").subscriptions().is_empty());
        assert_eq!(ours.list_subscriptions_by_topic().topic_arn(&topic).send().await.expect("listed").subscriptions().len(), 1);
        let got = theirs.get_subscription_attributes().subscription_arn(&arn).send().await.expect("attributes");
        assert_eq!(got.attributes().and_then(|all| all.get("Owner")).map(String::as_str), Some(account.as_str()));
        let (_, stranger) = house.other_account().await;
        let stranger = house.sns_as(stranger);
        assert_eq!(refused(stranger.unsubscribe().subscription_arn(&arn).send().await).0, "AuthorizationError");
        theirs.unsubscribe().subscription_arn(&arn).send().await.expect("unsubscribed");
        assert!(theirs.list_subscriptions().send().await.expect("listed").subscriptions().is_empty());
    }

    async fn a_number_is_judged_as_it_is_subscribed(engine: Engine) {
        let house = House::dev(engine).await;
        let sns = house.sns();
        let topic = make(&sns, "news").await;
        set_policy(&sns, &topic, json!([{
            "Effect": "Deny", "Principal": "*", "Action": "SNS:Subscribe", "Resource": topic,
            "Condition": {"StringEquals": {"sns:Endpoint": "+15551234567"}},
        }])).await;
        let subscribe = async |number: &str| sns.subscribe().topic_arn(&topic).protocol("sms").endpoint(number).send().await;
        for number in ["+15551234567", "+1-555.123/4567", "+1555-1234567"] {
            assert_eq!(refused(subscribe(number).await).0, "AuthorizationError", "{number}");
        }
        subscribe("+1-555-123-4568").await.expect("subscribed");
    }

    async fn a_prohibition_holds_for_the_owner_and_for_its_mail(engine: Engine) {
        let house = House::dev(engine).await;
        let sns = house.sns();
        let topic = make(&sns, "events").await;
        set_policy(&sns, &topic, json!([{
            "Effect": "Deny", "Principal": {"Service": "ses.amazonaws.com"}, "Action": "SNS:Publish", "Resource": topic,
        }])).await;
        sns.publish().topic_arn(&topic).message("m").send().await.expect("published");
        let ses = house.sesv2();
        ses.create_configuration_set().configuration_set_name("set").send().await.expect("made");
        let destination = || {
            let sns = aws_sdk_sesv2::types::SnsDestination::builder().topic_arn(&topic).build().expect("a destination");
            let definition = aws_sdk_sesv2::types::EventDestinationDefinition::builder();
            let definition = definition.enabled(true).matching_event_types("SEND".into()).sns_destination(sns).build();
            let create = ses.create_configuration_set_event_destination().configuration_set_name("set");
            create.event_destination_name("d").event_destination(definition).send()
        };
        assert!(destination().await.is_err());
        set_policy(&sns, &topic, json!([{
            "Effect": "Deny", "Principal": "*", "Action": "SNS:Publish", "Resource": topic,
            "Condition": {"StringNotEquals": {"aws:SourceAccount": "000000000000"}},
        }])).await;
        destination().await.expect("made");
        // Whoever calls is no service, and so has no source account.
        assert_eq!(refused(sns.publish().topic_arn(&topic).message("m").send().await).0, "AuthorizationError");
        for bad in ["{", r#"{"Statement":[]}"#] {
            let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("Policy").attribute_value(bad);
            assert_eq!(refused(set.send().await).0, "InvalidParameter", "{bad}");
        }
    }
}
