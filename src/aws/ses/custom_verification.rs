//! Templates for verification mails in the first API, and mails by them.
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::paging;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::aws::ses::page::{self, VERIFICATION_TEMPLATES};
use crate::mail::identity;
use crate::mail::sending::InvitationError;
use crate::store::verification_templates::VerificationTemplate;
use crate::store::{Json, Pairs};

/// A template to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateCustomVerificationEmailTemplateRequest {
    template_name: String,
    from_email_address: String,
    template_subject: String,
    template_content: String,
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
) -> Result<(), SesError> {
    let template = VerificationTemplate {
        name: input.template_name,
        from: input.from_email_address,
        subject: input.template_subject,
        content: input.template_content,
        success_url: input.success_redirection_url,
        failure_url: input.failure_redirection_url,
        tags: Json::of(&Pairs::new())?,
    };
    services.identities.create_template(&caller.account, &caller.region, template).await?;
    Ok(())
}

/// A template to change; what is absent stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateCustomVerificationEmailTemplateRequest {
    template_name: String,
    from_email_address: Option<String>,
    template_subject: Option<String>,
    template_content: Option<String>,
    #[serde(rename = "SuccessRedirectionURL")]
    success_redirection_url: Option<String>,
    #[serde(rename = "FailureRedirectionURL")]
    failure_redirection_url: Option<String>,
}

/// Changes a template.
///
/// # Errors
/// One that does not exist; a sender that is not verified; content that cannot be sent.
pub(super) async fn update_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: UpdateCustomVerificationEmailTemplateRequest,
) -> Result<(), SesError> {
    let name = input.template_name;
    let change = move |template: VerificationTemplate| VerificationTemplate {
        from: input.from_email_address.unwrap_or(template.from),
        subject: input.template_subject.unwrap_or(template.subject),
        content: input.template_content.unwrap_or(template.content),
        success_url: input.success_redirection_url.unwrap_or(template.success_url),
        failure_url: input.failure_redirection_url.unwrap_or(template.failure_url),
        ..template
    };
    services.identities.update_template(&caller.account, &caller.region, &name, change).await?;
    Ok(())
}

/// A template by its name.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CustomVerificationEmailTemplateRequest {
    template_name: String,
}

/// A template; in a list it has no content.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CustomVerificationEmailTemplate {
    template_name: String,
    from_email_address: String,
    template_subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    template_content: Option<String>,
    #[serde(rename = "SuccessRedirectionURL")]
    success_redirection_url: String,
    #[serde(rename = "FailureRedirectionURL")]
    failure_redirection_url: String,
}

fn shown(template: VerificationTemplate, whole: bool) -> CustomVerificationEmailTemplate {
    CustomVerificationEmailTemplate {
        template_name: template.name,
        from_email_address: template.from,
        template_subject: template.subject,
        template_content: whole.then_some(template.content),
        success_redirection_url: template.success_url,
        failure_redirection_url: template.failure_url,
    }
}

/// Tells a template.
///
/// # Errors
/// One that does not exist.
pub(super) async fn get_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: CustomVerificationEmailTemplateRequest,
) -> Result<CustomVerificationEmailTemplate, SesError> {
    let found = services.identities.template(&caller.account, &caller.region, &input.template_name).await?;
    Ok(shown(found, true))
}

/// Removes a template; one that is not there is gone already.
///
/// # Errors
/// When the store fails.
pub(super) async fn delete_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: CustomVerificationEmailTemplateRequest,
) -> Result<(), SesError> {
    match services.identities.delete_template(&caller.account, &caller.region, &input.template_name).await {
        Ok(()) | Err(identity::Error::TemplateMissing(_)) => Ok(()),
        Err(other) => Err(other.into()),
    }
}

/// Which page of templates.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListCustomVerificationEmailTemplatesRequest {
    next_token: Option<String>,
    max_results: Option<i32>,
}

/// A page of templates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListCustomVerificationEmailTemplatesResponse {
    custom_verification_email_templates: Vec<CustomVerificationEmailTemplate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's templates in the order of names.
///
/// # Errors
/// A token that is none.
pub(super) async fn list_custom_verification_email_templates(
    services: &Services,
    caller: &Caller,
    input: ListCustomVerificationEmailTemplatesRequest,
) -> Result<ListCustomVerificationEmailTemplatesResponse, SesError> {
    let asked = page::read(&VERIFICATION_TEMPLATES, input.next_token.as_deref(), input.max_results)?;
    let (account, region) = (&caller.account, &caller.region);
    let list = services.identities.templates(account, region, &asked.after, asked.limit()).await?;
    let page = asked.cut(list, |template| &template.name).map(|template| shown(template, false));
    let (custom_verification_email_templates, next_token) = paging::shown(page);
    Ok(ListCustomVerificationEmailTemplatesResponse { custom_verification_email_templates, next_token })
}

/// Whom to ask, and by which template. Both APIs have this structure.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendCustomVerificationEmailRequest {
    email_address: String,
    template_name: String,
    configuration_set_name: Option<String>,
}

/// The id of the mail. Both APIs have this structure.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendCustomVerificationEmailResponse {
    message_id: String,
}

/// Makes an address an identity of the account's and mails it a link by a template. Both APIs have this operation, each with errors of
/// its own.
///
/// # Errors
/// A template that does not exist; an account in the sandbox; those of
/// [`Sending::accept`](crate::mail::sending::Sending::accept).
pub async fn send_custom_verification_email<E: From<InvitationError>>(
    services: &Services,
    caller: &Caller,
    input: SendCustomVerificationEmailRequest,
) -> Result<SendCustomVerificationEmailResponse, E> {
    let asked = (input.email_address.as_str(), input.template_name.as_str());
    let (identities, set) = (&services.identities, input.configuration_set_name);
    let message_id = services.sending.invite(identities, &caller.sender(), asked, set).await?;
    Ok(SendCustomVerificationEmailResponse { message_id })
}
