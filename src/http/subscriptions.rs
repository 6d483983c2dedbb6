//! The pages behind the links in mails to subscribers: `/confirmation.html` and `/unsubscribe.html`. Opening one asks, pressing
//! its button acts: programs that follow the links of a mail confirm and end nothing.
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;

use crate::base::Arn;
use crate::http::page::{escaped, page, page_of, shown};
use crate::topics;
use crate::topics::{Authenticated, By, Topics};

/// The pages. What stands in their addresses is the proof, so nobody signs.
pub fn routes(topics: Topics) -> Router {
    Router::new()
        .route("/confirmation.html", get(ask_to_confirm).post(confirm))
        .route("/unsubscribe.html", get(ask_to_end).post(end))
        .with_state(topics)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfirmationLink {
    #[serde(default)]
    topic_arn: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    endpoint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EndingLink {
    #[serde(default)]
    subscription_arn: String,
    #[serde(default)]
    endpoint: String,
}

async fn ask_to_confirm(Query(link): Query<ConfirmationLink>) -> Response {
    let text = format!("Subscribe {} to the topic {}?", shown(&link.endpoint), shown(&link.topic_arn));
    page(StatusCode::OK, "Confirm subscription", &text, Some("Confirm subscription"))
}

async fn confirm(State(topics): State<Topics>, Query(link): Query<ConfirmationLink>) -> Response {
    let Ok(topic) = link.topic_arn.parse::<Arn>() else { return not_valid() };
    match topics.confirm(&topic, &link.token, Authenticated::No).await {
        Ok(arn) => {
            let text = format!("{} is subscribed to the topic {}.", shown(&link.endpoint), shown(&link.topic_arn));
            let id = format!("<p>The subscription's id is:<br><code>{}</code></p>", escaped(&arn.to_string()));
            page_of(StatusCode::OK, "Subscription confirmed", &format!("<p>{text}</p>{id}"))
        }
        Err(topics::Error::Token | topics::Error::TopicMissing) => not_valid(),
        Err(topics::Error::Large(why)) => {
            page(StatusCode::CONFLICT, "Not confirmed", &format!("It cannot be confirmed: {why}."), None)
        }
        Err(error) => failed(&error),
    }
}

async fn ask_to_end(Query(link): Query<EndingLink>) -> Response {
    let text = format!("End the subscription of {}?", shown(&link.endpoint));
    page(StatusCode::OK, "Unsubscribe", &text, Some("Unsubscribe"))
}

async fn end(State(topics): State<Topics>, Query(link): Query<EndingLink>) -> Response {
    let Ok(subscription) = link.subscription_arn.parse::<Arn>() else { return not_valid() };
    match topics.unsubscribe(&subscription, By::Link, None).await {
        Ok(()) => {
            let text = format!("The subscription of {} has ended.", shown(&link.endpoint));
            page(StatusCode::OK, "Unsubscribed", &text, None)
        }
        Err(topics::Error::UnsubscribeNeedsOwner) => {
            page(StatusCode::FORBIDDEN, "Not unsubscribed", "Only the owner of this subscription may end it.", None)
        }
        Err(error) => failed(&error),
    }
}

fn not_valid() -> Response {
    page(StatusCode::NOT_FOUND, "Not valid", "This link is not valid, or not any more.", None)
}

fn failed(error: &topics::Error) -> Response {
    tracing::error!(%error, "a subscription cannot be changed");
    page(StatusCode::INTERNAL_SERVER_ERROR, "Error", "This did not work. Please try again later.", None)
}
