//! Amazon SES, the second API (2019-09-27), on REST-JSON.
mod account;
mod configuration_set_options;
mod configuration_sets;
mod custom_verification;
mod dkim;
pub mod error;
mod event_destinations;
mod feedback;
mod filter;
mod identities;
mod identity_error;
mod identity_policies;
mod import_jobs;
mod lacking;
mod mail_from;
mod message_parts;
mod page;
mod sending;
mod suppression;
pub mod tags;
mod templated;
mod templates;
#[cfg(test)]
mod tests;

use crate::aws::api::Api;
use crate::aws::operation::{Operation, operations};
use crate::aws::ses::custom_verification::send_custom_verification_email;

/// The service on the wire.
pub static API: Api = Api {
    name: "sesv2",
    signing_names: &["ses", "email"],
    // 40 MB of message in base64.
    body_max: 56 * 1024 * 1024,
    throttled: error::THROTTLED,
    refuse: error::refuse,
    ..Api::PLAIN
};

// Lists have two routes: older SDKs GET, newer ones POST.
/// Its operations.
pub static OPERATIONS: &[Operation] = operations! {
    SendEmail [POST "/v2/email/outbound-emails"] => sending::send_email,
    GetAccount [GET "/v2/email/account"] => account::get_account,
    CreateEmailIdentity [POST "/v2/email/identities"] => identities::create_email_identity,
    GetEmailIdentity [GET "/v2/email/identities/{EmailIdentity}"] => identities::get_email_identity,
    ListEmailIdentities [GET "/v2/email/identities", POST "/v2/email/list-identities"]
        => identities::list_email_identities,
    DeleteEmailIdentity [DELETE "/v2/email/identities/{EmailIdentity}"] => identities::delete_email_identity,
    PutEmailIdentityConfigurationSetAttributes [PUT "/v2/email/identities/{EmailIdentity}/configuration-set"]
        => identities::put_email_identity_configuration_set_attributes,
    PutEmailIdentityDkimAttributes [PUT "/v2/email/identities/{EmailIdentity}/dkim"]
        => dkim::put_email_identity_dkim_attributes,
    PutEmailIdentityDkimSigningAttributes [PUT "/v2/email/identities/{EmailIdentity}/dkim/signing"]
        => dkim::put_email_identity_dkim_signing_attributes,
    PutEmailIdentityMailFromAttributes [PUT "/v2/email/identities/{EmailIdentity}/mail-from"]
        => mail_from::put_email_identity_mail_from_attributes,
    CreateEmailIdentityPolicy [POST "/v2/email/identities/{EmailIdentity}/policies/{PolicyName}"]
        => identity_policies::create_email_identity_policy,
    UpdateEmailIdentityPolicy [PUT "/v2/email/identities/{EmailIdentity}/policies/{PolicyName}"]
        => identity_policies::update_email_identity_policy,
    DeleteEmailIdentityPolicy [DELETE "/v2/email/identities/{EmailIdentity}/policies/{PolicyName}"]
        => identity_policies::delete_email_identity_policy,
    GetEmailIdentityPolicies [GET "/v2/email/identities/{EmailIdentity}/policies"]
        => identity_policies::get_email_identity_policies,
    CreateCustomVerificationEmailTemplate [POST "/v2/email/custom-verification-email-templates"]
        => custom_verification::create_custom_verification_email_template,
    UpdateCustomVerificationEmailTemplate [PUT "/v2/email/custom-verification-email-templates/{TemplateName}"]
        => custom_verification::update_custom_verification_email_template,
    GetCustomVerificationEmailTemplate [GET "/v2/email/custom-verification-email-templates/{TemplateName}"]
        => custom_verification::get_custom_verification_email_template,
    DeleteCustomVerificationEmailTemplate [DELETE "/v2/email/custom-verification-email-templates/{TemplateName}"]
        => custom_verification::delete_custom_verification_email_template,
    ListCustomVerificationEmailTemplates [GET "/v2/email/custom-verification-email-templates"]
        => custom_verification::list_custom_verification_email_templates,
    SendCustomVerificationEmail [POST "/v2/email/outbound-custom-verification-emails"]
        => send_custom_verification_email::<error::SesV2Error>,
    TagResource [POST "/v2/email/tags"] => tags::tag_resource,
    UntagResource [DELETE "/v2/email/tags"] => tags::untag_resource,
    ListTagsForResource [GET "/v2/email/tags"] => tags::list_tags_for_resource,
    CreateConfigurationSet [POST "/v2/email/configuration-sets"] => configuration_sets::create_configuration_set,
    GetConfigurationSet [GET "/v2/email/configuration-sets/{ConfigurationSetName}"]
        => configuration_sets::get_configuration_set,
    ListConfigurationSets [GET "/v2/email/configuration-sets", POST "/v2/email/list-configuration-sets"]
        => configuration_sets::list_configuration_sets,
    DeleteConfigurationSet [DELETE "/v2/email/configuration-sets/{ConfigurationSetName}"]
        => configuration_sets::delete_configuration_set,
    CreateConfigurationSetEventDestination
        [POST "/v2/email/configuration-sets/{ConfigurationSetName}/event-destinations"]
        => event_destinations::create_configuration_set_event_destination,
    GetConfigurationSetEventDestinations
        [GET "/v2/email/configuration-sets/{ConfigurationSetName}/event-destinations"]
        => event_destinations::get_configuration_set_event_destinations,
    DeleteConfigurationSetEventDestination
        [DELETE "/v2/email/configuration-sets/{ConfigurationSetName}/event-destinations/{EventDestinationName}"]
        => event_destinations::delete_configuration_set_event_destination,
    PutConfigurationSetSendingOptions [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/sending"]
        => configuration_set_options::put_configuration_set_sending_options,
    PutConfigurationSetDeliveryOptions [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/delivery-options"]
        => configuration_set_options::put_configuration_set_delivery_options,
    PutConfigurationSetReputationOptions [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/reputation-options"]
        => configuration_set_options::put_configuration_set_reputation_options,
    PutConfigurationSetSuppressionOptions [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/suppression-options"]
        => configuration_set_options::put_configuration_set_suppression_options,
    PutConfigurationSetTrackingOptions [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/tracking-options"]
        => configuration_set_options::put_configuration_set_tracking_options,
    PutConfigurationSetArchivingOptions [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/archiving-options"]
        => configuration_set_options::put_configuration_set_archiving_options,
    PutConfigurationSetVdmOptions [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/vdm-options"]
        => configuration_set_options::put_configuration_set_vdm_options,
    UpdateConfigurationSetEventDestination
        [PUT "/v2/email/configuration-sets/{ConfigurationSetName}/event-destinations/{EventDestinationName}"]
        => event_destinations::update_configuration_set_event_destination,
    SendBulkEmail [POST "/v2/email/outbound-bulk-emails"] => templated::send_bulk_email,
    CreateEmailTemplate [POST "/v2/email/templates"] => templates::create_email_template,
    GetEmailTemplate [GET "/v2/email/templates/{TemplateName}"] => templates::get_email_template,
    UpdateEmailTemplate [PUT "/v2/email/templates/{TemplateName}"] => templates::update_email_template,
    DeleteEmailTemplate [DELETE "/v2/email/templates/{TemplateName}"] => templates::delete_email_template,
    ListEmailTemplates [GET "/v2/email/templates"] => templates::list_email_templates,
    TestRenderEmailTemplate [POST "/v2/email/templates/{TemplateName}/render"]
        => templates::test_render_email_template,
    PutEmailIdentityFeedbackAttributes [PUT "/v2/email/identities/{EmailIdentity}/feedback"]
        => feedback::put_email_identity_feedback_attributes,
    PutAccountDetails [POST "/v2/email/account/details"] => account::put_account_details,
    PutAccountSendingAttributes [PUT "/v2/email/account/sending"] => account::put_account_sending_attributes,
    PutSuppressedDestination [PUT "/v2/email/suppression/addresses"] => suppression::put_suppressed_destination,
    GetSuppressedDestination [GET "/v2/email/suppression/addresses/{EmailAddress}"]
        => suppression::get_suppressed_destination,
    ListSuppressedDestinations [GET "/v2/email/suppression/addresses"] => suppression::list_suppressed_destinations,
    DeleteSuppressedDestination [DELETE "/v2/email/suppression/addresses/{EmailAddress}"]
        => suppression::delete_suppressed_destination,
    CreateImportJob [POST "/v2/email/import-jobs"] => import_jobs::create_import_job,
    GetImportJob [GET "/v2/email/import-jobs/{JobId}"] => import_jobs::get_import_job,
    ListImportJobs [GET "/v2/email/import-jobs", POST "/v2/email/import-jobs/list"] => import_jobs::list_import_jobs,
    PutAccountSuppressionAttributes [PUT "/v2/email/account/suppression"]
        => suppression::put_account_suppression_attributes,
};
