//! Data protection: what a topic's policy finds in messages, and what becomes of them. Pure but for [`audit`]. Source: SNS
//! developer guide, "Message data protection".
mod addresses;
pub(super) mod audit;
mod bank;
mod card;
mod cells;
mod identifier;
mod keywords;
mod layers;
mod national;
mod numbers;
mod phone;
pub(super) mod policy;
mod scan;
#[cfg(test)]
mod scan_json_tests;
#[cfg(test)]
mod scan_tests;
mod secrets;
pub(super) mod verdict;

pub(super) use identifier::Identifier;
pub(super) use policy::{Direction, Policy, Who};
pub(super) use scan::{Findings, FoundAt, scan, weight};
