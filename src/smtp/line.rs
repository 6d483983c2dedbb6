//! Finds command lines in a stream of bytes. Only CRLF ends a line: a bare CR or LF spoils it (RFC 5321, 2.3.8).
use crate::smtp::reply;
use crate::smtp::reply::Reply;

/// What stands at the start of the bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A line of this many octets, and its CRLF.
    Line(usize),
    /// A spoiled line. Its answer is due now, and the rest of it up to CRLF is passed over: one line, one reply.
    Spoiled(&'static Reply),
    /// No more than the start of a line.
    Nothing,
}

/// The reader of lines. It keeps no bytes, only where in a spoiled line it is.
#[derive(Debug, Default)]
pub struct LineReader {
    spoiled: bool,
    after_cr: bool,
}

impl LineReader {
    /// Looks at `input`, of which lines may have `max` octets. Gives how many octets are used up (with the CRLF) and what they are.
    pub fn next(&mut self, input: &[u8], max: usize) -> (usize, Found) {
        let passed = if self.spoiled { self.pass_over(input) } else { 0 };
        if self.spoiled {
            return (passed, Found::Nothing);
        }
        let input = input.get(passed..).unwrap_or_default();
        for (n, byte) in input.iter().enumerate() {
            match (byte, input.get(n + 1)) {
                (b'\r', Some(b'\n')) => return (passed + n + 2, Found::Line(n)),
                (b'\r', None) => break,
                (b'\r' | b'\n', _) => return self.spoil(passed + n + 1, &reply::BARE_LINE_END),
                _ if n >= max => return self.spoil(passed + n + 1, &reply::LINE_TOO_LONG),
                _ => {}
            }
        }
        (passed, Found::Nothing)
    }

    fn spoil(&mut self, used: usize, why: &'static Reply) -> (usize, Found) {
        self.spoiled = true;
        self.after_cr = false;
        (used, Found::Spoiled(why))
    }

    /// Goes to the end of a spoiled line; how many octets that took.
    fn pass_over(&mut self, input: &[u8]) -> usize {
        for (n, byte) in input.iter().enumerate() {
            if self.after_cr && *byte == b'\n' {
                self.spoiled = false;
                return n + 1;
            }
            self.after_cr = *byte == b'\r';
        }
        input.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads all of `chunks`; each line as text, spoiled ones as their reply's text.
    fn read(chunks: &[&[u8]], max: usize) -> (Vec<String>, usize) {
        let (mut reader, mut waiting, mut seen) = (LineReader::default(), vec![], vec![]);
        for chunk in chunks {
            waiting.extend_from_slice(chunk);
            loop {
                let (used, found) = reader.next(&waiting, max);
                let start = used.saturating_sub(if let Found::Line(n) = found { n + 2 } else { 0 });
                match found {
                    Found::Line(n) => {
                        seen.push(String::from_utf8_lossy(&waiting[start..start + n]).into_owned());
                    }
                    Found::Spoiled(why) => seen.push(why.text.to_owned()),
                    Found::Nothing => {
                        waiting.drain(..used);
                        break;
                    }
                }
                waiting.drain(..used);
            }
        }
        (seen, waiting.len())
    }

    #[test]
    fn only_crlf_ends_a_line() {
        let bare = reply::BARE_LINE_END.text;
        assert_eq!(read(&[b"NOOP\r\nQUIT\r\n"], 9).0, ["NOOP", "QUIT"]);
        for spoiled in ["NOOP\nQUIT\r\n", "NOOP\rQUIT\r\n", "NOOP\n\r\n", "\nX\r\n", "A\r\r\n", "A\n\n\r\r\nX\n\r\n"] {
            let text = format!("{spoiled}RSET\r\n");
            assert_eq!(read(&[text.as_bytes()], 20).0[0], bare, "{spoiled:?}");
        }
        assert_eq!(read(&[b"NOOP\nQUIT\r\nRSET\r\n"], 9).0, [bare, "RSET"]);
        assert_eq!(read(&[b"NOOP\n"], 9).0, [bare]);
        assert_eq!(read(&[b"NOOP\r"], 9), (vec![], 5));
    }

    #[test]
    fn a_line_may_have_max_octets_and_not_one_more() {
        assert_eq!(read(&[b"12345\r\n"], 5).0, ["12345"]);
        assert_eq!(read(&[b"123456\r\nok\r\n"], 5).0, [reply::LINE_TOO_LONG.text, "ok"]);
        let endless = vec![b'x'; 100_000];
        assert_eq!(read(&[&endless], 5), (vec![reply::LINE_TOO_LONG.text.to_owned()], 0));
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(
            pieces in prop::collection::vec(prop::sample::select(vec!["\r", "\n", "\r\n", "a", "bc", "\0"]), 0..40),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let text = pieces.concat().into_bytes();
            let mut at: Vec<usize> = cuts.iter().map(|c| c.index(text.len() + 1)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|w| &text[w[0]..w[1]]).collect();
            prop_assert_eq!(read(&chunks, 6), read(&[&text], 6));
        }
    }
}
