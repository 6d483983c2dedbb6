//! Identities in the second API.
use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::protocol::Time;
use crate::aws::service::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::page::Page;
use crate::mail::identity::{Found, IdentityName, NewIdentity};

/// Tags of one resource (AWS: 50).
const TAGS_MAX: usize = 50;

/// A tag of a resource.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    value: String,
}

impl Tag {
    /// The tags as pairs.
    pub fn pairs(tags: Vec<Tag>) -> Result<Vec<(String, String)>, SesV2Error> {
        let fine = |tag: &Tag| (1..=128).contains(&tag.key.chars().count()) && tag.value.chars().count() <= 256;
        if tags.len() > TAGS_MAX || !tags.iter().all(fine) {
            let text = format!("At most {TAGS_MAX} tags, with keys of 1 to 128 and values of up to 256 characters.");
            return Err(SesV2Error::BadRequest(text));
        }
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// The stored pairs as tags.
    pub fn list(json: &str) -> Vec<Tag> {
        let pairs: Vec<(String, String)> = serde_json::from_str(json).unwrap_or_default();
        pairs.into_iter().map(|(key, value)| Tag { key, value }).collect()
    }
}

/// A key of the caller's own, or the length of ours.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DkimSigningAttributes {
    domain_signing_selector: Option<String>,
    domain_signing_private_key: Option<String>,
    next_signing_key_length: Option<String>,
    domain_signing_attributes_origin: Option<String>,
}

/// The identity to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateEmailIdentityRequest {
    email_identity: String,
    #[serde(default)]
    tags: Vec<Tag>,
    dkim_signing_attributes: Option<DkimSigningAttributes>,
    configuration_set_name: Option<String>,
}

/// The DKIM side of an identity. The TXT record of the first token has to publish the key.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DkimAttributes {
    signing_enabled: bool,
    status: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<String>,
    signing_attributes_origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_signing_key_length: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_signing_key_length: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_key_generation_timestamp: Option<Time>,
}

/// The new identity.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateEmailIdentityResponse {
    identity_type: String,
    verified_for_sending_status: bool,
    dkim_attributes: DkimAttributes,
}

/// Makes an identity.
///
/// # Errors
/// A name that is none; one that exists; a configuration set that does not; keys of the caller's own.
pub async fn create_email_identity(
    services: &Services,
    caller: &Caller,
    input: CreateEmailIdentityRequest,
) -> Result<CreateEmailIdentityResponse, SesV2Error> {
    let name = IdentityName::parse(&input.email_identity)?;
    let short_key = short_key(&name, input.dkim_signing_attributes.unwrap_or_default())?;
    let tags = Tag::pairs(input.tags)?;
    let new = NewIdentity { configuration_set: input.configuration_set_name, tags, short_key };
    let found = services.identities.create(&caller.account, &caller.region, name, new).await?;
    Ok(CreateEmailIdentityResponse {
        identity_type: found.identity.kind.clone(),
        verified_for_sending_status: found.is_verified(),
        dkim_attributes: dkim(&found),
    })
}

fn short_key(name: &IdentityName, asked: DkimSigningAttributes) -> Result<bool, SesV2Error> {
    let refused = |text: &str| Err(SesV2Error::BadRequest(text.to_owned()));
    let named = asked.domain_signing_selector.or(asked.domain_signing_private_key);
    let foreign = asked.domain_signing_attributes_origin.filter(|origin| origin != "AWS_SES");
    if named.or(foreign).is_some() {
        return refused("This server makes its own DKIM keys: BYODKIM and keys of other regions are not supported.");
    }
    match (name, asked.next_signing_key_length.as_deref()) {
        (_, None) => Ok(false),
        (IdentityName::Address(_), Some(_)) => refused("An email address has no DKIM key of its own."),
        (_, Some("RSA_1024_BIT")) => Ok(true),
        (_, Some("RSA_2048_BIT")) => Ok(false),
        (_, Some(_)) => refused("NextSigningKeyLength is RSA_1024_BIT or RSA_2048_BIT."),
    }
}

fn dkim(found: &Found) -> DkimAttributes {
    let key = found.keys.first();
    let length = key.map(|key| if key.bits == 1024 { "RSA_1024_BIT" } else { "RSA_2048_BIT" });
    DkimAttributes {
        signing_enabled: key.is_some() && found.identity.dkim_signing,
        status: if key.is_some() { found.identity.status.clone() } else { "NOT_STARTED".to_owned() },
        tokens: found.keys.iter().map(|key| key.selector.clone()).collect(),
        signing_attributes_origin: "AWS_SES",
        next_signing_key_length: length,
        current_signing_key_length: length,
        last_key_generation_timestamp: key.map(|key| Time(key.created_at)),
    }
}

/// The identity to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetEmailIdentityRequest {
    email_identity: String,
}

/// How an identity stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetEmailIdentityResponse {
    identity_type: String,
    feedback_forwarding_status: bool,
    verified_for_sending_status: bool,
    dkim_attributes: DkimAttributes,
    mail_from_attributes: MailFromAttributes,
    policies: serde_json::Map<String, serde_json::Value>,
    tags: Vec<Tag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_set_name: Option<String>,
    verification_status: String,
    verification_info: VerificationInfo,
}

/// No MAIL FROM domain of its own: SES answers with this member alone.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct MailFromAttributes {
    behavior_on_mx_failure: &'static str,
}

/// When it was looked at.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VerificationInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_checked_timestamp: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_timestamp: Option<Time>,
}

/// Tells how an identity stands.
///
/// # Errors
/// One that does not exist.
pub async fn get_email_identity(
    services: &Services,
    caller: &Caller,
    input: GetEmailIdentityRequest,
) -> Result<GetEmailIdentityResponse, SesV2Error> {
    let found = services.identities.get(&caller.account, &caller.region, &input.email_identity).await?;
    let dkim_attributes = dkim(&found);
    let verified = found.is_verified();
    let identity = found.identity;
    Ok(GetEmailIdentityResponse {
        identity_type: identity.kind,
        feedback_forwarding_status: identity.feedback_forwarding,
        verified_for_sending_status: verified,
        dkim_attributes,
        mail_from_attributes: MailFromAttributes { behavior_on_mx_failure: "USE_DEFAULT_VALUE" },
        policies: serde_json::Map::new(),
        tags: Tag::list(&identity.tags),
        configuration_set_name: identity.configuration_set,
        verification_status: identity.status,
        verification_info: VerificationInfo {
            last_checked_timestamp: identity.checked_at.map(Time),
            last_success_timestamp: identity.verified_at.map(Time),
        },
    })
}

/// Which page of identities.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEmailIdentitiesRequest {
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A page of identities.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListEmailIdentitiesResponse {
    email_identities: Vec<IdentityInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An identity in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct IdentityInfo {
    identity_type: String,
    identity_name: String,
    sending_enabled: bool,
    verification_status: String,
}

/// Lists the account's identities in the order of names.
///
/// # Errors
/// A token or page size that cannot be.
pub async fn list_email_identities(
    services: &Services,
    caller: &Caller,
    input: ListEmailIdentitiesRequest,
) -> Result<ListEmailIdentitiesResponse, SesV2Error> {
    let page = Page::read(input.next_token.as_deref(), input.page_size)?;
    let (account, region) = (&caller.account, &caller.region);
    let mut list = services.identities.list(account, region, None, &page.after, page.limit()).await?;
    let next_token = page.cut(&mut list, |identity| &identity.name);
    let info = |identity: crate::store::identities::Identity| IdentityInfo {
        identity_type: identity.kind,
        identity_name: identity.name,
        sending_enabled: identity.status == "SUCCESS",
        verification_status: identity.status,
    };
    Ok(ListEmailIdentitiesResponse { email_identities: list.into_iter().map(info).collect(), next_token })
}

/// The identity to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeleteEmailIdentityRequest {
    email_identity: String,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct DeleteEmailIdentityResponse {}

/// Removes an identity.
///
/// # Errors
/// One that does not exist.
pub async fn delete_email_identity(
    services: &Services,
    caller: &Caller,
    input: DeleteEmailIdentityRequest,
) -> Result<DeleteEmailIdentityResponse, SesV2Error> {
    services.identities.delete(&caller.account, &caller.region, &input.email_identity).await?;
    Ok(DeleteEmailIdentityResponse {})
}
