//! The RSA key that signs and the self-signed certificate that endpoints verify with.
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::signature::{RandomizedSigner, SignatureEncoding};
use sha1::Sha1;
use sha2::Sha256;
use time::OffsetDateTime;

use crate::base::{Secret, Timestamp};
use crate::topics::Error;
use crate::topics::signing::Version;

/// AWS's size for this key.
const BITS: usize = 2_048;
/// How long a certificate is valid: 10 years. A key is replaced by hand; what it signed must stay verifiable.
const VALID: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A key that signs, with its id and certificate. Debug shows the id only.
pub struct Key {
    id: String,
    certificate: String,
    home: Option<String>,
    sha1: SigningKey<Sha1>,
    sha256: SigningKey<Sha256>,
}

/// What the store keeps of a key.
pub struct Made {
    /// The private key, PKCS#8 in PEM.
    pub private_key: Secret,
    /// The certificate, X.509 in PEM.
    pub certificate: String,
}

impl Key {
    /// Makes a key and its certificate. Takes a second or so of CPU.
    pub fn make(now: Timestamp) -> Result<Made, Error> {
        let key = RsaPrivateKey::new(&mut OsRng, BITS).map_err(failed)?;
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(failed)?;
        let certificate = certificate(&pem, now).map_err(failed)?;
        Ok(Made { private_key: Secret::new(pem.as_str()), certificate })
    }

    /// Reads a key that [`Key::make`] made.
    pub fn read(id: &str, private_key: &Secret, certificate: &str) -> Result<Self, Error> {
        let key = RsaPrivateKey::from_pkcs8_pem(private_key.reveal()).map_err(failed)?;
        Ok(Self {
            id: id.to_owned(),
            certificate: certificate.to_owned(),
            home: None,
            sha1: SigningKey::new(key.clone()),
            sha256: SigningKey::new(key),
        })
    }

    /// The same key, whose certificate is found under `home` (`scheme://host`) whatever the caller named.
    #[must_use]
    pub fn at_home(self, home: Option<&str>) -> Self {
        Self { home: home.map(|url| url.trim_end_matches('/').to_owned()), ..self }
    }

    /// The id in the certificate's address.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The certificate in PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The certificate's address: at home where it has one, else under `base` (`scheme://host`).
    pub fn url(&self, base: &str) -> String {
        let base = self.home.as_deref().unwrap_or(base);
        format!("{base}/SimpleNotificationService-{}.pem", self.id)
    }

    /// Signs `text`; base64. Takes about 2 ms of CPU.
    pub fn sign(&self, version: Version, text: &str) -> Result<String, Error> {
        let text = text.as_bytes();
        let signature = match version {
            Version::Sha1 => self.sha1.try_sign_with_rng(&mut OsRng, text),
            Version::Sha256 => self.sha256.try_sign_with_rng(&mut OsRng, text),
        };
        Ok(STANDARD.encode(signature.map_err(failed)?.to_bytes()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

fn certificate(pem: &str, now: Timestamp) -> Result<String, rcgen::Error> {
    let key = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(pem, &rcgen::PKCS_RSA_SHA256)?;
    let mut wanted = rcgen::CertificateParams::new(vec!["sns.amazonaws.com".to_owned()])?;
    wanted.distinguished_name = rcgen::DistinguishedName::new();
    wanted.distinguished_name.push(rcgen::DnType::CommonName, "sns.amazonaws.com");
    wanted.distinguished_name.push(rcgen::DnType::OrganizationName, "Postrider");
    let date = |at: Timestamp| OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // A day before, for endpoints whose clock is behind.
    wanted.not_before = date(now - Duration::from_secs(86_400));
    wanted.not_after = date(now + VALID);
    Ok(wanted.self_signed(&key)?.pem())
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::Signing(why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rsa::pkcs1v15::{Signature, VerifyingKey};
    use rsa::signature::{Keypair, Verifier};

    #[test]
    fn a_made_key_is_read_again_and_its_signatures_verify() {
        let made = Key::make(Timestamp::from_secs(1_800_000_000)).expect("a key");
        let key = Key::read("abc", &made.private_key, &made.certificate).expect("the same key");
        assert_eq!(key.url("http://host"), "http://host/SimpleNotificationService-abc.pem");
        assert!(key.certificate().starts_with("-----BEGIN CERTIFICATE-----\n"));
        let verifies = |signature: String, good: &dyn Fn(&Signature) -> bool| {
            let bytes = STANDARD.decode(signature).expect("base64");
            good(&Signature::try_from(bytes.as_slice()).expect("a signature"))
        };
        let one: VerifyingKey<Sha1> = key.sha1.verifying_key();
        let two: VerifyingKey<Sha256> = key.sha256.verifying_key();
        let signed = |version| key.sign(version, "text").expect("signed");
        assert!(verifies(signed(Version::Sha1), &|s| one.verify(b"text", s).is_ok()));
        assert!(verifies(signed(Version::Sha256), &|s| two.verify(b"text", s).is_ok()));
        assert!(!verifies(signed(Version::Sha1), &|s| one.verify(b"other", s).is_ok()));
    }
}
