//! The attempts to deliver to a subscriber, for a developer's machine: `/_postrider/deliveries?to=…` as JSON.
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::query::{Parameters, with_plus};
use crate::store::publications::Attempt;
use crate::topics::Topics;

/// How many attempts the page shows.
const SHOWN: u32 = 100;

/// The page. Mount it only where anybody may see it.
pub fn routes(topics: Topics) -> Router {
    Router::new().route("/_postrider/deliveries", get(list)).with_state(topics)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeliveriesQuery {
    /// A subscription's ARN, a phone number, or the ARN of a device's endpoint.
    #[serde(default)]
    to: String,
}

async fn list(State(topics): State<Topics>, Parameters(wanted): Parameters<DeliveriesQuery>) -> Response {
    match topics.deliveries(&with_plus(&wanted.to), SHOWN).await {
        Ok(attempts) => {
            let body = attempts.iter().map(shown).collect::<Value>().to_string();
            ([(CONTENT_TYPE, "application/json"), (X_CONTENT_TYPE_OPTIONS, "nosniff")], body).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "attempts cannot be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()
        }
    }
}

fn shown(attempt: &Attempt) -> Value {
    json!({
        "messageId": attempt.message_id,
        "attempt": attempt.attempt,
        "at": attempt.at.iso_millis(),
        "status": attempt.status,
        "latencyMillis": attempt.latency_micros / 1_000,
        "outcome": attempt.outcome,
        "answer": attempt.answer,
    })
}
