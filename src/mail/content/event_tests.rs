//! The records of events and notifications, member by member: those in `tests/golden/ses`, and what they leave out.
use std::time::Duration;

use serde_json::{Value, json};

use crate::base::HeaderLine;
use crate::base::Timestamp;
use crate::mail::bounce::{BounceSubType, BounceType, ComplaintSubType, DelayType};
use crate::mail::content::event::{
    Bounce, BouncedRecipient, Complaint, DelayedRecipient, Delivery, DeliveryDelay, Event,
};
use crate::mail::message::headers_record::HeadersRecord;
use crate::store::Json;
use crate::store::mails::{Kind, Mail};

const ACCEPTED: Timestamp = Timestamp::from_secs(1_800_000_000);
const AT: Timestamp = Timestamp::from_micros(1_800_000_002_500_000);
const TO: &str = "b@y.example";

fn mail(headers: HeadersRecord) -> Mail {
    let tags = [("campaign", "spring"), ("campaign", "late"), ("ses:operation", "SendEmail")];
    let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Mail {
        id: "010f019b-1".to_owned(),
        account: "123456789012".parse().expect("an account"),
        region: "eu-west-1".parse().expect("a region"),
        caller: "AKID".to_owned(),
        source_ip: Some("192.0.2.7".to_owned()),
        source: "ann@x.example".to_owned(),
        return_path: "ann@x.example".to_owned(),
        configuration_set: Some("set".to_owned()),
        tags: Json::of(&tags).expect("JSON"),
        headers: Json::of(&headers).expect("JSON"),
        identity: Some("x.example".to_owned()),
        kind: Kind::User,
        size: 1,
        recipient_count: 1,
        accepted_at: ACCEPTED,
        expires_at: ACCEPTED + Duration::from_secs(14 * 3600),
        require_tls: false,
    }
}

fn usual() -> Mail {
    let line = |name: &str, value: &str| HeaderLine { name: name.to_owned(), value: value.to_owned() };
    let from = "Ann <ann@x.example>";
    let lines = [line("From", from), line("To", TO), line("Subject", "hi")];
    mail(HeadersRecord::new(Some(from.to_owned()), vec![TO.to_owned()], lines))
}

fn delivery() -> Event {
    Event::Delivery(Delivery {
        at: AT,
        recipients: vec![TO.to_owned()],
        smtp_response: "250 2.0.0 ok".to_owned(),
        reporting_mta: "out.example".to_owned(),
        outgoing_ip: Some("192.0.2.1".to_owned()),
        remote_ip: Some("192.0.2.25".to_owned()),
    })
}

fn bounce() -> Event {
    Event::Bounce(Bounce {
        at: AT,
        kind: BounceType::Permanent,
        sub_type: BounceSubType::General,
        recipients: vec![BouncedRecipient {
            email_address: TO.to_owned(),
            action: Some("failed".to_owned()),
            status: Some("5.1.1".to_owned()),
            diagnostic_code: Some("smtp; 550 5.1.1 no such user".to_owned()),
        }],
        feedback_id: "010f019b-2".to_owned(),
        reporting_mta: Some("dns; out.example".to_owned()),
        remote_ip: Some("192.0.2.25".to_owned()),
    })
}

fn complaint() -> Event {
    Event::Complaint(Complaint {
        at: AT,
        recipients: vec![TO.to_owned()],
        feedback_id: "010f019b-2".to_owned(),
        sub_type: None,
        user_agent: Some("agent/1".to_owned()),
        feedback_type: Some("abuse".to_owned()),
        arrival: Some(AT),
    })
}

fn delay() -> Event {
    Event::DeliveryDelay(DeliveryDelay {
        at: AT,
        delay_type: DelayType::MailboxFull,
        expires_at: usual().expires_at,
        recipients: vec![DelayedRecipient {
            email_address: TO.to_owned(),
            status: "4.2.2".to_owned(),
            diagnostic_code: "smtp; 452 4.2.2 full".to_owned(),
        }],
        reporting_mta: Some("out.example".to_owned()),
    })
}

fn unrendered() -> Event {
    let error = "Attribute 'name' is not present in the rendering data.".to_owned();
    Event::RenderingFailure { template: "welcome".to_owned(), error }
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

macro_rules! golden {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../tests/golden/ses/", $name, ".json")))
    };
}

#[test]
fn each_event_type_is_told_as_in_its_golden_file() {
    let reject = Event::Reject { reason: "Bad content".to_owned() };
    for ((name, golden), event) in [
        (golden!("event_send"), Event::Send),
        (golden!("event_reject"), reject),
        (golden!("event_delivery"), delivery()),
        (golden!("event_bounce"), bounce()),
        (golden!("event_complaint"), complaint()),
        (golden!("event_delivery_delay"), delay()),
    ] {
        assert_eq!(read(&event.record(&usual()).expect("told")), read(golden), "{name}");
    }
    // What could not be made from its template has no header.
    let (name, golden) = golden!("event_rendering_failure");
    let from = Some("Ann <ann@x.example>".to_owned());
    let bare = mail(HeadersRecord::new(from, vec![TO.to_owned()], []));
    assert_eq!(read(&unrendered().record(&bare).expect("told")), read(golden), "{name}");
}

#[test]
fn each_notification_is_told_as_in_its_golden_file_and_headers_only_where_they_are_wanted() {
    for ((name, golden), event) in [
        (golden!("notification_bounce"), bounce()),
        (golden!("notification_complaint"), complaint()),
        (golden!("notification_delivery"), delivery()),
    ] {
        let mut golden = read(golden);
        assert_eq!(read(&event.notification(&usual(), true).expect("told")), golden, "{name}");
        let members = golden["mail"].as_object_mut().expect("an object");
        members.retain(|name, _| !["headersTruncated", "headers", "commonHeaders"].contains(&name.as_str()));
        assert_eq!(read(&event.notification(&usual(), false).expect("told")), golden, "{name} without headers");
    }
}

#[test]
fn what_is_not_known_is_left_out() {
    let Event::Bounce(mut less) = bounce() else { panic!("a bounce") };
    (less.reporting_mta, less.remote_ip) = (None, None);
    less.recipients =
        vec![BouncedRecipient { email_address: TO.to_owned(), action: None, status: None, diagnostic_code: None }];
    let told = read(&Event::Bounce(less).notification(&usual(), false).expect("told"));
    assert_eq!(told["bounce"]["bouncedRecipients"], json!([{ "emailAddress": TO }]));
    assert!(told["bounce"].get("reportingMTA").is_none() && told["bounce"].get("remoteMtaIp").is_none());
    let Event::Complaint(mut less) = complaint() else { panic!("a complaint") };
    (less.user_agent, less.feedback_type, less.arrival) = (None, None, None);
    less.sub_type = Some(ComplaintSubType::OnAccountSuppressionList);
    let wanted = json!({"complainedRecipients": [{"emailAddress": TO}], "timestamp": "2027-01-15T08:00:02.500Z",
        "feedbackId": "010f019b-2", "complaintSubType": "OnAccountSuppressionList"});
    assert_eq!(read(&Event::Complaint(less).record(&usual()).expect("told"))["complaint"], wanted);
}
