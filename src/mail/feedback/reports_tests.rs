//! Reports as servers write them, each form with refusals of each kind, and what is said in one form only. The forms are in
//! `tests/bounces`; words are ours.
use crate::mail::bounce::Classifier;
use crate::mail::feedback::judged;
use crate::mail::feedback::letter::{Letter, judge};
use crate::mail::feedback::report::{Action, Read};
use crate::mail::feedback::returned::fate_of;

const TO: &str = "ann@there.example";
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bounces/");

/// Code, status, words, and what they mean.
const REFUSALS: [(&str, &str, &str, &str); 6] = [
    ("550", "5.1.1", "User unknown", "Permanent/General"),
    ("552", "5.2.2", "Mailbox full", "Transient/MailboxFull"),
    ("554", "5.7.1", "Client host [192.0.2.9] blocked using dnsbl.example", "Transient/General"),
    ("550", "5.1.0", "DMARC policy violation", "Transient/General"),
    ("554", "5.6.0", "This looks like spam", "Transient/ContentRejected"),
    ("550", "5.2.1", "Account disabled", "Permanent/General"),
];

/// The entries of a file: what stands after `=== `, and the lines below.
fn entries(name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(format!("{FOLDER}{name}")).expect("the file");
    let entries = text.split("\n=== ").skip(1);
    entries
        .filter_map(|entry| entry.split_once('\n'))
        .map(|(title, body)| (title.to_owned(), body.to_owned()))
        .collect()
}

/// A message from its short form: a header and a text; `--- dsn`, `--- feedback` and `--- original` begin parts of a report.
fn message(short: &str) -> Vec<u8> {
    let mut parts = short.split("\n--- ").filter(|part| !part.is_empty());
    let (header, text) = parts.next().and_then(|first| first.split_once("\n\n")).unwrap_or((short, ""));
    let mut more: Vec<(&str, &str)> = Vec::new();
    let mut text = text.to_owned();
    for part in parts {
        match part.split_once('\n') {
            Some((kind @ ("dsn" | "feedback" | "original"), rest)) => more.push((kind, rest)),
            _ => text = format!("{text}\n--- {part}"),
        }
    }
    let raw = if !more.is_empty() {
        let mut raw = format!(
            "{header}\nMIME-Version: 1.0\nContent-Type: multipart/report; boundary=B\n\n--B\nContent-Type: text/plain; charset=utf-8\n\n{text}\n"
        );
        for (kind, rest) in more {
            let kind = match kind {
                "dsn" => "message/delivery-status",
                "feedback" => "message/feedback-report",
                _ => "message/rfc822",
            };
            raw.push_str(&format!("--B\nContent-Type: {kind}\n\n{rest}\n"));
        }
        raw + "--B--\n"
    } else if header.contains("X-Test: base64") {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(text);
        format!("{header}\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n{text}\n")
    } else if header.contains("Content-Type:") {
        short.to_owned()
    } else {
        format!("{header}\nContent-Type: text/plain; charset=utf-8\n\n{text}")
    };
    raw.replace('\n', "\r\n").into_bytes()
}

/// What a message means for [`TO`].
fn meaning(raw: &[u8]) -> (String, String) {
    let report = match judge(&Read::new(raw, true)) {
        Letter::Status(report) => report,
        Letter::Complaint(_) => return ("complaint".to_owned(), String::new()),
        Letter::Automatic => return ("automatic".to_owned(), String::new()),
        Letter::Other => return ("other".to_owned(), String::new()),
    };
    let Some(fate) = fate_of(&report, TO) else { return ("fine".to_owned(), String::new()) };
    match fate.action {
        Action::Fine => ("fine".to_owned(), String::new()),
        Action::Delayed => ("delay".to_owned(), String::new()),
        Action::Failed => {
            let found =
                judged::judge(&Classifier::default(), fate, report.reporting_mta.as_deref().unwrap_or_default());
            let (kind, sub_type) = found.cause.kind();
            (format!("{kind:?}/{sub_type}"), format!("by {} from {fate:?}", found.rule))
        }
    }
}

fn complain(wrong: Vec<String>, all: usize) {
    assert!(wrong.is_empty(), "{} of {all}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn each_form_is_understood_with_each_refusal() {
    let (mut wrong, mut all) = (Vec::new(), 0);
    for (name, form) in entries("formats.txt") {
        for (code, status, says, wanted) in REFUSALS {
            all += 1;
            let short =
                form.replace("{to}", TO).replace("{code}", code).replace("{status}", status).replace("{says}", says);
            let (got, why) = meaning(&message(&short));
            if got != wanted {
                wrong.push(format!("{name}, {says}: wanted {wanted}, is {got} {why}"));
            }
        }
    }
    assert!(all > 200, "{all}");
    complain(wrong, all);
}

#[test]
fn each_report_means_what_it_says() {
    let (mut wrong, mut all) = (Vec::new(), 0);
    for (title, short) in entries("reports.txt") {
        all += 1;
        let (name, wanted) = title.rsplit_once(" | ").expect("what is wanted");
        let (got, why) = meaning(&message(&short));
        if got != wanted && got.split('/').next() != Some(wanted) {
            wrong.push(format!("{name}: wanted {wanted}, is {got} {why}"));
        }
    }
    complain(wrong, all);
}
