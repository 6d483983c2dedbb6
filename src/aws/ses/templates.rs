//! Templates in the first API.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::Time;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::aws::ses::page::{Page, TEMPLATES};
use crate::mail::content::Data;
use crate::mail::content::templates::{self, Parts};
use crate::mail::message::{self, Draft, Mailbox};
use crate::mail::sending::compose_soon;
use crate::store::Pairs;

/// A template.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Template {
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
pub struct CreateTemplateRequest {
    template: Template,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct CreateTemplateResponse {}

/// Keeps a template.
///
/// # Errors
/// A name that is none or taken; a template that cannot be read or is too large.
pub async fn create_template(
    services: &Services,
    caller: &Caller,
    input: CreateTemplateRequest,
) -> Result<CreateTemplateResponse, SesError> {
    let (name, parts) = input.template.parts();
    services.templates.create(&caller.account, &caller.region, &name, parts, Pairs::new()).await?;
    Ok(CreateTemplateResponse {})
}

/// The template to replace.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct UpdateTemplateRequest {
    template: Template,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct UpdateTemplateResponse {}

/// Replaces a template's parts.
///
/// # Errors
/// One that does not exist; a template that cannot be read or is too large.
pub async fn update_template(
    services: &Services,
    caller: &Caller,
    input: UpdateTemplateRequest,
) -> Result<UpdateTemplateResponse, SesError> {
    let (name, parts) = input.template.parts();
    services.templates.update(&caller.account, &caller.region, &name, parts).await?;
    Ok(UpdateTemplateResponse {})
}

/// The template to look at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetTemplateRequest {
    template_name: String,
}

/// A template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetTemplateResponse {
    template: Template,
}

/// Gives a template as it was kept.
///
/// # Errors
/// One that does not exist.
pub async fn get_template(
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
pub struct DeleteTemplateRequest {
    template_name: String,
}

/// No members.
#[derive(Debug, Serialize)]
pub struct DeleteTemplateResponse {}

/// Removes a template. That there is none is no error in this API.
///
/// # Errors
/// Only when the store fails.
pub async fn delete_template(
    services: &Services,
    caller: &Caller,
    input: DeleteTemplateRequest,
) -> Result<DeleteTemplateResponse, SesError> {
    services.templates.delete(&caller.account, &caller.region, &input.template_name).await?;
    Ok(DeleteTemplateResponse {})
}

/// Which page of templates.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTemplatesRequest {
    next_token: Option<String>,
    max_items: Option<i32>,
}

/// A page of templates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListTemplatesResponse {
    templates_metadata: Vec<TemplateMetadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A template's name and age.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TemplateMetadata {
    name: String,
    created_timestamp: Time,
}

/// Lists the account's templates in the order of names.
///
/// # Errors
/// A token that is none.
pub async fn list_templates(
    services: &Services,
    caller: &Caller,
    input: ListTemplatesRequest,
) -> Result<ListTemplatesResponse, SesError> {
    let page = Page::read(&TEMPLATES, input.next_token.as_deref(), input.max_items)?;
    let (account, region) = (&caller.account, &caller.region);
    let mut found = services.templates.list(account, region, &page.after, page.limit()).await?;
    let next_token = page.cut(&mut found, |(name, _)| name);
    let metadata = |(name, at)| TemplateMetadata { name, created_timestamp: Time(at) };
    Ok(ListTemplatesResponse { templates_metadata: found.into_iter().map(metadata).collect(), next_token })
}

/// The template to try out, and its data.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TestRenderTemplateRequest {
    template_name: String,
    template_data: String,
}

/// The message that it gives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TestRenderTemplateResponse {
    rendered_template: String,
}

/// Renders a template and sends nothing.
///
/// # Errors
/// One that does not exist; data that is none, or lacks what the template names.
pub async fn test_render_template(
    services: &Services,
    caller: &Caller,
    input: TestRenderTemplateRequest,
) -> Result<TestRenderTemplateResponse, SesError> {
    let rendered = try_out(services, caller, &input.template_name, &input.template_data).await;
    let rendered_template = rendered.map_err(|error| match error {
        templates::Error::Data => SesError::InvalidRenderingParameter("Template rendering data is invalid".to_owned()),
        other => other.into(),
    })??;
    Ok(TestRenderTemplateResponse { rendered_template })
}

/// Renders a template to a message without sender and recipients: what both APIs' trying out gives.
///
/// # Errors
/// The outer: a template that does not exist, data that is none or lacks something. The inner: a result that is no message.
pub async fn try_out(
    services: &Services,
    caller: &Caller,
    name: &str,
    data: &str,
) -> Result<Result<String, message::Error>, templates::Error> {
    let (templates, account) = (&services.templates, &caller.account);
    let template = templates.prepared(account, &caller.region, name).await?;
    let parts = template.render(templates.compute(), account, Data::of(data)).await??;
    let draft = match draft_of(parts) {
        Ok(draft) => draft,
        Err(error) => return Ok(Err(error)),
    };
    let composed = compose_soon(templates.compute(), account, draft).await?;
    let date = services.clock.now().rfc2822();
    Ok(composed.map(|raw| {
        let raw = String::from_utf8_lossy(&raw);
        // From is the first line: nobody sends this.
        let rest = raw.split_once("\r\n").map_or("", |(_, rest)| rest);
        format!("Date: {date}\r\n{rest}")
    }))
}

fn draft_of(parts: Parts) -> Result<Draft, message::Error> {
    Ok(Draft {
        from: Mailbox::parse("nobody@localhost.localdomain")?,
        to: Vec::new(),
        cc: Vec::new(),
        reply_to: Vec::new(),
        subject: parts.subject.unwrap_or_default(),
        text: parts.text,
        html: parts.html,
        attachments: Vec::new(),
        headers: Vec::new(),
    })
}
