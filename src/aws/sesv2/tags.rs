//! Tags of resources in the second API.
use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::ses::constraint::Violations;
use crate::aws::sesv2::error::SesV2Error;
use crate::base::Arn;
use crate::store::Pairs;

/// Tags of one resource (AWS: 50).
const TAGS_MAX: usize = 50;

/// A tag of a resource.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Tag {
    key: String,
    value: String,
}

/// The texts for more tags than that: in one call, and with those that the resource has.
const TOO_MANY_TAGS: &str = "Maximum of 50 user tags are allowed per resource, consider reducing the number of tags in the \
                             request";
/// Of TagResource: what it has and what comes together are too many.
pub const TOO_MANY_TAGS_WITH: &str = "Maximum of 50 user tags are allowed per resource, consider reducing the number of tags \
                                      in the request or delete existing tags and retry";

impl Tag {
    /// The tags as pairs.
    ///
    /// # Errors
    /// In SES's order: too many, a key twice, letters that a tag may not have, a key of AWS's own, too long ones.
    pub fn pairs(tags: Vec<Tag>) -> Result<Pairs, SesV2Error> {
        let bad = |text: &str| Err(SesV2Error::BadRequest(text.to_owned()));
        if tags.len() > TAGS_MAX {
            return bad(TOO_MANY_TAGS);
        }
        let mut keys = HashSet::new();
        if !tags.iter().all(|tag| keys.insert(tag.key.as_str())) {
            return bad("Cannot provide multiple tags with the same key");
        }
        let fine = |c: char| c.is_alphabetic() || c.is_numeric() || is_separator(c) || "_.:/=+-@".contains(c);
        if !tags.iter().all(|tag| tag.key.chars().chain(tag.value.chars()).all(fine)) {
            return bad(
                "Tags can only contain letters, numbers, spaces, and the following special characters: _ . : / = + - @",
            );
        }
        if tags.iter().any(|tag| tag.key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("aws:"))) {
            return bad("Caller is an end user and not allowed to mutate system tags");
        }
        let mut found = Violations::default();
        for (n, tag) in tags.iter().enumerate() {
            found.at_most(&format!("tags.{}.member.value", n + 1), &tag.value, 256);
            found.length(&format!("tags.{}.member.key", n + 1), &tag.key, 1..=128);
        }
        found.finish()?;
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// The stored pairs as tags.
    pub fn list(pairs: Pairs) -> Vec<Tag> {
        pairs.into_iter().map(|(key, value)| Tag { key, value }).collect()
    }
}

/// Whether a character separates words, as Unicode has it (its class Z).
fn is_separator(c: char) -> bool {
    c.is_whitespace() && !c.is_control()
}

/// A resource that has tags.
#[derive(Clone)]
enum Resource {
    Identity(String),
    ConfigurationSet(String),
    VerificationTemplate(String),
    Template(String),
}

impl Resource {
    /// The text for one that does not exist.
    fn missing(self) -> SesV2Error {
        let (kind, name) = match self {
            Self::Identity(name) => ("EmailIdentity", name),
            Self::ConfigurationSet(name) => ("ConfigurationSet", name),
            Self::VerificationTemplate(name) => ("CustomVerificationEmailTemplate", name),
            Self::Template(name) => ("Template", name),
        };
        SesV2Error::NotFound(format!("No {kind} present with name: {name}"))
    }
}

/// The resource of an ARN, which must be of the caller's account; none where it is of another region.
fn resource(caller: &Caller, arn: &str) -> Result<Option<Resource>, SesV2Error> {
    let wrong = || SesV2Error::BadRequest("ResourceArn is not the expected format".to_owned());
    let parsed: Arn = arn.parse().map_err(|_| wrong())?;
    let (kind, name) = parsed.resource.split_once('/').filter(|_| parsed.service == "ses").ok_or_else(wrong)?;
    let name = name.to_owned();
    let resource = match kind {
        "identity" => Resource::Identity(name),
        "configuration-set" => Resource::ConfigurationSet(name),
        "template" => Resource::Template(name),
        "custom-verification-email-template" => Resource::VerificationTemplate(name),
        _ => return Err(wrong()),
    };
    if parsed.account != caller.account {
        let text = "Operations on a resource created in a different account is not allowed";
        return Err(SesV2Error::BadRequest(text.to_owned()));
    }
    Ok(Some(resource).filter(|_| parsed.region == caller.region))
}

/// Tags to add.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResourceRequest {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// Adds tags to a resource, each in the place of one with the same key.
///
/// # Errors
/// A resource that does not exist; more than 50 tags.
pub async fn tag_resource(
    services: &Services,
    caller: &Caller,
    input: TagResourceRequest,
) -> Result<NoMembers, SesV2Error> {
    let add = Tag::pairs(input.tags)?;
    let Some(resource) = resource(caller, &input.resource_arn)? else {
        return Err(SesV2Error::BadRequest("Failed to tag resource".to_owned()));
    };
    change(services, caller, resource, add, Vec::new()).await?;
    Ok(NoMembers {})
}

/// Tags to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResourceRequest {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// Removes tags from a resource; those that it does not have are gone already.
///
/// # Errors
/// A resource that does not exist.
pub async fn untag_resource(
    services: &Services,
    caller: &Caller,
    input: UntagResourceRequest,
) -> Result<NoMembers, SesV2Error> {
    let Some(resource) = resource(caller, &input.resource_arn)? else {
        return Err(SesV2Error::BadRequest("Failed to untag resource".to_owned()));
    };
    change(services, caller, resource, Vec::new(), input.tag_keys).await?;
    Ok(NoMembers {})
}

/// How tags change: each key has one value.
fn changed(add: Pairs, remove: Vec<String>) -> impl FnOnce(Pairs) -> Result<Pairs, SesV2Error> + Send + 'static {
    move |mut tags| {
        tags.retain(|(key, _)| !remove.contains(key) && !add.iter().any(|(own, _)| own == key));
        tags.extend(add);
        if tags.len() > TAGS_MAX { Err(SesV2Error::BadRequest(TOO_MANY_TAGS_WITH.to_owned())) } else { Ok(tags) }
    }
}

async fn change(
    services: &Services,
    caller: &Caller,
    resource: Resource,
    add: Pairs,
    remove: Vec<String>,
) -> Result<(), SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    let done = match &resource {
        Resource::Identity(name) => {
            services.identities.tag(account, region, name, add, remove).await.map_err(SesV2Error::from)
        }
        Resource::VerificationTemplate(name) => {
            services.identities.tag_template(account, region, name, add, remove).await.map_err(SesV2Error::from)
        }
        Resource::Template(name) => {
            services.templates.change_tags(account, region, name, changed(add, remove)).await.map(drop)
        }
        Resource::ConfigurationSet(name) => {
            let changed = changed(add, remove);
            services.configuration_sets.change_tags(account, region, name, changed).await.map(drop)
        }
    };
    done.map_err(|error| told(resource, error))
}

/// These operations name what is missing in words of their own.
fn told(resource: Resource, error: SesV2Error) -> SesV2Error {
    if matches!(error, SesV2Error::NotFound(_)) { resource.missing() } else { error }
}

/// The resource whose tags to tell.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagsForResourceRequest {
    resource_arn: String,
}

/// Its tags.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTagsForResourceResponse {
    tags: Vec<Tag>,
}

/// Tells a resource's tags.
///
/// # Errors
/// A resource that does not exist.
pub async fn list_tags_for_resource(
    services: &Services,
    caller: &Caller,
    input: ListTagsForResourceRequest,
) -> Result<ListTagsForResourceResponse, SesV2Error> {
    // SES tells no tags of other regions' resources, whether they exist or not.
    let Some(resource) = resource(caller, &input.resource_arn)? else {
        return Ok(ListTagsForResourceResponse { tags: Vec::new() });
    };
    let tags = stored(services, caller, &resource).await.map_err(|error| told(resource, error))?;
    Ok(ListTagsForResourceResponse { tags })
}

async fn stored(services: &Services, caller: &Caller, resource: &Resource) -> Result<Vec<Tag>, SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    Ok(Tag::list(match resource {
        Resource::Identity(name) => services.identities.get(account, region, name).await?.identity.tags.read()?,
        Resource::VerificationTemplate(name) => {
            services.identities.template(account, region, name).await?.tags.read()?
        }
        Resource::Template(name) => services.templates.get(account, region, name).await?.tags.read()?,
        Resource::ConfigurationSet(name) => {
            services.configuration_sets.get(account, region, name).await?.options.read()?.tags
        }
    }))
}
