//! What is found in JSON, whose escapes stand for characters; and that JSON stays JSON whatever is taken out of it.
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::scan_tests::{MASK, REDACT, changed, found, kinds, text_of_bits};
use super::{Identifier, weight};

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn hashes(count: usize) -> String {
    "#".repeat(count)
}

#[test]
fn escapes_are_the_characters_they_stand_for() {
    for (kind, text, masked, redacted) in [
        (
            "EmailAddress",
            r#"{"t":"write to:\nann@example.com"}"#,
            format!(r#"{{"t":"write to:\n{}"}}"#, hashes(15)),
            r#"{"t":"write to:\n"}"#,
        ),
        (
            "EmailAddress",
            r#"{"t":"Ann \u003cann@example.com\u003e"}"#,
            format!(r#"{{"t":"Ann \u003c{}\u003e"}}"#, hashes(15)),
            r#"{"t":"Ann \u003c\u003e"}"#,
        ),
        ("EmailAddress", r#"["ann\u0040example.com."]"#, format!(r#"["{}."]"#, hashes(20)), r#"["."]"#),
        ("EmailAddress", r#"["\\nick@example.com\\"]"#, format!(r#"["{}\\"]"#, hashes(18)), r#"["\\"]"#),
        ("CreditCardNumber", r#""card:\n4539894458086459""#, format!(r#""card:\n{}""#, hashes(16)), r#""card:\n""#),
        (
            "CreditCardNumber",
            r#"["my\ncard 4539894458086459"]"#,
            format!(r#"["my\ncard {}"]"#, hashes(16)),
            r#"["my\ncard "]"#,
        ),
        ("Ssn-US", r#"["ssn:\n123-45-6789"]"#, format!(r#"["ssn:\n{}"]"#, hashes(11)), r#"["ssn:\n"]"#),
        ("IpAddress", r#"["from\t10.0.0.1\t"]"#, format!(r#"["from\t{}\t"]"#, hashes(8)), r#"["from\t\t"]"#),
        (
            "BankAccountNumber-DE",
            r#"["iban\nDE89370400440532013000"]"#,
            format!(r#"["iban\n{}"]"#, hashes(22)),
            r#"["iban\n"]"#,
        ),
        (
            "AwsSecretKey",
            r#"["secret key\nwJalrXUtnFEMI\/K7MDENG\/bPxRfiCYEXAMPLEKEY"]"#,
            format!(r#"["secret key\n{}"]"#, hashes(42)),
            r#"["secret key\n"]"#,
        ),
    ] {
        assert_eq!(changed(text, MASK, &[kind]), masked);
        assert_eq!(changed(text, REDACT, &[kind]), redacted);
    }
}

#[test]
fn a_text_that_is_no_json_may_be_read_either_way() {
    for text in [r"HOUSE\nick@example.com is it", r#"log: {"to":"x\nick@example.com"}"#, r"at \u0061nick@example.com;"]
    {
        let masked = changed(text, MASK, &["EmailAddress"]);
        assert!(!masked.contains("ick") && !masked.contains("example") && !masked.contains('\\'), "{masked}");
        assert_eq!(found(text, "EmailAddress").len(), 1, "{text}");
    }
    assert_eq!(weight("plain"), 5);
    assert!(weight("a\\b") > 3, "it is looked at more than once");
}

#[test]
fn numbers_become_strings() {
    let card = |text: &str, operation: &str| changed(text, operation, &["CreditCardNumber"]);
    assert_eq!(card(r#"{"card":4539894458086459}"#, MASK), format!(r#"{{"card":"{}"}}"#, hashes(14)));
    assert_eq!(card(r#"{"card":4539894458086459}"#, REDACT), r#"{"card":""}"#);
    assert_eq!(card(r#"{"card": -4539894458086459 }"#, MASK), format!(r#"{{"card": "{}" }}"#, hashes(15)));
    let inner = json!({"card": 4_539_894_458_086_459_u64, "text": "card\n4539894458086459", "n": 1}).to_string();
    for (operation, wanted) in
        [(MASK, [hashes(12), format!("card\n{}", hashes(16))]), (REDACT, [String::new(), "card\n".to_owned()])]
    {
        let changed = parsed(&card(&json!({ "Message": inner }).to_string(), operation));
        let inner = parsed(changed["Message"].as_str().expect("a string"));
        assert_eq!(inner, json!({"card": wanted[0], "text": wanted[1], "n": 1}));
    }
}

#[test]
fn a_key_ends_with_its_string_or_with_its_last_line() {
    let key = |text: &str| parsed(&changed(text, REDACT, &["PkcsPrivateKey"]));
    let cut = json!({"a": "x -----BEGIN PRIVATE KEY-----\nMIIE", "b": "bob"});
    assert_eq!(key(&cut.to_string()), json!({"a": "x ", "b": "bob"}));
    assert_eq!(key(&json!([cut.to_string(), 1]).to_string()), json!([json!({"a": "x ", "b": "bob"}).to_string(), 1]));
    let lines = json!(["-----BEGIN PRIVATE KEY-----", 7, "MIIE", "-----END PRIVATE KEY-----", "bob"]);
    assert_eq!(key(&lines.to_string()), json!(["", 7, "", "", "bob"]));
}

fn text_without_backslash() -> impl Strategy<Value = String> {
    let bit = prop_oneof![text_of_bits(), Just("\n".to_owned()), Just("\"".to_owned()), "[\t\r\u{8}/]"];
    prop::collection::vec(bit, 0..4).prop_map(|bits| bits.concat().replace('\\', "/"))
}

proptest! {
    /// A text loses the same in a string of JSON, and in JSON in a string of JSON, as it does alone.
    #[test]
    fn json_stays_json_and_holds_no_more_than_its_text(text in text_without_backslash(), wraps in 0_usize..3) {
        let names: Vec<&str> = kinds().into_iter().map(Identifier::name).collect();
        let wrapped = (0..wraps).fold(Json::from(text.as_str()), |inner, _| json!({ "m": inner.to_string() }));
        let redacted = changed(&wrapped.to_string(), REDACT, &names);
        let unwrapped = (0..wraps).fold(parsed(&redacted), |outer, _| parsed(outer["m"].as_str().expect("a string")));
        let alone = changed(&text, REDACT, &names);
        prop_assert_eq!(unwrapped.as_str(), Some(alone.as_str()));
        let masked = changed(&wrapped.to_string(), MASK, &names);
        let unwrapped = (0..wraps).fold(parsed(&masked), |outer, _| parsed(outer["m"].as_str().expect("a string")));
        prop_assert!(unwrapped.is_string());
    }

    /// Whatever JSON there is, it stays JSON.
    #[test]
    fn any_json_stays_json(texts in prop::collection::vec((text_of_bits(), any::<u64>(), any::<bool>()), 1..4)) {
        let names: Vec<&str> = kinds().into_iter().map(Identifier::name).collect();
        let each = texts.into_iter().map(|(text, number, nested)| {
            let inner = json!({"card phone ssn sin": number % 10_000_000_000_000_000, "text": text, "more": [null, -1.5, text]});
            if nested { Json::from(inner.to_string()) } else { inner }
        });
        let text = Json::from(each.collect::<Vec<_>>()).to_string();
        for operation in [MASK, REDACT] {
            for one in parsed(&changed(&text, operation, &names)).as_array().expect("a list") {
                if let Some(inner) = one.as_str() {
                    parsed(inner);
                }
            }
        }
    }
}
