//! When a certificate ends: the one thing that we read in it (RFC 5280, 4.1).
use crate::base::Timestamp;

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The version, which stands first where there is one.
const VERSION: u8 = 0xA0;

/// The end of a certificate's time, given in DER. `None` when it cannot be read.
pub(super) fn end_of(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = value(certificate, SEQUENCE)?;
    let (mut fields, _) = value(certificate, SEQUENCE)?;
    if let Some((_, rest)) = value(fields, VERSION) {
        fields = rest;
    }
    // Serial number, signature, issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        (_, fields) = value(fields, tag)?;
    }
    let (validity, _) = value(fields, SEQUENCE)?;
    let (_, after) = time(validity)?;
    time(after).and_then(|(end, _)| end)
}

/// The value of the element that `der` begins with, if it has this tag, and what follows.
fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    if first < 0x80 {
        return rest.split_at_checked(usize::from(first));
    }
    let (length, rest) = rest.split_at_checked(usize::from(first & 0x7F).min(8))?;
    let length = length.iter().try_fold(0_usize, |sum, byte| sum.checked_mul(256)?.checked_add(usize::from(*byte)))?;
    rest.split_at_checked(length)
}

fn time(der: &[u8]) -> Option<(Option<Timestamp>, &[u8])> {
    let (text, rest) = value(der, UTC_TIME).or_else(|| value(der, GENERALIZED_TIME))?;
    let text = str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    // A year of two digits is of 1950 to 2049.
    let century = match (text.len(), text.as_bytes().first()) {
        (13, Some(b'0'..=b'4')) => "20",
        (13, _) => "19",
        _ => "",
    };
    let whole = format!("{century}{text}");
    let parts = [(0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14)].map(|(from, to)| whole.get(from..to));
    let [Some(year), Some(month), Some(day), Some(hour), Some(minute), Some(second)] = parts else { return None };
    Some((Timestamp::parse_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(year: i32) -> Option<String> {
        let mut parameters = rcgen::CertificateParams::new(vec!["mx.example".to_owned()]).expect("parameters");
        parameters.not_after = rcgen::date_time_ymd(year, 3, 7);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        end_of(certificate.der()).map(Timestamp::iso_millis)
    }

    #[test]
    fn the_end_is_read_in_both_forms() {
        assert_eq!(ends(2031).as_deref(), Some("2031-03-07T00:00:00.000Z"));
        assert_eq!(ends(2051).as_deref(), Some("2051-03-07T00:00:00.000Z"));
    }

    #[test]
    fn anything_is_read_without_trouble() {
        let key = rcgen::KeyPair::generate().expect("a key");
        let parameters = rcgen::CertificateParams::new(vec!["mx.example".to_owned()]).expect("parameters");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        for end in 0..certificate.der().len() {
            let _ = end_of(&certificate.der()[..end]);
            let mut changed = certificate.der().to_vec();
            changed[end] ^= 0xFF;
            let _ = end_of(&changed);
        }
        assert_eq!(end_of(b""), None);
        assert_eq!(end_of(&[SEQUENCE, 0xFF]), None);
    }
}
