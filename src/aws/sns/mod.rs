//! Amazon SNS on the wire: Query in, XML out.
mod arn;
mod data_protection;
mod device;
mod error;
mod page;
mod permission;
mod permit;
mod platform;
mod publish;
mod publish_batch;
mod sms;
mod sms_sandbox;
mod subscription;
mod tag;
mod topic;
#[cfg(test)]
mod wire_tests;

use crate::aws::api::Api;
use crate::aws::operation::{Operation, operations};
use crate::aws::protocol::Names;

/// The service on the wire.
pub static API: Api = Api {
    name: "sns",
    signing_names: &["sns"],
    version: "2010-03-31",
    namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
    names: &Names { flat: &[], entries: &[("MessageAttributes", "Name", "Value")] },
    // A batch of 1 MiB whose every byte is percent-encoded, and what stands around it.
    body_max: 4 * 1024 * 1024,
    query_compatible: false,
    empty_detail: false,
    path_member: "",
    // Their token says enough: the links in confirmations and notifications are not signed.
    anonymous: &["ConfirmSubscription", "Unsubscribe"],
    throttled: error::THROTTLED,
    refuse: error::refuse,
    ..Api::PLAIN
};

/// Its operations.
pub static OPERATIONS: &[Operation] = operations! {
    AddPermission => permission::add_permission,
    CheckIfPhoneNumberIsOptedOut => sms::check_if_phone_number_is_opted_out,
    ConfirmSubscription => subscription::confirm_subscription,
    CreatePlatformApplication => platform::create_platform_application,
    CreatePlatformEndpoint => device::create_platform_endpoint,
    CreateSMSSandboxPhoneNumber => sms_sandbox::create_sms_sandbox_phone_number,
    CreateTopic => topic::create_topic,
    DeleteEndpoint => device::delete_endpoint,
    DeletePlatformApplication => platform::delete_platform_application,
    DeleteSMSSandboxPhoneNumber => sms_sandbox::delete_sms_sandbox_phone_number,
    DeleteTopic => topic::delete_topic,
    GetDataProtectionPolicy => data_protection::get_data_protection_policy,
    GetEndpointAttributes => device::get_endpoint_attributes,
    GetPlatformApplicationAttributes => platform::get_platform_application_attributes,
    GetSMSAttributes => sms::get_sms_attributes,
    GetSMSSandboxAccountStatus => sms_sandbox::get_sms_sandbox_account_status,
    GetSubscriptionAttributes => subscription::get_subscription_attributes,
    GetTopicAttributes => topic::get_topic_attributes,
    ListEndpointsByPlatformApplication => device::list_endpoints_by_platform_application,
    ListOriginationNumbers => sms::list_origination_numbers,
    ListPhoneNumbersOptedOut => sms::list_phone_numbers_opted_out,
    ListPlatformApplications => platform::list_platform_applications,
    ListSMSSandboxPhoneNumbers => sms_sandbox::list_sms_sandbox_phone_numbers,
    ListSubscriptions => subscription::list_subscriptions,
    ListSubscriptionsByTopic => subscription::list_subscriptions_by_topic,
    ListTagsForResource => tag::list_tags_for_resource,
    ListTopics => topic::list_topics,
    OptInPhoneNumber => sms::opt_in_phone_number,
    Publish => publish::publish,
    PublishBatch => publish_batch::publish_batch,
    PutDataProtectionPolicy => data_protection::put_data_protection_policy,
    RemovePermission => permission::remove_permission,
    SetEndpointAttributes => device::set_endpoint_attributes,
    SetPlatformApplicationAttributes => platform::set_platform_application_attributes,
    SetSMSAttributes => sms::set_sms_attributes,
    SetSubscriptionAttributes => subscription::set_subscription_attributes,
    SetTopicAttributes => topic::set_topic_attributes,
    Subscribe => subscription::subscribe,
    TagResource => tag::tag_resource,
    Unsubscribe => subscription::unsubscribe,
    UntagResource => tag::untag_resource,
    VerifySMSSandboxPhoneNumber => sms_sandbox::verify_sms_sandbox_phone_number,
};
