//! Sends that are called again: an `Idempotency-Key` is kept with the accepted mail, in the same transaction, so that every
//! node gives the first call's answer. A refused call keeps nothing.
use std::time::Duration;

use crate::base::{AccountId, Region};
use crate::mail::sending::SendError;
use crate::store::Tx;
use crate::store::idempotent_sends;

/// How long a key is kept.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);
/// The longest key, in characters.
pub const KEY_MAX: usize = 255;

/// A key of the caller's, and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key, as the caller chose it.
    pub key: String,
    /// A digest of the call: the same key with another one is an error.
    pub fingerprint: String,
}

impl Idempotency {
    /// The key of one of several mails that a call sends.
    pub fn nth(&self, n: usize) -> Self {
        Self { key: format!("{}/{n}", self.key), ..self.clone() }
    }
}

/// Takes the key for the mail `id`, or gives the id of the mail that has it.
pub(super) async fn claim(
    tx: &mut Tx,
    (account, region): (&AccountId, &Region),
    once: Option<&Idempotency>,
    id: &str,
) -> Result<Option<String>, SendError> {
    let Some(once) = once else { return Ok(None) };
    let expired = tx.now() - KEPT_FOR;
    if idempotent_sends::insert(tx, account, region, &once.key, &once.fingerprint, id, expired).await? {
        return Ok(None);
    }
    match idempotent_sends::find(tx, account, region, &once.key).await? {
        Some((fingerprint, first)) if fingerprint == once.fingerprint => Ok(Some(first)),
        _ => Err(SendError::KeyReused),
    }
}
