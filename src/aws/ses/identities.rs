//! Identities in the first API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::ses::dkim::domain;
use crate::aws::ses::error::SesError;
use crate::aws::ses::identity_error::status;
use crate::aws::sesv2::page;
use crate::base::EmailAddress;
use crate::mail::identity::{self, Found};
use crate::store::identities::{Identity, IdentityKind};

/// How many names one GetIdentityVerificationAttributes may ask for (SES model).
const ASKED_MAX: usize = 100;
/// The largest page, and the usual one.
const PAGE_MAX: i32 = 1000;

/// The address to verify.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyEmailIdentityRequest {
    email_address: String,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct VerifyEmailIdentityResponse {}

/// Makes an address identity and mails it a link, or another one when it is not verified yet.
///
/// # Errors
/// An address that is not one; too many identities.
pub async fn verify_email_identity(
    services: &Services,
    caller: &Caller,
    input: VerifyEmailIdentityRequest,
) -> Result<VerifyEmailIdentityResponse, SesError> {
    let wrong = |_| SesError::InvalidParameterValue(format!("Invalid email address<{}>.", input.email_address));
    let address: EmailAddress = input.email_address.parse().map_err(wrong)?;
    services.identities.verify_address(&caller.account, &caller.region, address).await?;
    Ok(VerifyEmailIdentityResponse {})
}

/// Which identities to list.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListIdentitiesRequest {
    identity_type: Option<String>,
    next_token: Option<String>,
    max_items: Option<i32>,
}

/// A page of names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListIdentitiesResponse {
    identities: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's identities in the order of names.
///
/// # Errors
/// A type, a token or a page size that cannot be.
pub async fn list_identities(
    services: &Services,
    caller: &Caller,
    input: ListIdentitiesRequest,
) -> Result<ListIdentitiesResponse, SesError> {
    let mut found = Violations::default();
    found.one_of("identityType", input.identity_type.as_deref(), &["Domain", "EmailAddress"]);
    found.finish()?;
    let kind = input
        .identity_type
        .map(|kind| if kind == "Domain" { IdentityKind::Domain } else { IdentityKind::EmailAddress });
    let limit = input.max_items.unwrap_or(PAGE_MAX);
    if !(1..=PAGE_MAX).contains(&limit) {
        let rule = format!("MaxItems must be between 1 and {PAGE_MAX}.");
        let text = format!("Value {limit} for parameter MaxItems is invalid. {rule}");
        return Err(SesError::InvalidParameterValue(text));
    }
    let after = match input.next_token.as_deref().filter(|token| !token.is_empty()) {
        None => String::new(),
        Some(token) => page::name(token).ok_or_else(|| {
            let shown: String = token.chars().take(256).collect();
            SesError::InvalidParameterValue(format!("Invalid NextToken <{shown}>."))
        })?,
    };
    let (account, region) = (&caller.account, &caller.region);
    let mut list = services.identities.list(account, region, kind, &after, i64::from(limit) + 1).await?;
    let full = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = list.len() > full;
    list.truncate(full);
    let next_token = list.last().filter(|_| more).map(|last| page::token(&last.name));
    Ok(ListIdentitiesResponse { identities: list.into_iter().map(|i| i.name).collect(), next_token })
}

/// The names to look at: GetIdentityVerificationAttributes, GetIdentityDkimAttributes and the like.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct IdentitiesRequest {
    #[serde(default)]
    identities: Vec<String>,
}

/// What `tell` says of each name, but for those that are no identities.
///
/// # Errors
/// More than 100 names.
pub async fn each<T>(
    services: &Services,
    caller: &Caller,
    input: IdentitiesRequest,
    tell: impl Fn(&Found) -> T,
) -> Result<BTreeMap<String, T>, SesError> {
    if input.identities.len() > ASKED_MAX {
        let text = format!("The number of identities exceeds {ASKED_MAX}.");
        return Err(SesError::InvalidParameterValue(text));
    }
    let mut told = BTreeMap::new();
    for name in input.identities {
        match services.identities.get(&caller.account, &caller.region, &name).await {
            Ok(found) => drop(told.insert(name, tell(&found))),
            Err(identity::Error::Missing(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(told)
}

/// How each known name stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetIdentityVerificationAttributesResponse {
    verification_attributes: BTreeMap<String, IdentityVerificationAttributes>,
}

/// How a name stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct IdentityVerificationAttributes {
    verification_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_token: Option<String>,
}

/// Tells of each name whether it is verified; a name that is no identity is left out.
///
/// # Errors
/// More than 100 names.
pub async fn get_identity_verification_attributes(
    services: &Services,
    caller: &Caller,
    input: IdentitiesRequest,
) -> Result<GetIdentityVerificationAttributesResponse, SesError> {
    let attributes = each(services, caller, input, |found| IdentityVerificationAttributes {
        verification_status: status(found.identity.status),
        verification_token: found.identity.txt_token.clone(),
    });
    Ok(GetIdentityVerificationAttributesResponse { verification_attributes: attributes.await? })
}

/// The domain to verify.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyDomainIdentityRequest {
    domain: String,
}

/// What has to stand in the TXT record `_amazonses.<domain>`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyDomainIdentityResponse {
    verification_token: String,
}

/// Makes a domain identity that a TXT record proves, or tells the token of one that is there.
///
/// # Errors
/// A name that is no domain; too many identities.
pub async fn verify_domain_identity(
    services: &Services,
    caller: &Caller,
    input: VerifyDomainIdentityRequest,
) -> Result<VerifyDomainIdentityResponse, SesError> {
    let name = domain(&input.domain)?;
    let verification_token = services.identities.txt_token(&caller.account, &caller.region, name).await?;
    Ok(VerifyDomainIdentityResponse { verification_token })
}

/// As [`verify_email_identity`], without a result: SES keeps it for old programs.
///
/// # Errors
/// As there.
pub async fn verify_email_address(
    services: &Services,
    caller: &Caller,
    input: VerifyEmailIdentityRequest,
) -> Result<(), SesError> {
    verify_email_identity(services, caller, input).await.map(drop)
}

/// No members.
#[derive(Debug, Deserialize)]
pub struct ListVerifiedEmailAddressesRequest {}

/// Addresses.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListVerifiedEmailAddressesResponse {
    verified_email_addresses: Vec<String>,
}

/// Lists the addresses that are verified. SES keeps it for old programs; it has no pages.
///
/// # Errors
/// When the store fails.
pub async fn list_verified_email_addresses(
    services: &Services,
    caller: &Caller,
    _: ListVerifiedEmailAddressesRequest,
) -> Result<ListVerifiedEmailAddressesResponse, SesError> {
    let (account, region, kind) = (&caller.account, &caller.region, Some(IdentityKind::EmailAddress));
    let (mut verified, mut after) = (Vec::new(), String::new());
    loop {
        let page = services.identities.list(account, region, kind, &after, i64::from(PAGE_MAX)).await?;
        match page.last() {
            Some(last) => after.clone_from(&last.name),
            None => return Ok(ListVerifiedEmailAddressesResponse { verified_email_addresses: verified }),
        }
        verified.extend(page.into_iter().filter(Identity::is_verified).map(|identity| identity.name));
    }
}

/// The address to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteVerifiedEmailAddressRequest {
    email_address: String,
}

/// Removes an address identity; SES keeps it for old programs.
///
/// # Errors
/// An address that is none.
pub async fn delete_verified_email_address(
    services: &Services,
    caller: &Caller,
    input: DeleteVerifiedEmailAddressRequest,
) -> Result<(), SesError> {
    let wrong = |_| SesError::InvalidParameterValue(format!("Invalid email address<{}>.", input.email_address));
    let address: EmailAddress = input.email_address.parse().map_err(wrong)?;
    let identity = address.to_string();
    delete_identity(services, caller, DeleteIdentityRequest { identity }).await.map(drop)
}

/// The identity to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteIdentityRequest {
    identity: String,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct DeleteIdentityResponse {}

/// Removes an identity; one that is not there is gone already.
///
/// # Errors
/// When the store fails.
pub async fn delete_identity(
    services: &Services,
    caller: &Caller,
    input: DeleteIdentityRequest,
) -> Result<DeleteIdentityResponse, SesError> {
    match services.identities.delete(&caller.account, &caller.region, &input.identity).await {
        Ok(()) | Err(identity::Error::Missing(_)) => Ok(DeleteIdentityResponse {}),
        Err(other) => Err(other.into()),
    }
}
