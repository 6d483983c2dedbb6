//! Line ends of what goes out.

/// The message with CRLF line ends only (RFC 5321, 2.3.8): a lone LF becomes one, a lone CR a space. The accept door sees
/// to it already; here it is the guard against a line end that the receiver reads as another one than we do.
pub(super) fn crlf_only(raw: Vec<u8>) -> Vec<u8> {
    let lone = |at: usize, byte: u8| match byte {
        b'\n' => at.checked_sub(1).and_then(|before| raw.get(before)) != Some(&b'\r'),
        b'\r' => raw.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    if !raw.iter().enumerate().any(|(at, byte)| lone(at, *byte)) {
        return raw;
    }
    let mut clean = Vec::with_capacity(raw.len() + raw.len() / 32);
    for (at, byte) in raw.iter().enumerate() {
        match (lone(at, *byte), byte) {
            (true, b'\n') => clean.extend_from_slice(b"\r\n"),
            (true, _) => clean.push(b' '),
            (false, byte) => clean.push(*byte),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_are_crlf_and_nothing_else() {
        for (raw, clean) in [
            ("a\r\nb\r\n", "a\r\nb\r\n"),
            ("a\nb", "a\r\nb"),
            ("\n.\n", "\r\n.\r\n"),
            ("a\rb\r", "a b "),
            ("a\r\r\n\n", "a \r\n\r\n"),
            ("", ""),
        ] {
            assert_eq!(crlf_only(raw.into()), clean.as_bytes(), "{raw:?}");
        }
    }
}
