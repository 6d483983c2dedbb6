//! DKIM in the first API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::aws::ses::identity_error::status;
use crate::aws::ses::identity_names::{IdentitiesRequest, domain, each};
use crate::mail::identity::{Error, NewIdentity, Origin};
use crate::store::identities::Standing;

/// The domain to sign for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyDomainDkimRequest {
    domain: String,
}

/// The tokens of its selectors.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerifyDomainDkimResponse {
    dkim_tokens: Vec<String>,
}

/// Gives a domain keys of ours, or tells the tokens of those it has. Makes the identity where there is none.
///
/// # Errors
/// A name that is no domain; too many identities.
pub(super) async fn verify_domain_dkim(
    services: &Services,
    caller: &Caller,
    input: VerifyDomainDkimRequest,
) -> Result<VerifyDomainDkimResponse, SesError> {
    let name = domain(&input.domain)?;
    let (account, region) = (&caller.account, &caller.region);
    let text = name.as_str().to_owned();
    let found = match services.identities.create(account, region, name, NewIdentity::default()).await {
        Err(Error::Exists(_)) => services.identities.set_keys(account, region, &text, Origin::Ours(None)).await?,
        made => made?,
    };
    Ok(VerifyDomainDkimResponse { dkim_tokens: found.rsa_keys().map(|key| key.selector.clone()).collect() })
}

/// Whether mails are signed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetIdentityDkimEnabledRequest {
    identity: String,
    dkim_enabled: bool,
}

/// Switches signing on or off.
///
/// # Errors
/// One that does not exist.
pub(super) async fn set_identity_dkim_enabled(
    services: &Services,
    caller: &Caller,
    input: SetIdentityDkimEnabledRequest,
) -> Result<NoMembers, SesError> {
    let (account, region) = (&caller.account, &caller.region);
    services.identities.set_signing(account, region, &input.identity, input.dkim_enabled).await?;
    Ok(NoMembers {})
}

/// How the keys of each known name stand.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetIdentityDkimAttributesResponse {
    dkim_attributes: BTreeMap<String, IdentityDkimAttributes>,
}

/// How the keys of a name stand.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IdentityDkimAttributes {
    dkim_enabled: bool,
    dkim_verification_status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dkim_tokens: Vec<String>,
}

/// Tells of each name how its keys stand; a name that is no identity is left out.
///
/// # Errors
/// More than 100 names.
pub(super) async fn get_identity_dkim_attributes(
    services: &Services,
    caller: &Caller,
    input: IdentitiesRequest,
) -> Result<GetIdentityDkimAttributesResponse, SesError> {
    let attributes = each(services, caller, input, |found| IdentityDkimAttributes {
        dkim_enabled: found.identity.dkim_signing && found.identity.dkim.status != Standing::NotStarted,
        dkim_verification_status: status(found.identity.dkim.status),
        dkim_tokens: found.rsa_keys().map(|key| key.selector.clone()).collect(),
    });
    Ok(GetIdentityDkimAttributesResponse { dkim_attributes: attributes.await? })
}
