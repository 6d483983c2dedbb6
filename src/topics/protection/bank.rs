//! IBANs: a country, two digits that check the rest, and as many letters and digits as the country has. Source: ISO 13616.
use crate::topics::protection::keywords::Keywords;
use crate::topics::protection::numbers::{begins_here, ends_here};

/// IBANs of a country, whole or in parts with a space between.
pub(super) fn find(text: &str, words: &Keywords, country: &str, length: usize) -> Vec<(usize, usize)> {
    let (mut found, mut behind) = (Vec::new(), 0);
    for (start, _) in text.match_indices(country) {
        if start < behind || !begins_here(text, start) {
            continue;
        }
        if let Some(end) = iban(text, start, length)
            && ends_here(text, end)
            && words.near(start, end)
        {
            found.push((start, end));
            behind = end;
        }
    }
    found
}

/// Where the IBAN ends that begins here, if one does.
fn iban(text: &str, start: usize, length: usize) -> Option<usize> {
    let (mut letters, mut end, mut spaced) = (Vec::with_capacity(length), start, true);
    for (at, octet) in text.bytes().enumerate().skip(start) {
        match octet {
            b'0'..=b'9' | b'A'..=b'Z' => {
                letters.push(octet);
                (end, spaced) = (at + 1, false);
                if letters.len() == length {
                    break;
                }
            }
            b' ' if !spaced => spaced = true,
            _ => return None,
        }
    }
    let digits = letters.get(2..4)?.iter().all(u8::is_ascii_digit);
    (letters.len() == length && digits && remainder(&letters)? == 1).then_some(end)
}

/// The number that an IBAN is, its first four letters put last, modulo 97.
fn remainder(letters: &[u8]) -> Option<u32> {
    let (head, rest) = letters.split_at_checked(4)?;
    let number = rest.iter().chain(head).fold(0, |number, letter| match letter {
        b'0'..=b'9' => (number * 10 + u32::from(letter - b'0')) % 97,
        letter => (number * 100 + u32::from(letter - b'A') + 10) % 97,
    });
    Some(number)
}
