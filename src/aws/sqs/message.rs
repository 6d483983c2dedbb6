//! SendMessage.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aws::caller::Caller;
use crate::aws::protocol::AnyText;
use crate::aws::services::Services;
use crate::aws::sqs::attribute::{self, MessageAttributeValue};
use crate::aws::sqs::error::SqsError;
use crate::aws::sqs::permit::permitted;
use crate::queues::Outgoing;

/// See SendMessage in the SQS API reference.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageRequest {
    queue_url: String,
    message_body: AnyText,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: BTreeMap<String, MessageAttributeValue>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, MessageAttributeValue>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

/// See SendMessage.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageResult {
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_system_attributes: Option<String>,
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// What one message to send says, alone or in a batch.
pub(super) struct Given {
    pub body: String,
    pub delay: Option<i64>,
    pub attributes: BTreeMap<String, MessageAttributeValue>,
    pub system_attributes: BTreeMap<String, MessageAttributeValue>,
    pub deduplication_id: Option<String>,
    pub group_id: Option<String>,
}

impl Given {
    /// The MD5 of the system attributes that are given, which the client compares.
    pub(super) fn system_md5(&self) -> Option<String> {
        attribute::system_md5(&self.system_attributes)
    }

    /// The message for the core.
    pub(super) fn outgoing(self, caller: &Caller) -> Result<Outgoing, SqsError> {
        Ok(Outgoing {
            body: self.body,
            delay: self.delay,
            attributes: attribute::read(self.attributes)?,
            // What is given for the message itself wins over the header of the call.
            trace_header: attribute::trace_header(self.system_attributes)?.or_else(|| caller.trace_header.clone()),
            group_id: self.group_id,
            deduplication_id: self.deduplication_id,
            sender: Some(caller.account.to_string()),
        })
    }
}

/// Sends a message; it is durable when this returns.
///
/// # Errors
/// QueueDoesNotExist, InvalidMessageContents, InvalidParameterValue, MissingParameter.
pub(super) async fn send_message(
    services: &Services,
    caller: &Caller,
    input: SendMessageRequest,
) -> Result<SendMessageResult, SqsError> {
    let (scope, name) = permitted(services, caller, &input.queue_url, "SendMessage").await?;
    let given = Given {
        body: input.message_body.0,
        delay: input.delay_seconds,
        attributes: input.message_attributes,
        system_attributes: input.message_system_attributes,
        deduplication_id: input.message_deduplication_id,
        group_id: input.message_group_id,
    };
    let md5_of_message_system_attributes = given.system_md5();
    let outgoing = given.outgoing(caller)?;
    let sent = services.queues.send_one(&scope, &name, outgoing).await?;
    Ok(SendMessageResult {
        md5_of_message_body: sent.body_md5,
        md5_of_message_attributes: sent.attributes_md5,
        md5_of_message_system_attributes,
        message_id: sent.message_id,
        sequence_number: sent.sequence_number,
    })
}
