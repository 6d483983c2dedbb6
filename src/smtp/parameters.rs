//! The parameters of MAIL and RCPT: SIZE, BODY, SMTPUTF8, AUTH (RFC 1870, 6152, 6531, 4954) and those of DSN (RFC 3461).
use crate::smtp::reply;
use crate::smtp::reply::Answer;

/// What MAIL's parameters say that matters to us. The others are checked and dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailParameters {
    /// The announced size in octets.
    pub size: Option<u64>,
    /// Addresses and header fields may be UTF-8.
    pub smtputf8: bool,
}

/// Reads the parameters of MAIL. Each stands at most once.
pub fn mail(text: &str) -> Result<MailParameters, Answer> {
    let mut found = MailParameters::default();
    for (key, value) in split(text)? {
        let good = match (key.as_str(), value) {
            ("SIZE", Some(size)) => {
                found.size = number(size);
                found.size.is_some()
            }
            ("BODY", Some(body)) => ["7BIT", "8BITMIME"].iter().any(|known| body.eq_ignore_ascii_case(known)),
            ("SMTPUTF8", None) => {
                found.smtputf8 = true;
                true
            }
            ("RET", Some(ret)) => ["FULL", "HDRS"].iter().any(|known| ret.eq_ignore_ascii_case(known)),
            ("ENVID", Some(id)) => id.len() <= 100 && xtext(id),
            ("AUTH", Some(sender)) => sender.len() <= 500 && xtext(sender),
            ("SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID" | "AUTH", _) => false,
            _ => return Err(reply::UNKNOWN_PARAMETER.with(key)),
        };
        if !good {
            return Err(reply::BAD_PARAMETER.with(key));
        }
    }
    Ok(found)
}

/// Checks the parameters of RCPT. Each stands at most once.
pub fn recipient(text: &str) -> Result<(), Answer> {
    for (key, value) in split(text)? {
        let good = match (key.as_str(), value) {
            ("NOTIFY", Some(when)) => {
                let known = |w: &str| ["SUCCESS", "FAILURE", "DELAY"].iter().any(|k| w.eq_ignore_ascii_case(k));
                when.eq_ignore_ascii_case("NEVER") || when.split(',').all(known)
            }
            ("ORCPT", Some(original)) => {
                let typed = original.split_once(';').is_some_and(|(kind, _)| !kind.is_empty());
                original.len() <= 500 && typed && (xtext(original) || !original.is_ascii())
            }
            ("NOTIFY" | "ORCPT", None) => false,
            _ => return Err(reply::UNKNOWN_PARAMETER.with(key)),
        };
        if !good {
            return Err(reply::BAD_PARAMETER.with(key));
        }
    }
    Ok(())
}

/// Cuts `KEY=value KEY2` apart, keys in upper case (RFC 5321, 4.1.2 `esmtp-param`).
fn split(text: &str) -> Result<Vec<(String, Option<&str>)>, Answer> {
    let mut found: Vec<(String, Option<&str>)> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (key, value) = word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
        let key = key.to_ascii_uppercase();
        let legal = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !legal || value == Some("") || found.iter().any(|(known, _)| *known == key) {
            return Err(reply::BAD_PARAMETER.with(key));
        }
        found.push((key, value));
    }
    Ok(found)
}

/// Digits, at most 20 of them (RFC 1870, 3).
pub fn number(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Printable ASCII in which `+` stands before two hexadecimal digits, and `=` nowhere (RFC 3461, 4).
fn xtext(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
        let good = match byte {
            b'+' => hex(bytes.next()) && hex(bytes.next()),
            b'=' => false,
            other => other.is_ascii_graphic(),
        };
        if !good {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_parameters_are_taken() {
        let all = "SIZE=1000 body=8bitmime SMTPUTF8 RET=HDRS ENVID=QQ314159 AUTH=<> ";
        assert_eq!(mail(all), Ok(MailParameters { size: Some(1000), smtputf8: true }));
        assert_eq!(recipient("NOTIFY=success,FAILURE ORCPT=rfc822;Bob+2B1@example.com"), Ok(()));
        assert_eq!(recipient("NOTIFY=NEVER ORCPT=utf-8;bøb@example.com"), Ok(()));
    }

    #[test]
    fn others_are_refused() {
        for bad in
            ["SIZE", "SIZE=", "SIZE=-1", "SIZE=1 SIZE=2", "BODY=BINARYMIME", "SMTPUTF8=1", "RET=X", "ENVID=a+2", "=1"]
        {
            assert_eq!(mail(bad).map_err(|e| e.row), Err(&reply::BAD_PARAMETER), "{bad}");
        }
        for bad in ["NOTIFY", "NOTIFY=NEVER,DELAY", "ORCPT=bob", "ORCPT=;bob", "ORCPT=rfc822;a=b"] {
            assert_eq!(recipient(bad).map_err(|e| e.row), Err(&reply::BAD_PARAMETER), "{bad}");
        }
        assert_eq!(mail("XFOO=1").map_err(|e| e.row), Err(&reply::UNKNOWN_PARAMETER));
        assert_eq!(recipient("SIZE=1").map_err(|e| e.row), Err(&reply::UNKNOWN_PARAMETER));
        assert_eq!(mail("SIZE=99999999999999999999").map_err(|e| e.row), Err(&reply::BAD_PARAMETER));
    }
}
