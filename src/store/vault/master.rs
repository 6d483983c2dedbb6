//! Master keys: 32 bytes each, given by the operator or made at the first start.
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::store::vault::VaultError;

/// The bytes of a key, and of what is derived from one.
pub(super) const KEY_LEN: usize = 32;
/// The bytes of a master key's id.
pub(super) const ID_LEN: usize = 8;

/// One master key.
#[derive(Clone)]
pub(super) struct MasterKey {
    id: [u8; ID_LEN],
    key: hmac::Key,
}

impl MasterKey {
    fn new(bytes: &[u8; KEY_LEN]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, bytes);
        let mut id = [0; ID_LEN];
        let tag = hmac::sign(&key, b"postrider master key id");
        id.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        Self { id, key }
    }

    /// Names the key without telling anything about it.
    pub(super) fn id(&self) -> [u8; ID_LEN] {
        self.id
    }

    /// The key that wraps data keys for a KMS key; the empty id stands for the master key alone.
    pub(super) fn wrapping_key(&self, kms: &str) -> Result<LessSafeKey, VaultError> {
        let derived = hmac::sign(&self.key, format!("postrider data keys {kms}").as_bytes());
        let key = UnboundKey::new(&AES_256_GCM, derived.as_ref()).map_err(|_| VaultError::Cipher)?;
        Ok(LessSafeKey::new(key))
    }
}

/// The key that seals, and those before it, which still open.
#[derive(Clone)]
pub struct MasterKeys {
    first: MasterKey,
    others: Vec<MasterKey>,
}

impl MasterKeys {
    /// A new key, and the text that it can be read from again.
    ///
    /// # Errors
    /// [`VaultError::Cipher`] without random numbers.
    pub fn generate() -> Result<(Self, String), VaultError> {
        let mut bytes = [0; KEY_LEN];
        SystemRandom::new().fill(&mut bytes).map_err(|_| VaultError::Cipher)?;
        Ok((Self { first: MasterKey::new(&bytes), others: vec![] }, STANDARD.encode(bytes)))
    }

    /// The id of the key that seals.
    pub fn id(&self) -> String {
        id_text(self.first.id)
    }

    /// The ids of all of them; the one that seals stands first.
    pub fn ids(&self) -> Vec<String> {
        self.all().map(|key| id_text(key.id)).collect()
    }

    /// Whether a key with this id is among them.
    pub fn contains(&self, id: &str) -> bool {
        self.all().any(|key| id_text(key.id) == id)
    }

    pub(super) fn first(&self) -> &MasterKey {
        &self.first
    }

    pub(super) fn find(&self, id: [u8; ID_LEN]) -> Option<&MasterKey> {
        self.all().find(|key| key.id == id)
    }

    fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// An id as people read it.
pub(super) fn id_text(id: [u8; ID_LEN]) -> String {
    id.iter().map(|b| format!("{b:02x}")).collect()
}

/// The id that people read so.
pub(super) fn id_of(text: &str) -> Option<[u8; ID_LEN]> {
    if text.len() != 2 * ID_LEN || !text.is_ascii() {
        return None;
    }
    let mut id = [0; ID_LEN];
    for (n, byte) in id.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some(id)
}

impl FromStr for MasterKeys {
    type Err = &'static str;

    /// Reads keys in base64, white space between them: the first seals, all of them open.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let mut keys = Vec::new();
        for word in text.split_whitespace() {
            let bytes = STANDARD.decode(word).ok().and_then(|bytes| <[u8; KEY_LEN]>::try_from(bytes).ok());
            keys.push(MasterKey::new(&bytes.ok_or("a master key is 32 bytes in base64")?));
        }
        let mut keys = keys.into_iter();
        let first = keys.next().ok_or("there is no master key")?;
        Ok(Self { first, others: keys.collect() })
    }
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all().map(|key| id_text(key.id))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_from_base64_and_named_without_being_shown() {
        let (made, text) = MasterKeys::generate().expect("a key");
        let read: MasterKeys = format!("{text}\n").parse().expect("the same key");
        assert_eq!(read.id(), made.id());
        assert!(read.contains(&made.id()) && !read.contains("0000000000000000"));
        assert_eq!(format!("{read:?}"), format!("[{:?}]", made.id()));
        for bad in ["", " ", "short", "AAAA", &format!("{text} x"), &text[1..]] {
            assert!(bad.parse::<MasterKeys>().is_err(), "{bad}");
        }
    }
}
