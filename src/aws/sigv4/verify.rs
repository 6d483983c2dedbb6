//! The gate: lets a request in as somebody, or says what AWS would.
use std::sync::Arc;
use std::time::Duration;

use crate::access::{Access, Trust};
use crate::aws::error::{ErrorShape, Failure};
use crate::aws::request::Request;
use crate::aws::service::{Api, find_by_head};
use crate::aws::sigv4::authorization::{Claim, TERMINATOR};
use crate::aws::sigv4::browser::is_from_elsewhere;
use crate::aws::sigv4::canonical::{body_hash, string_to_sign};
use crate::aws::sigv4::error::SignatureError;
use crate::aws::sigv4::key::{SigningKeys, is_signed};
use crate::base::{AccountId, Clock, Region, Regions, Timestamp};

/// How far a caller's clock may be off (AWS General Reference).
const SKEW_MAX: Duration = Duration::from_secs(15 * 60);
/// Sent by SDKs beside `user-agent`, without a meaning to us; not all of them sign it.
const NEED_NOT_BE_SIGNED: &str = "x-amz-user-agent";

/// Bytes of body that are read before anybody is known: enough for a confirmation, and to answer in the right words.
const STRANGERS_BODY_MAX: usize = 256 * 1024;
/// Bytes of body that are read on a developer's machine, where requests need not be signed.
const DEVELOPERS_BODY_MAX: usize = 10 * 1024 * 1024;

/// As whom a request was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account that the key belongs to.
    pub account: AccountId,
    /// The region of the scope.
    pub region: Region,
    /// The key; empty for nobody.
    pub access_key: String,
}

impl Identity {
    fn nobody() -> Self {
        Self { account: AccountId::development(), region: Region::default_region(), access_key: String::new() }
    }
}

/// How much body a request may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes.
    pub max: usize,
    /// The answer to a request with more.
    pub otherwise: Failure,
}

/// The failure of a body larger than `max` bytes.
pub(crate) fn too_large(max: usize) -> Failure {
    let shape = ErrorShape::sender("com.amazon.coral.service#RequestEntityTooLargeException", 413);
    let message = format!("The request body is larger than {max} bytes.");
    Failure::new(shape.query("RequestEntityTooLarge", 413), message)
}

/// Verifies signatures. Cheap to clone.
#[derive(Clone)]
pub struct Gate {
    access: Access,
    clock: Clock,
    keys: Arc<SigningKeys>,
    regions: Regions,
}

impl Gate {
    /// A gate that knows the keys of `access`.
    pub fn new(access: Access, clock: Clock) -> Self {
        Self { access, clock, keys: Arc::default(), regions: Regions::default() }
    }

    /// The same gate, which lets requests in to these regions.
    #[must_use]
    pub fn with_regions(self, regions: Regions) -> Self {
        Self { regions, ..self }
    }

    /// How much body to read for a request of which only the head is known: what the service takes from those who name
    /// a key that there is, and little from anybody else.
    ///
    /// # Errors
    /// The unexpected.
    pub async fn allowance(&self, request: &Request) -> Result<Allowance, SignatureError> {
        let of_service = find_by_head(request).map_or(STRANGERS_BODY_MAX, |(api, _)| api.body_max);
        if self.access.trust() == Trust::Anybody {
            let max = of_service.max(DEVELOPERS_BODY_MAX);
            return Ok(Allowance { max, otherwise: too_large(max) });
        }
        let known = match request.scope() {
            Some([key, ..]) => self.access.key(&key).await?.ok_or(SignatureError::UnknownKey),
            None => Err(SignatureError::Missing),
        };
        Ok(match known {
            Ok(_) => Allowance { max: of_service, otherwise: too_large(of_service) },
            Err(error) => Allowance { max: of_service.min(STRANGERS_BODY_MAX), otherwise: error.into() },
        })
    }

    /// Who sent `request`, which is for `api`. `anonymous` lets in requests without a signature, as nobody.
    ///
    /// # Errors
    /// What AWS answers.
    pub async fn identify(&self, request: &Request, api: &Api, anonymous: bool) -> Result<Identity, SignatureError> {
        if self.access.trust() == Trust::Anybody {
            // A link with a token may be opened from anywhere, as from a mail that a browser shows.
            return if !anonymous && is_from_elsewhere(request) {
                Err(SignatureError::Elsewhere)
            } else {
                self.named_by(request)
            };
        }
        let claim = match Claim::read(request)? {
            Some(claim) => claim,
            None if anonymous => return Ok(Identity::nobody()),
            None => return Err(SignatureError::Missing),
        };
        if claim.session {
            return Err(SignatureError::UnknownKey);
        }
        let key = self.access.key(&claim.access_key).await?.ok_or(SignatureError::UnknownKey)?;
        let region = self.check_scope(&claim, api)?;
        check_time(&claim, self.clock.now())?;
        check_signed_headers(&claim, request)?;
        let signing_key = self.keys.get(&key.secret, &claim.date, &claim.region, &claim.service);
        let signed = signing_key.and_then(|k| is_signed(&k, &string_to_sign(request, &claim), &claim.signature));
        // A key of any length makes an HMAC; were it not so, nothing would be signed right.
        if !signed.unwrap_or(false) {
            return Err(SignatureError::wrong());
        }
        Ok(Identity { account: key.account.clone(), region, access_key: key.id.clone() })
    }

    /// On a developer's machine: what the scope names, and defaults for what it does not.
    fn named_by(&self, request: &Request) -> Result<Identity, SignatureError> {
        let Some([access_key, _, region, _]) = request.scope() else { return Ok(Identity::nobody()) };
        let region = self.region(&region)?;
        Ok(Identity { account: Access::account_named_by(&access_key), region, access_key })
    }

    fn region(&self, name: &str) -> Result<Region, SignatureError> {
        self.regions.find(name).ok_or_else(|| {
            SignatureError::Mismatch(format!("Credential should be scoped to a valid region, not '{}'. ", shown(name)))
        })
    }

    fn check_scope(&self, claim: &Claim, api: &Api) -> Result<Region, SignatureError> {
        let mismatch = |text: String| Err(SignatureError::Mismatch(text));
        if claim.terminator != TERMINATOR {
            let found = shown(&claim.terminator);
            return mismatch(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{found}'."
            ));
        }
        if !api.signing_names.contains(&claim.service.as_str()) {
            let wanted = api.signing_names.first().copied().unwrap_or_default();
            return mismatch(format!("Credential should be scoped to correct service: '{wanted}'. "));
        }
        let time = &claim.stamp;
        let day = time.get(..8).unwrap_or_default();
        if claim.date != day {
            let found = shown(&claim.date);
            return mismatch(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{found}' != \
                 '{day}', from '{time}'."
            ));
        }
        self.region(&claim.region)
    }
}

/// What a caller named, in an answer.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn check_time(claim: &Claim, now: Timestamp) -> Result<(), SignatureError> {
    let time = &claim.stamp;
    if claim.time > now + SKEW_MAX {
        let latest = (now + SKEW_MAX).iso_basic();
        return Err(SignatureError::Mismatch(format!(
            "Signature not yet current: {} is still later than {latest} ({} + 15 min.)",
            time,
            now.iso_basic()
        )));
    }
    match claim.presigned_for {
        Some(seconds) if now > claim.time + Duration::from_secs(seconds) => Err(SignatureError::Expired),
        None if claim.time < now - SKEW_MAX => {
            let earliest = (now - SKEW_MAX).iso_basic();
            Err(SignatureError::Mismatch(format!(
                "Signature expired: {} is now earlier than {earliest} ({} - 15 min.)",
                time,
                now.iso_basic()
            )))
        }
        _ => Ok(()),
    }
}

/// What gives the request its meaning must be signed: the host, and every `x-amz-` header.
fn check_signed_headers(claim: &Claim, request: &Request) -> Result<(), SignatureError> {
    let signed = |name: &str| claim.signed_headers.iter().any(|header| header == name);
    if !signed("host") {
        let text = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
        return Err(SignatureError::Mismatch(text.to_owned()));
    }
    let unsigned = request.headers.keys().map(http::HeaderName::as_str);
    if let Some(name) = unsigned.into_iter().find(|n| n.starts_with("x-amz-") && *n != NEED_NOT_BE_SIGNED && !signed(n))
    {
        return Err(SignatureError::Mismatch(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
    }
    if let Some(name) = claim.signed_headers.iter().find(|name| !request.headers.contains_key(name.as_str())) {
        let name: String = name.chars().take(60).collect();
        return Err(SignatureError::Mismatch(format!("The signed header '{name}' is not in the request.")));
    }
    match request.header("x-amz-content-sha256") {
        Some(hash) if hash != body_hash(request) => {
            let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(SignatureError::Mismatch(text.to_owned()))
        }
        _ => Ok(()),
    }
}
