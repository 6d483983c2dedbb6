//! The object store at a provider (S3, Google Cloud Storage, Azure): what arrives there, and what a refusal becomes.
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use postrider::base::Secret;
use postrider::config::{self, ObjectStoreKind};
use postrider::outlets::object::ObjectError;
use postrider::outlets::objects::Objects;
use rsa::RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, LineEnding};

type Seen = Arc<Mutex<Vec<(Method, Uri, HeaderMap, Bytes)>>>;

/// An HTTP server that answers every request with `status` and keeps what it saw.
async fn server(status: StatusCode) -> (String, Seen) {
    let seen = Seen::default();
    let kept = seen.clone();
    let answer = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
        kept.lock().expect("seen").push((method, uri, headers, body));
        (status, [("etag", "\"1\"")])
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    (url, seen)
}

async fn s3(status: StatusCode) -> (Objects, Seen) {
    let (url, seen) = server(status).await;
    let settings = config::Objects {
        s3_endpoint: Some(url),
        s3_region: Some("eu-west-1".to_owned()),
        s3_access_key_id: Some("AKEXAMPLE".to_owned()),
        s3_secret_access_key: Some(Secret::new("secret")),
        ..config::Objects::default()
    };
    (store(&settings), seen)
}

fn store(settings: &config::Objects) -> Objects {
    Objects::from_settings(settings, Path::new("unused")).expect("good settings")
}

fn of(kind: ObjectStoreKind) -> config::Objects {
    config::Objects { object_store: Some(kind), ..config::Objects::default() }
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
async fn metadata_goes_along_and_is_signed() {
    let (objects, seen) = s3(StatusCode::OK).await;
    let metadata = vec![("x-amz-iv", "AAAA".to_owned()), ("x-amz-matdesc", "{\"a:b\":\"c\"}".to_owned())];
    objects.put_with("my-mail", "id", Bytes::from("sealed"), &metadata).await.expect("stored");
    let seen = seen.lock().expect("seen");
    let [(_, _, headers, body)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!(headers["x-amz-meta-x-amz-iv"], "AAAA");
    assert_eq!(body.as_ref(), b"sealed");
    assert_eq!(headers["x-amz-meta-x-amz-matdesc"], "{\"a:b\":\"c\"}");
    assert!(headers["authorization"].to_str().expect("text").contains("x-amz-meta-x-amz-iv"));
}

#[tokio::test]
async fn google_takes_an_object_with_its_metadata_and_a_token() {
    let (url, seen) = server(StatusCode::OK).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key.json");
    let key = RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).expect("a key");
    let fields = serde_json::json!({
        "private_key": key.to_pkcs8_pem(LineEnding::LF).expect("PEM").to_string(), "private_key_id": "k1",
        "client_email": "mail@project.iam.example", "gcs_base_url": url,
    });
    std::fs::write(&file, fields.to_string()).expect("written");
    let settings = config::Objects { gcs_service_account: Some(file), ..of(ObjectStoreKind::Gcs) };
    let metadata = vec![("x-amz-iv", "AAAA".to_owned())];
    let objects = store(&settings);
    for text in ["first", "second"] {
        objects.put_with("my-mail", "in/a b/id", Bytes::from(text), &metadata).await.expect("stored");
    }
    let seen = seen.lock().expect("seen");
    let [(method, uri, headers, body), (_, _, again, _)] = seen.as_slice() else { panic!("{seen:?}") };
    let path = percent_encoding::percent_decode_str(uri.path()).decode_utf8_lossy().into_owned();
    assert_eq!((method, path.as_str(), body.as_ref()), (&Method::PUT, "/my-mail/in/a b/id", b"first".as_slice()));
    assert_eq!(headers["x-goog-meta-x-amz-iv"], "AAAA");
    let token = headers["authorization"].to_str().expect("text");
    assert!(token.starts_with("Bearer ey") && token.split('.').count() == 3, "{token}");
    assert_eq!(&again["authorization"], token, "one token for many objects");
}

#[tokio::test]
async fn azure_takes_a_blob_with_its_metadata_signed() {
    let (url, seen) = server(StatusCode::CREATED).await;
    let settings = config::Objects {
        azure_account: Some("letters".to_owned()),
        azure_access_key: Some(Secret::new("c2VjcmV0")),
        azure_endpoint: Some(url),
        ..of(ObjectStoreKind::Azure)
    };
    let metadata = vec![("x-amz-iv", "AAAA".to_owned())];
    let objects = store(&settings);
    objects.put_with("my-mail", "in/a b/id", Bytes::from("the mail"), &metadata).await.expect("stored");
    let refused = objects.put("my.mail", "id", Bytes::new()).await;
    assert!(matches!(refused, Err(ObjectError::Container)));
    let seen = seen.lock().expect("seen");
    let [(method, uri, headers, body)] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((method, uri.path(), body.as_ref()), (&Method::PUT, "/my-mail/in/a%20b/id", b"the mail".as_slice()));
    assert_eq!(headers["x-ms-meta-x_amz_iv"], "AAAA");
    assert_eq!(headers["x-ms-blob-type"], "BlockBlob");
    assert!(headers["authorization"].to_str().expect("text").starts_with("SharedKey letters:"));
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
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key.json");
    std::fs::write(&file, "{}").expect("written");
    let broken = config::Objects { gcs_service_account: Some(file), ..of(ObjectStoreKind::Gcs) };
    let missing = config::Objects { gcs_service_account: Some("/nowhere".into()), ..of(ObjectStoreKind::Gcs) };
    for (settings, said) in [
        (settings, "s3-access-key-id"),
        (of(ObjectStoreKind::S3), "s3-access-key-id"),
        (of(ObjectStoreKind::Azure), "azure-account"),
        (broken, "not the JSON key"),
        (missing, "/nowhere"),
    ] {
        let problem = Objects::from_settings(&settings, Path::new("unused")).expect_err("a problem");
        assert!(problem.contains(said), "{problem}");
    }
}
