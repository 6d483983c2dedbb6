//! The hash of a body in one of the two canonical forms of DKIM (RFC 6376, 3.4.3 and 3.4.4).
use std::ops::Range;

use aws_lc_rs::digest::{Context, SHA256};

use crate::mail::message::canonical::Form;

/// The SHA-256 hash of the canonical form of a body with CRLF line ends. A last line without an end gets one, as it does on
/// the wire.
pub fn body_hash(body: &[u8], form: Form) -> [u8; 32] {
    body_hash_of(body, form, None).0
}

/// The same of its first `length` octets alone (RFC 6376, 3.5: `l=`), and how many octets the whole canonical form has.
pub fn body_hash_of(body: &[u8], form: Form, length: Option<u64>) -> ([u8; 32], u64) {
    let mut hashed = Hashed::new(body, length);
    for bytes in lines(body) {
        hashed.add_line(bytes, form);
    }
    hashed.finish(form)
}

/// The places of a body's lines, each with its end.
fn lines(body: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let ends = memchr::memchr_iter(b'\n', body).map(|end| end + 1);
    let last = (!body.is_empty() && body.last() != Some(&b'\n')).then_some(body.len());
    ends.chain(last).scan(0, |start, end| Some(std::mem::replace(start, end)..end))
}

/// A body on its way into the hash. Lines that are canonical as they stand are hashed many at once, where they lie: most are.
struct Hashed<'a> {
    body: &'a [u8],
    /// Lines that are canonical as they stand, and not hashed yet. Empty lines behind them are not among them.
    run: Range<usize>,
    /// Empty lines since the last other one: they count only when something comes after them.
    empty: usize,
    hash: Context,
    /// How many octets are hashed still (`l=`).
    left: usize,
    /// Octets of the canonical body so far.
    whole: u64,
    /// One line in its canonical form.
    line: Vec<u8>,
}

impl<'a> Hashed<'a> {
    fn new(body: &'a [u8], length: Option<u64>) -> Self {
        let left = length.map_or(usize::MAX, |length| usize::try_from(length).unwrap_or(usize::MAX));
        Self { body, run: 0..0, empty: 0, hash: Context::new(&SHA256), left, whole: 0, line: Vec::new() }
    }

    fn add_line(&mut self, at: Range<usize>, form: Form) {
        let whole = self.body.get(at.clone()).unwrap_or_default();
        let bytes = whole.strip_suffix(b"\n").unwrap_or(whole);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let stands = bytes.len() + 2 == whole.len() && (form == Form::Simple || is_reduced(bytes));
        if stands && bytes.is_empty() {
            self.empty += 1;
        } else if stands && !self.run.is_empty() {
            // The empty lines between were canonical too, or the run would have ended.
            self.run.end = at.end;
            self.empty = 0;
        } else if stands {
            self.add_empty_lines();
            self.run = at;
        } else {
            self.add_run();
            self.add_changed(bytes, form);
        }
    }

    fn add_changed(&mut self, bytes: &[u8], form: Form) {
        let mut line = std::mem::take(&mut self.line);
        match form {
            Form::Simple => bytes.clone_into(&mut line),
            Form::Relaxed => reduce(bytes, &mut line),
        }
        if line.is_empty() {
            self.empty += 1;
        } else {
            self.add_empty_lines();
            line.extend_from_slice(b"\r\n");
            self.add(&line);
        }
        self.line = line;
    }

    fn add_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        self.add(self.body.get(run).unwrap_or_default());
    }

    fn add_empty_lines(&mut self) {
        for _ in 0..std::mem::take(&mut self.empty) {
            self.add(b"\r\n");
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let taken = bytes.get(..self.left).unwrap_or(bytes);
        self.hash.update(taken);
        self.left -= taken.len();
        self.whole += bytes.len() as u64;
    }

    fn finish(mut self, form: Form) -> ([u8; 32], u64) {
        self.add_run();
        if self.whole == 0 && form == Form::Simple {
            self.add(b"\r\n");
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(self.hash.finish().as_ref());
        (hash, self.whole)
    }
}

/// Whether a line is in relaxed form already. Without branches, since every octet of every mail is looked at.
fn is_reduced(line: &[u8]) -> bool {
    let pairs = line.iter().zip(line.get(1..).unwrap_or_default());
    let odd =
        pairs.fold(0_u8, |odd, (a, b)| odd | u8::from(*b == b'\t') | (u8::from(*a == b' ') & u8::from(*b == b' ')));
    odd == 0 && line.first() != Some(&b'\t') && line.last() != Some(&b' ')
}

/// The line with one space for each run of white space, and none at its end.
fn reduce(line: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for byte in line {
        match byte {
            b' ' | b'\t' if out.last() == Some(&b' ') => {}
            b' ' | b'\t' => out.push(b' '),
            byte => out.push(*byte),
        }
    }
    if out.last() == Some(&b' ') {
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// RFC 6376, 3.4.3 and 3.4.4: the empty body is a line end to one form, and nothing to the other.
    #[test]
    fn bodies_end_in_one_line_end_or_none() {
        for body in ["", "\r\n", "\r\n\r\n"] {
            assert_eq!(body_hash(body.as_bytes(), Form::Simple), <[u8; 32]>::from(Sha256::digest(b"\r\n")));
            assert_eq!(body_hash(body.as_bytes(), Form::Relaxed), <[u8; 32]>::from(Sha256::digest(b"")));
        }
        for body in ["a", "a\r\n", "a\r\n\r\n\r\n"] {
            assert_eq!(body_hash(body.as_bytes(), Form::Simple), <[u8; 32]>::from(Sha256::digest(b"a\r\n")));
        }
        assert_eq!(body_hash(b" \r\n\t\r\n", Form::Relaxed), <[u8; 32]>::from(Sha256::digest(b"")));
        assert_eq!(body_hash(b" \r\n", Form::Simple), <[u8; 32]>::from(Sha256::digest(b" \r\n")));
    }

    /// The canonical body, line by line as RFC 6376, 3.4 has it.
    fn by_the_letter(body: &[u8], form: Form) -> Vec<u8> {
        let mut out = Vec::new();
        for line in body.split(|b| *b == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match form {
                Form::Simple => out.extend_from_slice(line),
                Form::Relaxed => {
                    let mut reduced = Vec::new();
                    reduce(line, &mut reduced);
                    out.extend_from_slice(&reduced);
                }
            }
            out.extend_from_slice(b"\r\n");
        }
        while out.ends_with(b"\r\n\r\n") || out == b"\r\n" {
            out.truncate(out.len() - 2);
        }
        if out.is_empty() && form == Form::Simple { b"\r\n".to_vec() } else { out }
    }

    proptest::proptest! {
        /// Lines that are canonical as they stand are hashed many at once: that makes no difference.
        #[test]
        fn bodies_are_hashed_by_the_letter(
            lines in proptest::collection::vec("[a .\\t]{0,3}(\r\n|\r\n|\r\n|\n|\r|\r\r\n)", 0..24),
            length in proptest::option::of(0_u64..40),
        ) {
            let body = lines.concat();
            for form in [Form::Relaxed, Form::Simple] {
                let canonical = by_the_letter(body.as_bytes(), form);
                let signed = length.and_then(|l| canonical.get(..usize::try_from(l).ok()?)).unwrap_or(&canonical);
                let wanted = (<[u8; 32]>::from(Sha256::digest(signed)), canonical.len() as u64);
                proptest::prop_assert_eq!(body_hash_of(body.as_bytes(), form, length), wanted, "{:?}", body);
            }
        }
    }

    #[test]
    fn the_first_octets_of_a_canonical_body_have_a_hash_of_their_own() {
        for (length, signed) in [(0, ""), (3, "a b"), (5, "a b\r\n"), (8, "a b\r\n\r\nc"), (99, "a b\r\n\r\nc\r\n")] {
            let found = body_hash_of(b"a  b \r\n\r\nc\r\n\r\n", Form::Relaxed, Some(length));
            assert_eq!(found, (<[u8; 32]>::from(Sha256::digest(signed)), 10), "{length}");
        }
    }
}
