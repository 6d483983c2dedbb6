//! Signatures of webhooks, in the form of the Standard Webhooks: HMAC-SHA256 over `id.time.body`, so that a receiver can refuse
//! what is forged, changed, or old.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use sha2::Sha256;

use crate::base::Timestamp;

/// The octets of the key that a secret stands for: 16 to 256 characters, or `whsec_` and 24 to 64 octets in base64.
pub fn key(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).ok().filter(|key| (24..=64).contains(&key.len())),
        None => (16..=256).contains(&secret.len()).then(|| secret.as_bytes().to_vec()),
    }
}

/// The header fields of a POST with a JSON `body`, signed. `id` is the same at each attempt. `None`: an id that cannot stand in
/// a header.
pub fn headers(key: &[u8], id: &str, at: Timestamp, body: &str) -> Option<HeaderMap> {
    let time = at.secs().to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [id, ".", &time, ".", body] {
        mac.update(part.as_bytes());
    }
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("Postrider/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in [("webhook-id", id), ("webhook-timestamp", time.as_str()), ("webhook-signature", &signature)] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).ok()?);
    }
    Some(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_standard_webhooks() {
        // The example of the specification.
        let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("a key");
        let body = "{\"test\": 2432232314}";
        let at = Timestamp::from_secs(1_614_265_330);
        let headers = headers(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, body).expect("headers");
        assert_eq!(headers["webhook-timestamp"], "1614265330");
        assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
