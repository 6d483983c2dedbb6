//! Amazon SNS on the wire: Query in, XML out.
mod arn;
mod error;
mod permission;
mod permit;
mod publish;
mod publish_batch;
mod subscription;
mod tag;
mod topic;
#[cfg(test)]
mod wire_tests;

use crate::aws::operation::{Operation, operations};
use crate::aws::protocol::Names;
use crate::aws::service::Api;

/// The service on the wire.
pub static API: Api = Api {
    name: "sns",
    signing_names: &["sns"],
    version: "2010-03-31",
    namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
    names: &Names { flat: &[], entries: &[("MessageAttributes", "Name", "Value")] },
    // A batch of 256 KiB whose every byte is percent-encoded, and what stands around it.
    body_max: 1024 * 1024,
    query_compatible: false,
    empty_detail: false,
    path_member: "",
    // Their token says enough: the links in confirmations and notifications are not signed.
    anonymous: &["ConfirmSubscription", "Unsubscribe"],
    operations: OPERATIONS,
    refuse: error::refuse,
    ..Api::PLAIN
};

static OPERATIONS: &[Operation] = operations! {
    AddPermission => permission::add_permission,
    ConfirmSubscription => subscription::confirm_subscription,
    CreateTopic => topic::create_topic,
    DeleteTopic => topic::delete_topic,
    GetSubscriptionAttributes => subscription::get_subscription_attributes,
    GetTopicAttributes => topic::get_topic_attributes,
    ListSubscriptions => subscription::list_subscriptions,
    ListSubscriptionsByTopic => subscription::list_subscriptions_by_topic,
    ListTagsForResource => tag::list_tags_for_resource,
    ListTopics => topic::list_topics,
    Publish => publish::publish,
    PublishBatch => publish_batch::publish_batch,
    RemovePermission => permission::remove_permission,
    SetSubscriptionAttributes => subscription::set_subscription_attributes,
    SetTopicAttributes => topic::set_topic_attributes,
    Subscribe => subscription::subscribe,
    TagResource => tag::tag_resource,
    Unsubscribe => subscription::unsubscribe,
    UntagResource => tag::untag_resource,
};
