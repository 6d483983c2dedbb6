//! Files of addresses for suppression lists, as SES's import jobs read them: CSV without a head, or a JSON object on each line.
//!
//! Where addresses are added, a record is an address and a reason (`a@x.example,BOUNCE`, or `{"emailAddress": "a@x.example",
//! "reason": "BOUNCE"}`); where they are taken off, the address alone is enough (SES guide, "Using the account-level
//! suppression list").
use serde::Deserialize;

use crate::base::EmailAddress;
use crate::store::import_jobs::{ImportAction, ImportFormat};
use crate::store::suppressed::{Reason, Suppressed};

/// SES: addresses in one object.
pub const RECORDS_MAX: usize = 100_000;
/// Octets of one object: as many addresses as there may be, each as long as it can be, fit.
pub const OCTETS_MAX: usize = 48 * 1024 * 1024;
/// What is shown of a record that is none.
const SHOWN: usize = 400;

/// A record: the address in lower case, and the reason (where addresses are taken off, of no account).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The address.
    pub address: String,
    /// Why it is on the list.
    pub reason: Reason,
}

/// A line that is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Which line of the file, from 1.
    pub line: usize,
    /// What stands there.
    pub text: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonRecord {
    email_address: String,
    reason: Option<String>,
}

/// The lines of a file that are not empty, each with its number. `None`: it has more than there may be, or is no text.
pub fn lines(data: &[u8]) -> Option<Vec<(usize, &str)>> {
    let text = std::str::from_utf8(data).ok()?.trim_start_matches('\u{feff}');
    let full = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let lines: Vec<(usize, &str)> = full.take(RECORDS_MAX + 1).collect();
    (lines.len() <= RECORDS_MAX).then_some(lines)
}

/// Reads one line.
pub fn record((line, text): (usize, &str), format: ImportFormat, action: ImportAction) -> Result<Record, Failed> {
    read(text, format, action).map_err(|problem| Failed { line, text: text.chars().take(SHOWN).collect(), problem })
}

fn read(text: &str, format: ImportFormat, action: ImportAction) -> Result<Record, &'static str> {
    let (address, reason) = match format {
        ImportFormat::Csv => {
            let mut fields = fields(text).ok_or("a quotation mark is not closed")?.into_iter();
            let address = fields.next().unwrap_or_default();
            (address, fields.next().filter(|reason| !reason.is_empty()))
        }
        ImportFormat::Json => {
            let record: JsonRecord =
                serde_json::from_str(text).map_err(|_| "not a JSON object with emailAddress and reason")?;
            (record.email_address, record.reason)
        }
    };
    let address: EmailAddress = address.trim().parse().map_err(|_| "not an email address")?;
    let reason = match (reason, action) {
        (Some(reason), _) => {
            reason.trim().to_ascii_uppercase().parse().map_err(|_| "the reason is not BOUNCE or COMPLAINT")?
        }
        (None, ImportAction::Put) => return Err("the reason is missing"),
        (None, ImportAction::Delete) => Reason::Bounce,
    };
    Ok(Record { address: address.folded(), reason })
}

/// The fields of a line (RFC 4180, without line ends in fields). `None`: a field is not closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (vec![], String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.trim().is_empty() => {
                field.clear();
                quoted = true;
            }
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    (!quoted).then(|| fields.iter().map(|field| field.trim().to_owned()).collect())
}

/// One field of CSV.
fn field(text: &str) -> String {
    if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// An entry of a list as a line that [`record`] reads; the third field says since when.
pub fn line(entry: &Suppressed) -> String {
    format!("{},{},{}", field(&entry.address), entry.reason.as_str(), entry.updated_at.iso_millis())
}

/// What is told of records that failed: CSV of line, problem and text.
pub fn report(failed: &[Failed]) -> String {
    let line = |failed: &Failed| {
        let text: String = failed.text.chars().filter(|c| !c.is_control()).collect();
        format!("{},{},{}\n", failed.line, field(failed.problem), field(&text))
    };
    format!("line,problem,record\n{}", failed.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Timestamp;

    #[test]
    fn records_are_read_as_ses_reads_them() {
        let csv = |text, action| record((1, text), ImportFormat::Csv, action).map(|r| (r.address, r.reason.as_str()));
        assert_eq!(csv("Ann@X.example, COMPLAINT", ImportAction::Put), Ok(("ann@x.example".to_owned(), "COMPLAINT")));
        assert_eq!(csv("\"a@x.example\",\"BOUNCE\"", ImportAction::Put), Ok(("a@x.example".to_owned(), "BOUNCE")));
        assert_eq!(csv("a@x.example,complaint", ImportAction::Put), Ok(("a@x.example".to_owned(), "COMPLAINT")));
        assert_eq!(csv("a@x.example", ImportAction::Delete), Ok(("a@x.example".to_owned(), "BOUNCE")));
        let json = r#"{"emailAddress": "a@x.example", "reason": "BOUNCE"}"#;
        assert!(record((1, json), ImportFormat::Json, ImportAction::Put).is_ok());
        assert!(record((1, r#"{"emailAddress": "a@x.example"}"#), ImportFormat::Json, ImportAction::Delete).is_ok());
        for (text, problem) in [
            ("a@x.example", "the reason is missing"),
            ("a@x.example,SPAM", "the reason is not BOUNCE or COMPLAINT"),
            ("nobody,BOUNCE", "not an email address"),
            ("\"a@x.example,BOUNCE", "a quotation mark is not closed"),
        ] {
            let failed = record((7, text), ImportFormat::Csv, ImportAction::Put).expect_err(text);
            assert_eq!((failed.line, failed.problem), (7, problem));
        }
        assert!(record((1, "a@x.example,BOUNCE"), ImportFormat::Json, ImportAction::Put).is_err());
    }

    #[test]
    fn a_file_has_so_many_lines_and_is_text() {
        assert_eq!(lines("\u{feff}a\r\n\r\n  \nb".as_bytes()), Some(vec![(1, "a"), (4, "b")]));
        assert_eq!(lines(&[0xff, 0xfe]), None);
        assert_eq!(lines("a\n".repeat(RECORDS_MAX).as_bytes()).map(|lines| lines.len()), Some(RECORDS_MAX));
        assert_eq!(lines("a\n".repeat(RECORDS_MAX + 1).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn nothing_breaks_the_reader_and_what_is_written_is_read_again(text in "\\PC{0,80}", local in "[a-z\"]{1,8}") {
            let _ = record((1, &text), ImportFormat::Csv, ImportAction::Put);
            let _ = record((1, &text), ImportFormat::Json, ImportAction::Put);
            if let Ok(address) = format!("{local}@x.example").parse::<EmailAddress>() {
                let entry = Suppressed {
                    address: address.folded(),
                    reason: Reason::Complaint,
                    feedback_id: None,
                    message_id: None,
                    updated_at: Timestamp::from_secs(1),
                };
                let read = record((1, &line(&entry)), ImportFormat::Csv, ImportAction::Put).expect("our own line");
                prop_assert_eq!((read.address, read.reason), (entry.address, entry.reason));
            }
        }
    }
}
