//! What must hold of a claim beside its signature: scope, time, and that what matters was signed.
use std::time::Duration;

use crate::aws::api::Api;
use crate::aws::request::Request;
use crate::aws::sigv4::authorization::{SignatureClaim, TERMINATOR};
use crate::aws::sigv4::error::SignatureError;
use crate::base::{Region, Regions, Timestamp};

/// How far a caller's clock may be off (AWS General Reference).
const SKEW_MAX: Duration = Duration::from_secs(15 * 60);
/// Sent by SDKs beside `user-agent`, without a meaning to us; not all of them sign it.
const NEED_NOT_BE_SIGNED: &str = "x-amz-user-agent";
/// The header in which some SDKs say the SHA-256 of the body.
const CONTENT_HASH: &str = "x-amz-content-sha256";

pub(super) fn check_scope(claim: &SignatureClaim, api: &Api, regions: &Regions) -> Result<Region, SignatureError> {
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
    check_region(&claim.region, regions)
}

/// The region, if it is one of those that there are.
pub(super) fn check_region(name: &str, regions: &Regions) -> Result<Region, SignatureError> {
    regions.find(name).ok_or_else(|| {
        SignatureError::Mismatch(format!("Credential should be scoped to a valid region, not '{}'. ", shown(name)))
    })
}

/// What a caller named, in an answer.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

pub(super) fn check_time(claim: &SignatureClaim, now: Timestamp) -> Result<(), SignatureError> {
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
pub(super) fn check_signed_headers(claim: &SignatureClaim, request: &Request) -> Result<(), SignatureError> {
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
    Ok(())
}

/// What the head says of the body must be true of it.
pub(super) fn check_body_hash(request: &Request, hash: &str) -> Result<(), SignatureError> {
    match request.header(CONTENT_HASH) {
        Some(said) if said != hash => {
            let text = "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(SignatureError::Mismatch(text.to_owned()))
        }
        _ => Ok(()),
    }
}

/// The body's hash as the head has it, before there is a body.
pub(super) fn hash_said(request: &Request) -> Option<&str> {
    let good = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    request.header(CONTENT_HASH).filter(|hash| hash.len() == 64 && hash.bytes().all(good))
}
