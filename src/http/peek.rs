//! `GET /_aws/sqs/messages?QueueUrl=…`: what waits in a queue, as LocalStack shows it in JSON, for a developer's machine.
//! Nobody signs here, so it is mounted in `dev` only.
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::base::{Memory, Region, Scope};
use crate::http::json::json;
use crate::http::peer::Peer;
use crate::http::query::Parameters;
use crate::http::room;
use crate::queues::message_attributes::{AttributeValue, body_md5};
use crate::queues::{Error, Queues, Received};

/// How many messages are shown at the most.
const SHOWN_MAX: u32 = 1_000;
/// And how many octets of them, unless the first has more.
const OCTETS_MAX: u64 = 8 * 1024 * 1024;
/// How many times a message is in memory while it is shown.
const COPIES: u64 = 8;

/// The page. Mount it only where anybody may read every queue. What it shows takes its room of `memory`.
pub fn routes(queues: Queues, memory: Memory) -> Router {
    Router::new().route("/_aws/sqs/messages", get(messages)).with_state((queues, memory))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PeekQuery {
    #[serde(rename = "QueueUrl", default)]
    queue_url: String,
}

async fn messages(
    State((queues, memory)): State<(Queues, Memory)>,
    peer: Option<Extension<Peer>>,
    Parameters(wanted): Parameters<PeekQuery>,
) -> Response {
    let Some((scope, name)) = find(&wanted.queue_url) else {
        return json(400, &json!({ "error": "QueueUrl must end with ACCOUNT/NAME" }));
    };
    let octets = OCTETS_MAX.min(memory.total() / 4 / COPIES);
    let charge = match room::take(&memory, peer.as_ref().map(|Extension(peer)| peer), octets * COPIES) {
        Ok(charge) => charge,
        Err(full) => return full.into_response(),
    };
    match queues.peek(&scope, &name, (SHOWN_MAX, octets)).await {
        Ok(messages) => {
            let shown: Vec<Value> = messages.iter().map(show).collect();
            let result = json!({ "ReceiveMessageResult": { "Message": shown } });
            let page = json!({ "ReceiveMessageResponse": result }).to_string();
            ([(CONTENT_TYPE, "application/json")], room::send(page.into_bytes(), charge)).into_response()
        }
        Err(Error::QueueMissing(name)) => json(404, &json!({ "error": format!("no queue {name}") })),
        Err(error) => {
            tracing::error!(%error, "a queue cannot be shown");
            json(500, &json!({ "error": "the queue cannot be shown" }))
        }
    }
}

/// Account, region and name from the end of a queue's URL: `ACCOUNT/NAME` or `queue/REGION/ACCOUNT/NAME`.
fn find(url: &str) -> Option<(Scope, String)> {
    let mut parts = url.trim_end_matches('/').rsplit('/');
    let (name, account) = (parts.next()?, parts.next()?.parse().ok()?);
    let region = match (parts.next(), parts.next()) {
        (Some(region), Some("queue")) => region.parse().ok()?,
        _ => Region::default_region(),
    };
    Some((Scope { account, region }, name.to_owned()))
}

fn show(message: &Received) -> Value {
    let attributes: Map<String, Value> = message
        .attributes
        .iter()
        .map(|(name, attribute)| {
            let value = match &attribute.value {
                AttributeValue::Text(text) => json!({ "DataType": attribute.data_type, "StringValue": text }),
                AttributeValue::Binary(bytes) => json!({ "DataType": attribute.data_type, "Bytes": bytes.len() }),
            };
            (name.clone(), value)
        })
        .collect();
    json!({
        "MessageId": message.message_id,
        "MD5OfBody": body_md5(&message.body),
        "Body": message.body,
        "Attributes": {
            "SenderId": message.sender,
            "SentTimestamp": message.sent_at.millis().to_string(),
            "ApproximateReceiveCount": message.receive_count.to_string(),
        },
        "MessageAttributes": attributes,
    })
}
