//! Line ends of what goes out: CRLF, and neither CR nor LF alone (RFC 5321, 2.3.8; RFC 5322, 2.3).
//!
//! A receiver that takes a lone CR or LF for a line's end, where we do not, finds an end of the message where we sent a line of
//! its text, and behind it a mail of which nobody asked us (SMTP smuggling). So none goes out. What becomes of them:
//!
//! - A lone LF ends a line, and becomes CRLF. Programs on Unix write lines so, and every reader of this house takes it for a
//!   line's end (`fields.rs`, `leaves.rs`).
//! - A lone CR ends no line, and becomes a space, as in Postfix (`cleanup_replace_stray_cr_lf`). To those readers it is an octet
//!   within a line. Were it made a CRLF, lines would come into being that nobody has checked: a header field, a boundary of a
//!   part. A text whose lines ended in CR alone, as on computers of before 2001, comes as one line.
//!
//! It is done before a message is signed, and before dots at the start of lines are doubled (RFC 5321, 4.5.2).
use std::ops::Range;

/// Adds `octets` with line ends of CRLF only. A CR at their end counts as a lone one, and so does an LF at their beginning.
pub(crate) fn push(out: &mut Vec<u8>, octets: &[u8]) {
    for (run, end) in runs(octets) {
        out.extend_from_slice(octets.get(run).unwrap_or_default());
        out.extend_from_slice(end.as_bytes());
    }
}

/// The message with line ends of CRLF only; the usual one has no other and is not copied.
pub(crate) fn crlf_only(message: Vec<u8>) -> Vec<u8> {
    if lone_ends(&message).next().is_none() {
        return message;
    }
    let mut clean = Vec::with_capacity(message.len() + message.len() / 32);
    push(&mut clean, &message);
    clean
}

/// The text with line ends of CRLF only.
pub(crate) fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    for (run, end) in runs(text.as_bytes()) {
        out.push_str(text.get(run).unwrap_or_default());
        out.push_str(end);
    }
    out
}

/// The runs of octets that stay as they are, each with what follows on it.
fn runs(octets: &[u8]) -> impl Iterator<Item = (Range<usize>, &'static str)> {
    let ends = lone_ends(octets).map(|at| (at, if octets.get(at) == Some(&b'\n') { "\r\n" } else { " " }));
    let mut start = 0;
    ends.chain(std::iter::once((octets.len(), "")))
        .map(move |(at, end)| (std::mem::replace(&mut start, at + 1)..at, end))
}

/// Where a CR or an LF stands alone.
fn lone_ends(octets: &[u8]) -> impl Iterator<Item = usize> {
    let is_lone = |at: &usize| match octets.get(*at) {
        Some(b'\n') => at.checked_sub(1).and_then(|before| octets.get(before)) != Some(&b'\r'),
        _ => octets.get(at + 1) != Some(&b'\n'),
    };
    memchr::memchr2_iter(b'\r', b'\n', octets).filter(is_lone)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_ends_are_crlf_and_nothing_else() {
        for (raw, clean) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\nb", "a\r\nb"),
            ("\n.\n", "\r\n.\r\n"),
            ("a\rb\r", "a b "),
            ("a\r\r\n\n", "a \r\n\r\n"),
            ("a\n\rb", "a\r\n b"),
            ("\r.\r", " . "),
            ("ü\rü\nü", "ü ü\r\nü"),
            ("", ""),
        ] {
            assert_eq!(crlf_only(raw.into()), clean.as_bytes(), "{raw:?}");
            assert_eq!(crlf(raw), clean, "{raw:?}");
        }
    }

    proptest! {
        /// No CR or LF stands alone, all else stays, and the lines are those that ended in LF before.
        #[test]
        fn no_line_end_stands_alone(text in "[a.\r\n ]{0,60}") {
            let clean = crlf(&text);
            prop_assert!(!clean.replace("\r\n", "").contains(['\r', '\n']));
            prop_assert_eq!(clean.matches('\n').count(), text.matches('\n').count());
            let plain = |text: &str| text.replace("\r\n", "\n").replace('\r', " ");
            prop_assert_eq!(plain(&clean), plain(&text));
            prop_assert_eq!(crlf_only(text.into_bytes()), clean.into_bytes());
        }
    }
}
