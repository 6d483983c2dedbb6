//! Automatic answers: somebody is away, a ticket was opened. They are no bounces (RFC 3834), although they come to the return
//! path.
use crate::mail::feedback::letter::Read;

/// Fields that programs which answer set, whatever their value.
const FIELDS: [&str; 6] =
    ["X-Autoreply", "X-Autorespond", "X-Auto-Reply", "X-AutoReply-From", "X-Mail-Autoreply", "X-Vacation"];
/// How the subject begins, in lower case.
const SUBJECTS: [&str; 22] = [
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
];

/// Whether a program answers with this. What servers write about deliveries says `auto-replied` too: it is asked for its
/// parts first, and here for the words that servers put into subjects.
pub fn is_answer(message: &Read<'_>) -> bool {
    let subject = message.field("Subject").unwrap_or_default().trim().to_lowercase();
    if SUBJECTS.iter().any(|start| subject.starts_with(start)) {
        return true;
    }
    if message.field("X-Failed-Recipients").is_some() {
        return false;
    }
    let precedence = message.field("Precedence").unwrap_or_default().trim().to_ascii_lowercase();
    let replies = FIELDS.iter().any(|name| message.field(name).is_some()) || precedence == "auto_reply";
    let suppressed = message.field("X-Auto-Response-Suppress").is_some() && message.field("In-Reply-To").is_some();
    let auto = message.field("Auto-Submitted").unwrap_or_default().trim().to_ascii_lowercase();
    let by_server = message.null && from_server(message);
    replies || (!by_server && (suppressed || auto.starts_with("auto-replied")))
}

/// Whether its From is one of those that servers use.
pub fn from_server(message: &Read<'_>) -> bool {
    let from = message.field("From").unwrap_or_default().to_ascii_lowercase();
    ["mailer-daemon", "mailerdaemon", "postmaster", "mail delivery", "microsoftexchange", "mail administrator"]
        .iter()
        .any(|name| from.contains(name))
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
        let person = b"From: Bob <bob@there.example>\r\nSubject: Re: hello\r\n\r\nThanks!\r\n";
        assert_eq!(read(person, false), Letter::Other);
        let server =
            b"From: MAILER-DAEMON@mx.example\r\nAuto-Submitted: auto-replied\r\nSubject: Undelivered Mail\r\n\r\n\
            550 5.1.1 no such user\r\n";
        assert!(matches!(read(server, true), Letter::Status(_)));
    }
}
