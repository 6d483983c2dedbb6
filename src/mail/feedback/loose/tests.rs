//! Reports in words.
use proptest::prelude::*;

use super::*;
use crate::mail::feedback::letter::{self, Letter};

fn bounce(raw: &str) -> Fate {
    match letter::read(raw.replace('\n', "\r\n").as_bytes(), true) {
        Letter::Status(mut report) => report.recipients.remove(0),
        other => panic!("{other:?}"),
    }
}

#[test]
fn qmail_exim_and_exchange_are_understood() {
    let qmail = bounce(
        "From: MAILER-DAEMON@q.example\nSubject: failure notice\n\nHi. This is the qmail-send program at q.example.\n\
         I'm afraid this one could not go through.\n\n<gone@q.example>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n\
         --- Below this line is a copy of the message.\n\nReturn-Path: <x@y.example>\nSubject: 421 4.2.2\n",
    );
    assert_eq!(qmail.addresses, ["gone@q.example"]);
    assert_eq!((qmail.action, qmail.status.as_deref()), (Action::Failed, Some("5.1.1")));
    let exim = bounce(
        "From: Mail Delivery System <Mailer-Daemon@e.example>\nX-Failed-Recipients: a@e.example, b@e.example\n\
         Auto-Submitted: auto-replied\nSubject: Mail delivery failed: returning message to sender\n\n\
         A message that you sent did not get through.\n\n  a@e.example\n    mailbox is full\n",
    );
    assert_eq!(
        (exim.addresses.as_slice(), exim.diagnostic.as_deref()),
        (&["a@e.example".to_owned()][..], Some("smtp; mailbox is full"))
    );
    let exchange = bounce(
        "From: Microsoft Exchange <postmaster@m.example>\nSubject: Undeliverable: hello\n\n\
         Your message did not reach some people.\n\nbob@m.example\nRemote Server returned '550 5.1.10 \
         RESOLVER.ADR.RecipientNotFound; not found'\n\nOriginal message headers:\nReceived: from x\n",
    );
    assert_eq!(
        (exchange.addresses.as_slice(), exchange.status.as_deref()),
        (&["bob@m.example".to_owned()][..], Some("5.1.10"))
    );
    let delay = bounce(
        "From: postmaster@x.example\nSubject: Delayed Mail (still being retried)\n\nhost said: 450 4.2.0 later\n\
         This message could not be delivered yet.\n",
    );
    assert_eq!((delay.action, delay.status.as_deref()), (Action::Delayed, Some("4.2.0")));
}

#[test]
fn a_code_of_class_5_ends_what_was_delayed() {
    let told = |subject: &str, code: &str| {
        let text = "Your mail has not yet been delivered after 4 days";
        bounce(&format!("From: MAILER-DAEMON@q.example\nSubject: {subject}\n\n{text}.\n\n<ann@q.example>:\n{code}\n"))
            .action
    };
    assert_eq!(told("failure notice", "550 5.1.1 User unknown"), Action::Failed);
    assert_eq!(told("failure notice", "450 4.2.0 later"), Action::Delayed);
    assert_eq!(told("Delayed Mail (still being retried)", "550 5.1.1 User unknown"), Action::Delayed);
}

#[test]
fn what_a_person_writes_is_no_bounce() {
    let person = b"From: bob@x.example\r\nSubject: Undeliverable parcels\r\n\r\n550 of them could not be delivered\r\n";
    assert_eq!(letter::read(person, false), Letter::Other);
    assert_eq!(letter::read(b"From: a@x.example\r\nSubject: hi\r\n\r\n550 5.1.1\r\n", true), Letter::Other);
}

proptest! {
    #[test]
    fn anything_is_read_without_trouble(pieces in prop::collection::vec(prop_oneof![
        3 => prop::sample::select(vec!["Subject: failure notice\r\n", "\r\n", "<a@b.example>:", "550 5.1.1 ",
            "This is a copy of the message", "Original Message", "could not be delivered", "é", "İ", "X-Failed-Recipients: a,b\r\n",
            "Auto-Submitted: auto-replied\r\n"]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ], 0..60), null: bool) {
        if let Letter::Status(report) = letter::read(&pieces.concat(), null) {
            let texts = report.recipients.iter().flat_map(|fate| fate.diagnostic.iter().chain(&fate.addresses));
            prop_assert!(texts.into_iter().all(|text| !text.contains(['\r', '\n'])));
        }
    }
}
