//! Templates in the second API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::{NoMembers, Time};
use crate::aws::services::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::page::{self, TEMPLATES};
use crate::aws::sesv2::tags::Tag;
use crate::mail::content::templates::Parts;
use crate::mail::sending::try_out;

/// The parts of a template.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EmailTemplateContent {
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

impl EmailTemplateContent {
    /// The parts as the core knows them.
    pub(super) fn parts(self) -> Parts {
        Parts { subject: self.subject, text: self.text, html: self.html }
    }
}

/// The template to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateEmailTemplateRequest {
    template_name: String,
    template_content: EmailTemplateContent,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// Keeps a template.
///
/// # Errors
/// A name that is none or taken; a template that cannot be read or is too large.
pub(super) async fn create_email_template(
    services: &Services,
    caller: &Caller,
    input: CreateEmailTemplateRequest,
) -> Result<NoMembers, SesV2Error> {
    let tags = Tag::pairs(input.tags)?;
    let parts = input.template_content.parts();
    services.templates.create(&caller.account, &caller.region, &input.template_name, parts, tags).await?;
    Ok(NoMembers {})
}

/// The template to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetEmailTemplateRequest {
    template_name: String,
}

/// A template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetEmailTemplateResponse {
    template_name: String,
    template_content: EmailTemplateContent,
    tags: Vec<Tag>,
}

/// Gives a template as it was kept.
///
/// # Errors
/// One that does not exist.
pub(super) async fn get_email_template(
    services: &Services,
    caller: &Caller,
    input: GetEmailTemplateRequest,
) -> Result<GetEmailTemplateResponse, SesV2Error> {
    let found = services.templates.get(&caller.account, &caller.region, &input.template_name).await?;
    Ok(GetEmailTemplateResponse {
        template_name: found.name,
        template_content: EmailTemplateContent { subject: found.subject, text: found.text, html: found.html },
        tags: Tag::list(found.tags.read()?),
    })
}

/// The template to replace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateEmailTemplateRequest {
    template_name: String,
    template_content: EmailTemplateContent,
}

/// Replaces a template's parts.
///
/// # Errors
/// One that does not exist; a template that cannot be read or is too large.
pub(super) async fn update_email_template(
    services: &Services,
    caller: &Caller,
    input: UpdateEmailTemplateRequest,
) -> Result<NoMembers, SesV2Error> {
    let parts = input.template_content.parts();
    services.templates.update(&caller.account, &caller.region, &input.template_name, parts).await?;
    Ok(NoMembers {})
}

/// The template to remove.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteEmailTemplateRequest {
    template_name: String,
}

/// Removes a template.
///
/// # Errors
/// One that does not exist.
pub(super) async fn delete_email_template(
    services: &Services,
    caller: &Caller,
    input: DeleteEmailTemplateRequest,
) -> Result<NoMembers, SesV2Error> {
    match services.templates.delete(&caller.account, &caller.region, &input.template_name).await? {
        true => Ok(NoMembers {}),
        false => Err(crate::mail::content::templates::Error::Missing(input.template_name).into()),
    }
}

/// Which page of templates.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEmailTemplatesRequest {
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A page of templates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEmailTemplatesResponse {
    templates_metadata: Vec<EmailTemplateMetadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A template's name and age.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct EmailTemplateMetadata {
    template_name: String,
    created_timestamp: Time,
}

/// Lists the account's templates in the order of names.
///
/// # Errors
/// A token or page size that cannot be.
pub(super) async fn list_email_templates(
    services: &Services,
    caller: &Caller,
    input: ListEmailTemplatesRequest,
) -> Result<ListEmailTemplatesResponse, SesV2Error> {
    let asked = page::read(&TEMPLATES, input.next_token.as_deref(), input.page_size)?;
    let (account, region) = (&caller.account, &caller.region);
    let found = services.templates.list(account, region, &asked.after, asked.limit()).await?;
    let metadata = |(template_name, at)| EmailTemplateMetadata { template_name, created_timestamp: Time(at) };
    let (templates_metadata, next_token) = paging::shown(asked.cut(found, |(name, _)| name).map(metadata));
    Ok(ListEmailTemplatesResponse { templates_metadata, next_token })
}

/// The template to try out, and its data.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestRenderEmailTemplateRequest {
    template_name: String,
    template_data: String,
}

/// The message that it gives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestRenderEmailTemplateResponse {
    rendered_template: String,
}

/// Renders a template and sends nothing.
///
/// # Errors
/// One that does not exist; data that is none, or lacks what the template names.
pub(super) async fn test_render_email_template(
    services: &Services,
    caller: &Caller,
    input: TestRenderEmailTemplateRequest,
) -> Result<TestRenderEmailTemplateResponse, SesV2Error> {
    let (name, data, now) = (&input.template_name, &input.template_data, services.clock.now());
    let rendered_template = try_out(&services.templates, &caller.scope(), name, data, now).await?;
    Ok(TestRenderEmailTemplateResponse { rendered_template })
}
