//! Templates in the first API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::aws::ses::page::{self, TEMPLATES};
use crate::mail::content::templates::{self, Parts};
use crate::mail::sending::{FromTemplateError, try_out};
use crate::store::Pairs;

/// A template.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Template {
    template_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html_part: Option<String>,
}

impl Template {
    fn parts(self) -> (String, Parts) {
        (self.template_name, Parts { subject: self.subject_part, text: self.text_part, html: self.html_part })
    }
}

/// The template to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateTemplateRequest {
    template: Template,
}

/// Keeps a template.
///
/// # Errors
/// A name that is none or taken; a template that cannot be read or is too large.
pub(super) async fn create_template(
    services: &Services,
    caller: &Caller,
    input: CreateTemplateRequest,
) -> Result<NoMembers, SesError> {
    let (name, parts) = input.template.parts();
    services.templates.create(&caller.account, &caller.region, &name, parts, Pairs::new()).await?;
    Ok(NoMembers {})
}

/// The template to replace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateTemplateRequest {
    template: Template,
}

/// Replaces a template's parts.
///
/// # Errors
/// One that does not exist; a template that cannot be read or is too large.
pub(super) async fn update_template(
    services: &Services,
    caller: &Caller,
    input: UpdateTemplateRequest,
) -> Result<NoMembers, SesError> {
    let (name, parts) = input.template.parts();
    services.templates.update(&caller.account, &caller.region, &name, parts).await?;
    Ok(NoMembers {})
}

/// The template to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTemplateRequest {
    template_name: String,
}

/// A template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetTemplateResponse {
    template: Template,
}

/// Gives a template as it was kept.
///
/// # Errors
/// One that does not exist.
pub(super) async fn get_template(
    services: &Services,
    caller: &Caller,
    input: GetTemplateRequest,
) -> Result<GetTemplateResponse, SesError> {
    let found = services.templates.get(&caller.account, &caller.region, &input.template_name).await?;
    let template = Template {
        template_name: found.name,
        subject_part: found.subject,
        text_part: found.text,
        html_part: found.html,
    };
    Ok(GetTemplateResponse { template })
}

/// The template to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteTemplateRequest {
    template_name: String,
}

/// Removes a template. That there is none is no error in this API.
///
/// # Errors
/// Only when the store fails.
pub(super) async fn delete_template(
    services: &Services,
    caller: &Caller,
    input: DeleteTemplateRequest,
) -> Result<NoMembers, SesError> {
    services.templates.delete(&caller.account, &caller.region, &input.template_name).await?;
    Ok(NoMembers {})
}

/// Which page of templates.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTemplatesRequest {
    next_token: Option<String>,
    max_items: Option<i32>,
}

/// A page of templates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTemplatesResponse {
    templates_metadata: Vec<TemplateMetadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A template's name and age.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TemplateMetadata {
    name: String,
    created_timestamp: Time,
}

/// Lists the account's templates in the order of names.
///
/// # Errors
/// A token that is none.
pub(super) async fn list_templates(
    services: &Services,
    caller: &Caller,
    input: ListTemplatesRequest,
) -> Result<ListTemplatesResponse, SesError> {
    let asked = page::read(&TEMPLATES, input.next_token.as_deref(), input.max_items)?;
    let (account, region) = (&caller.account, &caller.region);
    let found = services.templates.list(account, region, &asked.after, asked.limit()).await?;
    let metadata = |(name, at)| TemplateMetadata { name, created_timestamp: Time(at) };
    let (templates_metadata, next_token) = paging::shown(asked.cut(found, |(name, _)| name).map(metadata));
    Ok(ListTemplatesResponse { templates_metadata, next_token })
}

/// The template to try out, and its data.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestRenderTemplateRequest {
    template_name: String,
    template_data: String,
}

/// The message that it gives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestRenderTemplateResponse {
    rendered_template: String,
}

/// Renders a template and sends nothing.
///
/// # Errors
/// One that does not exist; data that is none, or lacks what the template names.
pub(super) async fn test_render_template(
    services: &Services,
    caller: &Caller,
    input: TestRenderTemplateRequest,
) -> Result<TestRenderTemplateResponse, SesError> {
    let (name, data, now) = (&input.template_name, &input.template_data, services.clock.now());
    let rendered = try_out(&services.templates, &caller.scope(), name, data, now).await;
    let rendered_template = rendered.map_err(|error| match error {
        FromTemplateError::Template(templates::Error::Data) => {
            SesError::InvalidRenderingParameter("Template rendering data is invalid".to_owned())
        }
        other => other.into(),
    })?;
    Ok(TestRenderTemplateResponse { rendered_template })
}
