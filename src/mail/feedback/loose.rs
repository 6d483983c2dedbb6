//! Bounces that do not follow RFC 3464: qmail's text, Exim's and Google's field, Exchange's and everybody's own words.
//! Told from other mail by who writes and by the subject or well-known sentences; the reason is looked for in the text
//! before the copy of the original.
use crate::mail::feedback::automatic::from_server;
use crate::mail::feedback::classify;
use crate::mail::feedback::letter::{Action, Fate, Read, Report, line};

/// Octets of the text that are read.
const TEXT_MAX: usize = 64 * 1024;
/// Lines that follow the one with a reason and belong to it.
const MORE_LINES: usize = 2;
/// In subjects of bounces, in lower case.
const SUBJECTS: [&str; 16] = [
    "undeliver",
    "delivery status notification",
    "delivery failure",
    "delivery failed",
    "mail delivery",
    "failure notice",
    "returned mail",
    "returned to sender",
    "delivery report",
    "non remis",
    "unzustellbar",
    "nicht zugestellt",
    "message status - undeliverable",
    "mail could not be delivered",
    "rejected mail",
    "delivery notification",
];
/// In texts of bounces, in lower case.
const SENTENCES: [&str; 14] = [
    "this is the qmail-send program",
    "this message was created automatically by mail delivery software",
    "could not be delivered",
    "couldn't be delivered",
    "wasn't able to deliver",
    "was not able to deliver",
    "wasn't delivered to",
    "was undeliverable",
    "permanent fatal errors",
    "permanent error",
    "permanently rejected",
    "delivery to the following recipient",
    "i'm sorry to have to inform you",
    "your message did not reach",
];
/// In subjects and texts of delays, in lower case.
const DELAYS: [&str; 8] = [
    "delivery status notification (delay)",
    "delayed mail",
    "will be retried",
    "will continue to be attempted",
    "still being retried",
    "has been delayed",
    "no action is required on your part",
    "warning: could not send message",
];
/// From where on the text is a copy of the original, in lower case.
const COPIES: [&str; 12] = [
    "below this line is a copy of the message",
    "this is a copy of the message",
    "this is a copy of your message",
    "\noriginal message",
    "---original message",
    "--- original message",
    "\noriginal headers",
    "message header follows",
    "unsent message below",
    "unsent message follows",
    "message contents follow",
    "\nreceived: from ",
];

/// Reads such a bounce, if the message is one.
pub fn read(message: &Read<'_>) -> Option<Report> {
    let text = before_copy(message.text());
    let lower = text.to_lowercase();
    let subject = message.field("Subject").unwrap_or_default().to_lowercase();
    let named = message.field("X-Failed-Recipients");
    let words = SUBJECTS.iter().any(|word| subject.contains(word)) || SENTENCES.iter().any(|word| lower.contains(word));
    // A person may write any of these words; a server writes with the null sender or from a well-known name.
    let server = message.null || from_server(message);
    if !server || !(words || named.is_some()) {
        return None;
    }
    let addresses = match named {
        Some(list) => list.split(',').map(|address| line(address.trim())).take(60).collect(),
        None => addresses(text),
    };
    let delayed = DELAYS.iter().any(|word| subject.contains(word) || lower.contains(word));
    let diagnostic = reason(text);
    let status = diagnostic.as_deref().and_then(classify::enhanced).map(str::to_owned);
    let action = if delayed { Action::Delayed } else { Action::Failed };
    Some(Report { reporting_mta: None, recipients: vec![Fate { addresses, action, status, diagnostic }] })
}

/// The text up to where the original is copied.
fn before_copy(text: &str) -> &str {
    let text = text.get(..text.floor_char_boundary(text.len().min(TEXT_MAX))).unwrap_or_default();
    // In ASCII, so that places in both are the same.
    let lower = text.to_ascii_lowercase();
    let end = COPIES.iter().filter_map(|mark| lower.find(mark)).min().unwrap_or(text.len());
    text.get(..end).unwrap_or(text)
}

/// The addresses that stand alone at the beginning of a line, as qmail (`<a@b>:`), Exim (`  a@b`) and Postfix write them.
fn addresses(text: &str) -> Vec<String> {
    let word = |line: &str| {
        let word = line.split([' ', '\t', '(']).find(|word| !word.is_empty())?;
        let address = word.trim_matches(['<', '>', ':', ',', ';', '"', '\'']);
        let fine = address.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
        (fine && address.len() <= 320).then(|| self::line(address))
    };
    text.lines().filter_map(word).take(60).collect()
}

/// The first line with a status or a reply code, and what follows it up to an empty line; else the first line with words
/// that we know.
fn reason(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().take(2_000).collect();
    let coded = |line: &&str| classify::enhanced(line).is_some() || classify::smtp_code(line).is_some();
    let known =
        |line: &&str| !matches!(classify::classify(None, line).0, crate::mail::content::BounceType::Undetermined);
    let at = lines.iter().position(coded).or_else(|| lines.iter().position(known))?;
    let more = lines.iter().skip(at).take_while(|line| !line.trim().is_empty()).take(1 + MORE_LINES);
    let text = more.copied().collect::<Vec<_>>().join(" ");
    Some(format!("smtp; {}", line(&text))).filter(|text| text.len() > 6)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::mail::feedback::letter::{self, Letter};

    fn bounce(raw: &str) -> Fate {
        match letter::read(raw.replace('\n', "\r\n").as_bytes(), true) {
            Letter::Status(mut report) if report.recipients.len() == 1 => report.recipients.remove(0),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn qmail_exim_and_exchange_are_understood() {
        let qmail = bounce(
            "From: MAILER-DAEMON@q.example\nSubject: failure notice\n\nHi. This is the qmail-send program at q.example.\n\
             I'm afraid this one could not go through.\n\n<gone@q.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n\
             --- Below this line is a copy of the message.\n\nReturn-Path: <x@y.example>\nSubject: 421 4.2.2\n",
        );
        assert_eq!(qmail.addresses, ["gone@q.example"]);
        assert_eq!((qmail.action, qmail.status.as_deref()), (Action::Failed, Some("5.1.1")));
        let exim = bounce(
            "From: Mail Delivery System <Mailer-Daemon@e.example>\nX-Failed-Recipients: a@e.example, b@e.example\n\
             Auto-Submitted: auto-replied\nSubject: Mail delivery failed: returning message to sender\n\n\
             A message that you sent did not get through.\n\n  a@e.example\n    mailbox is full\n",
        );
        assert_eq!((exim.addresses.len(), exim.diagnostic.as_deref()), (2, Some("smtp; mailbox is full")));
        let exchange = bounce(
            "From: Microsoft Exchange <postmaster@m.example>\nSubject: Undeliverable: hello\n\n\
             Your message did not reach some people.\n\nbob@m.example\nRemote Server returned '550 5.1.10 \
             RESOLVER.ADR.RecipientNotFound; not found'\n\nOriginal message headers:\nReceived: from x\n",
        );
        assert_eq!(
            (exchange.addresses.as_slice(), exchange.status.as_deref()),
            (&["bob@m.example".to_owned()][..], Some("5.1.10"))
        );
        let delay = bounce(
            "From: postmaster@x.example\nSubject: Delayed Mail (still being retried)\n\nhost said: 450 4.2.0 later\n\
             This message could not be delivered yet.\n",
        );
        assert_eq!((delay.action, delay.status.as_deref()), (Action::Delayed, Some("4.2.0")));
    }

    #[test]
    fn what_a_person_writes_is_no_bounce() {
        let person =
            b"From: bob@x.example\r\nSubject: Undeliverable parcels\r\n\r\n550 of them could not be delivered\r\n";
        assert_eq!(letter::read(person, false), Letter::Other);
        assert_eq!(letter::read(b"From: a@x.example\r\nSubject: hi\r\n\r\n550 5.1.1\r\n", true), Letter::Other);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_trouble(pieces in prop::collection::vec(prop_oneof![
            3 => prop::sample::select(vec!["Subject: failure notice\r\n", "\r\n", "<a@b.example>:", "550 5.1.1 ",
                "This is a copy of the message", "Original Message", "could not be delivered", "é", "İ", "X-Failed-Recipients: a,b\r\n",
                "Auto-Submitted: auto-replied\r\n"]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..20),
        ], 0..60), null: bool) {
            if let Letter::Status(report) = letter::read(&pieces.concat(), null) {
                let texts = report.recipients.iter().flat_map(|fate| fate.diagnostic.iter().chain(&fate.addresses));
                prop_assert!(texts.into_iter().all(|text| !text.contains(['\r', '\n'])));
            }
        }
    }
}
