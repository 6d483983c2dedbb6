//! Encryption of objects before they leave this server, in the form of the Amazon S3 Encryption Client: AES-256-GCM under a
//! data key of the object's own, which goes along in the object's metadata, wrapped by a KMS key ("kms" envelope, as SES
//! writes it; KMS developer guide, "How Amazon SES uses AWS KMS").
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;

use crate::outlets::object::Metadata;
use crate::store::vault::{Managed, Vault, VaultError};

const KEY: &str = "x-amz-key-v2";
const IV: &str = "x-amz-iv";
const CONTEXT: &str = "x-amz-matdesc";
const WRAPPED_BY: &str = "x-amz-wrap-alg";
const CIPHER: &str = "x-amz-cek-alg";
const TAG_BITS: &str = "x-amz-tag-len";
const LENGTH: &str = "x-amz-unencrypted-content-length";

const KMS: &str = "kms";
const GCM: &str = "AES/GCM/NoPadding";

/// Why an object was not decrypted.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// The metadata lacks something, or says something that this server does not write.
    #[error("the object's metadata: {0}")]
    Metadata(String),
    /// The key cannot be unwrapped.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The octets are not what was encrypted with this key.
    #[error("the object does not belong to this metadata, or was changed")]
    Changed,
}

/// Encrypts an object under a KMS key. `context` is bound to the key and stands in the metadata for all to read.
///
/// # Errors
/// [`VaultError`], when the KMS key cannot be used.
pub fn seal(
    vault: &Vault,
    kms: &str,
    context: &[(&str, &str)],
    plain: &[u8],
) -> Result<(Vec<u8>, Metadata), VaultError> {
    // The client of AWS adds the key's name, and gives all of it to KMS as the encryption context.
    let context: BTreeMap<&str, &str> = context.iter().copied().chain([("kms_cmk_id", kms)]).collect();
    let context = serde_json::to_string(&context).map_err(|_| VaultError::Cipher)?;
    let key = vault.make_data_key(kms, Managed::Ses, context.as_bytes())?;
    let mut iv = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut iv).map_err(|_| VaultError::Cipher)?;
    let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    body.extend_from_slice(plain);
    cipher(&key.plain)
        .ok_or(VaultError::Cipher)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut body)
        .map_err(|_| VaultError::Cipher)?;
    let metadata = vec![
        (KEY, STANDARD.encode(key.wrapped)),
        (IV, STANDARD.encode(iv)),
        (CONTEXT, context),
        (WRAPPED_BY, KMS.to_owned()),
        (CIPHER, GCM.to_owned()),
        (TAG_BITS, (AES_256_GCM.tag_len() * 8).to_string()),
        (LENGTH, plain.len().to_string()),
    ];
    Ok((body, metadata))
}

/// Decrypts an object that [`seal`] encrypted. `metadata` is JSON: the fields themselves, as an instruction file has them,
/// or under `Metadata` or `metadata`, as the providers' command lines print an object's; the names may begin with
/// `x-amz-meta-`, and have underscores for hyphens (Azure).
///
/// # Errors
/// [`EnvelopeError`].
pub fn open(vault: &Vault, metadata: &str, mut body: Vec<u8>) -> Result<Vec<u8>, EnvelopeError> {
    let wrong = |what: String| EnvelopeError::Metadata(what);
    let fields = fields(metadata).ok_or_else(|| wrong("not a JSON object with text values".to_owned()))?;
    let get = |name: &str| fields.get(name).map(String::as_str).ok_or_else(|| wrong(format!("it has no {name}")));
    for (name, written) in [(WRAPPED_BY, KMS), (CIPHER, GCM), (TAG_BITS, "128")] {
        let found = get(name)?;
        if found != written {
            return Err(wrong(format!("{name} is {found}, and this server writes {written}")));
        }
    }
    let octets = |name: &str| STANDARD.decode(get(name)?).map_err(|_| wrong(format!("{name} is not base64")));
    let iv = <[u8; NONCE_LEN]>::try_from(octets(IV)?).map_err(|_| wrong(format!("{IV} has not 12 octets")))?;
    let key = vault.open_data_key(&octets(KEY)?, get(CONTEXT)?.as_bytes())?;
    let plain = cipher(&key)
        .ok_or(EnvelopeError::Changed)?
        .open_in_place(Nonce::assume_unique_for_key(iv), Aad::empty(), &mut body)
        .map_err(|_| EnvelopeError::Changed)?
        .len();
    body.truncate(plain);
    Ok(body)
}

fn cipher(key: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new)
}

/// The fields by their plain names.
fn fields(metadata: &str) -> Option<BTreeMap<String, String>> {
    let whole: Value = serde_json::from_str(metadata).ok()?;
    let fields = whole.get("Metadata").or_else(|| whole.get("metadata")).unwrap_or(&whole).as_object()?;
    let plain = |name: &str| {
        let name = name.to_ascii_lowercase().replace('_', "-");
        name.strip_prefix("x-amz-meta-").map_or_else(|| name.clone(), str::to_owned)
    };
    let text = |(name, value): (&String, &Value)| Some((plain(name), value.as_str()?.to_owned()));
    Some(fields.iter().filter_map(text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outlets::objects::instruction;

    const KMS_KEY: &str = "arn:aws:kms:us-east-1:000000000000:alias/aws/ses";

    fn vault() -> Vault {
        Vault::new("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse().expect("a key"), &[])
    }

    #[test]
    fn what_is_sealed_opens_with_its_metadata_in_any_of_its_forms() {
        let vault = vault();
        for plain in [b"".as_slice(), b"Subject: hello\r\n\r\nhi\r\n", &[7; 100_000]] {
            let (body, metadata) = seal(&vault, KMS_KEY, &[("aws:ses:message-id", "m1")], plain).expect("sealed");
            assert_eq!(body.len(), plain.len() + 16);
            let instruction = instruction(&metadata);
            let of_s3 = format!("{{\"ContentLength\": 3, \"Metadata\": {instruction}}}");
            let of_azure = instruction.replace("x-amz-", "x_amz_");
            let prefixed = instruction.replace("\"x-amz-", "\"x-amz-meta-x-amz-");
            for form in [instruction, of_s3, of_azure, prefixed] {
                assert_eq!(open(&vault, &form, body.clone()).expect(&form), plain, "{form}");
            }
        }
    }

    #[test]
    fn nothing_that_was_changed_opens() {
        let vault = vault();
        let (body, metadata) = seal(&vault, KMS_KEY, &[("aws:ses:message-id", "m1")], b"a mail").expect("sealed");
        let fine = instruction(&metadata);
        for at in 0..body.len() {
            let mut changed = body.clone();
            changed[at] ^= 1;
            assert!(matches!(open(&vault, &fine, changed), Err(EnvelopeError::Changed)), "octet {at}");
        }
        for (from, to) in [
            ("m1", "m2"),
            ("\"128\"", "\"96\""),
            ("AES/GCM/NoPadding", "AES/CBC/PKCS5Padding"),
            ("\"kms\"", "\"kms+context\""),
            ("x-amz-iv", "x-amz-i"),
        ] {
            assert!(open(&vault, &fine.replace(from, to), body.clone()).is_err(), "{from}");
        }
        for odd in ["", "[]", "3", "{}", "{\"Metadata\": 3}"] {
            assert!(matches!(open(&vault, odd, body.clone()), Err(EnvelopeError::Metadata(_))), "{odd}");
        }
    }
}
