//! The webhook action, one of our own: queues a signed POST of the parsed mail. What is attached goes to the object store
//! and is told by its place there.
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::base::{Arn, EmailAddress, ids};
use crate::mail::message::parts;
use crate::mail::message::parts::{Attached, Text};
use crate::mail::receiving::actions::{Run, s3};
use crate::mail::receiving::handed::Task;
use crate::mail::receiving::notification::{ActionTaken, MailPart, ReceiptPart, told};
use crate::outlets::object::Metadata;
use crate::outlets::objects::key;
use crate::workers::Reason;

/// Octets of a message that is read on the thread that answers others: a fraction of a millisecond.
const READ_HERE_MAX: usize = 128 * 1024;

/// Where the rule says that a mail goes.
#[derive(Clone, Copy, Debug)]
pub struct Hook<'a> {
    /// Where to post.
    pub url: &'a str,
    /// The sealed secret.
    pub secret: &'a str,
    /// Where objects go.
    pub bucket: Option<&'a str>,
    /// What their keys begin with.
    pub prefix: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    notification_type: &'static str,
    mail: MailPart<'a>,
    receipt: ReceiptPart<'a>,
    content: Content,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    text: Option<String>,
    text_truncated: bool,
    html: Option<String>,
    html_truncated: bool,
    attachments: Vec<Attachment>,
    attachments_truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Place>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attachment {
    file_name: Option<String>,
    content_type: String,
    content_id: Option<String>,
    disposition: &'static str,
    size: usize,
    sha256: String,
    #[serde(flatten)]
    place: Option<Place>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    bucket_name: String,
    object_key: String,
}

/// Stores what is attached and queues the POST.
pub async fn run(run: &mut Run<'_>, recipients: &[&EmailAddress], hook: Hook<'_>, topic: Option<&Arn>) {
    let action = ActionTaken::webhook(topic, hook.url);
    let Some(content) = content(run, hook).await else { return };
    let (mail, receipt) = told(run.facts, recipients, &action, run.clock.now());
    match serde_json::to_string(&Payload { notification_type: "Received", mail, receipt, content }) {
        Ok(body) => {
            let id = format!("msg_{}", ids::token(24));
            let (url, secret) = (hook.url.to_owned(), hook.secret.to_owned());
            run.hand(Task::Webhook { url, secret, id, body });
        }
        Err(error) => {
            return run.fail(Reason::Internal, format!("cannot write the webhook's body: {error}"), false);
        }
    }
    if let Some(topic) = topic {
        run.tell(topic, recipients, &action);
    }
}

/// The content as it is told; `None` when an object could not be stored, which is a failure of the run by then.
async fn content(run: &mut Run<'_>, hook: Hook<'_>) -> Option<Content> {
    let raw = run.message();
    let (size, message) = ((raw.len(), READ_HERE_MAX), raw.clone());
    let read = move || {
        let parts = parts::read(&message);
        let digests: Vec<_> = parts.attachments.iter().map(|part| Sha256::digest(&part.data)).collect();
        (parts, digests)
    };
    let (parts, digests) = match run.compute.linear(run.account.as_str(), size, read).await {
        Ok(read) => read,
        Err(error) => {
            run.fail(Reason::Internal, format!("cannot read the message: {error}"), true);
            return None;
        }
    };
    let message = place(run, hook, "message.eml", raw).await?;
    let mut attachments = Vec::with_capacity(parts.attachments.len());
    for (n, (part, digest)) in parts.attachments.into_iter().zip(digests).enumerate() {
        let Attached { name, content_type, content_id, inline, data } = part;
        let size = data.len();
        let place = place(run, hook, &format!("{}", n + 1), data.into()).await?;
        attachments.push(Attachment {
            file_name: name,
            content_type,
            content_id,
            disposition: if inline { "inline" } else { "attachment" },
            size,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            place,
        });
    }
    let split = |text: Option<Text>| text.map_or((None, false), |text| (Some(text.text), text.truncated));
    let ((text, text_truncated), (html, html_truncated)) = (split(parts.text), split(parts.html));
    let attachments_truncated = parts.attachments_truncated;
    Some(Content { text, text_truncated, html, html_truncated, attachments, attachments_truncated, message })
}

/// Stores one object beside the mail's others; `Some(None)` where the rule names no bucket.
async fn place(run: &mut Run<'_>, hook: Hook<'_>, name: &str, data: Bytes) -> Option<Option<Place>> {
    let Some(bucket) = hook.bucket else { return Some(None) };
    // The mail's own key may be an object's: a folder of this name would be in its way.
    let object_key = format!("{}.parts/{name}", key(hook.prefix, &run.facts.message_id));
    match run.put(bucket, &object_key, data, &Metadata::new()).await {
        Ok(()) => Some(Some(Place { bucket_name: bucket.to_owned(), object_key })),
        Err(failure) => {
            s3::failed(run, "webhook", (bucket, &object_key), failure);
            None
        }
    }
}
