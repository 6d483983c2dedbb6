//! What can be wrong with a message or its parts.
use crate::base::address::AddressError;

/// Why a message was not composed or not accepted as it is. Always the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A name that may not stand before a header's colon.
    #[error("{0:?} is not a header name")]
    HeaderName(String),
    /// A header that we or SES write, and no caller may.
    #[error("header {0} cannot be set here")]
    ReservedHeader(String),
    /// A header without a value.
    #[error("header {0} has no value")]
    EmptyHeader(String),
    /// A line break or another control character in a field.
    #[error("control character in {0}")]
    ControlCharacter(String),
    /// Not a mail address, with or without a display name.
    #[error("{text:?} is not an address: {why}")]
    Address {
        /// What was given, cut to 320 characters.
        text: String,
        /// What is wrong with it.
        why: AddressError,
    },
    /// An address that is longer than 320 UTF-16 units with its display name.
    #[error("the address is too long: {0:?}")]
    LongAddress(String),
    /// Neither text nor HTML.
    #[error("the message has no body")]
    NoBody,
    /// A field that holds more than it may.
    #[error("{what} is longer than {limit}")]
    TooLong {
        /// The field.
        what: &'static str,
        /// The most that it may hold.
        limit: usize,
    },
    /// A type that is not `type/subtype`, or one that an attachment cannot have.
    #[error("{0:?} is not a content type for an attachment")]
    ContentType(String),
    /// The header of a raw message is not one: no colon, no name, a bare CR or another control
    /// character.
    #[error("line {0} of the header is not a header field")]
    BrokenHeader(usize),
    /// A field that may stand once stands twice. In SES's words, which SMTP's clients see as they are.
    #[error("Duplicate header '{0}'.")]
    Twice(&'static str),
    /// A multipart message whose boundary begins no part. In SES's words.
    #[error("Missing start boundary")]
    NoPart,
    /// No address stands in a raw message's From.
    #[error("the message has no From")]
    NoFrom,
    /// A header's message tags that are not `name=value, ...`.
    #[error("message tags are not a list of name=value")]
    BrokenTags,
}
