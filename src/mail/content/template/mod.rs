//! Templates: the Handlebars dialect of SES, read once and rendered with data from outside, within bounds.
//!
//! Why not the `handlebars` crate: a partial that includes itself ends the process there (the stack), and nothing stops an
//! `each` inside an `each` over long lists. Here all work takes steps of a budget, by the size of what is looked at and
//! written; depth and output are limited too.
pub mod data;
mod error;
mod lexer;
mod node;
mod parse;
mod path;
mod read;
mod render;
#[cfg(test)]
mod tests;
mod values;

pub use error::TemplateError;
pub use path::Path;
pub use read::Template;

/// Steps that one template and its data may take: some 30 ms at the most.
pub const STEPS_MAX: u64 = 1_000_000;
