//! Reads a template into nodes. There is no recursion: open blocks are a list, whose length is limited.
use std::collections::HashMap;

use crate::base::Budget;
use crate::mail::content::template::TemplateError;
use crate::mail::content::template::lexer::{Tag, Token, tokens};
use crate::mail::content::template::node::{Block, Kind, Node, Tree};
use crate::mail::content::template::path::{Expression, words};

/// Blocks inside of each other.
const DEPTH_MAX: usize = 100;
/// Nodes of a template.
const NODES_MAX: usize = 100_000;

/// A block that is open, or an inline partial.
struct Open {
    /// What its closing tag must say.
    closes: String,
    line: usize,
    /// `None` for an inline partial.
    block: Option<Block>,
    /// Nodes of the part that is being read.
    nodes: Vec<Node>,
    /// Whether the part is the one after `else`.
    in_else: bool,
    /// Whether it began with `else if`, and so ends with the block that it belongs to.
    chained: bool,
}

struct Parser<'b> {
    budget: &'b mut Budget,
    open: Vec<Open>,
    nodes: Vec<Node>,
    partials: HashMap<String, Vec<Node>>,
    count: usize,
}

/// Reads `text`.
pub(super) fn parse(text: &str, budget: &mut Budget) -> Result<Tree, TemplateError> {
    let tokens = tokens(text, budget)?;
    let mut parser = Parser { budget, open: Vec::new(), nodes: Vec::new(), partials: HashMap::new(), count: 0 };
    for token in tokens {
        match token {
            Token::Text(text) => parser.push(Node::Text(text.to_owned()))?,
            Token::Tag(tag) => parser.tag(&tag)?,
        }
    }
    match parser.open.last() {
        Some(open) => Err(syntax(open.line, format!("block {:?} is not closed", shown(&open.closes)))),
        None => Ok(Tree { nodes: parser.nodes, partials: parser.partials }),
    }
}

impl Parser<'_> {
    fn push(&mut self, node: Node) -> Result<(), TemplateError> {
        self.count += 1;
        if self.count > NODES_MAX {
            return Err(TemplateError::TooMuch("tags"));
        }
        self.open.last_mut().map_or(&mut self.nodes, |open| &mut open.nodes).push(node);
        Ok(())
    }

    fn tag(&mut self, tag: &Tag<'_>) -> Result<(), TemplateError> {
        let wrong = || syntax(tag.line, format!("{:?} cannot be read", shown(tag.content)));
        if tag.kind == '!' {
            return Ok(());
        }
        self.budget.spend_on(tag.content.len())?;
        let words = words(tag.content).ok_or_else(wrong)?;
        match (tag.kind, words.as_slice()) {
            ('#', _) => self.open_block(tag, &words),
            ('/', [name]) => self.close(tag, name),
            ('^', []) | ('=', ["else"]) => self.start_else(tag, &[]),
            ('=', ["else", more @ ..]) => self.start_else(tag, more),
            ('^', [name]) => {
                let argument = Expression::read(name).ok_or_else(wrong)?.or_name(name);
                self.begin(tag.line, name, Some(new_block(Kind::Inverse, argument, Vec::new())), false)
            }
            ('>', [name]) => self.push(Node::Partial(unquoted(name), None, tag.indent.to_owned())),
            ('>', [name, context]) if !context.contains('=') => {
                let context = Expression::read(context).ok_or_else(wrong)?;
                self.push(Node::Partial(unquoted(name), Some(context), tag.indent.to_owned()))
            }
            // What it writes down nobody reads here.
            ('=', ["log", ..]) => Ok(()),
            ('=', [word]) if !word.starts_with('(') => {
                let value = Expression::read(word).ok_or_else(wrong)?;
                self.push(Node::Value(value.or_name(word)))
            }
            ('=', ["lookup", of, member]) => {
                let (of, member) = (Expression::read(of), Expression::read(member));
                let (Some(of), Some(member)) = (of, member) else { return Err(wrong()) };
                self.push(Node::Value(Expression::Lookup(Box::new((of, member)))))
            }
            ('=', [helper, ..]) => Err(syntax(tag.line, format!("there is no helper {:?}", shown(helper)))),
            _ => Err(wrong()),
        }
    }

    fn open_block(&mut self, tag: &Tag<'_>, words: &[&str]) -> Result<(), TemplateError> {
        match words {
            ["*", "inline", name] | ["*inline", name] => {
                self.begin(tag.line, "inline", None, false)?;
                if let Some(open) = self.open.last_mut() {
                    open.closes = format!("inline {}", unquoted(name));
                }
                Ok(())
            }
            words => {
                let (name, block) = block(tag, words)?;
                self.begin(tag.line, &name, Some(block), false)
            }
        }
    }

    fn begin(&mut self, line: usize, closes: &str, block: Option<Block>, chained: bool) -> Result<(), TemplateError> {
        if self.open.len() >= DEPTH_MAX {
            return Err(TemplateError::TooMuch("levels"));
        }
        let closes = closes.to_owned();
        self.open.push(Open { closes, line, block, nodes: Vec::new(), in_else: false, chained });
        Ok(())
    }

    fn start_else(&mut self, tag: &Tag<'_>, more: &[&str]) -> Result<(), TemplateError> {
        let stray = || syntax(tag.line, "else stands outside of a block".to_owned());
        let open = self.open.last_mut().ok_or_else(stray)?;
        let block_ = open.block.as_mut().filter(|_| !open.in_else).ok_or_else(stray)?;
        block_.then = std::mem::take(&mut open.nodes);
        open.in_else = true;
        if more.is_empty() {
            return Ok(());
        }
        let (name, chained) = block(tag, more)?;
        self.begin(tag.line, &name, Some(chained), true)
    }

    fn close(&mut self, tag: &Tag<'_>, name: &str) -> Result<(), TemplateError> {
        loop {
            let stray = || syntax(tag.line, format!("{:?} closes no block", shown(name)));
            let open = self.open.pop().ok_or_else(stray)?;
            let fits = open.chained || open.closes == name || (name == "inline" && open.closes.starts_with("inline "));
            if !fits {
                return Err(syntax(tag.line, format!("{:?} closes {:?}", shown(name), shown(&open.closes))));
            }
            let Some(mut block) = open.block else {
                let name = open.closes.strip_prefix("inline ").unwrap_or_default();
                self.partials.insert(name.to_owned(), open.nodes);
                return Ok(());
            };
            if open.in_else {
                block.otherwise = open.nodes;
            } else {
                block.then = open.nodes;
            }
            if block.kind == Kind::Inverse {
                // What stands behind its else is a section.
                block.kind = Kind::Section;
                std::mem::swap(&mut block.then, &mut block.otherwise);
            }
            self.push(Node::Block(Box::new(block)))?;
            if !open.chained {
                return Ok(());
            }
        }
    }
}

/// The block that a tag opens, and the name that closes it.
fn block(tag: &Tag<'_>, words: &[&str]) -> Result<(String, Block), TemplateError> {
    let wrong = || syntax(tag.line, format!("{:?} is no block", shown(tag.content)));
    let (words, names) = names(words).ok_or_else(wrong)?;
    let (words, zero) = match words {
        [rest @ .., last] if rest.len() == 2 && matches!(rest.first(), Some(&"if" | &"unless")) => {
            let zero = last.strip_prefix("includeZero=").and_then(Expression::read);
            (rest, Some(zero.ok_or_else(wrong)?))
        }
        words => (words, None),
    };
    let (kind, name, argument) = match words {
        ["if", argument] => (Kind::If, "if", argument),
        ["unless", argument] => (Kind::Unless, "unless", argument),
        ["each", argument] => (Kind::Each, "each", argument),
        ["with", argument] => (Kind::With, "with", argument),
        ["if" | "unless" | "each" | "with"] => return Err(wrong()),
        [name] => (Kind::Section, *name, name),
        [helper, ..] => return Err(syntax(tag.line, format!("there is no helper {:?}", shown(helper)))),
        [] => return Err(wrong()),
    };
    let argument_read = Expression::read(argument).ok_or_else(wrong)?;
    let argument = if kind == Kind::Section { argument_read.or_name(argument) } else { argument_read };
    Ok((name.to_owned(), Block { include_zero: zero, ..new_block(kind, argument, names) }))
}

/// Takes `as |item place|` off a tag's words.
fn names<'w, 't>(words: &'w [&'t str]) -> Option<(&'w [&'t str], Vec<String>)> {
    let Some(at) = words.iter().position(|word| *word == "as").filter(|at| *at >= 2) else {
        return Some((words, Vec::new()));
    };
    let (words, named) = words.split_at(at);
    let named = named.get(1..)?.join(" ");
    let named = named.strip_prefix('|')?.strip_suffix('|')?;
    let named: Vec<String> = named.split_whitespace().map(str::to_owned).collect();
    (named.len() <= 2 && !named.is_empty()).then_some((words, named))
}

fn new_block(kind: Kind, argument: Expression, names: Vec<String>) -> Block {
    Block { kind, argument, include_zero: None, names, then: Vec::new(), otherwise: Vec::new() }
}

fn unquoted(name: &str) -> String {
    name.trim_matches(['"', '\'']).to_owned()
}

fn syntax(line: usize, what: String) -> TemplateError {
    TemplateError::Syntax { line, what }
}

fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}
