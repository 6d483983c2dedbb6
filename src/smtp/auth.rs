//! Who hands mail over: AUTH PLAIN and LOGIN (RFC 4616, RFC 4954) with SES's SMTP passwords.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::base::{AccountId, Region, Regions, Secret};

/// What a client claims.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user name: an access key id.
    pub user: String,
    /// The SMTP password.
    pub password: Secret,
}

/// Who a session acts for, once its password was right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The account that the mail belongs to.
    pub account: AccountId,
    /// The region that the password was made for.
    pub region: Region,
    /// The caller's name: the ARN of the user, or the access key id.
    pub caller: String,
}

/// The owner of an access key.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The account.
    pub account: AccountId,
    /// The caller's name: the ARN of the user, or the access key id.
    pub caller: String,
    /// The secret access key; `None` lets every password in (a developer's machine).
    pub secret: Option<Secret>,
}

/// Decides on a claim. `home` is the region of who has no password to name one; a password holds for one of `regions` and names it
/// that way. Takes the same time for an unknown key as for a wrong password, whatever the region.
pub fn judge(login: &Login, holder: Option<KeyHolder>, home: &Region, regions: &Regions) -> Option<Principal> {
    let known = holder.is_some();
    let holder = holder.unwrap_or_else(|| KeyHolder {
        account: AccountId::development(),
        caller: String::new(),
        secret: Some(Secret::new("no such key")),
    });
    let region = match &holder.secret {
        Some(secret) => region_of(&login.password, secret, regions),
        None => Some(home.clone()),
    };
    let region = region.filter(|_| known)?;
    Some(Principal { account: holder.account, region, caller: holder.caller })
}

/// The region for which `password` is the SMTP password of `secret`. All regions are tried, found or not.
fn region_of(password: &Secret, secret: &Secret, regions: &Regions) -> Option<Region> {
    let (mut found, mut at) = (Choice::from(0), 0_u32);
    for (n, region) in regions.names().enumerate() {
        let right = smtp_password(secret, region).reveal().as_bytes().ct_eq(password.reveal().as_bytes());
        at.conditional_assign(&u32::try_from(n).unwrap_or(0), right & !found);
        found |= right;
    }
    if !bool::from(found) {
        return None;
    }
    regions.names().nth(usize::try_from(at).ok()?)?.parse().ok()
}

/// SES's SMTP password for a secret access key (AWS: "Obtaining Amazon SES SMTP credentials", version 4).
pub fn smtp_password(secret: &Secret, region: &str) -> Secret {
    let mut key = format!("AWS4{}", secret.reveal()).into_bytes();
    for part in ["11111111", region, "ses", "aws4_request", "SendRawEmail"] {
        key = sign(&key, part);
    }
    key.insert(0, 4);
    Secret::new(STANDARD.encode(key))
}

fn sign(key: &[u8], text: &str) -> Vec<u8> {
    // An HMAC takes a key of any length, so there is no other case.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Reads one base64 answer of a client; `=` alone is the empty one (RFC 4954, 4).
pub fn decode(text: &str) -> Option<String> {
    if text == "=" {
        return Some(String::new());
    }
    String::from_utf8(STANDARD.decode(text).ok()?).ok().filter(|plain| plain.len() <= 1024)
}

/// Reads the message of PLAIN: `authorize-as NUL user NUL password` (RFC 4616, 2). Acting for another is not offered.
pub fn plain(message: &str) -> Option<Login> {
    let mut parts = message.split('\0');
    let (acting_as, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    let good = parts.next().is_none() && !user.is_empty() && (acting_as.is_empty() || acting_as == user);
    good.then(|| Login { user: user.to_owned(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const EAST: &str = "BLBM/9hSUELfq8Gw+rU1YcBjkOxGbhT2XG763xVLGWL9";
    const WEST: &str = "BF2PynzbSCAjX08zhZZnP/kW+T9P5zs/1Er0pi5vTEmd";

    fn judged(password: &str, holder: Option<KeyHolder>) -> Option<String> {
        let login = Login { user: "AKIAIOSFODNN7EXAMPLE".to_owned(), password: Secret::new(password) };
        let home: Region = "home-1".parse().expect("a region");
        judge(&login, holder, &home, &Regions::with(std::slice::from_ref(&home))).map(|p| p.region.to_string())
    }

    fn holder(secret: Option<&str>) -> Option<KeyHolder> {
        let account = AccountId::development();
        Some(KeyHolder { account, caller: "AKIAIOSFODNN7EXAMPLE".to_owned(), secret: secret.map(Secret::new) })
    }

    #[test]
    fn passwords_are_those_of_aws_and_name_their_region() {
        let secret = Secret::new(SECRET);
        assert_eq!(smtp_password(&secret, "us-east-1").reveal(), EAST);
        assert_eq!(smtp_password(&secret, "us-west-2").reveal(), WEST);
        assert_eq!(judged(EAST, holder(Some(SECRET))).as_deref(), Some("us-east-1"));
        assert_eq!(judged(WEST, holder(Some(SECRET))).as_deref(), Some("us-west-2"));
        let home = smtp_password(&secret, "home-1");
        assert_eq!(judged(home.reveal(), holder(Some(SECRET))).as_deref(), Some("home-1"));
        assert_eq!(judged("anything", holder(None)).as_deref(), Some("home-1"));
        for (region, good) in [("mx-central-1", true), ("home-2", false)] {
            let password = smtp_password(&secret, region);
            assert_eq!(judged(password.reveal(), holder(Some(SECRET))).is_some(), good, "{region}");
        }
    }

    #[test]
    fn wrong_passwords_and_unknown_keys_are_turned_away() {
        for wrong in ["", SECRET, &EAST[1..], &EAST.to_lowercase()] {
            assert_eq!(judged(wrong, holder(Some(SECRET))), None, "{wrong}");
        }
        let dummy = smtp_password(&Secret::new("no such key"), "us-east-1");
        for password in [EAST, dummy.reveal()] {
            assert_eq!(judged(password, None), None);
        }
    }

    #[test]
    fn plain_messages_are_read() {
        let read = |text: &str| plain(text).map(|l| (l.user, l.password.reveal().to_owned()));
        assert_eq!(read("\0user\0pass"), Some(("user".to_owned(), "pass".to_owned())));
        assert_eq!(read("user\0user\0pass"), Some(("user".to_owned(), "pass".to_owned())));
        for bad in ["", "user", "\0user", "\0\0pass", "other\0user\0pass", "\0user\0pass\0more"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
        assert_eq!(decode("AHVzZXIAcGFzcw==").as_deref(), Some("\0user\0pass"));
        assert_eq!(decode("=").as_deref(), Some(""));
        assert_eq!(decode("no base64!"), None);
    }
}
