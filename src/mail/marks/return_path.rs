//! Return paths: where mail goes that comes back. Each recipient of each mail has its own (VERP), so that a bounce tells
//! whom it is about whatever its text says.
use crate::base::{Domain, EmailAddress, Timestamp};
use crate::config::Feedback;
use crate::mail::marks::mark::{Mark, Marks};
use crate::store::mails::{Kind, Mail};

/// The header field with the mark in what goes out: complaints are tied to the mail by it.
const TRACE_FIELD: &str = "X-Postrider-Id";
/// How long a mark counts, in seconds: as long as it is kept what became of the mail.
const VALID: i64 = 30 * 86_400;

/// Makes return paths, and knows them again. Cheap to clone.
#[derive(Clone)]
pub struct ReturnPaths {
    marks: Marks,
    domain: Option<Domain>,
    complaints: Option<EmailAddress>,
}

/// What an address of ours is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Whatever comes back for a recipient.
    Returned(Mark),
    /// Complaints.
    Complaints,
}

impl ReturnPaths {
    /// With these marks, at the domain of the settings.
    pub fn new(marks: Marks, settings: &Feedback) -> Self {
        Self { marks, domain: settings.domain.clone(), complaints: settings.complaints.clone() }
    }

    /// The envelope's sender for a recipient. `mail_from`: the identity's own domain for it. `None`: the mail's own
    /// return path, which is what our own mails and mails without a domain for it have.
    pub fn sender(&self, mail: &Mail, recipient: i64, mail_from: Option<&str>) -> Option<EmailAddress> {
        if mail.kind == Kind::System || mail.return_path.is_empty() {
            return None;
        }
        let domain = mail_from.or(self.domain.as_ref().map(Domain::as_str))?;
        format!("{}@{domain}", self.marks.write(&mail.id, recipient)?).parse().ok()
    }

    /// The header field that a caller's mail goes out with, and nothing for our own.
    pub fn trace(&self, mail: &Mail, recipient: i64) -> String {
        let mark = if mail.kind == Kind::User { self.marks.write(&mail.id, recipient) } else { None };
        mark.map_or_else(String::new, |mark| format!("{TRACE_FIELD}: {mark}\r\n"))
    }

    /// What `address` is for, if it is one of ours. The domain of a return path does not matter: its mark is ours or not,
    /// and identities have domains of their own.
    pub fn purpose(&self, address: &EmailAddress, now: Timestamp) -> Option<Purpose> {
        if let Some(mark) = self.marks.read(address.local_part()) {
            return is_valid(&mark, now).then_some(Purpose::Returned(mark));
        }
        let complaints = self.complaints.as_ref()?;
        (complaints.folded() == address.folded()).then_some(Purpose::Complaints)
    }

    /// The mark in a message that was returned.
    pub fn find(&self, text: &[u8], now: Timestamp) -> Option<Mark> {
        self.marks.find(text).filter(|mark| is_valid(mark, now))
    }
}

fn is_valid(mark: &Mark, now: Timestamp) -> bool {
    now.secs().saturating_sub(mark.accepted_at.secs()) <= VALID
}
