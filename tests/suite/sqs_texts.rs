//! The words in which SQS refuses: one table per kind of call, on both wires.
use serde_json::{Map, Value, json};

use crate::both_engines;
use crate::sqs_wire::{Wire, error};

/// How the Query wire names a member: SQS flattens its lists and maps.
fn flattened(path: &str, value: &Value, form: &mut Vec<(String, String)>) {
    let single = |path: &str| {
        let (before, last) = path.rsplit_once('.').map_or(("", path), |(before, last)| (before, last));
        let last = match last {
            "AWSAccountIds" => "AWSAccountId",
            "Actions" => "ActionName",
            "Attributes" => "Attribute",
            "AttributeNames" => "AttributeName",
            "MessageAttributes" => "MessageAttribute",
            "MessageSystemAttributes" => "MessageSystemAttribute",
            "StringListValues" => "StringListValue",
            "TagKeys" => "TagKey",
            "Tags" => "Tag",
            other => other,
        };
        if before.is_empty() { last.to_owned() } else { format!("{before}.{last}") }
    };
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                flattened(&format!("{}.{}", single(path), n + 1), item, form);
            }
        }
        Value::Object(entries) if single(path) != path => {
            for (n, (name, value)) in entries.iter().enumerate() {
                let entry = format!("{}.{}", single(path), n + 1);
                let key = if path == "Tags" { "Key" } else { "Name" };
                form.push((format!("{entry}.{key}"), name.clone()));
                flattened(&format!("{entry}.Value"), value, form);
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                flattened(&if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, value, form);
            }
        }
        Value::String(text) => form.push((path.to_owned(), text.clone())),
        other => form.push((path.to_owned(), other.to_string())),
    }
}

/// The same call on the Query wire.
fn form(action: &str, body: &Value) -> Vec<(String, String)> {
    let mut form = vec![("Action".to_owned(), action.to_owned())];
    let mut body = body.clone();
    if let Some(entries) = body.as_object_mut().and_then(|members| members.remove("Entries")) {
        flattened("", &json!({ format!("{action}RequestEntry"): entries }), &mut form);
    }
    flattened("", &body, &mut form);
    form
}

struct Table {
    wire: Wire,
}

impl Table {
    async fn new(engine: crate::engine::Engine) -> Self {
        Self { wire: Wire::new(engine).await }
    }

    /// Both wires refuse the call with this code and text.
    async fn refuses(&self, action: &str, body: Value, code: &str, text: &str) {
        let expected = error(code, text);
        assert_eq!(self.wire.json(action, body.clone()).await.error(), expected, "{action} {body}");
        let form = form(action, &body);
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(self.wire.query(&form).await.error(), expected, "{action} {form:?}");
    }

    /// As [`Table::refuses`], for a value of one parameter.
    async fn value(&self, action: &str, body: Value, parameter: &str, value: &str, reason: &str) {
        let text = format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        self.refuses(action, body, "InvalidParameterValue", &text).await;
    }

    /// Both wires refuse the only entry of a batch with this code and text.
    async fn refuses_entry(&self, action: &str, url: &str, entry: Value, code: &str, text: &str) {
        let body = json!({ "QueueUrl": url, "Entries": [entry] });
        let failed = json!([{ "Id": "a", "SenderFault": true, "Code": code, "Message": text }]);
        assert_eq!(self.wire.done(action, body.clone()).await["Failed"], failed, "{action} {body}");
        let form = form(action, &body);
        let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let page = self.wire.query(&form).await.text;
        assert!(page.contains(&format!("<Code>{code}</Code><Message>{text}</Message>")), "{action}: {page}");
    }
}

fn with(mut body: Value, more: Value) -> Value {
    if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    body
}

both_engines! {
    async fn queues_are_refused_in_awss_words(engine: Engine) {
        let table = Table::new(engine).await;
        let url = table.wire.queue("q", json!({})).await;
        table.wire.queue("dead.fifo", json!({ "FifoQueue": "true" })).await;
        let nameless = "Value for parameter QueueName is invalid. Reason: Must specify a queue name.";
        for (action, body, text) in [
            ("CreateQueue", json!({}), nameless),
            ("GetQueueUrl", json!({}), nameless),
            ("GetQueueUrl", json!({ "QueueName": "" }), nameless),
            ("CreateQueue", json!({ "QueueName": "" }), "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"),
            ("CreateQueue", json!({ "QueueName": "a b" }), "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"),
            ("ListQueues", json!({ "MaxResults": 1_001 }), "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."),
            ("ListQueues", json!({ "MaxResults": -1 }), "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."),
            ("ListQueues", json!({ "NextToken": "%" }), "Invalid or expired next token."),
            ("ListDeadLetterSourceQueues", json!({ "QueueUrl": url, "MaxResults": 1_001 }), "Value for parameter MaxResults is invalid. Reason: MaxResults must be an integer between 1 and 1000."),
            ("ListDeadLetterSourceQueues", json!({ "QueueUrl": url, "NextToken": "%" }), "Invalid or expired next token."),
        ] {
            table.refuses(action, body, "InvalidParameterValue", text).await;
        }
        table.refuses("SetQueueAttributes", json!({ "QueueUrl": url }), "MissingParameter", "The request must contain the parameter Attribute.Name.").await;
        let statement = |n: usize| json!({ "Sid": n.to_string(), "Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*" });
        let many = json!({ "Statement": (0..22).map(statement).collect::<Vec<_>>() }).to_string();
        let long = " ".repeat(8_193);
        for (name, value, code, text) in [
            ("Policy", long.as_str(), "OverLimit", "Submitted policy is over max allowed size."),
            ("Policy", many.as_str(), "OverLimit", "22 statements were found in the submitted policy, max allowed is 20"),
            ("Policy", "{}", "InvalidAttributeValue", "Invalid value for the parameter Policy."),
            ("RedriveAllowPolicy", "x", "InvalidAttributeValue", "Invalid value for the parameter RedriveAllowPolicy. Reason: Amazon SQS can't create the redrive allow policy, as it’s in an unsupported format."),
            ("RedrivePolicy", "x", "InvalidAttributeValue", "Invalid value for the parameter RedrivePolicy. Reason: Redrive policy is not a valid JSON map."),
            ("DelaySeconds", "901", "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."),
            ("Colour", "red", "InvalidAttributeName", "Unknown Attribute Colour."),
        ] {
            table.refuses("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": { name: value } }), code, text).await;
        }
        let fifo = json!({ "FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId" });
        let text = "The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup";
        table.refuses("CreateQueue", json!({ "QueueName": "new.fifo", "Attributes": fifo }), "InvalidAttributeValue", text).await;
        let policy = |service: &str, name: &str| format!(r#"{{"deadLetterTargetArn":"arn:aws:{service}:us-east-1:000000000000:{name}","maxReceiveCount":3}}"#);
        let extra = policy("sqs", "q").replace('}', r#","more":1}"#);
        for (value, reason) in [
            (policy("sns", "q"), "Only SQS queues are valid resources for deadLetterTargetArn."),
            (policy("sqs", "dead.fifo"), "Dead-letter queue must be same type of queue as the source.."),
            (policy("sqs", "nowhere"), "Dead letter target does not exist."),
            (extra, "Only following attributes are supported: [maxReceiveCount, deadLetterTargetArn]."),
        ] {
            let body = json!({ "QueueUrl": url, "Attributes": { "RedrivePolicy": value } });
            table.value("SetQueueAttributes", body, "RedrivePolicy", &value, reason).await;
        }
        let permission = json!({ "QueueUrl": url, "Label": "l", "AWSAccountIds": ["111111111111"], "Actions": ["SendMessage"] });
        let change = |name: &str, value: Value| with(permission.clone(), json!({ name: value }));
        let wsdl = "Please refer to the appropriate WSDL for a list of valid actions.";
        table.value("AddPermission", change("Actions", json!(["Dance"])), "ActionName", "SQS:Dance", wsdl).await;
        let owner = "Only the queue owner is allowed to invoke this action.";
        table.value("AddPermission", change("Actions", json!(["TagQueue"])), "ActionName", "SQS:TagQueue", owner).await;
        let no_label = "The request must contain the parameter Label.";
        table.refuses("AddPermission", change("Label", json!("")), "MissingParameter", no_label).await;
        table.refuses("RemovePermission", json!({ "QueueUrl": url, "Label": "" }), "MissingParameter", no_label).await;
        // A condition that names no ARN is taken, and holds for nobody.
        let condition = json!({ "ArnEquals": { "aws:SourceArn": "'$sns_topic_arn'" } });
        let odd = with(statement(1), json!({ "Condition": condition }));
        assert_eq!(table.wire.set(&url, json!({ "Policy": json!({ "Statement": [odd] }).to_string() })).await.status, 200);
    }

    async fn messages_are_refused_in_awss_words(engine: Engine) {
        let table = Table::new(engine).await;
        let url = table.wire.queue("q", json!({ "MaximumMessageSize": "1024" })).await;
        let message = json!({ "QueueUrl": url, "MessageBody": "x" });
        let long = "n".repeat(257);
        let value = json!({ "DataType": "String", "StringValue": "v" });
        let long_type = format!("String.{long}");
        let letters = "Message (user) attributes name can only contain upper and lower score characters, digits, periods, hyphens and underscores. ";
        for (name, value, text) in [
            ("", value.clone(), "The request must contain non-empty message (user) attribute names."),
            (long.as_str(), value.clone(), "Message (user) attribute name must be shorter than 256 bytes."),
            ("Aws.a", value.clone(), "You can't use message attribute names beginning with 'AWS.' or 'Amazon'. These strings are reserved for internal use."),
            (".a", value.clone(), "Message (user) attribute name must not begin with character '.'."),
            ("a.", value.clone(), "Message (user) attribute name must not end with character '.'."),
            ("a..b", value.clone(), "Message (user) attribute name must not have successive '.' characters."),
            ("a b", value.clone(), letters),
            ("k", json!({ "StringValue": "v" }), "The message (user) attribute 'k' must contain a non-empty message attribute type."),
            ("k", json!({ "StringValue": "" }), "The message (user) attribute 'k' must contain a non-empty message attribute value."),
            ("k", json!({ "DataType": "Text", "StringValue": "v" }), "The type of message (user) attribute 'k' is invalid. You must use only the following supported type prefixes: Binary, Number, String."),
            ("k", json!({ "DataType": long_type, "StringValue": "v" }), "Message (user) attribute type must be shorter than 256 bytes."),
            ("k", json!({ "DataType": "String.a" }), "Message (user) attribute 'k' must contain a non-empty value of type 'String.a'."),
            ("k", json!({ "DataType": "Binary", "StringValue": "v" }), "Message (user) attribute 'k' with type 'Binary' must use field 'Binary'."),
            ("k", json!({ "DataType": "Number", "BinaryValue": "dg==" }), "Message (user) attribute 'k' with type 'Number' must use field 'String'."),
            ("k", json!({ "DataType": "String", "StringValue": "v", "BinaryValue": "dg==" }), "Message (user) attribute 'k' must have a single value."),
            ("k", json!({ "DataType": "Number", "StringValue": "many" }), "Can't cast the value of message (user) attribute 'k' to a number."),
            ("k", json!({ "DataType": "String", "StringListValues": ["v"] }), "Message attribute list values in SendMessage operation are not supported."),
        ] {
            let body = with(message.clone(), json!({ "MessageAttributes": { name: value } }));
            table.refuses("SendMessage", body, "InvalidParameterValue", text).await;
        }
        let eleven: Map<String, Value> = (0..11).map(|n| (format!("k{n}"), value.clone())).collect();
        let text = "Number of message attributes [11] exceeds the allowed maximum [10].";
        table.refuses("SendMessage", with(message.clone(), json!({ "MessageAttributes": eleven })), "InvalidParameterValue", text).await;
        let system = with(message.clone(), json!({ "MessageSystemAttributes": { "Other": value } }));
        table.refuses("SendMessage", system, "InvalidParameterValue", "Message system attribute name 'Other' is invalid.").await;
        table.refuses("SendMessage", with(message.clone(), json!({ "MessageBody": "" })), "MissingParameter", "The request must contain the parameter MessageBody.").await;
        let not_here = "The request include parameter that is not valid for this queue type.";
        table.value("SendMessage", with(message.clone(), json!({ "MessageDeduplicationId": "i" })), "MessageDeduplicationId", "i", not_here).await;
        table.value("SendMessage", with(message.clone(), json!({ "DelaySeconds": 901 })), "DelaySeconds", "901", "DelaySeconds must be >= 0 and <= 900.").await;

        for (entry, code, text) in [
            (json!({ "Id": "a", "MessageBody": "" }), "EmptyValue", "No Value Found for SendMessageBatchRequestEntry.1.MessageBody."),
            (json!({ "Id": "a", "MessageBody": "x", "MessageDeduplicationId": "i" }), "InvalidParameterValue", "The request include parameter that is not valid for this queue type"),
            (json!({ "Id": "a", "MessageBody": "x".repeat(1_025) }), "InvalidParameterValue", "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."),
        ] {
            table.refuses_entry("SendMessageBatch", &url, entry, code, text).await;
        }
        for action in ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"] {
            let entry = json!({ "MessageBody": "x", "ReceiptHandle": "h", "VisibilityTimeout": 1 });
            let entries = json!([with(entry.clone(), json!({ "Id": "a" })), entry]);
            let text = format!("The request must contain the parameter {action}RequestEntry.2.Id.");
            table.refuses(action, json!({ "QueueUrl": url, "Entries": entries }), "MissingParameter", &text).await;
        }
    }

    async fn receives_and_handles_are_refused_in_awss_words(engine: Engine) {
        let table = Table::new(engine).await;
        let url = table.wire.queue("q", json!({})).await;
        for (name, value, reason) in [
            ("MaxNumberOfMessages", 11, "Must be between 1 and 10, if provided."),
            ("VisibilityTimeout", 43_201, "Must be >= 0 and <= 43200, if provided."),
            ("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
        ] {
            table.value("ReceiveMessage", json!({ "QueueUrl": url, name: value }), name, &value.to_string(), reason).await;
        }
        // The time is looked at before the handle.
        let change = json!({ "QueueUrl": url, "ReceiptHandle": "garbage", "VisibilityTimeout": -10 });
        table.value("ChangeMessageVisibility", change, "VisibilityTimeout", "-10", "Must be between 0 and 43200.").await;
        let no_handle = "The request must contain the parameter ReceiptHandle.";
        table.refuses("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": "" }), "MissingParameter", no_handle).await;
        let change = json!({ "QueueUrl": url, "ReceiptHandle": "", "VisibilityTimeout": 1 });
        table.refuses("ChangeMessageVisibility", change, "MissingParameter", no_handle).await;
        let garbage = "The input receipt handle \"garbage\" is not a valid receipt handle.";
        table.refuses("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": "garbage" }), "ReceiptHandleIsInvalid", garbage).await;
        let action = "ChangeMessageVisibilityBatch";
        let entry = json!({ "Id": "a", "ReceiptHandle": "h", "VisibilityTimeout": -85 });
        let text = "Value -85 for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and 43200.";
        table.refuses_entry(action, &url, entry, "InvalidParameterValue", text).await;
        let text = format!("The request must contain the parameter {action}RequestEntry.1.VisibilityTimeout.");
        table.refuses_entry(action, &url, json!({ "Id": "a", "ReceiptHandle": "h" }), "MissingParameter", &text).await;
    }

    async fn json_of_another_type_is_refused_in_awss_words(engine: Engine) {
        let table = Table::new(engine).await;
        for (body, text) in [
            (json!({ "QueueName": 7 }), "NUMBER_VALUE can not be converted to a String"),
            (json!({ "QueueName": ["q"] }), "Start of list found where not expected"),
            (json!({ "QueueName": { "q": 1 } }), "Start of structure or map found where not expected."),
            (json!({ "QueueName": "q", "Attributes": "x" }), "Unrecognized collection type class java.lang.String"),
        ] {
            let answer = table.wire.json("CreateQueue", body.clone()).await;
            assert_eq!((answer.status, answer.error()), (400, error("MalformedInput", text)), "{body}");
        }
    }
}
