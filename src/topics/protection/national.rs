//! Numbers that a state gives to people and companies, each with its own check.
use crate::topics::protection::keywords::Keywords;
use crate::topics::protection::numbers::{Numbers, Row, luhn};

/// US Social Security numbers: three, two and four digits, none of them only zeros.
pub(super) fn ssn_us(numbers: &Numbers<'_>, words: &Keywords) -> Vec<(usize, usize)> {
    find(
        numbers,
        words,
        |between| matches!(between, "-" | " "),
        |row| {
            let digits = row.digits();
            let number = |from: usize, to: usize| {
                digits.get(from..to).unwrap_or_default().iter().fold(0, |n, d| n * 10 + u32::from(*d))
            };
            let (area, group, serial) = (number(0, 3), number(3, 5), number(5, 9));
            let shaped = row.has_shape(&[3, 2, 4]) || row.has_shape(&[9]);
            shaped && area != 0 && area != 666 && area < 900 && group != 0 && serial != 0
        },
    )
}

/// Canadian social insurance numbers: nine digits with Luhn's check.
pub(super) fn sin_ca(numbers: &Numbers<'_>, words: &Keywords) -> Vec<(usize, usize)> {
    find(
        numbers,
        words,
        |between| matches!(between, "-" | " "),
        |row| {
            let shaped = row.has_shape(&[3, 3, 3]) || row.has_shape(&[9]);
            let digits = row.digits();
            shaped && luhn(&digits) && !matches!(digits.first(), Some(0 | 8))
        },
    )
}

/// Brazilian numbers of people: nine digits, and two that check them.
pub(super) fn cpf_br(numbers: &Numbers<'_>, words: &Keywords) -> Vec<(usize, usize)> {
    find(
        numbers,
        words,
        |between| matches!(between, "." | "-"),
        |row| {
            let digits = row.digits();
            let shaped = row.has_shape(&[3, 3, 3, 2]) || row.has_shape(&[9, 2]) || row.has_shape(&[11]);
            shaped
                && differ(&digits)
                && (9..11).all(|n| checks(&digits, n, &|place| u32::try_from(n + 1 - place).unwrap_or(0)))
        },
    )
}

/// Brazilian numbers of companies: twelve digits, and two that check them.
pub(super) fn cnpj_br(numbers: &Numbers<'_>, words: &Keywords) -> Vec<(usize, usize)> {
    find(
        numbers,
        words,
        |between| matches!(between, "." | "/" | "-"),
        |row| {
            let digits = row.digits();
            let shaped = row.has_shape(&[2, 3, 3, 4, 2]) || row.has_shape(&[14]);
            // The weights go from 2 to 9 again and again, from the right.
            let weight = |n: usize| move |place: usize| 2 + u32::try_from((n - 1 - place) % 8).unwrap_or(0);
            shaped && differ(&digits) && (12..14).all(|n| checks(&digits, n, &weight(n)))
        },
    )
}

fn find(
    numbers: &Numbers<'_>,
    words: &Keywords,
    joins: impl Fn(&str) -> bool,
    is_one: impl Fn(&Row<'_>) -> bool,
) -> Vec<(usize, usize)> {
    numbers.rows(joins, |row| is_one(row) && words.near(row.start(), row.end()))
}

/// Whether not all digits are the same.
fn differ(digits: &[u8]) -> bool {
    digits.windows(2).any(|pair| pair.first() != pair.last())
}

/// Whether digit `n` checks those before it: their sum by weights, modulo 11.
fn checks(digits: &[u8], n: usize, weight: &dyn Fn(usize) -> u32) -> bool {
    let sum: u32 = digits.iter().take(n).enumerate().map(|(place, digit)| u32::from(*digit) * weight(place)).sum();
    let wanted = match sum % 11 {
        0 | 1 => 0,
        rest => 11 - rest,
    };
    digits.get(n).is_some_and(|digit| u32::from(*digit) == wanted)
}
