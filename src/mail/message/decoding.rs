//! Decoding what received mail has encoded, as far as it goes: one octet out of place does not make a message unreadable, as it
//! does not to mail programs.
use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_parser::decoders::charsets::map::charset_decoder;
use memchr::memmem;

/// How far behind its beginning an encoded word may end, in octets (RFC 2047, 2: 75; some senders write longer ones).
const WORD_MAX: usize = 1_000;
/// Beginnings of encoded words without an end that a header may have: mail-parser looks for the end of each as far as the field goes.
const STRAYS_MAX: usize = 100;

/// Quoted-printable (RFC 2045, 6.7). What no `=` may stand before stays as it is.
pub(crate) fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        // White space at the end of a line was added on the way.
        let (text, end) = line.split_at(line.trim_ascii_end().len());
        let (text, end) = match text.strip_suffix(b"=") {
            Some(text) => (text, &b""[..]),
            None if end.ends_with(b"\r\n") => (text, &b"\r\n"[..]),
            None if end.ends_with(b"\n") => (text, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        escaped(text, &mut out);
        out.extend_from_slice(end);
    }
    out
}

fn escaped(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'=', rest) {
        let (before, from) = rest.split_at(at);
        out.extend_from_slice(before);
        let octet = from.get(1..3).and_then(hex);
        out.push(octet.unwrap_or(b'='));
        rest = from.get(if octet.is_some() { 3 } else { 1 }..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

fn hex(digits: &[u8]) -> Option<u8> {
    let digits =
        std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok()
}

/// Base64 (RFC 2045, 6.8), up to its padding or to the first line of something else, such as what a list adds below. Characters
/// out of place in a line are passed over. `None` where not even the first line is base64.
pub(crate) fn base64(body: &[u8]) -> Option<Vec<u8>> {
    let mut digits = Vec::with_capacity(body.len());
    for line in body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        let padded = line.contains(&b'=');
        let good = line.iter().filter(|byte| is_digit(**byte)).count();
        let wrong = line.len() - good - line.iter().filter(|byte| **byte == b'=').count();
        if wrong * 10 > good {
            break;
        }
        let line = line.split(|byte| *byte == b'=').next().unwrap_or_default();
        digits.extend(line.iter().copied().filter(|byte| is_digit(*byte)));
        if padded {
            break;
        }
    }
    // A single digit left over holds no octet.
    if digits.len() % 4 == 1 {
        digits.pop();
    }
    if digits.is_empty() && !body.trim_ascii().is_empty() {
        return None;
    }
    LENIENT.decode(&digits).ok()
}

/// Base64 with nothing else in it, before or behind: `None` where decoding would lose something.
pub(crate) fn whole_base64(body: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    LENIENT.decode(&digits).ok()
}

const LENIENT: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Text in the character set that its part names. A name that is wrong is known by the octets: UTF-8 is seldom anything else,
/// and what is not even that, under a name that says nothing, is most often Windows-1252.
pub(crate) fn text<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let charset = charset.unwrap_or_default().trim().to_ascii_lowercase();
    let utf8 = std::str::from_utf8(bytes).ok();
    let one_octet_each = ["iso-8859-", "windows-125", "cp125", "latin"].iter().any(|start| charset.starts_with(start));
    let unicode = ["utf-8", "utf8"].contains(&charset.as_str());
    let known = if unicode { None } else { charset_decoder(charset.as_bytes()) };
    let says_nothing = charset == "us-ascii" || charset == "ascii" || (!unicode && known.is_none());
    // Text of two or four octets for each character has some that are zero.
    let wide = (charset.starts_with("utf-16") || charset.starts_with("utf-32") || charset.starts_with("ucs-"))
        && !bytes.contains(&0)
        && bytes.is_ascii();
    match utf8 {
        Some(text) if unicode || says_nothing || one_octet_each || wide => Cow::Borrowed(text),
        None if says_nothing => charset_decoder(b"windows-1252")
            .map_or_else(|| String::from_utf8_lossy(bytes), |decode| Cow::Owned(decode(bytes))),
        _ => known.map_or_else(|| String::from_utf8_lossy(bytes), |decode| Cow::Owned(decode(bytes))),
    }
}

/// One encoded word (RFC 2047, 2).
struct Word<'a> {
    charset: &'a str,
    octets: Vec<u8>,
    length: usize,
}

/// Whether more encoded words begin without an end than any sender would write: reading them takes time by the square of
/// their number.
pub(crate) fn is_littered(header: &[u8]) -> bool {
    memmem::find_iter(header, b"=?").filter(|at| is_stray(header, *at)).nth(STRAYS_MAX).is_some()
}

/// Whether no encoded word can be what begins here.
fn is_stray(header: &[u8], at: usize) -> bool {
    let rest = header.get(at + 2..).unwrap_or_default();
    memmem::find(rest.get(..WORD_MAX).unwrap_or(rest), b"?=").is_none()
}

/// Joins encoded words that stand side by side and have one character set: senders cut them within a character, and each alone
/// cannot be decoded then. Beginnings without an end are parted where there are too many ([`is_littered`]).
pub(crate) fn joined_words(header: &str) -> Cow<'_, str> {
    if header.matches("=?").nth(1).is_none() {
        return Cow::Borrowed(header);
    }
    let (mut out, mut rest) = (String::with_capacity(header.len()), header);
    let littered = is_littered(header.as_bytes());
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let Some(first) = word(from) else {
            out.push_str(if littered && is_stray(from.as_bytes(), 0) { "= ?" } else { "=?" });
            rest = from.get(2..).unwrap_or_default();
            continue;
        };
        let (mut octets, mut end, mut count) = (first.octets, first.length, 1);
        loop {
            let behind = from.get(end..).unwrap_or_default();
            let next = behind.trim_start_matches([' ', '\t', '\r', '\n']);
            let gap = behind.len() - next.len();
            let Some(more) = word(next).filter(|more| gap > 0 && more.charset.eq_ignore_ascii_case(first.charset))
            else {
                break;
            };
            octets.extend_from_slice(&more.octets);
            (end, count) = (end + gap + more.length, count + 1);
        }
        if count == 1 {
            out.push_str(from.get(..end).unwrap_or_default());
        } else {
            out.push_str(&format!("=?{}?B?{}?=", first.charset, STANDARD.encode(octets)));
        }
        rest = from.get(end..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn word(text: &str) -> Option<Word<'_>> {
    let inner = text.strip_prefix("=?")?;
    let (charset, rest) = inner.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    // No `?` stands within a word: looking on for `?=` would make many beginnings without an end costly.
    let (payload, rest) = rest.split_once('?')?;
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !rest.starts_with('=') || !plain(charset) || payload.contains(['\r', '\n']) {
        return None;
    }
    let octets = match encoding {
        "b" | "B" => LENIENT.decode(payload.trim_end_matches('=')).ok()?,
        "q" | "Q" => {
            let mut octets = Vec::new();
            escaped(payload.replace('_', " ").as_bytes(), &mut octets);
            octets
        }
        _ => return None,
    };
    let length = "=?".len() + charset.len() + 1 + encoding.len() + 1 + payload.len() + "?=".len();
    Some(Word { charset, octets, length })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn qp(body: &str) -> String {
        String::from_utf8_lossy(&quoted_printable(body.as_bytes())).into_owned()
    }

    #[test]
    fn one_stray_sign_does_not_spoil_the_rest() {
        for (body, text) in [
            ("Gr=C3=BC=C3=9Fe", "Grüße"),
            ("a=3Db=\r\nc", "a=bc"),
            ("5=5, caf=C3=A9, x=y=\nz", "5=5, café, x=yz"),
            ("a=  \r\nb=c3=a4  \t\r\nc \r\n", "abä\r\nc\r\n"),
            ("=", ""),
            ("a=G", "a=G"),
            ("=3", "=3"),
            ("a ", "a "),
        ] {
            assert_eq!(qp(body), text, "{body:?}");
        }
    }

    #[test]
    fn base64_ends_where_something_else_begins() {
        let read = |body: &str| base64(body.as_bytes()).map(|octets| String::from_utf8_lossy(&octets).into_owned());
        for (body, text) in [
            ("aGk=", Some("hi")),
            ("aGkh\r\naGk=\r\n", Some("hi!hi")),
            ("aGkh\r\n_______________\r\nlist mailing list\r\n", Some("hi!")),
            ("aGk=\r\nregards\r\n", Some("hi")),
            ("aGkhaGkhaGkh*aGkh\r\naGk\r\n", Some("hi!hi!hi!hi!hi")),
            ("aGkhaGk", Some("hi!hi")),
            ("aGkha", Some("hi!")),
            ("", Some("")),
            ("\r\n", Some("")),
            ("no! base64", None),
        ] {
            assert_eq!(read(body).as_deref(), text, "{body:?}");
        }
    }

    #[test]
    fn a_wrong_name_of_a_character_set_is_seen_through() {
        for (bytes, charset, expected) in [
            (&b"Gr\xc3\xbc\xc3\x9fe"[..], Some("us-ascii"), "Grüße"),
            (b"Gr\xc3\xbc\xc3\x9fe", Some("iso-8859-1"), "Grüße"),
            (b"Gr\xc3\xbc\xc3\x9fe", Some("x-unknown"), "Grüße"),
            (b"Gr\xc3\xbc\xc3\x9fe", None, "Grüße"),
            (b"Gr\xfc\xdfe \x80", Some("iso-8859-1"), "Gr\u{fc}\u{df}e \u{80}"),
            (b"Gr\xfc\xdfe \x80", Some("us-ascii"), "Grüße €"),
            (b"Gr\xfc\xdfe", Some("no such name"), "Grüße"),
            (b"Gr\xc3\xbc\xdfe", Some("UTF-8"), "Grü\u{fffd}e"),
            (b"plain", Some("utf-16"), "plain"),
            (b"h\0i\0", Some("utf-16le"), "hi"),
        ] {
            let found = text(bytes, charset);
            let same = found == expected || (expected.contains('\u{80}') && found.starts_with("Grüße"));
            assert!(same, "{bytes:?} {charset:?}: {found}");
        }
    }

    #[test]
    fn words_that_split_a_character_are_joined() {
        for (header, joined) in [
            ("a =?utf-8?q?Gr=C3?= =?UTF-8?B?vA==?= b", "a =?utf-8?B?R3LDvA==?= b"),
            ("=?utf-8?q?a?=\r\n =?utf-8?q?b_c?=", "=?utf-8?B?YWIgYw==?="),
            ("=?utf-8?q?a?= =?iso-8859-1?q?b?=", "=?utf-8?q?a?= =?iso-8859-1?q?b?="),
            ("=?utf-8?q?a?= x =?utf-8?q?b?=", "=?utf-8?q?a?= x =?utf-8?q?b?="),
            ("=?utf-8?q?a?=, =?utf-8?q?b?=", "=?utf-8?q?a?=, =?utf-8?q?b?="),
            ("=? =?", "=? =?"),
            ("plain", "plain"),
        ] {
            assert_eq!(joined_words(header), joined, "{header}");
        }
    }

    #[test]
    fn base64_that_has_something_else_in_it_is_not_whole() {
        for (body, text) in [
            ("aGk=", Some("hi")),
            ("aGkh\r\n aGk\r\n", Some("hi!hi")),
            ("", Some("")),
            ("aGk=\r\nregards\r\n", None),
            ("aGk=\r\naGkh\r\n", None),
            ("aGkh\r\n-- \r\nlist\r\n", None),
            ("aGkh*\r\n", None),
            ("aGkha", None),
        ] {
            assert_eq!(whole_base64(body.as_bytes()).as_deref(), text.map(str::as_bytes), "{body:?}");
        }
    }

    /// Without the mend this takes minutes here.
    #[test]
    fn beginnings_of_words_take_no_time_by_their_square() {
        let began = std::time::Instant::now();
        for begins in ["=?a?bx", "=?a?q?x", "=?aa?q?x", "=?a?b?AAAA?x"] {
            let many = begins.repeat(100_000);
            let read = joined_words(&many);
            assert_eq!(read.replace(' ', ""), many, "{begins}");
            assert!(is_littered(many.as_bytes()) && !is_littered(read.as_bytes()), "{begins}");
        }
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        let few = "=?aa?q?x".repeat(STRAYS_MAX) + "=?utf-8?q?a?=";
        assert_eq!(joined_words(&few), few);
        assert!(!is_littered("=?utf-8?q?a_b?= =?aa?q?x".repeat(50_000).as_bytes()));
    }

    proptest! {
        #[test]
        fn anything_is_decoded_without_trouble(bytes in any::<Vec<u8>>(), text_in in "(=\\?|\\?=|utf-8|\\?b\\?|\\?q\\?|[a=ü \r\n])*") {
            let _ = (quoted_printable(&bytes), base64(&bytes), text(&bytes, Some("utf-7")), joined_words(&text_in));
        }

        /// What was encoded whole comes back whole.
        #[test]
        fn what_is_encoded_comes_back(bytes in any::<Vec<u8>>()) {
            prop_assert_eq!(base64(STANDARD.encode(&bytes).as_bytes()), Some(bytes.clone()));
            let encoded: String = bytes.iter().map(|byte| format!("={byte:02X}")).collect();
            prop_assert_eq!(quoted_printable(encoded.as_bytes()), bytes);
        }
    }
}
