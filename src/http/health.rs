//! `GET /_postrider/health`: whether the server takes work.
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use crate::http::routes;

/// Zero is a server that starts.
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// Whether the server takes work. Cheap to clone; clones say the same.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<AtomicU8>);

impl Health {
    /// Says that the store is open and every listener bound.
    pub fn ready(&self) {
        self.0.store(READY, Ordering::Release);
    }

    /// Says that the server is about to stop: a load balancer should look elsewhere.
    pub fn stopping(&self) {
        self.0.store(STOPPING, Ordering::Release);
    }

    pub(super) fn router(&self) -> Router {
        let health = self.clone();
        Router::new().route("/_postrider/health", get(move || async move { health.page() }))
    }

    fn page(&self) -> Response {
        let (status, word) = match self.0.load(Ordering::Acquire) {
            READY => (200, "ok"),
            STOPPING => (503, "stopping"),
            _ => (503, "starting"),
        };
        routes::json(status, &json!({ "status": word, "version": env!("CARGO_PKG_VERSION") }))
    }
}
