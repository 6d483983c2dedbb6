//! The page behind the link in a verification mail, `/_postrider/verify?token=…`. Opening it asks, pressing its button
//! verifies: programs that follow the links of a mail verify nothing.
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use reqwest::Url;
use serde::Deserialize;

use crate::http::page::{page, page_to, shown};
use crate::mail::identity::{Error, Identities, Looked, Opened};

/// The page that the link opens. The token in it is the proof, so nobody signs.
pub fn routes(identities: Identities) -> Router {
    Router::new().route("/_postrider/verify", get(ask).post(verify)).with_state(identities)
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    token: String,
}

async fn ask(State(identities): State<Identities>, Query(link): Query<Link>) -> Response {
    match identities.open(&link.token).await {
        Ok(Looked::Holds(asking)) => {
            let text = format!(
                "Somebody asked to send mail from {}, with the account {} in {}. If that was you, confirm it. If not, \
                 close this page: nothing happens then.",
                shown(&asking.address),
                asking.account,
                asking.region
            );
            // Where the answer leads to, by the account's template.
            let url = |text: &String| text.parse::<Url>().ok().map(|url| url.origin().ascii_serialization());
            let origins: Vec<String> = asking.redirects.iter().filter_map(url).collect();
            page_to(StatusCode::OK, "Verify address", &text, Some("Verify this address"), &origins)
        }
        Ok(Looked::Leads(url)) => away(&url),
        Ok(Looked::Void) => not_valid(),
        Err(error) => failed(&error),
    }
}

async fn verify(State(identities): State<Identities>, Query(link): Query<Link>) -> Response {
    match identities.confirm(&link.token).await {
        Ok(Opened { redirect: Some(url), .. }) => away(&url),
        Ok(Opened { verified: Some(address), .. }) => {
            page(StatusCode::OK, "Address verified", &format!("Thank you. {} is verified.", shown(&address)), None)
        }
        Ok(_) => not_valid(),
        Err(error) => failed(&error),
    }
}

fn not_valid() -> Response {
    let text = "This link is not valid any more. Ask for a new one: make the identity again.";
    page(StatusCode::NOT_FOUND, "Not valid", text, None)
}

fn failed(error: &Error) -> Response {
    tracing::error!(%error, "cannot verify an address");
    page(StatusCode::INTERNAL_SERVER_ERROR, "Error", "This did not work. Please try again later.", None)
}

/// Sends the browser to a page of the account's, which it gets by GET. Its address was checked when the template was made.
fn away(url: &str) -> Response {
    let headers = [(LOCATION, url), (REFERRER_POLICY, "no-referrer"), (CACHE_CONTROL, "no-store")];
    (StatusCode::SEE_OTHER, headers).into_response()
}
