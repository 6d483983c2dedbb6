//! Templates: the Handlebars dialect of SES, read once and rendered with data from outside, within bounds.
//!
//! Why not the `handlebars` crate: a partial that includes itself ends the process there (the stack), and nothing stops an
//! `each` inside an `each` over long lists. Here each node that is rendered takes a step, and steps, depth and output are
//! limited.
mod lexer;
mod parse;
mod path;
mod render;
#[cfg(test)]
mod tests;

use serde_json::Value;

use parse::Node;
pub use path::Path;

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
    /// The error in SES's words, as far as they are known: for the event, and for who tries a template out.
    pub fn told(&self) -> String {
        match self {
            Self::Missing(name) => format!("Attribute '{name}' is not present in the rendering data."),
            Self::NoPartial(name) => format!("The partial {name} could not be found."),
            Self::Syntax { line, what } => format!("The template is invalid. Line {line}: {what}."),
            Self::TooMuch(what) => format!("The template has too many {what}."),
        }
    }
}

/// A template that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    nodes: Vec<Node>,
    partials: std::collections::HashMap<String, Vec<Node>>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] and [`TemplateError::TooMuch`].
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        parse::parse(text)
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
    pub fn render(&self, data: &Value) -> Result<String, TemplateError> {
        render::render(self, data)
    }
}
