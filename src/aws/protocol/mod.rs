//! The wire protocols of AWS: the same serde structures in JSON, in form pairs and in XML.
#[cfg(test)]
mod equivalence_tests;
pub mod form;
pub mod form_decode;
pub mod json;
pub mod json_encode;
pub mod names;
mod query_json;
pub mod refusal;
pub mod reply;
pub mod rest_json;
pub mod tree;
pub mod value;
pub mod xml;

pub use names::Names;
pub use refusal::{Refusal, lower_first};
pub(crate) use value::{ANY_TEXT, may_be_any_text};
pub use value::{AnyText, Blob, NoMembers, Time};

/// How deep a request may nest. AWS's deepest models need fewer than 12 levels.
pub(crate) const DEPTH_MAX: usize = 32;

/// How many values (names included) a JSON body, or pairs a form may hold. The largest real requests (bulk mail to 50
/// destinations with tags and headers each) need about 10,000.
pub(crate) const VALUES_MAX: usize = 50_000;

/// How many parameters a REST-JSON query string may hold.
pub(crate) const PARAMETERS_MAX: usize = 1_000;
