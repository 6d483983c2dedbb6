//! The one place that judges how an attempt to deliver ended: delivered, to be tried again, or failed, in SES's words.
use std::time::Duration;

use crate::mail::bounce::{BounceSubType, BounceType, Cause, Classifier, DelayType, Kind, Said, Stage as Refused};
use crate::mail::resolver::LookupError;

pub use crate::mail::sending::ending::{Ending, Reply, Stage};

/// What an ending means for the recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Delivered; the peer's answer, as the Delivery event's `smtpResponse` has it.
    Delivered(String),
    /// Try again later.
    Deferred(Deferral),
    /// Never try again.
    Failed(Bounce),
}

/// A temporary failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferral {
    /// The DeliveryDelay event's `delayType`.
    pub delay_type: DelayType,
    /// RFC 3463 status, class 4.
    pub status: String,
    /// `smtp; ` and what the peer said, or would have.
    pub diagnostic: String,
}

/// A failure for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounce {
    /// The Bounce event's `bounceType`: `Permanent` speaks of the address, `Transient` of this mail.
    pub bounce_type: BounceType,
    /// Its `bounceSubType`.
    pub sub_type: BounceSubType,
    /// RFC 3463 status.
    pub status: String,
    /// `smtp; ` and what the peer said, or would have.
    pub diagnostic: String,
    /// The rule that says so (`mail/bounce`), for the log.
    pub rule: String,
}

const PERMANENT: Kind = (BounceType::Permanent, BounceSubType::General);
const ABOUT_THIS_MAIL: Kind = (BounceType::Transient, BounceSubType::General);
const TOO_LARGE: Kind = (BounceType::Transient, BounceSubType::MessageTooLarge);
const REJECTED: Kind = (BounceType::Transient, BounceSubType::ContentRejected);

/// A deferral's `delayType` by its enhanced status; the first row that the status starts with.
const DELAYS: [(&str, DelayType); 5] = [
    ("4.2.2", DelayType::MailboxFull),
    ("4.3.", DelayType::RecipientServerError),
    ("4.4.", DelayType::TransientCommunicationFailure),
    ("4.7.28", DelayType::IpFailure), // IANA: mail flood detected
    ("4.", DelayType::General),
];

/// Judges an ending by the built-in rules, whoever the peer is.
pub fn judge(ending: &Ending) -> Verdict {
    judge_by(&Classifier::default(), ending, None, None)
}

/// Judges an ending by these rules. `host`: the mail host that was asked; `sender`: the address in MAIL FROM, unless its
/// domain is the recipient's too.
pub fn judge_by(classifier: &Classifier, ending: &Ending, host: Option<&str>, sender: Option<&str>) -> Verdict {
    match ending {
        Ending::Accepted(reply) => Verdict::Delivered(reply.to_string()),
        Ending::Refused(stage, reply) => judge_refusal(classifier, *stage, reply, (host, sender)),
        Ending::Unreachable(why) => communication(421, "4.4.1", &format!("unable to connect: {why}")),
        Ending::TimedOut(stage) => communication(421, "4.4.2", &format!("no answer in time to {stage}")),
        Ending::Lost(stage, why) => communication(421, "4.4.2", &format!("connection lost at {stage}: {why}")),
        Ending::TlsNotOffered => {
            defer(DelayType::General, 454, "4.7.4", "TLS is required and the server does not offer it")
        }
        Ending::NoTls(why) => {
            defer(DelayType::General, 454, "4.7.5", &format!("a secure connection was not possible: {why}"))
        }
        Ending::NoLogin => {
            defer(DelayType::InternalFailure, 454, "4.7.0", "the smart host offers neither AUTH PLAIN nor AUTH LOGIN")
        }
        Ending::BadAddress => fail(PERMANENT, 501, "5.1.3", "not an address"),
        // Nothing is wrong with the address: another host of the domain may know the extension one day.
        Ending::NoSmtpUtf8 { .. } => {
            fail(ABOUT_THIS_MAIL, 553, "5.6.7", "the address needs SMTPUTF8, which the server lacks")
        }
        // RFC 3463, 3.7: a conversion is needed that cannot be made.
        Ending::NoEightBit => {
            fail(REJECTED, 554, "5.6.3", "the server lacks 8BITMIME, and the message cannot be converted")
        }
        Ending::TooLarge(max) => fail(TOO_LARGE, 552, "5.3.4", &format!("the server takes {max} octets at the most")),
        // Our own settings say so: nothing is wrong with the recipient's address.
        Ending::Forbidden => fail(ABOUT_THIS_MAIL, 550, "5.4.4", "no mail host with a public address"),
        Ending::NoRoute(error) => match error {
            LookupError::NoDomain => fail(PERMANENT, 550, "5.1.2", "domain does not exist"),
            LookupError::NullMx => fail(PERMANENT, 556, "5.1.10", "domain accepts no mail"),
            LookupError::NoRecord => fail(PERMANENT, 550, "5.4.4", "no mail host with an address"),
            LookupError::Temporary(_) => communication(421, "4.4.3", &error.to_string()),
        },
    }
}

fn judge_refusal(
    classifier: &Classifier,
    stage: Stage,
    reply: &Reply,
    (host, sender): (Option<&str>, Option<&str>),
) -> Verdict {
    let (status, diagnostic) = (reply.status(), format!("smtp; {reply}"));
    let (code, stage_of) = (Some(reply.code()), Some(refused(stage)));
    let said = Said { status: Some(&status), code, stage: stage_of, text: reply.text(), host, sender };
    let found = classifier.judge(&said);
    // A host that refuses to talk, or to let us in, has said nothing about the recipient.
    if reply.code() < 500 || stage < Stage::Sender {
        let status = if status.starts_with('4') { status } else { "4.3.2".to_owned() };
        let delay_type = match reply.code() {
            _ if stage == Stage::Login => DelayType::InternalFailure,
            _ if found.by_words && found.cause == Cause::Full => DelayType::MailboxFull,
            _ if found.by_words && matches!(found.cause, Cause::Spam | Cause::Virus) => DelayType::SpamDetected,
            _ if found.by_words && found.cause == Cause::Reputation => DelayType::IpFailure,
            421 | 451 if reply.enhanced().is_none() => DelayType::RecipientServerError,
            _ => first_row(&DELAYS, &status).unwrap_or(DelayType::General),
        };
        return Verdict::Deferred(Deferral { delay_type, status, diagnostic });
    }
    let (bounce_type, sub_type) = found.cause.kind();
    Verdict::Failed(Bounce { bounce_type, sub_type, status, diagnostic, rule: found.rule })
}

fn refused(stage: Stage) -> Refused {
    match stage {
        Stage::Greeting => Refused::Connect,
        Stage::Tls | Stage::Login => Refused::Ehlo,
        Stage::Sender => Refused::Mail,
        Stage::Recipient => Refused::Rcpt,
        Stage::Data | Stage::Content => Refused::Data,
    }
}

fn first_row<T: Copy>(rows: &[(&str, T)], status: &str) -> Option<T> {
    let fits = |key: &str| if key.ends_with('.') { status.starts_with(key) } else { status == key };
    rows.iter().find(|(key, _)| fits(key)).map(|(_, value)| *value)
}

/// The bounce of a mail whose `lifetime` ended with `last`: SES's wording and type for it.
pub fn expired(last: &Deferral, lifetime: Duration) -> Bounce {
    let minutes = lifetime.as_secs() / 60;
    let last = last.diagnostic.strip_prefix("smtp; ").unwrap_or(&last.diagnostic);
    let text = format!("Message expired: unable to deliver in {minutes} minutes.<{last}>");
    let (bounce_type, sub_type) = ABOUT_THIS_MAIL;
    let diagnostic = format!("smtp; 550 4.4.7 {text}");
    Bounce { bounce_type, sub_type, status: "4.4.7".to_owned(), diagnostic, rule: "expired".to_owned() }
}

fn communication(code: u16, status: &str, text: &str) -> Verdict {
    defer(DelayType::TransientCommunicationFailure, code, status, text)
}

fn defer(delay_type: DelayType, code: u16, status: &str, text: &str) -> Verdict {
    let diagnostic = format!("smtp; {}", Reply::new(code, &format!("{status} {text}")));
    Verdict::Deferred(Deferral { delay_type, status: status.to_owned(), diagnostic })
}

fn fail((bounce_type, sub_type): Kind, code: u16, status: &str, text: &str) -> Verdict {
    let diagnostic = format!("smtp; {code} {status} {text}");
    let rule = format!("status {status}");
    Verdict::Failed(Bounce { bounce_type, sub_type, status: status.to_owned(), diagnostic, rule })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::sending::ending::MAX_TEXT;

    fn word(ending: &Ending) -> String {
        match judge(ending) {
            Verdict::Delivered(response) => format!("delivered {response}"),
            Verdict::Deferred(d) => format!("deferred {} {}", d.delay_type, d.status),
            Verdict::Failed(b) => format!("failed {}/{} {}", b.bounce_type, b.sub_type, b.status),
        }
    }

    #[test]
    fn each_reply_has_its_verdict() {
        use Stage::{Content, Data, Greeting, Login, Recipient, Sender};
        for (stage, code, text, verdict) in [
            (Recipient, 550, "5.1.1 no such user", "failed Permanent/General 5.1.1"),
            (Recipient, 550, "no such user", "failed Permanent/General 5.0.0"),
            (Recipient, 552, "5.2.2 over quota", "failed Transient/MailboxFull 5.2.2"),
            (Recipient, 552, "over quota", "failed Transient/MailboxFull 5.0.0"),
            (Sender, 552, "too big", "failed Transient/MessageTooLarge 5.0.0"),
            (Content, 552, "5.3.4 too big", "failed Transient/MessageTooLarge 5.3.4"),
            (Content, 554, "5.7.1 spam", "failed Transient/ContentRejected 5.7.1"),
            (Content, 554, "no", "failed Transient/ContentRejected 5.0.0"),
            (Content, 550, "5.6.1 odd", "failed Transient/ContentRejected 5.6.1"),
            (Recipient, 550, "5.7.1 relaying denied", "failed Transient/General 5.7.1"),
            (Sender, 550, "who are you", "failed Transient/General 5.0.0"),
            (Recipient, 550, "4.1.1 wrong mailbox", "failed Permanent/General 5.0.0"),
            (Recipient, 550, "not today, thank you", "failed Undetermined/Undetermined 5.0.0"),
            (Sender, 550, "5.1.1 user unknown", "failed Transient/General 5.1.1"),
            (Recipient, 450, "4.2.2 full", "deferred MailboxFull 4.2.2"),
            (Recipient, 450, "4.7.1 greylisted", "deferred General 4.7.1"),
            (Content, 451, "4.3.0 later", "deferred RecipientServerError 4.3.0"),
            (Sender, 421, "busy", "deferred RecipientServerError 4.0.0"),
            (Data, 421, "4.7.28 slow down", "deferred IPFailure 4.7.28"),
            (Greeting, 554, "go away", "deferred RecipientServerError 4.3.2"),
            (Login, 535, "5.7.8 bad password", "deferred InternalFailure 4.3.2"),
        ] {
            assert_eq!(word(&Ending::Refused(stage, Reply::new(code, text))), verdict, "{stage} {code} {text}");
        }
    }

    #[test]
    fn each_other_ending_has_its_verdict() {
        for (ending, verdict) in [
            (Ending::Accepted(Reply::new(250, "2.0.0 ok 1")), "delivered 250 2.0.0 ok 1"),
            (Ending::Unreachable("refused".into()), "deferred TransientCommunicationFailure 4.4.1"),
            (Ending::TimedOut(Stage::Data), "deferred TransientCommunicationFailure 4.4.2"),
            (Ending::Lost(Stage::Content, "eof".into()), "deferred TransientCommunicationFailure 4.4.2"),
            (Ending::NoTls("not offered".into()), "deferred General 4.7.5"),
            (Ending::NoLogin, "deferred InternalFailure 4.7.0"),
            (Ending::BadAddress, "failed Permanent/General 5.1.3"),
            (Ending::NoSmtpUtf8 { recipient: true }, "failed Transient/General 5.6.7"),
            (Ending::NoSmtpUtf8 { recipient: false }, "failed Transient/General 5.6.7"),
            (Ending::TooLarge(1000), "failed Transient/MessageTooLarge 5.3.4"),
            (Ending::Forbidden, "failed Transient/General 5.4.4"),
            (Ending::TlsNotOffered, "deferred General 4.7.4"),
            (Ending::NoRoute(LookupError::NoDomain), "failed Permanent/General 5.1.2"),
            (Ending::NoRoute(LookupError::NullMx), "failed Permanent/General 5.1.10"),
            (Ending::NoRoute(LookupError::NoRecord), "failed Permanent/General 5.4.4"),
            (
                Ending::NoRoute(LookupError::Temporary("SERVFAIL".into())),
                "deferred TransientCommunicationFailure 4.4.3",
            ),
        ] {
            assert_eq!(word(&ending), verdict);
        }
    }

    #[test]
    fn the_next_host_is_tried_unless_the_mail_may_have_arrived_or_was_refused_for_good() {
        let refused = |stage, code| Ending::Refused(stage, Reply::new(code, ""));
        for (ending, next) in [
            (refused(Stage::Greeting, 554), true),
            (refused(Stage::Recipient, 450), true),
            (refused(Stage::Recipient, 550), false),
            (refused(Stage::Content, 451), true),
            (Ending::Lost(Stage::Data, String::new()), true),
            (Ending::Lost(Stage::Content, String::new()), false),
            (Ending::TimedOut(Stage::Content), false),
            (Ending::Unreachable(String::new()), true),
        ] {
            assert_eq!(ending.tries_next_host(), next, "{ending:?}");
        }
    }

    #[test]
    fn an_expired_mail_bounces_with_the_last_reason_and_replies_are_made_harmless() {
        let Verdict::Deferred(last) = judge(&Ending::Refused(Stage::Recipient, Reply::new(450, "4.2.0 later\r\nX: y")))
        else {
            panic!("deferred")
        };
        let bounce = expired(&last, Duration::from_secs(14 * 3600));
        let kind = (bounce.bounce_type, bounce.sub_type, bounce.status.as_str());
        assert_eq!(kind, (BounceType::Transient, BounceSubType::General, "4.4.7"));
        let text = "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<450 4.2.0 later  X: y>";
        assert_eq!(bounce.diagnostic, text);
        assert_eq!(Reply::new(250, &"x".repeat(5000)).to_string().len(), 4 + MAX_TEXT);
    }
}
