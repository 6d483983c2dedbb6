//! Random sessions against a reference of a few lines: the same codes, the same mails, however the bytes are cut.
use proptest::prelude::*;

use super::tests::Talk;

const COMMANDS: &[&str] = &[
    "EHLO x\r\n",
    "HELO x\r\n",
    "MAIL FROM:<>\r\n",
    "MAIL FROM:<a@b.example> SIZE=5\r\n",
    "MAIL FROM:a\r\n",
    "MAIL FROM:<> SIZE=61\r\n",
    "MAIL FROM:<ü@b.example>\r\n",
    "MAIL FROM:<ü@b.example> BODY=8BITMIME SMTPUTF8\r\n",
    "RCPT TO:<ö@here.example>\r\n",
    "RCPT TO:<a@here.example>\r\n",
    "RCPT TO:<b@here.example>\r\n",
    "RCPT TO:<a@elsewhere.example>\r\n",
    "RCPT TO:<>\r\n",
    "DATA\r\n",
    "data\r\n",
    "DATA x\r\n",
    "BDAT 4\r\nab\r\n",
    "BDAT 2 LAST\r\n\r\n",
    "BDAT 40\r\nMAIL FROM:<>\r\nRSET\r\n.\r\nBDAT 999 LAST\r\n\r\n",
    "BDAT 3 LAST\r\na\nb",
    "BDAT 61 LAST\r\n-------------------------------------------------------------",
    "STARTTLS\r\n",
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
/// The same after `data`: larger than allowed.
const LARGE_MESSAGE: &str =
    "Subject: DATA\r\n\r\nRSET\r\n..\r\nBDAT 4 LAST\r\nQUIT\r\n\r\nMAIL FROM:<>\r\nSTARTTLS\r\n.\n.\r.\r\n.\r\n";
/// Octets that a message may have.
const SIZE_MAX: usize = 60;

#[derive(Default)]
struct Reference {
    hello: bool,
    tls: bool,
    mail: bool,
    utf8: bool,
    octets: usize,
    good: Vec<&'static str>,
    bad: bool,
    chunks: bool,
    mails: Vec<usize>,
}

impl Reference {
    fn reset(&mut self) {
        (self.mail, self.utf8, self.bad, self.chunks, self.octets) = (false, false, false, false, 0);
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
            "STARTTLS" if self.tls => 503,
            "STARTTLS" => {
                (self.tls, self.hello) = (true, false);
                self.reset();
                220
            }
            "MAIL FROM:<ü@b.example>" => 553,
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
                let large = mail.ends_with("SIZE=61");
                if fine && !large {
                    (self.mail, self.utf8) = (true, mail.ends_with("SMTPUTF8"));
                }
                if !fine {
                    503
                } else if large {
                    552
                } else {
                    250
                }
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
            "DATA" | "data" if self.chunks => 503,
            "DATA" | "data" => 354,
            bdat => self.chunk(bdat),
        }
    }

    /// A refused chunk ends the transaction, a refused DATA does not.
    fn fail_chunk(&mut self, command: &str, code: u16) -> u16 {
        if command.starts_with("BDAT") {
            self.reset();
        }
        code
    }

    fn chunk(&mut self, bdat: &str) -> u16 {
        let mut words = bdat.split(' ').skip(1);
        self.octets += words.next().and_then(|size| size.parse::<usize>().ok()).expect("a size");
        let spoiled = bdat == "BDAT 3 LAST";
        match words.next() {
            _ if self.octets > SIZE_MAX => self.fail_chunk("BDAT", 552),
            Some(_) if spoiled => self.fail_chunk("BDAT", 550),
            Some(_) => self.took(),
            None => {
                self.chunks = true;
                250
            }
        }
    }

    fn recipient(&mut self, rcpt: &'static str) -> u16 {
        if self.chunks {
            503
        } else if rcpt.contains('ö') && !self.utf8 {
            553
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

/// Each place at which a piece may end, in what a busy client sends in one go.
#[test]
fn a_piece_may_end_after_any_octet() {
    let inbound = format!(
        "EHLO x\r\nMAIL FROM:<ü@b.example> SMTPUTF8 SIZE=5\r\nRCPT TO:<a@here.example>\r\nDATA\r\n{MESSAGE}RSET\r\n\
         MAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nBDAT 4\r\nab\r\nBDAT 2 LAST\r\n\r\nNOOP\nX\r\nBDAT 3 LAST\r\nabcQUIT\r\n"
    );
    let submission = format!(
        "EHLO x\r\nAUTH LOGIN\r\ndQ==\r\neA==\r\nAUTH PLAIN\r\nAHUAcA==\r\nMAIL FROM:<a@b.example>\r\n\
         RCPT TO:<c@d.example>\r\nRSET\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n{MESSAGE}QUIT\r\n"
    );
    for (mode, tls, text) in [(super::Mode::Inbound, false, inbound), (super::Mode::Submission, true, submission)] {
        let mut whole = Talk::new(mode, tls, Default::default());
        let said = whole.say(&text);
        assert!(whole.ended && !whole.mails.is_empty() && said.contains("\r\n221 2.0.0 "), "{said}");
        for at in 1..text.len() {
            let mut cut = Talk::new(mode, tls, Default::default());
            let (first, last) = text.as_bytes().split_at(at);
            assert_eq!(cut.say(first) + &cut.say(last), said, "{at}");
            assert_eq!(cut.mails, whole.mails, "{at}");
        }
    }
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
        // What comes with STARTTLS is thrown away, so no piece holds it and more.
        let (mut codes, mut texts) = (vec![220], vec![String::new()]);
        for command in commands {
            let code = reference.code_for(command);
            codes.push(code);
            texts.last_mut().expect("one").push_str(command);
            if code == 354 && command == "data\r\n" {
                texts.last_mut().expect("one").push_str(LARGE_MESSAGE);
                reference.reset();
                codes.push(552);
            } else if code == 354 {
                texts.last_mut().expect("one").push_str(MESSAGE);
                codes.push(reference.took());
            } else if code == 220 {
                texts.push(String::new());
            }
        }
        let limits = crate::smtp::limits::Limits { errors: 1000, message_size: SIZE_MAX, ..Default::default() };
        let mut talk = Talk::new(super::Mode::Inbound, false, limits);
        let mut seen = talk.codes("");
        let mut cuts = cuts.into_iter().cycle();
        for text in texts {
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (piece, left) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                seen.extend(talk.codes(piece));
                rest = left;
            }
        }
        prop_assert_eq!(seen, codes);
        prop_assert_eq!(talk.mails.iter().map(|mail| mail.1.len()).collect::<Vec<_>>(), reference.mails);
        prop_assert!(!talk.ended);
    }
}
