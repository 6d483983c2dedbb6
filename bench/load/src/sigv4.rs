//! Signature Version 4, the little of it that a load program needs: POST, no query, signed headers in a fixed order.
use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest::{SHA256, digest};
use ring::hmac;
use time::OffsetDateTime;

/// Signs requests for one service with one key.
pub(crate) struct Signer {
    access_key: String,
    secret: String,
    region: String,
    service: &'static str,
    /// The day that `key` is for, and the key.
    key: (String, [u8; 32]),
}

impl Signer {
    pub(crate) fn new(access_key: &str, secret: &str, region: &str, service: &'static str) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret: secret.to_owned(),
            region: region.to_owned(),
            service,
            key: (String::new(), [0; 32]),
        }
    }

    /// The headers `x-amz-date` and `authorization`, each with its line end. `headers` are the other ones to sign,
    /// sorted, names in lower case.
    pub(crate) fn sign(&mut self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let now = OffsetDateTime::from_unix_timestamp(now as i64).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let day = format!("{:04}{:02}{:02}", now.year(), u8::from(now.month()), now.day());
        let date = format!("{day}T{:02}{:02}{:02}Z", now.hour(), now.minute(), now.second());
        let mut all: Vec<(&str, &str)> = headers.to_vec();
        all.push(("x-amz-date", &date));
        all.sort_unstable();
        let lines: String = all.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let request = format!("POST\n{path}\n\n{lines}\n{names}\n{}", hex(digest(&SHA256, body).as_ref()));
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(digest(&SHA256, request.as_bytes()).as_ref()));
        let signature = hex(&mac(&self.key_of(&day), text.as_bytes()));
        format!(
            "x-amz-date: {date}\r\nauthorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, \
             Signature={signature}\r\n",
            self.access_key
        )
    }

    fn key_of(&mut self, day: &str) -> [u8; 32] {
        if self.key.0 != day {
            let first = mac(format!("AWS4{}", self.secret).as_bytes(), day.as_bytes());
            let parts = [self.region.as_str(), self.service, "aws4_request"];
            let key = parts.iter().fold(first, |key, part| mac(&key, part.as_bytes()));
            self.key = (day.to_owned(), key);
        }
        self.key.1
    }
}

fn mac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut out = [0; 32];
    out.copy_from_slice(hmac::sign(&key, text).as_ref());
    out
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]]).map(char::from).collect()
}
