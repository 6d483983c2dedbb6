//! Mails that are made from a template.
use serde_json::Value;

use crate::mail::content::templates::Compiled;
use crate::mail::message::{Draft, Error, compose};
use crate::mail::sending::unrendered::Unrendered;

/// Composes `draft` with the parts that `template` and `data` give. Where they give none, the message is a stand-in for the
/// accept door, which tells of the failure and sends nothing.
///
/// # Errors
/// What [`compose()`] refuses.
pub fn compose_from(template: &Compiled, data: &Value, draft: Draft) -> Result<(Vec<u8>, Option<Unrendered>), Error> {
    match template.render(data) {
        Ok(parts) => {
            let subject = parts.subject.unwrap_or_default();
            Ok((compose(&Draft { subject, text: parts.text, html: parts.html, ..draft })?, None))
        }
        Err(error) => {
            let failure = Unrendered { template: template.name.clone(), error: error.told() };
            let stand_in = Draft { text: Some(String::new()), attachments: Vec::new(), ..draft };
            Ok((compose(&stand_in)?, Some(failure)))
        }
    }
}
