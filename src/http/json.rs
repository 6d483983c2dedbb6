//! Replies of JSON.
use axum::body::Body;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// A JSON page.
pub fn json(status: u16, page: &impl Serialize) -> Response {
    let (status, body) = match serde_json::to_vec(page) {
        Ok(body) => (StatusCode::from_u16(status).unwrap_or_default(), body),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, b"{}".to_vec()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
