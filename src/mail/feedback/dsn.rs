//! Delivery status notifications as RFC 3464 has them: a part of type `message/delivery-status` with a group of fields
//! about the report and one for each recipient. Read leniently: an empty line too many, or groups run into one, do no harm.
use crate::mail::feedback::passage::{about, before_copy};
use crate::mail::feedback::report::{Action, Fate, Read, Report, line};
use crate::mail::message::parse::{self, HeaderField};

/// How many groups are read: a mail of ours has 50 recipients at the most, and each goes out on its own.
const GROUPS_MAX: usize = 60;
/// Octets of the part that are read.
const PART_MAX: usize = 256 * 1024;
const TYPES: [&str; 3] = ["message/delivery-status", "message/global-delivery-status", "text/delivery-status"];
/// Fields of products that say more than the standard's.
const MORE: [&str; 3] = ["X-PowerMTA-BounceCategory", "X-Supplementary-Info", "X-Notes-Reason"];
/// Characters of the text that are kept of each recipient.
const WORDS_MAX: usize = 4_000;

/// Reads the report, if the message is one.
pub fn read(message: &Read<'_>) -> Option<Report> {
    let mut report = report(message.part(&TYPES)?)?;
    let text = message.text();
    let text = before_copy(&text);
    for fate in &mut report.recipients {
        let near: Vec<String> = fate.addresses.iter().filter_map(|address| about(text, address)).take(1).collect();
        fate.near |= !near.is_empty();
        let told = near.into_iter().next().unwrap_or_else(|| text.to_owned());
        fate.words = format!("{} {told}", fate.words).trim().chars().take(WORDS_MAX).collect();
    }
    Some(report)
}

/// Reads the part.
pub fn report(part: &[u8]) -> Option<Report> {
    let mut report = Report::default();
    for group in groups(part.get(..PART_MAX).unwrap_or(part)) {
        if let Some(mta) = get(&group, "Reporting-MTA").filter(|_| report.reporting_mta.is_none()) {
            report.reporting_mta = Some(line(mta)).filter(|mta| !mta.is_empty());
        }
        report.recipients.extend(fate(&group));
    }
    (!report.recipients.is_empty()).then_some(report)
}

/// The groups of fields, with an empty line between each two.
fn groups(part: &[u8]) -> Vec<Vec<HeaderField>> {
    let mut groups = Vec::new();
    let mut rest = part;
    while groups.len() < GROUPS_MAX && !rest.is_empty() {
        let group = parse::header_section(rest);
        if !group.is_empty() {
            groups.push(parse::header_fields(group));
        }
        rest = rest.get(group.len()..).unwrap_or_default();
        // The empty line itself; with the section's own bound there may be none.
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
        rest = rest.get(end..).unwrap_or_default();
    }
    groups
}

fn get<'a>(group: &'a [HeaderField], name: &str) -> Option<&'a str> {
    group.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value.as_str())
}

fn fate(group: &[HeaderField]) -> Option<Fate> {
    let addresses = ["Original-Recipient", "Final-Recipient"].iter().filter_map(|name| address(get(group, name)?));
    let addresses: Vec<String> = addresses.collect();
    let status = get(group, "Status").and_then(status);
    // A comment may follow the word.
    let word = |value: &str| value.trim().split(|c: char| !c.is_ascii_alphabetic()).next().map(str::to_ascii_lowercase);
    let action = get(group, "Action").and_then(word).filter(|word| !word.is_empty());
    let action = match (action.as_deref(), status.as_deref()) {
        (Some("delayed"), _) => Action::Delayed,
        (Some("delivered" | "deliverable" | "relayed" | "expanded" | "transferred"), _) => Action::Fine,
        // Not of the standard, and said of what went well.
        (Some(word), Some(status)) if word != "failed" && status.starts_with('2') => Action::Fine,
        (Some(_), _) => Action::Failed,
        // Action is required, and not always there.
        (None, Some(status)) if status.starts_with('2') => Action::Fine,
        // RFC 3463, X.4.7: the delivery time expired, which is the end of it.
        (None, Some("4.4.7")) => Action::Failed,
        (None, Some(status)) if status.starts_with('4') => Action::Delayed,
        (None, Some(_)) => Action::Failed,
        (None, None) => return None,
    };
    let diagnostic = get(group, "Diagnostic-Code").map(line).filter(|text| !text.is_empty());
    let words = MORE.iter().filter_map(|name| get(group, name)).map(line).collect::<Vec<_>>().join(" ");
    let host = get(group, "Remote-MTA").map(line).filter(|host| !host.is_empty());
    Some(Fate { addresses, action, status, diagnostic, host, near: !words.is_empty(), words })
}

/// The address after the type: `rfc822; ann@x.example`.
fn address(value: &str) -> Option<String> {
    let address = value.split_once(';').map_or(value, |(_, address)| address).trim();
    let address = address.trim_start_matches('<').trim_end_matches('>');
    (!address.is_empty() && address.len() <= 320 && !address.contains(char::is_control)).then(|| address.to_owned())
}

/// The status at the beginning: some servers add a comment.
fn status(value: &str) -> Option<String> {
    let word = value.split_whitespace().next()?;
    let mut parts = word.split('.');
    let class = parts.next().filter(|class| matches!(*class, "2" | "4" | "5"))?;
    let number = |part: Option<&str>| part.and_then(|part| part.parse::<u16>().ok()).filter(|n| *n < 1_000);
    let (subject, detail) = (number(parts.next())?, number(parts.next())?);
    parts.next().is_none().then(|| format!("{class}.{subject}.{detail}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_are_read_however_they_are_parted() {
        let good = "Reporting-MTA: dns; mx.there.example\r\nArrival-Date: x\r\n\r\nOriginal-Recipient: rfc822;a@x.example\r\n\
            Final-Recipient: rfc822; b@y.example\r\nAction: failed\r\nStatus: 5.1.1 (bad mailbox)\r\n\
            Diagnostic-Code: smtp; 550 5.1.1\r\n <b@y.example> no such user\r\n\r\n\
            Final-Recipient: rfc822;<c@y.example>\r\nAction: Delayed (will try again)\r\nStatus: 4.2.2\r\n";
        let crammed = good.replacen("\r\n\r\n", "\r\n", 1);
        let loose = format!("\r\n{}\r\n\r\n\r\n", good.replace("\r\n", "\n").replace("\n\n", "\n\n\n"));
        for text in [good, &crammed, &loose] {
            let report = report(text.as_bytes()).expect("a report");
            assert_eq!(report.reporting_mta.as_deref(), Some("dns; mx.there.example"));
            let [one, two] = report.recipients.as_slice() else { panic!("{report:?}") };
            assert_eq!(one.addresses, ["a@x.example", "b@y.example"]);
            assert_eq!((one.action, one.status.as_deref()), (Action::Failed, Some("5.1.1")));
            assert_eq!(one.diagnostic.as_deref(), Some("smtp; 550 5.1.1 <b@y.example> no such user"));
            assert_eq!((two.action, two.addresses.as_slice()), (Action::Delayed, &["c@y.example".to_owned()][..]));
        }
        for (status, action) in [("4.4.7", Action::Failed), ("4.4.1", Action::Delayed), ("5.0.0", Action::Failed)] {
            let text = format!("Final-Recipient: rfc822; a@b\r\nStatus: {status}\r\n");
            assert_eq!(report(text.as_bytes()).expect("a report").recipients[0].action, action, "{status}");
        }
        assert_eq!(report(b"Reporting-MTA: dns; x\r\n\r\n"), None);
        let delivered =
            report(b"Final-Recipient: rfc822; a@b\r\nAction: relayed\r\nStatus: 2.0.0\r\n").expect("a report");
        assert_eq!(delivered.recipients[0].action, Action::Fine);
    }

    proptest! {
        #[test]
        fn anything_is_read_without_trouble(pieces in prop::collection::vec(prop_oneof![
            3 => prop::sample::select(vec!["Action: failed\r\n", "Status: 5.1.1\n", "Final-Recipient: ", "rfc822;", "\r\n",
                "\n", "Reporting-MTA", ":", " x", "Status: 5.99999.1\n"]).prop_map(|text| text.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..20),
        ], 0..80)) {
            if let Some(report) = report(&pieces.concat()) {
                prop_assert!((1..=GROUPS_MAX).contains(&report.recipients.len()));
                let texts = report.recipients.iter().flat_map(|fate| fate.diagnostic.iter().chain(&fate.addresses));
                prop_assert!(texts.chain(&report.reporting_mta).all(|text| !text.contains(['\r', '\n'])));
            }
        }
    }
}
