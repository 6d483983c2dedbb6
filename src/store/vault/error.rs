//! Why a text was not sealed or opened.

/// Why a text was not sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// There is no KMS key of this id or alias.
    #[error("KMS key {0} does not exist")]
    KmsMissing(String),
    /// The KMS key is disabled.
    #[error("KMS key {0} is disabled")]
    KmsDisabled(String),
    /// The KMS key waits for its deletion.
    #[error("KMS key {0} is pending deletion")]
    KmsPendingDeletion(String),
    /// The text was sealed under a master key that is not among those given; holds that key's id.
    #[error("a text is sealed under the master key {0}, which was not given")]
    MasterMissing(String),
    /// The text was not sealed by this program for this purpose, or it was changed.
    #[error("a sealed text is damaged")]
    Damaged,
    /// The system's source of random numbers failed, or a key was refused.
    #[error("the cipher failed")]
    Cipher,
}
