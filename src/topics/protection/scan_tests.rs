//! What is found and what is not, kind by kind; and what holds for all texts.
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::numbers::luhn;
use super::policy::Statement;
use super::verdict::judge;
use super::{FoundAt, Identifier, Policy, card, scan};

/// What is found of a kind, named by the last part of its ARN.
pub(super) fn found<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let arn = format!("arn:aws:dataprotection::aws:data-identifier/{name}");
    let identifier = Identifier::parse(&arn).expect("a kind");
    let found = scan(text, &BTreeSet::from([identifier])).remove(&identifier).unwrap_or_default();
    found.into_iter().map(|place| &text[place.start..place.end]).collect()
}

fn statements(operation: &str, names: &[&str]) -> Vec<Statement> {
    let arns: Vec<String> =
        names.iter().map(|name| format!("\"arn:aws:dataprotection::aws:data-identifier/{name}\"")).collect();
    let text = format!(
        r#"{{"Name":"n","Version":"2021-06-01","Statement":[{{"DataDirection":"Inbound","Principal":["*"],
        "DataIdentifier":[{}],"Operation":{operation}}}]}}"#,
        arns.join(",")
    );
    Policy::parse(&text).expect("a policy").statements
}

pub(super) fn changed(text: &str, operation: &str, names: &[&str]) -> String {
    let statements = statements(operation, names);
    let findings = scan(text, &super::verdict::wanted(&statements));
    judge(text, &findings, &statements).changed.unwrap_or_else(|| text.to_owned())
}

pub(super) const MASK: &str = r##"{"Deidentify":{"MaskConfig":{"MaskWithCharacter":"#"}}}"##;
pub(super) const REDACT: &str = r#"{"Deidentify":{"RedactConfig":{}}}"#;

#[test]
fn addresses_are_found() {
    for (text, wanted) in [
        ("write to ann@example.com.", vec!["ann@example.com"]),
        (
            "<ann.o'hara+tag@mail.example.co.uk>, bob@b.example",
            vec!["ann.o'hara+tag@mail.example.co.uk", "bob@b.example"],
        ),
        (r#"{"to":"ann@example.com"}"#, vec!["ann@example.com"]),
        ("mailto:ann@example.com?subject=x", vec!["ann@example.com"]),
        ("jürgen@münchen.example", vec!["jürgen@münchen.example"]),
        ("ann@example.com.5", vec!["ann@example.com"]),
        ("ann@localhost, @home, a@b.1, x@.example, ann@-.example", vec![]),
        ("a@@b.example", vec![]),
    ] {
        assert_eq!(found(text, "EmailAddress"), wanted, "{text}");
    }
    for (text, wanted) in [
        ("from 10.0.0.1, 192.168.1.254.", vec!["10.0.0.1", "192.168.1.254"]),
        ("http://10.0.0.1:8080/x addr:10.0.0.2", vec!["10.0.0.1", "10.0.0.2"]),
        ("[2001:db8::1]:443 and ::1 and fe80::", vec!["2001:db8::1", "::1", "fe80::"]),
        ("ip:fe80::1.", vec!["fe80::1"]),
        ("256.0.0.1 1.2.3 1.2.3.4.5 v1.2.3.4 12:30:45 std::io a.b.c.d", vec![]),
    ] {
        assert_eq!(found(text, "IpAddress"), wanted, "{text}");
    }
}

#[test]
fn numbers_are_found_with_their_checks_and_words() {
    for (name, text, wanted) in [
        ("CreditCardNumber", "My credit card number is 4539894458086459", vec!["4539894458086459"]),
        ("CreditCardNumber", "creditCard: 4539-8944-5808-6459.", vec!["4539-8944-5808-6459"]),
        ("CreditCardNumber", "visa 4539 8944 5808 6459 17/29", vec!["4539 8944 5808 6459"]),
        ("CreditCardNumber", "amex card-371449635398456", vec!["371449635398456"]),
        ("CreditCardNumber", "credit card 4539894458086458", vec![]),
        ("CreditCardNumber", "credit card 9539894458086454", vec![]),
        ("CreditCardNumber", "order 4539894458086459", vec![]),
        ("CreditCardNumber", "a card for tests: 4111111111111111", vec![]),
        ("CreditCardNumber", "card 45398944580864590", vec![]),
        ("Ssn-US", "ssn: 123-45-6789", vec!["123-45-6789"]),
        ("Ssn-US", "Social Security 123456789", vec!["123456789"]),
        ("Ssn-US", "ssn 000-45-6789, 666-45-6789, 900-45-6789, 123-00-6789, 123-45-0000", vec![]),
        ("Ssn-US", "serial 123-45-6789", vec![]),
        ("PhoneNumber-US", "call +1 (202) 555-0143 now", vec!["+1 (202) 555-0143"]),
        ("PhoneNumber-US", "1-202-555-0143", vec!["1-202-555-0143"]),
        ("PhoneNumber-US", "phone (202) 555-0143", vec!["(202) 555-0143"]),
        ("PhoneNumber-US", "order 202 555 0143", vec![]),
        ("PhoneNumber-US", "tel 102 555 0143", vec![]),
        ("PhoneNumber-GB", "+44 (0)20 7946 0958", vec!["+44 (0)20 7946 0958"]),
        ("PhoneNumber-GB", "mobile: 07700 900123", vec!["07700 900123"]),
        ("PhoneNumber-GB", "+49 30 901820", vec![]),
        ("PhoneNumber-DE", "0049 30 901820", vec!["0049 30 901820"]),
        ("PhoneNumber-FR", "tel 01 23 45 67 89", vec!["01 23 45 67 89"]),
        ("PhoneNumber-ES", "+34 612 345 678", vec!["+34 612 345 678"]),
        ("PhoneNumber-IT", "+39 06 6982", vec![]),
        ("PhoneNumber-IT", "+39 06 69824567", vec!["+39 06 69824567"]),
        ("PhoneNumber-BR", "celular 11 96123-4567", vec!["11 96123-4567"]),
        ("PhoneNumber", "+81 3-1234-5678, phone 2025550143", vec!["+81 3-1234-5678", "2025550143"]),
        ("PhoneNumber", "at 2026-11-30 16:29:32, 550e8400-e29b-41d4-a716-446655440000", vec![]),
        ("BankAccountNumber-DE", "IBAN DE89 3704 0044 0532 0130 00", vec!["DE89 3704 0044 0532 0130 00"]),
        ("BankAccountNumber-DE", "IBAN DE88370400440532013000", vec![]),
        ("BankAccountNumber-GB", "iban=GB82WEST12345698765432", vec!["GB82WEST12345698765432"]),
        ("BankAccountNumber-GB", "GB82WEST12345698765432", vec![]),
        ("CpfCode-BR", "CPF 529.982.247-25", vec!["529.982.247-25"]),
        ("CpfCode-BR", "CPF 529.982.247-24, 111.111.111-11", vec![]),
        ("Cnpj-BR", "CNPJ 11.222.333/0001-81", vec!["11.222.333/0001-81"]),
        ("SocialInsuranceNumber-CA", "SIN 130 692 544", vec!["130 692 544"]),
    ] {
        assert_eq!(found(text, name), wanted, "{name}: {text}");
    }
}

#[test]
fn keys_are_found_whole() {
    let pem = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
    let text = format!("a {pem} b -----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE----- c {pem}");
    assert_eq!(found(&text, "PkcsPrivateKey"), [pem, pem]);
    let cut = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl";
    assert_eq!(found(&format!("x {cut}"), "OpenSshPrivateKey"), [cut], "without an end it goes to the end");
    let pgp = "-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----";
    assert_eq!(found(&format!("{pgp}\n"), "PgpPrivateKey"), [pgp]);
    let putty = "PuTTY-User-Key-File-2: ssh-rsa\nPrivate-Lines: 1\nAAAA\nPrivate-MAC: 0123abcd";
    assert_eq!(found(&format!("{putty}\nrest"), "PuttyPrivateKey"), [putty]);
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    assert_eq!(found(&format!("aws_secret_access_key = {secret}"), "AwsSecretKey"), [secret]);
    assert!(found(&format!("commit {secret}"), "AwsSecretKey").is_empty());
}

#[test]
fn what_is_found_is_masked_taken_out_or_denied() {
    assert_eq!(changed("ssn: 123-45-6789", MASK, &["Ssn-US"]), "ssn: ###########");
    assert_eq!(changed("ssn: 123-45-6789 end", REDACT, &["Ssn-US"]), "ssn:  end");
    assert_eq!(changed("é jürgen@b.example é", MASK, &["EmailAddress"]), "é ################ é");
    // What two kinds share is masked once and whole.
    let both = changed("tel +44 20 7946 0958", MASK, &["PhoneNumber", "PhoneNumber-GB"]);
    assert_eq!(both, "tel ################");
    let judged = |text: &str, operation: &str| {
        let statements = statements(operation, &["EmailAddress"]);
        judge(text, &scan(text, &super::verdict::wanted(&statements)), &statements)
    };
    assert!(judged("to a@b.example", r#"{"Deny":{}}"#).denied);
    assert!(!judged("to nobody", r#"{"Deny":{}}"#).denied);
    for operation in [MASK, REDACT] {
        assert!(judged(" a@b.example ", operation).denied, "the entire message is sensitive");
        assert!(!judged("to a@b.example", operation).denied);
    }
}

/// A card's number of an issuer, with its last digit made right.
fn card_number() -> impl Strategy<Value = String> {
    let beginnings = prop_oneof![Just("4"), Just("51"), Just("2221"), Just("6011"), Just("3528"), Just("62")];
    (beginnings, "[0-9]{15}").prop_map(|(begin, rest)| {
        let digits: String = format!("{begin}{rest}").chars().take(15).collect();
        let last = (0..10).find(|last| {
            let all: Vec<u8> = format!("{digits}{last}").bytes().map(|o| o - b'0').collect();
            luhn(&all)
        });
        format!("{digits}{}", last.expect("one of ten is right"))
    })
}

pub(super) fn kinds() -> BTreeSet<Identifier> {
    Identifier::all().collect()
}

proptest! {
    #[test]
    fn every_card_is_found_in_every_spelling(number in card_number(), mark in "[ -]?", word in "card|Visa|credit_card") {
        let digits: Vec<u8> = number.bytes().map(|o| o - b'0').collect();
        prop_assume!(card::is_card(&digits));
        let parts: Vec<&str> = (0..4).map(|n| &number[n * 4..n * 4 + 4]).collect();
        let written = parts.join(&mark);
        let text = format!("{word}: {written}, thanks");
        prop_assert_eq!(found(&text, "CreditCardNumber"), [written.as_str()]);
        // One digit off, and it is none.
        let off = format!("{}{}", &number[..15], (digits[15] + 1) % 10);
        let text = format!("{word}: {off}");
        prop_assert!(found(&text, "CreditCardNumber").is_empty());
    }

    #[test]
    fn every_address_is_found(a in any::<[u8; 4]>(), b in any::<[u16; 8]>(), local in "[a-z][a-z0-9._+-]{0,20}[a-z0-9]", label in "[a-z]{1,10}") {
        let (four, six) = (std::net::Ipv4Addr::from(a).to_string(), std::net::Ipv6Addr::from(b).to_string());
        let mail = format!("{local}@{label}.example");
        let text = format!("from {four} by [{six}] to <{mail}>.");
        prop_assert_eq!(found(&text, "IpAddress"), [four.as_str(), six.as_str()]);
        prop_assert_eq!(found(&text, "EmailAddress"), [mail.as_str()]);
    }

    /// Whatever the text is: places are within it and in order, and nothing that was found is left.
    #[test]
    fn any_text_is_scanned_and_cleaned(text in text_of_bits()) {
        for (identifier, places) in scan(&text, &kinds()) {
            let mut at = 0;
            for FoundAt { start, end, .. } in places {
                prop_assert!(at <= start && start < end, "{identifier:?}");
                prop_assert!(text.get(start..end).is_some(), "{identifier:?}");
                at = end;
            }
        }
        let names: Vec<&str> = kinds().into_iter().map(Identifier::name).collect();
        let masked = changed(&text, MASK, &names);
        prop_assert_eq!(masked.chars().count(), text.chars().count());
        let characters: Vec<char> = masked.chars().collect();
        for FoundAt { start, end, .. } in scan(&text, &kinds()).into_values().flatten() {
            let (from, count) = (text[..start].chars().count(), text[start..end].chars().count());
            prop_assert!(characters[from..from + count].iter().all(|c| *c == '#'), "{}", masked);
        }
    }
}

pub(super) fn text_of_bits() -> impl Strategy<Value = String> {
    let bit = prop_oneof![
        "[0-9]{1,16}",
        "[ .:@/()+_-]",
        "[a-fA-F]{1,3}",
        r"\\[\\nu/]0?",
        Just("card ".to_owned()),
        Just("ssn phone iban cpf cnpj sin secret key ".to_owned()),
        Just("4539894458086459".to_owned()),
        Just("a@b.example".to_owned()),
        Just("10.0.0.1".to_owned()),
        Just("::1".to_owned()),
        Just("DE89370400440532013000".to_owned()),
        Just("-----BEGIN PRIVATE KEY-----".to_owned()),
        Just("é\u{1f600}".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(bit, 0..40).prop_map(|bits| bits.concat())
}
