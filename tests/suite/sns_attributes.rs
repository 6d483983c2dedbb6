//! Attributes of topics, subscriptions, devices and text messages through AWS's client: what they change, and how they read back.
use aws_sdk_sns::Client;
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::types::PublishBatchRequestEntry;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};

use crate::both_engines;
use crate::house::House;

fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<T, SdkError<E, R>>,
) -> (String, String) {
    let error = answer.expect_err("refused");
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn invalid(text: &str) -> (String, String) {
    ("InvalidParameter".to_owned(), format!("Invalid parameter: {text}"))
}

async fn make(sns: &Client, name: &str, attributes: &[(&str, &str)]) -> String {
    let create = attributes.iter().fold(sns.create_topic().name(name), |c, (name, value)| c.attributes(*name, *value));
    create.send().await.expect("made").topic_arn.expect("an ARN")
}

async fn attribute(sns: &Client, topic: &str, name: &str) -> Option<String> {
    let got = sns.get_topic_attributes().topic_arn(topic).send().await.expect("attributes");
    got.attributes().and_then(|all| all.get(name).cloned())
}

async fn queue(house: &House, name: &str) -> (String, String) {
    let create = house.sqs().create_queue().queue_name(name);
    let fifo = name.ends_with(".fifo");
    let create = if fifo { create.attributes(QueueAttributeName::FifoQueue, "true") } else { create };
    let url = create.send().await.expect("made").queue_url.expect("a URL");
    (url, format!("arn:aws:sqs:us-east-1:000000000000:{name}"))
}

both_engines! {
    async fn a_topic_says_how_long_its_messages_may_be(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let topic = make(&sns, "t", &[]).await;
        assert_eq!(attribute(&sns, &topic, "MaximumMessageSize").await, None, "shown where it is set");
        let set = async |value: &str| {
            let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("MaximumMessageSize");
            set.attribute_value(value).send().await
        };
        let publish = async |bytes: usize| sns.publish().topic_arn(&topic).message("x".repeat(bytes)).send().await;
        publish(262_144).await.expect("published");
        assert_eq!(refused(publish(262_145).await), invalid("Message too long"));
        for bad in ["", "1023", "1048577", "many", "-1", "+2048", "1e5"] {
            let (code, text) = refused(set(bad).await);
            assert!(code == "InvalidParameter" && text.starts_with("Invalid parameter: MaximumMessageSize"), "{bad}: {text}");
        }
        let create = sns.create_topic().name("other").attributes("MaximumMessageSize", "1").send().await;
        assert!(refused(create).1.starts_with("Invalid parameter: Attributes Reason: MaximumMessageSize"));
        set("1024").await.expect("set");
        publish(1_024).await.expect("published");
        assert_eq!(refused(publish(1_025).await), invalid("Message too long"));

        // To 1 MiB, with all that the queue gets.
        let (url, arn) = queue(&house, "q").await;
        set("1048576").await.expect("set");
        assert_eq!(attribute(&sns, &topic, "MaximumMessageSize").await.as_deref(), Some("1048576"));
        assert_eq!(make(&sns, "t", &[("MaximumMessageSize", "1048576")]).await, topic);
        let raw = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(&arn).attributes("RawMessageDelivery", "true");
        raw.send().await.expect("subscribed");
        publish(1_048_576).await.expect("published");
        assert_eq!(refused(publish(1_048_577).await), invalid("Message too long"));
        let got = house.sqs().receive_message().queue_url(&url).send().await.expect("received");
        assert_eq!(got.messages()[0].body().map(str::len), Some(1_048_576));
        let batch = async |bytes: usize| {
            let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message("x".repeat(bytes)).build().expect("an entry");
            sns.publish_batch().topic_arn(&topic).publish_batch_request_entries(entry("a")).publish_batch_request_entries(entry("b")).send().await
        };
        assert_eq!(batch(524_288).await.expect("published").successful().len(), 2);
        assert_eq!(refused(batch(524_289).await).0, "BatchRequestTooLong");
        set("2048").await.expect("set");
        assert_eq!(refused(batch(1_025).await).0, "BatchRequestTooLong");
    }

    async fn large_messages_go_to_few_and_not_by_every_protocol(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let set = async |topic: &str, value: &str| {
            let set = sns.set_topic_attributes().topic_arn(topic).attribute_name("MaximumMessageSize");
            set.attribute_value(value).send().await
        };
        let subscribe = async |topic: &str, protocol: &str, endpoint: &str| {
            sns.subscribe().topic_arn(topic).protocol(protocol).endpoint(endpoint).send().await
        };
        let topic = make(&sns, "large", &[("MaximumMessageSize", "262145")]).await;
        assert_eq!(refused(subscribe(&topic, "http", "http://127.0.0.1:1/").await).0, "InvalidParameter");
        set(&topic, "262144").await.expect("set");
        subscribe(&topic, "http", "http://127.0.0.1:1/").await.expect("subscribed");
        assert_eq!(refused(set(&topic, "262145").await).0, "InvalidParameter");

        let topic = make(&sns, "many", &[("MaximumMessageSize", "300000")]).await;
        let queue = |n: usize| format!("arn:aws:sqs:us-east-1:000000000000:q{n}");
        for n in 0..100 {
            subscribe(&topic, "sqs", &queue(n)).await.expect("subscribed");
        }
        assert_eq!(refused(subscribe(&topic, "sqs", &queue(100)).await).0, "InvalidParameter");
        subscribe(&topic, "sqs", &queue(99)).await.expect("subscribed already");
        set(&topic, "1024").await.expect("set");
        subscribe(&topic, "sqs", &queue(100)).await.expect("subscribed");
        assert_eq!(refused(set(&topic, "300000").await).0, "InvalidParameter");
    }

    async fn delivery_policies_read_back_as_on_aws(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let default = concat!(
            r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":20,"maxDelayTarget":20,"numRetries":3,"numMaxDelayRetries":0,"#,
            r#""numNoDelayRetries":0,"numMinDelayRetries":0,"backoffFunction":"linear"},"disableSubscriptionOverrides":false,"#,
            r#""defaultRequestPolicy":{"headerContentType":"text/plain; charset=UTF-8"}}}"#
        );
        for name in ["t", "t.fifo"] {
            let fifo: &[_] = if name == "t" { &[] } else { &[("FifoTopic", "true")] };
            let topic = make(&sns, name, fifo).await;
            assert_eq!(attribute(&sns, &topic, "DeliveryPolicy").await, None);
            assert_eq!(attribute(&sns, &topic, "EffectiveDeliveryPolicy").await.as_deref(), Some(default));
            let set = async |value: &str| {
                let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("DeliveryPolicy");
                set.attribute_value(value).send().await
            };
            for (given, shown) in [
                (
                    r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1}}}"#,
                    r#"{"http":{"defaultHealthyRetryPolicy":{"minDelayTarget":5,"maxDelayTarget":6,"numRetries":1},"disableSubscriptionOverrides":false}}"#,
                ),
                (r#"{"http": {"defaultHealthyRetryPolicy": null}}"#, r#"{"http":{"disableSubscriptionOverrides":false}}"#),
            ] {
                set(given).await.expect("set");
                assert_eq!(attribute(&sns, &topic, "DeliveryPolicy").await.as_deref(), Some(shown));
            }
            assert_eq!(attribute(&sns, &topic, "EffectiveDeliveryPolicy").await.as_deref(), Some(default));
            let short = set(r#"{"http":{"defaultHealthyRetryPolicy":{"numRetries":5}}}"#).await;
            let text = "DeliveryPolicy: http.defaultHealthyRetryPolicy.minDelayTarget must be specified";
            assert_eq!(refused(short), invalid(text));
            set("").await.expect("set");
            assert_eq!(attribute(&sns, &topic, "DeliveryPolicy").await, None);
        }

        let topic = make(&sns, "t", &[]).await;
        let subscribe = async |policy: &str| {
            let subscribe = sns.subscribe().topic_arn(&topic).protocol("http").endpoint("http://127.0.0.1:1/");
            subscribe.attributes("DeliveryPolicy", policy).return_subscription_arn(true).send().await
        };
        let text = "Attributes Reason: DeliveryPolicy: healthyRetryPolicy.minDelayTarget must be specified";
        assert_eq!(refused(subscribe(r#"{"healthyRetryPolicy":{"numRetries":5}}"#).await), invalid(text));
        let given = r#"{"requestPolicy": {"headerContentType": "text/csv"}}"#;
        let arn = subscribe(given).await.expect("subscribed").subscription_arn.expect("an ARN");
        let got = sns.get_subscription_attributes().subscription_arn(&arn).send().await.expect("attributes");
        let shown = r#"{"healthyRetryPolicy":null,"sicklyRetryPolicy":null,"throttlePolicy":null,"requestPolicy":{"headerContentType":"text/csv"},"guaranteed":false}"#;
        assert_eq!(got.attributes().and_then(|all| all.get("DeliveryPolicy")).map(String::as_str), Some(shown));
        assert_eq!(subscribe(given).await.expect("the same").subscription_arn, Some(arn));
    }

    async fn fifo_subscriptions_have_fifo_dead_letter_queues(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let topic = make(&sns, "t.fifo", &[("FifoTopic", "true")]).await;
        let ((_, ordered), (_, dead), (_, plain)) =
            (queue(&house, "q.fifo").await, queue(&house, "dead.fifo").await, queue(&house, "plain").await);
        let redrive = |to: &str| format!("{{\"deadLetterTargetArn\":\"{to}\"}}");
        let subscribe = async |endpoint: &str, to: &str| {
            let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(endpoint);
            subscribe.attributes("RedrivePolicy", redrive(to)).send().await
        };
        let text = "RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.";
        assert_eq!(refused(subscribe(&ordered, &plain).await), invalid(&format!("Attributes Reason: {text}")));
        let arn = subscribe(&ordered, &dead).await.expect("subscribed").subscription_arn.expect("an ARN");
        let set = sns.set_subscription_attributes().subscription_arn(&arn).attribute_name("RedrivePolicy");
        assert_eq!(refused(set.attribute_value(redrive(&plain)).send().await), invalid(text));
        // A standard queue keeps no order that could be lost.
        subscribe(&plain, &queue(&house, "plain-dead").await.1).await.expect("subscribed");
    }

    async fn groups_of_a_fifo_topic_show_in_fifo_queues_only(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, sqs) = (house.sns(), house.sqs());
        let fifo = make(&sns, "t.fifo", &[("FifoTopic", "true")]).await;
        let standard = make(&sns, "t", &[]).await;
        let ((plain_url, plain), (ordered_url, ordered)) = (queue(&house, "plain").await, queue(&house, "q.fifo").await);
        for (topic, queue) in [(&fifo, &plain), (&fifo, &ordered), (&standard, &plain)] {
            let subscribe = sns.subscribe().topic_arn(topic).protocol("sqs").endpoint(queue);
            subscribe.attributes("RawMessageDelivery", "true").send().await.expect("subscribed");
        }
        let received = async |url: &str| {
            let receive = sqs.receive_message().queue_url(url).message_system_attribute_names(MessageSystemAttributeName::All);
            let got = receive.send().await.expect("received").messages.unwrap_or_default();
            let attributes = got[0].attributes.clone().unwrap_or_default();
            sqs.delete_message().queue_url(url).receipt_handle(got[0].receipt_handle().expect("a handle")).send().await.expect("deleted");
            [MessageSystemAttributeName::MessageGroupId, MessageSystemAttributeName::MessageDeduplicationId]
                .map(|name| attributes.get(&name).cloned())
        };
        let publish = sns.publish().topic_arn(&fifo).message("m").message_group_id("g").message_deduplication_id("d");
        publish.send().await.expect("published");
        assert_eq!(received(&plain_url).await, [None, None]);
        assert_eq!(received(&ordered_url).await, [Some("g".to_owned()), Some("d".to_owned())]);
        sns.publish().topic_arn(&standard).message("m").message_group_id("g").send().await.expect("published");
        assert_eq!(received(&plain_url).await, [Some("g".to_owned()), None], "a fair group of a standard topic");
    }

    async fn devices_are_made_by_their_attributes_and_a_disabled_one_says_so_first(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let app = || sns.create_platform_application().name("app").platform("GCM").attributes("PlatformCredential", "k");
        let arn = app().send().await.expect("made").platform_application_arn.expect("an ARN");
        let again = app().attributes("Enabled", "true").send().await.expect("the same").platform_application_arn;
        assert_eq!(again.as_deref(), Some(arn.as_str()));
        let create = sns.create_platform_endpoint().platform_application_arn(&arn).token("parameter").custom_user_data("parameter");
        let create = create.attributes("CustomUserData", "attribute").attributes("Token", "attribute").attributes("Enabled", "false");
        let endpoint = create.send().await.expect("made").endpoint_arn.expect("an ARN");
        let got = sns.get_endpoint_attributes().endpoint_arn(&endpoint).send().await.expect("attributes");
        let all = got.attributes().expect("attributes");
        assert_eq!((all["CustomUserData"].as_str(), all["Token"].as_str(), all["Enabled"].as_str()), ("attribute", "attribute", "false"));
        // There is no gateway, and the message is no good either.
        let publish = sns.publish().target_arn(&endpoint).message_structure("json").message("{\"hello\":\"world\"}").send().await;
        assert_eq!(refused(publish), ("EndpointDisabled".to_owned(), "Endpoint is disabled".to_owned()));
        sns.delete_endpoint().endpoint_arn(&endpoint).send().await.expect("gone");
        let topic = make(&sns, "t", &[]).await;
        let gone = sns.subscribe().topic_arn(&topic).protocol("application").endpoint(&endpoint).send().await;
        assert_eq!(refused(gone), invalid(&format!("Endpoint Reason: Endpoint does not exist for endpoint arn{endpoint}")));
        let nowhere = sns.subscribe().topic_arn(topic.replace(":t", ":none")).protocol("sqs").endpoint("asdf").send().await;
        assert_eq!(refused(nowhere), ("NotFound".to_owned(), "Topic does not exist".to_owned()));
    }

    async fn the_spend_limit_is_shown(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let all = sns.get_sms_attributes().send().await.expect("attributes").attributes.unwrap_or_default();
        assert_eq!(all.get("MonthlySpendLimit").map(String::as_str), Some("1"));
        sns.set_sms_attributes().attributes("DefaultSMSType", "Transactional").send().await.expect("set");
        let some = sns.get_sms_attributes().attributes("MonthlySpendLimit").send().await.expect("attributes").attributes;
        assert_eq!(some.map(|all| all.len()), Some(1));
        sns.set_sms_attributes().attributes("MonthlySpendLimit", "1").send().await.expect("what it is");
        assert_eq!(refused(sns.set_sms_attributes().attributes("MonthlySpendLimit", "2").send().await).0, "InvalidParameter");
    }
}
