//! Signatures, judged by mail-auth's verifier. `tests/suite/dkim.rs` has them judged by dkimpy too.
use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};
use proptest::strategy::Strategy;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};
use sha2::Digest;

use crate::base::Timestamp;
use crate::mail::message::canonical::Form;
use crate::mail::message::dkim::{Algorithm, Canonicalization, Signable, Signer, SigningKey};
use crate::mail::resolver::Dns;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RELAXED: Canonicalization = Canonicalization { header: Form::Relaxed, body: Form::Relaxed };
const SIMPLE: Canonicalization = Canonicalization { header: Form::Simple, body: Form::Simple };

/// Answers every question with the one public key.
struct OneKey(Arc<DomainKey>);

impl ResolverCache<Box<str>, Txt> for OneKey {
    fn get<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(Txt::DomainKey(self.0.clone()))
    }
    fn remove<Q>(&self, _name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }
    fn insert(&self, _name: Box<str>, _value: Txt, _valid_until: Instant) {}
}

fn key(algorithm: Algorithm, private_key: Vec<u8>, record: &str) -> (Signer, OneKey) {
    let public = DomainKey::parse(record.as_bytes()).expect("a record");
    let key = SigningKey { domain: "example.com".into(), selector: "sel".into(), algorithm, private_key };
    (Signer::new(&key).expect("a key"), OneKey(Arc::new(public)))
}

fn rsa(bits: usize) -> (Signer, OneKey) {
    let private = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).expect("a key");
    let public = private.to_public_key().to_public_key_der().expect("DER");
    let record = format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public.as_bytes()));
    key(Algorithm::Rsa, private.to_pkcs8_der().expect("DER").as_bytes().to_vec(), &record)
}

fn ed25519() -> (Signer, OneKey) {
    let der = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).expect("a key").as_ref().to_vec();
    let pair = Ed25519KeyPair::from_pkcs8(&der).expect("a key");
    let record = format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(pair.public_key().as_ref()));
    key(Algorithm::Ed25519, der, &record)
}

async fn verifies(message: &[u8], key: &OneKey) -> bool {
    let nowhere = Dns::new(&["127.0.0.1:9".parse().expect("an address")]).expect("a resolver");
    let verifier = MessageAuthenticator(nowhere.resolver().clone());
    let parsed = AuthenticatedMessage::parse(message).expect("parses");
    let results = verifier.verify_dkim(Parameters::new(&parsed).with_txt_cache(key)).await;
    results.iter().any(|result| result.result() == &DkimResult::Pass)
}

#[tokio::test]
async fn a_signature_verifies_until_a_signed_part_changes() {
    // Of 1024 bits mail-auth takes none; dkimpy judges those.
    for (key, public) in [rsa(1024), rsa(2048), ed25519()] {
        for body in ["Hello\r\n", "", " odd \t spaces \r\n\r\n\r\n", "no line end", ".\r\n..\r\n", "d\u{e9}j\u{e0}\r\n"]
        {
            let message = format!(
                "Received: by one\r\nFrom: Ann\r\n <ann@example.com>\r\nTO:  b@x.example\r\nSubject:  two  words\r\n\r\n{body}"
            );
            let field = Signable::of(b"", message.as_bytes(), RELAXED).sign(&key, NOW).expect("signs");
            assert!(field.ends_with("\r\n") && field.lines().all(|line| line.len() < 100), "{field}");
            let signed = format!("{field}{message}");
            assert!(verifies(signed.as_bytes(), &public).await, "{body:?}");
            for (from, to, still) in [
                ("by one", "by another", true),
                ("two  words", "two words", true),
                ("two  words", "other words", false),
                ("ann@example.com", "eve@example.com", false),
                ("Received: by one", "From: Eve <eve@example.com>", false),
                ("Received: by one", "Subject: another", false),
                ("Received: by one", "Cc: nobody had one", false),
            ] {
                assert_eq!(verifies(signed.replace(from, to).as_bytes(), &public).await, still, "{from} to {to}");
            }
            assert!(!verifies(format!("{signed}more\r\n").as_bytes(), &public).await);
        }
    }
}

#[tokio::test]
async fn the_simple_form_lets_nothing_change() {
    for (key, public) in [rsa(1024), rsa(2048), ed25519()] {
        for body in ["Hello\r\n", "\r\n", "a  b\t \r\n\r\n"] {
            let message = format!("Received: by one\r\nFrom: ann@example.com\r\nSubject:  two  words\r\n\r\n{body}");
            let field = Signable::of(b"", message.as_bytes(), SIMPLE).sign(&key, NOW).expect("signs");
            let signed = format!("{field}{message}");
            assert!(verifies(signed.as_bytes(), &public).await, "{body:?}: {signed}");
            assert!(verifies(signed.replace("by one", "by two").as_bytes(), &public).await);
            for (from, to) in [("two  words", "two words"), ("From:", "from:"), ("Subject:  ", "Subject: ")] {
                assert!(!verifies(signed.replace(from, to).as_bytes(), &public).await, "{from} to {to}");
            }
        }
    }
}

/// The body hash, by the letter of RFC 6376, 3.4.4.
fn body_hash(body: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in body.strip_suffix("\r\n").unwrap_or(body).split("\r\n") {
        let mut reduced = String::new();
        for c in line.trim_end_matches([' ', '\t']).chars() {
            let c = if c == '\t' { ' ' } else { c };
            if c != ' ' || !reduced.ends_with(' ') {
                reduced.push(c);
            }
        }
        lines.push(reduced);
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    let canonical: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    STANDARD.encode(sha2::Sha256::digest(canonical.as_bytes()))
}

#[test]
fn the_body_hash_is_that_of_the_rfc_whatever_the_white_space() {
    let (key, _) = ed25519();
    let runner_config = proptest::test_runner::Config { cases: 200, ..Default::default() };
    let parts = proptest::sample::select(vec!["a", " ", "\t", "\r\n", " \r\n", "\r\n\r\n", ".", "word"]);
    let bodies = proptest::collection::vec(parts, 0..20).prop_map(|parts| parts.concat() + "\r\n");
    let mut runner = proptest::test_runner::TestRunner::new(runner_config);
    let check = |body: String| {
        let message = format!("From: a@example.com\r\n\r\n{body}");
        let field = Signable::of(b"", message.as_bytes(), RELAXED).sign(&key, NOW).expect("signs");
        let compact: String = field.chars().filter(|c| !c.is_whitespace()).collect();
        let signed = compact.split(";bh=").nth(1).and_then(|rest| rest.split(';').next()).expect("a hash");
        assert_eq!(signed, body_hash(&body), "{body:?}");
        Ok(())
    };
    runner.run(&bodies, check).expect("every body");
    for body in ["", "\r\n", "   \r\n", "a\r\n\r\n\t\r\n", "a \r\n \r\nb\r\n"] {
        check(body.to_owned()).expect("this body");
    }
}

#[test]
fn the_usual_fields_are_signed_once_more_than_they_occur() {
    let (key, _) = ed25519();
    let message = b"From: a@example.com\r\nList-Unsubscribe: <x>\r\nDate: today\r\n\r\n";
    let field = Signable::of(b"", message, RELAXED).sign(&key, NOW).expect("signs").replace("\r\n ", "");
    assert!(field.contains("h=From:From:Reply-To:To:Cc:Subject:Date:Date:List-Unsubscribe;"), "{field}");
    assert!(field.contains("t=1800000000;") && field.starts_with("DKIM-Signature: v=1; a=ed25519-sha256; s=sel;"));
}

#[tokio::test]
async fn fields_that_are_put_on_are_signed_whatever_their_name() {
    for (key, public) in [rsa(2048), ed25519()] {
        let own = "X-Own: one\r\nList-Unsubscribe: <https://a.example/1>\r\nx-OWN: two\r\n\
                   List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
        // A field of the same name in the message: verifiers look for that one first.
        let message = "X-Other: free\r\nFrom: ann@example.com\r\nX-own: sender's\r\nSubject: s\r\n\r\nbody\r\n";
        let field = Signable::of(own.as_bytes(), message.as_bytes(), RELAXED).sign(&key, NOW).expect("signs");
        let signed = format!("{field}{own}{message}");
        assert!(verifies(signed.as_bytes(), &public).await, "{signed}");
        assert!(verifies(signed.replace("free", "other").as_bytes(), &public).await);
        for (from, to) in
            [("one\r", "1\r"), ("two", "2"), ("sender's", "ours"), ("a.example/1", "b.example"), ("One-Click", "None")]
        {
            assert!(!verifies(signed.replace(from, to).as_bytes(), &public).await, "{from} to {to}");
        }
    }
}

#[test]
fn a_broken_key_is_an_error() {
    for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
        let (domain, selector) = ("a.example".to_owned(), "s".to_owned());
        let key = SigningKey { domain, selector, algorithm, private_key: b"nonsense".to_vec() };
        assert!(Signer::new(&key).is_err());
    }
}
