//! What a bounce means, in SES's words: its type and subtype, from the status and what the other side said.
use crate::mail::content::BounceType;
use crate::mail::sending::verdict;

/// `bounceType` and `bounceSubType`.
pub type Kind = (BounceType, &'static str);

const FULL: Kind = (BounceType::Transient, "MailboxFull");
const LARGE: Kind = (BounceType::Transient, "MessageTooLarge");
const ATTACHMENT: Kind = (BounceType::Transient, "AttachmentRejected");
const CONTENT: Kind = (BounceType::Transient, "ContentRejected");
const LATER: Kind = (BounceType::Transient, "General");
const PERMANENT: Kind = (BounceType::Permanent, "General");
const SUPPRESSED: Kind = (BounceType::Permanent, "Suppressed");
const UNKNOWN: Kind = (BounceType::Undetermined, "Undetermined");

/// What texts say, whatever their codes. The first row that fits counts.
const BY_TEXT: [(&[&str], Kind); 7] = [
    (&["on the suppression list", "on our suppression list"], SUPPRESSED),
    (
        &[
            "over quota",
            "over the quota",
            "quota exceeded",
            "exceeded storage",
            "mailbox full",
            "mailbox is full",
            "overquota",
        ],
        FULL,
    ),
    (
        &[
            "too large",
            "too big",
            "size limit",
            "exceeds maximum size",
            "exceeds the maximum size",
            "message size exceeds",
        ],
        LARGE,
    ),
    (&["attachment"], ATTACHMENT),
    (&["spam", "content rejected", "message content", "virus", "malware", "blocked by filter", "unsolicited"], CONTENT),
    (
        &[
            "user unknown",
            "unknown user",
            "no such user",
            "no such recipient",
            "no such mailbox",
            "no mailbox",
            "does not exist",
            "doesn't exist",
            "doesn't have an account",
            "unknown recipient",
            "recipient unknown",
            "mailbox unavailable",
            "mailbox not found",
            "recipientnotfound",
            "address not found",
            "wasn't found",
            "invalid recipient",
            "account is disabled",
            "unrouteable address",
            "no longer valid",
            "host not found",
            "couldn't find any host",
            "domain not found",
            "sorry, no mailbox here by that name",
        ],
        PERMANENT,
    ),
    (
        &[
            "retry timeout exceeded",
            "retry time not reached",
            "in the queue too long",
            "delivery time expired",
            "timed out",
            "greylist",
        ],
        LATER,
    ),
];

/// Classifies a failure. `status`: the enhanced status code (RFC 3463), if there is one; `text`: what the other side said.
/// An expired delivery and what is about the message, its size or its content is `Transient`: nothing is wrong with the
/// address, and only `Permanent` puts it on the suppression list.
pub fn classify(status: Option<&str>, text: &str) -> Kind {
    let specific = status.filter(|status| !status.ends_with(".0.0"));
    let status = specific.or_else(|| enhanced(text)).or(status);
    let by_text = by_text(text);
    match status {
        Some("4.2.2" | "5.2.2") => FULL,
        // RFC 3463: delivery time expired.
        Some("5.4.7" | "4.4.7") => LATER,
        Some(status) if status.starts_with("5.7.") || status.starts_with("5.6.") => match by_text {
            Some(kind @ (ATTACHMENT | CONTENT | SUPPRESSED | LARGE)) => kind,
            _ if status.starts_with("5.6.") => CONTENT,
            _ => LATER,
        },
        Some(status) if status.starts_with('5') && !status.ends_with(".0.0") => match by_text {
            // Some servers say 5.1.1 or 5.2.1 to whatever it is: only what is surely not about the address counts.
            Some(kind @ (FULL | SUPPRESSED)) => kind,
            _ => verdict::kind_of_status(status),
        },
        Some(status) if status.starts_with('4') => match by_text {
            Some(kind) if kind.0 == BounceType::Transient => kind,
            _ => LATER,
        },
        _ => by_text.or_else(|| by_code(smtp_code(text)?)).unwrap_or(match status {
            Some(status) if status.starts_with('5') => PERMANENT,
            _ => UNKNOWN,
        }),
    }
}

/// The `delayType` of a delay.
pub fn delay_type(status: &str, text: &str) -> &'static str {
    match by_text(text) {
        Some(FULL) => "MailboxFull",
        Some(CONTENT) => "SpamDetected",
        _ if status == "4.2.2" => "MailboxFull",
        _ if status.starts_with("4.4.") => "TransientCommunicationFailure",
        _ if status.starts_with("4.3.") => "RecipientServerError",
        _ => "General",
    }
}

fn by_text(text: &str) -> Option<Kind> {
    let text = text.to_ascii_lowercase();
    BY_TEXT.iter().find(|(words, _)| words.iter().any(|word| text.contains(word))).map(|(_, kind)| *kind)
}

/// RFC 5321, 4.2.3.
fn by_code(code: u16) -> Option<Kind> {
    match code {
        552 => Some(FULL),
        554 => Some(LATER),
        500..=599 => Some(PERMANENT),
        400..=499 => Some(LATER),
        _ => None,
    }
}

/// The first enhanced status code of class 4 or 5 in a text.
pub fn enhanced(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.find_map(|word| {
        let word = word.trim_matches('.');
        let parts: Vec<&str> = word.split('.').take(4).collect();
        let [class, subject, detail] = parts.as_slice() else { return None };
        // Subjects have one digit by now: 4.94.2 is a program's version.
        (matches!(*class, "4" | "5") && subject.len() == 1 && (1..=3).contains(&detail.len())).then_some(word)
    })
}

/// The first SMTP reply code of class 4 or 5 in a text: three digits that stand alone, with a text after them.
pub fn smtp_code(text: &str) -> Option<u16> {
    let mut before = None;
    for (at, byte) in text.bytes().enumerate() {
        let alone = before.is_none_or(|b: u8| !b.is_ascii_alphanumeric() && b != b'.' && b != b':' && b != b'-');
        before = Some(byte);
        if !matches!(byte, b'4' | b'5') || !alone {
            continue;
        }
        let Some(code) = text.get(at..at + 3).filter(|code| is_reply_code(code.as_bytes())) else { continue };
        if text.as_bytes().get(at + 3).is_some_and(|next| matches!(next, b' ' | b'-' | b',' | b':')) {
            return code.parse().ok();
        }
    }
    None
}

/// Three digits, the second of them 0 to 5 (RFC 5321, 4.2.1): a port such as 587 is none.
fn is_reply_code(code: &[u8]) -> bool {
    matches!(code, [b'4' | b'5', b'0'..=b'5', b'0'..=b'9'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_answer_has_its_type() {
        for (status, text, kind) in [
            (Some("5.1.1"), "smtp; 550 5.1.1 <a@b>: Recipient address rejected: User unknown", "Permanent/General"),
            (Some("5.0.0"), "smtp; 550 5.1.1 no", "Permanent/General"),
            (Some("5.0.0"), "smtp; 552 mailbox full", "Transient/MailboxFull"),
            (Some("5.2.2"), "x", "Transient/MailboxFull"),
            (Some("5.2.1"), "smtp; 550 5.2.1 The mailbox is over quota", "Transient/MailboxFull"),
            (Some("5.3.4"), "smtp; 552 5.3.4 Message size exceeds fixed limit", "Transient/MessageTooLarge"),
            (Some("5.2.3"), "", "Transient/MessageTooLarge"),
            (Some("5.7.1"), "smtp; 550 5.7.1 this looks like spam", "Transient/ContentRejected"),
            (Some("5.7.0"), "smtp; 552 5.7.0 blocked because of the attachment", "Transient/AttachmentRejected"),
            (Some("5.7.1"), "smtp; 550 5.7.1 relaying denied", "Transient/General"),
            (Some("4.4.7"), "smtp; 450 4.2.0 <a@b>: user unknown in greylist", "Transient/General"),
            (Some("4.4.1"), "connection timed out", "Transient/General"),
            (Some("5.4.4"), "host not found", "Permanent/General"),
            (None, "550 no such user", "Permanent/General"),
            (None, "554 message refused", "Transient/General"),
            (None, "something happened", "Undetermined/Undetermined"),
            (Some("5.0.0"), "something happened", "Permanent/General"),
            (Some("5.1.1"), "the address is on the suppression list", "Permanent/Suppressed"),
        ] {
            let (bounce_type, sub_type) = classify(status, text);
            assert_eq!(format!("{bounce_type:?}/{sub_type}"), kind, "{status:?} {text}");
        }
    }

    #[test]
    fn codes_are_found_and_addresses_are_none() {
        assert_eq!(enhanced("Exim 4.94.2 at 5.6.7.8 said: 550-5.1.1 no"), Some("5.1.1"));
        assert_eq!((smtp_code("port 587 ok; 10.0.0.550 x"), smtp_code("said: 550-5.1.1 no")), (None, Some(550)));
        assert_eq!(delay_type("4.4.1", "no route"), "TransientCommunicationFailure");
    }

    proptest! {
        #[test]
        fn any_text_has_a_type(status in prop::option::of("[0-9.]{0,8}"), text in "\\PC{0,200}") {
            let _ = (classify(status.as_deref(), &text), enhanced(&text), smtp_code(&text));
        }
    }
}
