//! Templates for verification mails in the second API, and mails by them.
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::custom_verification::to_verify;
use crate::aws::sesv2::error::SesV2Error;
use crate::aws::sesv2::page::{Page, VERIFICATION_TEMPLATES};
use crate::aws::sesv2::tags::Tag;
use crate::mail::identity;
use crate::mail::sending::{Grants, Submission};
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

/// No members: Create, Update and DeleteCustomVerificationEmailTemplate.
#[derive(Debug, Serialize)]
pub(super) struct CustomVerificationEmailTemplateResponse {}

/// Makes a template.
///
/// # Errors
/// One that exists; more than 50; a sender that is not verified; content that cannot be sent.
pub(super) async fn create_custom_verification_email_template(
    services: &Services,
    caller: &Caller,
    input: CreateCustomVerificationEmailTemplateRequest,
) -> Result<CustomVerificationEmailTemplateResponse, SesV2Error> {
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
    Ok(CustomVerificationEmailTemplateResponse {})
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
) -> Result<CustomVerificationEmailTemplateResponse, SesV2Error> {
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
    Ok(CustomVerificationEmailTemplateResponse {})
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
) -> Result<CustomVerificationEmailTemplateResponse, SesV2Error> {
    services.identities.delete_template(&caller.account, &caller.region, &input.template_name).await?;
    Ok(CustomVerificationEmailTemplateResponse {})
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
    let page = Page::of(&VERIFICATION_TEMPLATES, input.next_token.as_deref(), input.page_size)?;
    let (account, region) = (&caller.account, &caller.region);
    let mut list = services.identities.templates(account, region, &page.after, page.limit()).await?;
    let next_token = page.cut(&mut list, |template| &template.name);
    let metadata = |template: VerificationTemplate| CustomVerificationEmailTemplateMetadata {
        template_name: template.name,
        from_email_address: template.from,
        template_subject: template.subject,
        success_redirection_url: template.success_url,
        failure_redirection_url: template.failure_url,
    };
    let custom_verification_email_templates = list.into_iter().map(metadata).collect();
    Ok(ListCustomVerificationEmailTemplatesResponse { custom_verification_email_templates, next_token })
}

/// Whom to ask, and by which template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendCustomVerificationEmailRequest {
    email_address: String,
    template_name: String,
    configuration_set_name: Option<String>,
}

/// The id of the mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendCustomVerificationEmailResponse {
    message_id: String,
}

/// Makes an address an identity of the account's and mails it a link by a template.
///
/// # Errors
/// A template that does not exist; an account in the sandbox; those of
/// [`Sending::accept`](crate::mail::sending::Sending::accept).
pub(super) async fn send_custom_verification_email(
    services: &Services,
    caller: &Caller,
    input: SendCustomVerificationEmailRequest,
) -> Result<SendCustomVerificationEmailResponse, SesV2Error> {
    let address = to_verify(&input.email_address).map_err(SesV2Error::BadRequest)?;
    let (account, region) = (&caller.account, &caller.region);
    // SES guide: only for accounts out of the sandbox.
    if !services.sending.quota(account, region).await?.account.production_access {
        return Err(SesV2Error::BadRequest("Production access not granted.".to_owned()));
    }
    let invited = services.identities.invite(account, region, &address, &input.template_name).await;
    // This operation names the template so.
    let invitation = invited.map_err(|error| match error {
        identity::Error::TemplateMissing(name) => SesV2Error::NotFound(format!("Template <{name}> does not exist")),
        other => other.into(),
    })?;
    let submission = Submission {
        account: account.clone(),
        region: region.clone(),
        caller: caller.access_key.clone(),
        source_ip: Some(caller.source_ip),
        source: invitation.source,
        recipients: vec![address],
        raw: Bytes::from(invitation.raw),
        configuration_set: input.configuration_set_name,
        tags: Vec::new(),
        return_path: None,
        grants: Grants { action: "ses:SendCustomVerificationEmail", ..Grants::default() },
    };
    Ok(SendCustomVerificationEmailResponse { message_id: services.sending.accept(submission).await? })
}
