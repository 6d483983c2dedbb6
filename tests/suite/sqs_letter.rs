//! Queues to the letter: what AWS was recorded to answer, on both of its wires.
use serde_json::{Value, json};

use crate::both_engines;
use crate::sqs_wire::{Wire, error};

both_engines! {
    async fn an_older_handle_of_a_standard_queue_still_works(engine: Engine) {
        let wire = Wire::new(engine).await;
        // Messages in groups go another way through the engine.
        for (name, group) in [("plain", None), ("shared", Some("tenant"))] {
            let url = wire.queue(name, json!({ "VisibilityTimeout": "10" })).await;
            let mut send = json!({ "QueueUrl": url, "MessageBody": "x" });
            if let Some(group) = group {
                send["MessageGroupId"] = json!(group);
            }
            wire.done("SendMessage", send).await;
            let older = wire.receive(&url).await.remove(0).1;
            let change = |handle: &str, seconds: u64| {
                json!({ "QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": seconds })
            };
            wire.pass(11);
            wire.done("ChangeMessageVisibility", change(&older, 20)).await;
            assert!(wire.bodies(&url).await.is_empty(), "hidden anew after its time");
            wire.pass(21);
            let newer = wire.receive(&url).await.remove(0).1;
            assert_ne!(older, newer);
            wire.done("ChangeMessageVisibility", change(&older, 0)).await;
            assert_eq!(wire.bodies(&url).await, ["x"], "given back by the older handle");
            wire.done("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": older })).await;
            wire.pass(60);
            assert!(wire.bodies(&url).await.is_empty(), "taken away by the older handle");
            for handle in [&older, &newer] {
                wire.done("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": handle })).await;
                let members = [("QueueUrl", url.as_str()), ("ReceiptHandle", handle.as_str()), ("VisibilityTimeout", "5")];
                let gone = format!(
                    "Value {handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not \
                     available for visibility timeout change."
                );
                assert_eq!(wire.both("ChangeMessageVisibility", &members).await, error("InvalidParameterValue", gone));
            }
            let entries = json!([{ "Id": "a", "ReceiptHandle": older, "VisibilityTimeout": 5 }]);
            let batch = wire.done("ChangeMessageVisibilityBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
            assert_eq!(batch["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
        }
    }

    async fn a_handle_that_was_not_given_out_by_the_queue_does_nothing(engine: Engine) {
        let wire = Wire::new(engine).await;
        let (one, two) = (wire.queue("one", json!({})).await, wire.queue("two", json!({})).await);
        for url in [&one, &two] {
            wire.done("SendMessage", json!({ "QueueUrl": url, "MessageBody": "x" })).await;
        }
        let handle = wire.receive(&one).await.remove(0).1;
        let members = [("QueueUrl", two.as_str()), ("ReceiptHandle", handle.as_str())];
        let expected = error("ReceiptHandleIsInvalid", format!("The receipt handle \"{handle}\" is not valid for this queue."));
        assert_eq!(wire.both("DeleteMessage", &members).await, expected);
        let members = [("QueueUrl", two.as_str()), ("ReceiptHandle", "garbage")];
        let expected = error("ReceiptHandleIsInvalid", "The input receipt handle \"garbage\" is not a valid receipt handle.");
        assert_eq!(wire.both("DeleteMessage", &members).await, expected);
        assert_eq!(wire.bodies(&two).await, ["x"]);
    }

    async fn a_handle_of_a_fifo_queue_is_over_with_its_time(engine: Engine) {
        let wire = Wire::new(engine).await;
        let url = wire.queue("q.fifo", json!({ "FifoQueue": "True", "VisibilityTimeout": "10" })).await;
        wire.ordered(&url, "a", "1").await;
        let handle = wire.receive(&url).await.remove(0).1;
        wire.pass(11);
        let expired =
            error("InvalidParameterValue", format!("Value {handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired."));
        let named = [("QueueUrl", url.as_str()), ("ReceiptHandle", handle.as_str())];
        assert_eq!(wire.both("DeleteMessage", &named).await, expired);
        let members = [&named[..], &[("VisibilityTimeout", "5")]].concat();
        assert_eq!(wire.both("ChangeMessageVisibility", &members).await, expired);
        let entries = json!([{ "Id": "a", "ReceiptHandle": handle }]);
        let batch = wire.done("DeleteMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
        let failed = json!([{ "Id": "a", "SenderFault": true, "Code": "ReceiptHandleIsInvalid", "Message": "The receipt handle has expired" }]);
        assert_eq!(batch["Failed"], failed);
        let newer = wire.receive(&url).await.remove(0).1;
        assert_eq!(wire.both("ChangeMessageVisibility", &members).await, expired, "somebody else has it");
        wire.done("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": newer })).await;
        assert!(wire.both("ChangeMessageVisibility", &members).await.1.contains("Message does not exist"));
    }

    async fn a_fifo_queue_on_the_wire_gives_what_stands_before_a_message_in_flight(engine: Engine) {
        let wire = Wire::new(engine).await;
        let url = wire.queue("q.fifo", json!({ "FifoQueue": "true", "VisibilityTimeout": "30" })).await;
        for (group, id) in [("g1", "1"), ("g2", "x"), ("g1", "2"), ("g1", "3")] {
            wire.ordered(&url, group, id).await;
        }
        let got = wire.receive(&url).await;
        assert_eq!(got.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["1", "2", "3", "x"]);
        let extend = json!({ "QueueUrl": url, "ReceiptHandle": got[1].1, "VisibilityTimeout": 600 });
        wire.done("ChangeMessageVisibility", extend).await;
        wire.pass(31);
        let page = wire.query(&[("Action", "ReceiveMessage"), ("QueueUrl", &url), ("MaxNumberOfMessages", "10")]).await.text;
        assert_eq!(page.matches("<Body>").count(), 2);
        assert!(page.contains("<Body>1</Body>") && page.contains("<Body>x</Body>"), "{page}");
        // A message that was purged is not remembered either.
        assert_eq!(wire.query(&[("Action", "PurgeQueue"), ("QueueUrl", &url)]).await.status, 200);
        wire.pass(1);
        wire.ordered(&url, "g1", "1").await;
        assert_eq!(wire.bodies(&url).await, ["1"]);
        // And a delay that ends ends for what waits.
        assert_eq!(wire.set(&url, json!({ "DelaySeconds": "300" })).await.status, 200);
        wire.ordered(&url, "g3", "late").await;
        assert!(wire.bodies(&url).await.is_empty());
        let set = [("Action", "SetQueueAttributes"), ("QueueUrl", &url), ("Attribute.1.Name", "DelaySeconds"), ("Attribute.1.Value", "0")];
        assert_eq!(wire.query(&set).await.status, 200);
        assert_eq!(wire.bodies(&url).await, ["late"]);
    }

    async fn queues_are_made_with_what_aws_takes_and_without_what_it_refuses(engine: Engine) {
        let wire = Wire::new(engine).await;
        let fifo = wire.queue("q.fifo", json!({ "FifoQueue": "True", "ContentBasedDeduplication": "True" })).await;
        let asked = json!({ "QueueUrl": fifo, "AttributeNames": ["FifoQueue", "ContentBasedDeduplication"] });
        let read = wire.done("GetQueueAttributes", asked).await;
        assert_eq!(read["Attributes"], json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" }));
        assert_eq!(wire.set(&fifo, json!({ "ContentBasedDeduplication": "False" })).await.status, 200);
        let modify = wire.set(&fifo, json!({ "FifoQueue": "false" })).await.error();
        let text = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.";
        assert_eq!(modify, error("InvalidAttributeValue", text));

        let url = wire.queue("q", json!({ "SqsManagedSseEnabled": "False" })).await;
        wire.queue("dead", json!({})).await;
        let only = wire.set(&url, json!({ "FifoThroughputLimit": "perQueue" })).await.error();
        assert_eq!(only, error("InvalidAttributeName", "You can specify the FifoThroughputLimit only when FifoQueue is set to true."));
        assert_eq!(wire.set(&url, json!({ "FifoQueue": "true" })).await.error(), error("InvalidAttributeName", "Unknown Attribute FifoQueue."));
        let target = |name: &str| format!("arn:aws:sqs:us-east-1:000000000000:{name}");
        for (policy, reason) in [
            (json!({ "deadLetterTargetArn": target("dead") }), "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
            (json!({}), "Redrive policy does not contain mandatory attribute: maxReceiveCount."),
            (json!({ "maxReceiveCount": "3" }), "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."),
            (json!({ "deadLetterTargetArn": "dummy", "maxReceiveCount": 42 }), "Invalid value for deadLetterTargetArn."),
            (json!({ "deadLetterTargetArn": target("nowhere"), "maxReceiveCount": 3 }), "Dead letter target does not exist."),
            (json!({ "deadLetterTargetArn": target("dead"), "maxReceiveCount": "0" }), "Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."),
        ] {
            let text = policy.to_string();
            let expected = error("InvalidParameterValue", format!("Value {text} for parameter RedrivePolicy is invalid. Reason: {reason}"));
            assert_eq!(wire.set(&url, json!({ "RedrivePolicy": text })).await.error(), expected);
            let form = [("Action", "SetQueueAttributes"), ("QueueUrl", &url), ("Attribute.Name", "RedrivePolicy"), ("Attribute.Value", &text)];
            assert_eq!(wire.query(&form).await.error(), expected);
        }
        let own = json!({ "deadLetterTargetArn": target("q"), "maxReceiveCount": 3 });
        assert_eq!(wire.set(&url, json!({ "RedrivePolicy": own.to_string() })).await.status, 200);
        // Whoever wrote it forgot to put the ARN in; it lets nobody do anything.
        let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Principal": { "AWS": "*" }, "Action": "sqs:SendMessage", "Resource": "'$sqs_queue_arn'" }] });
        assert_eq!(wire.set(&url, json!({ "Policy": policy.to_string() })).await.status, 200);

        wire.done("SendMessage", json!({ "QueueUrl": url, "MessageBody": "x" })).await;
        let got = wire.done("ReceiveMessage", json!({ "QueueUrl": url, "ReceiveRequestAttemptId": "try" })).await;
        assert_eq!(got["Messages"][0]["Body"], "x", "passed over by a standard queue");
        let long = "x".repeat(129);
        for (name, bad) in [("MessageGroupId", "a b"), ("MessageDeduplicationId", long.as_str())] {
            let mut message = vec![("QueueUrl", fifo.as_str()), ("MessageBody", "x"), ("MessageGroupId", "g"), ("MessageDeduplicationId", "i")];
            message.iter_mut().filter(|(n, _)| *n == name).for_each(|(_, value)| *value = bad);
            let reason = format!("{name} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
            let expected = error("InvalidParameterValue", format!("Value {bad} for parameter {name} is invalid. Reason: {reason}"));
            assert_eq!(wire.both("SendMessage", &message).await, expected);
        }
        let remove = [("QueueUrl", url.as_str()), ("Label", "nobody")];
        let expected = "Value nobody for parameter Label is invalid. Reason: can't find label.";
        assert_eq!(wire.both("RemovePermission", &remove).await, error("InvalidParameterValue", expected));
    }

    async fn a_repeated_receive_whose_message_is_gone_is_refused(engine: Engine) {
        let wire = Wire::new(engine).await;
        let url = wire.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
        wire.ordered(&url, "a", "1").await;
        let receive = json!({ "QueueUrl": url, "ReceiveRequestAttemptId": "try" });
        let got = wire.done("ReceiveMessage", receive.clone()).await;
        assert_eq!(wire.done("ReceiveMessage", receive.clone()).await["Messages"], got["Messages"]);
        let handle = &got["Messages"][0]["ReceiptHandle"];
        wire.done("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": handle })).await;
        let members = [("QueueUrl", url.as_str()), ("ReceiveRequestAttemptId", "try")];
        let text = "Value try for parameter ReceiveRequestAttemptId is invalid. Reason: The receiveRequestAttemptId is not valid anymore since the receive call is not retryable.";
        assert_eq!(wire.both("ReceiveMessage", &members).await, error("InvalidParameterValue", text));
    }

    async fn pages_end_without_a_token_and_tags_are_named(engine: Engine) {
        let wire = Wire::new(engine).await;
        for name in ["a", "b", "c", "d"] {
            wire.queue(name, json!({})).await;
        }
        let first = wire.done("ListQueues", json!({ "MaxResults": 2 })).await;
        assert!(first["NextToken"].is_string());
        let second = wire.done("ListQueues", json!({ "MaxResults": 2, "NextToken": first["NextToken"] })).await;
        assert!(second["QueueUrls"].as_array().is_some_and(|urls| urls.len() == 2) && second["NextToken"].is_null(), "{second}");
        let url = wire.url("a");
        let no_tags = error("MissingParameter", "The request must contain the parameter Tags.");
        assert_eq!(wire.json("TagQueue", json!({ "QueueUrl": url, "Tags": {} })).await.error(), no_tags);
        assert_eq!(wire.both("TagQueue", &[("QueueUrl", &url)]).await, no_tags);
        let no_keys = error("InvalidParameterValue", "Tag keys must be between 1 and 128 characters in length.");
        assert_eq!(wire.json("UntagQueue", json!({ "QueueUrl": url, "TagKeys": [] })).await.error(), no_keys);
        assert_eq!(wire.both("UntagQueue", &[("QueueUrl", &url)]).await, no_keys);
        let tags: Value = (0..51).map(|n| (n.to_string(), json!("v"))).collect();
        let many = wire.json("TagQueue", json!({ "QueueUrl": url, "Tags": tags })).await.error();
        assert_eq!(many, error("InvalidParameterValue", "Too many tags added for queue a."));
    }
}
