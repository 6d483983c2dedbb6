//! Queue policies: what other accounts, topics and the owner itself may do, through AWS's own client.
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, SendMessageBatchRequestEntry};
use serde_json::{Value, json};

use crate::both_engines;
use crate::house::House;

/// The error's code and text.
fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> (String, String) {
    let error = answer.expect_err("refused");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

async fn make(sqs: &Client, name: &str) -> String {
    sqs.create_queue().queue_name(name).send().await.expect("made").queue_url.expect("a URL")
}

async fn set_policy(sqs: &Client, url: &str, policy: &Value) {
    let set = sqs.set_queue_attributes().queue_url(url).attributes(Name::Policy, policy.to_string());
    set.send().await.expect("set");
}

async fn policy(sqs: &Client, url: &str) -> Option<Value> {
    let got = sqs.get_queue_attributes().queue_url(url).attribute_names(Name::All).send().await.expect("attributes");
    got.attributes?.get(&Name::Policy).map(|text| serde_json::from_str(text).expect("JSON"))
}

async fn bodies(sqs: &Client, url: &str) -> Vec<String> {
    let got = sqs.receive_message().queue_url(url).max_number_of_messages(10).send().await.expect("received");
    got.messages.unwrap_or_default().into_iter().filter_map(|m| m.body).collect()
}

both_engines! {
    async fn another_account_may_do_what_the_owner_permits(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs) = (house.sqs(), house.sqs_as(credentials));
        let url = make(&ours, "jobs").await;
        let nowhere = url.replace("/jobs", "/nowhere");
        let send = async |url: &str| theirs.send_message().queue_url(url).message_body("hello").send().await;
        let (code, text) = refused(send(&url).await);
        assert_eq!((code.as_str(), text), ("AccessDenied", format!("Access to the resource {url} is denied.")));
        assert!(refused(send(&nowhere).await).0.ends_with("NonExistentQueue"), "as on AWS");
        for url in [&url, &nowhere] {
            let look = theirs.get_queue_url().queue_owner_aws_account_id("000000000000");
            let name = url.rsplit('/').next().expect("a name");
            assert!(refused(look.queue_name(name).send().await).0.ends_with("NonExistentQueue"));
        }

        let permit = |label: &str| ours.add_permission().queue_url(&url).label(label).aws_account_ids(account.as_str());
        permit("send").actions("SendMessage").actions("GetQueueUrl").send().await.expect("permitted");
        let expected = json!({
            "Version": "2008-10-17",
            "Id": "arn:aws:sqs:us-east-1:000000000000:jobs/SQSDefaultPolicy",
            "Statement": [{
                "Sid": "send",
                "Effect": "Allow",
                "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
                "Action": ["SQS:SendMessage", "SQS:GetQueueUrl"],
                "Resource": "arn:aws:sqs:us-east-1:000000000000:jobs",
            }],
        });
        assert_eq!(policy(&ours, &url).await, Some(expected));
        send(&url).await.expect("sent");
        let look = theirs.get_queue_url().queue_owner_aws_account_id("000000000000").queue_name("jobs");
        assert_eq!(look.send().await.expect("found").queue_url, Some(url.clone()));
        let entry = SendMessageBatchRequestEntry::builder().id("a").message_body("batch").build().expect("an entry");
        theirs.send_message_batch().queue_url(&url).entries(entry).send().await.expect("sent");
        assert_eq!(refused(theirs.receive_message().queue_url(&url).send().await).0, "AccessDenied");
        // Who sent it can be seen.
        let got = ours.receive_message().queue_url(&url).message_system_attribute_names("SenderId".into());
        let got = got.max_number_of_messages(10).visibility_timeout(0).send().await.expect("received");
        assert_eq!(got.messages().len(), 2);
        let sender = got.messages()[0].attributes().and_then(|a| a.get(&"SenderId".into()));
        assert_eq!(sender.map(String::as_str), Some(account.as_str()));

        permit("all").actions("*").send().await.expect("permitted");
        let got = theirs.receive_message().queue_url(&url).send().await.expect("received");
        let handle = got.messages()[0].receipt_handle().expect("a handle");
        let change = theirs.change_message_visibility().queue_url(&url).receipt_handle(handle).visibility_timeout(60);
        change.send().await.expect("changed");
        let entry = DeleteMessageBatchRequestEntry::builder().id("a").receipt_handle(handle).build().expect("an entry");
        let gone = theirs.delete_message_batch().queue_url(&url).entries(entry).send().await.expect("deleted");
        assert_eq!(gone.successful().len(), 1);
        theirs.get_queue_attributes().queue_url(&url).attribute_names(Name::All).send().await.expect("attributes");
        theirs.purge_queue().queue_url(&url).send().await.expect("purged");
        // What is the owner's stays the owner's.
        assert_eq!(refused(theirs.delete_queue().queue_url(&url).send().await).0, "AccessDenied");
        assert_eq!(refused(theirs.list_queue_tags().queue_url(&url).send().await).0, "AccessDenied");
        let set = theirs.set_queue_attributes().queue_url(&url).attributes(Name::DelaySeconds, "1").send().await;
        assert_eq!(refused(set).0, "AccessDenied");
        assert_eq!(refused(theirs.remove_permission().queue_url(&url).label("all").send().await).0, "AccessDenied");
        assert!(theirs.list_queues().send().await.expect("listed").queue_urls().is_empty());

        for label in ["all", "send"] {
            ours.remove_permission().queue_url(&url).label(label).send().await.expect("taken back");
        }
        assert_eq!(policy(&ours, &url).await, None);
        assert_eq!(refused(send(&url).await).0, "AccessDenied");
    }

    async fn permissions_are_refused_as_aws_refuses_them(engine: Engine) {
        let house = House::serve(engine).await;
        let sqs = house.sqs();
        let url = make(&sqs, "jobs").await;
        let add = async |label: &str, account: Option<&str>, actions: &[&str]| {
            let add = sqs.add_permission().queue_url(&url).label(label);
            let add = account.iter().fold(add.set_aws_account_ids(Some(vec![])), |add, id| add.aws_account_ids(*id));
            actions.iter().fold(add.set_actions(Some(vec![])), |add, action| add.actions(*action)).send().await
        };
        let friend = Some("111111111111");
        add("there", friend, &["SendMessage"]).await.expect("permitted");
        let long = "x".repeat(81);
        for (label, account, actions, code, text) in [
            ("there", friend, vec!["SendMessage"], "InvalidParameterValue", "Value there for parameter Label is invalid. Reason: Already exists."),
            (&long, friend, vec!["SendMessage"], "InvalidParameterValue", "for parameter Label is invalid."),
            ("a b", friend, vec!["SendMessage"], "InvalidParameterValue", "for parameter Label is invalid."),
            ("new", friend, vec!["DeleteQueue"], "InvalidParameterValue", "Value SQS:DeleteQueue for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action."),
            ("new", friend, vec![], "MissingParameter", "The request must contain the parameter Actions."),
            ("new", None, vec!["SendMessage"], "InvalidParameterValue", "Value [] for parameter PrincipalId is invalid. Reason: Unable to verify."),
            ("new", Some("eve"), vec!["SendMessage"], "InvalidParameterValue", "Value eve for parameter PrincipalId is invalid. Reason: Unable to verify."),
            ("new", friend, vec!["SendMessage"; 8], "OverLimit", "8 Actions were found, maximum allowed is 7."),
        ] {
            let (got_code, got_text) = refused(add(label, account, &actions).await);
            assert_eq!(got_code, code, "{label} {actions:?}");
            assert!(got_text.contains(text), "{got_text}");
        }
        for n in 1..20 {
            add(&n.to_string(), friend, &["SendMessage"]).await.expect("permitted");
        }
        assert_eq!(refused(add("20", friend, &["SendMessage"]).await).0, "OverLimit");
        let (code, text) = refused(sqs.remove_permission().queue_url(&url).label("nowhere").send().await);
        assert_eq!(code, "InvalidParameterValue");
        assert_eq!(text, "Value nowhere for parameter Label is invalid. Reason: can't find label.");
    }

    async fn a_policy_is_checked_kept_as_it_was_given_and_binds_its_owner(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs) = (house.sqs(), house.sqs_as(credentials));
        let url = make(&ours, "jobs").await;
        for bad in ["not json", "{}", r#"{"Statement":[{"Effect":"Allow"}]}"#] {
            let set = ours.set_queue_attributes().queue_url(&url).attributes(Name::Policy, bad).send().await;
            let expected = ("InvalidAttributeValue".to_owned(), "Invalid value for the parameter Policy.".to_owned());
            assert_eq!(refused(set), expected, "{bad}");
        }
        let statement = |effect: &str, action: &str, condition: Value| json!({
            "Effect": effect, "Principal": "*", "Action": action,
            "Resource": "arn:aws:sqs:*:000000000000:jobs", "Condition": condition,
        });
        let from = |network: &str| json!({"IpAddress": {"aws:SourceIp": network}});
        let send = async |sqs: &Client| sqs.send_message().queue_url(&url).message_body("hello").send().await;
        for (condition, allowed) in [
            (from("127.0.0.0/8"), true),
            (from("192.0.2.0/24"), false),
            (json!({"StringEquals": {"aws:PrincipalAccount": account.as_str()}}), true),
            (json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::000000000000:*"}}), false),
            (json!({"Bool": {"aws:SecureTransport": "true"}}), false),
        ] {
            let document = json!({"Version": "2012-10-17", "Statement": statement("Allow", "sqs:SendMessage", condition)});
            set_policy(&ours, &url, &document).await;
            assert_eq!(policy(&ours, &url).await, Some(document.clone()));
            assert_eq!(send(&theirs).await.is_ok(), allowed, "{document}");
            send(&ours).await.expect("the owner needs no permission");
        }
        // A prohibition binds the owner too, who can still take it back.
        let closed = json!({"Statement": [
            statement("Allow", "sqs:*", json!({})),
            statement("Deny", "sqs:*", from("127.0.0.0/8")),
        ]});
        set_policy(&ours, &url, &closed).await;
        for sqs in [&ours, &theirs] {
            assert_eq!(refused(send(sqs).await).0, "AccessDenied");
        }
        assert_eq!(refused(ours.delete_queue().queue_url(&url).send().await).0, "AccessDenied");
        assert_eq!(refused(ours.get_queue_url().queue_name("jobs").send().await).0, "AccessDenied");
        let set = ours.set_queue_attributes().queue_url(&url).attributes(Name::Policy, "");
        set.send().await.expect("taken back");
        assert_eq!(policy(&ours, &url).await, None);
        send(&ours).await.expect("sent");
        assert_eq!(refused(send(&theirs).await).0, "AccessDenied");
    }

    async fn topics_of_other_accounts_need_the_queues_permission(engine: Engine) {
        let house = House::serve(engine).await;
        let (account, credentials) = house.other_account().await;
        let (ours, theirs) = (house.sqs(), house.sns_as(credentials));
        let url = make(&ours, "jobs").await;
        let queue = "arn:aws:sqs:us-east-1:000000000000:jobs";
        let topic = theirs.create_topic().name("news").send().await.expect("made").topic_arn.expect("an ARN");
        let subscribe = async |queue: &str| {
            let subscribe = theirs.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue);
            subscribe.attributes("RawMessageDelivery", "true").send().await
        };
        // Whoever subscribes a queue of ours, it is asked, if its policy lets the topic in.
        for queue in [queue, "arn:aws:sqs:us-east-1:000000000000:nowhere"] {
            let pending = subscribe(queue).await.expect("subscribed").subscription_arn;
            assert_eq!(pending.as_deref(), Some("pending confirmation"), "{queue}");
        }
        house.work().await;
        assert!(bodies(&ours, &url).await.is_empty());
        let allow = |source: &str| json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": queue, "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }]});
        set_policy(&ours, &url, &allow(&topic.replace(":news", ":others"))).await;
        subscribe(queue).await.expect("subscribed");
        house.work().await;
        assert!(bodies(&ours, &url).await.is_empty());
        set_policy(&ours, &url, &allow(&topic)).await;
        subscribe(queue).await.expect("subscribed");
        house.work().await;
        let asked: Value = serde_json::from_str(&bodies(&ours, &url).await[0]).expect("JSON");
        let token = asked["Token"].as_str().expect("a token");
        house.sns().confirm_subscription().topic_arn(&topic).token(token).send().await.expect("confirmed");
        let publish = async |text: &str| drop(theirs.publish().topic_arn(&topic).message(text).send().await.expect("published"));
        publish("one").await;
        assert_eq!(bodies(&ours, &url).await, ["one"]);
        // The permission counts at each delivery, not only at the first.
        set_policy(&ours, &url, &allow("arn:aws:sns:us-east-1:000000000000:news")).await;
        publish("two").await;
        assert!(bodies(&ours, &url).await.is_empty());

        // A topic of the queue's own account needs no permission, but a prohibition holds.
        let own = house.sns().create_topic().name("news").send().await.expect("made").topic_arn.expect("an ARN");
        let own_subscription = house.sns().subscribe().topic_arn(&own).protocol("sqs").endpoint(queue);
        own_subscription.attributes("RawMessageDelivery", "true").send().await.expect("subscribed");
        house.sns().publish().topic_arn(&own).message("three").send().await.expect("published");
        assert_eq!(bodies(&ours, &url).await, ["three"]);
        let deny = json!({"Statement": [{
            "Effect": "Deny", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "*", "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:SourceAccount": account.as_str()}},
        }]});
        set_policy(&ours, &url, &deny).await;
        house.sns().publish().topic_arn(&own).message("four").send().await.expect("published");
        assert!(bodies(&ours, &url).await.is_empty());
    }
}
