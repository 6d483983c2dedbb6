//! DKIM signatures (RFC 6376; RFC 8463 for Ed25519) over the header fields that SES signs.
//!
//! The usual fields are signed once more than they occur, so that nobody can add another one of them (RFC 6376, 8.15).
use std::str::FromStr;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer as _};
use sha2::{Digest, Sha256};

use crate::base::Timestamp;
use crate::mail::message::body_hash::body_hash;
use crate::mail::message::canonical::{Form, add_field};
use crate::mail::message::fields::{self, Field};

/// How a header field is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Guard {
    /// Nobody may add one, whether or not there is one.
    Always,
    /// Nobody may add another one to those that are there.
    WherePresent,
    /// Those that are there.
    Present,
}

/// The header fields that are signed (RFC 6376, 5.4.1), and how.
const SIGNED: [(&str, Guard); 18] = [
    ("From", Guard::Always),
    ("Sender", Guard::WherePresent),
    ("Reply-To", Guard::Always),
    ("To", Guard::Always),
    ("Cc", Guard::Always),
    ("Subject", Guard::Always),
    ("Date", Guard::WherePresent),
    ("Message-ID", Guard::WherePresent),
    ("In-Reply-To", Guard::WherePresent),
    ("References", Guard::WherePresent),
    ("MIME-Version", Guard::WherePresent),
    ("Content-Type", Guard::WherePresent),
    ("Content-Transfer-Encoding", Guard::WherePresent),
    ("Content-Disposition", Guard::Present),
    ("Content-Language", Guard::Present),
    ("List-Unsubscribe", Guard::Present),
    ("List-Unsubscribe-Post", Guard::Present),
    ("Feedback-ID", Guard::Present),
];
/// Where lines of the signature's own field are folded.
const LINE: usize = 76;

/// Which kind of key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `rsa-sha256`.
    Rsa,
    /// `ed25519-sha256` (RFC 8463).
    Ed25519,
}

/// A key as it is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The `d=` of the signature, in ASCII.
    pub domain: String,
    /// The `s=`.
    pub selector: String,
    /// The kind of the key.
    pub algorithm: Algorithm,
    /// PKCS #8, DER.
    pub private_key: Vec<u8>,
}

/// What signs mails: a key that was read once, which costs nearly as much as a signature.
pub struct Signer {
    domain: String,
    selector: String,
    pair: Pair,
}

enum Pair {
    /// Of 2048 bits or more: AWS-LC is fast, but takes no smaller key.
    Rsa(Box<RsaKeyPair>),
    ShortRsa(Box<pkcs1v15::SigningKey<Sha256>>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Signer {
    /// Reads a key.
    ///
    /// # Errors
    /// A key that is none.
    pub fn new(key: &SigningKey) -> Result<Self, DkimError> {
        let pair = match key.algorithm {
            Algorithm::Rsa => rsa(&key.private_key)?,
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&key.private_key);
                Pair::Ed25519(Box::new(pair.map_err(|e| DkimError(e.to_string()))?))
            }
        };
        Ok(Self { domain: key.domain.clone(), selector: key.selector.clone(), pair })
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) | Pair::ShortRsa(_) => "rsa-sha256",
            Pair::Ed25519(_) => "ed25519-sha256",
        }
    }
}

/// The forms of header and body that are signed: `c=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Canonicalization {
    /// Of the header.
    pub header: Form,
    /// Of the body.
    pub body: Form,
}

impl FromStr for Canonicalization {
    type Err = String;

    /// Reads `HEADER/BODY`, each `relaxed` or `simple`.
    fn from_str(text: &str) -> Result<Self, String> {
        let forms = text.split_once('/').and_then(|(header, body)| Some((Form::read(header)?, Form::read(body)?)));
        let (header, body) =
            forms.ok_or_else(|| format!("dkim-canonicalization {text:?} is not relaxed/relaxed or the like"))?;
        Ok(Self { header, body })
    }
}

/// The message cannot be signed: the key is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot sign with dkim: {0}")]
pub struct DkimError(String);

/// A message that is ready to be signed: split, brought into its canonical form and hashed, once for all keys, and for all
/// recipients who get the same octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signable {
    forms: Canonicalization,
    /// `h=`, folded.
    names: String,
    /// `bh=`.
    body_hash: String,
    /// The canonical form of the fields in `h=`, each with CRLF.
    fields: Vec<u8>,
}

impl Signable {
    /// Makes ready what is to be signed: `headers`, fields that stand before the message, each with its CRLF, and `message`.
    /// Both have CRLF line ends only. Of `headers` all fields are signed; of the message those that SES signs.
    pub fn of(headers: &[u8], message: &[u8], forms: Canonicalization) -> Self {
        let (own, _) = fields::split(headers);
        let (fields, body) = fields::split(message);
        let all: Vec<Field<'_>> = own.iter().chain(&fields).copied().collect();
        let (names, signed) = chosen(&own, &all);
        let mut fields = Vec::new();
        for field in signed {
            add_field(&field, &mut fields, forms.header);
            fields.extend_from_slice(b"\r\n");
        }
        let body_hash = STANDARD.encode(body_hash(body, forms.body));
        Self { forms, names: folded(&names), body_hash, fields }
    }

    /// The `DKIM-Signature` field, with CRLF at its end, to stand before the headers and the message.
    ///
    /// # Errors
    /// A key that the library does not sign with.
    pub fn sign(&self, signer: &Signer, now: Timestamp) -> Result<String, DkimError> {
        let mut own = format!(
            "DKIM-Signature: v=1; a={}; s={}; d={};\r\n c={}/{}; q=dns/txt; t={};\r\n h={};\r\n bh={};\r\n b=",
            signer.algorithm(),
            signer.selector,
            signer.domain,
            self.forms.header.as_str(),
            self.forms.body.as_str(),
            now.secs(),
            self.names,
            self.body_hash,
        );
        let mut data = Vec::with_capacity(self.fields.len() + own.len());
        data.extend_from_slice(&self.fields);
        // The signature signs its own field too, with an empty `b=` and no line end (RFC 6376, 3.7).
        add_field(&Field::of(own.as_bytes()), &mut data, self.forms.header);
        let value = STANDARD.encode(sign(&signer.pair, &data)?);
        for (n, piece) in value.as_bytes().chunks(LINE - 4).enumerate() {
            if n > 0 {
                own.push_str("\r\n ");
            }
            own.push_str(&String::from_utf8_lossy(piece));
        }
        own.push_str("\r\n");
        Ok(own)
    }
}

/// The names for `h=` with colons between them, in lines that are not too long.
fn folded(names: &[&str]) -> String {
    let (mut text, mut width) = (String::new(), 3);
    for (n, name) in names.iter().enumerate() {
        let colon = usize::from(n > 0);
        if width + colon + name.len() > LINE {
            text.push_str("\r\n ");
            width = 1;
        }
        width += colon + name.len();
        text.push_str(if n > 0 { ":" } else { "" });
        text.push_str(name);
    }
    text
}

/// The names for `h=`, and the fields that they mean: of several of one name the last first (RFC 6376, 5.4.2). `own` are those
/// of `fields` that are signed whatever their name; a field of the same name below must be signed with them.
fn chosen<'a>(own: &[Field<'a>], fields: &[Field<'a>]) -> (Vec<&'a str>, Vec<Field<'a>>) {
    let (mut names, mut signed) = (Vec::new(), Vec::new());
    let is_usual = |name: &str| SIGNED.iter().any(|(usual, _)| usual.eq_ignore_ascii_case(name));
    let mut more: Vec<(&str, Guard)> = Vec::new();
    for name in own.iter().filter_map(Field::name) {
        if !is_usual(name) && !more.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            more.push((name, Guard::Present));
        }
    }
    for (name, guard) in SIGNED.into_iter().chain(more) {
        let before = signed.len();
        signed.extend(fields.iter().rev().filter(|field| field.is(name)));
        let present = signed.len() - before;
        let more = match guard {
            Guard::Always => 1,
            Guard::WherePresent => usize::from(present > 0),
            Guard::Present => 0,
        };
        names.extend(std::iter::repeat_n(name, present + more));
    }
    (names, signed)
}

fn sign(pair: &Pair, data: &[u8]) -> Result<Vec<u8>, DkimError> {
    match pair {
        Pair::Rsa(pair) => {
            let mut signature = vec![0; pair.public_modulus_len()];
            let signed = pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature);
            signed.map(|()| signature).map_err(|e| DkimError(e.to_string()))
        }
        Pair::ShortRsa(key) => key.try_sign(data).map(|signed| signed.to_vec()).map_err(|e| DkimError(e.to_string())),
        // RFC 8463, 3: the hash of the data is what is signed.
        Pair::Ed25519(pair) => Ok(pair.sign(&Sha256::digest(data)).as_ref().to_vec()),
    }
}

fn rsa(private_key: &[u8]) -> Result<Pair, DkimError> {
    if let Ok(pair) = RsaKeyPair::from_pkcs8(private_key) {
        return Ok(Pair::Rsa(Box::new(pair)));
    }
    let key = rsa::RsaPrivateKey::from_pkcs8_der(private_key).map_err(|e| DkimError(e.to_string()))?;
    Ok(Pair::ShortRsa(Box::new(pkcs1v15::SigningKey::new(key))))
}
