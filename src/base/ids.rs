//! Ids and random tokens, in the forms that AWS gives them.
use rand::Rng;
use rand::distr::Alphanumeric;
use uuid::Uuid;

use crate::base::clock::Timestamp;

/// A random UUID (version 4) in its usual text form: SQS and SNS message ids, request ids, subscription ids.
pub fn uuid() -> String {
    random_uuid().to_string()
}

/// From this thread's cryptographic generator: the system's own would be asked for every message.
fn random_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(rand::rng().random()).into_uuid()
}

/// A message id in SES's form: 16 hex digits that grow with time, a UUID, and `-000000`.
pub fn ses_message_id(now: Timestamp) -> String {
    format!("{:016x}-{}-000000", 0x0100_0000_0000_0000_i64 | now.millis(), random_uuid())
}

/// `length` random letters and digits from a cryptographic generator: confirmation tokens, passwords.
pub fn token(length: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(length).map(char::from).collect()
}

/// `length` random lower-case letters and digits: DKIM selectors, which stand in DNS names.
pub fn dns_token(length: usize) -> String {
    const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = rand::rng();
    (0..length).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}

/// A message id of received mail in SES's form, 40 lower-case letters and digits. It grows with time, so that new rows
/// stand side by side in the store's indexes: with ids that are all random, each mail would change pages of its own.
pub fn received_mail_id(now: Timestamp) -> String {
    const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let millis = now.millis();
    let digit = |n: u32| char::from(LETTERS[((millis >> (5 * n)) & 31) as usize]);
    let mut id: String = (0..9).rev().map(digit).collect();
    id.push_str(&dns_token(31));
    id
}

/// A random number that fits the store's BIGINT and is never negative: receipts of claims. The upper half is not zero, as it
/// is where nothing was claimed yet.
pub fn nonce() -> i64 {
    rand::rng().random_range(1 << 32..=i64::MAX)
}

/// A new access key id (`AKIA` and 16 letters or digits) and its secret (40 characters).
pub fn access_key() -> (String, String) {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut random = rand::rng();
    let tail: String = (0..16).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect();
    (format!("AKIA{tail}"), token(40))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ses_ids_have_the_form_that_clients_expect_and_sort_by_time() {
        let early = ses_message_id(Timestamp::from_secs(1_700_000_000));
        let late = ses_message_id(Timestamp::from_secs(1_800_000_000));
        assert_eq!(early.len(), 16 + 1 + 36 + 7);
        assert!(early.starts_with("0100018bcfe56800-") && early.ends_with("-000000"));
        assert!(early < late);
    }

    #[test]
    fn ids_of_received_mail_sort_by_time_and_differ() {
        let at = |millis: i64| received_mail_id(Timestamp::from_micros(millis * 1_000));
        let times = [0, 1, 31, 32, 1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000, 9_999_999_999_999];
        let ids = times.map(at);
        assert!(ids.is_sorted(), "{ids:?}");
        let is_fine = |id: &str| id.len() == 40 && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        assert!(ids.iter().all(|id| is_fine(id)) && at(5) != at(5));
    }
}
