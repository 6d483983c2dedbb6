//! HTTP clients for places that the operator's settings name: no check of addresses, no redirects, bounded answers.
use std::error::Error as _;
use std::path::Path;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response};

/// Why a client could not be made, in one line for the operator.
#[derive(Debug, thiserror::Error)]
#[error("http client: {0}")]
pub struct ClientError(pub String);

/// A client that trusts the public authorities and `authorities`, and follows no redirect.
///
/// # Errors
/// When the client cannot be made.
pub fn plain(authorities: &[Certificate]) -> Result<Client, ClientError> {
    let mut builder = Client::builder().no_proxy().redirect(Policy::none()).referer(false);
    for authority in authorities {
        builder = builder.add_root_certificate(authority.clone());
    }
    builder.build().map_err(|why| ClientError(causes(&why)))
}

/// The authorities in a PEM file.
///
/// # Errors
/// When it cannot be read, or holds no certificate.
pub fn authorities(file: Option<&Path>) -> Result<Vec<Certificate>, ClientError> {
    let Some(path) = file else { return Ok(vec![]) };
    let wrong = |why: String| ClientError(format!("webhook-ca {}: {why}", path.display()));
    let pem = std::fs::read(path).map_err(|why| wrong(why.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|why| wrong(causes(&why)))?;
    if found.is_empty() { Err(wrong("no certificate in it".to_owned())) } else { Ok(found) }
}

/// Reads at most `max` bytes of an answer, and says whether that was all of it. What came before the other side broke off
/// counts, but not as all.
pub async fn first_bytes(mut answer: Response, max: usize) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return (bytes, true),
            Err(_) => return (bytes, false),
        }
        if bytes.len() > max {
            bytes.truncate(max);
            return (bytes, false);
        }
    }
}

/// What failed, with what was behind it. Without the URL, which may hold a password.
pub fn reason(error: reqwest::Error) -> String {
    causes(&error.without_url())
}

fn causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        below = cause.source();
    }
    text
}
