//! Message tags on both of SES's wires: what is refused, what SES adds, and the Feedback-ID that two of them make.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::both_engines;
use crate::ses_house::Watched;
use crate::ses_wire::SesWire;

const TO: &str = "bob@far.example";

fn v1_mail<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("Source", Watched::FROM),
        ("ConfigurationSetName", Watched::SET),
        ("Destination.ToAddresses.member.1", TO),
        ("Message.Subject.Data", "hi"),
        ("Message.Body.Text.Data", "body"),
        ("Tags.member.1.Name", name),
        ("Tags.member.1.Value", value),
    ]
}

fn v2_mail(tags: Value) -> Value {
    json!({
        "FromEmailAddress": Watched::FROM,
        "ConfigurationSetName": Watched::SET,
        "Destination": { "ToAddresses": [TO] },
        "Content": { "Simple": { "Subject": { "Data": "hi" }, "Body": { "Text": { "Data": "body" } } } },
        "EmailTags": tags,
    })
}

fn raw(message: &str) -> String {
    STANDARD.encode(message)
}

/// The tags of the newest Send event.
async fn told(wire: &SesWire, watched: &Watched) -> Value {
    let events = watched.events(&wire.house).await;
    let sent = events.into_iter().find(|event| event["eventType"] == "Send").expect("a Send event");
    sent["mail"].clone()
}

both_engines! {
    async fn bad_tags_are_told_in_sess_words(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let _watched = Watched::new(&wire.house).await;
        let long = "x".repeat(256);
        let name_letters = "only alphanumeric ASCII characters, '_',  '-' are allowed.";
        let value_letters = "only alphanumeric ASCII characters, '_',  '-' , '.', '@' are allowed.";
        for (name, value, text) in [
            ("", "v", "The tag name must be specified.".to_owned()),
            ("n", "", "The tag value must be specified.".to_owned()),
            (&long, "v", "Tag name cannot exceed 255 characters.".to_owned()),
            ("n", &long, "Tag value cannot exceed 255 characters.".to_owned()),
            ("n@x", "v w", format!("Invalid tag name <n@x>: {name_letters}")),
            ("n", "v w", format!("Invalid tag value <v w>: {value_letters}")),
            ("ses:operation", "SendEmail", format!("Invalid tag name <ses:operation>: {name_letters}")),
        ] {
            let no = wire.no_v1("SendEmail", &v1_mail(name, value)).await;
            assert_eq!(no, format!("InvalidParameterValue: {text}"));
            let no = wire.no_v2("POST outbound-emails", v2_mail(json!([{ "Name": name, "Value": value }]))).await;
            assert_eq!(no, format!("400 BadRequestException: {text}"));
        }
        wire.done_v1("SendEmail", &v1_mail("n_-1", "ann.b@x-y_z")).await;
    }

    async fn events_tell_the_operation_that_a_mail_came_by(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let watched = Watched::new(&wire.house).await;
        let operation = async || told(&wire, &watched).await["tags"]["ses:operation"].clone();
        wire.done_v1("SendEmail", &v1_mail("n", "v")).await;
        assert_eq!(operation().await, json!(["SendEmail"]));
        let message = raw("From: ann@sender.example\r\nSubject: hi\r\n\r\nbody");
        let raw_mail = [("RawMessage.Data", message.as_str()), ("Destinations.member.1", TO), ("ConfigurationSetName", Watched::SET)];
        wire.done_v1("SendRawEmail", &raw_mail).await;
        assert_eq!(operation().await, json!(["SendRawEmail"]));
        wire.done_v2("POST outbound-emails", v2_mail(json!([]))).await;
        assert_eq!(operation().await, json!(["SendEmail"]));
        let template = [
            ("Template.TemplateName", "t"), ("Template.SubjectPart", "hi"), ("Template.TextPart", "body"),
        ];
        wire.done_v1("CreateTemplate", &template).await;
        let templated = [
            ("Source", Watched::FROM), ("ConfigurationSetName", Watched::SET), ("Template", "t"), ("TemplateData", "{}"),
            ("Destination.ToAddresses.member.1", TO),
        ];
        wire.done_v1("SendTemplatedEmail", &templated).await;
        assert_eq!(operation().await, json!(["SendTemplatedEmail"]));
    }

    async fn two_tags_make_the_feedback_id(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let watched = Watched::new(&wire.house).await;
        wire.done_v1("SendEmail", &v1_mail("ses:feedback-id-a", "spring")).await;
        let mail = wire.captured(TO).await;
        let line = mail.lines().find(|line| line.starts_with("Feedback-ID: ")).expect("the field");
        let parts: Vec<&str> = line.trim_start_matches("Feedback-ID: ").split(':').collect();
        assert!(matches!(parts[..], ["spring", "", hash, "Postrider"] if hash.starts_with("1.us-east-1.")), "{line}");
        assert_eq!(told(&wire, &watched).await["tags"]["ses:feedback-id-a"], json!(["spring"]));

        let tags = json!([{ "Name": "ses:feedback-id-a", "Value": "a" }, { "Name": "ses:feedback-id-b", "Value": "b" }]);
        let message = raw("From: ann@sender.example\r\nFeedback-ID: mine:x\r\nSubject: hi\r\n\r\nbody");
        let mut body = v2_mail(tags);
        body["Content"] = json!({ "Raw": { "Data": message } });
        wire.done_v2("POST outbound-emails", body.clone()).await;
        let mail = wire.captured(TO).await;
        let fields: Vec<&str> = mail.lines().filter(|line| line.to_ascii_lowercase().starts_with("feedback-id:")).collect();
        assert!(matches!(fields[..], [one] if one.starts_with("Feedback-ID: a:b:1.us-east-1.")), "{fields:?}");

        body["EmailTags"] = json!([]);
        wire.done_v2("POST outbound-emails", body).await;
        let mail = wire.captured(TO).await;
        assert!(mail.contains("\r\nFeedback-ID: mine:x\r\n") && !mail.contains("1.us-east-1."), "{mail}");
    }

    async fn an_empty_message_goes_out_from_its_source(engine: Engine) {
        let wire = SesWire::new(engine).await;
        let watched = Watched::new(&wire.house).await;
        let source = ("Source", Watched::FROM);
        let rest = [("RawMessage.Data", ""), ("Destinations.member.1", TO), ("ConfigurationSetName", Watched::SET)];
        wire.done_v1("SendRawEmail", &[&[source], &rest[..]].concat()).await;
        let mail = told(&wire, &watched).await;
        assert_eq!((&mail["source"], &mail["headers"]), (&json!(Watched::FROM), &json!([])));
        assert_eq!(mail["tags"].get("ses:from-domain"), None);
        assert!(wire.captured(TO).await.contains("From: ann@sender.example\r\n"));
        let no = wire.no_v1("SendRawEmail", &rest).await;
        assert_eq!(no, "InvalidParameterValue: Missing required header 'From'.");

        let mut body = v2_mail(json!([]));
        body["Content"] = json!({ "Raw": { "Data": "" } });
        wire.done_v2("POST outbound-emails", body.clone()).await;
        assert_eq!(told(&wire, &watched).await["headers"], json!([]));
        body.as_object_mut().expect("an object").remove("FromEmailAddress");
        let no = wire.no_v2("POST outbound-emails", body).await;
        assert_eq!(no, "400 BadRequestException: Missing required header 'From'.");
    }
}
