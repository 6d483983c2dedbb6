//! Data keys: made, used again for a while, and wrapped so that they can stand before what they sealed.
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::base::{Kept, Timestamp};
use crate::store::vault::VaultError;
use crate::store::vault::master::{KEY_LEN, MasterKey};
use crate::store::vault::sealed::Parts;

/// How many unwrapped keys are remembered. A queue of a day has a few dozen.
const REMEMBERED_MAX: usize = 1_024;
/// How many keys are in use for sealing, of as many KMS keys. For others a new one is made.
const CURRENT_MAX: usize = 1_024;

/// A data key that seals.
pub(super) struct DataKey {
    pub cipher: LessSafeKey,
    /// What stands before each text that it seals.
    pub header: Vec<u8>,
    made_at: Timestamp,
    /// How many texts it has sealed: their nonces. No other process has this key, so none comes twice.
    used: AtomicU64,
}

impl DataKey {
    fn make(master: &MasterKey, kms: &str, now: Timestamp) -> Result<Self, VaultError> {
        let random = SystemRandom::new();
        let (mut bytes, mut nonce) = ([0; KEY_LEN], [0; NONCE_LEN]);
        random.fill(&mut bytes).map_err(|_| VaultError::Cipher)?;
        random.fill(&mut nonce).map_err(|_| VaultError::Cipher)?;
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| VaultError::Cipher)?);
        let mut wrapped = bytes.to_vec();
        master
            .wrapping_key(kms)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut wrapped)
            .map_err(|_| VaultError::Cipher)?;
        let header = Parts::header(master.id(), kms, nonce, &wrapped)?;
        Ok(Self { cipher, header, made_at: now, used: AtomicU64::new(0) })
    }

    /// A nonce that this key has not had.
    pub(super) fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        let count = self.used.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        nonce.iter_mut().skip(NONCE_LEN - count.len()).zip(count).for_each(|(to, from)| *to = from);
        nonce
    }
}

/// The data keys in use.
pub(super) struct DataKeys {
    /// Those that seal, by KMS key.
    current: Kept<String, Arc<DataKey>>,
    /// Those that were unwrapped, by header.
    unwrapped: Kept<Vec<u8>, Arc<LessSafeKey>>,
}

impl Default for DataKeys {
    fn default() -> Self {
        Self { current: Kept::new(CURRENT_MAX), unwrapped: Kept::new(REMEMBERED_MAX) }
    }
}

impl DataKeys {
    /// The key that seals now; a new one when the last was made longer than `reuse` ago.
    pub(super) fn current(
        &self,
        master: &MasterKey,
        kms: &str,
        reuse: Duration,
        now: Timestamp,
    ) -> Result<Arc<DataKey>, VaultError> {
        if let Some(key) = self.current.get(kms).filter(|key| now < key.made_at + reuse) {
            return Ok(key);
        }
        let key = Arc::new(DataKey::make(master, kms, now)?);
        self.current.put(kms.to_owned(), key.clone(), self.current.moment());
        Ok(key)
    }

    /// The key that a sealed text carries.
    pub(super) fn unwrap(&self, master: &MasterKey, parts: &Parts) -> Result<Arc<LessSafeKey>, VaultError> {
        self.unwrapped.get_or_make(parts.whole_header(), || {
            let (nonce, mut wrapped) = parts.wrapped();
            let bytes = master
                .wrapping_key(parts.kms())?
                .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut wrapped)
                .map_err(|_| VaultError::Damaged)?;
            let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| VaultError::Damaged)?;
            Ok(Arc::new(LessSafeKey::new(key)))
        })
    }
}
