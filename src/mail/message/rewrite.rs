//! The header of a complete message: reading it within bounds, and what the accept door changes in it. SES overwrites
//! Message-ID and Date and takes out Bcc, Return-Path and its own X-SES-* fields; all else, the body above all, stays as it is,
//! but for line ends (`line_ends.rs`).
use std::collections::HashSet;

use crate::base::{EmailAddress, HeaderLine};
use crate::mail::message::fields::{self, FIELDS_MAX, Field, Fields, SECTION_MAX};
use crate::mail::message::line_ends;
use crate::mail::message::shape::{check_multipart, once_each};
use crate::mail::message::{Error, Mailbox};

/// What the accept door writes into the header.
pub struct Stamp<'a> {
    /// The Message-ID, with its angle brackets.
    pub message_id: &'a str,
    /// The Date (RFC 5322, 3.3).
    pub date: &'a str,
}

/// Makes the value of Feedback-ID of a message's tags, where they say so.
pub type MakeFeedbackId<'a> = dyn Fn(&[(String, String)]) -> Option<String> + 'a;

/// What the accept door knows beside the message.
#[derive(Default)]
pub struct Known<'a> {
    /// The sender of the envelope: the author of a message that is empty, which SES takes.
    pub source: Option<&'a EmailAddress>,
    /// Makes the Feedback-ID, which stands in place of the caller's own, from the message's tags.
    pub feedback_id: Option<&'a MakeFeedbackId<'a>>,
}

/// A message that is ready to go out, and what its header said.
#[derive(Debug)]
pub struct Finished {
    /// The message.
    pub raw: Vec<u8>,
    /// The fields as the caller wrote them, unfolded, for event records: also those that are overwritten, and SES's own (SES
    /// guide: `headers` has the caller's Message-ID). Who gets a blind copy stands in none.
    pub lines: Vec<HeaderLine>,
    /// The addresses in From and Sender.
    pub authors: Vec<EmailAddress>,
    /// From as it stands there.
    pub from: String,
    /// Return-Path: SES takes it as the address for bounces.
    pub return_path: Option<EmailAddress>,
    /// X-SES-CONFIGURATION-SET.
    pub configuration_set: Option<String>,
    /// X-SES-MESSAGE-TAGS.
    pub tags: Vec<(String, String)>,
    /// X-SES-LIST-MANAGEMENT-OPTIONS: the name of a contact list.
    pub contact_list: Option<String>,
    /// X-SES-TENANT: the name of a tenant.
    pub tenant: Option<String>,
    /// X-SES-SOURCE-ARN, X-SES-FROM-ARN, X-SES-RETURN-PATH-ARN.
    pub arns: [Option<String>; 3],
}

impl Finished {
    fn new(octets: usize, fields: usize) -> Self {
        Self {
            raw: Vec::with_capacity(octets + 1024),
            lines: Vec::with_capacity(fields + 2),
            authors: Vec::new(),
            from: String::new(),
            return_path: None,
            configuration_set: None,
            tags: Vec::new(),
            contact_list: None,
            tenant: None,
            arns: [None, None, None],
        }
    }
}

/// The fields of [`Finished::arns`].
const ARNS: [&str; 3] = ["X-SES-SOURCE-ARN", "X-SES-FROM-ARN", "X-SES-RETURN-PATH-ARN"];

/// Splits a message into its fields and its body (what stands after the empty line). What is sent has a strict header: only fields,
/// and in them no control but the tab.
fn split(message: &[u8]) -> Result<(Vec<Field<'_>>, &[u8]), Error> {
    let (mut fields, mut lines) = (Vec::new(), 0);
    let mut reader = Fields::of(message);
    for field in reader.by_ref() {
        if field.range().end > SECTION_MAX {
            return Err(Error::TooLong { what: "header of the message", limit: SECTION_MAX });
        }
        if fields.len() >= FIELDS_MAX {
            return Err(Error::TooLong { what: "list of header fields", limit: FIELDS_MAX });
        }
        for line in fields::lines(field.raw()) {
            lines += 1;
            // Some readers take a form feed or the like for a line end, and so a piece of a value for a field.
            if fields::without_end(line).iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
                return Err(Error::BrokenHeader(lines));
            }
        }
        if field.name().is_none() {
            return Err(Error::BrokenHeader(lines));
        }
        fields.push(field);
    }
    Ok((fields, reader.body()))
}

/// Whether a field does not go out as it is.
fn is_taken_out(field: &Field<'_>) -> bool {
    ["Message-ID", "Date", "Bcc", "Resent-Bcc", "Return-Path"].iter().any(|name| field.is(name))
        || field.name().and_then(|name| name.get(..6)).is_some_and(|start| start.eq_ignore_ascii_case("X-SES-"))
}

/// Stamps the message and takes out what may not go out.
pub fn finish(message: &[u8], stamp: &Stamp<'_>) -> Result<Finished, Error> {
    finish_knowing(message, stamp, &Known::default())
}

/// [`finish`], with what is known beside the message.
pub fn finish_knowing(message: &[u8], stamp: &Stamp<'_>, known: &Known<'_>) -> Result<Finished, Error> {
    let (fields, body) = split(message)?;
    let mut done = Finished::new(message.len(), fields.len());
    if let (true, Some(source)) = (message.is_empty(), known.source) {
        // Event records tell what the caller gave: no header (recorded of SES).
        done.raw.extend_from_slice(format!("From: {source}\r\n").as_bytes());
        done.from = source.to_string();
        done.authors.push(source.clone());
    }
    once_each(&fields)?;
    check_multipart(&fields, body)?;
    read_fields(&fields, &mut done)?;
    if done.from.is_empty() || done.authors.is_empty() {
        return Err(Error::NoFrom);
    }
    let own = known.feedback_id.and_then(|make| make(&done.tags));
    write_fields(&fields, own.is_some(), &mut done.raw);
    if let Some(own) = own {
        done.raw.extend_from_slice(format!("Feedback-ID: {own}\r\n").as_bytes());
    }
    for (name, value) in [("Date", stamp.date), ("Message-ID", stamp.message_id)] {
        done.raw.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    done.raw.extend_from_slice(b"\r\n");
    line_ends::push(&mut done.raw, body);
    Ok(done)
}

/// What the header says to us.
fn read_fields(fields: &[Field<'_>], done: &mut Finished) -> Result<(), Error> {
    for field in fields {
        let value = field.value();
        if !["Bcc", "Resent-Bcc", "Return-Path"].iter().any(|name| field.is(name)) {
            done.lines.push(HeaderLine { name: field.name().unwrap_or_default().to_owned(), value: value.clone() });
        }
        for (arn, _) in done.arns.iter_mut().zip(ARNS).filter(|(_, name)| field.is(name)) {
            *arn = Some(field.value()).filter(|value| !value.is_empty());
        }
        if field.is("X-SES-LIST-MANAGEMENT-OPTIONS") {
            // `LIST; topic=TOPIC`.
            let list = field.value().split(';').next().map(|list| list.trim().to_owned());
            done.contact_list = list.filter(|list| !list.is_empty());
        } else if field.is("X-SES-TENANT") {
            done.tenant = Some(field.value()).filter(|name| !name.is_empty());
        }
        if field.is("X-SES-CONFIGURATION-SET") {
            done.configuration_set = Some(field.value()).filter(|name| !name.is_empty());
        } else if field.is("X-SES-MESSAGE-TAGS") {
            done.tags.extend(tags(&field.value())?);
        } else if field.is("Return-Path") {
            done.return_path = Mailbox::parse_list(&field.value())?.into_iter().next();
        }
        if is_taken_out(field) {
            continue;
        }
        if field.is("From") || field.is("Sender") {
            done.authors.extend(Mailbox::parse_authors(&value)?);
        }
        if field.is("From") {
            done.from = value;
        }
    }
    Ok(())
}

/// The fields as they go out, without those that we write.
fn write_fields(fields: &[Field<'_>], feedback_id: bool, raw: &mut Vec<u8>) {
    let ours = |field: &Field<'_>| is_taken_out(field) || (feedback_id && field.is("Feedback-ID"));
    for field in fields.iter().filter(|field| !ours(field)) {
        line_ends::push(raw, field.raw());
        raw.extend_from_slice(b"\r\n");
    }
}

/// The recipients that a message names in To, Cc and Bcc, in that order of appearance, each once.
pub fn recipients(message: &[u8]) -> Result<Vec<EmailAddress>, Error> {
    let (fields, _) = split(message)?;
    // A set beside the list: a header has room for tens of thousands.
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for field in fields.iter().filter(|f| f.is("To") || f.is("Cc") || f.is("Bcc")) {
        let addresses = Mailbox::parse_list(&field.value())?;
        all.extend(addresses.into_iter().filter(|address| seen.insert(address.clone())));
    }
    Ok(all)
}

/// The first address in From.
pub fn author(message: &[u8]) -> Result<EmailAddress, Error> {
    let (fields, _) = split(message)?;
    let from = fields.iter().find(|f| f.is("From")).ok_or(Error::NoFrom)?;
    Mailbox::parse_authors(&from.value())?.into_iter().next().ok_or(Error::NoFrom)
}

/// `name=value, name=value` (SES guide, X-SES-MESSAGE-TAGS).
fn tags(value: &str) -> Result<Vec<(String, String)>, Error> {
    let pairs = value.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            pair.split_once('=').map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())).ok_or(Error::BrokenTags)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STAMP: Stamp<'static> = Stamp { message_id: "<id@host>", date: "Fri, 02 Jan 2026 03:04:05 +0000" };

    #[test]
    fn the_header_is_stamped_and_cleaned_and_the_rest_stays() {
        let raw = b"From: Ann\r\n <a@x.example>\r\nTo: b@y.example\r\nBCC: c@z.example,\r\n d@z.example\r\nDate: old\r\n\
            message-id: <old@x>\r\nReturn-Path: <e@x.example>\r\nX-SES-CONFIGURATION-SET: set\r\nX-Ses-Message-Tags: k=v, k2=v2\r\nX-Odd:  two  spaces \r\n\r\n\
            body\r\n.\r\n  \r\n";
        let done = finish(raw, &STAMP).expect("good");
        let text = String::from_utf8(done.raw).expect("ascii");
        assert_eq!(
            text,
            "From: Ann\r\n <a@x.example>\r\nTo: b@y.example\r\nX-Odd:  two  spaces \r\n\
             Date: Fri, 02 Jan 2026 03:04:05 +0000\r\nMessage-ID: <id@host>\r\n\r\nbody\r\n.\r\n  \r\n"
        );
        assert_eq!(done.configuration_set.as_deref(), Some("set"));
        assert_eq!(done.tags, [("k".to_owned(), "v".to_owned()), ("k2".to_owned(), "v2".to_owned())]);
        assert_eq!(done.from, "Ann <a@x.example>");
        assert_eq!(done.authors.iter().map(EmailAddress::as_str).collect::<Vec<_>>(), ["a@x.example"]);
        assert_eq!(done.return_path.as_ref().map(EmailAddress::as_str), Some("e@x.example"));
        // What is overwritten is told to the caller, who wrote it.
        let names: Vec<&str> = done.lines.iter().map(|line| line.name.as_str()).collect();
        let ses = ["X-SES-CONFIGURATION-SET", "X-Ses-Message-Tags"];
        assert_eq!(names, ["From", "To", "Date", "message-id", ses[0], ses[1], "X-Odd"]);
        assert_eq!(done.lines[2].value, "old");
    }

    #[test]
    fn recipients_are_read_from_to_cc_and_bcc_each_once() {
        let raw = b"From: a@x.example\nTo: b@y.example, B <b@y.example>\nCc: c@y.example\nBcc: d@y.example\n\nbody";
        let found = recipients(raw).expect("good");
        assert_eq!(
            found.iter().map(EmailAddress::as_str).collect::<Vec<_>>(),
            ["b@y.example", "c@y.example", "d@y.example"]
        );
        assert_eq!(author(raw).expect("good").as_str(), "a@x.example");
    }

    #[test]
    fn what_is_no_header_is_refused() {
        for bad in [
            &b""[..],
            b"no colon\r\n\r\nbody",
            b" folded first\r\n\r\n",
            b"From a@x.example\r\n\r\n",
            b": no name\r\n\r\n",
            b"From: a@x.example\r\nX: bare\rcr\r\n\r\n",
            b"From: a@x.example\r\nX: nul\0\r\n\r\n",
            b"From: a@x.example\r\nX: a\x0bFrom: b@y.example\r\n\r\n",
            b"From: a@x.example\r\nX: a\x1cFrom: b@y.example\r\n\r\n",
            b"From: a@x.example\r\nfrom: b@x.example\r\n\r\n",
            b"From: a@x.example\r\nSender: b@x.example\r\nSENDER: c@x.example\r\n\r\n",
            b"From: b@y.example <a@\r\n x.example>\r\n\r\n",
            b"To: b@y.example\r\n\r\nno from",
            b"From: not an address\r\n\r\n",
            b"From: a@x.example\r\nX-SES-MESSAGE-TAGS: broken\r\n\r\n",
            b"From: a@x.example\r\nSubject: a\r\nsubject: b\r\n\r\n",
            b"From: a@x.example\r\nMessage-ID: <a@x>\r\nMessage-Id: <b@x>\r\n\r\n",
            b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\nno part\r\n--bc\r\n--b--\r\n",
        ] {
            assert!(finish(bad, &STAMP).is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
        for good in [
            &b"From: a@x.example\r\nReceived: a\r\nReceived: b\r\nX: a\r\nX: b\r\nTo: a@b.example\r\nTo: c@d.example\r\n\r\n"[..],
            b"From: a@x.example\r\nContent-Type: multipart/mixed; boundary=\"a b\"\n\npre\n--a b \n\npart\n",
            b"From: a@x.example\r\nContent-Type: multipart/mixed\r\n\r\nno boundary named",
            b"From: a@x.example\r\nContent-Type: text/plain; boundary=b\r\n\r\ntext",
        ] {
            assert!(finish(good, &STAMP).is_ok(), "{:?}", String::from_utf8_lossy(good));
        }
        let many = format!("{}From: a@x.example\r\n\r\n", "X: y\r\n".repeat(2000));
        assert!(matches!(finish(many.as_bytes(), &STAMP), Err(Error::TooLong { .. })));
        let long = format!("X: {}\r\nFrom: a@x.example\r\n\r\n", "y".repeat(300_000));
        assert!(matches!(finish(long.as_bytes(), &STAMP), Err(Error::TooLong { .. })));
    }

    proptest! {
        /// Any body with CRLF line ends comes out byte for byte.
        #[test]
        fn a_body_with_good_line_ends_is_not_touched(body in "([^\r\n]{0,80}\r\n){0,20}[^\r\n]{0,20}", more in any::<Vec<u8>>()) {
            let more: Vec<u8> = more.into_iter().filter(|b| *b != b'\r' && *b != b'\n').collect();
            let raw = [b"From: a@x.example\r\n\r\n".as_slice(), body.as_bytes(), &more].concat();
            let done = finish(&raw, &STAMP).expect("good");
            prop_assert!(done.raw.ends_with(&[b"\r\n\r\n".as_slice(), body.as_bytes(), &more].concat()));
        }

        /// Whatever comes in, no CR or LF stands alone in what goes out.
        #[test]
        fn no_line_end_stands_alone(body in "[a\r\n]{0,60}") {
            let raw = [b"From: a@x.example\n\n".as_slice(), body.as_bytes()].concat();
            let done = finish(&raw, &STAMP).expect("good");
            let text = String::from_utf8(done.raw).expect("ascii").replace("\r\n", "");
            prop_assert!(!text.contains(['\r', '\n']));
        }

        /// No bytes make it panic.
        #[test]
        fn any_bytes_are_read_or_refused(raw in any::<Vec<u8>>()) {
            let _ = finish(&raw, &STAMP);
            let _ = recipients(&raw);
        }
    }
}
