//! Renders a template. Each node takes a step, and more by the size of what is looked at and written; levels and output are
//! limited too. What is found in the data is never copied but into the result.
use std::borrow::Cow;

use serde_json::Value;

use crate::base::Budget;
use crate::mail::content::template::parse::{Block, Kind, Node};
use crate::mail::content::template::path::{Expression, Path};
use crate::mail::content::template::{Template, TemplateError};

/// Blocks and partials inside of each other.
const LEVELS_MAX: usize = 200;
/// Octets of the result: SES's limit for a message through the first API.
const OUTPUT_MAX: usize = 10 * 1024 * 1024;

/// A context: what names are looked up in.
struct Context<'a> {
    value: &'a Value,
    /// The loop's own values, where it is an item of one.
    item: Option<Item<'a>>,
    /// The names that the block gave to the item and its place.
    names: &'a [String],
}

/// An item's place in a loop.
struct Item<'a> {
    index: usize,
    key: Option<&'a str>,
    last: bool,
}

struct Renderer<'a, 'b> {
    template: &'a Template,
    budget: &'b mut Budget,
    contexts: Vec<Context<'a>>,
    /// Which of the contexts have names.
    named: Vec<usize>,
    out: String,
    levels: usize,
}

/// What a path leads to: data, or one of the loop's own values.
enum Found<'a> {
    Data(&'a Value),
    Made(Value),
}

impl Found<'_> {
    fn value(&self) -> &Value {
        match self {
            Self::Data(value) => value,
            Self::Made(value) => value,
        }
    }
}

/// Renders `template` with `data`.
pub(super) fn render(template: &Template, data: &Value, budget: &mut Budget) -> Result<String, TemplateError> {
    let root = Context { value: data, item: None, names: &[] };
    let (contexts, named) = (vec![root], Vec::new());
    let mut renderer = Renderer { template, budget, contexts, named, out: String::new(), levels: 0 };
    renderer.nodes(&template.nodes)?;
    Ok(renderer.out)
}

impl<'a> Renderer<'a, '_> {
    fn write(&mut self, text: &str) -> Result<(), TemplateError> {
        self.budget.spend(text.len() / Budget::OCTETS_PER_STEP)?;
        write(&mut self.out, text)
    }

    fn nodes(&mut self, nodes: &'a [Node]) -> Result<(), TemplateError> {
        if self.levels >= LEVELS_MAX {
            return Err(TemplateError::TooMuch("levels"));
        }
        self.levels += 1;
        for node in nodes {
            self.budget.spend(1)?;
            match node {
                Node::Text(text) => self.write(text)?,
                Node::Value(expression) => {
                    let found = self.find(expression)?;
                    let found = found.filter(|found| !found.value().is_null()).ok_or_else(|| missing(expression))?;
                    self.write_value(found.value())?;
                }
                Node::Lookup(of, member) => self.lookup(of, member)?,
                Node::Block(block) => self.block(block)?,
                Node::Partial(name, context) => self.partial(name, context.as_ref())?,
            }
        }
        self.levels -= 1;
        Ok(())
    }

    fn write_value(&mut self, value: &Value) -> Result<(), TemplateError> {
        write_text(value, &mut self.out, self.budget)
    }

    fn lookup(&mut self, of: &'a Expression, member: &'a Expression) -> Result<(), TemplateError> {
        let (of_found, member_found) = (self.find(of)?, self.find(member)?);
        let member_found = member_found.ok_or_else(|| missing(member))?;
        let key = match member_found.value() {
            Value::String(text) => Cow::Borrowed(text.as_str()),
            other => {
                let mut text = String::new();
                write_text(other, &mut text, self.budget)?;
                Cow::Owned(text)
            }
        };
        let of_found = of_found.ok_or_else(|| missing(of))?;
        let value = step_into(of_found.value(), &key, self.budget)?.filter(|value| !value.is_null());
        let value = value.ok_or_else(|| TemplateError::Missing(key.into_owned()))?;
        self.write_value(value)
    }

    fn partial(&mut self, name: &str, context: Option<&'a Expression>) -> Result<(), TemplateError> {
        let template = self.template;
        self.budget.spend(name.len() / Budget::OCTETS_PER_STEP)?;
        let nodes = template.partials.get(name).ok_or_else(|| TemplateError::NoPartial(name.to_owned()))?;
        let Some(context) = context else { return self.nodes(nodes) };
        match self.find(context)?.ok_or_else(|| missing(context))? {
            Found::Data(value) => self.within(Context { value, item: None, names: &[] }, nodes),
            Found::Made(_) => self.nodes(nodes),
        }
    }

    fn block(&mut self, block: &'a Block) -> Result<(), TemplateError> {
        let found = self.find(&block.argument)?;
        let is = found.as_ref().is_some_and(|found| truthy(found.value()));
        let data = match found {
            Some(Found::Data(value)) => Some(value),
            _ => None,
        };
        match (block.kind, data) {
            (Kind::Unless, _) if is => self.nodes(&block.otherwise),
            (Kind::Unless, _) => self.nodes(&block.then),
            _ if !is => self.nodes(&block.otherwise),
            (Kind::Each, Some(value)) => self.each(block, value),
            (Kind::Section, Some(value @ Value::Array(_))) => self.each(block, value),
            (Kind::With, Some(value)) | (Kind::Section, Some(value @ Value::Object(_))) => {
                self.within(Context { value, item: None, names: &block.names }, &block.then)
            }
            (Kind::If | Kind::Section | Kind::With | Kind::Each, _) => self.nodes(&block.then),
        }
    }

    fn each(&mut self, block: &'a Block, value: &'a Value) -> Result<(), TemplateError> {
        match value {
            Value::Array(list) => {
                for (index, value) in list.iter().enumerate() {
                    self.budget.spend(1)?;
                    let item = Item { index, key: None, last: index + 1 == list.len() };
                    self.within(Context { value, item: Some(item), names: &block.names }, &block.then)?;
                }
                Ok(())
            }
            Value::Object(members) => {
                for (index, (key, value)) in members.iter().enumerate() {
                    self.budget.spend(1)?;
                    let item = Item { index, key: Some(key), last: index + 1 == members.len() };
                    self.within(Context { value, item: Some(item), names: &block.names }, &block.then)?;
                }
                Ok(())
            }
            _ => self.nodes(&block.otherwise),
        }
    }

    fn within(&mut self, context: Context<'a>, nodes: &'a [Node]) -> Result<(), TemplateError> {
        let named = !context.names.is_empty();
        if named {
            self.named.push(self.contexts.len());
        }
        self.contexts.push(context);
        let done = self.nodes(nodes);
        self.contexts.pop();
        if named {
            self.named.pop();
        }
        done
    }

    fn find(&mut self, expression: &'a Expression) -> Result<Option<Found<'a>>, TemplateError> {
        let path = match expression {
            Expression::Literal(value) => return Ok(Some(Found::Data(value))),
            Expression::Path(path) => path,
        };
        if path.data && path.parts.first().is_none_or(|name| name != "root") {
            self.budget.spend(1 + self.contexts.len() / 8)?;
            let made = self.loop_value(path);
            if let Some(Value::String(key)) = &made {
                self.budget.spend_on(key.len())?;
            }
            return Ok(made.map(Found::Made));
        }
        if let Some(found) = self.named(path)? {
            return Ok(found);
        }
        let (context, parts) = match path.data {
            true => (self.contexts.first(), path.parts.get(1..).unwrap_or_default()),
            false => (self.contexts.iter().rev().nth(path.up), path.parts.as_slice()),
        };
        let Some(value) = context.map(|context| context.value) else { return Ok(None) };
        Ok(walk(value, parts, self.budget)?.map(Found::Data))
    }

    /// What a name leads to that a block gave: `as |item place|`. The nearest counts.
    fn named(&mut self, path: &Path) -> Result<Option<Option<Found<'a>>>, TemplateError> {
        if self.named.is_empty() || path.up > 0 || path.data {
            return Ok(None);
        }
        let Some((name, rest)) = path.parts.split_first() else { return Ok(None) };
        self.budget.spend(self.named.len() * (1 + name.len() / Budget::OCTETS_PER_STEP))?;
        let mut contexts = self.named.iter().rev().filter_map(|at| self.contexts.get(*at));
        let Some(context) = contexts.find(|context| context.names.contains(name)) else { return Ok(None) };
        if context.names.first() == Some(name) {
            return Ok(Some(walk(context.value, rest, self.budget)?.map(Found::Data)));
        }
        let Some(item) = context.item.as_ref() else { return Ok(None) };
        self.budget.spend_on(item.key.map_or(0, str::len))?;
        Ok(Some(Some(Found::Made(item.key.map_or_else(|| Value::from(item.index), Value::from)))))
    }

    fn loop_value(&self, path: &Path) -> Option<Value> {
        // `@../index` is written so, and `../@index` too.
        let mut items = self.contexts.iter().rev().filter_map(|context| context.item.as_ref());
        let item = items.nth(path.up)?;
        match path.parts.first()?.as_str() {
            "index" => Some(Value::from(item.index)),
            "key" => Some(item.key.map_or_else(|| Value::from(item.index), Value::from)),
            "first" => Some(Value::from(item.index == 0)),
            "last" => Some(Value::from(item.last)),
            _ => None,
        }
    }
}

fn walk<'a>(from: &'a Value, parts: &[String], budget: &mut Budget) -> Result<Option<&'a Value>, TemplateError> {
    let mut value = from;
    for part in parts {
        match step_into(value, part, budget)? {
            Some(inner) => value = inner,
            None => return Ok(None),
        }
    }
    Ok(Some(value))
}

/// One step into data. Finding a member compares its name with a few others, more of them in a large object.
fn step_into<'a>(value: &'a Value, part: &str, budget: &mut Budget) -> Result<Option<&'a Value>, TemplateError> {
    let octets = 1 + part.len() / Budget::OCTETS_PER_STEP;
    match value {
        Value::Object(members) => {
            budget.spend(octets * members.len().checked_ilog2().map_or(1, |log| 1 + log as usize / 2))?;
            Ok(members.get(part))
        }
        Value::Array(list) => {
            budget.spend(octets)?;
            Ok(part.parse::<usize>().ok().and_then(|at| list.get(at)))
        }
        _ => {
            budget.spend(1)?;
            Ok(None)
        }
    }
}

/// Adds to a result, which may have so many octets.
fn write(out: &mut String, text: &str) -> Result<(), TemplateError> {
    if out.len() + text.len() > OUTPUT_MAX {
        return Err(TemplateError::TooMuch("octets in its result"));
    }
    out.push_str(text);
    Ok(())
}

/// Writes a value as JavaScript writes it.
fn write_text(value: &Value, out: &mut String, budget: &mut Budget) -> Result<(), TemplateError> {
    match value {
        Value::String(text) => {
            budget.spend(text.len() / Budget::OCTETS_PER_STEP)?;
            write(out, text)
        }
        Value::Null => Ok(()),
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                budget.spend(1)?;
                if at > 0 {
                    write(out, ",")?;
                }
                write_text(value, out, budget)?;
            }
            Ok(())
        }
        Value::Object(_) => write(out, "[object Object]"),
        Value::Bool(true) => write(out, "true"),
        Value::Bool(false) => write(out, "false"),
        Value::Number(number) => write(out, &number.to_string()),
    }
}

/// Handlebars: nothing, `false`, 0, an empty text and an empty list count as not there.
fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is) => *is,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(_) => true,
    }
}

fn missing(expression: &Expression) -> TemplateError {
    match expression {
        Expression::Path(path) => TemplateError::Missing(path.text.clone()),
        Expression::Literal(value) => TemplateError::Missing(value.to_string()),
    }
}
