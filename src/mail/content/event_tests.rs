//! The records of events and notifications, member by member.
use serde_json::{Value, json};

use crate::base::Timestamp;
use crate::mail::content::event::{
    Bounce, BounceType, BouncedRecipient, Complaint, DelayedRecipient, Delivery, DeliveryDelay, Event,
};
use crate::mail::content::headers_record::HeadersRecord;
use crate::mail::message::HeaderLine;
use crate::store::mails::{Kind, Mail};

const AT: Timestamp = Timestamp::from_micros(1_800_000_002_500_000);

fn mail() -> Mail {
    Mail {
        id: "id-1".to_owned(),
        account: "123456789012".to_owned(),
        region: "eu-west-1".to_owned(),
        caller: "AKID".to_owned(),
        source_ip: None,
        source: "ann@x.example".to_owned(),
        return_path: "ann@x.example".to_owned(),
        configuration_set: Some("set".to_owned()),
        tags: r#"[["k","v"],["k","w"]]"#.to_owned(),
        headers: HeadersRecord::new(None, vec!["b@y.example".to_owned()], []).write(),
        identity: Some("x.example".to_owned()),
        kind: Kind::User,
        size: 1,
        recipient_count: 1,
        accepted_at: Timestamp::from_secs(1_800_000_000),
        expires_at: AT,
    }
}

/// The record without its `mail`, and the tags.
fn record(event: &Event) -> (Value, Value) {
    let mut record: Value = serde_json::from_str(&event.record(&mail())).expect("JSON");
    let mail = record.as_object_mut().and_then(|r| r.remove("mail")).expect("a mail object");
    (record, mail["tags"].clone())
}

#[test]
fn a_delivery_tells_its_time_and_the_answer() {
    let event = Event::Delivery(Delivery {
        at: AT,
        recipients: vec!["b@y.example".to_owned()],
        smtp_response: "250 ok".to_owned(),
        reporting_mta: "out.example".to_owned(),
        outgoing_ip: Some("192.0.2.1".to_owned()),
    });
    let (record, tags) = record(&event);
    let wanted = json!({"eventType": "Delivery", "delivery": {
        "timestamp": "2027-01-15T08:00:02.500Z", "processingTimeMillis": 2500, "recipients": ["b@y.example"],
        "smtpResponse": "250 ok", "reportingMTA": "out.example"}});
    assert_eq!(record, wanted);
    let wanted = json!({"k": ["v", "w"], "ses:configuration-set": ["set"], "ses:from-domain": ["x.example"],
        "ses:caller-identity": ["AKID"], "ses:outgoing-ip": ["192.0.2.1"]});
    assert_eq!(tags, wanted);
}

#[test]
fn a_bounce_tells_its_kind_and_its_recipients() {
    let event = Event::Bounce(Bounce {
        at: AT,
        kind: BounceType::Permanent,
        sub_type: "General",
        recipients: vec![BouncedRecipient {
            email_address: "b@y.example".to_owned(),
            action: Some("failed".to_owned()),
            status: Some("5.1.1".to_owned()),
            diagnostic_code: Some("smtp; 550 5.1.1 no".to_owned()),
        }],
        feedback_id: "fb-1".to_owned(),
        reporting_mta: Some("dns; out.example".to_owned()),
    });
    let wanted = json!({"eventType": "Bounce", "bounce": {
    "bounceType": "Permanent", "bounceSubType": "General", "timestamp": "2027-01-15T08:00:02.500Z",
    "feedbackId": "fb-1", "reportingMTA": "dns; out.example", "bouncedRecipients": [
        {"emailAddress": "b@y.example", "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 no"}
    ]}});
    assert_eq!(record(&event).0, wanted);
}

#[test]
fn a_delay_a_complaint_and_a_reject_have_their_objects() {
    let delay = Event::DeliveryDelay(DeliveryDelay {
        at: AT,
        delay_type: "MailboxFull",
        expires_at: AT,
        recipients: vec![DelayedRecipient {
            email_address: "b@y.example".to_owned(),
            status: "4.2.2".to_owned(),
            diagnostic_code: "smtp; 452 full".to_owned(),
        }],
        reporting_mta: None,
    });
    let wanted = json!({"eventType": "DeliveryDelay", "deliveryDelay": {
        "timestamp": "2027-01-15T08:00:02.500Z", "delayType": "MailboxFull",
        "expirationTime": "2027-01-15T08:00:02.500Z",
        "delayedRecipients": [{"emailAddress": "b@y.example", "status": "4.2.2", "diagnosticCode": "smtp; 452 full"}]}});
    assert_eq!(record(&delay).0, wanted);
    let complaint = Event::Complaint(Complaint {
        at: AT,
        recipients: vec!["b@y.example".to_owned()],
        feedback_id: "fb-2".to_owned(),
        sub_type: None,
        user_agent: Some("agent/1".to_owned()),
        feedback_type: Some("abuse".to_owned()),
        arrival: Some(AT),
    });
    let wanted = json!({"eventType": "Complaint", "complaint": {
        "complainedRecipients": [{"emailAddress": "b@y.example"}], "timestamp": "2027-01-15T08:00:02.500Z",
        "feedbackId": "fb-2", "complaintSubType": null, "userAgent": "agent/1", "complaintFeedbackType": "abuse",
        "arrivalDate": "2027-01-15T08:00:02.500Z"}});
    assert_eq!(record(&complaint).0, wanted);
    let reject = Event::Reject { reason: "Bad content".to_owned() };
    assert_eq!(record(&reject).0, json!({"eventType": "Reject", "reject": {"reason": "Bad content"}}));
}

#[test]
fn a_rendering_failure_has_no_headers() {
    let event = Event::RenderingFailure { template: "T".to_owned(), error: "no".to_owned() };
    let told: Value = serde_json::from_str(&event.record(&mail())).expect("JSON");
    let wanted = json!({"eventType": "Rendering Failure", "failure": {"errorMessage": "no", "templateName": "T"}, "mail": {
        "timestamp": "2027-01-15T08:00:00.000Z", "messageId": "id-1", "source": "ann@x.example",
        "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/x.example", "sendingAccountId": "123456789012",
        "destination": ["b@y.example"], "headersTruncated": false, "tags": {"k": ["v", "w"],
        "ses:configuration-set": ["set"], "ses:from-domain": ["x.example"], "ses:caller-identity": ["AKID"]}}});
    assert_eq!(told, wanted);
}

#[test]
fn a_notification_has_no_tags_and_headers_only_where_they_are_wanted() {
    let line = HeaderLine { name: "Subject".to_owned(), value: "hi".to_owned() };
    let headers = HeadersRecord::new(None, vec!["b@y.example".to_owned()], [line]).write();
    let mail = Mail { headers, source_ip: Some("192.0.2.7".to_owned()), ..mail() };
    let event = Event::Reject { reason: "Bad content".to_owned() };
    let told =
        |with_headers| -> Value { serde_json::from_str(&event.notification(&mail, with_headers)).expect("JSON") };
    let bare = json!({"notificationType": "Reject", "reject": {"reason": "Bad content"}, "mail": {
        "timestamp": "2027-01-15T08:00:00.000Z", "messageId": "id-1", "source": "ann@x.example",
        "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/x.example", "sourceIp": "192.0.2.7",
        "callerIdentity": "AKID", "sendingAccountId": "123456789012", "destination": ["b@y.example"]}});
    assert_eq!(told(false), bare);
    let mut full = bare;
    full["mail"]["headersTruncated"] = json!(false);
    full["mail"]["headers"] = json!([{"name": "Subject", "value": "hi"}]);
    full["mail"]["commonHeaders"] = json!({"subject": "hi", "messageId": "id-1"});
    assert_eq!(told(true), full);
}
