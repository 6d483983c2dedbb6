//! An operation as a row of a service's table, and what runs it on every protocol.
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::aws::api::Protocol;
use crate::aws::call::{Call, writer};
use crate::aws::caller::Caller;
use crate::aws::error::{Failure, ServiceError};
use crate::aws::protocol::form::Form;
use crate::aws::protocol::refusal::Refusal;
use crate::aws::protocol::reply::{Reply, Writer};
use crate::aws::protocol::rest_json::RestRoute;
use crate::aws::protocol::{form_decode, json, rest_json};
use crate::aws::services::Services;

/// Octets of a body that is read on the thread that answers others: a fraction of a millisecond.
pub(super) const READ_HERE_MAX: usize = 256 * 1024;

/// What an operation's row runs.
pub type Run = for<'a> fn(&'a Services, &'a Caller, Call) -> Pin<Box<dyn Future<Output = Reply> + Send + 'a>>;

/// A row of a service's operation table. Made by [`operations!`](crate::operations).
pub struct Operation {
    /// The name, as in AWS's model.
    pub name: &'static str,
    /// Method and path on REST-JSON; empty on the other protocols.
    pub routes: &'static [RestRoute],
    /// Decodes, runs and encodes.
    pub run: Run,
}

/// What the names of operations begin with that make something new of its own, beside mail and messages.
const MAKES: [&str; 5] = ["Create", "Clone", "Verify", "Tag", "Subscribe"];
/// Others that add what may be large.
const ADDS: [&str; 8] = [
    "AddPermission",
    "PutIdentityPolicy",
    "PutSuppressedDestination",
    "UpdateCustomVerificationEmailTemplate",
    "UpdateEmailIdentityPolicy",
    "UpdateEmailTemplate",
    "UpdateReceiptRule",
    "UpdateTemplate",
];

impl Operation {
    /// Whether it adds to the settings of an account. On a full disk such an operation is refused: what was kept back for that day
    /// is for receives and deletes. Sends see to it themselves.
    pub fn adds(&self) -> bool {
        MAKES.iter().any(|verb| self.name.starts_with(verb)) || ADDS.contains(&self.name)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).field("routes", &self.routes).finish_non_exhaustive()
    }
}

/// A service's operation table, one row per operation:
///
/// ```ignore
/// pub static OPERATIONS: &[Operation] = operations! {
///     CreateQueue => queue::create_queue,
///     GetEmailIdentity [GET "/v2/email/identities/{EmailIdentity}"] => identity::get_email_identity,
///     ListEmailIdentities [GET "/v2/email/identities", POST "/v2/email/list-identities"] => identity::list,
/// };
/// ```
///
/// Each function is `async fn(&Services, &Caller, Input) -> Result<Output, E>` with serde types and an
/// `E: ServiceError`. `Output = ()` is an operation without a result; an empty struct is a result without members.
#[macro_export]
macro_rules! operations {
    ($($name:ident $([$($method:ident $path:literal),+ $(,)?])? => $function:path),* $(,)?) => {
        &[$($crate::aws::operation::Operation {
            name: stringify!($name),
            routes: &[$($($crate::aws::protocol::rest_json::RestRoute { method: stringify!($method), path: $path }),+)?],
            run: |services, caller, call| {
                Box::pin($crate::aws::operation::run(stringify!($name), services, caller, call, $function))
            },
        }),*]
    };
}
pub use operations;

/// Decodes the call's input, runs `function`, and encodes its result or error.
pub async fn run<'a, I, O, E, F>(
    name: &'static str,
    services: &'a Services,
    caller: &'a Caller,
    call: Call,
    function: F,
) -> Reply
where
    I: DeserializeOwned + Send + 'static,
    O: Serialize,
    E: ServiceError,
    F: AsyncFnOnce(&'a Services, &'a Caller, I) -> Result<O, E>,
{
    let api = call.api;
    // It writes the reply when the request is gone.
    let writer = Writer { request_id: &caller.request_id, ..writer(Some(api), call.protocol, &call.request) };
    let decoded = if call.request.body.len() <= READ_HERE_MAX {
        Ok(decode::<I>(call, &caller.endpoint))
    } else {
        let endpoint = caller.endpoint.clone();
        // The steps are in proportion to the length, which has a limit.
        services.compute.run(caller.account.as_str(), 0, move |_| decode::<I>(call, &endpoint)).await
    };
    let input = match decoded {
        Ok(Ok(input)) => input,
        Ok(Err(refusal)) => return writer.failure((api.refuse)(&refusal)),
        Err(not_done) => return writer.failure(Failure::not_done(not_done)),
    };
    match function(services, caller, input).await {
        Ok(output) => writer.result(name, &output),
        Err(error) => writer.failure(Failure::from(error)),
    }
}

/// The request goes here: what is decoded may be waited with for long.
fn decode<I: DeserializeOwned>(call: Call, endpoint: &str) -> Result<I, Refusal> {
    let request = &call.request;
    match call.protocol {
        Protocol::Json => json::decode(&request.body),
        Protocol::RestJson => rest_json::decode(&request.method, call.labels, &request.query, &request.body),
        Protocol::Query => {
            let mut form = call.form.map_or_else(|| Form::of(request), Ok)?;
            if !call.api.path_member.is_empty() && request.path.len() > 1 {
                form.set_default(call.api.path_member, format!("{endpoint}{}", request.path));
            }
            form_decode::decode(&form, call.api.names)
        }
    }
}
