//! Results and failures as the replies of each protocol.
use serde::Serialize;

use crate::aws::api::{Api, Protocol};
use crate::aws::error::{ErrorShape, Failure};
use crate::aws::protocol::{json_encode, query_json, xml};

/// A reply without what HTTP itself adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Headers: content type, error type.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
    /// The failure behind an error reply, for the log.
    pub failure: Option<Failure>,
}

impl Reply {
    /// A reply without anything.
    pub fn empty() -> Self {
        Self { status: 200, headers: Vec::new(), body: String::new(), failure: None }
    }
}

/// Who asks and how, as far as a reply's form depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    /// The service; `None` where the request did not get as far as one.
    pub api: Option<&'static Api>,
    /// The protocol.
    pub protocol: Protocol,
    /// The caller sent `x-amzn-query-mode: true`.
    pub query_mode: bool,
    /// The caller of a Query operation wants JSON.
    pub wants_json: bool,
    /// The request's id.
    pub request_id: &'a str,
}

impl Writer<'_> {
    /// The reply to an operation that went well.
    pub fn result<O: Serialize>(&self, operation: &str, result: &O) -> Reply {
        let body = match self.protocol {
            Protocol::Query if self.wants_json => {
                let names = self.api.map(|api| api.names);
                query_json::result(operation, result, names, self.request_id).map_err(|e| e.to_string())
            }
            Protocol::Query => self.xml_result(operation, result).map_err(|e| e.to_string()),
            Protocol::Json | Protocol::RestJson => json_encode::encode(result).map_err(|e| e.to_string()),
        };
        match body {
            Ok(body) => {
                let headers = vec![("content-type", self.content_type().to_owned())];
                Reply { status: 200, headers, body, failure: None }
            }
            Err(cause) => self.failure(Failure::internal(ErrorShape::internal("InternalFailure"), cause)),
        }
    }

    fn xml_result<O: Serialize>(&self, operation: &str, result: &O) -> Result<String, xml::Error> {
        let Some(api) = self.api else { return Ok(String::new()) };
        let mut body = format!("<{operation}Response xmlns=\"{}\">", api.namespace);
        xml::encode(result, &format!("{operation}Result"), api.names, &mut body)?;
        body.push_str("<ResponseMetadata><RequestId>");
        xml::escape(self.request_id, &mut body);
        body.push_str("</RequestId></ResponseMetadata></");
        body.push_str(operation);
        body.push_str("Response>");
        Ok(body)
    }

    /// The reply to a request that failed.
    pub fn failure(&self, failure: Failure) -> Reply {
        match self.protocol {
            Protocol::Query if failure.shape.query_bare => bare_failure(failure),
            Protocol::Query => self.xml_failure(failure),
            Protocol::Json => self.json_failure(failure),
            Protocol::RestJson => self.rest_failure(failure),
        }
    }

    fn content_type(&self) -> &'static str {
        match self.protocol {
            Protocol::Query if self.wants_json => "application/json",
            Protocol::Query => "text/xml",
            Protocol::Json => "application/x-amz-json-1.0",
            Protocol::RestJson => "application/json",
        }
    }

    fn xml_failure(&self, failure: Failure) -> Reply {
        let shape = failure.shape;
        let message = shape.query_text.unwrap_or(&failure.message);
        let headers = vec![("content-type", self.content_type().to_owned())];
        if self.wants_json {
            let body = query_json::failure(shape, message, self.request_id);
            return Reply { status: shape.query_status, headers, body, failure: Some(failure) };
        }
        let mut body = String::from("<ErrorResponse");
        if let Some(api) = self.api {
            body.push_str(&format!(" xmlns=\"{}\"", api.namespace));
        }
        body.push_str(&format!(
            "><Error><Type>{}</Type><Code>{}</Code><Message>",
            shape.fault.as_str(),
            shape.query_code
        ));
        xml::escape(message, &mut body);
        body.push_str("</Message>");
        if self.api.is_some_and(|api| api.empty_detail) {
            body.push_str("<Detail/>");
        }
        body.push_str("</Error><RequestId>");
        xml::escape(self.request_id, &mut body);
        body.push_str("</RequestId></ErrorResponse>");
        Reply { status: shape.query_status, headers, body, failure: Some(failure) }
    }

    fn json_failure(&self, failure: Failure) -> Reply {
        let shape = failure.shape;
        let name = match self.api {
            Some(api) if !shape.shape.contains('#') => format!("{}#{}", api.json_namespace, shape.shape),
            _ => shape.shape.to_owned(),
        };
        let body = serde_json::json!({ "__type": name, "message": failure.message }).to_string();
        let mut headers = vec![("content-type", self.content_type().to_owned())];
        if self.api.is_some_and(|api| api.query_compatible) {
            headers.push(("x-amzn-query-error", format!("{};{}", shape.query_code, shape.fault.as_str())));
        }
        let status = if self.query_mode { shape.query_status } else { shape.status };
        Reply { status, headers, body, failure: Some(failure) }
    }

    fn rest_failure(&self, failure: Failure) -> Reply {
        let shape = failure.shape;
        let name = shape.shape.rsplit('#').next().unwrap_or(shape.shape);
        let body = serde_json::json!({ "message": failure.message }).to_string();
        let headers = vec![("content-type", self.content_type().to_owned()), ("x-amzn-errortype", name.to_owned())];
        Reply { status: shape.status, headers, body, failure: Some(failure) }
    }
}

/// An empty element, whatever the caller wants.
fn bare_failure(failure: Failure) -> Reply {
    let (shape, headers) = (failure.shape, vec![("content-type", "text/xml".to_owned())]);
    Reply { status: shape.query_status, headers, body: format!("<{}/>", shape.query_code), failure: Some(failure) }
}
