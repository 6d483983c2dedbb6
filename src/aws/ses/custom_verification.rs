//! Templates for verification mails in the first API, and mails by them.
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::services::Services;
use crate::aws::ses::error::SesError;
use crate::aws::ses::page::{Page, VERIFICATION_TEMPLATES};
use crate::base::EmailAddress;
use crate::mail::identity;
use crate::mail::message::Mailbox;
use crate::mail::sending::{Grants, Submission};
use crate::store::verification_templates::VerificationTemplate;
use crate::store::{Json, Pairs};

/// A template to make.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateCustomVerificationEmailTemplateRequest {
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
pub async fn create_custom_verification_email_template(
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
pub struct UpdateCustomVerificationEmailTemplateRequest {
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
pub async fn update_custom_verification_email_template(
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
pub struct CustomVerificationEmailTemplateRequest {
    template_name: String,
}

/// A template; in a list it has no content.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CustomVerificationEmailTemplate {
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
pub async fn get_custom_verification_email_template(
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
pub async fn delete_custom_verification_email_template(
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
pub struct ListCustomVerificationEmailTemplatesRequest {
    next_token: Option<String>,
    max_results: Option<i32>,
}

/// A page of templates.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListCustomVerificationEmailTemplatesResponse {
    custom_verification_email_templates: Vec<CustomVerificationEmailTemplate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// Lists the account's templates in the order of names.
///
/// # Errors
/// A token that is none.
pub async fn list_custom_verification_email_templates(
    services: &Services,
    caller: &Caller,
    input: ListCustomVerificationEmailTemplatesRequest,
) -> Result<ListCustomVerificationEmailTemplatesResponse, SesError> {
    let page = Page::read(&VERIFICATION_TEMPLATES, input.next_token.as_deref(), input.max_results)?;
    let (account, region) = (&caller.account, &caller.region);
    let mut list = services.identities.templates(account, region, &page.after, page.limit()).await?;
    let next_token = page.cut(&mut list, |template| &template.name);
    let custom_verification_email_templates = list.into_iter().map(|template| shown(template, false)).collect();
    Ok(ListCustomVerificationEmailTemplatesResponse { custom_verification_email_templates, next_token })
}

/// Whom to ask, and by which template.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendCustomVerificationEmailRequest {
    email_address: String,
    template_name: String,
    configuration_set_name: Option<String>,
}

/// The id of the mail.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SendCustomVerificationEmailResponse {
    message_id: String,
}

/// The address that a mail by a template shall verify; both APIs have the texts.
///
/// # Errors
/// The text for what is none.
pub fn to_verify(text: &str) -> Result<EmailAddress, String> {
    if text.trim().is_empty() {
        return Err("Email address not specified.".to_owned());
    }
    let shown = || text.chars().take(320).collect::<String>();
    Mailbox::parse(text).map(|mailbox| mailbox.address).map_err(|_| format!("Invalid email address<{}>.", shown()))
}

/// Makes an address an identity of the account's and mails it a link by a template.
///
/// # Errors
/// A template that does not exist; an account in the sandbox; those of
/// [`Sending::accept`](crate::mail::sending::Sending::accept).
pub async fn send_custom_verification_email(
    services: &Services,
    caller: &Caller,
    input: SendCustomVerificationEmailRequest,
) -> Result<SendCustomVerificationEmailResponse, SesError> {
    let address = to_verify(&input.email_address).map_err(SesError::InvalidParameterValue)?;
    let (account, region) = (&caller.account, &caller.region);
    if !services.sending.quota(account, region).await?.account.production_access {
        return Err(SesError::Coded("ProductionAccessNotGranted", "Production access not granted.".to_owned()));
    }
    let invited = services.identities.invite(account, region, &address, &input.template_name).await;
    // This operation names the template so.
    let invitation = invited.map_err(|error| match error {
        identity::Error::TemplateMissing(name) => {
            let text = format!("Template <{name}> does not exist");
            SesError::Coded("CustomVerificationEmailTemplateDoesNotExist", text)
        }
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
