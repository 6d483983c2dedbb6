//! Random sessions against a reference of a few lines: the same codes, the same mails, however the bytes are cut.
use proptest::prelude::*;

use super::tests::Talk;

const COMMANDS: &[&str] = &[
    "EHLO x\r\n",
    "HELO x\r\n",
    "MAIL FROM:<>\r\n",
    "MAIL FROM:<a@b.example> SIZE=5\r\n",
    "MAIL FROM:a\r\n",
    "RCPT TO:<a@here.example>\r\n",
    "RCPT TO:<b@here.example>\r\n",
    "RCPT TO:<a@elsewhere.example>\r\n",
    "RCPT TO:<>\r\n",
    "DATA\r\n",
    "DATA x\r\n",
    "BDAT 4\r\nab\r\n",
    "BDAT 2 LAST\r\n\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "VRFY a\r\n",
    "FOO\r\n",
    "NOOP\nDATA\r\n",
    "\r\n",
    "AUTH PLAIN\r\n",
];

/// What a message after a granted DATA consists of.
const MESSAGE: &str = "Subject: DATA\r\n\r\nRSET\r\n..\r\n.\r\n";

#[derive(Default)]
struct Reference {
    hello: bool,
    mail: bool,
    good: Vec<&'static str>,
    bad: bool,
    chunks: bool,
    mails: Vec<usize>,
}

impl Reference {
    fn reset(&mut self) {
        (self.mail, self.bad, self.chunks) = (false, false, false);
        self.good.clear();
    }

    /// The code for `command`.
    fn code_for(&mut self, command: &'static str) -> u16 {
        match command.split(['\r', '\n']).next().unwrap_or_default() {
            "EHLO x" | "HELO x" => {
                self.hello = true;
                self.reset();
                250
            }
            "MAIL FROM:a" | "RCPT TO:<>" | "DATA x" => 501,
            "FOO" | "" => 500,
            "NOOP" if command != "NOOP\r\n" => 500,
            "NOOP" => 250,
            "VRFY a" => 252,
            "AUTH PLAIN" => 502,
            "RSET" => {
                self.reset();
                250
            }
            mail if mail.starts_with("MAIL") => {
                let fine = self.hello && !self.mail;
                self.mail |= fine;
                if fine { 250 } else { 503 }
            }
            _ if !self.mail => 503,
            rcpt if rcpt.starts_with("RCPT") => self.recipient(rcpt),
            _ if self.good.is_empty() => {
                if self.bad {
                    self.fail_chunk(command, 554)
                } else {
                    self.fail_chunk(command, 503)
                }
            }
            "DATA" if self.chunks => 503,
            "DATA" => 354,
            "BDAT 4" => {
                self.chunks = true;
                250
            }
            _ => self.took(),
        }
    }

    /// A refused chunk ends the transaction, a refused DATA does not.
    fn fail_chunk(&mut self, command: &str, code: u16) -> u16 {
        if command.starts_with("BDAT") {
            self.reset();
        }
        code
    }

    fn recipient(&mut self, rcpt: &'static str) -> u16 {
        if self.chunks {
            503
        } else if rcpt.contains("elsewhere") {
            self.bad = true;
            550
        } else {
            if !self.good.contains(&rcpt) {
                self.good.push(rcpt);
            }
            250
        }
    }

    fn took(&mut self) -> u16 {
        self.mails.push(self.good.len());
        self.reset();
        250
    }
}

/// Words that lead deep into the session, among bytes that do not.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<Vec<u8>> = COMMANDS.iter().map(|word| word.as_bytes().to_vec()).collect();
    let more = [
        "AUTH LOGIN\r\n",
        "AUTH PLAIN AHUAcA==\r\n",
        "dQ==\r\n",
        "cA==\r\n",
        "*\r\n",
        "STARTTLS\r\n",
        ".\r\n",
        "BDAT 9",
    ];
    let more = more.map(|word| word.as_bytes().to_vec());
    let piece = prop_oneof![
        6 => prop::sample::select(words),
        3 => prop::sample::select(more.to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..30),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_get_well_formed_replies_however_they_are_cut(
        bytes in noise(),
        submission in any::<bool>(),
        tls in any::<bool>(),
        size in 1_usize..40,
    ) {
        let mode = if submission { super::Mode::Submission } else { super::Mode::Inbound };
        let limits = || crate::smtp::limits::Limits { message_size: 60, data_line: 50, command_line: 80, ..Default::default() };
        let mut whole = Talk::new(mode, tls, limits());
        let said = whole.say(&bytes);
        for line in said.split_terminator("\r\n") {
            prop_assert!(line.len() <= 510 && !line.contains(['\r', '\n', '\0']));
            prop_assert!(line.as_bytes().iter().take(3).all(u8::is_ascii_digit) && [Some(&b' '), Some(&b'-')].contains(&line.as_bytes().get(3)));
        }
        for (_, to, data) in &whole.mails {
            prop_assert!(!to.is_empty() && (submission || data.chars().count() <= 60));
            prop_assert!(!data.replace("\r\n", "").contains(['\r', '\n']));
        }
        // What comes with STARTTLS is thrown away, so there the cut does make a difference.
        if whole.handshakes == 0 {
            let mut cut = Talk::new(mode, tls, limits());
            let mut pieces = String::new();
            for piece in bytes.chunks(size) {
                pieces.push_str(&if cut.ended { String::new() } else { cut.say(piece) });
            }
            prop_assert_eq!(if bytes.is_empty() { cut.say("") } else { pieces }, said);
            prop_assert_eq!(cut.mails, whole.mails);
        }
    }

    #[test]
    fn a_session_does_what_the_reference_says(
        commands in prop::collection::vec(prop::sample::select(COMMANDS), 0..40),
        cuts in prop::collection::vec(1_usize..30, 1..10),
    ) {
        let mut reference = Reference::default();
        let (mut codes, mut text) = (vec![220], String::new());
        for command in commands {
            let code = reference.code_for(command);
            codes.push(code);
            text.push_str(command);
            if code == 354 {
                text.push_str(MESSAGE);
                codes.push(reference.took());
            }
        }
        let limits = crate::smtp::limits::Limits { errors: 1000, ..Default::default() };
        let mut talk = Talk::new(super::Mode::Inbound, false, limits);
        let mut seen = talk.codes("");
        let (mut rest, mut cuts) = (text.as_bytes(), cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (piece, left) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
            seen.extend(talk.codes(piece));
            rest = left;
        }
        prop_assert_eq!(seen, codes);
        prop_assert_eq!(talk.mails.iter().map(|mail| mail.1.len()).collect::<Vec<_>>(), reference.mails);
        prop_assert!(!talk.ended);
    }
}
