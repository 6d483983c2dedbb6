//! Templates: the Handlebars dialect of SES, read once and rendered with data from outside, within bounds.
//!
//! Why not the `handlebars` crate: a partial that includes itself ends the process there (the stack), and nothing stops an
//! `each` inside an `each` over long lists. Here all work takes steps of a budget, by the size of what is looked at and
//! written; depth and output are limited too.
pub mod data;
mod lexer;
mod parse;
mod path;
mod render;
#[cfg(test)]
mod tests;
mod values;

use crate::base::{Budget, Spent};
use data::Data;
use parse::Node;
pub use path::Path;

/// Steps that one template and its data may take: some 30 ms at the most.
pub const STEPS_MAX: u64 = 1_000_000;
/// Characters of a name in an error.
const SHOWN: usize = 256;

/// Why a template cannot be read, or cannot be rendered with some data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not a template: an open block, a tag without an end, a helper that there is not.
    #[error("line {line}: {what}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The data does not have what a tag names.
    #[error("attribute {0:?} is not present in the data")]
    Missing(String),
    /// A partial that the template does not define.
    #[error("there is no partial {0:?}")]
    NoPartial(String),
    /// It takes more steps, levels or output than a mail may.
    #[error("the template has too many {0}")]
    TooMuch(&'static str),
}

impl TemplateError {
    /// What a tag names and the data does not have.
    pub fn attribute(&self) -> Option<String> {
        match self {
            Self::Missing(name) => Some(name.chars().take(SHOWN).collect()),
            _ => None,
        }
    }

    /// The error in SES's words, as far as they are known: for the event, and for who tries a template out.
    pub fn told(&self) -> String {
        let shown = |name: &str| name.chars().take(SHOWN).collect::<String>();
        match self {
            Self::Missing(name) => format!("Attribute '{}' is not present in the rendering data.", shown(name)),
            Self::NoPartial(name) => format!("The partial {} could not be found.", shown(name)),
            Self::Syntax { line, what } => format!("The template is invalid. Line {line}: {what}."),
            Self::TooMuch(what) => format!("The template has too many {what}."),
        }
    }
}

impl From<Spent> for TemplateError {
    /// Where the caller is gone, nobody sees the error.
    fn from(_: Spent) -> Self {
        Self::TooMuch("steps")
    }
}

/// A template that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
    partials: std::collections::HashMap<String, Vec<Node>>,
}

impl Template {
    /// Reads a template. The steps are in proportion to its length.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] and [`TemplateError::TooMuch`].
    pub fn parse(text: &str, budget: &mut Budget) -> Result<Self, TemplateError> {
        parse::parse(text, budget)
    }

    /// Whether it only puts values in: what SES allows where the template comes with the call.
    pub fn is_plain(&self) -> bool {
        self.partials.is_empty() && self.nodes.iter().all(Node::is_plain)
    }

    /// Renders it. Nothing is escaped.
    ///
    /// # Errors
    /// [`TemplateError::Missing`] where a tag names what is not in the data, or is `null` there; a partial that is not
    /// defined; [`TemplateError::TooMuch`].
    pub fn render(&self, data: &Data, budget: &mut Budget) -> Result<String, TemplateError> {
        render::render(self, data, budget)
    }
}
