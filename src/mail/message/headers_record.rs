//! What event records tell of a mail's headers: made once when the mail is accepted, kept as JSON beside it.
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::base::HeaderLine;
use crate::mail::message::mailbox::decode_words;
use crate::store::{Error, Json};

pub use crate::store::headers_record::HeadersRecord;

/// The headers in a record hold at most 10 KB; the rest is left out and `headersTruncated` says so (SES guide).
const HEADERS_LIMIT: usize = 10 * 1024;
/// The common headers are told whether or not they stand among those: so many octets of what does not fit are kept for them.
const COMMON_LIMIT: usize = 64 * 1024;
/// The headers that `commonHeaders` is made of, and its members.
const LISTS: [(&str, &str); 6] =
    [("From", "from"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc"), ("Reply-To", "replyTo"), ("Sender", "sender")];
const TEXTS: [(&str, &str); 2] = [("Date", "date"), ("Subject", "subject")];

/// Only the sender of what is kept: every mail that goes out asks for it, and not for the rest.
///
/// # Errors
/// [`Error::Corrupt`] where the record cannot be read.
pub(in crate::mail) fn source_of(record: &Json<HeadersRecord>) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct Source {
        source: Option<String>,
    }
    Ok(record.read_part::<Source>()?.source)
}

impl HeadersRecord {
    /// Takes as many of the headers as the limit allows.
    pub fn new(
        source: Option<String>,
        destination: Vec<String>,
        headers: impl IntoIterator<Item = HeaderLine>,
    ) -> Self {
        let mut record = Self { source, destination, ..Self::default() };
        let (mut room, mut room_for_common) = (HEADERS_LIMIT, COMMON_LIMIT);
        for line in headers {
            let size = line.name.len() + line.value.len();
            record.truncated |= size > room;
            if !record.truncated {
                room -= size;
                record.headers.push(line);
            } else if size <= room_for_common && is_common(&line.name) {
                room_for_common -= size;
                record.common.push(line);
            }
        }
        record
    }

    /// The `commonHeaders` object: the usual headers, decoded, address lists split, and SES's message id.
    pub fn common_headers(&self, message_id: &str) -> Value {
        let mut common = Map::new();
        for (header, member) in LISTS {
            let all: Vec<String> = self.values(header).flat_map(split_list).map(|a| decode_words(&a)).collect();
            if !all.is_empty() {
                common.insert(member.to_owned(), json!(all));
            }
        }
        for (header, member) in TEXTS {
            if let Some(value) = self.values(header).next() {
                common.insert(member.to_owned(), decode_words(value).into());
            }
        }
        common.insert("messageId".to_owned(), message_id.into());
        Value::Object(common)
    }

    /// The subject, decoded.
    pub fn subject(&self) -> Option<String> {
        self.values("Subject").next().map(decode_words)
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.headers.iter().chain(&self.common);
        all.filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value.as_str())
    }
}

fn is_common(name: &str) -> bool {
    LISTS.iter().chain(&TEXTS).any(|(common, _)| common.eq_ignore_ascii_case(name))
}

/// Splits an address list at its commas, but not inside quotes, comments or angle brackets.
fn split_list(list: &str) -> Vec<String> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
    let mut parts = vec![String::new()];
    for c in list.chars() {
        let splits = c == ',' && !quoted && depth == 0;
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' | '<' if !quoted => depth += 1,
            ')' | '>' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if splits {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts.iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, value: &str) -> HeaderLine {
        HeaderLine { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn common_headers_split_lists_and_leave_out_what_is_not_there() {
        let lines = [
            line("From", "\"A, B\" <a@x.example>"),
            line("to", "b@x.example, C <c@x.example>"),
            line("Subject", "=?UTF-8?B?SsO8cmdlbg==?= hi"),
        ];
        let record = HeadersRecord::new(None, vec![], lines);
        let common = record.common_headers("id-1");
        assert_eq!(
            common,
            json!({"from": ["\"A, B\" <a@x.example>"], "to": ["b@x.example", "C <c@x.example>"], "subject": "Jürgen hi",
                   "messageId": "id-1"})
        );
    }

    #[test]
    fn headers_beyond_ten_kilobytes_are_left_out_and_it_says_so() {
        let long = "x".repeat(6000);
        let record = HeadersRecord::new(None, vec![], [line("A", &long), line("B", &long), line("C", "short")]);
        assert!(record.truncated);
        assert_eq!(record.headers.len(), 1);
        let stored = |record: &HeadersRecord| Json::of(record).expect("JSON").read().expect("what was written");
        assert_eq!(stored(&record), record);
        let lines = [
            line("X-A", &long),
            line("X-B", &long),
            line("From", "a@x.example"),
            line("subject", &long),
            line("X-C", "c"),
        ];
        let record = stored(&HeadersRecord::new(None, vec![], lines));
        assert!(record.truncated && record.headers.len() == 1);
        assert_eq!(record.common_headers("id")["from"], json!(["a@x.example"]));
        assert_eq!(record.common_headers("id")["subject"], json!(long));
    }
}
