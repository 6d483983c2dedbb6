//! DKIM keys (RFC 6376; Easy DKIM of SES): an RSA pair per domain, three selectors.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey};

use crate::base::{AccountId, Region, Timestamp, ids};
use crate::mail::identity::{Error, IdentityName};
use crate::store::identities::{self, DkimKey};
use crate::store::{self, Tx};

/// SES's tokens have 32 letters.
const TOKEN_LENGTH: usize = 32;
/// How many selectors a domain has.
const SELECTORS: usize = 3;

/// What signs a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The `d=` of the signature.
    pub domain: String,
    /// The `s=`.
    pub selector: String,
    /// RSA, PKCS #8, DER.
    pub private_key: Vec<u8>,
}

/// Makes an RSA pair of `bits` with three new selectors. Takes some hundred milliseconds of a thread of its own.
pub async fn new_keys(bits: usize, now: Timestamp) -> Result<Vec<DkimKey>, Error> {
    let made = tokio::task::spawn_blocking(move || pair(bits)).await.map_err(|e| Error::Key(e.to_string()))?;
    let (private_key, public_key) = made.map_err(Error::Key)?;
    let key = |n: i64| DkimKey {
        selector: ids::dns_token(TOKEN_LENGTH),
        n,
        algorithm: "rsa".to_owned(),
        bits: i64::try_from(bits).unwrap_or(i64::MAX),
        private_key: private_key.clone(),
        public_key: public_key.clone(),
        created_at: now,
    };
    Ok((0_i64..).take(SELECTORS).map(key).collect())
}

fn pair(bits: usize) -> Result<(Vec<u8>, String), String> {
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, bits).map_err(|e| e.to_string())?;
    let private = key.to_pkcs8_der().map_err(|e| e.to_string())?;
    let public = key.to_public_key().to_public_key_der().map_err(|e| e.to_string())?;
    Ok((private.as_bytes().to_vec(), STANDARD.encode(public.as_bytes())))
}

/// The TXT record's value for a public key (RFC 6376, 3.6.1).
pub fn record_value(public_key: &str) -> String {
    format!("v=DKIM1; k=rsa; p={public_key}")
}

/// Whether a TXT record publishes this public key: its `p=` is equal, white space aside.
pub fn publishes(record: &str, public_key: &str) -> bool {
    let value = record.split(';').find_map(|tag| {
        let (name, value) = tag.split_once('=')?;
        (name.trim() == "p").then(|| value.chars().filter(|c| !c.is_whitespace()).collect::<String>())
    });
    value.as_deref() == Some(public_key)
}

/// The key that signs mail from `author` (an address in From): that of its verified domain, or else of the nearest
/// verified domain above. `None` when no domain identity covers it, or it has signing off.
pub async fn signing_key(
    tx: &mut Tx,
    account: &AccountId,
    region: &Region,
    author: &crate::base::EmailAddress,
) -> Result<Option<SigningKey>, store::Error> {
    for name in IdentityName::covering(author).into_iter().skip(1) {
        let Some(identity) = identities::find(tx, account, region, &name).await? else { continue };
        if identity.status != "SUCCESS" {
            continue;
        }
        if !identity.dkim_signing {
            return Ok(None);
        }
        let key = identities::keys(tx, account, region, &name).await?.into_iter().next();
        return Ok(key.map(|k| SigningKey { domain: name, selector: k.selector, private_key: k.private_key }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
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
        let keys = new_keys(1024, Timestamp::from_secs(0)).await.expect("keys");
        assert_eq!(keys.len(), 3);
        assert!(keys.iter().all(|k| k.public_key == keys[0].public_key && k.selector.len() == 32));
        assert!(keys[0].selector != keys[1].selector && keys[1].selector != keys[2].selector);
        assert!(publishes(&record_value(&keys[0].public_key), &keys[0].public_key));
    }
}
