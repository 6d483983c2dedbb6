//! Identities in the first API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::ses::error::SesError;
use crate::aws::ses::identity_error::status;
use crate::aws::ses::identity_names::{IdentitiesRequest, domain, each};
use crate::aws::ses::page::{self, IDENTITIES, IDENTITIES_MAX};
use crate::base::EmailAddress;
use crate::mail::identity;
use crate::store::identities::{Identity, IdentityKind};

/// The address to verify.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerifyEmailIdentityRequest {
    email_address: String,
}

/// Makes an address identity and mails it a link, or another one when it is not verified yet.
///
/// # Errors
/// An address that is not one; too many identities.
pub async fn verify_email_identity(
    services: &Services,
    caller: &Caller,
    input: VerifyEmailIdentityRequest,
) -> Result<NoMembers, SesError> {
    let wrong = |_| SesError::InvalidParameterValue(format!("Invalid email address<{}>.", input.email_address));
    let address: EmailAddress = input.email_address.parse().map_err(wrong)?;
    services.identities.verify_address(&caller.account, &caller.region, address).await?;
    Ok(NoMembers {})
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
    let asked = page::read(&IDENTITIES, input.next_token.as_deref(), input.max_items)?;
    let (account, region) = (&caller.account, &caller.region);
    let list = services.identities.list(account, region, kind, &asked.after, asked.limit()).await?;
    let (identities, next_token) = paging::shown(asked.cut(list, |identity| &identity.name).map(|i| i.name));
    Ok(ListIdentitiesResponse { identities, next_token })
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
pub(super) async fn get_identity_verification_attributes(
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
    _: NoMembers,
) -> Result<ListVerifiedEmailAddressesResponse, SesError> {
    let (account, region, kind) = (&caller.account, &caller.region, Some(IdentityKind::EmailAddress));
    let (mut verified, mut after) = (Vec::new(), String::new());
    loop {
        let page = services.identities.list(account, region, kind, &after, i64::from(IDENTITIES_MAX)).await?;
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

/// Removes an identity; one that is not there is gone already.
///
/// # Errors
/// When the store fails.
pub async fn delete_identity(
    services: &Services,
    caller: &Caller,
    input: DeleteIdentityRequest,
) -> Result<NoMembers, SesError> {
    match services.identities.delete(&caller.account, &caller.region, &input.identity).await {
        Ok(()) | Err(identity::Error::Missing(_)) => Ok(NoMembers {}),
        Err(other) => Err(other.into()),
    }
}
