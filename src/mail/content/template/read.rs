//! A template: read once, rendered often.
use crate::base::Budget;
use crate::mail::content::template::TemplateError;
use crate::mail::content::template::data::Data;
use crate::mail::content::template::node::{Node, Tree};
use crate::mail::content::template::{parse, render};

/// A template that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template(Tree);

impl Template {
    /// Reads a template. The steps are in proportion to its length.
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] and [`TemplateError::TooMuch`].
    pub fn parse(text: &str, budget: &mut Budget) -> Result<Self, TemplateError> {
        parse::parse(text, budget).map(Self)
    }

    /// Whether it only puts values in: what SES allows where the template comes with the call.
    pub fn is_plain(&self) -> bool {
        self.0.partials.is_empty() && self.0.nodes.iter().all(Node::is_plain)
    }

    /// Renders it. Nothing is escaped.
    ///
    /// # Errors
    /// [`TemplateError::Missing`] where a tag names what is not in the data, or is `null` there; a partial that is not
    /// defined; [`TemplateError::TooMuch`].
    pub fn render(&self, data: &Data, budget: &mut Budget) -> Result<String, TemplateError> {
        render::render(&self.0, data, budget)
    }
}
