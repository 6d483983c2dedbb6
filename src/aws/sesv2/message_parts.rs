//! Parts of a message that the second API takes with and without a template: header fields and files.
use serde::Deserialize;

use crate::aws::protocol::Blob;
use crate::aws::sesv2::error::SesV2Error;
use crate::mail::message::mime::Encoding;
use crate::mail::message::{Attachment as Part, Disposition};

/// A header of the caller's own.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MessageHeader {
    /// Its name.
    pub(super) name: String,
    /// Its value.
    pub(super) value: String,
}

/// A file that goes with the message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attachment {
    raw_content: Blob,
    content_disposition: Option<String>,
    file_name: String,
    content_description: Option<String>,
    content_id: Option<String>,
    content_transfer_encoding: Option<String>,
    content_type: Option<String>,
}

impl Attachment {
    /// The part of the message.
    ///
    /// # Errors
    /// A word that SES does not have.
    pub(super) fn part(self) -> Result<Part, SesV2Error> {
        let none = |what: &str, given: &str| Err(SesV2Error::BadRequest(format!("{given:?} is not a {what}.")));
        let disposition = match self.content_disposition.as_deref() {
            None | Some("ATTACHMENT") => Disposition::Attachment,
            Some("INLINE") => Disposition::Inline,
            Some(other) => return none("ContentDisposition", other),
        };
        let encoding = match self.content_transfer_encoding.as_deref() {
            None | Some("BASE64") => Encoding::Base64,
            Some("QUOTED_PRINTABLE") => Encoding::QuotedPrintable,
            Some("SEVEN_BIT") => Encoding::SevenBit,
            Some(other) => return none("ContentTransferEncoding", other),
        };
        Ok(Part {
            content: self.raw_content.0,
            content_type: self.content_type,
            file_name: self.file_name,
            disposition,
            content_id: self.content_id,
            description: self.content_description,
            encoding,
        })
    }
}

/// The header fields as the core takes them.
pub(super) fn header_pairs(headers: Vec<MessageHeader>) -> Vec<(String, String)> {
    headers.into_iter().map(|header| (header.name, header.value)).collect()
}

/// The files as parts of the message.
///
/// # Errors
/// A word that SES does not have.
pub(super) fn file_parts(attachments: Vec<Attachment>) -> Result<Vec<Part>, SesV2Error> {
    attachments.into_iter().map(Attachment::part).collect()
}
