//! Platform applications.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::services::Services;
use crate::aws::sns::arn::own_resource;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::page::page_after;
use crate::base::Arn;
use crate::topics::Attributes;

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePlatformApplicationInput {
    name: String,
    platform: String,
    attributes: Attributes,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePlatformApplicationResponse {
    platform_application_arn: String,
}

/// Makes an application, or finds the same one.
pub(super) async fn create_platform_application(
    services: &Services,
    caller: &Caller,
    input: CreatePlatformApplicationInput,
) -> Result<CreatePlatformApplicationResponse, SnsError> {
    let (account, region) = (&caller.account, &caller.region);
    let made =
        services.topics.create_application(account, region, &input.platform, &input.name, input.attributes).await;
    let arn = made.map_err(SnsError::in_attributes)?;
    Ok(CreatePlatformApplicationResponse { platform_application_arn: arn.to_string() })
}

/// Names an application: the input of several operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ApplicationInput {
    platform_application_arn: String,
}

/// Reads the ARN of an application that the caller owns.
pub(super) fn own_application(caller: &Caller, text: &str, action: &str) -> Result<Arn, SnsError> {
    own_resource(caller, "PlatformApplicationArn", text, "app/", action)
}

/// Takes an application away.
pub(super) async fn delete_platform_application(
    services: &Services,
    caller: &Caller,
    input: ApplicationInput,
) -> Result<(), SnsError> {
    let arn = own_application(caller, &input.platform_application_arn, "DeletePlatformApplication")?;
    Ok(services.topics.delete_application(&arn).await?)
}

/// Attributes: the result of several operations.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributesResponse {
    /// By name.
    pub attributes: Attributes,
}

/// An application's attributes.
pub(super) async fn get_platform_application_attributes(
    services: &Services,
    caller: &Caller,
    input: ApplicationInput,
) -> Result<AttributesResponse, SnsError> {
    let arn = own_application(caller, &input.platform_application_arn, "GetPlatformApplicationAttributes")?;
    Ok(AttributesResponse { attributes: services.topics.application_attributes(&arn).await? })
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetPlatformApplicationAttributesInput {
    platform_application_arn: String,
    attributes: Attributes,
}

/// Sets attributes.
pub(super) async fn set_platform_application_attributes(
    services: &Services,
    caller: &Caller,
    input: SetPlatformApplicationAttributesInput,
) -> Result<(), SnsError> {
    let arn = own_application(caller, &input.platform_application_arn, "SetPlatformApplicationAttributes")?;
    let set = services.topics.set_application_attributes(&arn, input.attributes).await;
    set.map_err(SnsError::in_attributes)
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPlatformApplicationsInput {
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListPlatformApplicationsResponse {
    platform_applications: Vec<PlatformApplication>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PlatformApplication {
    platform_application_arn: String,
    attributes: Attributes,
}

/// Lists the caller's applications, 100 at a time.
pub(super) async fn list_platform_applications(
    services: &Services,
    caller: &Caller,
    input: ListPlatformApplicationsInput,
) -> Result<ListPlatformApplicationsResponse, SnsError> {
    let page =
        services.topics.applications(&caller.account, &caller.region, page_after(input.next_token.as_deref())?).await?;
    let one = |(arn, attributes): (Arn, Attributes)| PlatformApplication {
        platform_application_arn: arn.to_string(),
        attributes,
    };
    let (platform_applications, next_token) = paging::shown_by_number(page.map(one));
    Ok(ListPlatformApplicationsResponse { platform_applications, next_token })
}
