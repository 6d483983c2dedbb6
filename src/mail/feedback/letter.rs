//! What a mail that came back is: a bounce, a delay, a complaint, an automatic answer, or something else. Pure: it reads
//! bytes and knows nothing of marks or the store. Every size is bounded, whatever the mail holds.
use crate::mail::feedback::complaint::{self, Complaint};
use crate::mail::feedback::report::{Read, Report};
use crate::mail::feedback::{automatic, dsn, loose};

/// What a mail is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Letter {
    /// A server tells what became of recipients.
    Status(Report),
    /// Somebody does not want the mail.
    Complaint(Complaint),
    /// A program answers, such as one that says that somebody is away.
    Automatic,
    /// None of these.
    Other,
}

/// Says what a mail is. `null`: it came with the null reverse path.
pub fn read(raw: &[u8], null: bool) -> Letter {
    judge(&Read::new(raw, null))
}

/// Says what a message is.
pub fn judge(message: &Read<'_>) -> Letter {
    if let Some(complaint) = complaint::reported(message) {
        return Letter::Complaint(complaint);
    }
    if let Some(report) = dsn::read(message) {
        return Letter::Status(report);
    }
    if let Some(complaint) = complaint::in_providers_form(message) {
        return Letter::Complaint(complaint);
    }
    // An answer may quote what looks like a bounce, so it is asked first; it never has a report's parts.
    if automatic::is_answer(message) {
        return Letter::Automatic;
    }
    loose::read(message).map_or(Letter::Other, Letter::Status)
}
