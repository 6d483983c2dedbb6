//! The table of replies: every text that an SMTP client can get from us is a row here, with the rule that it follows.
use std::borrow::Cow;

use crate::mail::sending::SendError;

/// One kind of reply. `{}` in the text stands for what an [`Answer`] adds.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The three digits (RFC 5321, 4.2).
    pub code: u16,
    /// The enhanced status code (RFC 3463); empty where RFC 2034 wants none: greeting, EHLO, 3xx.
    pub enhanced: &'static str,
    /// What stands after the codes.
    pub text: &'static str,
    /// The rule behind it.
    pub rule: &'static str,
}

macro_rules! replies {
    ($($name:ident = $code:literal $enhanced:literal $text:literal, $rule:literal;)*) => {
        $(
            #[doc = concat!("`", stringify!($code), " ", $enhanced, " ", $text, "` (", $rule, ").")]
            pub static $name: Reply = Reply { code: $code, enhanced: $enhanced, text: $text, rule: $rule };
        )*
        /// Every row.
        pub static TABLE: &[&Reply] = &[$(&$name),*];
    };
}

replies! {
    HELP = 214 "2.0.0" "See RFC 5321", "RFC 5321, 4.1.1.8";
    GREETING = 220 "" "{} ESMTP Postrider", "RFC 5321, 4.3.1";
    START_TLS = 220 "2.0.0" "Ready to start TLS", "RFC 3207, 4";
    GOODBYE = 221 "2.0.0" "{} closing connection", "RFC 5321, 4.1.1.10";
    AUTHENTICATED = 235 "2.7.0" "Authentication successful.", "RFC 4954, 6";
    HELLO = 250 "" "{}", "RFC 5321, 4.1.1.1";
    OK = 250 "2.0.0" "Ok", "RFC 5321, 4.3.2";
    SENDER_OK = 250 "2.1.0" "Ok", "RFC 5321, 4.1.1.2";
    RECIPIENT_OK = 250 "2.1.5" "Ok", "RFC 5321, 4.1.1.3";
    MESSAGE_ACCEPTED = 250 "2.0.0" "Ok {}", "RFC 5321, 4.1.1.4; SES gives the message id";
    MESSAGE_SENT = 250 "" "Ok {}", "SES: SMTP response codes; clients find the id behind `250 Ok`";
    CHUNK_OK = 250 "2.0.0" "{} octets received", "RFC 3030, 2";
    CANNOT_VERIFY = 252 "2.0.0" "Cannot verify, but will take mail and try to deliver it", "RFC 5321, 3.5.3";
    AUTH_GO_ON = 334 "" "", "RFC 4954, 4: an empty challenge";
    AUTH_USERNAME = 334 "" "VXNlcm5hbWU6", "AUTH LOGIN: Username: in base64";
    AUTH_PASSWORD = 334 "" "UGFzc3dvcmQ6", "AUTH LOGIN: Password: in base64";
    START_DATA = 354 "" "End data with <CR><LF>.<CR><LF>", "RFC 5321, 4.1.1.4";
    SHUTTING_DOWN = 421 "4.3.2" "{} shutting down, please try again", "RFC 5321, 3.8";
    PLACE_NEEDED = 421 "4.3.2" "{} is full and needs the place of this idle session, please connect again", "RFC 5321, 3.8";
    TIMED_OUT = 421 "4.4.2" "Timed out waiting for you", "RFC 5321, 4.5.3.2.7";
    SESSION_TOO_LONG = 421 "4.4.2" "This session has lasted too long, please connect again", "RFC 5321, 3.8";
    TOO_MANY_SESSIONS = 421 "4.7.0" "Too many sessions, please try again later", "RFC 5321, 7.8";
    TOO_MANY_OF_ACCOUNT = 421 "4.7.0" "Too many sessions of this account, please try again later", "RFC 5321, 7.8";
    TOO_MANY_CONNECTIONS = 421 "4.7.0" "Too many connections, please try again later", "RFC 5321, 7.8";
    LOG_IN_AGAIN = 421 "4.7.0" "The credentials of this session do not count any more, please connect and log in again", "RFC 5321, 3.8";
    TOO_MANY_ERRORS = 421 "4.7.0" "Too many errors", "RFC 5321, 7.8";
    TOO_MANY_MESSAGES = 421 "4.7.0" "Too many messages in one session, please connect again", "RFC 5321, 7.8";
    MAILBOX_DISABLED = 450 "4.2.1" "This mailbox takes no mail for now, please try again later", "RFC 5321, 4.2.3; RFC 3463, X.2.1";
    LOCAL_ERROR = 451 "4.3.0" "Temporary failure, please try again later ({})", "RFC 5321, 4.2.3";
    TOO_MANY_RECIPIENTS = 452 "4.5.3" "Too many recipients, send the rest in another message", "RFC 5321, 4.5.3.1.10";
    NO_ROOM = 452 "4.3.1" "No room for this message now, please try again later", "RFC 5321, 4.2.3";
    TLS_UNAVAILABLE = 454 "4.7.0" "TLS not available due to temporary reason", "RFC 3207, 4";
    THROTTLED = 454 "4.7.0" "Throttling failure: {}", "SES: SMTP response codes";
    AUTH_FAILED_FOR_NOW = 454 "4.7.0" "Temporary authentication failure", "RFC 4954, 6; SES";
    LINE_TOO_LONG = 500 "5.5.2" "Line too long", "RFC 5321, 4.5.3.1.9";
    UNKNOWN_COMMAND = 500 "5.5.1" "Command not recognized", "RFC 5321, 4.2.4";
    BARE_LINE_END = 500 "5.5.2" "Bare CR or LF in a command, lines end with CRLF", "RFC 5321, 2.3.8";
    BAD_CHARACTER = 500 "5.5.2" "Character not allowed in a command", "RFC 5321, 4.1.2";
    BAD_ARGUMENTS = 501 "5.5.4" "Syntax: {}", "RFC 5321, 4.2.4";
    BAD_PARAMETER = 501 "5.5.4" "Bad value of parameter {}", "RFC 5321, 4.1.1.11";
    BAD_SENDER = 501 "5.1.7" "Bad sender address syntax", "RFC 3463, 3.2";
    BAD_RECIPIENT = 501 "5.1.3" "Bad recipient address syntax", "RFC 3463, 3.2";
    NO_NULL_SENDER = 501 "5.1.7" "Invalid MAIL FROM address provided", "SES: the sender is a verified identity";
    BAD_BASE64 = 501 "5.5.2" "Cannot decode the response", "RFC 4954, 4";
    AUTH_CANCELLED = 501 "5.7.0" "Authentication cancelled", "RFC 4954, 4";
    NOT_IMPLEMENTED = 502 "5.5.1" "Command not implemented", "RFC 5321, 4.2.4";
    HELLO_FIRST = 503 "5.5.1" "Say EHLO or HELO first", "RFC 5321, 4.1.4";
    SENDER_FIRST = 503 "5.5.1" "Need MAIL first", "RFC 5321, 3.3";
    RECIPIENT_FIRST = 503 "5.5.1" "Need RCPT first", "RFC 5321, 3.3";
    NESTED_MAIL = 503 "5.5.1" "Sender already given", "RFC 5321, 4.1.4";
    CHUNKS_BEGUN = 503 "5.5.1" "Message already begun with BDAT", "RFC 3030, 2";
    ALREADY_TLS = 503 "5.5.1" "TLS is already active", "RFC 3207, 4.2";
    ALREADY_AUTHENTICATED = 503 "5.5.1" "Already authenticated", "RFC 4954, 4";
    AUTH_OUT_OF_PLACE = 503 "5.5.1" "AUTH not permitted during a mail transaction", "RFC 4954, 4";
    UNKNOWN_MECHANISM = 504 "5.5.4" "Unrecognized authentication type", "RFC 4954, 4";
    STARTTLS_FIRST = 530 "5.7.0" "Must issue a STARTTLS command first", "RFC 3207, 4; SES";
    AUTH_FIRST = 530 "5.7.0" "Authentication required", "RFC 4954, 6; SES";
    BAD_CREDENTIALS = 535 "5.7.8" "Authentication Credentials Invalid", "RFC 4954, 6; SES";
    NO_SUCH_MAILBOX = 550 "5.1.1" "No such mailbox here", "RFC 5321, 4.2.3";
    NEEDS_TLS = 550 "5.7.10" "This recipient wants TLS: use STARTTLS", "SES: TlsPolicy Require; RFC 5248, X.7.10";
    CLIENT_BLOCKED = 550 "5.7.1" "Mail from {} is blocked for this recipient", "SES: receipt IP filters";
    BARE_LINE_END_IN_DATA = 550 "5.6.11" "Bare CR or LF in the message, lines end with CRLF", "RFC 5321, 2.3.8 and 4.1.1.4";
    TOO_BIG = 552 "5.3.4" "Message exceeds the size limit of {} octets", "RFC 1870, 6";
    NEEDS_SMTPUTF8 = 553 "5.6.7" "Address is not ASCII and SMTPUTF8 was not given", "RFC 6531, 3.5";
    NO_VALID_RECIPIENTS = 554 "5.5.1" "No valid recipients", "RFC 5321, 3.3";
    DATA_LINE_TOO_LONG = 554 "5.6.0" "A line of the message is too long", "RFC 5321, 4.5.3.1.6";
    TOO_MANY_HOPS = 554 "5.4.6" "Too many hops, this message is going in circles", "RFC 5321, 6.3";
    ACCESS_DENIED = 554 "5.7.1" "Access denied: {}", "SES: SMTP response codes";
    MESSAGE_REJECTED = 554 "5.7.1" "Message rejected: {}", "SES: SMTP response codes";
    TRANSACTION_FAILED = 554 "5.6.0" "Transaction failed: {}", "SES: SMTP response codes";
    UNKNOWN_PARAMETER = 555 "5.5.4" "Parameter not recognized or not implemented: {}", "RFC 5321, 4.1.1.11";
}

/// What SMTP calls the end of one line.
const LINE_MAX: usize = 512;

/// A row with the words that fill its `{}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The row.
    pub row: &'static Reply,
    /// What stands for `{}`; cleaned when written: no control characters, as much as one reply line holds.
    pub detail: Cow<'static, str>,
}

impl From<&'static Reply> for Answer {
    fn from(row: &'static Reply) -> Self {
        Self { row, detail: Cow::Borrowed("") }
    }
}

impl Reply {
    /// This row with `detail` in the place of `{}`.
    pub fn with(&'static self, detail: impl Into<Cow<'static, str>>) -> Answer {
        Answer { row: self, detail: detail.into() }
    }
}

impl Answer {
    /// Appends the reply line to `out`, at most 512 octets with its CRLF (RFC 5321, 4.5.3.1.5).
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut line = format!("{} ", self.row.code);
        if !self.row.enhanced.is_empty() {
            line.push_str(self.row.enhanced);
            line.push(' ');
        }
        line.push_str(&self.row.text.replacen("{}", &clean(&self.detail), 1));
        let end = (0..=line.len().min(LINE_MAX - 2)).rev().find(|n| line.is_char_boundary(*n)).unwrap_or(0);
        line.truncate(end);
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends the reply to EHLO: the greeting line, then one line per keyword (RFC 5321, 4.1.1.1).
pub fn write_keywords(host: &str, keywords: &[String], out: &mut Vec<u8>) {
    let lines: Vec<&str> = std::iter::once(host).chain(keywords.iter().map(String::as_str)).collect();
    for (n, line) in lines.iter().enumerate() {
        let mark = if n + 1 == lines.len() { ' ' } else { '-' };
        out.extend_from_slice(format!("{}{mark}{}\r\n", HELLO.code, clean(line)).as_bytes());
    }
}

/// What a user is told whose mail was not taken, in SES's words (SES guide: "SMTP response codes"). `None` when it is our
/// fault.
pub fn not_sent(error: &SendError) -> Option<Answer> {
    Some(match error {
        SendError::Internal(crate::store::Error::Full) => Answer::from(&NO_ROOM),
        // The last two are not met here: SMTP has no such keys and requests.
        SendError::Internal(_) | SendError::KeyReused | SendError::UnderReview => return None,
        SendError::NotVerified { identities, region } => {
            let (region, failed) = (region.as_str().to_uppercase(), identities.join(", "));
            MESSAGE_REJECTED.with(format!(
                "Email address is not verified. The following identities failed the check in region {region}: {failed}"
            ))
        }
        SendError::RateExceeded => THROTTLED.with("Maximum sending rate exceeded."),
        SendError::DailyQuotaExceeded => THROTTLED.with("Daily message quota exceeded."),
        SendError::AccountPaused => MESSAGE_REJECTED.with("Sending paused for this account."),
        SendError::ConfigurationSetPaused(name) => {
            MESSAGE_REJECTED.with(format!("Sending paused for configuration set <{name}>."))
        }
        SendError::ConfigurationSetMissing(name) => {
            MESSAGE_REJECTED.with(format!("Configuration set <{name}> does not exist."))
        }
        SendError::ConfigurationSetName(fault) => MESSAGE_REJECTED.with(format!("Configuration set: {fault}.")),
        SendError::Denied { account, action, resource } => ACCESS_DENIED.with(format!(
            "User `arn:aws:iam::{account}:root' is not authorized to perform `{action}' on resource `{resource}'"
        )),
        SendError::MailFromNotVerified(domain) => {
            MESSAGE_REJECTED.with(format!("Mail from domain is not verified: {domain}"))
        }
        SendError::NoRecipients => Answer::from(&NO_VALID_RECIPIENTS),
        SendError::TooManyRecipients(_) => Answer::from(&TOO_MANY_RECIPIENTS),
        SendError::TooLarge(max) | SendError::TooLargeForApi { max, .. } => TOO_BIG.with(max.to_string()),
        SendError::BadTag(_)
        | SendError::ContactListMissing(_)
        | SendError::TenantMissing(_)
        | SendError::Message(_) => TRANSACTION_FAILED.with(error.to_string()),
    })
}

/// Takes out what could end the line or upset a terminal.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_legal_reply() {
        for row in TABLE {
            assert!((200..560).contains(&row.code), "{row:?}");
            if row.enhanced.is_empty() {
                let without = [&GREETING, &HELLO, &MESSAGE_SENT];
                assert!(row.code / 100 == 3 || without.contains(row), "{row:?}");
            } else {
                let class = row.enhanced.split('.').next().map(str::to_owned);
                assert_eq!(class, Some((row.code / 100).to_string()), "{row:?}");
            }
            assert!(row.text.bytes().all(|b| (32..127).contains(&b)), "{row:?}");
            assert!(!row.rule.is_empty());
        }
    }

    #[test]
    fn a_detail_cannot_make_a_second_line_or_a_line_too_long() {
        let mut out = vec![];
        MESSAGE_REJECTED.with("a\r\n250 b\0").write(&mut out);
        assert_eq!(out, b"554 5.7.1 Message rejected: a  250 b \r\n");
        out.clear();
        MESSAGE_REJECTED.with("ü".repeat(600)).write(&mut out);
        assert!(out.len() <= 512 && out.ends_with(b"\r\n") && std::str::from_utf8(&out).is_ok());
    }

    #[test]
    fn refusals_of_sending_are_in_the_words_of_ses() {
        let say = |error| {
            let mut out = vec![];
            not_sent(&error).expect("the user's fault").write(&mut out);
            String::from_utf8(out).expect("text")
        };
        let identities = vec!["a@x.example".to_owned(), "b@x.example".to_owned()];
        let region = crate::base::Region::default_region();
        assert_eq!(
            say(SendError::NotVerified { identities, region }),
            "554 5.7.1 Message rejected: Email address is not verified. The following identities failed the check in \
             region US-EAST-1: a@x.example, b@x.example\r\n"
        );
        let throttled = "454 4.7.0 Throttling failure: Maximum sending rate exceeded.\r\n";
        assert_eq!(say(SendError::RateExceeded), throttled);
        assert_eq!(say(SendError::TooLarge(7)), "552 5.3.4 Message exceeds the size limit of 7 octets\r\n");
        assert!(not_sent(&SendError::Internal(crate::store::Error::corrupt("x"))).is_none());
    }

    #[test]
    fn the_last_keyword_ends_the_reply() {
        let mut out = vec![];
        write_keywords("mx.example", &["PIPELINING".to_owned(), "SIZE 5".to_owned()], &mut out);
        assert_eq!(out, b"250-mx.example\r\n250-PIPELINING\r\n250 SIZE 5\r\n");
    }
}
