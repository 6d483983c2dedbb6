//! Receiving: who receives mail for an address, accepting it, checking it, and running receipt rules on it.
pub mod accept;
pub mod actions;
pub mod checks;
mod effects;
mod error;
pub mod filters;
mod handle;
mod handed;
pub mod inbound;
pub mod matching;
pub mod notification;
pub mod object_store;
mod route;
mod needs;
mod own_rules;
mod rule_sets;
pub mod rules;
mod trace;

pub use accept::{InboundMail, MAX_HOPS};
pub use error::Error;
pub use handle::{Owner, Receiving};
pub use inbound::{Inbound, InboundSettings, Outlets};
pub use route::{Client, Route, Routed};
pub use rule_sets::RuleSet;
