//! Endpoints of platform applications: apps on devices.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::services::Services;
use crate::aws::sns::arn::own_resource;
use crate::aws::sns::error::SnsError;
use crate::aws::sns::page::page_after;
use crate::aws::sns::platform::{AttributesResponse, own_application};
use crate::base::Arn;
use crate::topics::{self, Attributes};

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreatePlatformEndpointInput {
    platform_application_arn: String,
    token: String,
    custom_user_data: Option<String>,
    #[serde(default)]
    attributes: Attributes,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateEndpointResponse {
    endpoint_arn: String,
}

/// Makes an endpoint for a device, or finds the same one.
pub(super) async fn create_platform_endpoint(
    services: &Services,
    caller: &Caller,
    input: CreatePlatformEndpointInput,
) -> Result<CreateEndpointResponse, SnsError> {
    let application = own_application(caller, &input.platform_application_arn, "CreatePlatformEndpoint")?;
    // An attribute wins over the parameter of its name.
    let mut attributes = input.attributes;
    let token = attributes.remove("Token").unwrap_or(input.token);
    if let Some(data) = input.custom_user_data {
        attributes.entry("CustomUserData".to_owned()).or_insert(data);
    }
    let made = services.topics.create_endpoint(&application, &token, attributes).await;
    Ok(CreateEndpointResponse { endpoint_arn: made.map_err(of_attributes)?.to_string() })
}

/// Names an endpoint: the input of several operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EndpointInput {
    endpoint_arn: String,
}

fn own_endpoint(caller: &Caller, text: &str, action: &str) -> Result<Arn, SnsError> {
    own_resource(caller, "EndpointArn", text, "endpoint/", action)
}

/// Takes an endpoint away.
pub(super) async fn delete_endpoint(
    services: &Services,
    caller: &Caller,
    input: EndpointInput,
) -> Result<(), SnsError> {
    let arn = own_endpoint(caller, &input.endpoint_arn, "DeleteEndpoint")?;
    Ok(services.topics.delete_endpoint(&arn).await?)
}

/// An endpoint's attributes.
pub(super) async fn get_endpoint_attributes(
    services: &Services,
    caller: &Caller,
    input: EndpointInput,
) -> Result<AttributesResponse, SnsError> {
    let arn = own_endpoint(caller, &input.endpoint_arn, "GetEndpointAttributes")?;
    Ok(AttributesResponse { attributes: services.topics.endpoint_attributes(&arn).await? })
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetEndpointAttributesInput {
    endpoint_arn: String,
    attributes: Attributes,
}

/// Sets attributes.
pub(super) async fn set_endpoint_attributes(
    services: &Services,
    caller: &Caller,
    input: SetEndpointAttributesInput,
) -> Result<(), SnsError> {
    let arn = own_endpoint(caller, &input.endpoint_arn, "SetEndpointAttributes")?;
    let set = services.topics.set_endpoint_attributes(&arn, input.attributes).await;
    set.map_err(of_attributes)
}

/// AWS has other words for the attributes of endpoints than for all others.
fn of_attributes(error: topics::Error) -> SnsError {
    match error {
        topics::Error::AttributeName(name) => {
            SnsError::parameter(format_args!("Attributes Reason: Invalid attribute name: {name}"))
        }
        topics::Error::AttributeValue("CustomUserData", _) => SnsError::parameter(
            "Attributes Reason: Invalid value for attribute: CustomUserData: must be at most 2048 bytes long in UTF-8 \
             encoding",
        ),
        other => SnsError::in_attributes(other),
    }
}

/// See AWS's model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEndpointsByPlatformApplicationInput {
    platform_application_arn: String,
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEndpointsByPlatformApplicationResponse {
    endpoints: Vec<Endpoint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// See AWS's model.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Endpoint {
    endpoint_arn: String,
    attributes: Attributes,
}

/// Lists an application's endpoints, 100 at a time.
pub(super) async fn list_endpoints_by_platform_application(
    services: &Services,
    caller: &Caller,
    input: ListEndpointsByPlatformApplicationInput,
) -> Result<ListEndpointsByPlatformApplicationResponse, SnsError> {
    let action = "ListEndpointsByPlatformApplication";
    let application = own_application(caller, &input.platform_application_arn, action)?;
    let page = services.topics.endpoints(&application, page_after(input.next_token.as_deref())?).await?;
    let one = |(arn, attributes): (Arn, Attributes)| Endpoint { endpoint_arn: arn.to_string(), attributes };
    let (endpoints, next_token) = paging::shown_by_number(page.map(one));
    Ok(ListEndpointsByPlatformApplicationResponse { endpoints, next_token })
}
