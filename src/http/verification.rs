//! The link in a verification mail: `GET /_postrider/verify?token=…`.
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::mail::identity::{Identities, Opened};

/// The page that the link opens. The token in it is the proof, so nobody signs.
pub fn routes(identities: Identities) -> Router {
    Router::new().route("/_postrider/verify", get(verify)).with_state(identities)
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn verify(State(identities): State<Identities>, Query(link): Query<Link>) -> Response {
    let (status, text) = match identities.confirm(&link.token).await {
        Ok(Opened { redirect: Some(url), .. }) => return away(&url),
        Ok(Opened { verified: Some(address), .. }) => (StatusCode::OK, format!("Thank you. {address} is verified.\n")),
        Ok(_) => (
            StatusCode::NOT_FOUND,
            "This link is not valid any more. Ask for a new one: make the identity again.\n".to_owned(),
        ),
        Err(error) => {
            tracing::error!(%error, "cannot verify an address");
            (StatusCode::INTERNAL_SERVER_ERROR, "This did not work. Please try again later.\n".to_owned())
        }
    };
    // Plain text: nothing of it can run. The address of this page holds the token, so it is not passed on or kept.
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text).into_response()
}

/// Sends the browser to a page of the account's. Its address was checked when the template was made.
fn away(url: &str) -> Response {
    let headers = [(LOCATION, url), (REFERRER_POLICY, "no-referrer"), (CACHE_CONTROL, "no-store")];
    (StatusCode::FOUND, headers).into_response()
}
