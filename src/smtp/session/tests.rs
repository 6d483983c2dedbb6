//! The session driven by bytes alone: what a client reads, and what the floors below get.
use std::sync::Arc;

use super::*;
use crate::base::{AccountId, Clock, Region, Timestamp};
use crate::smtp::auth::Principal;
use crate::smtp::limits::Limits;
use crate::smtp::reply;

/// A session whose floors below take mail for `here.example` and know one user, `u` with password `p`.
pub(super) struct Talk {
    pub session: Session<u8>,
    pub mails: Vec<(Option<String>, Vec<String>, String)>,
    pub ended: bool,
    pub handshakes: u32,
}

impl Talk {
    pub(super) fn new(mode: Mode, tls: bool, limits: Limits) -> Self {
        let clock = Clock::manual(Timestamp::from_secs(1_767_323_045));
        let site = Site { mode, hostname: "mx.here.example".to_owned(), limits, starttls: true, clock };
        let peer = "192.0.2.7".parse().expect("an address");
        let session = Session::new(Arc::new(site), peer, "id".to_owned(), tls);
        Self { session, mails: vec![], ended: false, handshakes: 0 }
    }

    pub(super) fn inbound() -> Self {
        Self::new(Mode::Inbound, false, Limits::default())
    }

    /// Sends `text` and gives what comes back.
    pub(super) fn say(&mut self, text: impl AsRef<[u8]>) -> String {
        self.session.feed(text.as_ref());
        loop {
            match self.session.next_event() {
                Event::Read => break,
                Event::Close => {
                    self.ended = true;
                    break;
                }
                Event::StartTls => {
                    self.handshakes += 1;
                    self.session.tls_started();
                }
                Event::Route(to) => {
                    let known = ["here.example", "mx.here.example"].contains(&to.domain().as_str());
                    self.session.route_answer(known.then_some(7).ok_or_else(|| (&reply::NO_SUCH_MAILBOX).into()));
                }
                Event::Authenticate(login) => {
                    let right = login.user == "u" && login.password.matches("p");
                    let (account, region) = (AccountId::development(), Region::default_region());
                    self.session.login_answer(Ok(right.then_some(Principal { account, region, caller: login.user })));
                }
                Event::Receive(mail) => {
                    let to = mail.recipients.iter().map(|(to, route)| format!("{to}/{route}")).collect();
                    self.took(mail.source.map(|a| a.to_string()), to, &mail.data);
                }
                Event::Submit(mail) => {
                    let to = mail.recipients.iter().map(ToString::to_string).collect();
                    self.took(Some(mail.source.to_string()), to, &mail.data);
                }
            }
        }
        String::from_utf8(self.session.take_output()).expect("replies are text")
    }

    fn took(&mut self, from: Option<String>, to: Vec<String>, data: &[u8]) {
        self.mails.push((from, to, String::from_utf8_lossy(data).into_owned()));
        self.session.message_answer(Ok(format!("m{}", self.mails.len())));
    }

    /// The codes of the replies to `text`, one per reply.
    pub(super) fn codes(&mut self, text: impl AsRef<[u8]>) -> Vec<u16> {
        let lines = self.say(text);
        let ends = lines.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
        ends.map(|line| line[..3].parse().expect("a code")).collect()
    }
}

#[test]
fn a_mail_comes_in_with_all_commands_in_one_piece() {
    let mut talk = Talk::inbound();
    let said = talk.say(
        "EHLO client.example\r\nMAIL FROM:<> SIZE=10 BODY=8BITMIME\r\nRCPT TO:<a@here.example>\r\n\
         RCPT TO:<b@elsewhere.example>\r\nRCPT TO:<Postmaster>\r\nDATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\nQUIT\r\n",
    );
    let expected = "220 mx.here.example ESMTP Postrider\r\n250-mx.here.example\r\n250-PIPELINING\r\n250-SIZE 41943040\r\n\
        250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n250 2.1.0 Ok\r\n\
        250 2.1.5 Ok\r\n550 5.1.1 No such mailbox here\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n\
        250 2.0.0 Ok m1\r\n221 2.0.0 mx.here.example closing connection\r\n";
    assert_eq!(said, expected);
    let (from, to, data) = &talk.mails[0];
    assert_eq!(
        (from, to.as_slice()),
        (&None, &["a@here.example/7".to_owned(), "postmaster@mx.here.example/7".to_owned()][..])
    );
    assert_eq!(data, "Subject: x\r\n\r\n.dot\r\n");
    assert!(talk.ended);
}

#[test]
fn commands_out_of_order_are_refused_and_change_nothing() {
    let mut talk = Talk::inbound();
    assert_eq!(talk.codes("MAIL FROM:<a@b.example>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n"), [220, 503, 503, 503]);
    assert_eq!(
        talk.codes("HELO x\r\nRCPT TO:<a@here.example>\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n"),
        [250, 503, 250, 503, 503]
    );
    assert_eq!(
        talk.codes("RCPT TO:<a@b.example>\r\nDATA\r\nRSET\r\nRCPT TO:<a@here.example>\r\n"),
        [550, 554, 250, 503]
    );
    assert_eq!(talk.codes("NOOP x\r\nVRFY a\r\nHELP\r\nAUTH PLAIN\r\nEXPN x\r\n"), [250, 252, 214, 502, 502]);
    assert!(talk.mails.is_empty());
}

#[test]
fn ehlo_again_begins_anew() {
    let mut talk = Talk::inbound();
    talk.say("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\n");
    assert_eq!(talk.codes("EHLO y\r\nDATA\r\nMAIL FROM:<>\r\n"), [250, 503, 250]);
}

#[test]
fn bounds_hold() {
    let limits =
        Limits { message_size: 20, recipients_inbound: 2, messages: 1, errors: 4, hops: 1, ..Limits::default() };
    let mut talk = Talk::new(Mode::Inbound, false, limits);
    assert_eq!(talk.codes("EHLO x\r\nMAIL FROM:<> SIZE=21\r\nMAIL FROM:<> SIZE=20\r\n"), [220, 250, 552, 250]);
    let three = "RCPT TO:<a@here.example>\r\nRCPT TO:<b@here.example>\r\nRCPT TO:<a@here.example>\r\nRCPT TO:<c@here.example>\r\n";
    assert_eq!(talk.codes(three), [250, 250, 250, 452]);
    assert_eq!(talk.codes("DATA\r\n123456789 123456789 \r\n.\r\n"), [354, 552]);
    let begin = "MAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n";
    assert_eq!(talk.codes(format!("{begin}Received:\r\nReceived:\r\n.\r\n")), [250, 250, 354, 552]);
    assert_eq!(talk.codes(format!("{begin}Received:\r\n.\r\n")), [250, 250, 354, 250]);
    assert_eq!(talk.codes("MAIL FROM:<>\r\n"), [421]);
    assert!(talk.ended && talk.mails.len() == 1);
    let mut talk = Talk::new(Mode::Inbound, false, Limits { errors: 2, ..Limits::default() });
    assert_eq!(talk.codes("X\r\nX\r\nX\r\nNOOP\r\n"), [220, 500, 500, 421]);
    assert!(talk.ended);
    let mut talk = Talk::new(Mode::Inbound, false, Limits { errors: 0, idle_commands: 2, ..Limits::default() });
    assert_eq!(talk.codes("NOOP\r\nRSET\r\nNOOP\r\n"), [220, 250, 250, 421]);
}

#[test]
fn mail_that_goes_in_circles_is_refused() {
    let mut talk = Talk::new(Mode::Inbound, false, Limits { hops: 2, ..Limits::default() });
    let begin = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nDATA\r\n";
    assert_eq!(talk.codes(format!("{begin}{}.\r\n", "Received: x\r\n".repeat(3))).last(), Some(&554));
    assert_eq!(talk.codes(format!("{begin}{}.\r\n", "Received: x\r\n".repeat(2))).last(), Some(&250));
}

#[test]
fn submission_wants_tls_then_a_login() {
    let mut talk = Talk::new(Mode::Submission, false, Limits { errors: 20, failed_logins: 9, ..Limits::default() });
    let hello = talk.say("EHLO x\r\n");
    assert!(hello.contains("STARTTLS") && !hello.contains("AUTH"));
    assert_eq!(talk.codes("AUTH PLAIN AHUAcA==\r\nMAIL FROM:<a@b.example>\r\n"), [530, 530]);
    // What came with STARTTLS is thrown away, and what was said before is forgotten.
    assert_eq!(talk.codes("STARTTLS\r\nEHLO evil\r\nNOOP\r\n"), [220]);
    assert_eq!((talk.handshakes, talk.codes("MAIL FROM:<a@b.example>\r\n")), (1, vec![503]));
    let hello = talk.say("EHLO x\r\n");
    assert!(!hello.contains("STARTTLS") && hello.contains("AUTH PLAIN LOGIN"));
    assert_eq!(talk.codes("STARTTLS\r\nMAIL FROM:<a@b.example>\r\n"), [503, 530]);
    assert_eq!(
        talk.codes("AUTH PLAIN AHUAeA==\r\nAUTH FOO\r\nAUTH PLAIN !\r\nAUTH LOGIN\r\n*\r\n"),
        [535, 504, 501, 334, 501]
    );
    assert_eq!(talk.say("AUTH LOGIN\r\ndQ==\r\n"), "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n");
    assert_eq!(talk.say("cA==\r\n"), "235 2.7.0 Authentication successful.\r\n");
    assert_eq!(talk.codes("AUTH LOGIN dQ==\r\nMAIL FROM:<>\r\n"), [503, 501]);
    let send = "MAIL FROM:<a@b.example>\r\nRCPT TO:<any@where.example>\r\nDATA\r\nHi\r\n.\r\n";
    assert_eq!(talk.codes(send), [250, 250, 354, 250]);
    assert!(talk.mails[0].2.contains(" with ESMTPSA\r\n\tid id.1\r\n\tfor <any@where.example>;"));
}

#[test]
fn plain_without_an_initial_response_and_too_many_wrong_passwords() {
    let mut talk = Talk::new(Mode::Submission, true, Limits::default());
    talk.say("EHLO x\r\n");
    assert_eq!(talk.say("AUTH PLAIN\r\n"), "334 \r\n");
    assert_eq!(talk.codes("AHUAcA==\r\n"), [235]);
    let mut talk = Talk::new(Mode::Submission, true, Limits::default());
    let wrong = "AUTH PLAIN AHUAeA==\r\n".repeat(3);
    assert_eq!(talk.codes(format!("EHLO x\r\n{wrong}")), [220, 250, 535, 535, 535, 421]);
    assert!(talk.ended);
}

#[test]
fn chunks_make_a_message_and_a_refused_one_is_passed_over() {
    let mut talk = Talk::inbound();
    talk.say("EHLO x\r\n");
    assert_eq!(talk.codes("BDAT 14\r\nMAIL FROM:<>\r\nRSET\r\n"), [503, 250]);
    let begin = "MAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\n";
    assert_eq!(
        talk.codes(format!("{begin}BDAT 6\r\n.\r\n.\r\nBDAT 0\r\nBDAT 2 LAST\r\n..")),
        [250, 250, 250, 250, 250]
    );
    assert_eq!(talk.mails[0].2, ".\r\n.\r\n..");
    assert_eq!(
        talk.codes(format!("{begin}BDAT 1\r\nxDATA\r\nRCPT TO:<a@here.example>\r\nMAIL FROM:<>\r\n")),
        [250, 250, 250, 503, 503, 503]
    );
    assert_eq!(talk.codes("RSET\r\nBDAT 3 LAST\r\nabc"), [250, 503]);
    assert_eq!(talk.codes(format!("{begin}BDAT 4 LAST\r\na\nb\n")), [250, 250, 550]);
    assert_eq!(talk.codes(format!("{begin}BDAT x\r\nNOOP\r\n")), [250, 250, 501]);
    assert!(talk.ended && talk.mails.len() == 1);
    for bad in ["BDAT 3 LAST\nabc\r\n", "BDAT 3\rLAST\r\nabc", "x\ny\r\nBDAT 3\n", "BDAT\t3 LAST\r\nabc"] {
        let mut talk = Talk::inbound();
        talk.say(format!("EHLO x\r\n{begin}"));
        assert!(talk.say(bad).lines().all(|line| line.starts_with("50")) && talk.ended, "{bad:?}");
    }
}

#[test]
fn a_shed_message_is_put_off_at_its_end() {
    let mut talk = Talk::inbound();
    talk.say("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\nDATA\r\nabc");
    assert!(talk.session.held() > 3 && talk.session.wants() == Wants::Data);
    talk.session.shed();
    assert_eq!((talk.session.held(), talk.codes("\r\n.\r\nNOOP\r\n")), (0, vec![452, 250]));
}

#[test]
fn a_spoiled_line_is_one_mistake_and_carries_nothing_out() {
    let mut talk = Talk::inbound();
    assert_eq!(talk.codes("EHLO x\r\nNOOP\nMAIL FROM:<>\r\nRCPT TO:<a@here.example>\r\n"), [220, 250, 500, 503]);
    assert_eq!(talk.codes(format!("{}\r\nNOOP\r\n", "x".repeat(3000))), [500, 250]);
    assert_eq!(talk.codes("NOOP \0\r\nMAIL FROM:<ü@here.example>\r\n"), [500, 553]);
    assert_eq!(talk.codes("MAIL FROM:<ü@here.example> SMTPUTF8\r\nRCPT TO:<ö@here.example>\r\n"), [250, 250]);
}
