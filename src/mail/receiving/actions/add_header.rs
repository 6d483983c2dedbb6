//! The AddHeader action: a header field on top of the mail, for the actions after it.
use crate::mail::message::headers;
use crate::mail::receiving::actions::Run;
use crate::workers::Reason;

/// Adds the field, folded and encoded where it must be.
pub fn run(run: &mut Run<'_>, name: &str, value: &str) {
    let mut field = Vec::new();
    match headers::unstructured(&mut field, name, value) {
        Ok(()) => run.fields.push_str(&String::from_utf8_lossy(&field)),
        Err(error) => run.fail(Reason::Refused, format!("AddHeader action: {error}"), false),
    }
}
