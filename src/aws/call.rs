//! A request on its way to an operation: what came over HTTP, who called, and the steps from one to the other.
use std::net::IpAddr;

use bytes::Bytes;
use http::HeaderMap;

use crate::aws::error::{ErrorShape, Failure};
use crate::aws::operation::Operation;
use crate::aws::protocol::form::Form;
use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::reply::{self, Reply};
use crate::aws::protocol::rest_json::Labels;
use crate::aws::service::{Api, Protocol, Services, find_by_action, find_by_head};
use crate::base::{AccountId, Region};

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
    /// Who is at the other end of the connection.
    pub peer: IpAddr,
    /// Our id for it.
    pub id: String,
}

/// Who calls an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account whose resources the call is about.
    pub account: AccountId,
    /// The region, from the signature's credential scope.
    pub region: Region,
    /// The access key that signed; empty for an anonymous call.
    pub access_key: String,
    /// Scheme and host as the caller named them: `http://localhost:4566`. Queue URLs start with it.
    pub endpoint: String,
    /// The request's id, for the reply and the log.
    pub request_id: String,
    /// Who is at the other end of the connection.
    pub source_ip: IpAddr,
}

impl Request {
    /// A header's value, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query string, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(n, _)| n == name).map(|(_, value)| value.into_owned())
    }

    /// The parts of the credential scope, from the `Authorization` header or a presigned query string: access key,
    /// date, region, service. Nothing of it is verified.
    pub fn scope(&self) -> Option<[String; 4]> {
        let credential = match self.header("authorization") {
            Some(header) => header.split_once("Credential=")?.1.split([',', ' ']).next()?.to_owned(),
            None => self.parameter("X-Amz-Credential")?,
        };
        // An access key holds no slash, so the scope is what stands after the first.
        let mut parts = credential.splitn(5, '/').map(str::to_owned);
        Some([parts.next()?, parts.next()?, parts.next()?, parts.next()?])
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

/// A request whose operation is known.
#[derive(Debug)]
pub struct Call<'a> {
    /// The service.
    pub api: &'static Api,
    /// The protocol.
    pub protocol: Protocol,
    /// The operation.
    pub operation: &'static Operation,
    /// The request.
    pub request: &'a Request,
    /// The members that the path holds.
    pub labels: Labels,
}

impl<'a> Call<'a> {
    /// Finds service, protocol and operation of a request.
    ///
    /// # Errors
    /// The reply for a request that means none of ours: AWS's `UnknownOperationException`, `MissingAction` and so on.
    pub fn find(request: &'a Request) -> Result<Self, Box<Reply>> {
        let head = find_by_head(request);
        let failed = |api, protocol, failure| Err(Box::new(writer(api, protocol, request).failure(failure)));
        match head {
            Some((api, Protocol::Json)) => {
                let name = request.header("x-amz-target").and_then(|t| t.split_once('.')).map_or("", |(_, name)| name);
                match api.operation(name) {
                    Some(operation) => Ok(Self { api, protocol: Protocol::Json, operation, request, labels: vec![] }),
                    None => failed(Some(api), Protocol::Json, unknown_operation(400)),
                }
            }
            Some((api, Protocol::RestJson)) => match best_route(api, request) {
                Some((operation, labels)) => Ok(Self { api, protocol: Protocol::RestJson, operation, request, labels }),
                None => failed(Some(api), Protocol::RestJson, unknown_operation(404)),
            },
            None if request.header("x-amz-target").is_some() => failed(None, Protocol::Json, unknown_operation(400)),
            None if request.path.starts_with("/v2/") => failed(None, Protocol::RestJson, unknown_operation(404)),
            head => {
                let api = head.map(|(api, _)| api);
                match find_query(api, request) {
                    Ok((api, operation)) => {
                        Ok(Self { api, protocol: Protocol::Query, operation, request, labels: vec![] })
                    }
                    Err(failure) => failed(api, Protocol::Query, failure),
                }
            }
        }
    }

    /// Decodes the request, runs the operation and encodes its answer.
    pub async fn run(self, services: &Services, caller: &Caller) -> Reply {
        (self.operation.run)(services, caller, self).await
    }

    /// What writes this call's reply.
    pub fn writer(&self) -> reply::Writer<'a> {
        writer(Some(self.api), self.protocol, self.request)
    }
}

/// What writes replies to `request`.
pub fn writer<'a>(api: Option<&'static Api>, protocol: Protocol, request: &'a Request) -> reply::Writer<'a> {
    let query_mode = request.header("x-amzn-query-mode") == Some("true");
    reply::Writer { api, protocol, query_mode, request_id: &request.id }
}

/// The form pairs of a Query request: those of the body, and of the query string for what the body does not say.
pub(crate) fn query_form(request: &Request) -> Result<Form<'_>, Refusal> {
    let mut form = Form::parse(request.query.as_bytes())?;
    form.add(&request.body)?;
    Ok(form)
}

fn find_query(api: Option<&'static Api>, request: &Request) -> Result<(&'static Api, &'static Operation), Failure> {
    let form = query_form(request).map_err(|refusal| {
        Failure::new(
            ErrorShape::sender("MalformedQueryString", 404).query("MalformedQueryString", 404),
            refusal.to_string(),
        )
    })?;
    let Some(action) = form.get("Action") else {
        let shape = ErrorShape::sender("MissingAction", 400);
        return Err(Failure::new(shape, "The request must contain the parameter Action."));
    };
    // The name comes back in the error, so it must not be long.
    let shown: String = action.chars().take(100).collect();
    let found = api.or_else(|| find_by_action(form.get("Version"), action));
    match found.and_then(|api| Some((api, api.operation(action)?))) {
        Some(found) => Ok(found),
        None => {
            let shape = ErrorShape::sender("InvalidAction", 400);
            Err(Failure::new(shape, format!("The action {shown} is not valid for this endpoint.")))
        }
    }
}

fn best_route(api: &'static Api, request: &Request) -> Option<(&'static Operation, Labels)> {
    let routes = api.operations.iter().flat_map(|operation| operation.routes.iter().map(move |r| (operation, r)));
    let matching = routes.filter_map(|(operation, route)| {
        let (spelled, labels) = route.matches(&request.method, &request.path)?;
        Some((spelled, operation, labels))
    });
    // `/import-jobs/list` is also `/import-jobs/{JobId}`: what is spelled out wins.
    let (_, operation, labels) = matching.max_by_key(|(spelled, ..)| *spelled)?;
    Some((operation, labels))
}

fn unknown_operation(status: u16) -> Failure {
    let shape = ErrorShape::sender("com.amazon.coral.service#UnknownOperationException", status);
    Failure::new(shape.query("InvalidAction", status), "The operation is not known, or this server does not have it.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Clock;

    fn request(method: &str, target: &str, headers: &[(&'static str, &str)], body: &str) -> Request {
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
            peer: IpAddr::from([127, 0, 0, 1]),
            id: "id-1".into(),
        }
    }

    async fn answer(request: &Request) -> Reply {
        let (services, _dir) = Services::for_test(Clock::system()).await;
        let caller = Caller {
            account: AccountId::development(),
            region: Region::default_region(),
            access_key: "k".into(),
            endpoint: request.endpoint(),
            request_id: request.id.clone(),
            source_ip: request.peer,
        };
        match Call::find(request) {
            Ok(call) => call.run(&services, &caller).await,
            Err(reply) => *reply,
        }
    }

    const STS: &str =
        "AWS4-HMAC-SHA256 Credential=AK/20260102/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0";

    #[tokio::test]
    async fn a_query_operation_answers_in_xml() {
        let asked = request("POST", "/", &[("authorization", STS)], "Action=GetCallerIdentity&Version=2011-06-15");
        let reply = answer(&asked).await;
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (
                200,
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <GetCallerIdentityResult><UserId>000000000000</UserId><Account>000000000000</Account>\
                 <Arn>arn:aws:iam::000000000000:root</Arn></GetCallerIdentityResult><ResponseMetadata>\
                 <RequestId>id-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
            )
        );
        let unsigned = request("GET", "/?Action=GetCallerIdentity", &[], "");
        assert_eq!(answer(&unsigned).await.status, 200);
    }

    #[tokio::test]
    async fn what_is_no_operation_of_ours_is_refused_in_its_own_protocol() {
        let no_action = answer(&request("POST", "/", &[("authorization", STS)], "Version=2011-06-15")).await;
        assert!(no_action.status == 400 && no_action.body.contains("<Code>MissingAction</Code>"), "{no_action:?}");
        let unknown = answer(&request("POST", "/", &[("authorization", STS)], "Action=AssumeRole")).await;
        assert!(unknown.status == 400 && unknown.body.contains("<Code>InvalidAction</Code>"), "{unknown:?}");
        let broken = answer(&request("POST", "/", &[("authorization", STS)], "Action=\u{e4}")).await;
        assert!(broken.body.contains("<Code>MalformedQueryString</Code>"), "{broken:?}");
        let json = answer(&request("POST", "/", &[("x-amz-target", "Nothing.Here")], "{}")).await;
        assert!(json.body.contains("com.amazon.coral.service#UnknownOperationException"), "{json:?}");
        let rest = answer(&request("GET", "/v2/email/nothing", &[], "")).await;
        assert_eq!(rest.status, 404);
        assert!(rest.headers.contains(&("x-amzn-errortype", "UnknownOperationException".to_owned())), "{rest:?}");
    }

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
