//! SES's words for what keeps a mail from its recipient (SES guide, "Contents of event data").
use crate::base::words::words;

/// How final a bounce is: `bounceType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceType {
    /// The answer says nothing that we know.
    Undetermined,
    /// It will not work later either.
    Permanent,
    /// It may work later.
    Transient,
}

words!(BounceType { Undetermined => "Undetermined", Permanent => "Permanent", Transient => "Transient" });

/// What kept a mail away: `bounceSubType`. Which of them goes with which type stands in SES's guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BounceSubType {
    /// Nothing more is known; of a permanent bounce: nobody has the address.
    General,
    /// The address is on SES's own list of addresses that bounced.
    Suppressed,
    /// The address is on the account's suppression list.
    OnAccountSuppressionList,
    /// The mailbox is full.
    MailboxFull,
    /// The message is too large.
    MessageTooLarge,
    /// The content is not accepted.
    ContentRejected,
    /// An attachment is not accepted.
    AttachmentRejected,
    /// The answer says nothing that we know.
    Undetermined,
}

words!(BounceSubType {
    General => "General",
    Suppressed => "Suppressed",
    OnAccountSuppressionList => "OnAccountSuppressionList",
    MailboxFull => "MailboxFull",
    MessageTooLarge => "MessageTooLarge",
    ContentRejected => "ContentRejected",
    AttachmentRejected => "AttachmentRejected",
    Undetermined => "Undetermined",
});

/// Why a mail waits: `delayType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelayType {
    /// Nothing more is known.
    General,
    /// The fault is ours.
    InternalFailure,
    /// The mailbox is full.
    MailboxFull,
    /// The receiver has had much that it takes for spam.
    SpamDetected,
    /// The receiver does not like the address that the mail comes from.
    IpFailure,
    /// No connection, no answer, no TLS.
    TransientCommunicationFailure,
    /// A fault of the receiving system.
    RecipientServerError,
    /// The account that sends may not send now.
    SendingDeferral,
}

words!(DelayType {
    General => "General",
    InternalFailure => "InternalFailure",
    MailboxFull => "MailboxFull",
    SpamDetected => "SpamDetected",
    IpFailure => "IPFailure",
    TransientCommunicationFailure => "TransientCommunicationFailure",
    RecipientServerError => "RecipientServerError",
    SendingDeferral => "SendingDeferral",
});

/// What is special about a complaint: `complaintSubType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComplaintSubType {
    /// Nothing was sent, since the address is on the account's suppression list for an earlier complaint.
    OnAccountSuppressionList,
}

words!(ComplaintSubType { OnAccountSuppressionList => "OnAccountSuppressionList" });
