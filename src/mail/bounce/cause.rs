//! Why a mail was refused, who is to blame for it, and what SES calls that.
use serde::Deserialize;

use crate::mail::bounce::words::{BounceSubType, BounceType};

/// `bounceType` and `bounceSubType`.
pub type Kind = (BounceType, BounceSubType);

/// Who has to change something before a mail can arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The recipient's address: nobody has it.
    Address,
    /// The recipient's mailbox: it is there, and takes nothing.
    Mailbox,
    /// Who sends: address, host, signature, reputation, rate.
    Sender,
    /// What the mail holds.
    Content,
    /// The system of the other side.
    System,
    /// What lies between.
    Network,
    /// It cannot be said.
    Nobody,
}

impl Blame {
    /// In a word, for people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "recipient's address",
            Self::Mailbox => "recipient's mailbox",
            Self::Sender => "sender",
            Self::Content => "content",
            Self::System => "receiving system",
            Self::Network => "network",
            Self::Nobody => "unknown",
        }
    }
}

/// Why a mail was refused. The name in rules is the variant's in kebab case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The mailbox is full.
    Full,
    /// The message is too large, for the mailbox or the system.
    TooLarge,
    /// SPF, DKIM or DMARC failed, or the sender did not log in.
    Authentication,
    /// Too much mail or too many connections, from this sender or for this recipient.
    Rate,
    /// The sending host or domain is listed somewhere, or has no good name or no reverse name.
    Reputation,
    /// The other side thinks that it should relay.
    Relaying,
    /// The sender's address is not accepted.
    SenderAddress,
    /// A virus.
    Virus,
    /// Something attached is not accepted.
    Attachment,
    /// The content looks like spam, or is not accepted.
    Spam,
    /// The recipient takes mail of some senders only.
    Restricted,
    /// A rule of the receiver, about the sender or the mail.
    Policy,
    /// The form of the message is wrong, or needs what the other side lacks.
    Format,
    /// The address is on somebody's suppression list.
    Suppressed,
    /// The recipient has another address now.
    Moved,
    /// Nobody has this address.
    NoSuchUser,
    /// The mailbox is switched off.
    Disabled,
    /// The domain is nobody's, or takes no mail.
    NoSuchHost,
    /// It is no address.
    BadAddress,
    /// It was tried for too long.
    Expired,
    /// No connection, no answer, no TLS.
    Network,
    /// A fault of the receiving system.
    System,
    /// It says too little.
    Unclear,
}

impl Cause {
    /// All of them, as they are asked: where words of several are in a text, the first one counts. So whatever speaks of
    /// the sender or the content wins over what would make the address a bad one.
    pub const ALL: [Self; 23] = [
        Self::Full,
        Self::TooLarge,
        Self::Authentication,
        Self::Rate,
        Self::Reputation,
        Self::Relaying,
        Self::SenderAddress,
        Self::Virus,
        Self::Attachment,
        Self::Spam,
        Self::Restricted,
        Self::Policy,
        Self::Format,
        Self::Suppressed,
        Self::Moved,
        Self::NoSuchUser,
        Self::Disabled,
        Self::NoSuchHost,
        Self::BadAddress,
        Self::Expired,
        Self::Network,
        Self::System,
        Self::Unclear,
    ];

    /// Its place among [`Cause::ALL`].
    pub fn rank(self) -> usize {
        self as usize
    }

    /// Its name in rules.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::TooLarge => "too-large",
            Self::Authentication => "authentication",
            Self::Rate => "rate",
            Self::Reputation => "reputation",
            Self::Relaying => "relaying",
            Self::SenderAddress => "sender-address",
            Self::Virus => "virus",
            Self::Attachment => "attachment",
            Self::Spam => "spam",
            Self::Restricted => "restricted",
            Self::Policy => "policy",
            Self::Suppressed => "suppressed",
            Self::Moved => "moved",
            Self::NoSuchUser => "no-such-user",
            Self::Disabled => "disabled",
            Self::NoSuchHost => "no-such-host",
            Self::BadAddress => "bad-address",
            Self::Expired => "expired",
            Self::Format => "format",
            Self::Network => "network",
            Self::System => "system",
            Self::Unclear => "unclear",
        }
    }

    /// Who is to blame.
    pub fn blame(self) -> Blame {
        match self {
            Self::NoSuchUser | Self::Moved | Self::NoSuchHost | Self::BadAddress | Self::Suppressed => Blame::Address,
            Self::Full | Self::Disabled | Self::Restricted => Blame::Mailbox,
            Self::Authentication
            | Self::Rate
            | Self::Reputation
            | Self::Relaying
            | Self::SenderAddress
            | Self::Policy => Blame::Sender,
            Self::TooLarge | Self::Virus | Self::Attachment | Self::Spam | Self::Format => Blame::Content,
            Self::System => Blame::System,
            Self::Network | Self::Expired => Blame::Network,
            Self::Unclear => Blame::Nobody,
        }
    }

    /// SES's type and subtype. `Permanent` speaks of the address: nobody can send to it.
    pub fn kind(self) -> Kind {
        use BounceType::{Permanent, Transient, Undetermined};
        match self {
            Self::NoSuchUser | Self::Moved | Self::NoSuchHost | Self::BadAddress | Self::Disabled => {
                (Permanent, BounceSubType::General)
            }
            Self::Suppressed => (Permanent, BounceSubType::Suppressed),
            Self::Full => (Transient, BounceSubType::MailboxFull),
            Self::TooLarge => (Transient, BounceSubType::MessageTooLarge),
            Self::Attachment => (Transient, BounceSubType::AttachmentRejected),
            Self::Spam | Self::Virus | Self::Format => (Transient, BounceSubType::ContentRejected),
            Self::Authentication
            | Self::Rate
            | Self::Reputation
            | Self::Relaying
            | Self::SenderAddress
            | Self::Restricted
            | Self::Policy
            | Self::Expired
            | Self::Network
            | Self::System => (Transient, BounceSubType::General),
            Self::Unclear => (Undetermined, BounceSubType::Undetermined),
        }
    }

    /// Whether the address goes on the suppression list: whatever is permanent does.
    pub fn suppresses(self) -> bool {
        self.kind().0 == BounceType::Permanent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_variants_and_only_the_recipient_is_suppressed() {
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause.rank(), place, "{cause:?}");
            let of_recipient = matches!(cause.blame(), Blame::Address | Blame::Mailbox);
            assert!(of_recipient || !cause.suppresses(), "{cause:?}");
        }
    }

    #[test]
    fn the_page_says_what_the_code_does() {
        let page = include_str!("../../../docs/bounces.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).take(Cause::ALL.len()).collect();
        for (cause, row) in Cause::ALL.into_iter().zip(rows) {
            let (kind, sub_type) = cause.kind();
            let suppressed = if cause.suppresses() { "yes" } else { "no" };
            let end = format!(" | {} | {kind}, {sub_type} | {suppressed} |", cause.blame().as_str());
            assert!(row.starts_with(&format!("| `{}`", cause.as_str())) && row.ends_with(&end), "{cause:?}: {row}");
        }
    }
}
