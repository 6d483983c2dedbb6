//! The form of a sealed text: a control character that no message may hold, then base64 of
//! `version 1 | master key id 8 | length 1, KMS key id | nonce 12, wrapped data key 48 | nonce 12 | cipher text, tag 16`.
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce};

use crate::store::vault::VaultError;
use crate::store::vault::master::{ID_LEN, KEY_LEN};

/// Begins every sealed text. SQS bodies cannot hold it, nor can JSON, nor a secret key of ours.
const MARK: char = '\u{1}';
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;
const WRAPPED_LEN: usize = KEY_LEN + TAG_LEN;

/// A sealed text, taken apart.
pub(super) struct Parts {
    bytes: Vec<u8>,
    master: [u8; ID_LEN],
    kms: String,
    wrap_nonce: [u8; NONCE_LEN],
    wrapped: [u8; WRAPPED_LEN],
    nonce: [u8; NONCE_LEN],
    header_len: usize,
}

impl Parts {
    /// The header of a data key.
    pub(super) fn header(
        master: [u8; ID_LEN],
        kms: &str,
        nonce: [u8; NONCE_LEN],
        wrapped: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let length = u8::try_from(kms.len()).map_err(|_| VaultError::Cipher)?;
        Ok([&[VERSION], &master[..], &[length], kms.as_bytes(), &nonce[..], wrapped].concat())
    }

    /// Takes a text apart. `None` when it is not sealed.
    pub(super) fn of(text: &str) -> Result<Option<Self>, VaultError> {
        let Some(encoded) = text.strip_prefix(MARK) else { return Ok(None) };
        let bytes = STANDARD_NO_PAD.decode(encoded).map_err(|_| VaultError::Damaged)?;
        Self::read(bytes).map(Some).ok_or(VaultError::Damaged)
    }

    fn read(bytes: Vec<u8>) -> Option<Self> {
        let rest = bytes.strip_prefix(&[VERSION])?;
        let (master, rest) = rest.split_first_chunk::<ID_LEN>()?;
        let (length, rest) = rest.split_first()?;
        let (kms, rest) = rest.split_at_checked(usize::from(*length))?;
        let (wrap_nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let (wrapped, rest) = rest.split_first_chunk::<WRAPPED_LEN>()?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>()?;
        Some(Self {
            master: *master,
            kms: String::from_utf8(kms.to_vec()).ok()?,
            wrap_nonce: *wrap_nonce,
            wrapped: *wrapped,
            nonce: *nonce,
            header_len: bytes.len() - sealed.len() - NONCE_LEN,
            bytes,
        })
    }

    /// The id of the master key.
    pub(super) fn master(&self) -> [u8; ID_LEN] {
        self.master
    }

    /// The id of the KMS key; empty for none.
    pub(super) fn kms(&self) -> &str {
        &self.kms
    }

    /// The wrapped data key and its nonce.
    pub(super) fn wrapped(&self) -> ([u8; NONCE_LEN], [u8; WRAPPED_LEN]) {
        (self.wrap_nonce, self.wrapped)
    }

    /// All that is the same for every text of one data key.
    pub(super) fn whole_header(&self) -> &[u8] {
        self.bytes.get(..self.header_len).unwrap_or_default()
    }

    /// Opens what the data key sealed for `purpose`.
    pub(super) fn open(mut self, key: &LessSafeKey, purpose: &str) -> Result<Vec<u8>, VaultError> {
        let bound = Aad::from(bound(purpose, self.whole_header()));
        let start = self.header_len + NONCE_LEN;
        let sealed = self.bytes.get_mut(start..).unwrap_or_default();
        let plain = key.open_in_place(Nonce::assume_unique_for_key(self.nonce), bound, sealed);
        let length = plain.map_err(|_| VaultError::Damaged)?.len();
        // In place: a body may be large.
        self.bytes.truncate(start + length);
        self.bytes.drain(..start);
        Ok(self.bytes)
    }
}

/// What every text begins with that is sealed under a master key: the mark, and twelve letters for version and id.
pub(super) fn prefix(master: [u8; ID_LEN]) -> String {
    let mut text = String::from(MARK);
    STANDARD_NO_PAD.encode_string([&[VERSION], &master[..]].concat(), &mut text);
    text
}

/// The master key of a text that begins so.
pub(super) fn master_of(prefix: &str) -> Option<[u8; ID_LEN]> {
    let bytes = STANDARD_NO_PAD.decode(prefix.strip_prefix(MARK)?).ok()?;
    bytes.strip_prefix(&[VERSION])?.try_into().ok()
}

/// Seals `plain` by a data key: with its header, and a nonce that it has not had.
pub(super) fn seal(
    cipher: &LessSafeKey,
    (header, nonce): (&[u8], [u8; NONCE_LEN]),
    purpose: &str,
    plain: &[u8],
) -> Result<String, VaultError> {
    let mut bytes = Vec::with_capacity(header.len() + NONCE_LEN + plain.len() + TAG_LEN);
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(&nonce);
    let start = bytes.len();
    bytes.extend_from_slice(plain);
    let sealed = bytes.get_mut(start..).unwrap_or_default();
    let tag = cipher
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(bound(purpose, header)), sealed)
        .map_err(|_| VaultError::Cipher)?;
    bytes.extend_from_slice(tag.as_ref());
    debug_assert_eq!(tag.as_ref().len(), AES_256_GCM.tag_len());
    let mut text = String::with_capacity(1 + bytes.len().div_ceil(3) * 4);
    text.push(MARK);
    STANDARD_NO_PAD.encode_string(bytes, &mut text);
    Ok(text)
}

/// What a text is bound to: it opens only with this.
fn bound(purpose: &str, header: &[u8]) -> Vec<u8> {
    [purpose.as_bytes(), &[0], header].concat()
}
