//! Automatic answers: somebody is away, a ticket was opened. They are no bounces (RFC 3834), although they come to the return
//! path.
use crate::mail::bounce::unstructured;
use crate::mail::feedback::loose;
use crate::mail::feedback::report::Read;

/// Fields that programs which answer set, whatever their value.
const FIELDS: [&str; 6] =
    ["X-Autoreply", "X-Autorespond", "X-Auto-Reply", "X-AutoReply-From", "X-Mail-Autoreply", "X-Vacation"];
/// How the subject begins, in lower case.
const SUBJECTS: &[&str] = &[
    "out of office",
    "out of the office",
    "automatic reply",
    "auto reply",
    "autoreply",
    "auto-reply",
    "auto response",
    "auto-response",
    "autoresponse",
    "auto:",
    "away from",
    "on vacation",
    "vacation",
    "i am away",
    "abwesenheit",
    "automatische antwort",
    "réponse automatique",
    "absence du bureau",
    "respuesta automática",
    "fuera de la oficina",
    "risposta automatica",
    "resposta automática",
    "automatisch antwoord",
    "autosvar",
    "автоответ",
    "автоматический ответ",
    "自動返信",
    "自動応答",
    "不在",
    "自动回复",
    "自動回覆",
    "자동 회신",
    "자동회신",
    "부재중",
];

/// Whether a program answers with this. What servers write about deliveries says `auto-replied` too: it is asked for its
/// parts first, and here for the words that servers put into subjects.
pub fn is_answer(message: &Read<'_>) -> bool {
    let subject = message.subject().to_lowercase();
    if SUBJECTS.iter().any(|start| subject.starts_with(start)) {
        return true;
    }
    if message.field("X-Failed-Recipients").is_some() {
        return false;
    }
    let precedence = message.field("Precedence").unwrap_or_default().trim().to_ascii_lowercase();
    let replies = FIELDS.iter().any(|name| message.field(name).is_some()) || precedence == "auto_reply";
    let by_server = message.null && from_server(message);
    if replies && !by_server {
        return true;
    }
    // A server that does not call itself one, and writes of a failure. A person may write such a sentence too: a code has
    // to be there, or an address with a reason.
    if message.null && loose::tells(message) && loose::gives_reason(message) {
        return false;
    }
    let suppressed = message.field("X-Auto-Response-Suppress").is_some() && message.field("In-Reply-To").is_some();
    let auto = message.field("Auto-Submitted").unwrap_or_default().trim().to_ascii_lowercase();
    replies || (!by_server && (suppressed || auto.starts_with("auto-replied")))
}

/// Whether its From is one of those that servers use.
pub fn from_server(message: &Read<'_>) -> bool {
    const NAMES: &[&str] = &[
        "mailer-daemon",
        "mailerdaemon",
        "mailer_daemon",
        "mail_daemon",
        "maildaemon",
        "postmaster",
        "postmast@",
        "mail delivery",
        "mail system",
        "delivery subsystem",
        "delivery system",
        "microsoftexchange",
        "mail administrator",
        "mailadmin",
        "system administrator",
        "administrator@",
        "mta@",
        "mdaemon",
        "mail-daemon",
        "bounce",
        "interscan",
        "symantec",
        "no-reply@",
        "noreply@",
        "failure-notice",
    ];
    let from = message.field("From").map(unstructured).unwrap_or_default().to_lowercase();
    NAMES.iter().any(|name| from.contains(name))
}

#[cfg(test)]
mod tests {
    use crate::mail::feedback::letter::{Letter, read};

    #[test]
    fn answers_are_known_by_their_fields_or_their_subject() {
        for header in [
            "Auto-Submitted: auto-replied",
            "Auto-Submitted: auto-replied (vacation)",
            "X-Autoreply: yes",
            "Precedence: auto_reply",
            "Subject: Automatic reply: hello",
            "Subject: Out of Office Re: 550 5.1.1",
            "Subject: Abwesenheitsnotiz",
        ] {
            let mail = format!("From: Bob <bob@there.example>\r\n{header}\r\n\r\nI am away. 550 5.1.1 is my room.\r\n");
            assert_eq!(read(mail.as_bytes(), true), Letter::Automatic, "{header}");
        }
        for text in [
            "I am on parental leave and your mail is not delivered to anybody. This address does not exist after June.",
            "I have left, and the delivery of your message to John is no longer possible.",
            "Your request has been successfully registered under number 4711.",
        ] {
            let mail = format!("From: Bob <bob@there.example>\r\nAuto-Submitted: auto-replied\r\n\r\n{text}\r\n");
            assert_eq!(read(mail.as_bytes(), true), Letter::Automatic, "{text}");
        }
        let unnamed = b"From: Post <post@there.example>\r\nAuto-Submitted: auto-replied\r\n\r\nYour mail could not be delivered:\r\n\
            550 5.1.1 no such user\r\n";
        assert!(matches!(read(unnamed, true), Letter::Status(_)));
        let person = b"From: Bob <bob@there.example>\r\nSubject: Re: hello\r\n\r\nThanks!\r\n";
        assert_eq!(read(person, false), Letter::Other);
        let server =
            b"From: MAILER-DAEMON@mx.example\r\nAuto-Submitted: auto-replied\r\nSubject: Undelivered Mail\r\n\r\n\
            550 5.1.1 no such user\r\n";
        assert!(matches!(read(server, true), Letter::Status(_)));
    }
}
