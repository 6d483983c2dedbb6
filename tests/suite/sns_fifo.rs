//! FIFO topics, archives and batches through AWS's client: attributes, numbers, and errors in AWS's words.
use aws_sdk_sns::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

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

both_engines! {
    async fn a_fifo_topic_through_awss_client(engine: Engine) {
        let house = House::serve(engine).await;
        let (sns, sqs) = (house.sns(), house.sqs());
        let create = async |name: &str, attributes: &[(&str, &str)]| {
            let create = attributes.iter().fold(sns.create_topic().name(name), |c, (name, value)| c.attributes(*name, *value));
            create.send().await.map(|made| made.topic_arn.expect("an ARN"))
        };
        let content = [("FifoTopic", "true"), ("ContentBasedDeduplication", "true")];
        let topic = create("orders.fifo", &content).await.expect("made");
        assert_eq!(create("orders.fifo", &content).await.expect("found"), topic);
        for (name, attributes, text) in [
            ("orders.fifo", &[][..], "Topic Name"),
            ("orders", &content[..1], "Topic Name"),
            ("orders", &content[1..], "Attributes Reason: ContentBasedDeduplication can only be set for FIFO topics"),
            (
                "orders.fifo",
                &[("FifoTopic", "true"), ("ContentBasedDeduplication", "false")],
                "Attributes Reason: Topic already exists with different attributes",
            ),
        ] {
            assert_eq!(refused(create(name, attributes).await), invalid(text));
        }
        let got = sns.get_topic_attributes().topic_arn(&topic).send().await.expect("attributes");
        let all = got.attributes().expect("attributes");
        assert_eq!((all["FifoTopic"].as_str(), all["ContentBasedDeduplication"].as_str()), ("true", "true"));
        let set = sns.set_topic_attributes().topic_arn(&topic).attribute_name("FifoTopic").attribute_value("false");
        assert_eq!(refused(set.send().await), invalid("AttributeName"));
        let email = sns.subscribe().topic_arn(&topic).protocol("http").endpoint("http://example.com/").send().await;
        assert_eq!(refused(email), invalid("Invalid protocol type: http"));

        let queue = sqs.create_queue().queue_name("q.fifo").attributes("FifoQueue".into(), "true");
        let url = queue.send().await.expect("made").queue_url.expect("a URL");
        let arn = "arn:aws:sqs:us-east-1:000000000000:q.fifo";
        sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(arn).send().await.expect("subscribed");
        let publish = || sns.publish().topic_arn(&topic).message("one");
        let missing = "The MessageGroupId parameter is required for FIFO topics";
        assert_eq!(refused(publish().send().await), invalid(missing));
        let first = publish().message_group_id("a").send().await.expect("published");
        assert_eq!(first.sequence_number().map(str::len), Some(20));
        let again = publish().message_group_id("a").send().await.expect("published");
        assert_eq!((again.message_id(), again.sequence_number()), (first.message_id(), first.sequence_number()));

        let entry = |n: usize| {
            let entry = PublishBatchRequestEntry::builder().id(n.to_string()).message(format!("m{n}"));
            entry.message_group_id("a").build().expect("an entry")
        };
        let batch = sns.publish_batch().topic_arn(&topic).set_publish_batch_request_entries(Some((0..5).map(entry).collect()));
        let batch = batch.send().await.expect("published");
        let numbers: Vec<_> = batch.successful().iter().map(|one| one.sequence_number()).collect();
        assert!(numbers.len() == 5 && numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        let got = sqs.receive_message().queue_url(&url).max_number_of_messages(10).send().await.expect("received");
        let of = |m: &aws_sdk_sqs::types::Message| {
            let json: serde_json::Value = serde_json::from_str(m.body().unwrap_or_default()).expect("JSON");
            json["Message"].as_str().unwrap_or_default().to_owned()
        };
        assert_eq!(got.messages().iter().map(of).collect::<Vec<_>>(), ["one", "m0", "m1", "m2", "m3", "m4"]);
    }

    async fn a_batch_tells_of_each_entry(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        let topic = sns.create_topic().name("t").send().await.expect("made").topic_arn.expect("an ARN");
        let entry = |id: &str, message: &str| PublishBatchRequestEntry::builder().id(id).message(message);
        let send = async |entries: Vec<aws_sdk_sns::types::builders::PublishBatchRequestEntryBuilder>| {
            let entries = entries.into_iter().map(|e| e.build().expect("an entry")).collect();
            sns.publish_batch().topic_arn(&topic).set_publish_batch_request_entries(Some(entries)).send().await
        };
        let mixed = vec![
            entry("good", "m"),
            entry("empty", ""),
            entry("subject", "m").subject("a\nb"),
            entry("better", "m").message_group_id("tenant"),
        ];
        let batch = send(mixed).await.expect("answered");
        assert_eq!(batch.successful().iter().map(|e| e.id().unwrap_or_default()).collect::<Vec<_>>(), ["good", "better"]);
        let failed: Vec<_> = batch.failed().iter().map(|e| (e.id(), e.code(), e.message().unwrap_or_default(), e.sender_fault())).collect();
        assert_eq!(
            failed,
            [
                ("empty", "InvalidParameter", "Invalid parameter: Empty message", true),
                ("subject", "InvalidParameter", "Invalid parameter: Subject", true),
            ]
        );
        // What AWS fails a whole batch for.
        let odd = MessageAttributeValue::builder().data_type("Colour").string_value("blue").build().expect("a value");
        let text = "The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.";
        assert_eq!(refused(send(vec![entry("a", "m"), entry("b", "m").message_attributes("a", odd)]).await), ("ParameterValueInvalid".to_owned(), text.to_owned()));
        let bare = entry("b", "{}").message_structure("json");
        assert_eq!(refused(send(vec![entry("a", "m"), bare]).await), invalid("Message Structure - No default entry in JSON message body"));
        assert_eq!(refused(send(vec![entry("a", "m").message_deduplication_id("x")]).await).0, "InvalidParameter");
        assert_eq!(refused(send(vec![]).await).0, "EmptyBatchRequest");
        assert_eq!(refused(send(vec![entry("a", "m"), entry("a", "m")]).await).0, "BatchEntryIdsNotDistinct");
        assert_eq!(refused(send((0..11).map(|n| entry(&n.to_string(), "m")).collect()).await).0, "TooManyEntriesInBatchRequest");
        assert_eq!(refused(send(vec![entry("a b", "m")]).await).0, "InvalidBatchEntryId");
        let long = "x".repeat(131_073);
        assert_eq!(refused(send(vec![entry("a", &long), entry("b", &long)]).await).0, "BatchRequestTooLong");
        // What is too long is not read, and the structure of all comes before the attributes of any.
        let structured = |id: &str| entry(id, &long).message_structure("json");
        assert_eq!(refused(send(vec![structured("a"), structured("b")]).await).0, "BatchRequestTooLong");
        let odd = MessageAttributeValue::builder().data_type("Colour").string_value("blue").build().expect("a value");
        let both = vec![entry("a", "m").message_attributes("a", odd), entry("b", "{").message_structure("json")];
        assert_eq!(refused(send(both).await), invalid("Message Structure - JSON message body failed to parse"));
    }

    async fn lists_come_in_pages_of_a_hundred(engine: Engine) {
        let house = House::serve(engine).await;
        let sns = house.sns();
        for n in 0..101 {
            sns.create_topic().name(format!("t{n}")).send().await.expect("made");
        }
        let first = sns.list_topics().send().await.expect("listed");
        assert_eq!(first.topics().len(), 100);
        let rest = sns.list_topics().next_token(first.next_token().expect("more")).send().await.expect("listed");
        assert_eq!((rest.topics().len(), rest.next_token()), (1, None));
        assert_eq!(refused(sns.list_topics().next_token("x").send().await), invalid("NextToken"));
        let topic = first.topics()[0].topic_arn().expect("an ARN");
        let policy = r#"{"MessageRetentionPeriod":"1"}"#;
        let set = async |value: &str| {
            let set = sns.set_topic_attributes().topic_arn(topic).attribute_name("ArchivePolicy");
            set.attribute_value(value).send().await
        };
        set(policy).await.expect("set");
        assert_eq!(refused(sns.delete_topic().topic_arn(topic).send().await).0, "InvalidState");
        set("{}").await.expect("set");
        sns.delete_topic().topic_arn(topic).send().await.expect("deleted");
        sns.delete_topic().topic_arn(topic).send().await.expect("deleted already");
    }
}
