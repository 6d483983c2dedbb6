//! What the DNS has to publish for mail to work: records as values, of an identity (`published/identity.rs`) and of the server
//! itself, whether they are there, and records as lines of a zone file.
mod checking;
mod comparing;
mod identity;
pub mod server;
mod spf;
pub mod zone;

pub use checking::check;
pub use identity::{dns_records, recommended_records};
pub use server::{Server, server_records};

/// A DNS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsRecord {
    /// The full name.
    pub name: String,
    /// `TXT`, `CNAME`, `MX`, `A`, `AAAA` or `PTR`.
    pub kind: &'static str,
    /// The value: a text, a name, an address, or a preference and a name. Empty for an address that no setting names.
    pub value: String,
    /// Whether it is the operator's to set, in the zone of the operator's.
    pub in_zone: bool,
    /// What it is for.
    pub purpose: Purpose,
    /// Whether mail needs it.
    pub need: Need,
}

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It proves that a domain is its account's (v1 VerifyDomainIdentity).
    Verification,
    /// It publishes a DKIM key.
    DkimKey(Turn),
    /// It leads to the operator's zone, where a DKIM key is published.
    DkimAlias(Turn),
    /// Mail to a MAIL FROM domain comes here.
    MailFromMx,
    /// This server sends for a MAIL FROM domain.
    MailFromSpf,
    /// This server sends for the domain of an identity.
    Spf,
    /// What receivers do with mail that nothing vouches for.
    Dmarc,
    /// The server's name has its address.
    Address,
    /// The server's address has its name.
    Reverse,
    /// Bounces come here.
    FeedbackMx,
    /// This server sends for the domain of the return paths.
    FeedbackSpf,
    /// This server sends under its own name: with the null reverse path, receivers ask for its greeting.
    HeloSpf,
}

/// When a DKIM key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Current,
    /// From when the DNS publishes it.
    Next,
    /// It has signed, and mail on its way needs it.
    Old,
    /// A selector that waits for a key.
    Spare,
}

/// Whether mail needs a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Something does not work without it.
    Required,
    /// Something works better with it.
    Recommended,
}

/// Whether a record is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is, as receivers see it.
    There,
    /// There is no such record.
    Missing,
    /// Something else stands there.
    Wrong {
        /// What: at most [`INSTEAD_MAX`] values.
        instead: Vec<String>,
        /// What is wrong with it.
        why: String,
    },
    /// The DNS did not say.
    Failed {
        /// What it said.
        why: String,
    },
}

/// How many values that stand instead of a record are told.
pub const INSTEAD_MAX: usize = 8;

/// A record that was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRecord {
    /// What should stand there.
    pub record: DnsRecord,
    /// What does.
    pub state: State,
}

impl CheckedRecord {
    /// Whether something does not work as the DNS is.
    pub fn is_lacking(&self) -> bool {
        self.record.need == Need::Required && self.state != State::There
    }
}

impl Purpose {
    /// The purpose in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Verification => "proves the domain",
            Self::DkimKey(Turn::Current) => "DKIM, current key: signs mail",
            Self::DkimKey(Turn::Next) => "DKIM, next key: signs mail once it is found",
            Self::DkimKey(Turn::Old) => "DKIM, old key: mail on its way needs it for some days",
            Self::DkimKey(Turn::Spare) | Self::DkimAlias(Turn::Spare) => "DKIM, for a key to come",
            Self::DkimAlias(Turn::Current) => "DKIM, leads to the current key",
            Self::DkimAlias(Turn::Next) => "DKIM, leads to the next key",
            Self::DkimAlias(Turn::Old) => "DKIM, leads to the old key, and to a later one",
            Self::MailFromMx => "MAIL FROM domain: bounces come to this server",
            Self::MailFromSpf => "MAIL FROM domain: SPF lets this server send",
            Self::Spf => {
                "SPF lets this server send; a domain has one SPF record, so add the mechanism to one that is there"
            }
            Self::Dmarc => "DMARC: what receivers do with mail that neither SPF nor DKIM vouches for",
            Self::Address => "the address of this server's name",
            Self::Reverse => "the name of this server's address; whoever owns the address sets it",
            Self::FeedbackMx => "feedback domain: bounces come to this server",
            Self::FeedbackSpf => "feedback domain: SPF lets this server send",
            Self::HeloSpf => "SPF of the name in this server's greeting, for mail with the null reverse path",
        }
    }
}
