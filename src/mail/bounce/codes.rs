//! What codes alone mean, where no words say it: RFC 3463, IANA's registry of enhanced status codes, RFC 5321 and 7504.
use crate::mail::bounce::cause::Cause;
use crate::mail::bounce::said::Stage;

/// The meaning of an enhanced status, without its class; the first row that fits. A row that ends with a dot is for a
/// whole subject. What is not here says nothing.
const BY_STATUS: &[(&str, Cause)] = &[
    ("1.0", Cause::NoSuchUser),
    ("1.1", Cause::NoSuchUser),
    ("1.2", Cause::NoSuchHost),
    ("1.3", Cause::BadAddress),
    ("1.4", Cause::NoSuchUser),
    ("1.6", Cause::Moved),
    ("1.7", Cause::SenderAddress),
    ("1.8", Cause::SenderAddress),
    ("1.9", Cause::System),
    ("1.10", Cause::NoSuchHost),
    ("2.1", Cause::Disabled),
    ("2.2", Cause::Full),
    ("2.3", Cause::TooLarge),
    ("2.4", Cause::System),
    ("3.1", Cause::System),
    ("3.2", Cause::System),
    ("3.3", Cause::System),
    ("3.4", Cause::TooLarge),
    ("3.5", Cause::System),
    ("3.6", Cause::Format),
    ("3.", Cause::System),
    ("4.1", Cause::Network),
    ("4.2", Cause::Network),
    ("4.3", Cause::Network),
    ("4.4", Cause::NoSuchHost),
    ("4.5", Cause::Network),
    ("4.6", Cause::System),
    ("4.7", Cause::Expired),
    ("4.8", Cause::Policy),
    ("5.3", Cause::Rate),
    ("5.6", Cause::System),
    ("5.0", Cause::Unclear),
    ("5.", Cause::System),
    // The address needs SMTPUTF8, which the other side lacks: nothing is wrong with it.
    ("6.7", Cause::System),
    ("6.8", Cause::System),
    ("6.9", Cause::System),
    ("6.10", Cause::System),
    ("6.", Cause::Format),
    ("7.2", Cause::Restricted),
    ("7.8", Cause::Authentication),
    ("7.9", Cause::Authentication),
    ("7.20", Cause::Authentication),
    ("7.21", Cause::Authentication),
    ("7.22", Cause::Authentication),
    ("7.23", Cause::Authentication),
    ("7.24", Cause::Authentication),
    ("7.25", Cause::Reputation),
    ("7.26", Cause::Authentication),
    ("7.27", Cause::SenderAddress),
    ("7.28", Cause::Rate),
    ("7.29", Cause::Authentication),
    ("7.30", Cause::Policy),
    ("7.17", Cause::Moved),
    ("7.", Cause::Policy),
];

/// What an enhanced status means.
pub(super) fn by_status(status: &str) -> Option<Cause> {
    let rest = status.get(2..).filter(|_| !status.starts_with('2'))?;
    let fits = |key: &str| if key.ends_with('.') { rest.starts_with(key) } else { rest == key };
    let cause = BY_STATUS.iter().find(|(key, _)| fits(key)).map(|(_, cause)| *cause)?;
    // RFC 3463: class 4 may go well later, so it says nothing bad of the address.
    let later = status.starts_with('4') && cause.suppresses();
    Some(if later { Cause::System } else { cause })
}

/// Words that add nothing to a code, in the form of `plain.rs`.
const FILLER: &[&str] = &[
    "a",
    "an",
    "and",
    "at",
    "be",
    "been",
    "by",
    "can",
    "could",
    "does",
    "error",
    "fail",
    "failed",
    "failure",
    "failures",
    "fatal",
    "for",
    "found",
    "has",
    "have",
    "here",
    "host",
    "in",
    "is",
    "it",
    "known",
    "mail",
    "name",
    "no",
    "not",
    "of",
    "ok",
    "on",
    "one",
    "or",
    "permanent",
    "permanently",
    "please",
    "remote",
    "reply",
    "requested",
    "action",
    "taken",
    "said",
    "server",
    "smtp",
    "sorry",
    "such",
    "than",
    "that",
    "the",
    "there",
    "this",
    "to",
    "was",
    "we",
    "with",
    "command",
    "response",
    "delivery",
    "delivered",
    "message",
];
/// Words that name a recipient.
const NAMES: &[&str] = &[
    "@",
    "user",
    "users",
    "recipient",
    "recipients",
    "mailbox",
    "account",
    "address",
    "addresses",
    "addressee",
    "username",
    "customer",
    "subscriber",
    "person",
    "rcpt",
    "inbox",
    "email",
    "alias",
];
/// Words with which the code does not count: of who sends, or of what may change.
const DOUBTS: &[&str] = &[
    "sending",
    "sender",
    "sent",
    "you",
    "your",
    "temporarily",
    "temporary",
    "now",
    "later",
    "again",
    "moment",
    "today",
    "limit",
    "limits",
    "full",
    "directory",
    "from",
    "off",
    "due",
];
/// Unknown words beside a recipient's name with which the code still counts.
const WORDS_MAX: usize = 3;

/// Whether a text in its plain form says no more than the code, or hardly more and that of a recipient.
pub(super) fn says_little(words: &str) -> bool {
    let rest = words.split_whitespace().filter(|word| !FILLER.contains(word));
    let (names, others): (Vec<&str>, Vec<&str>) = rest.partition(|word| NAMES.contains(word));
    let doubtful = others.iter().any(|word| DOUBTS.contains(word));
    others.is_empty() || !names.is_empty() && others.len() <= WORDS_MAX && !doubtful
}

/// What a reply code means, at the stage where it is known. `little`: nothing else is said ([`says_little`]); a code that
/// stands beside words that nobody knows says nothing of the recipient.
pub(super) fn by_code(code: u16, stage: Option<Stage>, little: bool) -> Option<Cause> {
    match (code, stage) {
        // RFC 5321, 4.2.3: storage exceeded; before the recipient is named it is the size.
        (552, Some(Stage::Mail | Stage::Data)) => Some(Cause::TooLarge),
        (552, _) => Some(Cause::Full),
        // RFC 7504: no mail there at all.
        (521 | 556, None | Some(Stage::Rcpt)) => Some(Cause::NoSuchHost),
        (550 | 551 | 553, Some(Stage::Rcpt)) if little => Some(Cause::NoSuchUser),
        (501, Some(Stage::Rcpt)) if little => Some(Cause::BadAddress),
        // Commands that are unknown, or in the wrong order.
        (500 | 502..=504, _) => Some(Cause::System),
        (500..=599, Some(Stage::Data)) => Some(Cause::Spam),
        (500..=599, Some(Stage::Mail)) => Some(Cause::SenderAddress),
        (500..=599, Some(Stage::Connect | Stage::Ehlo)) => Some(Cause::Policy),
        (554 | 571, _) => Some(Cause::Policy),
        (421 | 450..=459, _) => Some(Cause::System),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_registries_say() {
        for (status, cause) in [
            ("5.1.1", Some(Cause::NoSuchUser)),
            ("5.1.10", Some(Cause::NoSuchHost)),
            ("4.1.1", Some(Cause::System)),
            ("4.2.2", Some(Cause::Full)),
            ("5.2.1", Some(Cause::Disabled)),
            ("5.2.0", None),
            ("5.4.4", Some(Cause::NoSuchHost)),
            ("5.4.7", Some(Cause::Expired)),
            ("5.6.7", Some(Cause::System)),
            ("5.7.26", Some(Cause::Authentication)),
            ("5.7.705", Some(Cause::Policy)),
            ("5.0.0", None),
            ("2.1.5", None),
        ] {
            assert_eq!(by_status(status), cause, "{status}");
        }
        assert_eq!(by_code(550, Some(Stage::Rcpt), true), Some(Cause::NoSuchUser));
        assert_eq!(by_code(550, Some(Stage::Rcpt), false), None);
        assert_eq!((by_code(550, None, true), by_code(554, None, true)), (None, Some(Cause::Policy)));
    }

    #[test]
    fn few_words_are_few_only_beside_a_recipient() {
        for (words, little) in [
            (" ", true),
            (" sorry no ", true),
            (" @ gsmtp ", true),
            (" mailbox of ann over there ", true),
            (" not today thank you ", false),
            (" user is full of you ", false),
            (" we have reasons of our own not to take this for that user of ours ", false),
        ] {
            assert_eq!(says_little(words), little, "{words}");
        }
    }
}
