//! Complaints: feedback reports (RFC 5965), and what providers send instead of them. Microsoft's JMRP attached the mail, with a
//! field that names the recipient, and said nothing else; since 2026 it sends reports without addresses. SpamCop writes a
//! text that quotes the mail. Most reports have the recipient's address taken out, some the return path too: the mail is
//! known by the mark in its own field or in its return path (`mark.rs`), and one of them is enough.
//!
//! Gmail sends no complaints: its feedback loop is a table in Postmaster Tools, by the field `Feedback-ID` of who sends.
use mail_parser::DateTime;

use crate::base::Timestamp;
use crate::mail::feedback::automatic::from_server;
use crate::mail::feedback::loose;
use crate::mail::feedback::report::{Read, line};
use crate::mail::message::parse;

/// Types that RFC 5965 and IANA's registry know; all others count as `other`.
const TYPES: [&str; 6] = ["abuse", "auth-failure", "fraud", "not-spam", "other", "virus"];
/// Fields of the returned mail that name its recipient.
const RECIPIENT_FIELDS: [&str; 2] = ["X-HmXmrOriginalRecipient", "X-Original-To"];

/// A complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// `abuse`, ...; none where the report does not say.
    pub feedback_type: Option<String>,
    /// The program that wrote the report.
    pub user_agent: Option<String>,
    /// When the mail arrived there.
    pub arrival: Option<Timestamp>,
    /// Who complains, where the report says so.
    pub recipient: Option<String>,
}

impl Complaint {
    /// Whether somebody does not want the mail. A report that a mail is no spam, or that its signature failed (RFC 6591),
    /// says nothing of that kind.
    pub fn is_unwanted(&self) -> bool {
        !matches!(self.feedback_type.as_deref(), Some("not-spam" | "auth-failure"))
    }
}

/// Reads the feedback report, if the message has one.
pub fn reported(message: &Read<'_>) -> Option<Complaint> {
    message.part(&["message/feedback-report"]).map(report)
}

/// Reads the complaint, if the message has the form of a provider that sends no feedback reports. No word of a subject makes
/// one: "your monthly spam report" may be the subject of a mail that bounced, or of an automatic answer to it.
pub fn in_providers_form(message: &Read<'_>) -> Option<Complaint> {
    attached(message).or_else(|| quoted(message))
}

/// Reads the part.
pub fn report(part: &[u8]) -> Complaint {
    let fields = parse::header_fields(part.trim_ascii_start());
    let get = |names: &[&str]| {
        let field = fields.iter().find(|field| names.iter().any(|name| field.name.eq_ignore_ascii_case(name)))?;
        Some(line(&field.value)).filter(|value| !value.is_empty())
    };
    let feedback_type = get(&["Feedback-Type"]).map(|kind| {
        let kind = kind.to_ascii_lowercase();
        if TYPES.contains(&kind.as_str()) { kind } else { "other".to_owned() }
    });
    let recipient = get(&["Original-Rcpt-To", "Removal-Recipient"]);
    Complaint {
        feedback_type,
        user_agent: get(&["User-Agent"]),
        // AOL and Yahoo wrote Received-Date, as drafts of the RFC had it.
        arrival: get(&["Arrival-Date", "Received-Date"]).and_then(|date| time(&date)),
        recipient: recipient.map(|address| address.trim_matches(['<', '>', ' ']).to_owned()),
    }
}

/// A mail attached to a message of Microsoft's, or whose attached header has the field that names who complained.
fn attached(message: &Read<'_>) -> Option<Complaint> {
    let mail = message.part(&["message/rfc822"])?;
    let returned = parse::header_fields(mail);
    let recipient = RECIPIENT_FIELDS.iter().find_map(|name| {
        let field = returned.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
        Some(line(field.value.trim_matches(['<', '>', ' '])))
    });
    let from = message.field("From").unwrap_or_default().to_ascii_lowercase();
    let jmrp = from.contains("staff@hotmail.com") || from.contains("staff@outlook.com");
    let named = returned.iter().any(|field| field.name.eq_ignore_ascii_case("X-HmXmrOriginalRecipient"));
    // A mail of ours that was complained of may carry the field when it bounces.
    let bounced =
        || (message.null || from_server(message)) && (loose::tells(message) || loose::read(message).is_some());
    (jmrp || named && !bounced()).then_some(Complaint {
        feedback_type: Some("abuse".to_owned()),
        user_agent: None,
        arrival: None,
        recipient,
    })
}

/// A text of SpamCop, which quotes the mail with its header.
fn quoted(message: &Read<'_>) -> Option<Complaint> {
    let from = message.field("From").unwrap_or_default().to_ascii_lowercase();
    let subject = message.field("Subject").unwrap_or_default().trim_start();
    let spamcop = from.contains("@reports.spamcop.net") && subject.starts_with("[SpamCop");
    spamcop.then(|| Complaint {
        feedback_type: Some("abuse".to_owned()),
        user_agent: message.field("X-Mailer").map(line),
        arrival: None,
        recipient: None,
    })
}

fn time(date: &str) -> Option<Timestamp> {
    // The parser takes dates of its own accord; a year out of sight is none.
    let date = std::panic::catch_unwind(|| DateTime::parse_rfc822(date)).ok()??;
    let fine = (1970..=9999).contains(&date.year) && date.is_valid();
    fine.then(|| Timestamp::from_secs(date.to_timestamp()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::feedback::letter::{self, Letter};

    #[test]
    fn a_feedback_report_is_read() {
        let complaint = report(
            b"Feedback-Type: Abuse\r\nUser-Agent: Some/1.0\r\nVersion: 1\r\nOriginal-Rcpt-To: <bob@there.example>\r\n\
              Arrival-Date: Fri, 15 Jan 2027 08:00:00 +0000\r\n",
        );
        assert_eq!(complaint.feedback_type.as_deref(), Some("abuse"));
        assert_eq!(
            (complaint.user_agent.as_deref(), complaint.recipient.as_deref()),
            (Some("Some/1.0"), Some("bob@there.example"))
        );
        assert_eq!(complaint.arrival, Some(Timestamp::from_secs(1_800_000_000)));
        assert!(complaint.is_unwanted() && !report(b"Feedback-Type: not-spam\r\n").is_unwanted());
        assert_eq!(report(b"Feedback-Type: opt-out\r\n").feedback_type.as_deref(), Some("other"));
    }

    #[test]
    fn an_attached_mail_that_names_who_complained_is_a_complaint() {
        let raw =
            b"From: staff@hotmail.com\r\nSubject: complaint about message from 192.0.2.1\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n\
            X-HmXmrOriginalRecipient: bob@there.example\r\nSubject: hello\r\n\r\nhi\r\n--m--\r\n";
        let Letter::Complaint(complaint) = letter::read(raw, false) else { panic!("a complaint") };
        assert_eq!(
            (complaint.feedback_type.as_deref(), complaint.recipient.as_deref()),
            (Some("abuse"), Some("bob@there.example"))
        );
    }

    #[test]
    fn a_bounce_whose_copy_has_the_field_is_a_bounce() {
        let raw = b"From: MAILER-DAEMON@q.example\r\nSubject: failure notice\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: text/plain\r\n\r\n\
            <gone@q.example>:\r\nSorry, no mailbox here by that name. (#5.1.1)\r\n\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n\
            X-HmXmrOriginalRecipient: bob@there.example\r\nSubject: hello\r\n\r\nhi\r\n--m--\r\n";
        assert!(matches!(letter::read(raw, true), Letter::Status(_)));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_trouble(raw in prop::collection::vec(any::<u8>(), 0..300), date in "\\PC{0,40}") {
            let complaint = report(&raw);
            prop_assert!(complaint.user_agent.is_none_or(|agent| !agent.contains(['\r', '\n'])));
            let _ = time(&date);
        }
    }
}
