//! The characters that messages may hold.

/// Whether these are characters of ASCII that every body may hold. Looks at many at a time.
fn is_plain(body: &[u8]) -> bool {
    let plain = |b: u8| (0x20..0x7F).contains(&b) | (b == b'\t') | (b == b'\n') | (b == b'\r');
    body.chunks(64).all(|some| some.iter().fold(true, |all, b| all & plain(*b)))
}

/// The first character of a text that no message may hold.
pub(super) fn forbidden(text: &str) -> Option<char> {
    if is_plain(text.as_bytes()) { None } else { text.chars().find(|c| !allowed(*c)) }
}

/// The characters that a body, or the value of an attribute, may hold (SendMessage in the SQS API reference).
fn allowed(c: char) -> bool {
    matches!(c, '\u{9}' | '\u{A}' | '\u{D}' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
