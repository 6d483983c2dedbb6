//! The object store on an S3 endpoint: what arrives there, and what a refusal becomes.
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use postrider::base::Secret;
use postrider::config;
use postrider::outlets::objects::{ObjectError, Objects};

type Seen = Arc<Mutex<Vec<(Method, Uri, HeaderMap, Bytes)>>>;

/// An HTTP server that answers every request with `status` and keeps what it saw.
async fn s3(status: StatusCode) -> (Objects, Seen) {
    let seen = Seen::default();
    let kept = seen.clone();
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        kept.lock().expect("seen").push((method, uri, headers, body));
        (status, [("etag", "\"1\"")])
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let settings = config::Objects {
        s3_endpoint: Some(url),
        s3_region: Some("eu-west-1".to_owned()),
        s3_access_key_id: Some("AKEXAMPLE".to_owned()),
        s3_secret_access_key: Some(Secret::new("secret")),
    };
    (Objects::from_settings(&settings, std::path::Path::new("unused")).expect("good settings"), seen)
}

#[tokio::test]
async fn an_object_is_put_signed_and_under_its_own_name() {
    let (objects, seen) = s3(StatusCode::OK).await;
    objects.put("my-mail", "in/a b/id", Bytes::from("the mail")).await.expect("stored");
    let seen = seen.lock().expect("seen");
    let [(method, uri, headers, body)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((method, uri.path(), body.as_ref()), (&Method::PUT, "/my-mail/in/a%20b/id", b"the mail".as_slice()));
    let signature = headers["authorization"].to_str().expect("text");
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=AKEXAMPLE/"), "{signature}");
    assert!(signature.contains("/eu-west-1/s3/aws4_request"), "{signature}");
}

#[tokio::test]
async fn a_refusal_is_an_error_and_a_bad_name_never_leaves() {
    let (objects, seen) = s3(StatusCode::FORBIDDEN).await;
    assert!(matches!(objects.put("my-mail", "id", Bytes::new()).await, Err(ObjectError::Remote(_))));
    assert_eq!(seen.lock().expect("seen").len(), 1);
    assert!(matches!(objects.put("My_Mail", "id", Bytes::new()).await, Err(ObjectError::Bucket)));
    assert!(matches!(objects.put("my-mail", "../id", Bytes::new()).await, Err(ObjectError::Key)));
    assert_eq!(seen.lock().expect("seen").len(), 1);
}

#[test]
fn an_endpoint_without_keys_is_refused_at_the_start() {
    let settings = config::Objects { s3_endpoint: Some("https://s3.example".to_owned()), ..config::Objects::default() };
    assert!(Objects::from_settings(&settings, std::path::Path::new("unused")).is_err());
}
