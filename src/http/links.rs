//! What links in SNS messages lead to: the certificate that verifies their signatures, for whoever has the link.
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::topics::Topics;

/// The page of each signing certificate, `/SimpleNotificationService-<id>.pem`. It is public, as on AWS. (The links that
/// confirm and end subscriptions are operations of the AWS endpoint that need no signature.)
pub fn routes(topics: Topics) -> Router {
    Router::new().route("/SimpleNotificationService-{file}", get(certificate)).with_state(topics)
}

async fn certificate(State(topics): State<Topics>, Path(file): Path<String>) -> Response {
    let id = file.strip_suffix(".pem").filter(|id| (1..=64).contains(&id.len()));
    let Some(id) = id.filter(|id| id.bytes().all(|b| b.is_ascii_alphanumeric())) else { return missing() };
    match topics.signer().certificate(id).await {
        Ok(Some(pem)) => {
            let kind = (CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"));
            // An id names one certificate for ever.
            let keep = (CACHE_CONTROL, HeaderValue::from_static("public, max-age=86400"));
            ([kind, keep], pem).into_response()
        }
        Ok(None) => missing(),
        Err(error) => {
            tracing::error!(%error, "a certificate cannot be read");
            (StatusCode::INTERNAL_SERVER_ERROR, "internal error\n").into_response()
        }
    }
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, "no such certificate\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AccountId, Clock, Region};
    use crate::queues::Queues;
    use crate::store::{Database, Store};
    use crate::topics::{Attributes, NewTopic};
    use axum::body::to_bytes;
    use axum::extract::Request;
    use hyper::service::Service;
    use hyper_util::service::TowerToHyperService;

    async fn get(topics: &Topics, path: &str) -> (StatusCode, String) {
        let request = Request::builder().uri(path).body(axum::body::Body::empty()).expect("a request");
        let response = TowerToHyperService::new(routes(topics.clone())).call(request).await.expect("an answer");
        let status = response.status();
        let body = to_bytes(axum::body::Body::new(response.into_body()), 65_536).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn the_certificate_is_public_and_nothing_else_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Clock::system();
        let database = Database::Sqlite(dir.path().join("test.db"));
        let store = Store::open(&database, clock.clone()).await.expect("a store");
        let queues = Queues::new(store.clone(), clock.clone());
        let topics = Topics::new(store, clock, queues, None, "http://localhost");
        let new = NewTopic {
            account: AccountId::development(),
            region: Region::default_region(),
            name: "t".to_owned(),
            attributes: Attributes::new(),
            tags: Attributes::new(),
        };
        topics.create(new).await.expect("a topic, and with it a key");
        let key = topics.signer().key().await.expect("the key");
        let (status, pem) = get(&topics, &key.url("")).await;
        assert_eq!((status, pem.as_str()), (StatusCode::OK, key.certificate()));
        for path in [
            "/SimpleNotificationService-0.pem",
            "/SimpleNotificationService-.pem",
            "/SimpleNotificationService-%00.pem",
            "/SimpleNotificationService-..%2Fx.pem",
        ] {
            assert_eq!(get(&topics, path).await.0, StatusCode::NOT_FOUND, "{path}");
        }
    }
}
