//! Data keys for whoever encrypts by himself, as KMS's GenerateDataKey and Decrypt give them: for objects that are encrypted
//! before they leave this server.
//!
//! The wrapped key is `version 2 | master key id 8 | length 1, KMS key id | nonce 12 | wrapped data key 32, tag 16`. It is
//! wrapped with AES-256-GCM by the key that is derived for the KMS key, and bound to an encryption context.
use ring::aead::{Aad, NONCE_LEN, Nonce};
use ring::rand::{SecureRandom, SystemRandom};

use crate::store::vault::master::{self, ID_LEN, KEY_LEN};
use crate::store::vault::{Managed, Vault, VaultError};

const VERSION: u8 = 2;

/// A data key, as it is and wrapped.
pub struct DataKeyPair {
    /// For AES-256. Not to be kept.
    pub plain: [u8; KEY_LEN],
    /// For keeping beside what the key encrypts.
    pub wrapped: Vec<u8>,
}

impl Vault {
    /// Makes a data key under the KMS key that an id, an alias or an ARN names. It unwraps only with the same `context`.
    ///
    /// # Errors
    /// [`VaultError`], when the KMS key cannot be used or there is no master key.
    pub fn make_data_key(&self, kms: &str, managed: Managed, context: &[u8]) -> Result<DataKeyPair, VaultError> {
        let id = self.kms.usable(kms, managed)?;
        let master =
            self.masters.as_ref().ok_or_else(|| VaultError::MasterMissing("of this server".to_owned()))?.first();
        let length = u8::try_from(id.len()).map_err(|_| VaultError::Cipher)?;
        let random = SystemRandom::new();
        let (mut plain, mut nonce) = ([0; KEY_LEN], [0; NONCE_LEN]);
        random.fill(&mut plain).map_err(|_| VaultError::Cipher)?;
        random.fill(&mut nonce).map_err(|_| VaultError::Cipher)?;
        let mut sealed = plain.to_vec();
        master
            .wrapping_key(id)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound(context)), &mut sealed)
            .map_err(|_| VaultError::Cipher)?;
        let wrapped = [&[VERSION], &master.id()[..], &[length], id.as_bytes(), &nonce[..], &sealed].concat();
        Ok(DataKeyPair { plain, wrapped })
    }

    /// Unwraps a data key.
    ///
    /// # Errors
    /// [`VaultError`], when the KMS key cannot be used, the master key is not there, or it is not a key of this context.
    pub fn open_data_key(&self, wrapped: &[u8], context: &[u8]) -> Result<[u8; KEY_LEN], VaultError> {
        let (master, kms, nonce, mut sealed) = taken_apart(wrapped).ok_or(VaultError::Damaged)?;
        self.kms.check(kms)?;
        let missing = || VaultError::MasterMissing(master::id_text(master));
        let key = self.masters.as_ref().and_then(|masters| masters.find(master)).ok_or_else(missing)?;
        let plain = key
            .wrapping_key(kms)?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(bound(context)), &mut sealed)
            .map_err(|_| VaultError::Damaged)?;
        <[u8; KEY_LEN]>::try_from(&*plain).map_err(|_| VaultError::Damaged)
    }
}

type Taken<'a> = ([u8; ID_LEN], &'a str, [u8; NONCE_LEN], Vec<u8>);

fn taken_apart(wrapped: &[u8]) -> Option<Taken<'_>> {
    let (master, rest) = wrapped.strip_prefix(&[VERSION])?.split_first_chunk::<ID_LEN>()?;
    let (length, rest) = rest.split_first()?;
    let (kms, rest) = rest.split_at_checked(usize::from(*length))?;
    let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
    Some((*master, std::str::from_utf8(kms).ok()?, *nonce, sealed.to_vec()))
}

/// The vault's own data keys are bound to nothing, so neither kind unwraps as the other.
fn bound(context: &[u8]) -> Vec<u8> {
    [b"postrider data key\0".as_slice(), context].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KmsKey, KmsState};

    fn vault(state: KmsState) -> Vault {
        let masters = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".parse().expect("a key");
        Vault::new(masters, &[KmsKey { id: "mail".to_owned(), aliases: vec!["alias/mail".to_owned()], state }])
    }

    #[test]
    fn a_data_key_unwraps_with_its_context_and_is_damaged_otherwise() {
        let vault = vault(KmsState::Enabled);
        for name in ["mail", "alias/mail", "arn:aws:kms:us-east-1:000000000000:key/mail", "alias/aws/ses"] {
            let made = vault.make_data_key(name, Managed::Ses, b"context").expect(name);
            assert_eq!(vault.open_data_key(&made.wrapped, b"context"), Ok(made.plain), "{name}");
            assert_eq!(vault.open_data_key(&made.wrapped, b"contexT"), Err(VaultError::Damaged));
            for at in 0..made.wrapped.len() {
                let mut changed = made.wrapped.clone();
                changed[at] ^= 1;
                assert!(vault.open_data_key(&changed, b"context").is_err(), "byte {at}");
                assert!(vault.open_data_key(&made.wrapped[..at], b"context").is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_key_that_cannot_be_used_neither_makes_nor_opens() {
        let made = vault(KmsState::Enabled).make_data_key("mail", Managed::Ses, b"").expect("a data key");
        let disabled = vault(KmsState::Disabled);
        let error = VaultError::KmsDisabled("mail".to_owned());
        assert_eq!(disabled.make_data_key("mail", Managed::Ses, b"").err(), Some(error.clone()));
        assert_eq!(disabled.open_data_key(&made.wrapped, b""), Err(error));
        for missing in ["alias/aws/sqs", "alias/other", "other", ""] {
            let refused = disabled.make_data_key(missing, Managed::Ses, b"").err();
            assert!(matches!(refused, Some(VaultError::KmsMissing(_))), "{missing}");
        }
        assert!(Vault::default().make_data_key("alias/aws/ses", Managed::Ses, b"").is_err());
    }
}
