//! Policies of resources: who may do what with a queue, and under which conditions (IAM user guide, "Policy evaluation
//! logic"). Pure: a document and a request in, a decision out.
mod condition;
mod document;
mod evaluate;
mod operator;
mod pattern;
mod principal;
mod request;
mod words;

#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod table_tests;

pub use document::{Policy, SIZE_MAX, STATEMENTS_MAX};
pub use evaluate::Decision;
pub use request::{Principal, Request};
pub use words::Malformed;
