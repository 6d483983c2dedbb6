//! Amazon SES, the first API (2010-12-01), on the Query protocol.
pub mod account;
mod configuration_set_error;
mod configuration_sets;
pub mod constraint;
pub mod custom_verification;
pub mod dimensions;
mod dkim;
pub mod error;
mod event_destinations;
pub mod identities;
mod identity_error;
mod identity_names;
mod identity_policies;
mod mail_from;
pub mod notifications;
mod page;
mod receipt_actions;
mod receipt_error;
mod receipt_filters;
mod receipt_members;
pub mod receipt_own_actions;
mod receipt_rule_sets;
mod receipt_rules;
mod send_bounce;
pub mod sending;
mod templated;
mod templates;
pub mod texts;

pub use receipt_rules::{rule_from_json, rule_to_json};

use crate::aws::api::Api;
use crate::aws::operation::{Operation, operations};

/// The service on the wire.
pub static API: Api = Api {
    name: "ses",
    // Older programs sign with the host's prefix.
    signing_names: &["ses", "email"],
    version: "2010-12-01",
    namespace: "http://ses.amazonaws.com/doc/2010-12-01/",
    // 10 MB of message in base64, percent-encoded.
    body_max: 48 * 1024 * 1024,
    throttled: error::THROTTLED,
    refuse: error::refuse,
    ..Api::PLAIN
};

/// Its operations.
pub static OPERATIONS: &[Operation] = operations! {
    SendEmail => sending::send_email,
    SendRawEmail => sending::send_raw_email,
    VerifyEmailIdentity => identities::verify_email_identity,
    ListIdentities => identities::list_identities,
    GetIdentityVerificationAttributes => identities::get_identity_verification_attributes,
    DeleteIdentity => identities::delete_identity,
    VerifyDomainIdentity => identities::verify_domain_identity,
    VerifyEmailAddress => identities::verify_email_address,
    ListVerifiedEmailAddresses => identities::list_verified_email_addresses,
    DeleteVerifiedEmailAddress => identities::delete_verified_email_address,
    VerifyDomainDkim => dkim::verify_domain_dkim,
    SetIdentityDkimEnabled => dkim::set_identity_dkim_enabled,
    GetIdentityDkimAttributes => dkim::get_identity_dkim_attributes,
    SetIdentityMailFromDomain => mail_from::set_identity_mail_from_domain,
    GetIdentityMailFromDomainAttributes => mail_from::get_identity_mail_from_domain_attributes,
    PutIdentityPolicy => identity_policies::put_identity_policy,
    GetIdentityPolicies => identity_policies::get_identity_policies,
    ListIdentityPolicies => identity_policies::list_identity_policies,
    DeleteIdentityPolicy => identity_policies::delete_identity_policy,
    CreateCustomVerificationEmailTemplate => custom_verification::create_custom_verification_email_template,
    UpdateCustomVerificationEmailTemplate => custom_verification::update_custom_verification_email_template,
    GetCustomVerificationEmailTemplate => custom_verification::get_custom_verification_email_template,
    DeleteCustomVerificationEmailTemplate => custom_verification::delete_custom_verification_email_template,
    ListCustomVerificationEmailTemplates => custom_verification::list_custom_verification_email_templates,
    SendCustomVerificationEmail => custom_verification::send_custom_verification_email::<error::SesError>,
    GetSendQuota => account::get_send_quota,
    SendBounce => send_bounce::send_bounce,
    SendTemplatedEmail => templated::send_templated_email,
    SendBulkTemplatedEmail => templated::send_bulk_templated_email,
    CreateTemplate => templates::create_template,
    UpdateTemplate => templates::update_template,
    GetTemplate => templates::get_template,
    DeleteTemplate => templates::delete_template,
    ListTemplates => templates::list_templates,
    TestRenderTemplate => templates::test_render_template,
    GetSendStatistics => account::get_send_statistics,
    GetAccountSendingEnabled => account::get_account_sending_enabled,
    UpdateAccountSendingEnabled => account::update_account_sending_enabled,
    CreateConfigurationSet => configuration_sets::create_configuration_set,
    DescribeConfigurationSet => configuration_sets::describe_configuration_set,
    ListConfigurationSets => configuration_sets::list_configuration_sets,
    DeleteConfigurationSet => configuration_sets::delete_configuration_set,
    PutConfigurationSetDeliveryOptions => configuration_sets::put_configuration_set_delivery_options,
    UpdateConfigurationSetReputationMetricsEnabled => configuration_sets::update_configuration_set_reputation_metrics_enabled,
    UpdateConfigurationSetSendingEnabled => configuration_sets::update_configuration_set_sending_enabled,
    CreateConfigurationSetEventDestination => event_destinations::create_configuration_set_event_destination,
    UpdateConfigurationSetEventDestination => event_destinations::update_configuration_set_event_destination,
    DeleteConfigurationSetEventDestination => event_destinations::delete_configuration_set_event_destination,
    SetIdentityNotificationTopic => notifications::set_identity_notification_topic,
    SetIdentityHeadersInNotificationsEnabled => notifications::set_identity_headers_in_notifications_enabled,
    SetIdentityFeedbackForwardingEnabled => notifications::set_identity_feedback_forwarding_enabled,
    GetIdentityNotificationAttributes => notifications::get_identity_notification_attributes,
    CreateReceiptRuleSet => receipt_rule_sets::create_receipt_rule_set,
    CloneReceiptRuleSet => receipt_rule_sets::clone_receipt_rule_set,
    DescribeReceiptRuleSet => receipt_rule_sets::describe_receipt_rule_set,
    DescribeActiveReceiptRuleSet => receipt_rule_sets::describe_active_receipt_rule_set,
    ListReceiptRuleSets => receipt_rule_sets::list_receipt_rule_sets,
    DeleteReceiptRuleSet => receipt_rule_sets::delete_receipt_rule_set,
    SetActiveReceiptRuleSet => receipt_rule_sets::set_active_receipt_rule_set,
    ReorderReceiptRuleSet => receipt_rule_sets::reorder_receipt_rule_set,
    CreateReceiptRule => receipt_rules::create_receipt_rule,
    UpdateReceiptRule => receipt_rules::update_receipt_rule,
    DescribeReceiptRule => receipt_rules::describe_receipt_rule,
    DeleteReceiptRule => receipt_rules::delete_receipt_rule,
    CreateReceiptFilter => receipt_filters::create_receipt_filter,
    ListReceiptFilters => receipt_filters::list_receipt_filters,
    DeleteReceiptFilter => receipt_filters::delete_receipt_filter,
    SetReceiptRulePosition => receipt_rules::set_receipt_rule_position,
};
