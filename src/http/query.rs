//! The parameters of a page's address, read strictly: one that the page does not know would else be taken for one that was not given.
use axum::extract::{FromRequestParts, Query};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::http::json::json;

/// What a caller asked for. `T` denies unknown fields, so that an unknown parameter is refused by its name, with 400 and JSON.
pub(super) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(refused) => {
                let text = refused.body_text().replace("Failed to deserialize query string: ", "");
                Err(json(400, &json!({ "error": format!("the query cannot be read: {text}") })).into_response())
            }
        }
    }
}

/// The parameters of a page that has none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// An address, phone number or ARN as it was meant: none has a space, but a `+` that was not escaped is read as one.
pub(super) fn with_plus(text: &str) -> String {
    text.replace(' ', "+")
}
