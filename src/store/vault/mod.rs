//! Encryption at rest: seals texts before they are written and opens them after they are read.
//!
//! A text is sealed with AES-256-GCM by a data key. The data key stands before it, wrapped by a key that is derived from
//! the master key and, for a queue with a KMS key, from that key's id. So a sealed text can be moved between rows, and
//! only the master key and the list of KMS keys are needed to open it.
mod data_key;
mod envelope;
mod error;
mod kms;
mod master;
mod sealed;

use std::time::Duration;

use crate::base::Timestamp;
use crate::config::KmsKey;
use data_key::DataKeys;
use kms::KmsKeys;

pub use envelope::DataKeyPair;
pub use error::VaultError;
pub use kms::Managed;
pub use master::MasterKeys;

/// How long one data key seals what has no KMS key.
const OWN_REUSE: Duration = Duration::from_secs(3_600);

/// Which key wraps the data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock<'a> {
    /// The master key alone: SSE-SQS, secrets.
    Own,
    /// A KMS key: SSE-KMS.
    Kms {
        /// Its id, alias or ARN, as a queue's `KmsMasterKeyId` says.
        key: &'a str,
        /// How long a data key may be used again.
        reuse: Duration,
    },
}

/// Seals and opens. Without master keys ([`Vault::default`]) it seals nothing: the programs always give it one.
#[derive(Default)]
pub struct Vault {
    masters: Option<MasterKeys>,
    kms: KmsKeys,
    data_keys: DataKeys,
}

impl Vault {
    /// A vault with these keys.
    pub fn new(masters: MasterKeys, kms: &[KmsKey]) -> Self {
        Self { masters: Some(masters), kms: KmsKeys::new(kms), data_keys: DataKeys::default() }
    }

    /// Seals `plain`, so that it opens only for the same `purpose`. `None` without master keys.
    ///
    /// # Errors
    /// [`VaultError`], when the KMS key cannot be used.
    pub fn seal(
        &self,
        purpose: &str,
        lock: Lock<'_>,
        plain: &[u8],
        now: Timestamp,
    ) -> Result<Option<String>, VaultError> {
        let (kms, reuse) = match lock {
            Lock::Own => ("", OWN_REUSE),
            Lock::Kms { key, reuse } => (self.kms.usable(key, Managed::Sqs)?, reuse),
        };
        let Some(masters) = &self.masters else { return Ok(None) };
        let key = self.data_keys.current(masters.first(), kms, reuse, now)?;
        sealed::seal(&key.cipher, (&key.header, key.nonce()), purpose, plain).map(Some)
    }

    /// Opens what [`Vault::seal`] made. A text that is not sealed is given back as it is: it was written before
    /// sealing was switched on.
    ///
    /// # Errors
    /// [`VaultError`].
    pub fn open(&self, purpose: &str, text: String) -> Result<Opened, VaultError> {
        let Some(parts) = sealed::Parts::of(&text)? else { return Ok(Opened::Plain(text)) };
        // The empty id stands for no KMS key.
        if !parts.kms().is_empty() {
            self.kms.check(parts.kms())?;
        }
        let missing = || VaultError::MasterMissing(master::id_text(parts.master()));
        let masters = self.masters.as_ref().ok_or_else(missing)?;
        let master = masters.find(parts.master()).ok_or_else(missing)?;
        let key = self.data_keys.unwrap(master, &parts)?;
        parts.open(&key, purpose).map(Opened::Sealed)
    }

    /// Whether the KMS key that a queue or a receipt rule names can be used.
    ///
    /// # Errors
    /// [`VaultError`], when it cannot.
    pub fn check_kms(&self, key: &str, managed: Managed) -> Result<(), VaultError> {
        self.kms.usable(key, managed).map(drop)
    }

    /// Whether the text is sealed as [`Vault::seal`] would do it now: under the first master key. `true` without master
    /// keys, since nothing better can be done then.
    pub fn is_up_to_date(&self, text: &str) -> bool {
        let Some(masters) = &self.masters else { return true };
        matches!(sealed::Parts::of(text), Ok(Some(parts)) if parts.master() == masters.first().id())
    }
}

/// What every text begins with that is sealed under the master key of this id; `None` when it is no id.
pub fn sealed_prefix(master_key: &str) -> Option<String> {
    master::id_of(master_key).map(sealed::prefix)
}

/// The id of the master key of a text that begins with these thirteen letters.
pub fn master_key_of(prefix: &str) -> Option<String> {
    sealed::master_of(prefix).map(master::id_text)
}

/// What was in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It was not sealed.
    Plain(String),
    /// What was sealed.
    Sealed(Vec<u8>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KmsState;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn masters(text: &str) -> MasterKeys {
        text.parse().expect("good keys")
    }

    fn kms(id: &str, state: KmsState) -> KmsKey {
        KmsKey { id: id.to_owned(), aliases: vec![format!("alias/{id}")], state }
    }

    const A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const B: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_shows_nothing() {
        let vault = Vault::new(masters(A), &[]);
        for plain in ["", "hello", &"long ".repeat(10_000)] {
            let sealed = vault.seal("p", Lock::Own, plain.as_bytes(), NOW).expect("sealed").expect("a text");
            assert!(plain.is_empty() || !sealed.contains(plain));
            assert_eq!(vault.open("p", sealed.clone()), Ok(Opened::Sealed(plain.as_bytes().to_vec())));
            assert_eq!(vault.open("q", sealed.clone()), Err(VaultError::Damaged));
            let again = vault.seal("p", Lock::Own, plain.as_bytes(), NOW).expect("sealed").expect("a text");
            assert_ne!(sealed, again, "no two are the same");
        }
        assert_eq!(vault.open("p", "hello".to_owned()), Ok(Opened::Plain("hello".to_owned())));
    }

    #[test]
    fn a_changed_text_does_not_open() {
        let vault = Vault::new(masters(A), &[]);
        let sealed = vault.seal("p", Lock::Own, b"hello", NOW).expect("sealed").expect("a text");
        for at in 1..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert!(vault.open("p", changed).is_err(), "byte {at}");
            assert!(vault.open("p", sealed[..at].to_owned()).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn an_old_master_key_still_opens_and_a_missing_one_is_named() {
        let old = Vault::new(masters(A), &[]);
        let sealed = old.seal("p", Lock::Own, b"hello", NOW).expect("sealed").expect("a text");
        let id = masters(A).id();
        assert_eq!(sealed_prefix(&id).as_deref(), Some(&sealed[..13]));
        assert_eq!(master_key_of(&sealed[..13]), Some(id));
        assert_eq!((sealed_prefix("no id"), master_key_of("hello")), (None, None));
        let both = Vault::new(masters(&format!("{B}\n{A}\n")), &[]);
        assert_eq!(both.open("p", sealed.clone()), Ok(Opened::Sealed(b"hello".to_vec())));
        assert!(!both.is_up_to_date(&sealed) && old.is_up_to_date(&sealed) && !both.is_up_to_date("hello"));
        let new = Vault::new(masters(B), &[]);
        assert!(matches!(new.open("p", sealed.clone()), Err(VaultError::MasterMissing(_))));
        assert!(matches!(Vault::default().open("p", sealed), Err(VaultError::MasterMissing(_))));
        assert_eq!(Vault::default().seal("p", Lock::Own, b"hello", NOW), Ok(None));
    }

    #[test]
    fn kms_keys_are_found_by_id_alias_and_arn_and_must_be_enabled() {
        let with = |state| Vault::new(masters(A), &[kms("orders", state)]);
        let lock = |key| Lock::Kms { key, reuse: Duration::from_secs(300) };
        let enabled = with(KmsState::Enabled);
        for name in [
            "orders",
            "alias/orders",
            "arn:aws:kms:us-east-1:000000000000:key/orders",
            "arn:aws:kms:us-east-1:000000000000:alias/orders",
            "alias/aws/sqs",
        ] {
            let sealed = enabled.seal("p", lock(name), b"hello", NOW).expect(name).expect("a text");
            assert_eq!(enabled.open("p", sealed), Ok(Opened::Sealed(b"hello".to_vec())), "{name}");
        }
        for name in [
            "others",
            "alias/others",
            "alias/aws/s3",
            "alias/aws/ses",
            "arn:aws:kms:us-east-1:000000000000:key/others",
            "",
        ] {
            assert!(matches!(enabled.seal("p", lock(name), b"x", NOW), Err(VaultError::KmsMissing(_))), "{name}");
        }
        let sealed = enabled.seal("p", lock("orders"), b"hello", NOW).expect("sealed").expect("a text");
        for (vault, error) in [
            (with(KmsState::Disabled), VaultError::KmsDisabled("orders".to_owned())),
            (with(KmsState::PendingDeletion), VaultError::KmsPendingDeletion("orders".to_owned())),
            (Vault::new(masters(A), &[]), VaultError::KmsMissing("orders".to_owned())),
        ] {
            assert_eq!(vault.open("p", sealed.clone()), Err(error.clone()));
            assert_eq!(vault.seal("p", lock("orders"), b"x", NOW), Err(error.clone()));
            assert_eq!(vault.check_kms("orders", Managed::Sqs), Err(error));
        }
    }

    #[test]
    fn a_data_key_is_used_again_for_its_time() {
        let vault = Vault::new(masters(A), &[]);
        let header = |at: Timestamp| {
            let lock = Lock::Kms { key: "alias/aws/sqs", reuse: Duration::from_secs(60) };
            let sealed = vault.seal("p", lock, b"x", at).expect("sealed").expect("a text");
            sealed[..80].to_owned()
        };
        let first = header(NOW);
        assert_eq!(header(NOW + Duration::from_secs(59)), first);
        assert_ne!(header(NOW + Duration::from_secs(61)), first);
    }
}
