//! Numbers of cards: 13 to 19 digits with Luhn's check and the beginning of an issuer, near a word for a card. Source: SNS
//! developer guide, "Sensitive data types: Financial".
use crate::topics::protection::keywords::Keywords;
use crate::topics::protection::numbers::{Numbers, luhn};

/// Numbers that issuers keep for tests. SNS does not report them.
const FOR_TESTS: [&str; 55] = [
    "122000000000003",
    "2222405343248877",
    "2222990905257051",
    "2223007648726984",
    "2223577120017656",
    "30569309025904",
    "34343434343434",
    "3528000700000000",
    "3530111333300000",
    "3566002020360505",
    "36148900647913",
    "36700102000000",
    "371449635398431",
    "378282246310005",
    "378734493671000",
    "38520000023237",
    "4012888888881881",
    "4111111111111111",
    "4222222222222",
    "4444333322221111",
    "4462030000000000",
    "4484070000000000",
    "4911830000000",
    "4917300800000000",
    "4917610000000000",
    "4917610000000000003",
    "5019717010103742",
    "5105105105105100",
    "5111010030175156",
    "5185540810000019",
    "5200828282828210",
    "5204230080000017",
    "5204740009900014",
    "5420923878724339",
    "5454545454545454",
    "5455330760000018",
    "5506900490000436",
    "5506900490000444",
    "5506900510000234",
    "5506920809243667",
    "5506922400634930",
    "5506927427317625",
    "5553042241984105",
    "5555553753048194",
    "5555555555554444",
    "5610591081018250",
    "6011000990139424",
    "6011000400000000",
    "6011111111111117",
    "630490017740292441",
    "630495060000000000",
    "6331101999990016",
    "6759649826438453",
    "6799990100000000019",
    "76009244561",
];

pub(super) fn find(numbers: &Numbers<'_>, words: &Keywords) -> Vec<(usize, usize)> {
    let joins = |between: &str| matches!(between, " " | "-");
    numbers.rows(joins, |row| {
        (13..=19).contains(&row.count()) && is_card(&row.digits()) && words.near(row.start(), row.end())
    })
}

/// Whether these digits are a card's.
pub(super) fn is_card(digits: &[u8]) -> bool {
    let text: String = digits.iter().map(|digit| char::from(b'0' + digit)).collect();
    luhn(digits) && is_issued(&text) && !FOR_TESTS.contains(&text.as_str())
}

/// Whether the digits begin as those of an issuer do, and are as many.
fn is_issued(digits: &str) -> bool {
    let begins = |count: usize| digits.get(..count).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let (two, three, four) = (begins(2), begins(3), begins(4));
    match digits.len() {
        15 if matches!(two, 34 | 37) => true,
        14..=19 if matches!(two, 36 | 38 | 39) || matches!(three, 300..=305 | 309) => true,
        16..=19 if four == 6011 || matches!(three, 644..=649) || two == 65 => true,
        16..=19 if matches!(four, 3528..=3589) || two == 62 => true,
        16 if matches!(two, 51..=55) || matches!(four, 2221..=2720 | 5019) => true,
        13 | 16 | 19 => digits.starts_with('4'),
        _ => false,
    }
}
