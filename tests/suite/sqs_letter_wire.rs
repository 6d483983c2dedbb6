//! SQS's messages and its Query wire to the letter: what AWS was recorded to answer.
use serde_json::json;

use crate::both_engines;
use crate::sqs_wire::{Answer, Wire, error};

const ALLOWED: &str =
    "the set of allowed characters is #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].";

both_engines! {
    async fn a_batch_is_refused_as_a_whole_for_what_aws_refuses_it(engine: Engine) {
        let wire = Wire::new(engine).await;
        let fifo = wire.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
        let plain = wire.queue("plain", json!({ "MaximumMessageSize": "1024" })).await;
        assert_eq!(wire.set(&fifo, json!({ "MaximumMessageSize": "1024" })).await.status, 200);
        let (fine, long) = (json!({ "Id": "a", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "1" }), "x".repeat(1_025));
        let no_group = error("InvalidParameterValue", "The request must contain the parameter MessageGroupId.");
        let no_id = error(
            "InvalidParameterValue",
            "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        );
        let too_long = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
        let too_long = error("InvalidParameterValue", too_long);
        for (bad, expected) in [
            (json!({ "Id": "b", "MessageBody": "x", "MessageDeduplicationId": "2" }), no_group),
            (json!({ "Id": "b", "MessageBody": "x", "MessageGroupId": "g" }), no_id),
            (json!({ "Id": "b", "MessageBody": long, "MessageGroupId": "g", "MessageDeduplicationId": "2" }), too_long.clone()),
        ] {
            let entries = [fine.clone(), bad];
            let refused = wire.json("SendMessageBatch", json!({ "QueueUrl": fifo, "Entries": entries })).await;
            assert_eq!(refused.error(), expected);
            let mut form = vec![("Action".to_owned(), "SendMessageBatch".to_owned()), ("QueueUrl".to_owned(), fifo.clone())];
            for (n, entry) in entries.iter().enumerate() {
                for (name, value) in entry.as_object().expect("an entry") {
                    let value = value.as_str().expect("a text").to_owned();
                    form.push((format!("SendMessageBatchRequestEntry.{}.{name}", n + 1), value));
                }
            }
            let form: Vec<_> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(wire.query(&form).await.error(), expected);
            assert!(wire.bodies(&fifo).await.is_empty(), "nothing of it is taken");
        }
        // A standard queue takes the others.
        let entries = json!([{ "Id": "a", "MessageBody": "x" }, { "Id": "b", "MessageBody": long }]);
        let batch = wire.done("SendMessageBatch", json!({ "QueueUrl": plain, "Entries": entries })).await;
        assert_eq!((&batch["Successful"][0]["Id"], &batch["Failed"][0]["Id"]), (&json!("a"), &json!("b")));
        assert_eq!(wire.bodies(&plain).await, ["x"]);
        // Alone it is another code, or other words.
        let alone = wire.json("SendMessage", json!({ "QueueUrl": fifo, "MessageBody": "x", "MessageDeduplicationId": "2" })).await;
        assert_eq!(alone.error(), error("MissingParameter", "The request must contain the parameter MessageGroupId."));
        let alone = wire.both("SendMessage", &[("QueueUrl", &plain), ("MessageBody", &long)]).await;
        assert_eq!(alone, too_long);
    }

    async fn characters_that_no_message_may_hold_are_named(engine: Engine) {
        let wire = Wire::new(engine).await;
        let url = wire.queue("q", json!({})).await;
        for (odd, shown) in [("\0", "0"), ("a\u{1}", "1"), ("\u{1F}", "1F"), ("\u{FFFF}", "FFFF")] {
            let said = wire.both("SendMessage", &[("QueueUrl", &url), ("MessageBody", odd)]).await;
            let text = format!("Invalid binary character '#x{shown}' was found in the message body, {ALLOWED}");
            assert_eq!(said, error("InvalidMessageContents", text));
            let entries = json!([{ "Id": "bad", "MessageBody": odd }, { "Id": "good", "MessageBody": "fine" }]);
            let batch = wire.done("SendMessageBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
            assert_eq!((&batch["Failed"][0]["Id"], &batch["Failed"][0]["Code"]), (&json!("bad"), &json!("InvalidMessageContents")));
            assert_eq!(batch["Successful"][0]["Id"], "good");
            let text = format!("Invalid binary character '#x{shown}' was found in the message attribute 'k' value, {ALLOWED}");
            let attributes = json!({ "k": { "DataType": "String", "StringValue": odd } });
            let refused = wire.json("SendMessage", json!({ "QueueUrl": url, "MessageBody": "x", "MessageAttributes": attributes })).await;
            assert_eq!(refused.error(), error("InvalidParameterValue", text.clone()));
            let form = [
                ("Action", "SendMessage"), ("QueueUrl", &url), ("MessageBody", "x"), ("MessageAttribute.1.Name", "k"),
                ("MessageAttribute.1.Value.DataType", "String"), ("MessageAttribute.1.Value.StringValue", odd),
            ];
            assert_eq!(wire.query(&form).await.error(), error("InvalidParameterValue", text));
        }
        // Anywhere else U+0000 is refused before anything is looked at.
        assert!(wire.json("GetQueueUrl", json!({ "QueueName": "\0" })).await.status == 400);
        assert_eq!(wire.bodies(&url).await, ["fine"; 4]);
    }

    async fn attributes_have_names_in_every_script_and_come_by_an_asterisk(engine: Engine) {
        let wire = Wire::new(engine).await;
        let url = wire.queue("q", json!({ "VisibilityTimeout": "0" })).await;
        let attributes = json!({ "größe": { "DataType": "String", "StringValue": "L" }, "n": { "DataType": "Number", "StringValue": "1" } });
        wire.done("SendMessage", json!({ "QueueUrl": url, "MessageBody": "x", "MessageAttributes": attributes })).await;
        let got = wire.done("ReceiveMessage", json!({ "QueueUrl": url, "MessageAttributeNames": ["*"] })).await;
        assert_eq!(got["Messages"][0]["MessageAttributes"], attributes);
        let page = wire.query(&[("Action", "ReceiveMessage"), ("QueueUrl", &url), ("MessageAttributeName.1", "*")]).await.text;
        assert!(page.contains("<Name>größe</Name>") && page.contains("<Name>n</Name>"), "{page}");
        let empty = json!({ "ErrorDetails": { "DataType": "String", "StringValue": "" } });
        let refused = wire.json("SendMessage", json!({ "QueueUrl": url, "MessageBody": "x", "MessageAttributes": empty })).await;
        let text = "Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'.";
        assert_eq!(refused.error(), error("InvalidParameterValue", text));
    }

    async fn the_trace_of_a_call_goes_with_its_message(engine: Engine) {
        let wire = Wire::new(engine).await;
        let url = wire.queue("q", json!({})).await;
        let (trace, other) = ("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1", "Root=1-00000000-000000000000000000000000");
        let with = |request: reqwest::RequestBuilder| Answer::of(request.header("X-Amzn-Trace-Id", trace));
        let sent = with(wire.to_json("SendMessage", &json!({ "QueueUrl": url, "MessageBody": "json" }))).await;
        assert!(sent.json()["MD5OfMessageSystemAttributes"].is_null(), "none were given: {}", sent.text);
        let own = json!({ "AWSTraceHeader": { "DataType": "String", "StringValue": other } });
        let own = json!({ "QueueUrl": url, "MessageBody": "own", "MessageSystemAttributes": own });
        assert!(with(wire.to_json("SendMessage", &own)).await.json()["MD5OfMessageSystemAttributes"].is_string());
        assert_eq!(with(wire.to_query(&[("Action", "SendMessage"), ("QueueUrl", &url), ("MessageBody", "query")])).await.status, 200);

        let sns = wire.house.sns();
        let topic = sns.create_topic().name("t").send().await.expect("a topic").topic_arn.expect("an ARN");
        let subscribe = sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint("arn:aws:sqs:us-east-1:000000000000:q");
        subscribe.attributes("RawMessageDelivery", "true").send().await.expect("subscribed");
        let policy = json!({ "Statement": [{ "Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*" }] });
        assert_eq!(wire.set(&url, json!({ "Policy": policy.to_string() })).await.status, 200);
        let form = [("Action", "Publish"), ("Version", "2010-03-31"), ("TopicArn", &topic), ("Message", "sns")];
        let mut body = form_urlencoded::Serializer::new(String::new());
        let published = with(wire.client.post(wire.house.endpoint()).body(body.extend_pairs(form).finish())).await;
        assert_eq!(published.status, 200, "{}", published.text);
        wire.house.work().await;
        let mut found = vec![];
        for _ in 0..4 {
            let asked = json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "MessageSystemAttributeNames": ["AWSTraceHeader"] });
            let got = wire.done("ReceiveMessage", asked).await;
            for message in got["Messages"].as_array().into_iter().flatten() {
                found.push((message["Body"].as_str().expect("a body").to_owned(), message["Attributes"]["AWSTraceHeader"].clone()));
            }
        }
        found.sort_by(|one, two| one.0.cmp(&two.0));
        let expected = [("json", trace), ("own", other), ("query", trace), ("sns", trace)];
        assert_eq!(found, expected.map(|(body, trace)| (body.to_owned(), json!(trace))));
    }

    async fn the_query_wire_reads_and_answers_as_aws(engine: Engine) {
        let wire = Wire::new(engine).await;
        let url = wire.queue("q", json!({})).await;
        let get = |parameters: &str, accept: &str| Answer::of(wire.client.get(format!("{url}{parameters}")).header("accept", accept));
        // Lists and maps under the names of their members too.
        let form = [
            ("Action", "SendMessage"), ("QueueUrl", &url), ("MessageBody", "x"), ("MessageAttributes.1.Name", "k"),
            ("MessageAttributes.1.Value.DataType", "String"), ("MessageAttributes.1.Value.StringValue", "v"),
        ];
        let sent = wire.query(&form).await;
        assert!(sent.text.contains("<MD5OfMessageAttributes>0a77b0642718c3d9dd47090567d11e0d<"), "{}", sent.text);
        let names = [("Action", "GetQueueAttributes"), ("QueueUrl", &url), ("AttributeNames.1", "QueueArn")];
        assert!(wire.query(&names).await.text.contains("<Name>QueueArn</Name>"));

        let json = get("?Action=GetQueueAttributes&AttributeName.1=QueueArn", "application/json").await;
        let expected = json!([{ "Name": "QueueArn", "Value": "arn:aws:sqs:us-east-1:000000000000:q" }]);
        assert_eq!(json.json()["GetQueueAttributesResponse"]["GetQueueAttributesResult"]["Attributes"], expected);
        assert_eq!(json.headers["content-type"], "application/json");
        let xml = get("?Action=GetQueueAttributes&AttributeName.1=QueueArn", "*/*").await;
        assert!(xml.text.contains("<Attribute><Name>QueueArn</Name>"), "{}", xml.text);

        for action in ["CreateQueue", "ListQueues"] {
            let said = get(&format!("?Action={action}&QueueName=other"), "*/*").await;
            assert_eq!((said.status, said.error()), (400, error("InvalidAction", format!("The action {action} is not valid for this endpoint."))));
        }
        let said = get("?Action=ListQueues", "application/json").await;
        assert_eq!((said.status, &said.json()["Error"]["Code"]), (400, &json!("InvalidAction")));
        assert!(said.json()["Error"]["Detail"].is_null());
        assert_eq!(get("?Action=GetQueueUrl&QueueName=q", "*/*").await.status, 200);
        for accept in ["*/*", "application/json"] {
            let bare = get("?Version=2012-11-05", accept).await;
            assert_eq!((bare.status, bare.text.as_str()), (404, "<UnknownOperationException/>"));
        }

        let missing = wire.query(&[("Action", "GetQueueUrl"), ("QueueName", "nowhere")]).await;
        assert_eq!((missing.status, missing.error()), (400, error("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist for this wsdl version.")));
        let missing = wire.json("GetQueueUrl", json!({ "QueueName": "nowhere" })).await;
        assert_eq!((missing.status, missing.error()), (400, error("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")));
        for url in [format!("{}/999999999999/q", wire.house.endpoint()), "http://whatever-incorrect-queue-address".to_owned(), "https://sqs.us-east-1.amazonaws.com/000000000000/nowhere".to_owned()] {
            for action in ["ReceiveMessage", "DeleteQueue", "SetQueueAttributes"] {
                let said = wire.json(action, json!({ "QueueUrl": url, "Attributes": { "DelaySeconds": "0" } })).await;
                assert_eq!((said.status, said.error().0.as_str()), (400, "AWS.SimpleQueueService.NonExistentQueue"), "{action} {url}");
            }
        }
    }
}
