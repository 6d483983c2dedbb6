//! Wildcards: `*` stands for any characters, `?` for one.

/// Whether `text` fits `pattern`. The time is at most the product of their lengths, whatever the pattern.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when a guess was wrong: after the last star, one character of the text further.
    let mut retry: Option<(usize, usize)> = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(w) if *w == '?' || w == c => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    retry = Some((after_star, from + 1));
                    (p, t) = (after_star, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
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
    use super::*;

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
