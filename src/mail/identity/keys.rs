//! DKIM key pairs: made here (RSA, Ed25519), or read from what the owner gives (BYODKIM). And the rows they are kept in.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rsa::traits::PublicKeyParts;

use crate::base::{Timestamp, ids};
use crate::mail::identity::Error;
use crate::store::dkim_keys::{DkimKey, KeyAlgorithm, KeyState};

/// SES's tokens have 32 letters.
const TOKEN_LENGTH: usize = 32;
/// How many selectors a domain has.
pub(super) const SELECTORS: i64 = 3;
/// The place of the Ed25519 key, behind those of the others.
const ED25519_PLACE: i64 = 8;
/// What a key given by the owner may have, in bits (SES guide, BYODKIM).
const BITS: std::ops::RangeInclusive<usize> = 1024..=2048;

/// A key pair.
#[derive(Clone)]
pub struct Pair {
    algorithm: KeyAlgorithm,
    bits: i64,
    private_key: Vec<u8>,
    public_key: String,
}

impl Pair {
    /// A new RSA pair. Takes some hundred milliseconds of a thread of its own.
    ///
    /// # Errors
    /// [`Error::Key`].
    pub async fn rsa(bits: i64) -> Result<Self, Error> {
        let length = usize::try_from(bits).unwrap_or(2048);
        let made = tokio::task::spawn_blocking(move || {
            let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, length).map_err(|e| e.to_string())?;
            Self::of(&key)
        });
        made.await.map_err(|e| Error::Key(e.to_string()))?.map_err(Error::Key)
    }

    /// A new Ed25519 pair (RFC 8463).
    ///
    /// # Errors
    /// [`Error::Key`].
    pub fn ed25519() -> Result<Self, Error> {
        let failed = |_| Error::Key("the system gives no random numbers".to_owned());
        let der = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).map_err(failed)?;
        let pair = Ed25519KeyPair::from_pkcs8(der.as_ref()).map_err(|e| Error::Key(e.to_string()))?;
        Ok(Self {
            algorithm: KeyAlgorithm::Ed25519,
            bits: 256,
            private_key: der.as_ref().to_vec(),
            public_key: STANDARD.encode(pair.public_key().as_ref()),
        })
    }

    /// The pair of an RSA private key: PKCS #1 or PKCS #8, in DER, in base64, without the lines of PEM around it.
    ///
    /// # Errors
    /// [`Error::GivenKey`].
    pub fn given(text: &str) -> Result<Self, Error> {
        let bytes: String = text.split_ascii_whitespace().collect();
        let der = STANDARD.decode(bytes).map_err(|_| Error::GivenKey("it is not base64"))?;
        let key = RsaPrivateKey::from_pkcs8_der(&der).or_else(|_| RsaPrivateKey::from_pkcs1_der(&der));
        let key = key.map_err(|_| Error::GivenKey("it is not an RSA private key"))?;
        if !BITS.contains(&key.n().bits()) {
            return Err(Error::GivenKey("it has not 1024 to 2048 bits"));
        }
        key.validate().map_err(|_| Error::GivenKey("its parts do not belong together"))?;
        Self::of(&key).map_err(Error::Key)
    }

    fn of(key: &RsaPrivateKey) -> Result<Self, String> {
        let private = key.to_pkcs8_der().map_err(|e| e.to_string())?;
        let public = key.to_public_key().to_public_key_der().map_err(|e| e.to_string())?;
        Ok(Self {
            algorithm: KeyAlgorithm::Rsa,
            bits: i64::try_from(key.n().bits()).unwrap_or(i64::MAX),
            private_key: private.as_bytes().to_vec(),
            public_key: STANDARD.encode(public.as_bytes()),
        })
    }

    /// The length of the key.
    pub(super) fn bits(&self) -> i64 {
        self.bits
    }

    /// The pair at a selector.
    pub(super) fn at(&self, selector: String, n: i64, state: KeyState, now: Timestamp) -> DkimKey {
        DkimKey {
            selector,
            n,
            state,
            algorithm: self.algorithm,
            bits: self.bits,
            private_key: self.private_key.clone(),
            public_key: self.public_key.clone(),
            created_at: now,
        }
    }

    /// The keys of a new domain: three selectors that share the pair. The first signs; the others wait for later keys.
    pub fn easy(&self, now: Timestamp) -> Vec<DkimKey> {
        let state = |n| if n == 0 { KeyState::Current } else { KeyState::Spare };
        (0..SELECTORS).map(|n| self.at(ids::dns_token(TOKEN_LENGTH), n, state(n), now)).collect()
    }

    /// The key beside the RSA keys.
    pub(super) fn beside(&self, state: KeyState, now: Timestamp) -> DkimKey {
        self.at(ids::dns_token(TOKEN_LENGTH), ED25519_PLACE, state, now)
    }
}

/// The TXT record's value for a key (RFC 6376, 3.6.1; RFC 8463, 4).
pub fn record_value(key: &DkimKey) -> String {
    format!("v=DKIM1; k={}; p={}", key.algorithm, key.public_key)
}

/// Whether a TXT record publishes this public key: its `p=` is equal, white space aside.
pub fn publishes(record: &str, public_key: &str) -> bool {
    let value = record.split(';').find_map(|tag| {
        let (name, value) = tag.split_once('=')?;
        (name.trim() == "p").then(|| value.chars().filter(|c| !c.is_whitespace()).collect::<String>())
    });
    value.as_deref() == Some(public_key)
}

#[cfg(test)]
mod tests {
    use rsa::pkcs1::EncodeRsaPrivateKey;

    use super::*;

    #[test]
    fn a_record_publishes_a_key_whatever_its_spaces_and_order() {
        assert!(publishes("v=DKIM1; k=rsa; p=AAAABBBB", "AAAABBBB"));
        assert!(publishes("p=AAAA BBBB ;k=rsa", "AAAABBBB"));
        for other in ["v=DKIM1; p=", "v=DKIM1; p=AAAA", "AAAABBBB", "v=DKIM1; xp=AAAABBBB", ""] {
            assert!(!publishes(other, "AAAABBBB"), "{other:?}");
        }
    }

    #[tokio::test]
    async fn new_keys_share_a_pair_and_differ_in_their_selectors() {
        let keys = Pair::rsa(1024).await.expect("a pair").easy(Timestamp::from_secs(0));
        assert_eq!(keys.iter().map(|k| k.state.as_str()).collect::<Vec<_>>(), ["CURRENT", "SPARE", "SPARE"]);
        assert!(keys.iter().all(|k| k.public_key == keys[0].public_key && k.selector.len() == 32 && k.bits == 1024));
        assert!(keys[0].selector != keys[1].selector && keys[1].selector != keys[2].selector);
        assert!(publishes(&record_value(&keys[0]), &keys[0].public_key));
    }

    #[test]
    fn keys_of_the_owner_are_read_in_both_forms_and_checked() {
        let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 1024).expect("a key");
        let (old, new) = (key.to_pkcs1_der().expect("DER"), key.to_pkcs8_der().expect("DER"));
        let read = |der: &[u8]| Pair::given(&STANDARD.encode(der)).expect("a key");
        assert_eq!(read(old.as_bytes()).public_key, read(new.as_bytes()).public_key);
        let short = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 512).expect("a key").to_pkcs8_der().expect("DER");
        for bad in ["", "no base64!", "AAAA", &STANDARD.encode(short.as_bytes())] {
            assert!(matches!(Pair::given(bad), Err(Error::GivenKey(_))), "{bad}");
        }
    }
}
