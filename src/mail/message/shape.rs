//! What of a message's shape SES refuses: fields that may stand once, and multiparts without a part.
use std::collections::HashSet;

use crate::mail::message::Error;
use crate::mail::message::fields::Field;
use crate::mail::message::leaves::parameters;

/// SES refuses a second one of these (SES guide, "Header fields"). Which of two counts, readers do not agree on.
const ONCE: [&str; 60] = [
    "Accept-Language",
    "acceptLanguage",
    "Archived-At",
    "Auto-Submitted",
    "Bounces-to",
    "Comments",
    "Content-Alternative",
    "Content-Base",
    "Content-Class",
    "Content-Description",
    "Content-Disposition",
    "Content-Duration",
    "Content-ID",
    "Content-Language",
    "Content-Length",
    "Content-Location",
    "Content-MD5",
    "Content-Transfer-Encoding",
    "Content-Type",
    "Date",
    "Delivered-To",
    "Disposition-Notification-Options",
    "Disposition-Notification-To",
    "DKIM-Signature",
    "DomainKey-Signature",
    "Errors-To",
    "From",
    "Importance",
    "In-Reply-To",
    "Keywords",
    "List-Archive",
    "List-Help",
    "List-Id",
    "List-Owner",
    "List-Post",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Message-Context",
    "Message-ID",
    "MIME-Version",
    "Organization",
    "Original-From",
    "Original-Message-ID",
    "Original-Recipient",
    "Original-Subject",
    "Precedence",
    "Priority",
    "References",
    "Reply-To",
    "Return-Path",
    "Return-Receipt-To",
    "Sender",
    "Solicitation",
    "Sensitivity",
    "Subject",
    "Thread-Index",
    "Thread-Topic",
    "User-Agent",
    "VBR-Info",
];

/// Refuses a field of [`ONCE`] that stands twice.
pub(super) fn once_each(fields: &[Field<'_>]) -> Result<(), Error> {
    let mut seen = HashSet::new();
    for field in fields {
        if let Some(name) = ONCE.into_iter().find(|name| field.is(name))
            && !seen.insert(name)
        {
            return Err(Error::Twice(name));
        }
    }
    Ok(())
}

/// A multipart message without any part: readers show nothing, or its source.
pub(super) fn check_multipart(fields: &[Field<'_>], body: &[u8]) -> Result<(), Error> {
    let Some(kind) = fields.iter().find(|field| field.is("Content-Type")) else { return Ok(()) };
    let Some(boundary) = boundary(&kind.value()) else { return Ok(()) };
    let mark = format!("--{boundary}");
    let begins = |line: &[u8]| line.trim_ascii_end() == mark.as_bytes();
    if body.split(|byte| *byte == b'\n').any(begins) { Ok(()) } else { Err(Error::NoPart) }
}

/// The boundary of a multipart type (RFC 2046, 5.1.1); `None` for other types, and where it cannot be read.
fn boundary(kind: &str) -> Option<String> {
    let kind = parameters(kind).filter(|kind| kind.ctype().eq_ignore_ascii_case("multipart"))?;
    kind.attribute("boundary").map(|text| text.trim_end().to_owned()).filter(|text| !text.is_empty())
}
