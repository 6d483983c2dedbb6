//! Templates for verification mails in the second API, and mails by them.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::protocol::NoMembers;
use crate::aws::services::Services;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::page::{self, VERIFICATION_TEMPLATES};
use crate::aws::sesv2::tags::Tag;
use crate::store::Json;
use crate::store::verification_templates::VerificationTemplate;

/// A template to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateCustomVerificationEmailTemplateRequest {
    template_name: String,
    from_email_address: String,
    template_subject: String,
    template_content: String,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(rename = "SuccessRedirectionURL")]
    success_redirection_url: String,
    #[serde(rename = "FailureRedirectionURL")]
    failure_redirection_url: String,
}

/// Makes a template.
///
/// # Errors
/// One that exists; more than 50; a sender that is not verified; content that cannot be sent.
pub(super) async fn create_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: CreateCustomVerificationEmailTemplateRequest,
) -> Result<NoMembers, SesV2Error> {
    let template = VerificationTemplate {
        name: input.template_name,
        from: input.from_email_address,
        subject: input.template_subject,
        content: input.template_content,
        success_url: input.success_redirection_url,
        failure_url: input.failure_redirection_url,
        tags: Json::of(&Tag::pairs(input.tags)?)?,
    };
    services.identities.create_template(&caller.account, &caller.region, template).await?;
    Ok(NoMembers {})
}

/// A template to change.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateCustomVerificationEmailTemplateRequest {
    template_name: String,
    from_email_address: String,
    template_subject: String,
    template_content: String,
    #[serde(rename = "SuccessRedirectionURL")]
    success_redirection_url: String,
    #[serde(rename = "FailureRedirectionURL")]
    failure_redirection_url: String,
}

/// Changes a template; its tags stay.
///
/// # Errors
/// One that does not exist; a sender that is not verified; content that cannot be sent.
pub(super) async fn update_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: UpdateCustomVerificationEmailTemplateRequest,
) -> Result<NoMembers, SesV2Error> {
    let name = input.template_name;
    let change = move |template: VerificationTemplate| VerificationTemplate {
        from: input.from_email_address,
        subject: input.template_subject,
        content: input.template_content,
        success_url: input.success_redirection_url,
        failure_url: input.failure_redirection_url,
        ..template
    };
    services.identities.update_template(&caller.account, &caller.region, &name, change).await?;
    Ok(NoMembers {})
}

/// A template by its name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CustomVerificationEmailTemplateRequest {
    template_name: String,
}

/// A template.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetCustomVerificationEmailTemplateResponse {
    template_name: String,
    from_email_address: String,
    template_subject: String,
    template_content: String,
    tags: Vec<Tag>,
    #[serde(rename = "SuccessRedirectionURL")]
    success_redirection_url: String,
    #[serde(rename = "FailureRedirectionURL")]
    failure_redirection_url: String,
}

/// Tells a template.
///
/// # Errors
/// One that does not exist.
pub(super) async fn get_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: CustomVerificationEmailTemplateRequest,
) -> Result<GetCustomVerificationEmailTemplateResponse, SesV2Error> {
    let found = services.identities.template(&caller.account, &caller.region, &input.template_name).await?;
    Ok(GetCustomVerificationEmailTemplateResponse {
        template_name: found.name,
        from_email_address: found.from,
        template_subject: found.subject,
        template_content: found.content,
        tags: Tag::list(found.tags.read()?),
        success_redirection_url: found.success_url,
        failure_redirection_url: found.failure_url,
    })
}

/// Removes a template.
///
/// # Errors
/// One that does not exist.
pub(super) async fn delete_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: CustomVerificationEmailTemplateRequest,
) -> Result<NoMembers, SesV2Error> {
    services.identities.delete_template(&caller.account, &caller.region, &input.template_name).await?;
    Ok(NoMembers {})
}

/// Which page of templates.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListCustomVerificationEmailTemplatesRequest {
    next_token: Option<String>,
    page_size: Option<i32>,
}

/// A template in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CustomVerificationEmailTemplateMetadata {
    template_name: String,
    from_email_address: String,
    template_subject: String,
    #[serde(rename = "SuccessRedirectionURL")]
    success_redirection_url: String,
    #[serde(rename = "FailureRedirectionURL")]
    failure_redirection_url: String,
}

/// A page of templates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListCustomVerificationEmailTemplatesResponse {
    custom_verification_email_templates: Vec<CustomVerificationEmailTemplateMetadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's templates in the order of names.
///
/// # Errors
/// A token or page size that cannot be.
pub(super) async fn list_custom_verification_email_templates(
    services: &Services,
    caller: &Caller,
    input: ListCustomVerificationEmailTemplatesRequest,
) -> Result<ListCustomVerificationEmailTemplatesResponse, SesV2Error> {
    let asked = page::read(&VERIFICATION_TEMPLATES, input.next_token.as_deref(), input.page_size)?;
    let (account, region) = (&caller.account, &caller.region);
    let list = services.identities.templates(account, region, &asked.after, asked.limit()).await?;
    let metadata = |template: VerificationTemplate| CustomVerificationEmailTemplateMetadata {
        template_name: template.name,
        from_email_address: template.from,
        template_subject: template.subject,
        success_redirection_url: template.success_url,
        failure_redirection_url: template.failure_url,
    };
    let page = asked.cut(list, |template| &template.name).map(metadata);
    let (custom_verification_email_templates, next_token) = paging::shown(page);
    Ok(ListCustomVerificationEmailTemplatesResponse { custom_verification_email_templates, next_token })
}
