//! The name and password of an endpoint, and the answer to a 401 that asks for them: Basic (RFC 7617) and Digest (RFC 7616 with
//! the older forms of RFC 2617 and RFC 2069). Source: SNS developer guide, "Fanout Amazon SNS notifications to HTTPS endpoints".
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use sha2::{Digest, Sha256};

use crate::base::ids;

/// The most bytes of the challenges that are read.
const CHALLENGES_BYTES: usize = 8_192;

/// A name and a password for one endpoint.
pub(super) struct Credentials {
    name: Vec<u8>,
    password: Vec<u8>,
}

/// What is asked, and what the answer is about.
pub(super) struct Question<'a> {
    /// The headers of the 401.
    pub headers: &'a HeaderMap,
    /// Path and query of the request.
    pub target: &'a str,
    /// The body of the request.
    pub body: &'a [u8],
}

impl Credentials {
    /// Takes them out of a URL, so that nobody gets them unasked. `None` where there are none.
    pub(super) fn take(url: &mut Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let plain = |text: &str| percent_decode_str(text).collect();
        let credentials = Self { name: plain(url.username()), password: plain(url.password().unwrap_or_default()) };
        // Both fail only for a URL without a host, which has no name either.
        let _ = (url.set_username(""), url.set_password(None));
        Some(credentials)
    }

    /// The Authorization header that a 401 to a POST asks for: Digest where it is offered, since it does not tell the password,
    /// else Basic. `None` where neither is.
    pub(super) fn answer(&self, question: &Question<'_>) -> Option<HeaderValue> {
        let text = question.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let text: String = text.collect::<Vec<_>>().join(", ");
        let challenges = challenges(text.get(..CHALLENGES_BYTES).unwrap_or(&text));
        let of = |scheme: &'static str| challenges.iter().filter(move |c| c.scheme.eq_ignore_ascii_case(scheme));
        // A challenge without a realm is none.
        let digest = || of("digest").find_map(|challenge| self.digest(challenge, question, &ids::token(32)));
        let basic = || of("basic").find(|c| c.parameters.contains_key("realm")).map(|_| self.basic());
        let mut value = HeaderValue::from_bytes(&digest().or_else(basic)?).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn basic(&self) -> Vec<u8> {
        let pair = [self.name.as_slice(), b":", &self.password].concat();
        format!("Basic {}", STANDARD.encode(pair)).into_bytes()
    }

    /// `None` for a challenge that is incomplete, or wants what is not known here.
    fn digest(&self, challenge: &Challenge, question: &Question<'_>, cnonce: &str) -> Option<Vec<u8>> {
        let given = |name: &str| challenge.parameters.get(name).map(String::as_str);
        let (realm, nonce) = (given("realm")?, given("nonce")?);
        let algorithm = given("algorithm").unwrap_or("MD5");
        let hash = match algorithm.to_ascii_uppercase().trim_end_matches("-SESS") {
            "MD5" => hex_of::<Md5> as fn(&[u8]) -> String,
            "SHA-256" => hex_of::<Sha256>,
            _ => return None,
        };
        let offered: Vec<&str> = given("qop").unwrap_or_default().split(',').map(str::trim).collect();
        let qop = match given("qop") {
            None => None,
            Some(_) => Some(*["auth", "auth-int"].iter().find(|known| offered.contains(*known))?),
        };
        let mut secret = hash(&[self.name.as_slice(), b":", realm.as_bytes(), b":", &self.password].concat());
        if algorithm.to_ascii_uppercase().ends_with("-SESS") {
            secret = hash(format!("{secret}:{nonce}:{cnonce}").as_bytes());
        }
        let request = match qop {
            Some("auth-int") => hash(format!("POST:{}:{}", question.target, hash(question.body)).as_bytes()),
            _ => hash(format!("POST:{}", question.target).as_bytes()),
        };
        let response = match qop {
            Some(qop) => hash(format!("{secret}:{nonce}:00000001:{cnonce}:{qop}:{request}").as_bytes()),
            None => hash(format!("{secret}:{nonce}:{request}").as_bytes()),
        };
        let mut value = b"Digest username=\"".to_vec();
        // In a quoted text these two are escaped.
        value.extend(self.name.iter().flat_map(|b| if matches!(b, b'"' | b'\\') { vec![b'\\', *b] } else { vec![*b] }));
        let target = question.target;
        value.extend(
            format!("\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", response=\"{response}\"").bytes(),
        );
        for (name, text) in [("algorithm", given("algorithm")), ("qop", qop)] {
            value.extend(text.map(|text| format!(", {name}={text}")).unwrap_or_default().bytes());
        }
        if qop.is_some() || algorithm.to_ascii_uppercase().ends_with("-SESS") {
            value.extend(format!(", nc=00000001, cnonce=\"{cnonce}\"").bytes());
        }
        value.extend(given("opaque").map(|opaque| format!(", opaque=\"{opaque}\"")).unwrap_or_default().bytes());
        Some(value)
    }
}

fn hex_of<D: Digest>(bytes: &[u8]) -> String {
    D::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One challenge of a 401.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    scheme: String,
    /// By name, in small letters; values without their quotes, else as they came.
    parameters: HashMap<String, String>,
}

/// Reads WWW-Authenticate. Several challenges stand in one header, and their parameters behind commas too: one begins where a
/// word stands before a name. What cannot be read is passed over.
fn challenges(text: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    for part in parts(text) {
        let mut part = part.trim();
        let word_end = part.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(part.len());
        let (word, rest) = part.split_at(word_end);
        if !word.is_empty() && !rest.trim_start().starts_with('=') {
            found.push(Challenge { scheme: word.to_owned(), parameters: HashMap::new() });
            part = rest.trim_start();
        }
        let (Some(challenge), Some((name, value))) = (found.last_mut(), part.split_once('=')) else { continue };
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        challenge.parameters.insert(name.trim().to_ascii_lowercase(), value.to_owned());
    }
    found
}

/// What stands between the commas that are in no quotes.
fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut from) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(text.get(from..at).unwrap_or_default());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(from..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mufasa(password: &str) -> Credentials {
        Credentials { name: b"Mufasa".to_vec(), password: password.as_bytes().to_vec() }
    }

    fn digest(credentials: &Credentials, challenge: &str, target: &str, body: &[u8], cnonce: &str) -> String {
        let headers = HeaderMap::new();
        let found = challenges(challenge);
        let answer = credentials.digest(&found[0], &Question { headers: &headers, target, body }, cnonce);
        String::from_utf8(answer.expect("an answer")).expect("text")
    }

    fn response(answer: &str) -> &str {
        answer.split_once("response=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(hex, _)| hex)
    }

    // The sums were reckoned with Python's hashlib by the formulas of RFC 7616: its own examples are for GET.
    #[test]
    fn digests_are_those_of_the_rfc() {
        let nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let offer =
            |more: &str| format!(r#"Digest realm="http-auth@example.org", nonce="{nonce}", opaque="o,p"{more}"#);
        let of = |more: &str| digest(&mufasa("Circle of Life"), &offer(more), "/dir/index.html?x=1", b"body", cnonce);
        for (more, expected) in [
            (", qop=\"auth, auth-int\", algorithm=MD5", "533ba08db52bb3b680d0ab42bb78a50c"),
            (", qop=\"auth\", algorithm=SHA-256", "278e13a328a3d269790c54b2c76616e6e5163bdc40634fee42a20d7efd4db273"),
            (
                ", qop=auth-int, algorithm=SHA-256-sess",
                "6b89aeae28829700ff12d1705f18f2b1523fbc6820afaf004137811210ed8865",
            ),
            ("", "2de6df6aecfea2e833162702a7cf1bf5"),
        ] {
            assert_eq!(response(&of(more)), expected, "{more}");
        }
        let shown = of(", qop=\"auth\", algorithm=MD5");
        for part in ["username=\"Mufasa\"", "opaque=\"o,p\"", "qop=auth,", "nc=00000001", "uri=\"/dir/index.html?x=1\""]
        {
            assert!(shown.contains(part), "{shown}");
        }
        let found = challenges(&offer(", algorithm=SHA-512-256"));
        let question = Question { headers: &HeaderMap::new(), target: "/", body: b"" };
        assert!(mufasa("x").digest(&found[0], &question, "c").is_none());
    }

    #[test]
    fn the_best_challenge_is_answered() {
        let answer = |challenges: &[&str]| {
            let mut headers = HeaderMap::new();
            for challenge in challenges {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_str(challenge).expect("a value"));
            }
            let value = mufasa("pw").answer(&Question { headers: &headers, target: "/", body: b"" });
            value.map(|value| String::from_utf8(value.as_bytes().to_vec()).expect("text"))
        };
        assert_eq!(answer(&["Basic realm=\"a\""]).as_deref(), Some("Basic TXVmYXNhOnB3"));
        assert!(answer(&["Basic realm=a, Digest realm=\"b\", nonce=\"n\""]).is_some_and(|a| a.starts_with("Digest ")));
        assert!(
            answer(&["Negotiate", "basic charset=\"UTF-8\", realm=\"x, y\""]).is_some_and(|a| a.starts_with("Basic "))
        );
        for none in [&[][..], &["Basic"], &["Bearer realm=\"a\""], &["Digest realm=\"a\""], &["\",=,\"=\"\\"]] {
            assert_eq!(answer(none), None, "{none:?}");
        }
    }

    #[test]
    fn they_are_taken_out_of_the_url() {
        let mut url: Url = "https://ann:p%40ss@example.com/hook?x".parse().expect("a URL");
        let taken = Credentials::take(&mut url).expect("some");
        assert_eq!((taken.name.as_slice(), taken.password.as_slice()), (&b"ann"[..], &b"p@ss"[..]));
        assert_eq!(url.as_str(), "https://example.com/hook?x");
        assert!(Credentials::take(&mut url).is_none());
    }
}
