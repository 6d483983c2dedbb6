//! Marks: short words that name a mail and one of its recipients, with a MAC, so that only we can make them. They stand in
//! return paths and in a header field of what goes out, and what comes back is known by them.
//!
//! A mark is `fb-` and base32 (RFC 4648, 6, in lower case) of: the time in the mail's id (6 octets), its UUID (16), the
//! recipient's place (1), and the first 12 octets of HMAC-SHA-256 of these. Case does not matter: not every mail server
//! keeps it.
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use crate::base::{Secret, Timestamp};

const PREFIX: &str = "fb-";
const NAMED: usize = 6 + 16 + 1;
const MAC: usize = 12;
/// Letters after the prefix: 35 octets in base32.
const LETTERS: usize = 56;
/// How many words of one text are looked at: who writes them must not cost us more.
const TRIES: usize = 50;
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// A mail and one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The mail's id.
    pub mail: String,
    /// The recipient's place in the mail's list.
    pub recipient: u8,
    /// When the mail was accepted, in whole milliseconds.
    pub accepted_at: Timestamp,
}

/// Writes and reads marks with one secret key.
#[derive(Clone)]
pub struct Marks {
    key: Secret,
}

impl Marks {
    /// With this key.
    pub fn new(key: Secret) -> Self {
        Self { key }
    }

    /// The mark of a recipient; `None` for a mail whose id is not in SES's form, and for places beyond 255.
    pub fn write(&self, mail: &str, recipient: i64) -> Option<String> {
        let named = named(mail, u8::try_from(recipient).ok()?)?;
        let mut bytes = named.to_vec();
        bytes.extend_from_slice(self.mac(&named)?.finalize().into_bytes().get(..MAC)?);
        Some(format!("{PREFIX}{}", encode(&bytes)))
    }

    /// What a mark names; `None` for anything that we did not write. Takes the same time for every wrong MAC.
    pub fn read(&self, text: &str) -> Option<Mark> {
        let letters = text.get(PREFIX.len()..).filter(|letters| letters.len() == LETTERS)?;
        if !text.get(..PREFIX.len())?.eq_ignore_ascii_case(PREFIX) {
            return None;
        }
        let bytes = decode(letters)?;
        let (named, mac) = bytes.split_at_checked(NAMED)?;
        self.mac(named)?.verify_truncated_left(mac).ok().filter(|()| mac.len() == MAC)?;
        let (time, rest) = named.split_at_checked(6)?;
        let (uuid, recipient) = rest.split_at_checked(16)?;
        let millis = time.iter().fold(0_i64, |all, byte| all << 8 | i64::from(*byte));
        let uuid = Uuid::from_slice(uuid).ok()?;
        Some(Mark {
            mail: format!("{:016x}-{uuid}-000000", 0x0100_0000_0000_0000_i64 | millis),
            recipient: *recipient.first()?,
            accepted_at: Timestamp::from_micros(millis.checked_mul(1_000)?),
        })
    }

    /// The first mark of ours in a text: in a header field, in a return path, wherever it was put.
    pub fn find(&self, text: &[u8]) -> Option<Mark> {
        let word = |byte: &u8| !(byte.is_ascii_alphanumeric() || *byte == b'-');
        let marks = text.split(word).filter(|word| word.len() == PREFIX.len() + LETTERS);
        let likely = marks.filter(|word| word.get(..PREFIX.len()).is_some_and(|p| p.eq_ignore_ascii_case(b"fb-")));
        likely.take(TRIES).find_map(|word| self.read(std::str::from_utf8(word).ok()?))
    }

    fn mac(&self, named: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.reveal().as_bytes()).ok()?;
        mac.update(b"postrider return path 1");
        mac.update(named);
        Some(mac)
    }
}

/// The octets that name a recipient.
fn named(mail: &str, recipient: u8) -> Option<[u8; NAMED]> {
    let (time, rest) = mail.split_at_checked(16)?;
    let uuid = rest.strip_prefix('-')?.strip_suffix("-000000")?;
    let millis = u64::from_str_radix(time, 16).ok()? & 0x0000_ffff_ffff_ffff;
    let uuid = Uuid::try_parse(uuid).ok()?;
    let again = format!("{:016x}-{uuid}-000000", 0x0100_0000_0000_0000_u64 | millis);
    let mut out = [0; NAMED];
    let bytes = millis.to_be_bytes().into_iter().skip(2).chain(uuid.into_bytes()).chain([recipient]);
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    (again == mail).then_some(out)
}

fn encode(bytes: &[u8]) -> String {
    let (mut out, mut bits, mut count) = (String::with_capacity(LETTERS), 0_u32, 0_u32);
    let mut push = |bits: u32| out.extend(ALPHABET.get((bits & 31) as usize).map(|letter| char::from(*letter)));
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            push(bits >> count);
        }
    }
    if count > 0 {
        push(bits << (5 - count));
    }
    out
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut out, mut bits, mut count) = (Vec::with_capacity(text.len()), 0_u32, 0_u32);
    for letter in text.bytes() {
        let letter = letter.to_ascii_lowercase();
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        bits = bits << 5 | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push(u8::try_from(bits >> count & 0xff).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::ids;

    fn marks() -> Marks {
        Marks::new(Secret::new("a key"))
    }

    proptest! {
        #[test]
        fn a_mark_names_what_it_was_written_for(millis in 0_i64..1 << 41, n in 0_i64..256, upper: bool) {
            let at = Timestamp::from_micros(millis * 1_000);
            let mail = ids::ses_message_id(at);
            let text = marks().write(&mail, n).expect("a mark");
            prop_assert!(text.len() <= 64, "a local part");
            let text = if upper { text.to_uppercase() } else { text };
            let mark = marks().read(&text).expect("ours");
            prop_assert_eq!((mark.mail, i64::from(mark.recipient), mark.accepted_at), (mail, n, at));
            prop_assert!(Marks::new(Secret::new("another")).read(&text).is_none());
        }

        #[test]
        fn a_changed_letter_makes_it_nothing(at in 3_usize..59, letter in "[a-z2-7]") {
            let text = marks().write(&ids::ses_message_id(Timestamp::from_secs(1_800_000_000)), 3).expect("a mark");
            let mut other = text.clone();
            other.replace_range(at..=at, &letter);
            prop_assert_eq!(marks().read(&other).is_some(), other == text);
        }

        #[test]
        fn any_text_is_searched_without_trouble(text in prop::collection::vec(any::<u8>(), 0..300), word in "\\PC{0,80}") {
            prop_assert!(marks().find(&text).is_none());
            prop_assert!(marks().read(&word).is_none());
        }
    }

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        let mail = ids::ses_message_id(Timestamp::from_secs(1_800_000_000));
        let mark = marks().write(&mail, 0).expect("a mark");
        for text in [
            format!("Return-Path: <{mark}@b.example>\r\n"),
            format!("x{mark} {}-{mark}\nX-Id: {mark}", "fb"),
            format!("{} {mark}", format!("fb-{} ", "a".repeat(56)).repeat(40)),
        ] {
            assert_eq!(marks().find(text.as_bytes()).map(|m| m.mail).as_ref(), Some(&mail), "{text}");
        }
        let many = format!("{} {mark}", format!("fb-{} ", "a".repeat(56)).repeat(TRIES));
        assert!(marks().find(many.as_bytes()).is_none());
        assert!(marks().write("no id", 0).is_none() && marks().write(&mail, 256).is_none());
    }
}
