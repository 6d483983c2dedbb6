//! Tags of resources in the second API.
use serde::{Deserialize, Serialize};

use crate::aws::call::Caller;
use crate::aws::service::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::base::Arn;

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
            return Err(too_many());
        }
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    /// The stored pairs as tags.
    pub fn list(json: &str) -> Vec<Tag> {
        let pairs: Vec<(String, String)> = serde_json::from_str(json).unwrap_or_default();
        pairs.into_iter().map(|(key, value)| Tag { key, value }).collect()
    }
}

fn too_many() -> SesV2Error {
    let text = format!("At most {TAGS_MAX} tags, with keys of 1 to 128 and values of up to 256 characters.");
    SesV2Error::BadRequest(text)
}

/// A resource that has tags.
enum Resource {
    Identity(String),
    ConfigurationSet(String),
    VerificationTemplate(String),
    Template(String),
}

/// The resource of an ARN, which must be the caller's.
fn resource(caller: &Caller, arn: &str) -> Result<Resource, SesV2Error> {
    let shown: String = arn.chars().take(512).collect();
    let wrong = || SesV2Error::BadRequest(format!("Invalid resource ARN <{shown}>."));
    let parsed: Arn = arn.parse().map_err(|_| wrong())?;
    if parsed.service != "ses" {
        return Err(wrong());
    }
    if parsed.account != caller.account || parsed.region != caller.region {
        return Err(SesV2Error::NotFound(format!("Resource <{shown}> does not exist.")));
    }
    let (kind, name) = parsed.resource.split_once('/').ok_or_else(wrong)?;
    let name = name.to_owned();
    match kind {
        "identity" => Ok(Resource::Identity(name)),
        "configuration-set" => Ok(Resource::ConfigurationSet(name)),
        "template" => Ok(Resource::Template(name)),
        "custom-verification-email-template" => Ok(Resource::VerificationTemplate(name)),
        _ => Err(wrong()),
    }
}

/// Tags to add.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TagResourceRequest {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct TagResourceResponse {}

/// Adds tags to a resource, each in the place of one with the same key.
///
/// # Errors
/// A resource that does not exist; more than 50 tags.
pub async fn tag_resource(
    services: &Services,
    caller: &Caller,
    input: TagResourceRequest,
) -> Result<TagResourceResponse, SesV2Error> {
    let add = Tag::pairs(input.tags)?;
    change(services, caller, &input.resource_arn, add, Vec::new()).await?;
    Ok(TagResourceResponse {})
}

/// Tags to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UntagResourceRequest {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct UntagResourceResponse {}

/// Removes tags from a resource; those that it does not have are gone already.
///
/// # Errors
/// A resource that does not exist.
pub async fn untag_resource(
    services: &Services,
    caller: &Caller,
    input: UntagResourceRequest,
) -> Result<UntagResourceResponse, SesV2Error> {
    change(services, caller, &input.resource_arn, Vec::new(), input.tag_keys).await?;
    Ok(UntagResourceResponse {})
}

/// How tags change: each key has one value.
fn changed(
    add: Vec<(String, String)>,
    remove: Vec<String>,
) -> impl FnOnce(Vec<(String, String)>) -> Result<Vec<(String, String)>, SesV2Error> + Send + 'static {
    move |mut tags| {
        tags.retain(|(key, _)| !remove.contains(key) && !add.iter().any(|(own, _)| own == key));
        tags.extend(add);
        if tags.len() > TAGS_MAX { Err(too_many()) } else { Ok(tags) }
    }
}

async fn change(
    services: &Services,
    caller: &Caller,
    arn: &str,
    add: Vec<(String, String)>,
    remove: Vec<String>,
) -> Result<(), SesV2Error> {
    let (account, region) = (&caller.account, &caller.region);
    match resource(caller, arn)? {
        Resource::Identity(name) => services.identities.tag(account, region, &name, add, remove).await?,
        Resource::VerificationTemplate(name) => {
            services.identities.tag_template(account, region, &name, add, remove).await?;
        }
        Resource::Template(name) => {
            services.templates.change_tags(account, region, &name, changed(add, remove)).await?;
        }
        Resource::ConfigurationSet(name) => {
            let changed = changed(add, remove);
            services.configuration_sets.change_tags(account, region, &name, changed).await?;
        }
    }
    Ok(())
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
    let (account, region) = (&caller.account, &caller.region);
    let tags = match resource(caller, &input.resource_arn)? {
        Resource::Identity(name) => Tag::list(&services.identities.get(account, region, &name).await?.identity.tags),
        Resource::VerificationTemplate(name) => {
            Tag::list(&services.identities.template(account, region, &name).await?.tags)
        }
        Resource::Template(name) => Tag::list(&services.templates.get(account, region, &name).await?.tags),
        Resource::ConfigurationSet(name) => {
            let set = services.configuration_sets.get(account, region, &name).await?;
            let options: serde_json::Value = serde_json::from_str(&set.options).unwrap_or_default();
            Tag::list(&options.get("tags").map(ToString::to_string).unwrap_or_default())
        }
    };
    Ok(ListTagsForResourceResponse { tags })
}
