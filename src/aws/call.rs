//! A request whose operation is known, on its way to be decoded.
use crate::aws::api::{Api, Protocol};
use crate::aws::protocol::form::Form;
use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::reply::Writer;
use crate::aws::protocol::rest_json::Labels;
use crate::aws::request::Request;

/// A request whose operation is known.
#[derive(Debug)]
pub struct Call {
    /// The service.
    pub api: &'static Api,
    /// The protocol.
    pub protocol: Protocol,
    /// The request, until it is decoded.
    pub request: Box<Request>,
    /// The members that the path holds.
    pub labels: Labels,
    /// The form of a Query request, where it was read.
    pub form: Option<Form>,
}

/// What writes replies to `request`.
pub fn writer<'a>(api: Option<&'static Api>, protocol: Protocol, request: &'a Request) -> Writer<'a> {
    let query_mode = request.header("x-amzn-query-mode") == Some("true");
    // Only this very value, and only a GET: clients that take anything want XML.
    let wants_json = request.method == "GET"
        && api.is_some_and(|api| api.query_compatible)
        && request.header("accept") == Some("application/json");
    Writer { api, protocol, query_mode, wants_json, request_id: &request.id }
}

impl Form {
    /// The form pairs of a Query request: those of the query string, and of the body.
    ///
    /// # Errors
    /// As [`Form::parse`].
    pub fn of(request: &Request) -> Result<Self, Refusal> {
        let mut form = Self::parse(request.query.as_bytes())?;
        form.add(&request.body)?;
        Ok(form)
    }
}
