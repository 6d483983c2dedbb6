//! The fuzz targets, built as a part of the tests so that they do not fall behind the code, and run once over their corpus.
//! Looking for new inputs needs cargo-fuzz (`fuzz/README.md`).
#![allow(unused_attributes, reason = "a target begins with #![no_main]")]

// What a target names as its crates.
extern crate self as libfuzzer_sys;
extern crate self as postrider_fuzz;

#[path = "../fuzz/fuzz_targets/aws_decode.rs"]
mod aws_decode;
#[path = "../fuzz/fuzz_targets/feedback.rs"]
mod feedback;
#[path = "../fuzz/fuzz_targets/fields.rs"]
mod fields;
#[path = "../fuzz/fuzz_targets/filter_policy.rs"]
mod filter_policy;
#[path = "../fuzz/fuzz_targets/mime.rs"]
mod mime;
#[path = "../fuzz/fuzz_targets/smtp_command.rs"]
mod smtp_command;
#[path = "../fuzz/fuzz_targets/smtp_data.rs"]
mod smtp_data;
#[path = "../fuzz/fuzz_targets/smtp_session.rs"]
mod smtp_session;
#[path = "../fuzz/fuzz_targets/template.rs"]
mod template;

#[path = "../fuzz/src/lib.rs"]
mod shared;

pub use shared::{bounded, has_only_crlf};

mod target {
    /// A target as a function of its input.
    #[macro_export]
    macro_rules! fuzz_target {
        (|$input:ident: $kind:ty| $work:block) => {
            pub(crate) fn run($input: $kind) {
                $work
            }
        };
    }
}

/// The inputs that are kept for a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus").to_owned() + "/" + target;
    let files = std::fs::read_dir(folder).expect("a corpus").map(|file| file.expect("a file").path());
    files.map(|file| std::fs::read(file).expect("an input")).collect()
}

type OfOctets = fn(&[u8]);
type OfText = fn(&str);

/// In one test: the targets measure the memory of the whole process.
#[test]
fn the_corpus_passes() {
    let octets: [(&str, OfOctets); 7] = [
        ("aws_decode", aws_decode::run),
        ("feedback", feedback::run),
        ("fields", fields::run),
        ("mime", mime::run),
        ("smtp_command", smtp_command::run),
        ("smtp_data", smtp_data::run),
        ("smtp_session", smtp_session::run),
    ];
    for (target, run) in octets {
        corpus(target).iter().for_each(|input| run(input));
    }
    let texts: [(&str, OfText); 2] = [("filter_policy", filter_policy::run), ("template", template::run)];
    for (target, run) in texts {
        corpus(target).iter().filter_map(|input| str::from_utf8(input).ok()).for_each(run);
    }
}
