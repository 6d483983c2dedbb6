//! A whole session: well-formed replies in the order of what asked for them, no mail before its commands, no bare line
//! ends in what is accepted, bounded memory, and the same whatever pieces the bytes come in.
#![no_main]
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use postrider::base::{AccountId, Clock, Region, Timestamp};
use postrider::smtp::reply;
use postrider::smtp::session::{Event, Session, Site};
use postrider::smtp::{Limits, Mode, Principal};
use postrider_fuzz::{bounded, has_only_crlf};

#[derive(Debug, Default, PartialEq)]
struct Seen {
    output: Vec<u8>,
    /// Recipients, and the octets.
    mails: Vec<(usize, Vec<u8>)>,
    handshakes: u32,
    ended: bool,
}

fn talk<'a>(flags: u8, mut pieces: impl Iterator<Item = &'a [u8]>) -> Seen {
    let mode = if flags & 1 == 0 { Mode::Inbound } else { Mode::Submission };
    let clock = Clock::manual(Timestamp::from_secs(1_767_323_045));
    let limits =
        Limits { message_size: 500, data_line: 200, command_line: 300, recipients_inbound: 5, ..Limits::default() };
    let site = Arc::new(Site { mode, hostname: "mx.example".to_owned(), limits, starttls: flags & 4 == 0, clock });
    let peer = std::net::IpAddr::from([192, 0, 2, 1]);
    let mut session: Session<()> = Session::new(site, peer, "id".to_owned(), flags & 2 != 0);
    let mut seen = Seen::default();
    loop {
        let event = session.next_event();
        assert!(session.held() <= 4096);
        seen.output.extend(session.take_output());
        match event {
            Event::Read => {
                let Some(piece) = pieces.next() else { break };
                session.feed(piece);
            }
            Event::Close => {
                seen.ended = true;
                break;
            }
            Event::StartTls => {
                assert!(!session.is_tls() && seen.output.ends_with(b"220 2.0.0 Ready to start TLS\r\n"));
                seen.handshakes += 1;
                session.tls_started();
            }
            Event::Route(to) if to.as_str().starts_with('n') => {
                session.route_answer(Err((&reply::NO_SUCH_MAILBOX).into()))
            }
            Event::Route(_) => session.route_answer(Ok(())),
            Event::Authenticate(login) => {
                assert!(mode == Mode::Submission && session.is_tls());
                let (account, region) = (AccountId::development(), Region::default_region());
                let caller = login.user;
                let good = !caller.starts_with('n');
                session.login_answer(Ok(good.then_some(Principal { account, region, caller })));
            }
            Event::Receive(mail) => {
                assert!(mode == Mode::Inbound && (1..=5).contains(&mail.recipients.len()) && mail.data.len() <= 500);
                took(&mut session, &mut seen, mail.recipients.len(), &mail.data);
            }
            Event::Submit(mail) => {
                assert!(mode == Mode::Submission && session.is_tls() && !mail.recipients.is_empty());
                took(&mut session, &mut seen, mail.recipients.len(), &mail.data);
            }
        }
    }
    seen.output.extend(session.take_output());
    seen
}

fn took(session: &mut Session<()>, seen: &mut Seen, recipients: usize, data: &[u8]) {
    assert!(has_only_crlf(data));
    seen.mails.push((recipients, data.to_vec()));
    session.message_answer(Ok(format!("m{}", seen.mails.len())));
    let said = session.take_output();
    // Submission answers as SES does, without an enhanced code.
    let said_so = |codes: &str| said == format!("{codes} Ok m{}\r\n", seen.mails.len()).as_bytes();
    assert!(said_so("250 2.0.0") || said_so("250"));
    seen.output.extend(said);
}

fuzz_target!(|input: &[u8]| {
    let [flags, size, bytes @ ..] = input else { return };
    let whole = bounded(256 * 1024 + bytes.len() * 40, || talk(*flags, std::iter::once(bytes)));
    let output = std::str::from_utf8(&whole.output).expect("replies are UTF-8");
    assert!(output.ends_with("\r\n"));
    for line in output.split_terminator("\r\n") {
        assert!(line.len() <= 510 && !line.contains(['\r', '\n', '\0']));
        assert!(line.as_bytes().iter().take(3).all(u8::is_ascii_digit));
        assert!(matches!(line.as_bytes().get(3), Some(b' ' | b'-')));
    }
    // What comes with STARTTLS is thrown away, so there the cut does make a difference.
    if whole.handshakes == 0 && !bytes.is_empty() {
        assert_eq!(talk(*flags, bytes.chunks(usize::from(*size).max(1))), whole);
    }
});
