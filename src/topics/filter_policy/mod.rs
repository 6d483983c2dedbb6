//! Filter policies: which messages a subscription gets. Pure: JSON in, yes or no out. Source: SNS developer guide, "Amazon
//! SNS subscription filter policies"; texts of errors as LocalStack recorded them on AWS.
mod fact;
mod number;
mod parse;
mod pattern;
mod policy;
#[cfg(test)]
mod policy_tests;
#[cfg(test)]
mod reference_tests;

pub use fact::Facts;
pub use policy::{Fault, FilterPolicy, PolicyScope};
