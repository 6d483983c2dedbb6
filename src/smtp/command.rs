//! Reads one command line, without its CRLF. Strict on purpose: smtp-proto's parser takes a bare LF for a line's end and
//! passes over CR and control characters, and what two servers read differently can be used to smuggle mail.
use crate::base::EmailAddress;
use crate::smtp::parameters;
use crate::smtp::parameters::MailParameters;
use crate::smtp::reply;
use crate::smtp::reply::Answer;

/// A command that is well formed; whether it may stand here is the session's question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// EHLO or HELO.
    Hello {
        /// What the client calls itself.
        host: String,
        /// Whether it is EHLO.
        extended: bool,
    },
    /// MAIL FROM; `None` is the null reverse path of bounces.
    Mail {
        /// The reverse path.
        from: Option<EmailAddress>,
        /// What stands behind it.
        parameters: MailParameters,
    },
    /// RCPT TO.
    Recipient(Mailbox),
    /// DATA.
    Data,
    /// BDAT (RFC 3030).
    Chunk {
        /// Octets.
        size: u64,
        /// Whether the message ends with it.
        last: bool,
    },
    /// A BDAT whose size cannot be read. What follows cannot be told from commands, so the session must end.
    BadChunk,
    /// AUTH with the mechanism in upper case and the initial response as sent, if any (RFC 4954).
    Auth {
        /// The mechanism.
        mechanism: String,
        /// The initial response.
        initial: Option<String>,
    },
    /// STARTTLS.
    StartTls,
    /// RSET.
    Reset,
    /// NOOP.
    Noop,
    /// VRFY.
    Verify,
    /// EXPN.
    Expand,
    /// HELP.
    Help,
    /// QUIT.
    Quit,
}

/// Whom RCPT names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mailbox {
    /// A full address.
    Address(EmailAddress),
    /// `<Postmaster>` without a domain: ours (RFC 5321, 4.5.1).
    Postmaster,
}

/// Reads `line`. The error is the reply to give.
pub fn parse(line: &[u8]) -> Result<Command, Answer> {
    match read(line) {
        Err(_) if is_chunk(line) => Ok(Command::BadChunk),
        read => read,
    }
}

/// Whether a line begins as BDAT does. Where the rest cannot be read, as with a tab for the space, another server may have
/// read it, and what follows would be a message to the one and commands to the other.
pub(in crate::smtp) fn is_chunk(line: &[u8]) -> bool {
    line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"))
}

fn read(line: &[u8]) -> Result<Command, Answer> {
    if line.iter().any(|b| b.is_ascii_control()) {
        return Err(Answer::from(&reply::BAD_CHARACTER));
    }
    let line = std::str::from_utf8(line).map_err(|_| Answer::from(&reply::BAD_CHARACTER))?;
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_matches(' ');
    let alone = |command| if rest.is_empty() { Ok(command) } else { usage("no arguments allowed") };
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => hello(rest, true),
        "HELO" => hello(rest, false),
        "MAIL" => mail(rest),
        "RCPT" => recipient(rest),
        "DATA" => alone(Command::Data),
        "BDAT" => Ok(chunk(rest)),
        "AUTH" => auth(rest),
        "STARTTLS" => alone(Command::StartTls),
        "RSET" => alone(Command::Reset),
        "QUIT" => alone(Command::Quit),
        "NOOP" => Ok(Command::Noop),
        "HELP" => Ok(Command::Help),
        "VRFY" if !rest.is_empty() => Ok(Command::Verify),
        "VRFY" => usage("VRFY string"),
        "EXPN" => Ok(Command::Expand),
        _ => Err(Answer::from(&reply::UNKNOWN_COMMAND)),
    }
}

fn usage(text: &'static str) -> Result<Command, Answer> {
    Err(reply::BAD_ARGUMENTS.with(text))
}

/// One word of printable ASCII. What names itself wrongly is still let in: RFC 5321, 4.1.4 forbids to refuse for it.
fn hello(host: &str, extended: bool) -> Result<Command, Answer> {
    if (1..=255).contains(&host.len()) && host.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Command::Hello { host: host.to_owned(), extended });
    }
    usage(if extended { "EHLO hostname" } else { "HELO hostname" })
}

fn mail(rest: &str) -> Result<Command, Answer> {
    let Some((path, rest)) = argument(rest, "FROM:").and_then(path) else {
        return usage("MAIL FROM:<address> [parameters]");
    };
    let parameters = parameters::mail(rest)?;
    let from = match path {
        "" => None,
        path => Some(address(path).ok_or_else(|| Answer::from(&reply::BAD_SENDER))?),
    };
    ascii_unless(parameters.smtputf8, from.as_ref())?;
    Ok(Command::Mail { from, parameters })
}

fn recipient(rest: &str) -> Result<Command, Answer> {
    let Some((path, rest)) = argument(rest, "TO:").and_then(path) else {
        return usage("RCPT TO:<address> [parameters]");
    };
    parameters::recipient(rest)?;
    if path.eq_ignore_ascii_case("postmaster") {
        return Ok(Command::Recipient(Mailbox::Postmaster));
    }
    let address = address(path).ok_or_else(|| Answer::from(&reply::BAD_RECIPIENT))?;
    Ok(Command::Recipient(Mailbox::Address(address)))
}

/// An address that is not ASCII needs SMTPUTF8 (RFC 6531, 3.4).
pub fn ascii_unless(smtputf8: bool, address: Option<&EmailAddress>) -> Result<(), Answer> {
    if smtputf8 || address.is_none_or(|a| a.as_str().is_ascii()) {
        return Ok(());
    }
    Err(Answer::from(&reply::NEEDS_SMTPUTF8))
}

/// What follows `keyword`; a space after the colon is wrong but so common that everyone takes it.
fn argument<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

/// Cuts `<path> rest`; a `>` within quotes does not end the path.
fn path(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('<')?;
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in inner.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                let (path, rest) = inner.split_at_checked(at)?;
                let rest = rest.strip_prefix('>')?;
                return (rest.is_empty() || rest.starts_with(' ')).then_some((path, rest));
            }
            _ => {}
        }
    }
    None
}

/// The address of a path; a source route before it is dropped (RFC 5321, appendix C). Read as other servers write it: who
/// submits mail is held to the standard by the session.
fn address(path: &str) -> Option<EmailAddress> {
    let mailbox = if path.starts_with('@') { path.split_once(':')?.1 } else { path };
    EmailAddress::lenient(mailbox).ok()
}

fn chunk(rest: &str) -> Command {
    let (size, last) = rest.split_once(' ').unwrap_or((rest, ""));
    let last = last.trim_start_matches(' ');
    match parameters::number(size) {
        Some(size) if last.is_empty() || last.eq_ignore_ascii_case("LAST") => {
            Command::Chunk { size, last: !last.is_empty() }
        }
        _ => Command::BadChunk,
    }
}

fn auth(rest: &str) -> Result<Command, Answer> {
    let mut words = rest.split(' ').filter(|word| !word.is_empty());
    let (mechanism, initial, more) = (words.next(), words.next(), words.next());
    match (mechanism, more) {
        (Some(mechanism), None) => {
            Ok(Command::Auth { mechanism: mechanism.to_ascii_uppercase(), initial: initial.map(str::to_owned) })
        }
        _ => usage("AUTH mechanism [initial-response]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Option<Option<String>> {
        match parse(text.as_bytes()) {
            Ok(Command::Mail { from, .. }) => Some(from.map(|a| a.to_string())),
            _ => None,
        }
    }

    #[test]
    fn senders_and_recipients_in_all_their_forms() {
        assert_eq!(from("MAIL FROM:<>"), Some(None));
        for (text, address) in [
            ("MAIL FROM:<a@b.example>", "a@b.example"),
            ("mail from: <a@B.example>", "a@b.example"),
            ("MAIL FROM:<a@b.example> SIZE=100 BODY=8BITMIME RET=FULL ENVID=x", "a@b.example"),
            ("MAIL FROM:<@x.example,@y.example:a@b.example>", "a@b.example"),
            ("MAIL FROM:<\"a > b\"@b.example>", "\"a > b\"@b.example"),
            ("MAIL FROM:<ü@b.example> SMTPUTF8", "ü@b.example"),
        ] {
            assert_eq!(from(text), Some(Some(address.to_owned())), "{text}");
        }
        assert_eq!(parse(b"RCPT TO:<PostMaster>"), Ok(Command::Recipient(Mailbox::Postmaster)));
        let notified = parse(b"rcpt to:<a@b.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a@b.example");
        assert!(matches!(notified, Ok(Command::Recipient(Mailbox::Address(_)))));
    }

    #[test]
    fn each_kind_of_mistake_has_its_reply() {
        let long = format!("MAIL FROM:<{}@b.example>", "a".repeat(500));
        for (text, row) in [
            ("", &reply::UNKNOWN_COMMAND),
            ("FOO", &reply::UNKNOWN_COMMAND),
            (" NOOP", &reply::UNKNOWN_COMMAND),
            ("DATA now", &reply::BAD_ARGUMENTS),
            ("EHLO", &reply::BAD_ARGUMENTS),
            ("EHLO a b", &reply::BAD_ARGUMENTS),
            ("VRFY", &reply::BAD_ARGUMENTS),
            ("AUTH", &reply::BAD_ARGUMENTS),
            ("AUTH PLAIN a b", &reply::BAD_ARGUMENTS),
            ("MAIL", &reply::BAD_ARGUMENTS),
            ("MAIL FROM:a@b.example", &reply::BAD_ARGUMENTS),
            ("MAIL FROM:<a@b.example>SIZE=1", &reply::BAD_ARGUMENTS),
            ("MAIL FROM:<a@b.example", &reply::BAD_ARGUMENTS),
            ("MAIL FROM:<a b@c.example>", &reply::BAD_SENDER),
            ("MAIL FROM:<@x.example>", &reply::BAD_SENDER),
            (long.as_str(), &reply::BAD_SENDER),
            ("MAIL FROM:<ü@b.example>", &reply::NEEDS_SMTPUTF8),
            ("MAIL FROM:<> FOO", &reply::UNKNOWN_PARAMETER),
            ("MAIL FROM:<> SIZE=x", &reply::BAD_PARAMETER),
            ("RCPT TO:<>", &reply::BAD_RECIPIENT),
            ("RCPT TO:<a>", &reply::BAD_RECIPIENT),
            ("NOOP \0", &reply::BAD_CHARACTER),
            ("NO\u{7f}OP", &reply::BAD_CHARACTER),
            ("NOOP\tx", &reply::BAD_CHARACTER),
        ] {
            assert_eq!(parse(text.as_bytes()).map_err(|answer| answer.row), Err(row), "{text:?}");
        }
        assert_eq!(parse(b"NOOP \xff").map_err(|answer| answer.row), Err(&reply::BAD_CHARACTER));
    }

    #[test]
    fn chunks_say_their_size() {
        assert_eq!(parse(b"BDAT 86 LAST"), Ok(Command::Chunk { size: 86, last: true }));
        assert_eq!(parse(b"bdat 0"), Ok(Command::Chunk { size: 0, last: false }));
        for bad in ["BDAT", "BDAT x", "BDAT -1", "BDAT 5 FIRST", "BDAT 5 LAST x", "BDAT 99999999999999999999"] {
            assert_eq!(parse(bad.as_bytes()), Ok(Command::BadChunk), "{bad}");
        }
        for bad in
            [&b"BDAT\t86 LAST"[..], b"bdat\0 86", b"BDAT 86\x0bLAST", b"BDAT 86 L\xffST", b"BDATA 86", b"BDAT\xa086"]
        {
            assert_eq!(parse(bad), Ok(Command::BadChunk), "{bad:?}");
        }
    }
}
