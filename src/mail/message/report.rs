//! Delivery status notifications (RFC 3464) and feedback reports (RFC 5965), as we write them.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::base::{EmailAddress, Timestamp, ids};
use crate::mail::message::{Error, headers, parse};

/// A report: a part for people, one for programs, and headers of the mail that it is about.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// Who it comes from.
    pub from: (&'a str, &'a EmailAddress),
    /// Who it goes to.
    pub to: &'a EmailAddress,
    /// The Message-ID of the mail that it answers; left out where it cannot stand in a header.
    pub in_reply_to: Option<&'a str>,
    /// Its subject.
    pub subject: &'a str,
    /// The text for people.
    pub text: &'a str,
    /// `delivery-status` or `feedback-report`: the part for programs is `message/` this.
    pub kind: &'a str,
    /// Its fields: groups, with an empty line between them. Names are ours; values may come from outside.
    pub groups: Vec<Vec<(String, String)>>,
    /// Headers of the mail that it is about.
    pub returned: Vec<(String, String)>,
}

/// Octets of returned headers.
const RETURNED_MAX: usize = 8 * 1024;
/// Characters of a value.
const VALUE_MAX: usize = 900;

impl Report<'_> {
    /// The message; Date and Message-ID are stamped when it is queued.
    ///
    /// # Errors
    /// An address that cannot stand in a header.
    pub fn write(&self) -> Result<Vec<u8>, Error> {
        let boundary = format!("=_{}", ids::token(30));
        let mut out = Vec::new();
        headers::mailboxes(&mut out, "From", [(Some(self.from.0), self.from.1.as_str())])?;
        headers::mailboxes(&mut out, "To", [(None, self.to.as_str())])?;
        headers::unstructured(&mut out, "Subject", self.subject)?;
        if let Some(original) = self.in_reply_to.filter(|text| is_message_id(text)) {
            headers::unstructured(&mut out, "In-Reply-To", original)?;
        }
        headers::unstructured(&mut out, "Auto-Submitted", "auto-replied")?;
        headers::unstructured(&mut out, "MIME-Version", "1.0")?;
        let parameters = [("report-type", self.kind), ("boundary", boundary.as_str())];
        headers::with_parameters(&mut out, "Content-Type", "multipart/report", &parameters)?;
        let mut body = format!("\r\n--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n");
        body.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
        let encoded = STANDARD.encode(self.text);
        for line in encoded.as_bytes().chunks(76) {
            body.push_str(&String::from_utf8_lossy(line));
            body.push_str("\r\n");
        }
        body.push_str(&format!("\r\n--{boundary}\r\nContent-Type: message/{}\r\n", self.kind));
        for group in &self.groups {
            body.push_str("\r\n");
            for (name, value) in group {
                body.push_str(&format!("{name}: {}\r\n", clean(value)));
            }
        }
        body.push_str(&format!("\r\n--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n"));
        let mut room = RETURNED_MAX;
        for (name, value) in &self.returned {
            let line = format!("{}: {}\r\n", clean(name), clean(value));
            let Some(left) = room.checked_sub(line.len()) else { break };
            room = left;
            body.push_str(&line);
        }
        body.push_str(&format!("\r\n--{boundary}--\r\n"));
        out.extend_from_slice(body.as_bytes());
        Ok(out)
    }
}

/// A delivery status notification (RFC 3464).
#[derive(Clone, Debug)]
pub struct StatusReport<'a> {
    /// Who it comes from.
    pub from: &'a EmailAddress,
    /// Who it goes to.
    pub to: &'a EmailAddress,
    /// See [`Report::in_reply_to`].
    pub in_reply_to: Option<&'a str>,
    /// What it says to people, below the recipients.
    pub explanation: Option<&'a str>,
    /// `dns; HOST`: who reports it.
    pub reporting_mta: String,
    /// When the mail arrived.
    pub arrival: Timestamp,
    /// More fields about the mail, each a name and a value.
    pub more: Vec<(String, String)>,
    /// The recipients.
    pub recipients: Vec<StatusOf>,
    /// The mail that it is about, of which it returns the header.
    pub original: &'a [u8],
}

/// What a report says of a recipient (RFC 3464, 2.3).
#[derive(Clone, Debug)]
pub struct StatusOf {
    /// The address.
    pub address: EmailAddress,
    /// `failed`, `delayed`, ...
    pub action: String,
    /// The enhanced status code.
    pub status: String,
    /// `dns; HOST`.
    pub remote_mta: Option<String>,
    /// `smtp; ...`.
    pub diagnostic: Option<String>,
    /// More fields, each a name and a value.
    pub more: Vec<(String, String)>,
}

impl StatusReport<'_> {
    /// The message; Date and Message-ID are stamped when it is queued.
    ///
    /// # Errors
    /// Those of [`Report::write`].
    pub fn write(self) -> Result<Vec<u8>, Error> {
        let mut text = "Your message was not delivered to:\r\n\r\n".to_owned();
        let mut mail =
            vec![("Reporting-MTA".to_owned(), self.reporting_mta), ("Arrival-Date".to_owned(), self.arrival.rfc2822())];
        mail.extend(self.more);
        let mut groups = vec![mail];
        for recipient in self.recipients {
            text.push_str(&format!("    {}\r\n", recipient.address));
            let mut group = vec![
                ("Final-Recipient".to_owned(), format!("rfc822; {}", recipient.address)),
                ("Action".to_owned(), recipient.action),
                ("Status".to_owned(), recipient.status),
            ];
            group.extend(recipient.remote_mta.map(|mta| ("Remote-MTA".to_owned(), mta)));
            group.extend(recipient.diagnostic.map(|code| ("Diagnostic-Code".to_owned(), code)));
            group.extend(recipient.more);
            groups.push(group);
        }
        if let Some(explanation) = self.explanation {
            text.push_str(&format!("\r\n{explanation}\r\n"));
        }
        let fields = parse::header_fields(self.original);
        let report = Report {
            from: ("Mail Delivery System", self.from),
            to: self.to,
            in_reply_to: self.in_reply_to,
            subject: "Delivery Status Notification (Failure)",
            text: &text,
            kind: "delivery-status",
            groups,
            returned: fields.into_iter().map(|field| (field.name, field.value)).collect(),
        };
        report.write()
    }
}

fn is_message_id(text: &str) -> bool {
    text.len() <= 500
        && text.starts_with('<')
        && text.ends_with('>')
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// One line of ASCII: nothing from outside ends a line or makes one too long.
fn clean(text: &str) -> String {
    let fine = |c: char| if c.is_ascii() && !c.is_control() { c } else { '?' };
    text.chars().map(fine).take(VALUE_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_message_of_three_parts_and_nothing_breaks_its_lines() {
        let (from, to) = ("daemon@our.example".parse().expect("good"), "ann@x.example".parse().expect("good"));
        let report = Report {
            from: ("Mail Delivery System", &from),
            to: &to,
            in_reply_to: Some("<no\r\nX: id>"),
            subject: "Delivery Status Notification (Failure)",
            text: "Jürgen's mailbox is gone",
            kind: "delivery-status",
            groups: vec![
                vec![("Reporting-MTA".to_owned(), "dns; our.example".to_owned())],
                vec![("Diagnostic-Code".to_owned(), "smtp; 550 no\r\nBcc: x@y.example".to_owned())],
            ],
            returned: vec![("Subject".to_owned(), "hi\nX: y".to_owned()), ("Long".to_owned(), "y".repeat(10_000))],
        };
        let raw = report.write().expect("a message");
        let parsed = mail_parser::MessageParser::default().parse(&raw).expect("a message");
        assert_eq!(parsed.parts.len(), 4);
        assert_eq!(parsed.body_text(0).as_deref().map(str::trim), Some("Jürgen's mailbox is gone"));
        let text = String::from_utf8(raw).expect("ascii");
        assert!(text.contains("Diagnostic-Code: smtp; 550 no??Bcc: x@y.example\r\n"), "{text}");
        assert!(text.contains("\r\nSubject: hi?X: y\r\n") && text.lines().all(|line| line.len() < 998));
    }
}
