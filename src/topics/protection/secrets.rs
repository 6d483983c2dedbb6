//! Private keys, by the lines around them, and the secrets of AWS's access keys.
use crate::topics::protection::keywords::Keywords;

/// The length of an access key's secret.
const SECRET: usize = 40;
/// What may stand before `PRIVATE KEY` in PEM.
const PEM: [&str; 5] = ["", "RSA ", "EC ", "DSA ", "ENCRYPTED "];

/// Keys of OpenSSH, from the first line to the last. A key without an end goes to the end of the text.
pub(super) fn openssh(text: &str) -> Vec<(usize, usize)> {
    between(text, "-----BEGIN OPENSSH PRIVATE KEY-----", |_| Some("-----END OPENSSH PRIVATE KEY-----".to_owned()))
}

/// Keys of PGP.
pub(super) fn pgp(text: &str) -> Vec<(usize, usize)> {
    between(text, "-----BEGIN PGP PRIVATE KEY BLOCK-----", |_| Some("-----END PGP PRIVATE KEY BLOCK-----".to_owned()))
}

/// Keys in PEM.
pub(super) fn pkcs(text: &str) -> Vec<(usize, usize)> {
    between(text, "-----BEGIN ", |rest| {
        let kind =
            PEM.iter().find(|kind| rest.strip_prefix(**kind).is_some_and(|r| r.starts_with("PRIVATE KEY-----")))?;
        Some(format!("-----END {kind}PRIVATE KEY-----"))
    })
}

/// Keys of PuTTY, from the first line to the sum at the end.
pub(super) fn putty(text: &str) -> Vec<(usize, usize)> {
    let mut found = between(text, "PuTTY-User-Key-File-", |_| Some("Private-MAC:".to_owned()));
    for (_, end) in &mut found {
        let sum = text.get(*end..).unwrap_or_default();
        let spaces = sum.len() - sum.trim_start_matches(' ').len();
        *end += spaces + sum.bytes().skip(spaces).take_while(u8::is_ascii_hexdigit).count();
    }
    found
}

/// Everything from `begin` to the end that `end` names for the text behind it.
fn between(text: &str, begin: &str, end: impl Fn(&str) -> Option<String>) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(start) = text.get(at..).and_then(|rest| rest.find(begin)).map(|n| at + n) {
        let inside = start + begin.len();
        let rest = text.get(inside..).unwrap_or_default();
        at = inside;
        if let Some(end) = end(rest) {
            at = rest.find(&end).map_or(text.len(), |n| inside + n + end.len());
            found.push((start, at));
        }
    }
    found
}

/// Secrets of AWS's access keys: forty characters of Base64 near a word for them.
pub(super) fn aws(text: &str, words: &Keywords) -> Vec<(usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    let octets = text.as_bytes();
    while at < octets.len() {
        let run = octets.iter().skip(at).take_while(|o| o.is_ascii_alphanumeric() || matches!(o, b'/' | b'+')).count();
        if run == SECRET && words.near(at, at + run) {
            found.push((at, at + run));
        }
        at += run.max(1);
    }
    found
}
