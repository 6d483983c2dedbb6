//! Any line is a command or gets a reply; nothing that was read holds a line end.
#![no_main]
use libfuzzer_sys::fuzz_target;
use postrider::smtp::command::{self, Command};

fuzz_target!(|line: &[u8]| {
    match command::parse(line) {
        Ok(Command::Mail { from: Some(from), .. }) => assert!(!from.as_str().contains(['\r', '\n', '\0'])),
        Ok(Command::Hello { host, .. }) => assert!(host.bytes().all(|b| b.is_ascii_graphic())),
        Ok(_) => {}
        Err(answer) => {
            let mut out = Vec::new();
            answer.write(&mut out);
            assert!(out.len() <= 512 && out.ends_with(b"\r\n"));
            assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
        }
    }
});
