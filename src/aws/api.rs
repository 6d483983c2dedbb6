//! A service as the wire knows it, and the protocols. Its operations stand beside it in `registry.rs`.
use crate::aws::error::{ErrorShape, Failure, THROTTLED};
use crate::aws::protocol::{Names, Refusal};

/// How a request and its reply are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.0: everything in the body, the operation in `X-Amz-Target`.
    Json,
    /// Form pairs in, XML out; the operation in `Action`.
    Query,
    /// Method, path, query string and a JSON body.
    RestJson,
}

/// One service: what the wire needs to know of it.
#[derive(Debug)]
pub struct Api {
    /// The service in ARNs, logs and metrics: `sqs`, `sns`, `ses`, `sesv2`, `sts`.
    pub name: &'static str,
    /// What the credential scope of a signature for this service may name.
    pub signing_names: &'static [&'static str],
    /// The `Version` of its Query requests; empty for a service without Query.
    pub version: &'static str,
    /// The prefix of `X-Amz-Target`, without the dot; empty for a service without AWS JSON.
    pub target: &'static str,
    /// The XML namespace of its Query replies.
    pub namespace: &'static str,
    /// What stands before the `#` of `__type`.
    pub json_namespace: &'static str,
    /// Its names on Query.
    pub names: &'static Names,
    /// The largest body, in bytes.
    pub body_max: usize,
    /// Its JSON errors carry `x-amzn-query-error`.
    pub query_compatible: bool,
    /// Its XML errors carry an empty `<Detail/>`.
    pub empty_detail: bool,
    /// The member that a Query request may give as its path instead (`QueueUrl`); empty for most.
    pub path_member: &'static str,
    /// The operations that a Query request cannot name at such a path.
    pub not_at_a_path: &'static [&'static str],
    /// The operations that may be called without a signature, with a secret token of their own instead.
    pub anonymous: &'static [&'static str],
    /// Its row for a caller who asks for too much at once.
    pub throttled: ErrorShape,
    /// How it answers a request that cannot be decoded.
    pub refuse: fn(&Refusal) -> Failure,
}

impl Api {
    /// A service with nothing special about it, to be named: `Api { name: "sns", ..Api::PLAIN }`.
    pub const PLAIN: Self = Self {
        name: "",
        signing_names: &[],
        version: "",
        target: "",
        namespace: "",
        json_namespace: "",
        names: &Names { flat: &[], entries: &[] },
        body_max: 10 * 1024 * 1024,
        query_compatible: false,
        empty_detail: false,
        path_member: "",
        not_at_a_path: &[],
        anonymous: &[],
        throttled: THROTTLED,
        refuse: refuse_plainly,
    };
}

/// AWS's answer of most services to a request that cannot be decoded.
fn refuse_plainly(refusal: &Refusal) -> Failure {
    let shape = match refusal {
        Refusal::Malformed(_) | Refusal::WrongType { .. } => {
            ErrorShape::sender("com.amazon.coral.service#SerializationException", 400).query("MalformedInput", 400)
        }
        Refusal::TooMuch(_) | Refusal::Missing(_) | Refusal::NotInEnum { .. } => {
            ErrorShape::sender("com.amazon.coral.validate#ValidationException", 400).query("ValidationError", 400)
        }
    };
    Failure::new(shape, refusal.validation_text())
}
