//! A template as it was read: nodes, and the partials that it defines.
use std::collections::HashMap;

use crate::mail::content::template::path::Expression;

/// All of a template.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tree {
    /// What is rendered.
    pub nodes: Vec<Node>,
    /// What the template defines, by name.
    pub partials: HashMap<String, Vec<Node>>,
}

/// A piece of a template that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// Text, as it is.
    Text(String),
    /// A value of the data.
    Value(Expression),
    /// A block.
    Block(Box<Block>),
    /// A partial, with another context perhaps, and what its lines begin with.
    Partial(String, Option<Expression>, String),
}

impl Node {
    /// Whether it is text or puts in a value that a path names.
    pub(super) fn is_plain(&self) -> bool {
        match self {
            Self::Text(_) => true,
            Self::Value(Expression::Path(path)) => path.up == 0 && !path.data,
            _ => false,
        }
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// What it does.
    pub kind: Kind,
    /// What it does it with.
    pub argument: Expression,
    /// `includeZero=`: whether 0 counts as something.
    pub include_zero: Option<Expression>,
    /// The names after `as`: of the item, and of its place.
    pub names: Vec<String>,
    /// What is rendered when there is something.
    pub then: Vec<Node>,
    /// What is rendered when there is not.
    pub otherwise: Vec<Node>,
}

/// What a block does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    If,
    Unless,
    Each,
    With,
    /// `{{#name}}`: each of a list, or with what is neither a list nor `true` nor nothing.
    Section,
    /// `{{^name}}`, while it is read: a section whose parts are turned round.
    Inverse,
}
