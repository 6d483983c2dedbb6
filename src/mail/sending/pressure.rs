//! What an ending says of the receiver, beside what it means for the mail: whether to go on, to slow down, or to wait.
use crate::mail::resolver::LookupError;
use crate::mail::sending::ending::{Ending, Reply, Stage};

/// How a receiver takes our mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pressure {
    /// It answers: go on.
    Answers,
    /// It answers, but takes no mail now, for a reason that is not about this one.
    PutsOff,
    /// It wants less of us: its answer names a rate, a limit or a policy.
    Overloaded,
    /// It does not answer, or not in SMTP.
    Silent,
    /// The ending says nothing about it.
    Unknown,
}

/// Enhanced status codes (RFC 3463, and IANA's list) of a receiver that has too much of us.
const OVERLOADED: [&str; 4] = ["4.3.2", "4.4.5", "4.7.28", "4.7.29"];
/// Words in a temporary refusal that say the same.
const WORDS: [&str; 18] = [
    "rate limit",
    "rate-limit",
    "ratelimit",
    "sending rate",
    "too many",
    "too fast",
    "too quickly",
    "throttl",
    "slow down",
    "unusual",
    "reputation",
    "policy",
    "temporarily deferred",
    "limit exceeded",
    "exceeded the limit",
    "concurren",
    "max connections",
    "blocked",
];

/// What an ending says of the receiver.
pub(super) fn pressure(ending: &Ending) -> Pressure {
    match ending {
        Ending::Accepted(_) | Ending::NoSmtpUtf8 { .. } | Ending::NoEightBit | Ending::TooLarge(_) => Pressure::Answers,
        Ending::Refused(stage, reply) if wants_less(*stage, reply) => Pressure::Overloaded,
        Ending::Refused(_, reply) if reply.code() < 500 && !is_of_one_mail(reply) => Pressure::PutsOff,
        Ending::Refused(..) => Pressure::Answers,
        Ending::Unreachable(_) | Ending::TimedOut(_) | Ending::Lost(..) => Pressure::Silent,
        Ending::NoRoute(LookupError::Temporary(_)) => Pressure::Silent,
        Ending::NoRoute(_) | Ending::Forbidden | Ending::BadAddress | Ending::TlsNotOffered | Ending::NoTls(_) => {
            Pressure::Unknown
        }
        // Nobody can log in there: it is no use that every mail which waits asks for it.
        Ending::NoLogin => Pressure::Overloaded,
    }
}

fn wants_less(stage: Stage, reply: &Reply) -> bool {
    // A host that does not let us in at all does not want more connections, whatever its code.
    if matches!(stage, Stage::Greeting | Stage::Login) || reply.code() == 421 {
        return true;
    }
    let text = reply.to_string().to_ascii_lowercase();
    if reply.code() >= 500 || is_of_one_mail(reply) {
        return false;
    }
    OVERLOADED.contains(&reply.status().as_str()) || WORDS.iter().any(|word| text.contains(word))
}

/// Greylisting is about one mail, and a full mailbox about one recipient.
fn is_of_one_mail(reply: &Reply) -> bool {
    let text = reply.to_string().to_ascii_lowercase();
    text.contains("grey") || text.contains("gray") || reply.status().starts_with("4.2.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_policies_slow_us_down_and_what_is_about_one_mail_does_not() {
        use Pressure::{Answers, Overloaded, PutsOff};
        use Stage::{Content, Greeting, Login, Recipient, Sender};
        for (stage, code, text, right) in [
            (Greeting, 554, "5.7.1 blocked", Overloaded),
            (Greeting, 421, "busy", Overloaded),
            (Login, 535, "5.7.8 bad password", Overloaded),
            (Sender, 421, "4.7.0 [TSS04] Messages temporarily deferred", Overloaded),
            (Recipient, 450, "4.7.28 mail flood", Overloaded),
            (Recipient, 450, "4.7.1 Error: too much mail, rate limit", Overloaded),
            (Content, 451, "4.7.650 The mail server has been temporarily rate limited", Overloaded),
            (Recipient, 450, "4.7.1 Greylisted by policy", Answers),
            (Recipient, 451, "4.7.1 Service unavailable - try again later", PutsOff),
            (Recipient, 452, "4.2.2 mailbox full, limit exceeded", Answers),
            (Recipient, 450, "4.2.1 come back later", Answers),
            (Recipient, 550, "5.7.1 policy", Answers),
            (Recipient, 550, "5.1.1 no such user", Answers),
        ] {
            assert_eq!(pressure(&Ending::Refused(stage, Reply::new(code, text))), right, "{stage} {code} {text}");
        }
        assert_eq!(pressure(&Ending::TimedOut(Stage::Data)), Pressure::Silent);
        assert_eq!(pressure(&Ending::NoRoute(LookupError::NullMx)), Pressure::Unknown);
    }
}
