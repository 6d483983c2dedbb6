//! A request as it came over HTTP, and what can be read from it before anything is verified.
use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderMap;

use crate::base::LongWait;

/// A request as it came, body included.
#[derive(Clone, Debug)]
pub struct Request {
    /// The HTTP method, in capitals.
    pub method: String,
    /// The path as it came, percent-encoded.
    pub path: String,
    /// The query string as it came, without its `?`; empty for none.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, already within the service's limit.
    pub body: Bytes,
    /// SHA-256 of the body, where it was reckoned while the body came.
    pub body_hash: Option<[u8; 32]>,
    /// Who is at the other end of the connection.
    pub peer: IpAddr,
    /// Where its connection hears that it waits for seconds.
    pub long_wait: LongWait,
    /// Our id for it.
    pub id: String,
}

const FORM: &str = "application/x-www-form-urlencoded";

impl Request {
    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether it says that its body is a form: then it is one of the Query protocol.
    pub fn is_form(&self) -> bool {
        let kind = self.header("content-type").unwrap_or_default().trim_start();
        kind.get(..FORM.len()).is_some_and(|start| start.eq_ignore_ascii_case(FORM))
    }

    /// `X-Amz-Target`, where it counts: a form names its operation itself, whatever else its sender puts into the head, as a
    /// client of SQS for Perl does.
    pub fn json_target(&self) -> Option<&str> {
        self.header("x-amz-target").filter(|_| !self.is_form())
    }

    /// A parameter of the query string, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        parameter_in(&self.query, name)
    }

    /// The parts of the credential scope, from the `Authorization` header or a presigned query string: access key,
    /// date, region, service. Nothing of it is verified.
    pub fn scope(&self) -> Option<[String; 4]> {
        scope_in(self.header("authorization"), &self.query)
    }

    /// The service that the credential scope names.
    pub fn scope_service(&self) -> Option<&'static str> {
        let [_, _, _, service] = self.scope()?;
        ["sqs", "sns", "ses", "email", "sts"].into_iter().find(|known| *known == service)
    }

    /// Scheme and host as the caller named them. A host that is not one (it would go into URLs) is `localhost`.
    pub fn endpoint(&self) -> String {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
        let host = self.header("host").filter(|host| host.len() <= 255 && !host.is_empty() && host.chars().all(good));
        let scheme = match self.header("x-forwarded-proto") {
            Some("https") => "https",
            _ => "http",
        };
        format!("{scheme}://{}", host.unwrap_or("localhost"))
    }
}

fn parameter_in(query: &str, name: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
}

/// The parts of the credential scope in an `Authorization` header, or where there is none in a presigned query string: access
/// key, date, region, service. Nothing of it is verified.
pub fn scope_in(authorization: Option<&str>, query: &str) -> Option<[String; 4]> {
    let credential = match authorization {
        Some(header) => header.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned(),
        None => parameter_in(query, "X-Amz-Credential")?,
    };
    // An access key holds no slash, so the scope is what stands after the first.
    let mut parts = credential.splitn(5, '/').map(str::to_owned);
    Some([parts.next()?, parts.next()?, parts.next()?, parts.next()?])
}

/// Makes requests for the unit tests of this floor.
#[cfg(test)]
pub(crate) mod sample {
    use super::*;

    pub(crate) fn request(method: &str, target: &str, headers: &[(&'static str, &str)], body: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = headers.iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).expect("a header"))
        });
        Request {
            method: method.into(),
            path: path.into(),
            query: query.into(),
            headers: headers.collect(),
            body: Bytes::from(body.to_owned()),
            body_hash: None,
            peer: IpAddr::from([127, 0, 0, 1]),
            long_wait: LongWait::default(),
            id: "id-1".into(),
        }
    }

    pub(crate) const STS: &str =
        "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";
}

#[cfg(test)]
mod tests {
    use super::sample::{STS, request};

    #[test]
    fn the_scope_is_read_from_header_and_query_string_and_the_host_is_checked() {
        let header = request("POST", "/", &[("authorization", STS), ("host", "mail.example:4566")], "");
        assert_eq!(header.scope().map(|[key, ..]| key), Some("AK".into()));
        assert_eq!(header.endpoint(), "http://mail.example:4566");
        let query = request("GET", "/?X-Amz-Credential=AK%2F20260102%2Feu-west-1%2Fsqs%2Faws4_request", &[], "");
        assert_eq!(
            (query.scope_service(), query.scope().map(|s| s[2].clone())),
            (Some("sqs"), Some("eu-west-1".into()))
        );
        assert_eq!(request("GET", "/", &[("host", "a/b<")], "").endpoint(), "http://localhost");
    }
}
