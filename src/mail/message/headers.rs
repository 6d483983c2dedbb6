//! Writing header fields: folding (RFC 5322, 2.2.3), encoded words (RFC 2047) and parameters (RFC 2231). No field may carry
//! a line break in: that is checked here, once, for every value that comes from outside.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::mail::message::Error;

/// Lines are folded to this length where a space allows it (RFC 5322, 2.1.1: 78 without the CRLF; RFC 2047, 2: 76 for
/// lines with encoded words).
const FOLD_AT: usize = 76;
/// No display name longer than this is written as it is.
const LONGEST_WORD: usize = 900;
/// A line's length without its CRLF (RFC 5322, 2.1.1).
const LINE_MAX: usize = 998;
/// SES: the name and value of a custom header (SESv2 model, MessageHeader).
const NAME_LIMIT: usize = 126;

/// Checks a header name: printable ASCII without a colon (RFC 5322, 2.2), 1 to 126 octets.
pub fn check_name(name: &str) -> Result<(), Error> {
    let fine = (1..=NAME_LIMIT).contains(&name.len()) && name.bytes().all(|b| (33..=126).contains(&b) && b != b':');
    if fine { Ok(()) } else { Err(Error::HeaderName(name.chars().take(64).collect())) }
}

/// Checks a value that will stand in the header `name`: no line break, NUL or other control character but the tab.
pub fn check_value(name: &str, value: &str) -> Result<(), Error> {
    let bad = value.chars().any(|c| c.is_control() && c != '\t');
    if bad { Err(Error::ControlCharacter(name.to_owned())) } else { Ok(()) }
}

/// Writes `name: text`, an unstructured field such as Subject.
pub fn unstructured(out: &mut Vec<u8>, name: &str, text: &str) -> Result<(), Error> {
    check_name(name)?;
    check_value(name, text)?;
    // A tab becomes a space: folded between long words it would stand on a line of its own, and a line of nothing but
    // white space is the end of the header to some.
    let text = text.replace('\t', " ");
    let text = text.trim_matches(' ');
    let mut line = Line::start(out, name);
    // A word that fits on a line goes out as it is: a link in List-Unsubscribe means nothing when it is encoded.
    if text.is_ascii() && text.split(' ').all(|word| word.len() < LINE_MAX) {
        line.words(text);
    } else {
        line.encoded_words(text);
    }
    line.end();
    Ok(())
}

/// Writes `name: value; parameter=...`, a field such as Content-Type. The caller has checked `value` to be a token form.
pub fn with_parameters(out: &mut Vec<u8>, name: &str, value: &str, parameters: &[(&str, &str)]) -> Result<(), Error> {
    check_value(name, value)?;
    let mut line = Line::start(out, name);
    line.push(value);
    for (parameter, text) in parameters {
        check_value(name, text)?;
        line.parameter(parameter, text);
    }
    line.end();
    Ok(())
}

/// A mailbox of an address header: the display name, if any, and the address itself.
pub fn mailboxes<'a>(
    out: &mut Vec<u8>,
    name: &str,
    list: impl IntoIterator<Item = (Option<&'a str>, &'a str)>,
) -> Result<(), Error> {
    let mut line = Line::start(out, name);
    let mut first = true;
    for (display, address) in list {
        check_value(name, address)?;
        if !first {
            line.push(",");
        }
        match display {
            None => line.word(address),
            Some(display) => {
                check_value(name, display)?;
                line.phrase(display);
                line.word(&format!("<{address}>"));
            }
        }
        first = false;
    }
    line.end();
    Ok(())
}

/// A field that is being written: knows the column, so that it can fold.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    column: usize,
    /// Whether something stands on the line that a fold may follow.
    started: bool,
}

impl<'a> Line<'a> {
    fn start(out: &'a mut Vec<u8>, name: &str) -> Self {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        Self { out, column: name.len() + 1, started: false }
    }

    fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }

    /// Appends without a space or a fold.
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
        self.column += text.len();
        self.started = true;
    }

    fn fold(&mut self) {
        self.out.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    /// Appends a word after one space, on a new line if it does not fit.
    fn word(&mut self, word: &str) {
        if self.started && self.column + 1 + word.len() > FOLD_AT {
            self.fold();
        }
        self.raw(" ");
        self.raw(word);
    }

    /// The first value stands after one space; later text is glued on.
    fn push(&mut self, text: &str) {
        if self.started { self.raw(text) } else { self.word(text) }
    }

    /// ASCII text, folded before words only, every space kept.
    fn words(&mut self, text: &str) {
        let mut pending = String::new();
        for word in text.split(' ') {
            if word.is_empty() {
                pending.push(' ');
                continue;
            }
            let end = self.column + 1 + pending.len() + word.len();
            if (self.started && end > FOLD_AT) || end > LINE_MAX {
                self.fold();
            }
            // The separating space stands after the fold, so unfolding gives the text back.
            self.raw(" ");
            let spaces = std::mem::take(&mut pending);
            self.raw(&spaces);
            self.raw(word);
        }
    }

    /// Text as encoded words of at most 75 octets, cut between characters (RFC 2047, 2 and 5).
    fn encoded_words(&mut self, text: &str) {
        const AROUND: usize = "=?UTF-8?B??=".len();
        let mut rest = text;
        while !rest.is_empty() {
            let room = FOLD_AT.saturating_sub(self.column + 1 + AROUND) / 4 * 3;
            if room < 12 && self.started {
                self.fold();
                continue;
            }
            let cut = floor_char_boundary(rest, room.clamp(12, 45));
            let (now, later) = rest.split_at(cut);
            self.raw(" ");
            self.raw(&format!("=?UTF-8?B?{}?=", STANDARD.encode(now)));
            rest = later;
        }
    }

    /// A display name: atoms as they are, other ASCII quoted, the rest in encoded words (RFC 5322, 3.4; RFC 2047, 5).
    fn phrase(&mut self, name: &str) {
        let name = name.trim_matches([' ', '\t']);
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
        if !name.is_ascii() || name.len() > LONGEST_WORD || name.contains("=?") {
            self.encoded_words(name);
        } else if !name.is_empty() && name.chars().all(atom) && !name.contains("  ") {
            self.words(name);
        } else {
            self.word(&quoted(name));
        }
    }

    fn parameter(&mut self, name: &str, text: &str) {
        let token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c);
        if text.is_ascii() && text.len() <= 60 {
            let plain = !text.is_empty() && text.chars().all(token);
            let value = if plain { text.to_owned() } else { quoted(text) };
            self.raw(";");
            return self.word(&format!("{name}={value}"));
        }
        self.extended_parameter(name, text);
    }

    /// RFC 2231, 3 and 4: percent-encoded UTF-8, in numbered pieces where one line would be too long.
    fn extended_parameter(&mut self, name: &str, text: &str) {
        let mut pieces = vec![String::new()];
        for c in text.chars() {
            let mut buffer = [0; 4];
            let attribute = c.is_ascii_alphanumeric() || "-._~".contains(c);
            let written = if attribute {
                c.to_string()
            } else {
                c.encode_utf8(&mut buffer).bytes().map(|b| format!("%{b:02X}")).collect()
            };
            match pieces.last_mut() {
                Some(piece) if piece.len() + written.len() <= 48 => piece.push_str(&written),
                _ => pieces.push(written),
            }
        }
        let single = pieces.len() == 1;
        for (n, piece) in pieces.iter().enumerate() {
            let charset = if n == 0 { "utf-8''" } else { "" };
            let number = if single { String::new() } else { format!("*{n}") };
            self.raw(";");
            self.word(&format!("{name}{number}*={charset}{piece}"));
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// The largest cut at or before `at` that does not split a character; at least one character.
fn floor_char_boundary(text: &str, at: usize) -> usize {
    let cut = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    if cut == 0 { text.chars().next().map_or(0, char::len_utf8) } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str) -> String {
        let mut out = Vec::new();
        unstructured(&mut out, "Subject", text).expect("a good header");
        String::from_utf8(out).expect("ascii")
    }

    #[test]
    fn short_text_stands_on_one_line_and_long_text_is_folded_at_spaces() {
        assert_eq!(subject("hello  world"), "Subject: hello  world\r\n");
        let long = "word ".repeat(60);
        let folded = subject(&long);
        assert!(folded.lines().all(|line| line.len() <= 78));
        assert_eq!(folded.replace("\r\n", ""), format!("Subject: {}", long.trim_end()));
    }

    #[test]
    fn a_long_word_goes_out_as_it_is_while_a_line_holds_it() {
        for length in [76, 900, 980, 989, 990, 997] {
            let word = "a".repeat(length);
            let field = subject(&word);
            assert_eq!(field.replace("\r\n", ""), format!("Subject: {word}"), "{length}");
            assert!(field.lines().all(|line| line.len() <= LINE_MAX), "{length}");
        }
        assert!(subject(&"a".repeat(998)).contains("=?UTF-8?B?"));
    }

    #[test]
    fn no_line_of_a_header_is_blank() {
        let (a, b) = ("A".repeat(70), "B".repeat(75));
        let folded = subject(&format!("{a} \t  {b}\t"));
        assert!(folded.lines().all(|line| !line.trim().is_empty()), "{folded:?}");
        assert!(folded.starts_with(&format!("Subject: {a}\r\n")) && folded.ends_with(&format!("{b}\r\n")));
    }

    #[test]
    fn a_line_break_in_any_field_is_refused() {
        for bad in ["a\r\nBcc: x@y.example", "a\nb", "a\rb", "a\0b"] {
            let mut out = Vec::new();
            assert!(unstructured(&mut out, "Subject", bad).is_err());
            assert!(mailboxes(&mut out, "To", [(Some(bad), "a@b.example")]).is_err());
            assert!(mailboxes(&mut out, "To", [(None, bad)]).is_err());
            assert!(with_parameters(&mut out, "Content-Type", "text/plain", &[("name", bad)]).is_err());
            assert!(unstructured(&mut out, bad, "x").is_err());
        }
        assert!(unstructured(&mut Vec::new(), "X:Y", "x").is_err());
    }

    #[test]
    fn display_names_are_atoms_quoted_or_encoded() {
        let mut out = Vec::new();
        let list = [
            (Some("Ann Lee"), "a@x.example"),
            (Some("Lee, \"Ann\""), "b@x.example"),
            (Some("Jürgen"), "c@x.example"),
            (None, "d@x.example"),
        ];
        mailboxes(&mut out, "To", list).expect("good");
        let text = String::from_utf8(out).expect("ascii").replace("\r\n", "");
        assert_eq!(
            text,
            "To: Ann Lee <a@x.example>, \"Lee, \\\"Ann\\\"\" <b@x.example>, =?UTF-8?B?SsO8cmdlbg==?= <c@x.example>, d@x.example"
        );
    }

    #[test]
    fn parameters_are_tokens_quoted_or_extended() {
        let mut out = Vec::new();
        let parameters = [("a", "x.pdf"), ("b", "my file.pdf"), ("c", "Ünï.pdf")];
        with_parameters(&mut out, "Content-Disposition", "attachment", &parameters).expect("good");
        let text = String::from_utf8(out).expect("ascii").replace("\r\n", "");
        assert_eq!(text, "Content-Disposition: attachment; a=x.pdf; b=\"my file.pdf\"; c*=utf-8''%C3%9Cn%C3%AF.pdf");
    }
}
