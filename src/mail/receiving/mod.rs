//! Receiving: who receives mail for an address, accepting it, checking it, and running receipt rules on it.
pub mod accept;
pub mod actions;
pub mod checks;
mod effects;
mod error;
pub mod filters;
mod handed;
mod handle;
pub mod inbound;
mod known;
mod loading;
pub mod matching;
mod needs;
pub mod notification;
mod own_rules;
mod questions;
mod route;
mod rule_sets;
pub mod rules;
pub mod scan;
mod trace;

pub use accept::{InboundMail, MAX_HOPS};
pub use error::Error;
pub use handle::{Owner, Receiving};
pub use inbound::{Inbound, InboundSettings, Outlets};
pub use route::{Client, Route, Routed};
pub use rule_sets::RuleSet;
