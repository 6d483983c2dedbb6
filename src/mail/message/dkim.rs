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
use crate::mail::message::canonical::{self, Form, add_field};
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

/// The `DKIM-Signature` field for `message`, with CRLF at its end, to stand before the message. `message` has CRLF line
/// ends only.
///
/// # Errors
/// A key that the library does not sign with.
pub fn signature(
    signer: &Signer,
    forms: Canonicalization,
    message: &[u8],
    now: Timestamp,
) -> Result<String, DkimError> {
    let (fields, body) = fields::split(message);
    let (names, signed) = chosen(&fields);
    let algorithm = signer.algorithm();
    let mut own = format!(
        "DKIM-Signature: v=1; a={algorithm}; s={}; d={};\r\n c={}/{}; q=dns/txt; t={};\r\n h=",
        signer.selector,
        signer.domain,
        forms.header.as_str(),
        forms.body.as_str(),
        now.secs(),
    );
    let mut width = 3;
    for (n, name) in names.iter().enumerate() {
        let piece = if n == 0 { (*name).to_owned() } else { format!(":{name}") };
        if width + piece.len() > LINE {
            own.push_str("\r\n ");
            width = 1;
        }
        width += piece.len();
        own.push_str(&piece);
    }
    own.push_str(&format!(";\r\n bh={};\r\n b=", STANDARD.encode(canonical::body_hash(body, forms.body))));
    let mut data = Vec::new();
    for field in signed {
        add_field(&field, &mut data, forms.header);
        data.extend_from_slice(b"\r\n");
    }
    // The signature signs its own field too, with an empty `b=` and no line end (RFC 6376, 3.7).
    add_field(&Field::of(own.as_bytes()), &mut data, forms.header);
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

/// The names for `h=`, and the fields that they mean: of several of one name the last first (RFC 6376, 5.4.2).
fn chosen<'a>(fields: &[Field<'a>]) -> (Vec<&'static str>, Vec<Field<'a>>) {
    let (mut names, mut signed) = (Vec::new(), Vec::new());
    for (name, guard) in SIGNED {
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
