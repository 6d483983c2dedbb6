//! Bounces: what a refusal means. One table of rules, used where mail is delivered (the reply of the other side) and where
//! reports come back. It says who is to blame, and from that SES's type and subtype and whether the address is suppressed.
mod cause;
mod classifier;
mod codes;
mod matcher;
mod plain;
mod providers;
mod rules;
mod said;
mod words;

pub use cause::{Blame, Cause, Kind};
pub use classifier::{Classifier, Finding};
pub(in crate::mail) use plain::unstructured;
pub use providers::provider;
pub use rules::{Rule, RuleError, Rules};
pub use said::{Said, Stage, enhanced, reply_code, stage};
pub use words::{BounceSubType, BounceType, ComplaintSubType, DelayType};
