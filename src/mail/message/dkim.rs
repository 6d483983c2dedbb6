//! DKIM signatures (RFC 6376): rsa-sha256, relaxed/relaxed, over the headers that SES signs.
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::mail::identity::SigningKey;

/// The header fields that are signed where the message has them (RFC 6376, 5.4.1). `From` always is.
const SIGNED: [&str; 18] = [
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-Language",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
];

/// The message cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign with dkim: {0}")]
pub struct DkimError(#[from] mail_auth::Error);

/// The `DKIM-Signature` field for `message`, with CRLF at its end, to stand before the message. `message` has CRLF line
/// ends only. The time in it is the machine's.
pub fn signature(key: &SigningKey, message: &[u8]) -> Result<String, DkimError> {
    let rsa =
        RsaKey::<Sha256>::from_key_der(PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.private_key.as_slice())))?;
    let present = SIGNED.into_iter().filter(|name| *name == "From" || has_field(message, name));
    let signer = DkimSigner::from_key(rsa).domain(&key.domain).selector(&key.selector).headers(present);
    Ok(signer.sign(without_blank_end(message))?.to_header())
}

/// The message up to the last octet of its body that is not white space. To relaxed canonicalization (RFC 6376, 3.4.4) it is
/// the same message; mail-auth 0.10 keeps lines of spaces at the end of a body, which others rightly drop.
pub fn without_blank_end(message: &[u8]) -> &[u8] {
    let body = message.windows(4).position(|end| end == b"\r\n\r\n").map_or(message.len(), |at| at + 4);
    let kept = message.iter().rposition(|b| !b" \t\r\n".contains(b)).map_or(0, |at| at + 1);
    message.get(..kept.max(body)).unwrap_or(message)
}

/// Whether a header section has a field of this name.
fn has_field(message: &[u8], name: &str) -> bool {
    header_lines(message).any(|line| {
        line.split_at_checked(name.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(name.as_bytes()) && rest.trim_ascii_start().starts_with(b":")
        })
    })
}

fn header_lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .split(|b| *b == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
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
    use rsa::RsaPrivateKey;
    use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};
    use sha2::Digest;

    use super::*;
    use crate::mail::sending::resolver::Dns;

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

    fn key() -> (SigningKey, OneKey) {
        let private = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("a key");
        let public = private.to_public_key().to_public_key_der().expect("DER");
        let record = format!("v=DKIM1; k=rsa; p={}", STANDARD.encode(public.as_bytes()));
        let private_key = private.to_pkcs8_der().expect("DER").as_bytes().to_vec();
        let public = DomainKey::parse(record.as_bytes()).expect("a record");
        (SigningKey { domain: "example.com".into(), selector: "sel".into(), private_key }, OneKey(Arc::new(public)))
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
        let (key, public) = key();
        for body in [
            "Hello\r\n",
            "",
            "\r\n\r\n",
            " odd \t spaces \r\n\r\n\r\n",
            "no line end",
            ".\r\n..\r\n",
            "d\u{e9}j\u{e0}\r\n",
        ] {
            let message = format!(
                "Received: by one\r\nFrom: Ann\r\n <ann@example.com>\r\nTO :  b@x.example\r\nSubject:  two  words\r\n\r\n{body}"
            );
            let field = signature(&key, message.as_bytes()).expect("signs");
            assert!(field.starts_with("DKIM-Signature: v=1; a=rsa-sha256; s=sel; d=example.com; c=relaxed/relaxed;"));
            assert!(field.ends_with(";\r\n") && field.lines().all(|line| line.len() < 100), "{field}");
            let signed = format!("{field}{message}");
            assert!(verifies(signed.as_bytes(), &public).await, "{body:?}");
            for (from, to, still) in [
                ("by one", "by another", true),
                ("two  words", "two words", true),
                ("two  words", "other words", false),
                ("ann@example.com", "eve@example.com", false),
            ] {
                assert_eq!(verifies(signed.replace(from, to).as_bytes(), &public).await, still, "{from} to {to}");
            }
            assert!(!verifies(format!("{signed}more\r\n").as_bytes(), &public).await);
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
        let (key, _) = key();
        let runner_config = proptest::test_runner::Config { cases: 200, ..Default::default() };
        let parts = proptest::sample::select(vec!["a", " ", "\t", "\r\n", " \r\n", "\r\n\r\n", ".", "word"]);
        let bodies = proptest::collection::vec(parts, 0..20).prop_map(|parts| parts.concat() + "\r\n");
        let mut runner = proptest::test_runner::TestRunner::new(runner_config);
        let check = |body: String| {
            let field = signature(&key, format!("From: a@example.com\r\n\r\n{body}").as_bytes()).expect("signs");
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
    fn only_fields_of_the_header_section_count() {
        let message = b"FROM: a@b.c\r\nSubject : x\r\nX-Cc: y\r\n\r\nTo: not a field\r\n";
        let found: Vec<&str> = SIGNED.into_iter().filter(|name| has_field(message, name)).collect();
        assert_eq!(found, ["From", "Subject"]);
    }

    #[test]
    fn a_broken_key_is_an_error() {
        let key = SigningKey { domain: "a.example".into(), selector: "s".into(), private_key: b"nonsense".to_vec() };
        assert!(signature(&key, b"From: a@a.example\r\n\r\n").is_err());
    }
}
