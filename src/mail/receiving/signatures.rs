//! DKIM signatures of received mail: what RFC 6376 says must be so before one counts (6.1.1, 6.1.2), beside what mail-auth checks.
use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::{Algorithm, HashAlgorithm};
use mail_auth::common::headers::Header;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::{Canonicalization, Signature};
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, Error};

use crate::mail::message::body_hash::body_hash_of;
use crate::mail::message::canonical::Form;
use crate::mail::message::fields;

/// How many DKIM signatures of one mail are looked at; each can cost a DNS query.
const MAX_SIGNATURES: usize = 10;
/// How many signature fields, those of ARC among them, a message may have to be read at all: mail-auth hashes the body for each
/// length that one of them names before any can be left out.
const MAX_FIELDS: usize = 50;

/// The word for a signature (RFC 8601, 2.7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Pass,
    /// It does not fit the message.
    Fail,
    /// It may fit, and is not acceptable: expired, or weak.
    Policy,
    TempError,
    /// It, or its key, is not as the RFC wants it.
    PermError,
}

impl Word {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Word::Pass => "pass",
            Word::Fail => "fail",
            Word::Policy => "policy",
            Word::TempError => "temperror",
            Word::PermError => "permerror",
        }
    }
}

/// What is found of one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub word: Word,
    /// Why, in a few words; empty for a plain pass.
    pub why: &'static str,
    /// `d=` in lower case; empty where it cannot be read.
    pub domain: String,
    /// `i=`, where it is given.
    pub identity: String,
    /// `s=`.
    pub selector: String,
    /// The beginning of `b=`, which tells signatures of one domain apart (RFC 6008).
    pub start: String,
}

/// The tags of a list (RFC 6376, 3.2), in order, without white space around names and values. `None` for what is no list, or
/// has a name twice: then all of it is invalid.
fn tags(list: &str) -> Option<Vec<(&str, &str)>> {
    // A set beside the list: a signature has room for tens of thousands.
    let (mut tags, mut seen) = (Vec::new(), HashSet::new());
    for tag in list.trim().trim_end_matches(';').split(';') {
        let (name, value) = tag.split_once('=')?;
        let (name, value) = (name.trim(), value.trim());
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name || !seen.insert(name) {
            return None;
        }
        tags.push((name, value));
    }
    Some(tags)
}

fn value<'a>(tags: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    tags.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

fn items(value: &str) -> impl Iterator<Item = &str> {
    value.split(':').map(str::trim)
}

/// Why a signature must be ignored whatever it signs. `authors`: how many From fields the message has.
fn flaw(list: &str, authors: usize) -> Option<&'static str> {
    let Some(tags) = tags(list) else { return Some("malformed signature") };
    let get = |name| value(&tags, name);
    let number = |name| get(name).map(|digits| digits.parse::<u64>().ok().filter(|_| !digits.starts_with('+')));
    let (Some(_), Some(signed), Some(domain)) = (get("v"), get("h"), get("d")) else { return Some("missing tag") };
    if get("v") != Some("1") {
        return Some("unsupported version");
    }
    if ["a", "b", "bh", "s"].iter().any(|name| get(name).is_none_or(str::is_empty)) || domain.is_empty() {
        return Some("missing tag");
    }
    // More From fields than are signed: whoever added one chose what people see (RFC 6376, 8.15).
    if items(signed).filter(|name| name.eq_ignore_ascii_case("from")).count() < authors.max(1) {
        return Some("From is not signed");
    }
    if let Some(identity) = get("i") {
        let of = identity.rsplit_once('@').map(|(_, of)| of.to_lowercase()).unwrap_or_default();
        let domain = domain.to_lowercase();
        if of != domain && !of.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.')) {
            return Some("i= is not in d=");
        }
    }
    if get("q").is_some_and(|methods| !items(methods).any(|method| method == "dns/txt")) {
        return Some("unknown query method");
    }
    if ["t", "x", "l"].into_iter().any(|name| number(name) == Some(None)) {
        return Some("malformed signature");
    }
    match (number("t").flatten(), number("x").flatten()) {
        (Some(signed), Some(expires)) if expires <= signed => Some("x= is not after t="),
        _ => None,
    }
}

/// Bounds the signatures of a message, and takes out those that must be ignored; these are judged already. Makes good what
/// mail-auth 0.10 hashes otherwise than the RFC: bodies that end in lines of white space, and `l=`.
///
/// A signature with `l=` counts for the octets it names, as it does with OpenDKIM, Mail::DKIM, dkimpy and rspamd: whoever
/// signs so wants what a list adds to be let through. What the rest of the body is, the field that tells the result says.
pub(super) fn prepare(message: &mut AuthenticatedMessage<'_>) -> Vec<Judged> {
    message.dkim_headers.truncate(MAX_SIGNATURES);
    let authors = message.headers.iter().filter(|(name, _)| name.trim_ascii().eq_ignore_ascii_case(b"from")).count();
    let raw = message.raw_message;
    let body = raw.get(message.body_offset as usize..).unwrap_or_default();
    let odd_end = ends_oddly(body);
    let mut ignored = Vec::new();
    let mut kept = Vec::new();
    for mut header in std::mem::take(&mut message.dkim_headers) {
        let list = String::from_utf8_lossy(header.value).replace(['\r', '\n', '\t'], " ");
        let found = match (&mut header.header, flaw(&list, authors)) {
            (_, Some(why)) => Some((Word::PermError, why)),
            (Err(error), None) => Some(judged(error)),
            // RFC 8301, 3.1. Keys below 1,024 bits are refused where they are used (3.2).
            (Ok(signature), None) if signature.a == Algorithm::RsaSha1 => Some((Word::Policy, "SHA-1")),
            (Ok(signature), None) => {
                let length = tags(&list).and_then(|tags| value(&tags, "l").and_then(|digits| digits.parse().ok()));
                hash_anew(&mut message.body_hashes, signature, (body, odd_end), length)
            }
        };
        match found {
            Some((word, why)) => ignored.push(told(&header, word, why)),
            None => kept.push(header),
        }
    }
    message.dkim_headers = kept;
    ignored
}

/// Whether a header has so many signatures that reading it would take long.
pub(super) fn are_too_many(section: &[u8]) -> bool {
    let is_signature = |line: &&[u8]| {
        let line = line.trim_ascii_start();
        let begins =
            |name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()));
        begins("dkim-signature") || begins("arc-message-signature")
    };
    fields::lines(section).filter(is_signature).nth(MAX_FIELDS).is_some()
}

type Hashes = Vec<(Canonicalization, HashAlgorithm, u64, Vec<u8>)>;

/// Hashes the body as the RFC wants it, where mail-auth does not.
fn hash_anew(
    hashes: &mut Hashes,
    signature: &mut Signature,
    (body, odd_end): (&[u8], bool),
    length: Option<u64>,
) -> Option<(Word, &'static str)> {
    if length.is_none() && !odd_end {
        return None;
    }
    let form = match signature.cb {
        Canonicalization::Relaxed => Form::Relaxed,
        Canonicalization::Simple => Form::Simple,
    };
    let (hash, whole) = body_hash_of(body, form, length);
    // To mail-auth a length of 0 is none, so that is told as the longest.
    signature.l = length.map_or(0, |length| if length == 0 { u64::MAX } else { length });
    let same = |known: &(Canonicalization, HashAlgorithm, u64, Vec<u8>)| {
        known.0 == signature.cb && known.1 == HashAlgorithm::Sha256 && known.2 == signature.l
    };
    match hashes.iter_mut().find(|known| same(known)) {
        Some(known) => known.3 = hash.to_vec(),
        None => hashes.push((signature.cb, HashAlgorithm::Sha256, signature.l, hash.to_vec())),
    }
    // RFC 6376, 3.5: l= is never more than there is.
    (length.is_some_and(|length| length > whole)).then_some((Word::PermError, "l= is longer than the body"))
}

/// Whether a body ends in white space other than line ends.
fn ends_oddly(body: &[u8]) -> bool {
    let end = body.iter().rposition(|byte| !b" \t\r\n".contains(byte)).map_or(0, |at| at + 1);
    body.get(end..).is_some_and(|end| end.iter().any(|byte| matches!(byte, b' ' | b'\t')))
}

fn told(header: &Header<'_, mail_auth::Result<Signature>>, word: Word, why: &'static str) -> Judged {
    let nothing = Judged {
        word,
        why,
        domain: String::new(),
        identity: String::new(),
        selector: String::new(),
        start: String::new(),
    };
    header.header.as_ref().map_or(nothing.clone(), |signature| of(signature, nothing))
}

fn of(signature: &Signature, judged: Judged) -> Judged {
    Judged {
        domain: signature.d.clone(),
        identity: signature.i.clone(),
        selector: signature.s.clone(),
        start: STANDARD.encode(signature.b.get(..6).unwrap_or_default()),
        ..judged
    }
}

/// What mail-auth found, in RFC 8601's words.
pub(super) fn judge(output: &DkimOutput<'_>) -> Judged {
    let (word, why) = match output.result() {
        DkimResult::Pass if output.signature().is_some_and(|signature| signature.l > 0) => {
            (Word::Pass, "only the octets of the body that l= names are signed")
        }
        DkimResult::Pass => (Word::Pass, ""),
        DkimResult::Neutral(error)
        | DkimResult::Fail(error)
        | DkimResult::PermError(error)
        | DkimResult::TempError(error) => judged(error),
        DkimResult::None => (Word::PermError, "no signature"),
    };
    let (domain, identity, selector, start) = Default::default();
    let nothing = Judged { word, why, domain, identity, selector, start };
    output.signature().map_or(nothing.clone(), |signature| of(signature, nothing))
}

fn judged(error: &Error) -> (Word, &'static str) {
    match error {
        Error::FailedBodyHashMatch => (Word::Fail, "body hash did not verify"),
        Error::FailedVerification | Error::CryptoError(_) => (Word::Fail, "signature did not verify"),
        Error::SignatureExpired => (Word::Policy, "signature expired"),
        Error::DnsError(_) => (Word::TempError, "no answer from the DNS"),
        Error::DnsRecordNotFound(_) => (Word::PermError, "no key"),
        Error::RevokedPublicKey => (Word::PermError, "key revoked"),
        Error::FailedAuidMatch => (Word::PermError, "the key is not for this i="),
        Error::IncompatibleAlgorithms => (Word::PermError, "the key is not for this algorithm"),
        Error::UnsupportedKeyType => (Word::PermError, "unknown type of key"),
        Error::InvalidRecordType | Error::ParseError => (Word::PermError, "malformed key"),
        Error::MissingParameters => (Word::PermError, "missing tag"),
        Error::UnsupportedVersion => (Word::PermError, "unsupported version"),
        Error::UnsupportedAlgorithm => (Word::PermError, "unsupported algorithm"),
        Error::UnsupportedCanonicalization => (Word::PermError, "unsupported canonicalization"),
        _ => (Word::PermError, "malformed signature"),
    }
}

/// The key among the TXT records of its name (RFC 6376, 3.6.1 and 6.1.2): the first good one.
pub(super) fn key(texts: &[Vec<u8>]) -> Result<DomainKey, Error> {
    let mut result = Err(Error::DnsRecordNotFound(hickory_resolver::proto::op::ResponseCode::NoError));
    for text in texts {
        result = one_key(text);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn one_key(text: &[u8]) -> Result<DomainKey, Error> {
    let list = String::from_utf8_lossy(text);
    let tags = tags(&list).ok_or(Error::ParseError)?;
    let has =
        |name, wanted: &[&str]| value(&tags, name).is_none_or(|list| items(list).any(|item| wanted.contains(&item)));
    if tags.iter().position(|(name, _)| *name == "v").is_some_and(|at| at > 0) || !has("v", &["DKIM1"]) {
        return Err(Error::InvalidRecordType);
    }
    // SHA-1 counts for nothing, so a key for it alone is for no signature. A key for other services is not for mail.
    if !has("h", &["sha256"]) {
        return Err(Error::IncompatibleAlgorithms);
    }
    if !has("s", &["*", "email"]) {
        return Err(Error::InvalidRecordType);
    }
    if !has("k", &["rsa", "ed25519"]) {
        return Err(Error::UnsupportedKeyType);
    }
    match value(&tags, "p") {
        None => Err(Error::InvalidRecordType),
        Some("") => Err(Error::RevokedPublicKey),
        Some(_) => DomainKey::parse(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "v=1; a=rsa-sha256; c=relaxed/relaxed; d=there.example; s=s1; h=from:to; bh=AAAA; b=BBBB";

    #[test]
    fn signatures_that_must_be_ignored_are_known() {
        assert_eq!(flaw(GOOD, 1), None);
        for good in [
            "; i=@there.example",
            "; i=ann@News.There.example ;",
            "; t=10; x=11; q=dns/txt; z=From:a=40b",
            "; l=12; unknown=x",
        ] {
            assert_eq!(flaw(&format!("{GOOD}{good}"), 1), None, "{good}");
        }
        for bad in [
            "; i=@example",
            "; i=@nothere.example",
            "; i=there.example",
            "; q=http",
            "; t=11; x=11",
            "; t=soon",
            "; l=-1",
            "; s=s2",
            "; h=from",
            "; =x",
            "; x",
            ";; t=1",
        ] {
            assert!(flaw(&format!("{GOOD}{bad}"), 1).is_some(), "{bad}");
        }
        for (from, to) in
            [("v=1; ", ""), ("v=1", "v=2"), ("v=1", "V=1"), ("s=s1; ", ""), ("from:to", "to:subject"), ("from:to", "")]
        {
            assert!(flaw(&GOOD.replace(from, to), 1).is_some(), "{to}");
        }
        assert!(flaw(GOOD, 2).is_some() && flaw(&GOOD.replace("from:", "From : from:"), 2).is_none());
    }

    #[test]
    fn many_tags_take_no_time_by_their_square() {
        let began = std::time::Instant::now();
        let many = |count: u32| (0..count).map(|n| format!("; x{n:x}=")).collect::<String>();
        assert_eq!(flaw(&format!("{GOOD}{}", many(300_000)), 1), None);
        assert!(flaw(&format!("{GOOD}{}; x7=", many(300_000)), 1).is_some());
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }

    #[test]
    fn keys_are_for_mail_and_for_sha256() {
        let p = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let read = |text: String| key(&[text.into_bytes()]).map(|_| ());
        for good in ["", "v=DKIM1; ", "v=DKIM1; h=sha1:sha256; ", "s=email; ", "s=tlsrpt : *; ", "n=a note; t=y; "] {
            assert_eq!(read(format!("{good}k=ed25519; {p}")), Ok(()), "{good}");
        }
        for bad in ["v=DKIM2; ", "h=sha1; ", "s=tlsrpt; ", "t=s; v=DKIM1; ", "s=*; s=*; ", "p=; "] {
            assert!(read(format!("{bad}k=ed25519; {p}")).is_err(), "{bad}");
        }
        assert_eq!(read("v=DKIM1; p=".to_owned()), Err(Error::RevokedPublicKey));
        assert!(read(format!("k=dsa; {p}")).is_err() && read("v=DKIM1".to_owned()).is_err() && key(&[]).is_err());
    }
}
