//! The words in which SNS refuses, and which fault it tells first: one table per kind of call.
use crate::both_engines;
use crate::sqs_wire::{Answer, Wire, error};

const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";
const NOWHERE: &str = "arn:aws:sns:us-east-1:000000000000:nowhere";

struct Table {
    wire: Wire,
}

impl Table {
    async fn new(engine: crate::engine::Engine) -> Self {
        let table = Self { wire: Wire::new(engine).await };
        table.done("CreateTopic", &[("Name", "t")]).await;
        table
    }

    async fn call(&self, action: &str, members: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("Action", action).append_pair("Version", "2010-03-31").extend_pairs(members);
        let request = self.wire.client.post(self.wire.house.endpoint());
        Answer::of(request.header("content-type", "application/x-www-form-urlencoded").body(form.finish())).await
    }

    async fn done(&self, action: &str, members: &[(&str, &str)]) -> String {
        let answer = self.call(action, members).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.text);
        answer.text
    }

    /// The call is refused with this status, code and text.
    async fn refuses(&self, action: &str, members: &[(&str, &str)], (status, code): (u16, &str), text: &str) {
        let answer = self.call(action, members).await;
        assert_eq!((answer.status, answer.error()), (status, error(code, text)), "{action} {members:?}");
    }
}

const INVALID: (u16, &str) = (400, "InvalidParameter");
const NOT_FOUND: (u16, &str) = (404, "NotFound");
const VALIDATION: (u16, &str) = (400, "ValidationError");

both_engines! {
    async fn subscriptions_are_refused_in_awss_words(engine: Engine) {
        let table = Table::new(engine).await;
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        for (topic, protocol, endpoint, row, text) in [
            (NOWHERE, "sqs", "asdf", NOT_FOUND, "Topic does not exist"),
            (NOWHERE, "smoke", "", NOT_FOUND, "Topic does not exist"),
            (TOPIC, "smoke", "", NOT_FOUND, "Endpoint not specified in subscription"),
            (TOPIC, "smoke", "hill", INVALID, "Invalid parameter: Amazon SNS does not support this protocol string: smoke"),
            (TOPIC, "sqs", "asdf", INVALID, "Invalid parameter: SQS endpoint ARN"),
            (TOPIC, "http", "https://example.com", INVALID, "Invalid parameter: Endpoint must match the specified protocol"),
            (TOPIC, "sms", "+15--551234567", INVALID, "Invalid SMS endpoint: +15--551234567"),
            (TOPIC, "sms", "+15551234567.", INVALID, "Invalid SMS endpoint: +15551234567."),
            (TOPIC, "sms", "/+15551234567", INVALID, "Invalid SMS endpoint: /+15551234567"),
            (TOPIC, "sms", "NAA+15551234567", INVALID, "Invalid SMS endpoint: NAA+15551234567"),
            ("t", "sqs", queue, INVALID, "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"),
            ("arn:aws:sns:eu-west-1:000000000000:t", "sqs", queue, INVALID, "Invalid parameter: TopicArn"),
        ] {
            let members = [("TopicArn", topic), ("Protocol", protocol), ("Endpoint", endpoint)];
            table.refuses("Subscribe", &members, row, text).await;
        }
        // The number is called without what stands between its digits.
        table.done("Subscribe", &[("TopicArn", TOPIC), ("Protocol", "sms"), ("Endpoint", "+15/55-123.4567")]).await;
        let page = table.done("ListSubscriptionsByTopic", &[("TopicArn", TOPIC)]).await;
        assert!(page.contains("<Endpoint>+15551234567</Endpoint>"), "{page}");
        let at = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled);";
        let letter = "Unexpected character ('i' (code 105)): was expecting double-quote to start field name";
        let token = "Unrecognized token 'invalid': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')";
        for (name, value, text) in [
            ("RedrivePolicy", "{invalid", format!("RedrivePolicy: failed to parse JSON. {letter}\n at {at} line: 1, column: 2]")),
            ("RedrivePolicy", r#"{"deadLetterTargetArn":"x"}"#, "RedrivePolicy: deadLetterTargetArn is an invalid arn".to_owned()),
            ("FilterPolicy", "invalid", format!("FilterPolicy: failed to parse JSON. {token}\n at {at} line: 1, column: 8]")),
        ] {
            let members = [
                ("TopicArn", TOPIC), ("Protocol", "sqs"), ("Endpoint", queue),
                ("Attributes.entry.1.key", name), ("Attributes.entry.1.value", value),
            ];
            table.refuses("Subscribe", &members, INVALID, &format!("Invalid parameter: Attributes Reason: {text}")).await;
        }
        for (topic, token, text) in [
            ("t", "x", "Invalid parameter: Topic"),
            (TOPIC, "x", "Invalid parameter: Token"),
            (NOWHERE, "x", "Invalid parameter: Token"),
        ] {
            table.refuses("ConfirmSubscription", &[("TopicArn", topic), ("Token", token)], INVALID, text).await;
        }
        for (arn, text) in [
            ("", "Invalid parameter: SubscriptionArn Reason: no value for required parameter"),
            ("x", "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1"),
            (TOPIC, "Invalid parameter: SubscriptionId"),
        ] {
            table.refuses("Unsubscribe", &[("SubscriptionArn", arn)], INVALID, text).await;
        }
    }

    async fn messages_are_refused_in_awss_words(engine: Engine) {
        let table = Table::new(engine).await;
        let null = |path: &str| format!("1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null");
        // Before it is known whether the topic is there.
        let members = [
            ("TopicArn", NOWHERE), ("Message", "x"),
            ("MessageAttributes.entry.1.Name", "Attr1"), ("MessageAttributes.entry.1.Value.StringValue", "v"),
        ];
        table.refuses("Publish", &members, VALIDATION, &null("messageAttributes.Attr1.member.dataType")).await;
        let entry = "PublishBatchRequestEntries.member.1.MessageAttributes.entry.1";
        let (name, value) = (format!("{entry}.Name"), format!("{entry}.Value.StringValue"));
        let members = [
            ("TopicArn", NOWHERE), ("PublishBatchRequestEntries.member.1.Id", "a"),
            ("PublishBatchRequestEntries.member.1.Message", "x"), (name.as_str(), "Attr1"), (value.as_str(), "v"),
        ];
        let path = "publishBatchRequestEntries.1.member.messageAttributes.Attr1.member.dataType";
        table.refuses("PublishBatch", &members, VALIDATION, &null(path)).await;
        // The structure's fault is told for all, and before the missing group.
        table.done("CreateTopic", &[("Name", "t.fifo"), ("Attributes.entry.1.key", "FifoTopic"), ("Attributes.entry.1.value", "true")]).await;
        let fifo = format!("{TOPIC}.fifo");
        for message in ["{}", r#"{"default":1}"#] {
            let members = [
                ("TopicArn", fifo.as_str()), ("PublishBatchRequestEntries.member.1.Id", "a"),
                ("PublishBatchRequestEntries.member.1.Message", message),
                ("PublishBatchRequestEntries.member.1.MessageStructure", "json"),
            ];
            let text = "Invalid parameter: Message Structure - No default entry in JSON message body";
            table.refuses("PublishBatch", &members, INVALID, text).await;
        }
        table.refuses("Publish", &[("TopicArn", NOWHERE), ("Message", "x")], NOT_FOUND, "Topic does not exist").await;
    }

    async fn phones_and_devices_are_refused_in_awss_words(engine: Engine) {
        let table = Table::new(engine).await;
        for (name, value, text) in [
            ("Colour", "red", "Colour is not a valid attribute"),
            ("DefaultSMSType", "Urgent", "DefaultSMSType is invalid"),
        ] {
            let members = [("attributes.entry.1.key", name), ("attributes.entry.1.value", value)];
            table.refuses("SetSMSAttributes", &members, INVALID, text).await;
        }
        let badly = "Invalid parameter: PhoneNumber Reason: input incorrectly formatted";
        for action in ["OptInPhoneNumber", "CheckIfPhoneNumberIsOptedOut"] {
            table.refuses(action, &[("phoneNumber", "abc")], INVALID, badly).await;
        }
        table.refuses("Publish", &[("PhoneNumber", "abc"), ("Message", "x")], INVALID, "Invalid parameter: PhoneNumber Reason: abc is not valid to publish to").await;

        let (credential, principal) = ("PlatformCredential", "PlatformPrincipal");
        let long = "n".repeat(257);
        let letters = "must contain only characters 'a'-'z', 'A'-'Z', '0'-'9', '_', '-', and '.'";
        for (name, platform, attribute, text) in [
            ("", "AAA", credential, " Reason: cannot be empty".to_owned()),
            (long.as_str(), "AAA", credential, format!("{long} Reason: must be at most 256 characters long")),
            ("a b", "AAA", credential, format!("a b Reason: {letters}")),
            ("app", "AAA", credential, "Platform Reason: AAA is not supported".to_owned()),
            ("app", "APNS", credential, "Attributes Reason: PlatformCredential attribute provided without PlatformPrincipal".to_owned()),
            ("app", "APNS", principal, "Attributes Reason: PlatformPrincipal attribute provided without PlatformCredential".to_owned()),
        ] {
            let members = [
                ("Name", name), ("Platform", platform), ("Attributes.entry.1.key", attribute), ("Attributes.entry.1.value", "secret"),
            ];
            table.refuses("CreatePlatformApplication", &members, INVALID, &format!("Invalid parameter: {text}")).await;
        }
        let null = "1 validation error detected: Value null at 'attributes' failed to satisfy constraint: Member must not be null";
        table.refuses("CreatePlatformApplication", &[("Name", "app"), ("Platform", "APNS")], VALIDATION, null).await;
        let six = "Invalid parameter: PlatformApplicationArn Reason: An ARN must have at least 6 elements, not 1";
        table.refuses("GetPlatformApplicationAttributes", &[("PlatformApplicationArn", "app")], INVALID, six).await;
        let made = [("Name", "app"), ("Platform", "GCM"), ("Attributes.entry.1.key", credential), ("Attributes.entry.1.value", "secret")];
        table.done("CreatePlatformApplication", &made).await;
        let application = "arn:aws:sns:us-east-1:000000000000:app/GCM/app";
        let data = "x".repeat(2_049);
        for (name, value, text) in [
            ("Colour", "red", "Invalid attribute name: Colour"),
            ("CustomUserData", data.as_str(), "Invalid value for attribute: CustomUserData: must be at most 2048 bytes long in UTF-8 encoding"),
        ] {
            let members = [
                ("PlatformApplicationArn", application), ("Token", "token"),
                ("Attributes.entry.1.key", name), ("Attributes.entry.1.value", value),
            ];
            let text = format!("Invalid parameter: Attributes Reason: {text}");
            table.refuses("CreatePlatformEndpoint", &members, INVALID, &text).await;
        }
    }
}
