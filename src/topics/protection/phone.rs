//! Phone numbers: with a country's code, or, near a word for a phone, as they are written in the country itself.
use crate::topics::protection::keywords::Keywords;
use crate::topics::protection::numbers::{Numbers, Row};

/// Countries whose numbers are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Country {
    /// The United States, and whoever shares its numbers.
    America,
    /// Brazil.
    Brazil,
    /// The United Kingdom.
    Britain,
    /// France.
    France,
    /// Germany.
    Germany,
    /// Italy.
    Italy,
    /// Spain.
    Spain,
}

impl Country {
    const ALL: [Self; 7] =
        [Self::America, Self::Brazil, Self::Britain, Self::France, Self::Germany, Self::Italy, Self::Spain];

    fn code(self) -> &'static [u8] {
        match self {
            Self::America => &[1],
            Self::Brazil => &[5, 5],
            Self::Britain => &[4, 4],
            Self::France => &[3, 3],
            Self::Germany => &[4, 9],
            Self::Italy => &[3, 9],
            Self::Spain => &[3, 4],
        }
    }

    /// Whether the digits are a number without the country's code, and without the 0 that leads in some countries.
    fn is_number(self, digits: &[u8]) -> bool {
        let first = digits.first().copied().unwrap_or(0);
        let count = digits.len();
        match self {
            Self::America => count == 10 && first >= 2 && digits.get(3).is_some_and(|exchange| *exchange >= 2),
            Self::Brazil => (10..=11).contains(&count) && first >= 1 && digits.get(1).is_some_and(|d| *d >= 1),
            Self::Britain => (9..=10).contains(&count) && matches!(first, 1..=3 | 7 | 8),
            Self::France => count == 9 && first >= 1,
            Self::Germany => (7..=11).contains(&count) && first >= 1,
            Self::Italy => (8..=11).contains(&count) && matches!(first, 0 | 3),
            Self::Spain => count == 9 && (6..=9).contains(&first),
        }
    }

    /// Whether a number is written with a leading 0 at home.
    fn leads_with_zero(self) -> bool {
        matches!(self, Self::Britain | Self::France | Self::Germany)
    }
}

/// Phone numbers of a country, or of all of them and of any other in the international form.
pub(super) fn find(numbers: &Numbers<'_>, words: &Keywords, country: Option<Country>) -> Vec<(usize, usize)> {
    let one = country.map(|country| [country]);
    let countries: &[Country] = one.as_ref().map_or(&Country::ALL, |one| one);
    let rows = numbers.rows(joins, |row| {
        if !(7..=17).contains(&row.count()) {
            return false;
        }
        let digits = row.digits();
        let signed = after_plus(row);
        let abroad = signed.then_some(digits.as_slice()).or_else(|| digits.strip_prefix(&[0, 0]));
        if let Some(abroad) = abroad {
            let fits = |country: &Country| {
                abroad.strip_prefix(country.code()).is_some_and(|rest| {
                    // "+44 (0)20 …".
                    let rest = if country.leads_with_zero() { rest.strip_prefix(&[0]).unwrap_or(rest) } else { rest };
                    country.is_number(rest)
                })
            };
            let any = country.is_none() && signed && (8..=15).contains(&abroad.len()) && abroad.first() != Some(&0);
            return any || countries.iter().any(fits);
        }
        if countries.contains(&Country::America)
            && has_leading_one(row)
            && Country::America.is_number(digits.get(1..).unwrap_or_default())
        {
            return true;
        }
        let at_home = |country: &Country| match country.leads_with_zero() {
            true => digits.strip_prefix(&[0]).is_some_and(|rest| country.is_number(rest)),
            false => country.is_number(&digits),
        };
        countries.iter().any(at_home) && words.near(row.start(), row.end())
    });
    rows.into_iter().map(|(start, end)| (with_sign(numbers.text, start), end)).collect()
}

/// What may stand between the parts of a number.
fn joins(between: &str) -> bool {
    matches!(between, " " | "-" | "." | "/" | ") " | ")" | " (" | "(" | ")-" | "-(" | " - ")
}

fn after_plus(row: &Row<'_>) -> bool {
    row.text.get(..row.start()).is_some_and(|before| before.ends_with('+'))
}

/// "1-202-555-0100": the code stands apart.
fn has_leading_one(row: &Row<'_>) -> bool {
    row.groups.first().is_some_and(|first| first.len() == 1) && row.digits().first() == Some(&1)
}

/// The sign and the bracket before a number are part of it.
fn with_sign(text: &str, start: usize) -> usize {
    let before = text.get(..start).unwrap_or_default();
    let before = before.strip_suffix(['+', '(']).unwrap_or(before);
    let before = before.strip_suffix('(').unwrap_or(before);
    before.len()
}
