//! Encryption at rest of messages: sealed when they are added, opened when they are given out.
//!
//! Body, attributes and trace header are sealed together and stand in the body's column. The rest stays in clear,
//! because the queue works with it: ids, times, counts, the sender, the group, the deduplication id.
use crate::base::Timestamp;
use crate::queues::protection::{Encryption, encryption};
use crate::queues::{Error, Queue};
use crate::store;
use crate::store::messages::{Claimed, NewMessage};
use crate::store::vault::{Lock, Managed, Opened, Vault, VaultError};

/// What messages are sealed for. Not the id of their queue: they move to other queues as dead letters.
const PURPOSE: &str = "message";

/// Seals a message if its queue wants it.
///
/// # Errors
/// [`Error::Kms`], when the queue's key cannot be used.
pub(super) fn seal(vault: &Vault, now: Timestamp, queue: &Queue, message: NewMessage) -> Result<NewMessage, Error> {
    let encryption = encryption(&queue.settings)?;
    let lock = match &encryption {
        Encryption::None => return Ok(message),
        Encryption::Managed => Lock::Own,
        Encryption::Kms { key, reuse } => Lock::Kms { key, reuse: *reuse },
    };
    let plain = pack(&message)?;
    match vault.seal(PURPOSE, lock, &plain, now).map_err(failed)? {
        Some(body) => Ok(NewMessage { attributes: None, trace_header: None, body, ..message }),
        None => Ok(message),
    }
}

/// Whether messages of the queue can be given out: its key is there and enabled.
///
/// # Errors
/// [`Error::Kms`].
pub(super) fn check(vault: &Vault, queue: &Queue) -> Result<(), Error> {
    match encryption(&queue.settings)? {
        Encryption::Kms { key, .. } => vault.check_kms(&key, Managed::Sqs).map_err(failed),
        Encryption::None | Encryption::Managed => Ok(()),
    }
}

/// Opens a message that was read from the store.
///
/// # Errors
/// [`Error::Kms`], when its key cannot be used; [`Error::Internal`], when it is damaged.
pub(super) fn open(vault: &Vault, mut message: Claimed) -> Result<Claimed, Error> {
    match vault.open(PURPOSE, std::mem::take(&mut message.body)).map_err(failed)? {
        Opened::Plain(body) => message.body = body,
        Opened::Sealed(bytes) => {
            let damaged = || Error::Internal(store::Error::corrupt("a sealed message"));
            let (attributes, rest) = unpack(&bytes).ok_or_else(damaged)?;
            let (trace_header, rest) = unpack(rest).ok_or_else(damaged)?;
            let text = |bytes: &[u8]| str::from_utf8(bytes).map(str::to_owned).map_err(|_| damaged());
            message.attributes = attributes.map(text).transpose()?;
            message.trace_header = trace_header.map(text).transpose()?;
            message.body = text(rest)?;
        }
    }
    Ok(message)
}

fn failed(error: VaultError) -> Error {
    match error {
        VaultError::KmsMissing(_) | VaultError::KmsDisabled(_) | VaultError::KmsPendingDeletion(_) => Error::Kms(error),
        VaultError::MasterMissing(_) | VaultError::Damaged | VaultError::Cipher => {
            Error::Internal(store::Error::corrupt(error))
        }
    }
}

/// Stands for what is not there.
const ABSENT: u32 = u32::MAX;

fn pack(message: &NewMessage) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(message.body.len() + 64);
    for part in [&message.attributes, &message.trace_header] {
        let length = part.as_ref().map_or(Ok(ABSENT), |text| u32::try_from(text.len()));
        bytes.extend_from_slice(&length.map_err(|e| Error::Internal(store::Error::corrupt(e)))?.to_be_bytes());
        bytes.extend_from_slice(part.as_deref().unwrap_or_default().as_bytes());
    }
    bytes.extend_from_slice(message.body.as_bytes());
    Ok(bytes)
}

/// The first part, if it is there, and what comes after it.
fn unpack(bytes: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    match u32::from_be_bytes(*length) {
        ABSENT => Some((None, rest)),
        length => {
            let (part, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((Some(part), rest))
        }
    }
}
