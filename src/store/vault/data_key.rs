//! Data keys: made, used again for a while, and wrapped so that they can stand before what they sealed.
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::base::Timestamp;
use crate::store::vault::VaultError;
use crate::store::vault::master::{KEY_LEN, MasterKey};
use crate::store::vault::sealed::Parts;

/// How many unwrapped keys are remembered. A queue of a day has a few dozen.
const REMEMBERED_MAX: usize = 1_024;

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
#[derive(Default)]
pub(super) struct DataKeys {
    /// Those that seal, by KMS key.
    current: Mutex<HashMap<String, Arc<DataKey>>>,
    /// Those that were unwrapped, by header.
    unwrapped: Mutex<HashMap<Vec<u8>, Arc<LessSafeKey>>>,
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
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = current.get(kms).filter(|key| now < key.made_at + reuse) {
            return Ok(key.clone());
        }
        let key = Arc::new(DataKey::make(master, kms, now)?);
        current.insert(kms.to_owned(), key.clone());
        Ok(key)
    }

    /// The key that a sealed text carries.
    pub(super) fn unwrap(&self, master: &MasterKey, parts: &Parts) -> Result<Arc<LessSafeKey>, VaultError> {
        let lock = || self.unwrapped.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = lock().get(parts.whole_header()) {
            return Ok(key.clone());
        }
        let (nonce, mut wrapped) = parts.wrapped();
        let bytes = master
            .wrapping_key(parts.kms())?
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut wrapped)
            .map_err(|_| VaultError::Damaged)?;
        let key = UnboundKey::new(&AES_256_GCM, bytes).map_err(|_| VaultError::Damaged)?;
        let key = Arc::new(LessSafeKey::new(key));
        let mut unwrapped = lock();
        if unwrapped.len() >= REMEMBERED_MAX {
            unwrapped.clear();
        }
        unwrapped.insert(parts.whole_header().to_vec(), key.clone());
        Ok(key)
    }
}
