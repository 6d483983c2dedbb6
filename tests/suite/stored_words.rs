//! The words in which values of enums are stored and told. Rows of earlier versions have them, and so have programs that read events:
//! whatever a variant is called, its word stays.
use std::fmt::Debug;
use std::str::FromStr;

use postrider::mail::bounce::{BounceSubType, BounceType, ComplaintSubType, DelayType};
use postrider::mail::receiving::rules::{Action, Encoding, TlsPolicy};
use postrider::store::account_settings::Review;
use postrider::store::configuration_sets::{SetOptions, SetTlsPolicy};
use postrider::store::dkim_keys::{KeyAlgorithm, KeyState};
use postrider::store::event_destinations::{Dimension, DimensionSource, Target};
use postrider::store::event_types::EventType;
use postrider::store::feedback::Told;
use postrider::store::identities::{IdentityKind, KeyOrigin, ProofError, Standing};
use postrider::store::identity_notifications::NotificationKind;
use postrider::store::import_jobs::{ImportAction, ImportFormat, ImportStatus};
use postrider::store::mails::{AttemptOutcome, Kind, Status};
use postrider::store::move_tasks::{MoveFailure, MoveStatus};
use postrider::store::suppressed::Reason;
use postrider::store::{Json, inbound_mails};
use serde_json::{Value, json};

/// Whether these are all words, and each is written and read as itself and in no other spelling.
fn pinned<T>(all: &[T], words: &[&str])
where
    T: Copy + Debug + PartialEq + ToString + FromStr + serde::Serialize + serde::de::DeserializeOwned,
{
    assert_eq!(all.iter().map(ToString::to_string).collect::<Vec<_>>(), words);
    for (value, word) in all.iter().zip(words) {
        assert_eq!(word.parse::<T>().ok(), Some(*value));
        assert_eq!(serde_json::to_value(value).expect("a text"), json!(word));
        assert_eq!(serde_json::from_value::<T>(json!(word)).expect("read"), *value);
        for other in [format!(" {word}"), format!("{word}S"), word.to_lowercase(), word.to_uppercase()] {
            assert!(other == *word || other.parse::<T>().is_err(), "{other}");
        }
    }
    assert!("".parse::<T>().is_err() && serde_json::from_value::<T>(Value::Null).is_err());
}

#[test]
fn words_of_identities() {
    pinned(IdentityKind::ALL, &["EMAIL_ADDRESS", "DOMAIN"]);
    pinned(Standing::ALL, &["PENDING", "SUCCESS", "FAILED", "TEMPORARY_FAILURE", "NOT_STARTED"]);
    pinned(ProofError::ALL, &["HOST_NOT_FOUND", "TYPE_NOT_FOUND", "INVALID_VALUE", "DNS_SERVER_ERROR"]);
    pinned(KeyOrigin::ALL, &["AWS_SES", "EXTERNAL"]);
    pinned(KeyState::ALL, &["CURRENT", "NEXT", "RETIRED", "SPARE"]);
    pinned(KeyAlgorithm::ALL, &["rsa", "ed25519"]);
    pinned(NotificationKind::ALL, &["Bounce", "Complaint", "Delivery"]);
}

#[test]
fn words_of_mails() {
    pinned(Kind::ALL, &["USER", "SYSTEM", "FORWARD"]);
    pinned(Status::ALL, &["Pending", "Delivered", "Bounced", "Suppressed", "Rejected"]);
    pinned(AttemptOutcome::ALL, &["Delivered", "Delayed", "Bounced"]);
    pinned(inbound_mails::State::ALL, &["Waiting", "Done", "Failed"]);
    pinned(Reason::ALL, &["BOUNCE", "COMPLAINT"]);
    pinned(Told::ALL, &["Bounce", "DeliveryDelay", "Complaint", "Complaint not-spam", "Complaint auth-failure"]);
    pinned(SetTlsPolicy::ALL, &["REQUIRE", "OPTIONAL"]);
    pinned(Review::ALL, &["PENDING", "GRANTED", "DENIED"]);
    pinned(ImportAction::ALL, &["PUT", "DELETE"]);
    pinned(ImportFormat::ALL, &["CSV", "JSON"]);
    pinned(ImportStatus::ALL, &["CREATED", "PROCESSING", "COMPLETED", "FAILED"]);
}

#[test]
fn words_of_move_tasks() {
    pinned(MoveStatus::ALL, &["RUNNING", "COMPLETED", "CANCELLING", "CANCELLED", "FAILED"]);
    let failures =
        ["queue missing", "no source", "refused", "too long", "key missing", "key disabled", "key state", "unreadable"];
    pinned(MoveFailure::ALL, &failures);
}

#[test]
fn words_of_events() {
    let types = [
        ("BOUNCE", "Bounce", Some("bounce")),
        ("CLICK", "Click", Some("click")),
        ("COMPLAINT", "Complaint", Some("complaint")),
        ("DELIVERY", "Delivery", Some("delivery")),
        ("DELIVERY_DELAY", "DeliveryDelay", None),
        ("OPEN", "Open", Some("open")),
        ("REJECT", "Reject", Some("reject")),
        ("RENDERING_FAILURE", "Rendering Failure", Some("renderingFailure")),
        ("SEND", "Send", Some("send")),
        ("SUBSCRIPTION", "Subscription", None),
    ];
    pinned(EventType::ALL, &types.map(|(word, ..)| word));
    for (kind, (_, record, first)) in EventType::ALL.iter().zip(types) {
        assert_eq!((kind.record_name(), kind.first_api()), (record, first));
    }
    pinned(BounceType::ALL, &["Undetermined", "Permanent", "Transient"]);
    pinned(
        BounceSubType::ALL,
        &[
            "General",
            "Suppressed",
            "OnAccountSuppressionList",
            "MailboxFull",
            "MessageTooLarge",
            "ContentRejected",
            "AttachmentRejected",
            "Undetermined",
        ],
    );
    pinned(
        DelayType::ALL,
        &[
            "General",
            "InternalFailure",
            "MailboxFull",
            "SpamDetected",
            "IPFailure",
            "TransientCommunicationFailure",
            "RecipientServerError",
            "SendingDeferral",
        ],
    );
    pinned(ComplaintSubType::ALL, &["OnAccountSuppressionList"]);
    pinned(DimensionSource::ALL, &["MessageTag", "EmailHeader", "LinkTag"]);
}

/// Whether `value` is stored as `text`, and read from it.
fn stored<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + Debug>(value: &T, text: &str) {
    let json = Json::of(value).expect("JSON");
    assert_eq!((json.text(), &json.read().expect("what was written")), (text, value));
}

#[test]
fn json_of_rows() {
    stored(&vec![("a".to_owned(), "1".to_owned())], r#"[["a","1"]]"#);
    stored(&vec![EventType::Send, EventType::DeliveryDelay], r#"["SEND","DELIVERY_DELAY"]"#);
    stored(&vec![Reason::Bounce, Reason::Complaint], r#"["BOUNCE","COMPLAINT"]"#);
    let (stream_arn, role_arn) = ("s".to_owned(), "r".to_owned());
    stored(&Target::Stream { stream_arn, role_arn }, r#"{"Stream":{"stream_arn":"s","role_arn":"r"}}"#);
    stored(&Target::Bus("b".to_owned()), r#"{"Bus":"b"}"#);
    let dimension = Dimension { name: "n".to_owned(), source: DimensionSource::EmailHeader, default: "d".to_owned() };
    stored(&Target::Metrics(vec![dimension]), r#"{"Metrics":[{"name":"n","source":"EmailHeader","default":"d"}]}"#);
    stored(&SetOptions::default(), r#"{"tags":[],"reputation_metrics":false}"#);
    let options = SetOptions { suppressed_reasons: Some(vec![]), fresh_start: Some(7), ..SetOptions::default() };
    stored(&options, r#"{"tags":[],"reputation_metrics":false,"fresh_start":7,"suppressed_reasons":[]}"#);
    let sns =
        |encoding| Action::Sns { topic: "arn:aws:sns:us-east-1:000000000000:t".parse().expect("an ARN"), encoding };
    for (encoding, word) in [(Encoding::Utf8, "Utf8"), (Encoding::Base64, "Base64")] {
        let text = format!(r#"{{"Sns":{{"topic":"arn:aws:sns:us-east-1:000000000000:t","encoding":"{word}"}}}}"#);
        stored(&sns(encoding), &text);
    }
    stored(&Action::Stop { topic: None }, r#"{"Stop":{"topic":null}}"#);
    let header = Action::AddHeader { name: "X-A".to_owned(), value: "1".to_owned() };
    stored(&header, r#"{"AddHeader":{"name":"X-A","value":"1"}}"#);
    stored(&TlsPolicy::Require, r#""Require""#);
    stored(&TlsPolicy::Optional, r#""Optional""#);
}
