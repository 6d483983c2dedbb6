//! Records as lines of a zone file (RFC 1035, 5.1), as BIND reads it.
use std::fmt::Write;

use hickory_resolver::proto::rr::Name;

use crate::mail::published::DnsRecord;

/// How long others may remember a record, in seconds.
const TTL: u32 = 3_600;
/// The longest string of a TXT record, in octets (RFC 1035, 3.3).
const STRING_MAX: usize = 255;

/// The line of a record. A record whose value is not known is a comment.
pub fn line(record: &DnsRecord) -> String {
    let name = absolute(&record.name);
    let value = match record.kind {
        "TXT" => texts(&record.value),
        "MX" => match record.value.split_once(' ') {
            Some((preference, host)) => format!("{preference} {}", absolute(host)),
            None => absolute(&record.value),
        },
        "CNAME" | "PTR" => absolute(&record.value),
        _ if record.value.is_empty() => return format!("; {name} {TTL} IN {} ...", record.kind),
        _ => record.value.clone(),
    };
    format!("{name} {TTL} IN {} {value}", record.kind)
}

/// A name with the dot at its end, in ASCII (RFC 5890).
fn absolute(name: &str) -> String {
    let name = name.trim_end_matches('.');
    let ascii = Name::from_utf8(name).map(|name| name.to_ascii()).unwrap_or_else(|_| name.to_owned());
    format!("{}.", ascii.trim_end_matches('.'))
}

/// A text in strings of at most 255 octets, each quoted.
fn texts(value: &str) -> String {
    let strings: Vec<String> = value.as_bytes().chunks(STRING_MAX).map(quoted).collect();
    if strings.is_empty() { "\"\"".to_owned() } else { strings.join(" ") }
}

/// A string in quotes. What is no printed ASCII is written as a number: on a terminal it does nothing.
pub fn quoted(string: &[u8]) -> String {
    let mut text = String::from("\"");
    for octet in string {
        // Writing to a String cannot fail.
        let _ = match octet {
            b'"' | b'\\' => write!(text, "\\{}", char::from(*octet)),
            b' '..=b'~' => write!(text, "{}", char::from(*octet)),
            other => write!(text, "\\{other:03}"),
        };
    }
    text + "\""
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::published::{Need, Purpose};

    #[test]
    fn records_are_written_as_zone_files_have_them() {
        let line = |name: &str, kind: &'static str, value: &str| {
            let (name, value) = (name.to_owned(), value.to_owned());
            let (purpose, need) = (Purpose::Verification, Need::Required);
            line(&DnsRecord { name, kind, value, in_zone: false, purpose, need })
        };
        assert_eq!(
            line("b.bücher.example", "MX", "10 mx.example"),
            "b.xn--bcher-kva.example. 3600 IN MX 10 mx.example."
        );
        assert_eq!(line("a.example.", "CNAME", "b.example"), "a.example. 3600 IN CNAME b.example.");
        assert_eq!(line("a.example", "TXT", "say \"\\\u{1b}é\""), r#"a.example. 3600 IN TXT "say \"\\\027\195\169\"""#);
        let long = line("a.example", "TXT", &"x".repeat(600));
        let strings: Vec<usize> = long.split('"').skip(1).step_by(2).map(str::len).collect();
        assert_eq!(strings, [255, 255, 90]);
        assert!(line("a.example", "A", "").starts_with("; "), "nobody knows the address");
    }
}
