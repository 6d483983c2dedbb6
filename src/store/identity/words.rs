//! SES's words for identities: what they are, how they stand, and where their keys come from.
use crate::base::words::words;

/// What an identity is (SESv2's IdentityType).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// A single address.
    EmailAddress,
    /// A domain with everything under it.
    Domain,
}

words!(IdentityKind { EmailAddress => "EMAIL_ADDRESS", Domain => "DOMAIN" });

/// How an identity, its DKIM keys or its MAIL FROM domain stands (SESv2's VerificationStatus, DkimStatus and
/// MailFromDomainStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is looked for.
    Pending,
    /// It was found.
    Success,
    /// It was not found in time; nobody looks for it any more.
    Failed,
    /// It was found and is gone, not for long yet: it still counts.
    TemporaryFailure,
    /// Nobody has asked for it.
    NotStarted,
}

words!(Standing {
    Pending => "PENDING",
    Success => "SUCCESS",
    Failed => "FAILED",
    TemporaryFailure => "TEMPORARY_FAILURE",
    NotStarted => "NOT_STARTED",
});

impl Standing {
    /// Whether it counts as proved: it is still believed for a while when the proof has gone.
    pub fn is_verified(self) -> bool {
        matches!(self, Self::Success | Self::TemporaryFailure)
    }
}

/// Why the last look found no proof (SESv2's VerificationError).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// There is no such name.
    HostNotFound,
    /// The name has no such record.
    TypeNotFound,
    /// There is a record, but another one.
    InvalidValue,
    /// The DNS did not answer.
    DnsServerError,
}

words!(ProofError {
    HostNotFound => "HOST_NOT_FOUND",
    TypeNotFound => "TYPE_NOT_FOUND",
    InvalidValue => "INVALID_VALUE",
    DnsServerError => "DNS_SERVER_ERROR",
});

/// Where the DKIM keys of an identity come from (SESv2's DkimSigningAttributesOrigin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// They are made here.
    AwsSes,
    /// They are the owner's.
    External,
}

words!(KeyOrigin { AwsSes => "AWS_SES", External => "EXTERNAL" });

/// What a DKIM key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It signs.
    Current,
    /// It signs from when the DNS publishes it.
    Next,
    /// It has signed, and stays published for mail that is on its way.
    Retired,
    /// Its selector waits for a key.
    Spare,
}

words!(KeyState { Current => "CURRENT", Next => "NEXT", Retired => "RETIRED", Spare => "SPARE" });

/// What a DKIM key signs with: the words of the tag `k=` (RFC 6376, 3.6.1; RFC 8463, 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA with SHA-256.
    Rsa,
    /// Ed25519 with SHA-256.
    Ed25519,
}

words!(KeyAlgorithm { Rsa => "rsa", Ed25519 => "ed25519" });

/// What an identity's topics are told of (the first API's NotificationType).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotificationKind {
    /// A mail bounced.
    Bounce,
    /// A recipient complained.
    Complaint,
    /// A mail was delivered.
    Delivery,
}

words!(NotificationKind { Bounce => "Bounce", Complaint => "Complaint", Delivery => "Delivery" });
