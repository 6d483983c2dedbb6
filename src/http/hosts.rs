//! By which names a server without credentials may be called. A page of a stranger can have its own name lead to this machine and
//! then read all that is here (DNS rebinding); its requests name the stranger's host.
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};

/// Ends of names that a page of a stranger cannot stand under: they are for private use (RFC 2606, RFC 6761, RFC 6762, RFC 8375,
/// ICANN's `internal`, Kubernetes' `svc`), or they are AWS's and LocalStack's own, which programs name as they are.
const NOBODYS: &[&str] = &[
    "localhost",
    "test",
    "example",
    "invalid",
    "local",
    "internal",
    "svc",
    "home.arpa",
    "amazonaws.com",
    "amazonaws.com.cn",
    "localhost.localstack.cloud",
];

/// The names. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<HashSet<String>>);

impl Hosts {
    /// Those that cannot be a stranger's, and these: names, or URLs of which the host counts.
    pub fn new(own: impl IntoIterator<Item = String>) -> Self {
        let host = |text: String| {
            let uri = text.parse::<Uri>().ok();
            let host = uri.as_ref().and_then(Uri::host).unwrap_or(&text);
            host.to_ascii_lowercase()
        };
        Self(Arc::new(own.into_iter().map(host).collect()))
    }

    /// Whether a request with these headers may be answered. One without a host is no browser's.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(HOST) else { return true };
        host.to_str().is_ok_and(|host| self.allows(host))
    }

    fn allows(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => name,
            _ => host,
        };
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let ip = name.trim_start_matches('[').trim_end_matches(']');
        ip.parse::<IpAddr>().is_ok()
            || !name.contains('.')
            || self.0.contains(&name)
            || NOBODYS
                .iter()
                .any(|end| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    }

    /// What all others get.
    pub(super) fn refusal() -> Response {
        let text = "This server does not know itself by the host that the request names. --allow-hosts NAME lets it through.\n";
        let mut response = Response::new(Body::from(text));
        *response.status_mut() = StatusCode::MISDIRECTED_REQUEST;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_stranger_can_have_are_refused() {
        let hosts = Hosts::new(["https://mail.shop.dev:8443/x".to_owned(), "Mx.Shop.dev".to_owned()]);
        for host in [
            "127.0.0.1:4566",
            "localhost:4566",
            "postrider:4566",
            "[::1]:4566",
            "::1",
            "sqs.us-east-1.amazonaws.com",
            "sqs.us-east-1.localhost.localstack.cloud:4566",
            "host.docker.internal",
            "MAIL.SHOP.DEV:8443",
            "mx.shop.dev.",
        ] {
            assert!(hosts.allows(host), "{host}");
        }
        for host in
            ["evil.example.com", "evilamazonaws.com", "mail.shop.dev.evil.com", "127.0.0.1.nip.io:4566", "x.dev"]
        {
            assert!(!hosts.allows(host), "{host}");
        }
    }
}
