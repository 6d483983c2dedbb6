//! A whole session: well-formed replies, no mail before its commands, no bare line ends in what is accepted.
#![no_main]
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use postrider::base::{AccountId, Clock, Region, Timestamp};
use postrider::smtp::session::{Event, Session, Site};
use postrider::smtp::{Limits, Mode, Principal};

fuzz_target!(|input: &[u8]| {
    let [flags, size, bytes @ ..] = input else { return };
    let mode = if flags & 1 == 0 { Mode::Inbound } else { Mode::Submission };
    let clock = Clock::manual(Timestamp::from_secs(1_767_323_045));
    let limits = Limits { message_size: 500, data_line: 200, command_line: 300, ..Limits::default() };
    let site = Arc::new(Site { mode, hostname: "mx.example".to_owned(), limits, starttls: true, clock });
    let peer = std::net::IpAddr::from([192, 0, 2, 1]);
    let mut session: Session<()> = Session::new(site, peer, "id".to_owned(), flags & 2 != 0);
    let mut pieces = bytes.chunks(usize::from(*size).max(1));
    let good = |data: &[u8]| {
        assert!(!String::from_utf8_lossy(data).replace("\r\n", "").contains(['\r', '\n']));
        Ok("m".to_owned())
    };
    loop {
        match session.next_event() {
            Event::Read => {
                let Some(piece) = pieces.next() else { break };
                session.feed(piece);
            }
            Event::Close => break,
            Event::StartTls => session.tls_started(),
            Event::Route(_) => session.route_answer(Ok(())),
            Event::Authenticate(login) => {
                let (account, region) = (AccountId::development(), Region::default_region());
                session.login_answer(Ok(Some(Principal { account, region, caller: login.user })));
            }
            Event::Receive(mail) => {
                assert!(mode == Mode::Inbound && !mail.recipients.is_empty() && mail.data.len() <= 500);
                session.message_answer(good(&mail.data));
            }
            Event::Submit(mail) => {
                assert!(mode == Mode::Submission && session.is_tls() && !mail.recipients.is_empty());
                session.message_answer(good(&mail.data));
            }
        }
    }
    let output = String::from_utf8(session.take_output()).expect("replies are UTF-8");
    for line in output.split_terminator("\r\n") {
        assert!(line.len() <= 510 && !line.contains(['\r', '\n', '\0']));
    }
});
