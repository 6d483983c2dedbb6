//! Wildcards: `*` stands for any characters, `?` for one.
use std::collections::HashMap;

/// Whether `text` fits `pattern`. The time grows with the sum of their lengths; where there is a `?`, with the product by 64.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return after(pattern, text) == Some("") };
    let Some(mut text) = after(first, text) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    // The first place where a piece fits leaves most to those behind it.
    for piece in middle.split('*').filter(|piece| !piece.is_empty()) {
        match behind(piece, text) {
            Some(left) => text = left,
            None => return false,
        }
    }
    match last.chars().count().checked_sub(1) {
        None => true,
        Some(n) => {
            let end = text.char_indices().rev().nth(n).and_then(|(at, _)| text.get(at..));
            end.is_some_and(|end| after(last, end).is_some())
        }
    }
}

/// What follows the beginning of `text` that fits `piece`, which has no `*`.
fn after<'t>(piece: &str, text: &'t str) -> Option<&'t str> {
    let mut left = text.chars();
    for wanted in piece.chars() {
        let c = left.next()?;
        if wanted != '?' && wanted != c {
            return None;
        }
    }
    Some(left.as_str())
}

/// What follows the first place of `text` that fits `piece`, which has no `*`.
fn behind<'t>(piece: &str, text: &'t str) -> Option<&'t str> {
    if !piece.contains('?') {
        return text.split_once(piece).map(|(_, left)| left);
    }
    // One bit for each character of the piece: whether the text up to here ends in a beginning of it (Baeza-Yates and
    // Gonnet, "A new approach to text searching", 1992).
    let length = piece.chars().count();
    if length > text.len() {
        return None;
    }
    let words = length.div_ceil(64);
    let (mut any, mut of) = (vec![0_u64; words], HashMap::<char, Vec<u64>>::new());
    for (n, wanted) in piece.chars().enumerate() {
        let bits = if wanted == '?' { &mut any } else { of.entry(wanted).or_insert_with(|| vec![0; words]) };
        if let Some(word) = bits.get_mut(n / 64) {
            *word |= 1 << (n % 64);
        }
    }
    let mut begun = vec![0_u64; words];
    for (at, c) in text.char_indices() {
        let own = of.get(&c);
        let mut carry = 1;
        for (n, word) in begun.iter_mut().enumerate() {
            let bits = own.and_then(|bits| bits.get(n)).copied().unwrap_or(0) | any.get(n).copied().unwrap_or(0);
            let next = *word >> 63;
            *word = (*word << 1 | carry) & bits;
            carry = next;
        }
        if begun.last().is_some_and(|word| word >> ((length - 1) % 64) & 1 == 1) {
            return text.get(at + c.len_utf8()..);
        }
    }
    None
}

/// Whether an ARN fits a pattern, part by part: a wildcard does not reach over one of the first five colons.
pub(super) fn fits_arn(pattern: &str, arn: &str) -> bool {
    let (mut patterns, mut parts) = (pattern.splitn(6, ':'), arn.splitn(6, ':'));
    loop {
        match (patterns.next(), parts.next()) {
            (None, None) => return true,
            (Some(pattern), Some(part)) if fits(pattern, part) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same by trying everything.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], _) => text.is_empty(),
            (['*', rest @ ..], _) => (0..=text.len()).any(|n| slow(rest, &text[n..])),
            ([w, rest @ ..], [c, left @ ..]) => (*w == '?' || w == c) && slow(rest, left),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn all_patterns_fit_what_they_should(pattern in "[ab?*é]{0,9}", text in "[abé]{0,12}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &text), slow(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn long_pieces_are_found(head in "[ab]{0,70}", piece in "[ab?]{60,140}", tail in "[ab]{0,70}") {
            let text = format!("{head}{}{tail}", piece.replace('?', "c"));
            let (loose, strict) = (format!("*{piece}*"), format!("*{}*", piece.replace('?', "c")));
            prop_assert!(fits(&loose, &text) && fits(&strict, &text));
            let wrong = format!("*{piece}d*");
            prop_assert!(!fits(&wrong, &text));
        }
    }

    #[test]
    fn wildcards_stand_for_any_characters_or_one() {
        for (pattern, text) in
            [("", ""), ("*", ""), ("*", "a:b"), ("a*c", "abbc"), ("a?c", "abc"), ("*a*b*", "xxayybzz"), ("?", "é")]
        {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("?", ""), ("a*c", "abcd"), ("a?c", "ac"), ("A", "a"), ("*ab", "aba")] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        let (pattern, text) = ("*a".repeat(4_000), "a".repeat(3_999));
        assert!(!fits(&pattern, &text));
    }

    #[test]
    fn a_wildcard_in_an_arn_stays_in_its_part() {
        let arn = "arn:aws:sns:us-east-1:123456789012:orders:7f";
        for pattern in [arn, "arn:aws:sns:*:123456789012:*", "arn:*:*:*:*:orders:*", "arn:aws:sns:us-east-?:*:o*"] {
            assert!(fits_arn(pattern, arn), "{pattern}");
        }
        for pattern in ["arn:aws:sns:*:orders:7f", "arn:aws:sns:*", "*", "arn:aws:sns:us-east-1:123456789013:*"] {
            assert!(!fits_arn(pattern, arn), "{pattern}");
        }
    }
}
