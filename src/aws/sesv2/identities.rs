//! Identities in the second API.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::sesv2::dkim::{DkimAttributes, DkimSigningAttributes};
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::filter::IdentityFilter;
use crate::aws::sesv2::mail_from::MailFromAttributes;
use crate::aws::sesv2::page::{self, IDENTITIES};
use crate::aws::sesv2::tags::Tag;
use crate::mail::identity::{IdentityName, NewIdentity};
use crate::store::identities::{IdentityKind, ProofError, Standing};

/// The identity to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateEmailIdentityRequest {
    email_identity: String,
    #[serde(default)]
    tags: Vec<Tag>,
    dkim_signing_attributes: Option<DkimSigningAttributes>,
    configuration_set_name: Option<String>,
}

/// The new identity.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateEmailIdentityResponse {
    identity_type: IdentityKind,
    verified_for_sending_status: bool,
    dkim_attributes: DkimAttributes,
}

/// Makes an identity.
///
/// # Errors
/// A name that is none; one that exists; a configuration set that does not; keys of the caller's own.
pub(super) async fn create_email_identity(
    services: &Services,
    caller: &Caller,
    input: CreateEmailIdentityRequest,
) -> Result<CreateEmailIdentityResponse, SesV2Error> {
    let name = IdentityName::parse(&input.email_identity)?;
    let key = input.dkim_signing_attributes.unwrap_or_default().choice(&name)?;
    let tags = Tag::pairs(input.tags)?;
    let new = NewIdentity { configuration_set: input.configuration_set_name, tags, key };
    let found = services.identities.create(&caller.account, &caller.region, name, new).await?;
    Ok(CreateEmailIdentityResponse {
        identity_type: found.identity.kind,
        verified_for_sending_status: found.is_verified(),
        dkim_attributes: DkimAttributes::of(&found, services.identities.dkim_zone()),
    })
}

/// The identity to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetEmailIdentityRequest {
    email_identity: String,
}

/// How an identity stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetEmailIdentityResponse {
    identity_type: IdentityKind,
    feedback_forwarding_status: bool,
    verified_for_sending_status: bool,
    dkim_attributes: DkimAttributes,
    mail_from_attributes: MailFromAttributes,
    policies: BTreeMap<String, String>,
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_set_name: Option<String>,
    verification_status: Standing,
    verification_info: VerificationInfo,
}

/// When it was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VerificationInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_checked_timestamp: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_timestamp: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<ProofError>,
}

/// Tells how an identity stands.
///
/// # Errors
/// One that does not exist.
pub(super) async fn get_email_identity(
    services: &Services,
    caller: &Caller,
    input: GetEmailIdentityRequest,
) -> Result<GetEmailIdentityResponse, SesV2Error> {
    let found = services.identities.get(&caller.account, &caller.region, &input.email_identity).await?;
    let dkim_attributes = DkimAttributes::of(&found, services.identities.dkim_zone());
    let verified = found.is_verified();
    let identity = found.identity;
    Ok(GetEmailIdentityResponse {
        identity_type: identity.kind,
        feedback_forwarding_status: identity.feedback_forwarding,
        verified_for_sending_status: verified,
        dkim_attributes,
        mail_from_attributes: MailFromAttributes::of(identity.mail_from),
        policies: found.policies.into_iter().map(|p| (p.name, p.policy)).collect(),
        tags: Tag::list(identity.tags.read()?),
        configuration_set_name: identity.configuration_set,
        verification_status: identity.status,
        verification_info: VerificationInfo {
            last_checked_timestamp: identity.checked_at.map(Time),
            last_success_timestamp: identity.verified_at.map(Time),
            error_type: identity.error,
        },
    })
}

/// Which page of identities.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEmailIdentitiesRequest {
    #[serde(default)]
    filter: BTreeMap<String, String>,
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A page of identities.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEmailIdentitiesResponse {
    email_identities: Vec<IdentityInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An identity in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IdentityInfo {
    identity_type: IdentityKind,
    identity_name: String,
    sending_enabled: bool,
    verification_status: Standing,
}

/// Lists the account's identities in the order of names.
///
/// # Errors
/// A token, a page size or a filter that cannot be.
pub(super) async fn list_email_identities(
    services: &Services,
    caller: &Caller,
    input: ListEmailIdentitiesRequest,
) -> Result<ListEmailIdentitiesResponse, SesV2Error> {
    let asked = page::read(&IDENTITIES, input.next_token.as_deref(), input.page_size)?;
    let (account, region) = (&caller.account, &caller.region);
    let filter = IdentityFilter::read(input.filter)?;
    let (lot, kind) = (IDENTITIES.lot(&asked, !filter.is_open()), filter.kind());
    let read = |after: String| async move { services.identities.list(account, region, kind, &after, lot).await };
    let page = asked.gather(lot, read, |identity| filter.fits(identity), |identity| &identity.name).await?;
    let info = |identity: crate::store::identities::Identity| IdentityInfo {
        sending_enabled: identity.is_verified(),
        identity_type: identity.kind,
        identity_name: identity.name,
        verification_status: identity.status,
    };
    let (email_identities, next_token) = paging::shown(page.map(info));
    Ok(ListEmailIdentitiesResponse { email_identities, next_token })
}

/// The identity to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEmailIdentityRequest {
    email_identity: String,
}

/// Removes an identity.
///
/// # Errors
/// One that does not exist.
pub(super) async fn delete_email_identity(
    services: &Services,
    caller: &Caller,
    input: DeleteEmailIdentityRequest,
) -> Result<NoMembers, SesV2Error> {
    services.identities.delete(&caller.account, &caller.region, &input.email_identity).await?;
    Ok(NoMembers {})
}

/// The configuration set for mails that name none.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEmailIdentityConfigurationSetAttributesRequest {
    email_identity: String,
    configuration_set_name: Option<String>,
}

/// Sets the configuration set for mails that name none, or takes it away.
///
/// # Errors
/// An identity or a set that does not exist.
pub(super) async fn put_email_identity_configuration_set_attributes(
    services: &Services,
    caller: &Caller,
    input: PutEmailIdentityConfigurationSetAttributesRequest,
) -> Result<NoMembers, SesV2Error> {
    let set = input.configuration_set_name.filter(|name| !name.is_empty());
    let (account, region) = (&caller.account, &caller.region);
    services.identities.set_configuration_set(account, region, &input.email_identity, set).await?;
    Ok(NoMembers {})
}
