//! Any line is a command or gets one short reply; nothing that was read holds what ends a line, and limits of RFC 5321 hold.
#![no_main]
use libfuzzer_sys::fuzz_target;
use postrider::base::EmailAddress;
use postrider::smtp::command::{self, Command, Mailbox};
use postrider::smtp::{auth, parameters};

fn good(address: &EmailAddress) {
    assert!(!address.as_str().contains(char::is_control) && address.as_str().len() <= 600, "{address}");
    assert_eq!(EmailAddress::lenient(address.as_str()).as_ref(), Ok(address));
}

fuzz_target!(|line: &[u8]| {
    match command::parse(line) {
        Ok(Command::Mail { from, .. }) => from.iter().for_each(good),
        Ok(Command::Recipient(Mailbox::Address(to))) => good(&to),
        Ok(Command::Hello { host, .. }) => assert!(host.bytes().all(|b| b.is_ascii_graphic())),
        Ok(_) => {}
        Err(answer) => {
            let mut out = Vec::new();
            answer.write(&mut out);
            assert!(out.len() <= 512 && out.ends_with(b"\r\n"));
            assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
        }
    }
    if let Ok(text) = std::str::from_utf8(line) {
        let _ = (parameters::mail(text), parameters::recipient(text), parameters::number(text));
        let _ = (auth::decode(text), auth::plain(text));
    }
});
