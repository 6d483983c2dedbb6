//! Identities in the first API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::service::Services;
use crate::aws::ses::error::SesError;
use crate::base::EmailAddress;
use crate::mail::identity;

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

/// Lists the account's identities in the order of names. The token is the last name of the page before.
///
/// # Errors
/// A type that is none; a page size below 1.
pub async fn list_identities(
    services: &Services,
    caller: &Caller,
    input: ListIdentitiesRequest,
) -> Result<ListIdentitiesResponse, SesError> {
    let kind = match input.identity_type.as_deref() {
        None => None,
        Some("EmailAddress") => Some("EMAIL_ADDRESS"),
        Some("Domain") => Some("DOMAIN"),
        Some(other) => {
            let text = format!("Invalid identity type {other:?}: it is EmailAddress or Domain.");
            return Err(SesError::InvalidParameterValue(text));
        }
    };
    let limit = input.max_items.unwrap_or(PAGE_MAX).min(PAGE_MAX);
    if limit < 1 {
        return Err(SesError::InvalidParameterValue("MaxItems must be at least 1.".to_owned()));
    }
    let after = input.next_token.unwrap_or_default();
    let (account, region) = (&caller.account, &caller.region);
    let mut page = services.identities.list(account, region, kind, &after, i64::from(limit) + 1).await?;
    let full = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = page.len() > full;
    page.truncate(full);
    let next_token = page.last().filter(|_| more).map(|last| last.name.clone());
    Ok(ListIdentitiesResponse { identities: page.into_iter().map(|i| i.name).collect(), next_token })
}

/// The names to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetIdentityVerificationAttributesRequest {
    #[serde(default)]
    identities: Vec<String>,
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
}

/// Tells of each name whether it is verified; a name that is no identity is left out.
///
/// # Errors
/// More than 100 names.
pub async fn get_identity_verification_attributes(
    services: &Services,
    caller: &Caller,
    input: GetIdentityVerificationAttributesRequest,
) -> Result<GetIdentityVerificationAttributesResponse, SesError> {
    if input.identities.len() > ASKED_MAX {
        let text = format!("The number of identities exceeds {ASKED_MAX}.");
        return Err(SesError::InvalidParameterValue(text));
    }
    let mut verification_attributes = BTreeMap::new();
    for name in input.identities {
        let verification_status = match services.identities.get(&caller.account, &caller.region, &name).await {
            Ok(found) if found.is_verified() => "Success",
            Ok(found) if found.identity.status == "FAILED" => "Failed",
            Ok(_) => "Pending",
            Err(identity::Error::Missing(_)) => continue,
            Err(other) => return Err(other.into()),
        };
        verification_attributes.insert(name, IdentityVerificationAttributes { verification_status });
    }
    Ok(GetIdentityVerificationAttributesResponse { verification_attributes })
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
