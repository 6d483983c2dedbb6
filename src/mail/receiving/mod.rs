//! Receiving: who receives mail for an address, accepting it, checking it, and running receipt rules on it.
pub mod accept;
pub mod actions;
pub mod checks;
mod effects;
mod error;
mod handle;
pub mod inbound;
mod known;
pub mod matching;
pub mod notification;
mod route;
mod rule_sets;
pub mod rules;
mod trace;

pub use accept::{InboundMail, MAX_HOPS};
pub use error::Error;
pub use handle::{Owner, Receiving};
pub use inbound::{Inbound, InboundSettings};
pub use route::Route;
pub use rule_sets::RuleSet;
