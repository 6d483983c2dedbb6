//! Header fields as Python's email reads them, which nobody here wrote. Where both must agree they do; where they may not, it is listed.
use std::io::Write;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postrider::mail::message::fields::{Fields, fields_only, section};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

const MESSAGES: usize = 500;

/// Python's names and values, as they stand there.
const READER: &str = r#"
import base64, email, json, sys
octets = lambda text: text.encode("ascii", "surrogateescape").decode("utf-8", "replace")
read = lambda raw: [[octets(name), octets(value)] for name, value in email.message_from_bytes(raw).raw_items()]
json.dump([read(base64.b64decode(raw)) for raw in json.load(sys.stdin)], sys.stdout)
"#;

type Read = Vec<(String, Vec<String>)>;

/// The words of a value: white space is told apart by neither.
fn words(value: &str) -> Vec<String> {
    value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn ours(raw: &[u8]) -> Read {
    Fields::of(raw).filter_map(|field| Some((field.name()?.to_owned(), words(&field.value())))).collect()
}

fn pythons(messages: &[Vec<u8>]) -> Vec<Read> {
    let python = std::env::var("POSTRIDER_TEST_PYTHON").expect("start the tests with ./tests/run");
    let (piped, mut reader) = (Stdio::piped, Command::new(python));
    let mut reader = reader.args(["-c", READER]).stdin(piped()).stdout(piped()).spawn().expect("Python runs");
    let messages: Vec<Value> = messages.iter().map(|raw| STANDARD.encode(raw).into()).collect();
    reader.stdin.take().expect("piped").write_all(Value::from(messages).to_string().as_bytes()).expect("written");
    let said = reader.wait_with_output().expect("it ends").stdout;
    let read: Vec<Vec<(String, String)>> = serde_json::from_slice(&said).expect("lists");
    read.into_iter().map(|fields| fields.into_iter().map(|(name, value)| (name, words(&value))).collect()).collect()
}

/// Headers of what is usual and what is odd.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec!["From: a@x.example", "Subject: one", "To: b@y.example", "Received: by c", "X: "]),
        4 => prop::sample::select(vec!["\r\n", "\r\n", "\r\n", "\n", "\r\n ", "\r\n\t", "\r\n \r\n "]),
        3 => prop::sample::select(vec!["From", "X", ":", ": ", " : ", " ", "\t", "=?utf-8?q?=C3=BC?=", "ü", "no field"]),
        1 => prop::sample::select(vec!["\r", "\0", "\x0b", "\x0c", "\x1c", "\u{85}", "\u{2028}", "From a@b", ": x", "\r\n\r\n"]),
    ];
    let odd = prop::collection::vec(any::<u8>(), 0..4);
    (prop::collection::vec(piece, 0..24), odd).prop_map(|(pieces, odd)| [pieces.concat().as_bytes(), &odd].concat())
}

/// Whether Python has other rules for something in the header: it takes a lone CR for a line's end, and white space before a
/// colon, like any line that is no field, for the beginning of the body.
fn is_read_otherwise(raw: &[u8]) -> bool {
    let lone = |end: &[u8]| end.contains(&b'\r');
    let section = section(raw);
    section.split(|byte| *byte == b'\n').any(|line| lone(line.strip_suffix(b"\r").unwrap_or(line)))
        || section.ends_with(b"\r")
        || Fields::of(raw).any(|field| field.name().is_some_and(|name| field.raw().get(name.len()) != Some(&b':')))
}

#[test]
fn python_finds_the_same_fields() {
    let (strategy, mut runner) = (messages(), TestRunner::deterministic());
    let mut made = || fields_only(&strategy.new_tree(&mut runner).expect("a message").current()).into_owned();
    let messages: Vec<Vec<u8>> =
        std::iter::from_fn(|| Some(made())).filter(|raw| !is_read_otherwise(raw)).take(MESSAGES).collect();
    for (raw, theirs) in messages.iter().zip(pythons(&messages)) {
        assert_eq!(theirs, ours(raw), "{:?}", String::from_utf8_lossy(raw));
    }
}

#[test]
fn where_python_has_other_rules_they_are_known() {
    // The message, the names that Python finds, and those that are found here.
    let cases: [(&[u8], &[&str], &[&str]); 5] = [
        (b"A: 1\rB: 2\r\nC: 3\r\n\r\n", &["A", "B", "C"], &["A", "C"]),
        (b"A: 1\r\nB : 2\r\nC: 3\r\n\r\n", &["A"], &["A", "B", "C"]),
        (b"A: 1\r\nno field\r\nC: 3\r\n\r\n", &["A"], &["A", "C"]),
        (b"A: 1\r\n\xc3\xa4: 2\r\nC: 3\r\n\r\n", &["A"], &["A", "C"]),
        (b": 1\r\n 2\r\nC: 3\r\n\r\n", &["C"], &["C"]),
    ];
    let messages: Vec<Vec<u8>> = cases.iter().map(|(raw, ..)| raw.to_vec()).collect();
    let names = |read: Read| read.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    for ((raw, theirs, found), read) in cases.iter().zip(pythons(&messages)) {
        assert_eq!(names(read), *theirs, "{:?}", String::from_utf8_lossy(raw));
        assert_eq!(names(ours(raw)), *found, "{:?}", String::from_utf8_lossy(raw));
    }
}
