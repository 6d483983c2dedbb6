//! Signing keys: derived from a secret for a day, region and service, and remembered.
use hmac::digest::InvalidLength;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::aws::sigv4::authorization::TERMINATOR;
use crate::base::{Kept, Secret};

/// How many keys are remembered: one per caller, region and service, new every day.
const REMEMBERED_MAX: usize = 4_096;

pub(super) type SigningKey = [u8; 32];

fn hmac(key: &[u8], text: &str) -> Result<SigningKey, InvalidLength> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text.as_bytes());
    Ok(mac.finalize().into_bytes().into())
}

/// The key that signs for one day, region and service.
fn derive(secret: &Secret, date: &str, region: &str, service: &str) -> Result<SigningKey, InvalidLength> {
    let day = hmac(format!("AWS4{}", secret.reveal()).as_bytes(), date)?;
    hmac(&hmac(&hmac(&day, region)?, service)?, TERMINATOR)
}

/// Whether `signature` (hex) is the key's for `text`, in a time that does not tell how much of it is right.
pub(super) fn is_signed(key: &SigningKey, text: &str, signature: &str) -> Result<bool, InvalidLength> {
    let Some(signature) = unhex(signature) else { return Ok(false) };
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(text.as_bytes());
    Ok(mac.verify_slice(&signature).is_ok())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some((digit(*pair.first()?)? << 4) | digit(*pair.get(1)?)?)).collect()
}

/// Derived keys by day, region, service and the secret that they come from: a changed secret makes a new key.
pub(super) struct SigningKeys {
    remembered: Kept<String, SigningKey>,
}

impl Default for SigningKeys {
    fn default() -> Self {
        Self { remembered: Kept::new(REMEMBERED_MAX) }
    }
}

impl SigningKeys {
    /// The key, derived or remembered.
    pub(super) fn get(
        &self,
        secret: &Secret,
        date: &str,
        region: &str,
        service: &str,
    ) -> Result<SigningKey, InvalidLength> {
        // In a scope that was read from a request no part holds a slash, and the secret comes last.
        let origin = [date, region, service, secret.reveal()].join("/");
        self.remembered.get_or_make(origin.as_str(), || derive(secret, date, region, service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    #[test]
    fn the_key_of_awss_documentation_is_derived() {
        let secret = Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        let keys = SigningKeys::default();
        for _ in 0..2 {
            let key = keys.get(&secret, "20150830", "us-east-1", "iam").expect("a key");
            assert_eq!(hex(&key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
        }
        let text = "AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
                    f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59";
        let key = keys.get(&secret, "20150830", "us-east-1", "iam").expect("a key");
        let right = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7";
        assert!(is_signed(&key, text, right).expect("a check"));
        for wrong in ["", "5d", "x", &right[1..], &right.replace('5', "6")] {
            assert!(!is_signed(&key, text, wrong).expect("a check"), "{wrong}");
        }
    }
}
