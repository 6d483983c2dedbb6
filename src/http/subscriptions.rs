//! The pages behind the links in mails to subscribers: `/confirmation.html` and `/unsubscribe.html`. Opening one asks, pressing
//! its button acts: programs that follow the links of a mail confirm and end nothing.
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::base::Arn;
use crate::topics;
use crate::topics::{By, Topics};

/// The pages. What stands in their addresses is the proof, so nobody signs.
pub fn routes(topics: Topics) -> Router {
    Router::new()
        .route("/confirmation.html", get(ask_to_confirm).post(confirm))
        .route("/unsubscribe.html", get(ask_to_end).post(end))
        .with_state(topics)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Confirmation {
    #[serde(default)]
    topic_arn: String,
    #[serde(default)]
    token: String,
    #[serde(default)]
    endpoint: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ending {
    #[serde(default)]
    subscription_arn: String,
    #[serde(default)]
    endpoint: String,
}

async fn ask_to_confirm(Query(link): Query<Confirmation>) -> Response {
    let text = format!("Subscribe {} to the topic {}?", shown(&link.endpoint), shown(&link.topic_arn));
    page(StatusCode::OK, "Confirm subscription", &text, Some("Confirm subscription"))
}

async fn confirm(State(topics): State<Topics>, Query(link): Query<Confirmation>) -> Response {
    let Ok(topic) = link.topic_arn.parse::<Arn>() else { return not_valid() };
    match topics.confirm(&topic, &link.token, false).await {
        Ok(arn) => {
            let text = format!("{} is subscribed to the topic {}.", shown(&link.endpoint), shown(&link.topic_arn));
            let id = format!("<p>The subscription's id is:<br><code>{}</code></p>", escaped(&arn.to_string()));
            page(StatusCode::OK, "Subscription confirmed", &format!("{text}</p>{id}<p>"), None)
        }
        Err(topics::Error::Token | topics::Error::TopicMissing) => not_valid(),
        Err(error) => failed(&error),
    }
}

async fn ask_to_end(Query(link): Query<Ending>) -> Response {
    let text = format!("End the subscription of {}?", shown(&link.endpoint));
    page(StatusCode::OK, "Unsubscribe", &text, Some("Unsubscribe"))
}

async fn end(State(topics): State<Topics>, Query(link): Query<Ending>) -> Response {
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

/// A part of an address, as it may stand in a page: escaped, and not too long.
fn shown(text: &str) -> String {
    escaped(&text.chars().filter(|c| !c.is_control()).take(400).collect::<String>())
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// A page; `html` is escaped already. The button posts to the page's own address, which holds all that is needed.
fn page(status: StatusCode, title: &str, html: &str, button: Option<&str>) -> Response {
    let button = button.map_or(String::new(), |name| format!("<form method=\"post\"><button>{name}</button></form>"));
    let body = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title>\n<h1>{title}</h1>\n<p>{html}</p>\n{button}</html>\n"
    );
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; form-action 'self'; frame-ancestors 'none'"),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The address of this page holds the token, so it is not passed on or kept.
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_an_address_cannot_become_part_of_the_page() {
        assert_eq!(shown("<script>\"&'\r\n"), "&lt;script&gt;&quot;&amp;&#39;");
        assert!(shown(&"x".repeat(5_000)).len() <= 400);
    }
}
