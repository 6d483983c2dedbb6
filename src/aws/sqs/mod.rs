//! Amazon SQS on the wire: AWS JSON 1.0 and Query, over the queues core.
mod address;
mod attribute;
mod batch;
mod dead_letter;
mod error;
mod message;
mod permission;
mod permit;
mod queue;
mod receive;
mod tag;

use crate::aws::api::Api;
use crate::aws::operation::{Operation, operations};
use crate::aws::protocol::Names;

/// The service on the wire.
pub static API: Api = Api {
    name: "sqs",
    signing_names: &["sqs"],
    version: "2012-11-05",
    target: "AmazonSQS",
    namespace: "http://queue.amazonaws.com/doc/2012-11-05/",
    json_namespace: "com.amazonaws.sqs",
    names: &NAMES,
    // A batch is at most 1 MiB of bodies; JSON escapes and form encoding can make it six times as long.
    body_max: 10 * 1024 * 1024,
    query_compatible: true,
    empty_detail: true,
    path_member: "QueueUrl",
    not_at_a_path: &["CreateQueue", "ListQueues"],
    throttled: error::THROTTLED,
    refuse: error::refuse,
    ..Api::PLAIN
};

/// Its operations.
pub static OPERATIONS: &[Operation] = operations! {
    AddPermission => permission::add_permission,
    CancelMessageMoveTask => dead_letter::cancel_message_move_task,
    ChangeMessageVisibility => receive::change_message_visibility,
    ChangeMessageVisibilityBatch => batch::change_message_visibility_batch,
    CreateQueue => queue::create_queue,
    DeleteMessage => receive::delete_message,
    DeleteMessageBatch => batch::delete_message_batch,
    DeleteQueue => queue::delete_queue,
    GetQueueAttributes => queue::get_queue_attributes,
    GetQueueUrl => queue::get_queue_url,
    ListDeadLetterSourceQueues => dead_letter::list_dead_letter_source_queues,
    ListMessageMoveTasks => dead_letter::list_message_move_tasks,
    ListQueueTags => tag::list_queue_tags,
    ListQueues => queue::list_queues,
    PurgeQueue => queue::purge_queue,
    ReceiveMessage => receive::receive_message,
    RemovePermission => permission::remove_permission,
    SendMessage => message::send_message,
    SendMessageBatch => batch::send_message_batch,
    SetQueueAttributes => queue::set_queue_attributes,
    StartMessageMoveTask => dead_letter::start_message_move_task,
    TagQueue => tag::tag_queue,
    UntagQueue => tag::untag_queue,
};

/// SQS flattens all its lists and maps (SQS service model before JSON, `locationName`).
static NAMES: Names = Names {
    flat: &[
        ("SendMessageBatchRequest", "Entries", "SendMessageBatchRequestEntry"),
        ("DeleteMessageBatchRequest", "Entries", "DeleteMessageBatchRequestEntry"),
        ("ChangeMessageVisibilityBatchRequest", "Entries", "ChangeMessageVisibilityBatchRequestEntry"),
        ("SendMessageBatchResult", "Successful", "SendMessageBatchResultEntry"),
        ("DeleteMessageBatchResult", "Successful", "DeleteMessageBatchResultEntry"),
        ("ChangeMessageVisibilityBatchResult", "Successful", "ChangeMessageVisibilityBatchResultEntry"),
        ("*", "AWSAccountIds", "AWSAccountId"),
        ("*", "Actions", "ActionName"),
        ("*", "Failed", "BatchResultErrorEntry"),
        ("*", "Messages", "Message"),
        ("*", "QueueUrls", "QueueUrl"),
        ("*", "queueUrls", "QueueUrl"),
        ("*", "Results", "ListMessageMoveTasksResultEntry"),
        ("*", "Attributes", "Attribute"),
        ("*", "AttributeNames", "AttributeName"),
        ("*", "MessageAttributes", "MessageAttribute"),
        ("*", "MessageAttributeNames", "MessageAttributeName"),
        ("*", "MessageSystemAttributes", "MessageSystemAttribute"),
        ("*", "MessageSystemAttributeNames", "MessageSystemAttributeName"),
        ("*", "StringListValues", "StringListValue"),
        ("*", "BinaryListValues", "BinaryListValue"),
        ("*", "tags", "Tag"),
        ("*", "Tags", "Tag"),
        ("*", "TagKeys", "TagKey"),
    ],
    entries: &[
        ("Attribute", "Name", "Value"),
        ("MessageAttribute", "Name", "Value"),
        ("MessageSystemAttribute", "Name", "Value"),
        ("Tag", "Key", "Value"),
    ],
};
