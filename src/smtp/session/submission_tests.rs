//! Random sessions of our own users against a reference of a few lines: TLS, then a log-in, then mail.
use proptest::prelude::*;

use super::Mode;
use super::tests::Talk;
use crate::smtp::limits::Limits;

/// What a client says in one go, with the answers of a server that lets it.
const STEPS: &[&str] = &[
    "EHLO x\r\n",
    "HELO x\r\n",
    "STARTTLS\r\n",
    "AUTH PLAIN AHUAcA==\r\n",
    "AUTH PLAIN AHUAeA==\r\n",
    "AUTH PLAIN\r\nAHUAcA==\r\n",
    "AUTH PLAIN\r\n*\r\n",
    "AUTH LOGIN\r\ndQ==\r\ncA==\r\n",
    "AUTH LOGIN dQ==\r\neA==\r\n",
    "AUTH LOGIN\r\ndQ==\r\n!\r\n",
    "AUTH CRAM-MD5\r\n",
    "MAIL FROM:<a@b.example>\r\n",
    "MAIL FROM:<>\r\n",
    "RCPT TO:<c@d.example>\r\n",
    "DATA\r\n",
    "BDAT 6 LAST\r\nX: y\r\n",
    "RSET\r\n",
    "NOOP\r\n",
];
const MESSAGE: &str = "X: y\r\n.\r\n";

#[derive(Default)]
struct Reference {
    tls: bool,
    hello: Option<bool>,
    user: bool,
    mail: bool,
    recipient: bool,
    mails: usize,
}

impl Reference {
    fn reset(&mut self) {
        (self.mail, self.recipient) = (false, false);
    }

    fn codes(&mut self, step: &str) -> Vec<u16> {
        match step.split(['\r', ' ']).next().unwrap_or_default() {
            hello @ ("EHLO" | "HELO") => {
                self.hello = Some(hello == "EHLO");
                self.reset();
                vec![250]
            }
            "STARTTLS" if self.tls => vec![503],
            "STARTTLS" => {
                (self.tls, self.hello) = (true, None);
                self.reset();
                vec![220]
            }
            "AUTH" => self.auth(step),
            "MAIL" => vec![self.mail(step.contains("<>"))],
            "RSET" => {
                self.reset();
                vec![250]
            }
            "NOOP" => vec![250],
            _ if !self.mail => vec![503],
            "RCPT" => {
                self.recipient = true;
                vec![250]
            }
            "DATA" if !self.recipient => vec![503],
            "DATA" => self.took(&[354, 250]),
            _ if !self.recipient => {
                self.reset();
                vec![503]
            }
            _ => self.took(&[250]),
        }
    }

    fn took(&mut self, codes: &[u16]) -> Vec<u16> {
        self.mails += 1;
        self.reset();
        codes.to_vec()
    }

    fn mail(&mut self, null: bool) -> u16 {
        match () {
            () if self.hello.is_none() => 503,
            () if !self.tls || !self.user => 530,
            () if self.mail => 503,
            () if null => 501,
            () => {
                self.mail = true;
                250
            }
        }
    }

    /// Where it is refused, the lines that follow are commands that there are not.
    fn auth(&mut self, step: &str) -> Vec<u16> {
        let refusal = match self.hello {
            _ if !self.tls => 530,
            Some(true) if self.user || self.mail => 503,
            Some(true) if step.contains("CRAM") => 504,
            Some(true) => {
                let answers: &[u16] = match step {
                    "AUTH PLAIN AHUAcA==\r\n" => &[235],
                    "AUTH PLAIN AHUAeA==\r\n" => &[535],
                    "AUTH PLAIN\r\nAHUAcA==\r\n" => &[334, 235],
                    "AUTH PLAIN\r\n*\r\n" => &[334, 501],
                    "AUTH LOGIN\r\ndQ==\r\ncA==\r\n" => &[334, 334, 235],
                    "AUTH LOGIN dQ==\r\neA==\r\n" => &[334, 535],
                    _ => &[334, 334, 501],
                };
                self.user = answers.last() == Some(&235);
                return answers.to_vec();
            }
            _ => 503,
        };
        let more = step.matches("\r\n").count() - 1;
        std::iter::once(refusal).chain(std::iter::repeat_n(500, more)).collect()
    }
}

proptest! {
    #[test]
    fn a_submission_does_what_the_reference_says(
        steps in prop::collection::vec(prop::sample::select(STEPS), 0..40),
        tls in any::<bool>(),
        cuts in prop::collection::vec(1_usize..30, 1..10),
    ) {
        // Most sessions of random steps would not get far.
        let begin = if tls { vec!["STARTTLS\r\n", "EHLO x\r\n", "AUTH PLAIN AHUAcA==\r\n"] } else { vec![] };
        let limits = Limits { errors: 1000, failed_logins: 1000, ..Limits::default() };
        let mut talk = Talk::new(Mode::Submission, false, limits);
        let (mut reference, mut cuts) = (Reference::default(), cuts.into_iter().cycle());
        prop_assert_eq!(talk.codes(""), vec![220]);
        for step in begin.into_iter().chain(steps) {
            let expected = reference.codes(step);
            let text = if expected.first() == Some(&354) { step.to_owned() + MESSAGE } else { step.to_owned() };
            let (mut seen, mut rest) = (vec![], text.as_bytes());
            while !rest.is_empty() {
                let (piece, left) = rest.split_at(cuts.next().unwrap_or(1).min(rest.len()));
                seen.extend(talk.codes(piece));
                rest = left;
            }
            prop_assert_eq!(seen, expected, "{}", step);
        }
        prop_assert_eq!(talk.mails.len(), reference.mails);
        prop_assert!(!talk.ended && talk.mails.iter().all(|mail| mail.2.ends_with("X: y\r\n")));
    }
}
